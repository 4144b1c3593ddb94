export type { CompletionUsage } from "../../types.ts";
