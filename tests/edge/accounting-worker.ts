/** The worker of the accounting run, in one of the three modes. */
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
  MODE: "drain" | "abort" | "durable";
  STREAMS: StreamsNamespace;
  LIMITER: DurableNamespace;
}

export { ChatwireLimiter, ChatwireStreams };
export default gateway((env: Env) => ({
  providers: { own: { provider: { baseURL: `${env.UPSTREAM}/waves/v1` }, apiKey: "any", maxRetries: 0 } },
  models: { electron: "own/electron" },
  authorize: bearerTokens({ alice: "alice" }),
  streams: env.STREAMS,
  limiter: env.LIMITER,
  onDisconnect: env.MODE,
  onUsage: async (record) => {
    const { ok, status } = await fetch(env.RECORDS, { method: "POST", body: JSON.stringify(record) });
    if (!ok) throw new Error(`The record was not taken: ${status}`);
  },
}));
