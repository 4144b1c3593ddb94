import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionMessageParam,
  ChatCompletionToolMessageParam,
} from "../../shapes.ts";

type Given = ChatCompletionMessageParam | null | undefined;

/** Whether the assistant wrote this message. */
export const isAssistantMessage = (message: Given): message is ChatCompletionAssistantMessageParam =>
  message?.role === "assistant";

/** Whether this message is what a tool gave. */
export const isToolMessage = (message: Given): message is ChatCompletionToolMessageParam => message?.role === "tool";

/** Whether there is a value at all. */
export function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
