/**
 * A worker of the tests with limits, and with a clock that a test sets ahead. Where `OBJECTS` says so, its objects are those
 * of another such worker, in another process.
 */
import { bearerTokens, ChatwireLimiter, type DurableNamespace, gateway, type LimiterState } from "chatwire/edge";

interface Env {
  UPSTREAM: string;
  LIMITS: string;
  LIMITER: DurableNamespace & { idFromString(id: string): object };
  OBJECTS?: string;
}

/** Milliseconds; worker and objects share it, since they share an isolate. */
let ahead = 0;

interface Abortable {
  abort(reason: string): void;
}

export class Limiter extends ChatwireLimiter {
  readonly #state: Abortable;

  constructor(state: LimiterState & Abortable) {
    super(state, undefined, () => Date.now() + ahead);
    this.#state = state;
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.url.endsWith("/crash")) this.#state.abort("as the test wishes");
    return super.fetch(request);
  }
}

/** The objects of another process. */
function objectsAt(url: string): DurableNamespace {
  return {
    idFromName: (name) => ({ name }),
    get: ({ name }: { name: string }) => ({
      fetch: (_, init) => fetch(`${url}/objects/${encodeURIComponent(name)}`, init),
    }),
  };
}

const app = gateway((env: Env) => ({
  providers: {
    own: {
      provider: { baseURL: `${env.UPSTREAM}/waves/v1`, prices: PRICES },
      apiKey: "sk-of-this-test",
      // A busy machine may close a connection just when it is used again.
      maxRetries: 2,
    },
  },
  models: { electron: "own/electron", small: "own/electron" },
  authorize: bearerTokens({ alice: "alice", bob: "bob", operator: { caller: "operator", readsUsage: true } }),
  limiter: env.OBJECTS ? objectsAt(env.OBJECTS) : env.LIMITER,
  limits: JSON.parse(env.LIMITS),
}));

const PRICES = { input: 1, cachedInput: 0.5, output: 2 };

export default {
  async fetch(request: Request, env: Env, context: unknown): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const [, crashing] = /^\/crash\/(.+)$/.exec(pathname) ?? [];
    if (crashing) {
      const object = env.LIMITER.get(env.LIMITER.idFromString(crashing) as never);
      await object.fetch("https://limiter/crash", { method: "POST", body: "" }).catch(() => {});
      return new Response();
    }
    const [, object] = /^\/objects\/(.+)$/.exec(pathname) ?? [];
    if (object) {
      const id = env.LIMITER.idFromName(decodeURIComponent(object)) as never;
      return env.LIMITER.get(id).fetch("https://limiter/", { method: "POST", body: await request.text() });
    }
    if (pathname === "/ahead") {
      ahead = Number(searchParams.get("ms"));
      return new Response();
    }
    return app.fetch(request, env, context);
  },
};
