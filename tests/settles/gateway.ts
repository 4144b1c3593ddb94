/**
 * A gateway's answers to its callers, as consumers of the provider's: each API, in each of the ways in which a gateway may go on when
 * its caller has left. For `run.ts`, in Node.
 */
import { type GatewayOptions, gateway } from "chatwire/edge";
import { limiterObjects, streamObjects } from "../edge/objects.ts";
import { type Consumer, hello, type Way } from "./consumers.ts";

/** Milliseconds, of the first request. */
const TIMEOUTS = { headers: 60, firstToken: 60, idle: 60, keepAlive: 90, total: 250 };
const WAYS: readonly Way[] = ["whole", "break", "signal", "never"];

interface Asked {
  path?: string;
  body?: object | null;
  options?(): Partial<GatewayOptions>;
}

/** One request to a gateway of its own, whose provider answers one request at a time. */
const asking = ({ path = "/v1/chat/completions", body = { ...hello, stream: true }, options }: Asked): Consumer => ({
  ways: WAYS,
  // An answer that breaks off is the caller's to name: its body errors.
  isOwn: () => true,
  start(_, signal, way, { baseURL, fetch }) {
    const app = gateway({
      public: true,
      providers: { upstream: { baseURL, fetch: fetch as never, apiKey: "k", maxRetries: 0, timeout: TIMEOUTS } },
      limiter: limiterObjects().namespace,
      // The table waits for the slot, and counts the turns of the event loop: a machine that stands still is no slot that is kept.
      limits: { providers: { upstream: { concurrent: 1 } }, wait: 60_000, writeTimeout: 100, answerTimeout: 1000 },
      ...options?.(),
    });
    const ask = (path: string, body: object | null, more: RequestInit = {}) =>
      app.fetch(
        new Request(`http://localhost${path}`, {
          ...(body && { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
          ...more,
        }),
      );
    const read = async () => {
      const { body: answer } = await ask(path, body, { signal });
      if (!answer || way === "never") return;
      const reader = answer.getReader();
      while (!(await reader.read()).done) if (way === "break") return reader.cancel();
    };
    return {
      done: read(),
      // Another request than the first, which a cache may answer by itself.
      again: async () => (await ask("/v1/chat/completions", { ...hello, max_tokens: 9, stream: true })).text(),
    };
  },
});

export const gateways: Record<string, Consumer> = {
  "gateway, drain": asking({ options: () => ({ onDisconnect: "drain" }) }),
  "gateway, abort": asking({ options: () => ({ onDisconnect: "abort" }) }),
  "gateway, durable": asking({ options: () => ({ onDisconnect: "durable", streams: streamObjects().namespace }) }),
  "gateway, whole": asking({ body: hello }),
  "gateway, with a cache": asking({ options: () => ({ cache: { ttl: 60 } }) }),
  "gateway, with hooks": asking({ options: () => ({ hooks: { after: (answer: object) => answer } as never }) }),
  "gateway, a route of two models": asking({
    options: () => ({ models: { m: ["upstream/m", "upstream/n"], n: "upstream/n" } }),
  }),
  "gateway, models": asking({ path: "/v1/models", body: null }),
  "gateway, /v1/completions": asking({ path: "/v1/completions", body: { model: "m", prompt: "Hello", stream: true } }),
  "gateway, /v1/responses": asking({ path: "/v1/responses", body: { model: "m", input: "Hello", stream: true } }),
  "gateway, /v1/embeddings": asking({ path: "/v1/embeddings", body: { model: "m", input: "Hello" } }),
};
