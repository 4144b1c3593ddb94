/**
 * `chatwire/livekit`: a language model for voice agents of LiveKit (`@livekit/agents` 1, an optional peer that only this entry
 * loads).
 */
export { LLM, type LLMOptions } from "./llm.ts";
