/** A worker of the tests, as a user would write one; its records go to whoever waits behind `RECORDS`. */
import { bearerTokens, gateway } from "chatwire/edge";

interface Env {
  UPSTREAM: string;
  RECORDS: string;
  KEY: string;
  TOKEN: string;
  PAGE_SECRET: string;
  PAGE: string;
  ON_DISCONNECT: "drain" | "abort";
}

export default gateway((env: Env) => ({
  providers: {
    own: { provider: { baseURL: `${env.UPSTREAM}/waves/v1` }, apiKey: env.KEY, maxRetries: 0 },
    other: { provider: { baseURL: `${env.UPSTREAM}/other/v1` }, apiKey: env.KEY, maxRetries: 0 },
  },
  models: { electron: ["own/electron", "other/electron"], single: "own/electron" },
  authorize: bearerTokens({ [env.TOKEN]: "tester" }),
  token: { secret: env.PAGE_SECRET, origins: [env.PAGE], models: ["single"], maxTokens: 9 },
  maxBodyBytes: 10_000,
  onDisconnect: env.ON_DISCONNECT,
  onUsage: (record) => fetch(env.RECORDS, { method: "POST", body: JSON.stringify(record) }),
}));
