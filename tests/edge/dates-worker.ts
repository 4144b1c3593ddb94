/** A worker of the tests whose objects are bound, or found among its exports. */
import {
  bearerTokens,
  ChatwireLimiter,
  ChatwireStreams,
  type DurableNamespace,
  gateway,
  type StreamsNamespace,
} from "chatwire/edge";

interface Env {
  UPSTREAM: string;
  RECORDS: string;
  BOUND: string;
  STREAMS: StreamsNamespace;
  LIMITER: DurableNamespace;
}

export { ChatwireLimiter, ChatwireStreams };
export default gateway((env: Env) => ({
  providers: { own: { provider: { baseURL: `${env.UPSTREAM}/waves/v1` }, apiKey: "any", maxRetries: 0 } },
  models: { electron: "own/electron" },
  authorize: bearerTokens({ alice: "alice" }),
  ...(env.BOUND === "bound" && { streams: env.STREAMS, limiter: env.LIMITER }),
  limits: { caller: { concurrent: 20 } },
  onDisconnect: "durable",
  onUsage: (record) => fetch(env.RECORDS, { method: "POST", body: JSON.stringify(record) }),
}));
