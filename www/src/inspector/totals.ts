/** The totals of this visit's calls. */
import type { UsageTotals } from "chatwire";
import { create } from "../page/dom.ts";
import { number, usd } from "../page/numbers.ts";

/** Electron's standard plan, as its page has it. */
export const PLAN = { requestsPerMinute: 10, concurrent: 3 };

/** A request that is held back: why, and until when, in milliseconds since 1970. */
export interface Held {
  reason: "cooldown" | "limits";
  until: number;
}

/** Names and values, the four that matter most first. */
export function totalsOf(usages: readonly UsageTotals[], recent: number): [name: string, value: string][] {
  const sum = (part: (usage: UsageTotals) => number) => usages.reduce((total, usage) => total + part(usage), 0);
  const prompt = sum((usage) => usage.prompt_tokens);
  const cached = sum((usage) => usage.prompt_tokens_details.cached_tokens);
  const completion = sum((usage) => usage.completion_tokens);
  const isKnown = usages.every(({ cost }) => cost !== null);
  return [
    ["tokens", number(prompt + completion)],
    ["cached", prompt > 0 ? `${Math.round((100 * cached) / prompt)} %` : "0 %"],
    ["cost", isKnown ? usd(sum((usage) => usage.cost ?? 0)) : "not known"],
    ["plan / min", `${recent} of ${PLAN.requestsPerMinute}`],
    ["requests", number(sum((usage) => usage.requests))],
    ["tokens in", number(prompt)],
    ["tokens out", number(completion)],
    ["saved by the cache", usd(sum((usage) => usage.saved))],
    ["estimated", number(sum((usage) => usage.estimated))],
    ["not counted", number(sum((usage) => usage.uncounted))],
  ];
}

/** Entries of a list of totals. */
export function entries(totals: readonly [string, string][]): HTMLElement[] {
  return totals.map(([name, value]) => {
    const entry = create("div");
    entry.append(create("dt", "", name), create("dd", "", value));
    return entry;
  });
}
