export { Chat, type ChatCompletionStoreMessagesPage, Models, type ModelsPage } from "../../completions.ts";
export type * from "../../types.ts";
