/**
 * Which answer a conversation gets: by what was asked for, by language, by topic, and by chance among equals.
 *
 * Some requests are taken literally, because tests need to say exactly what should come back:
 * `Echo: any text`, `Count to 20`, `Write 500 words`, `2 + 2`.
 */
import { CORPUS, type Language, REPORTS } from "./corpus.ts";
import type { Random } from "./random.ts";
import { isObject, type Message, textOf } from "./request.ts";

const SCRIPTS: readonly [Language, RegExp][] = [
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ["zh", /\p{Script=Han}/gu],
  ["hi", /\p{Script=Devanagari}/gu],
  ["ta", /\p{Script=Tamil}/gu],
  ["bn", /\p{Script=Bengali}/gu],
  ["ar", /\p{Script=Arabic}/gu],
];

const NAMES: readonly [Language, RegExp][] = [
  ["hi", /\bin hindi\b/i],
  ["ta", /\bin tamil\b/i],
  ["bn", /\bin (bengali|bangla)\b/i],
  ["ar", /\bin arabic\b/i],
  ["zh", /\bin (chinese|mandarin)\b/i],
  ["ja", /\bin japanese\b/i],
];

/** The language to answer in: the one asked for by name ("in Tamil"), else that of the script most letters are in. */
export function languageOf(message: string): Language {
  const named = NAMES.find(([, name]) => name.test(message));
  if (named) return named[0];
  const letters = message.match(/\p{L}/gu)?.length ?? 0;
  const written = SCRIPTS.find(([, script]) => (message.match(script)?.length ?? 0) * 4 > letters);
  return written ? written[0] : "en";
}

const ECHO = /^\s*(?:echo|repeat(?: after me)?)\s*:\s?([\s\S]+)$/i;
const COUNT = /\bcount (?:from 1 )?to (\d{1,5})\b/i;
const WORDS = /\b(\d{1,5})[- ]words?\b/i;
const SUM = /(-?\d+(?:\.\d+)?)\s*([-+*×x/÷])\s*(-?\d+(?:\.\d+)?)/;

/** The text that answers a user's message. */
export function answer(message: string, random: Random): string {
  const echo = ECHO.exec(message);
  if (echo?.[1]) return echo[1];
  const count = COUNT.exec(message);
  if (count) return Array.from({ length: Number(count[1]) }, (_, index) => index + 1).join(", ");
  const words = WORDS.exec(message);
  if (words) return essay(Number(words[1]));
  const sum = SUM.exec(message);
  if (sum) return calculate(Number(sum[1]), sum[2] ?? "+", Number(sum[3]));

  const language = languageOf(message);
  const spoken = CORPUS.filter((each) => each.language === language);
  const apt = spoken.filter((each) => each.about?.test(message));
  const [first, ...rest] = apt.length > 0 ? apt : spoken.filter((each) => !each.about);
  return first ? random.pick([first, ...rest]).text : "";
}

function calculate(a: number, sign: string, b: number): string {
  const value = sign === "+" ? a + b : sign === "-" ? a - b : sign === "/" || sign === "÷" ? a / b : a * b;
  if (!Number.isFinite(value)) return "That has no answer: nothing can be divided by zero.";
  return `${a} ${sign} ${b} = ${Number(value.toPrecision(12))}.`;
}

/** English prose of so many words, the corpus read aloud from the beginning as often as it takes. */
function essay(length: number): string {
  const prose = CORPUS.filter(
    (each) => each.language === "en" && !each.text.includes("```") && !each.text.includes("|"),
  );
  const words = prose.flatMap((each) => each.text.split(/\s+/));
  return Array.from({ length }, (_, index) => words[index % words.length]).join(" ");
}

/** The tool results that stand at the end of a history, with the names of the functions that gave them. */
export function trailingResults(messages: readonly Message[]): { name: string; result: string }[] {
  let from = messages.length;
  while (messages[from - 1]?.role === "tool") from--;
  const calls = messages.flatMap(({ tool_calls }) => (Array.isArray(tool_calls) ? tool_calls : []));
  return messages.slice(from).map((message) => ({
    name: calls.find((call) => call?.id === message.tool_call_id)?.function?.name ?? "the tool",
    result: textOf(message),
  }));
}

/** The answer that tells the user what the tools said. */
export function report(results: readonly { name: string; result: string }[], language: Language): string {
  const lines = results.map(({ name, result }) => `${name}: ${readable(result)}`);
  if (lines.length === 1) return `${REPORTS[language]} ${lines[0]}`;
  return `${REPORTS[language]}\n\n${lines.map((line) => `- ${line}`).join("\n")}`;
}

function readable(result: string): string {
  let value: unknown;
  try {
    value = JSON.parse(result);
  } catch {
    return result;
  }
  if (!isObject(value)) return typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(value)
    .map(([name, each]) => `${name} ${typeof each === "string" ? each : JSON.stringify(each)}`)
    .join(", ");
}
