export {
  ChatCompletionStream,
  ChatCompletionStreamingRunner,
  type ChatCompletionStreamParams,
} from "../../../chat-stream.ts";
export { type ChatCompletionStoreMessagesPage, Completions, Messages } from "../../../completions.ts";
export type {
  ChatCompletionStreamingToolRunnerParams,
  ChatCompletionStreamingToolRunnerParamsWithContext,
  ChatCompletionStreamingToolRunnerParamsWithoutContext,
  ChatCompletionToolRunnerParams,
  ChatCompletionToolRunnerParamsWithContext,
  ChatCompletionToolRunnerParamsWithoutContext,
  RunnableFunctionWithoutParse,
  RunnableFunctionWithParse,
} from "../../../runnable.ts";
export { ParsingToolFunction } from "../../../runnable.ts";
export { ChatCompletionRunner } from "../../../runner.ts";
export type * from "../../../types.ts";
