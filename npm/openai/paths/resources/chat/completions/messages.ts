export { type ChatCompletionStoreMessagesPage, Messages } from "../../../../completions.ts";
export type { MessageListParams } from "../../../../types.ts";
