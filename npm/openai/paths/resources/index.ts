export { Chat, Completions, Models, type ModelsPage } from "../../completions.ts";
export type * from "../../types.ts";
