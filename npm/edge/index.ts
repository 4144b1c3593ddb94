/**
 * `chatwire/edge`: an OpenAI-compatible gateway for workers. Keys stay in it, and every token is counted.
 */
export { bearerTokens, type Claims, type JwtOptions, jwt } from "./authorize.ts";
export { type Gateway, gateway, type WorkerContext } from "./gateway.ts";
export type {
  Authorize,
  Awaitable,
  Environment,
  GatewayOptions,
  Grant,
  ModelRoute,
  PageTokens,
  ProviderOptions,
  RequestLimits,
  UsageRecord,
} from "./options.ts";
