export {
  AbstractChatCompletionRunner,
  type AbstractChatCompletionRunnerEvents,
  type ChatCompletionRunnerContext,
  type RunnerOptions,
} from "../../runner.ts";
