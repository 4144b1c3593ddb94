export { Chat } from "../../../completions.ts";
export type * from "../../../types.ts";
