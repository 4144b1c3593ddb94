/** Streams to send through a gateway: this repository's own, and the recorded ones where they are. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { asText, DONE, encode, event, says, usageEvent } from "./setting.ts";

const recorded = new URL("../../../shared/wire/recorded/", import.meta.url);
export const hasRecordings = existsSync(recorded);

/** Each with its name. */
export function streams(): [name: string, bytes: Uint8Array][] {
  const own: [string, string][] = [
    ["lf", says("नमस्ते ") + says("👋🏽", "stop") + usageEvent + DONE],
    ["cr lf", (says("a") + says("b", "stop") + usageEvent + DONE).replaceAll("\n", "\r\n")],
    ["cr", (says("a") + says("b", "stop") + usageEvent + DONE).replaceAll("\n", "\r")],
    ["comments", `\ufeff: hi\n\n${says("a")}: still here\n\n${says("b", "stop")}: there\n\n${usageEvent}${DONE}`],
    ["no end", says("a") + says("b", "stop") + usageEvent.trimEnd()],
    ["nothing after done", says("a", "stop") + usageEvent + DONE.trimEnd()],
    ["finish reason in words", says('"finish_reason":"stop"') + says("b", "stop") + usageEvent + DONE],
    ["two choices", says("a", null, 1) + says("b", "stop") + says("c", "stop", 1) + usageEvent + DONE],
    [
      "one more field after the reason",
      `${says("a")}${event({ choices: [{ delta: {}, finish_reason: "stop", stop_reason: null }] })}${usageEvent}${DONE}`,
    ],
  ];
  const found = hasRecordings ? readdirSync(recorded).filter((name) => name.endsWith(".sse")) : [];
  return [
    ...own.map(([name, text]): [string, Uint8Array] => [name, encode(text)]),
    ...found.map((name): [string, Uint8Array] => [name, readFileSync(new URL(name, recorded))]),
  ];
}

/** The blocks of a stream with their ends, as blank lines divide them. */
const blocks = (text: string) => text.match(/[\s\S]*?(?:\r\n\r\n|\n\n|\r\r)|[\s\S]+$/g) ?? [];
const isUsageOnly = (block: string) => /"choices":\s*\[\]/.test(block) && /"usage":\s*\{/.test(block);

/** The same without the event that has nothing but usage. */
export function withoutUsage(bytes: Uint8Array): { text: string; taken: number } {
  const all = blocks(asText(bytes));
  const kept = all.filter(
    (block, at) => !(isUsageOnly(block) && all.slice(0, at).some((before) => /"finish_reason":\s*"/.test(before))),
  );
  return { text: kept.join(""), taken: all.length - kept.length };
}
