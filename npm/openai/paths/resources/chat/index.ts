export { Chat, type ChatCompletionStoreMessagesPage, Completions } from "../../../completions.ts";
export type * from "../../../types.ts";
