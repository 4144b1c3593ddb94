/**
 * One turn of the emulated model: the prompt as tokens, and the answer as pieces of one token.
 *
 * A turn knows nothing of JSON or streams; `completion.ts` and `stream.ts` write the same pieces down, so both forms
 * of an answer agree.
 */
import { answer, languageOf, report, trailingResults } from "./answers.ts";
import type { Service } from "./ledger.ts";
import { createRandom, type Random } from "./random.ts";
import { type Placement, placementFor, reasoningFor } from "./reasoning.ts";
import { type ChatRequest, lastUserText, textOf } from "./request.ts";
import { structuredAnswer } from "./structured.ts";
import { tokenize } from "./tokens.ts";
import { callsFor, fillerFor, type ToolCall } from "./tools.ts";

/** One token of an answer. `hidden` reasoning is thought and billed, but not sent. */
export type Piece =
  | { kind: "reasoning" | "hidden" | "content"; text: string }
  | { kind: "call"; index: number; id: string; name: string }
  | { kind: "arguments"; index: number; text: string };

/** One alternative answer. */
export interface Choice {
  pieces: Piece[];
  /** `stop`, `length`, `tool_calls`, or what a trouble put there. */
  finishReason: string;
  /** How many of the pieces are reasoning, sent or not. */
  reasoningTokens: number;
}

/** The answer of the model to one request. */
export interface Turn {
  choices: Choice[];
  /** The field that reasoning pieces are written to. */
  reasoningField: "reasoning" | "reasoning_content";
  completionTokens: number;
  reasoningTokens: number;
}

/**
 * The prompt as the model would read it: tools, then each message with a token before and after, then the token that
 * asks for the answer. Its length is `prompt_tokens`, and its beginning is what a prefix cache can reuse.
 */
export function promptTokens(request: ChatRequest): string[] {
  const tokens = ["<start>"];
  const tools = request.tools ?? [];
  if (tools.length > 0) tokens.push("<tools>", ...tokenize(JSON.stringify(tools)));
  for (const message of request.messages) {
    tokens.push(`<${message.role}>`);
    for (const token of tokenize(textOf(message))) tokens.push(token);
    if (message.tool_calls) for (const token of tokenize(JSON.stringify(message.tool_calls))) tokens.push(token);
    tokens.push("<end>");
  }
  tokens.push("<assistant>");
  return tokens;
}

/** The most tokens the request wants in return, under either of OpenAI's names for it. */
export function answerLimit({ max_completion_tokens, max_tokens }: ChatRequest): number | undefined {
  return [max_completion_tokens, max_tokens].find((each) => typeof each === "number");
}

/** Settings of a turn that do not come from the request. */
export interface TurnSettings {
  service: Service;
  path: string;
  /** Most tokens the context has left for the answer. */
  room: number;
  random: Random;
  interleave: boolean;
}

/** Thinks up the whole turn. */
export function takeTurn(request: ChatRequest, settings: TurnSettings): Turn {
  // A seed in the request makes its text repeatable whatever came before it ("Best-effort determinism", openapi 423).
  const random = typeof request.seed === "number" ? createRandom(request.seed) : settings.random;
  const placement: Placement = settings.service === "electron" ? "hidden" : placementFor(settings.path, request);
  const reasoning = settings.service === "electron" ? "" : reasoningFor(request);
  const limit = Math.max(0, Math.min(answerLimit(request) ?? settings.room, settings.room));
  const count = typeof request.n === "number" ? Math.min(Math.max(Math.floor(request.n), 1), 16) : 1;

  const choices = Array.from({ length: count }, () =>
    choose(request, random, placement, reasoning, limit, settings.interleave),
  );
  const sum = (value: (choice: Choice) => number): number => choices.reduce((total, each) => total + value(each), 0);
  return {
    choices,
    reasoningField: placement === "reasoning_content" ? "reasoning_content" : "reasoning",
    completionTokens: sum((choice) => choice.pieces.length),
    reasoningTokens: sum((choice) => choice.reasoningTokens),
  };
}

function choose(
  request: ChatRequest,
  random: Random,
  placement: Placement,
  reasoning: string,
  limit: number,
  interleave: boolean,
): Choice {
  const calls = callsFor(request, random);
  const content = stopAt(calls.length > 0 ? (fillerFor(request, random) ?? "") : speak(request, random), request.stop);

  const pieces: Piece[] = [];
  const say = (kind: "reasoning" | "hidden" | "content", text: string): void => {
    for (const token of tokenize(text)) pieces.push({ kind, text: token });
  };
  // hub 163: the tags stand in content, with nothing between them and the answer
  if (placement === "tags" && reasoning) say("content", `<think>${reasoning}</think>`);
  else say(placement === "hidden" ? "hidden" : "reasoning", reasoning);
  const thought = pieces.length;
  say("content", content);
  pieces.push(...(interleave ? interleaved(calls) : calls.flatMap(callPieces)));

  // hub 122: reasoning counts against max_tokens
  const cut = pieces.length > limit;
  return {
    pieces: cut ? pieces.slice(0, limit) : pieces,
    finishReason: cut ? "length" : calls.length > 0 ? "tool_calls" : "stop",
    reasoningTokens: Math.min(thought, limit),
  };
}

function speak(request: ChatRequest, random: Random): string {
  const results = trailingResults(request.messages);
  const message = lastUserText(request.messages);
  const prose = results.length > 0 ? report(results, languageOf(message)) : answer(message, random);
  return structuredAnswer(request, prose) ?? prose;
}

function stopAt(text: string, stop: string | string[] | undefined): string {
  if (stop === undefined) return text;
  const places = [stop].flat().filter((each) => typeof each === "string" && each !== "");
  const found = places.map((each) => text.indexOf(each)).filter((at) => at >= 0);
  return found.length > 0 ? text.slice(0, Math.min(...found)) : text;
}

function callPieces(call: ToolCall, index: number): Piece[] {
  const start: Piece = { kind: "call", index, id: call.id, name: call.name };
  return [start, ...tokenize(call.arguments).map((text): Piece => ({ kind: "arguments", index, text }))];
}

function interleaved(calls: readonly ToolCall[]): Piece[] {
  const queues = calls.map(callPieces);
  const longest = Math.max(0, ...queues.map((queue) => queue.length));
  return Array.from({ length: longest }, (_, turn) => queues.flatMap((queue) => queue[turn] ?? [])).flat();
}
