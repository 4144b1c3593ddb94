export type {
  ChatCompletionToolRunnerParams,
  ChatCompletionToolRunnerParamsWithContext,
  ChatCompletionToolRunnerParamsWithoutContext,
} from "../../runnable.ts";
export { ChatCompletionRunner, type ChatCompletionRunnerEvents } from "../../runner.ts";
