/**
 * `chatwire/livekit`: a language model for voice agents of LiveKit (`@livekit/agents` 1, an optional peer that only this entry
 * loads). With another major version installed, the import throws a `ChatwireError` that says which to install.
 */
export { LLM, type LLMOptions } from "./llm.ts";
