/** The row of facts below an answer: how it ended, what was put right, what it took and cost. */
import { create } from "../page/dom.ts";
import { number, usd } from "../page/numbers.ts";
import type { Result } from "./conversation.ts";

/** One fact; `tone` colours it. */
export interface Fact {
  text: string;
  tone: "good" | "repaired" | "bad" | "plain";
  title?: string;
}

const milliseconds = (ms: number): string => `${number(Math.round(ms))} ms`;
const plural = (count: number, noun: string): string => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** The facts of an answer, which may have taken several requests when tools were called. */
export function factsOf(results: readonly Result[]): Fact[] {
  const [first, last] = [results[0], results.at(-1)];
  if (!first || !last) return [];
  const facts: Fact[] = [ending(last)];
  const repairs = results.flatMap((result) => result.repairs);
  if (repairs.length > 0) {
    const count = repairs.reduce((sum, repair) => sum + repair.count, 0);
    facts.push({ text: plural(count, "repair"), tone: "repaired", title: repairs.map(({ code }) => code).join(", ") });
  }
  const resumed = results.reduce((sum, result) => sum + result.resumed, 0);
  if (resumed > 0) facts.push({ text: plural(resumed, "resume"), tone: "repaired" });
  const tries = results.reduce((sum, { attempts }) => sum + Math.max(0, attempts.length - 1), 0);
  if (tries > 0) facts.push({ text: `${plural(tries, "retry").replace("retrys", "retries")}`, tone: "repaired" });
  const { firstToken, firstSentence } = first.timing;
  if (firstToken !== null) facts.push({ text: `first token ${milliseconds(firstToken)}`, tone: "plain" });
  if (firstSentence !== null) facts.push({ text: `first sentence ${milliseconds(firstSentence)}`, tone: "plain" });
  const speed = last.timing.tokensPerSecond;
  if (speed) facts.push({ text: `${number(Math.round(speed))} tokens/s`, tone: "plain" });
  return [...facts, ...bill(results)];
}

const ORDINARY = ["stop", "tool_calls", "function_call"];

function ending({ status, finishReason }: Result): Fact {
  if (status === "aborted") return { text: "stopped", tone: "plain" };
  if (status !== "complete") return { text: status, tone: "bad" };
  if (finishReason === "length") return { text: "complete, cut at the token limit", tone: "repaired" };
  if (finishReason === "content_filter") return { text: "cut by the content filter", tone: "bad" };
  if (finishReason && !ORDINARY.includes(finishReason)) return { text: `ended: ${finishReason}`, tone: "repaired" };
  return { text: "complete", tone: "good" };
}

function bill(results: readonly Result[]): Fact[] {
  const used = results.flatMap(({ usage }) => usage ?? []);
  if (used.length === 0) return [];
  const sum = (count: (usage: (typeof used)[number]) => number | undefined) =>
    used.reduce((total, usage) => total + (count(usage) ?? 0), 0);
  const prompt = sum((usage) => usage.prompt_tokens);
  const cached = sum((usage) => usage.prompt_tokens_details?.cached_tokens);
  const isEstimate = used.some(({ estimated }) => estimated);
  const mark = isEstimate ? "≈ " : "";
  const title = isEstimate ? "An estimate: the server had not said yet." : "As the server counts.";
  const facts: Fact[] = [
    {
      text: `${mark}${number(prompt)} in${cached ? ` (${number(cached)} cached)` : ""}`,
      tone: "plain",
      title,
    },
    { text: `${mark}${number(sum((usage) => usage.completion_tokens))} out`, tone: "plain", title },
  ];
  const costs = results.flatMap(({ cost }) => cost ?? []);
  if (costs.length === results.length) {
    facts.push({ text: `${mark}${usd(costs.reduce((total, cost) => total + cost, 0))}`, tone: "plain", title });
  }
  return facts;
}

/** The facts as elements. */
export function factItems(facts: readonly Fact[]): HTMLLIElement[] {
  return facts.map(({ text, tone, title }) => {
    const item = create("li", `fact ${tone}`, text);
    if (title) item.title = title;
    return item;
  });
}
