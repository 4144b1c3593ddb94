export { Chat, Completions } from "../../../completions.ts";
export type * from "../../../types.ts";
