import type { ChatCompletionSnapshot } from "../../chat-stream.ts";
import type { AbstractChatCompletionRunnerEvents } from "../../runner.ts";
import type { ChatCompletionChunk } from "../../types.ts";

export { ChatCompletionStreamingRunner } from "../../chat-stream.ts";
export type {
  ChatCompletionStreamingToolRunnerParams,
  ChatCompletionStreamingToolRunnerParamsWithContext,
  ChatCompletionStreamingToolRunnerParamsWithoutContext,
} from "../../runnable.ts";

/** The events of a run that streams, but for those of its parts. */
export interface ChatCompletionStreamEvents extends AbstractChatCompletionRunnerEvents {
  content: (contentDelta: string, contentSnapshot: string) => void;
  chunk: (chunk: ChatCompletionChunk, snapshot: ChatCompletionSnapshot) => void;
}
