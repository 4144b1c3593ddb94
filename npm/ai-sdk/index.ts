/**
 * `chatwire/ai-sdk`: chatwire for those who use the AI SDK. `ai` (version 7) is an optional peer, needed for its types only.
 */
export type { CallUsage } from "./model.ts";
export { type ChatwireProvider, type ChatwireProviderSettings, createChatwire } from "./provider.ts";
export type { CallSettings, Capabilities } from "./request.ts";
export { ChatwireTransport, type ChatwireTransportOptions, type StreamStore, toChatMessages } from "./transport.ts";
export { toUIMessageStream, toUIMessageStreamResponse, type UIMessageStreamOptions } from "./ui.ts";
