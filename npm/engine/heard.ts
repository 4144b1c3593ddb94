/**
 * Barge-in: what an answer's listener has heard of it, as the turn to go on from.
 */

import type { ChatCompletionAssistantMessageParam, Outcome } from "../types.ts";
import { heardOf } from "./engine.ts";

/**
 * Cuts `outcome.message` after the last word that was heard whole. Tool calls come after the text and are not spoken.
 * @param heard UTF-16 units of the text; below 0 or not a number stands for nothing
 */
export function cutToHeard(outcome: Outcome, heard: number): void {
  const { message, text } = outcome;
  if (!message) return;
  const said = text.slice(0, heardOf(text, heard || 0));
  const { tool_calls: _, content, ...rest } = message;
  // Some servers want what the model thought before it, in tags.
  const before =
    typeof content === "string" && content.endsWith(text) ? content.slice(0, -text.length || undefined) : "";
  outcome.message = { ...rest, content: before + said } as ChatCompletionAssistantMessageParam;
}
