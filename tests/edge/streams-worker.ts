/** A worker of the tests that keeps streams; its records go to whoever waits behind `RECORDS`. */
import {
  bearerTokens,
  ChatwireLimiter,
  ChatwireStreams,
  type DurableNamespace,
  gateway,
  type StreamsNamespace,
  type StreamsState,
} from "chatwire/edge";

interface Env {
  UPSTREAM: string;
  RECORDS: string;
  STREAMS: StreamsNamespace;
  LIMITER: DurableNamespace;
}

export { ChatwireLimiter };

/** Crashes when it is told to: what it has in memory is lost, and what it has under way. */
export class Streams extends ChatwireStreams {
  readonly #state: StreamsState & { abort(reason: string): void };

  constructor(state: StreamsState & { abort(reason: string): void }, env: unknown) {
    super(state, env);
    this.#state = state;
  }

  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === "/crash") this.#state.abort("as the test wishes");
    return super.fetch(request);
  }
}

const app = gateway((env: Env) => ({
  providers: { own: { provider: { baseURL: `${env.UPSTREAM}/waves/v1` }, apiKey: "any", maxRetries: 0 } },
  models: { electron: "own/electron" },
  authorize: bearerTokens({
    alice: "alice",
    bob: "bob",
    carol: { caller: "carol", plan: { concurrent: 2 } },
    dave: "dave",
  }),
  streams: env.STREAMS,
  limiter: env.LIMITER,
  limits: { caller: { concurrent: 200 } },
  onDisconnect: "durable",
  onUsage: async (record) => {
    const { ok } = await fetch(env.RECORDS, { method: "POST", body: JSON.stringify(record) });
    if (!ok) throw new Error("the record sink is closed");
  },
}));

export default {
  async fetch(request: Request, env: Env, context: unknown): Promise<Response> {
    const [, id] = /^\/crash\/([\da-f]+)/.exec(new URL(request.url).pathname) ?? [];
    if (id === undefined) return app.fetch(request, env, context);
    const crashed = env.STREAMS.get(env.STREAMS.idFromString(id) as never).fetch("https://object/crash");
    return new Response(await crashed.then(String, String));
  },
};
