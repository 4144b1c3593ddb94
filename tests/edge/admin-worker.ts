/** A worker of the tests with the page for its operators. */
import { bearerTokens, ChatwireLimiter, type DurableNamespace, gateway } from "chatwire/edge";

interface Env {
  UPSTREAM: string;
  LIMITER: DurableNamespace;
}

export { ChatwireLimiter };
export default gateway((env: Env) => ({
  providers: {
    own: { provider: { baseURL: `${env.UPSTREAM}/waves/v1`, prices: { input: 1, output: 2 } }, apiKey: "any" },
  },
  models: { fast: "own/electron" },
  authorize: bearerTokens({
    "of-alice": { caller: "alice <b>", tags: { unit: "a" }, plan: { requestsPerMinute: 50 } },
    "of-boss": { caller: "boss", readsUsage: true },
  }),
  limiter: env.LIMITER,
  admin: true,
}));
