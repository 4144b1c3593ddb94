export { type ChatCompletionStreamEvents, ChatCompletionStreamingRunner } from "../../chat-stream.ts";
export type {
  ChatCompletionStreamingToolRunnerParams,
  ChatCompletionStreamingToolRunnerParamsWithContext,
  ChatCompletionStreamingToolRunnerParamsWithoutContext,
} from "../../runnable.ts";
