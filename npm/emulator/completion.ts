/**
 * A turn written as JSON: the `chat.completion` object (openapi 497-514), and the parts a stream shares with it.
 */
import type { Usage } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { ChatRequest } from "./request.ts";
import { tokenize } from "./tokens.ts";
import type { Choice, Piece, Turn } from "./turn.ts";

/** The members that completion and chunks of one answer have in common. */
export interface Envelope {
  id: string;
  created: number;
  model: string;
}

/** One token with its probability, as `logprobs.content` lists them. */
export interface TokenLogprob {
  token: string;
  logprob: number;
  bytes: number[];
  top_logprobs: { token: string; logprob: number; bytes: number[] }[];
}

/** Log probabilities made up from the seed: the chosen token first, the others less likely. */
export function logprobOf(token: string, request: ChatRequest, random: Random): TokenLogprob {
  const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];
  const round = (value: number): number => Number(value.toFixed(6));
  const logprob = round(-random.next() * 0.5);
  const top = Array.from({ length: Math.min(request.top_logprobs ?? 0, 20) }, (_, rank) => {
    const other = rank === 0 ? token : `${token.startsWith(" ") ? " " : ""}${random.id(3).toLowerCase()}`;
    return { token: other, logprob: round(logprob - rank * 1.25), bytes: bytes(other) };
  });
  return { token, logprob, bytes: bytes(token), top_logprobs: top };
}

/** The `chat.completion` object. */
export function completionOf(
  turn: Turn,
  envelope: Envelope,
  request: ChatRequest,
  usage: Usage,
  random: Random,
): Record<string, unknown> {
  return {
    id: envelope.id,
    object: "chat.completion",
    created: envelope.created,
    model: envelope.model,
    choices: turn.choices.map((choice, index) => ({
      index,
      message: messageOf(choice, turn.reasoningField),
      ...(request.logprobs ? { logprobs: logprobsOf(choice, request, random) } : {}),
      finish_reason: choice.finishReason,
    })),
    usage,
  };
}

function messageOf(choice: Choice, reasoningField: string): Record<string, unknown> {
  const reasoning = textsOf(choice.pieces, "reasoning");
  const content = textsOf(choice.pieces, "content");
  const calls = choice.pieces.flatMap((piece) => (piece.kind === "call" ? [piece] : []));
  return {
    role: "assistant",
    content: content === "" && calls.length > 0 ? null : content,
    ...(reasoning === "" ? {} : { [reasoningField]: reasoning }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, index }) => ({
            id,
            type: "function",
            function: { name, arguments: textsOf(choice.pieces, "arguments", index) },
          })),
        }),
  };
}

function textsOf(pieces: readonly Piece[], kind: "reasoning" | "content" | "arguments", index?: number): string {
  let text = "";
  for (const piece of pieces) {
    if (piece.kind !== kind) continue;
    if (piece.kind === "arguments" && piece.index !== index) continue;
    text += piece.text;
  }
  return text;
}

function logprobsOf(choice: Choice, request: ChatRequest, random: Random): Record<string, unknown> {
  const tokens = tokenize(textsOf(choice.pieces, "content"));
  return { content: tokens.map((token) => logprobOf(token, request, random)), refusal: null };
}
