/**
 * `chatwire/edge`: an OpenAI-compatible gateway for workers. Keys stay in it, and every token is counted.
 */
export { bearerTokens, type Claims, type JwtOptions, jwt } from "./authorize.ts";
export { type Gateway, gateway, type WorkerContext } from "./gateway.ts";
export { type CallerKey, ChatwireKeys, type KeysState } from "./keys.ts";
export { ChatwireLimiter, type LimiterState, type LimiterStatus, type LiveRequest, type UsageRow } from "./limiter.ts";
export type { Left, Remaining } from "./meter.ts";
export type {
  Authorize,
  Awaitable,
  CacheOptions,
  DurableNamespace,
  Environment,
  GatewayHooks,
  GatewayLimits,
  GatewayOptions,
  Grant,
  HookRequest,
  LengthField,
  ModelPrices,
  ModelRoute,
  PageTokens,
  ParameterPolicy,
  Plan,
  ProviderKey,
  ProviderOptions,
  RequestLimits,
  StreamsNamespace,
  UsageRecord,
} from "./options.ts";
export { Refusal } from "./problem.ts";
export type { StreamsState } from "./stream-rows.ts";
export { ChatwireStreams } from "./streams.ts";
export type { LimitsEntry, LimitsReport, UsageReport } from "./usage-report.ts";
