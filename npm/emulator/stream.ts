/**
 * A turn written as an event stream: `chat.completion.chunk` events and `data: [DONE]` (openapi 160-162).
 *
 * This file only writes; `body.ts` decides when each event leaves and how its bytes are cut.
 */
import { type Envelope, logprobOf } from "./completion.ts";
import { errorBody, messageFor } from "./errors.ts";
import type { Service, Usage } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { ChatRequest } from "./request.ts";
import type { Trouble } from "./trouble.ts";
import type { Piece, Turn } from "./turn.ts";

/** One event, and how many tokens were generated for it. Hidden reasoning costs tokens and writes nothing. */
export interface StreamEvent {
  /** The lines of the event with their line ends, or bytes that are no text; empty for nothing. */
  frame: string | Uint8Array;
  tokens: number;
}

/** All that an event stream is written from. */
export interface StreamSource {
  turn: Turn;
  envelope: Envelope;
  request: ChatRequest;
  service: Service;
  requestId: string;
  usage: Usage;
  random: Random;
  trouble: Trouble;
}

/** Writes the whole stream, event by event. */
export function* writeStream(source: StreamSource): Generator<StreamEvent> {
  const { turn, request, usage, trouble } = source;
  const writer = new ChunkWriter(source);
  yield* roles(turn, writer);
  const isWhole = yield* pieces(source, writer);
  if (!isWhole) return;
  if (!trouble["no-finish"]) {
    for (const [index, choice] of turn.choices.entries()) yield aside(writer.delta(index, {}, choice.finishReason));
  }
  if (wantsUsage(request)) yield aside(writer.chunk([], usage));
  if (!trouble["no-done"]) yield aside(writer.line("[DONE]"));
}

/** An event that no token was generated for. */
function aside(frame: StreamEvent["frame"]): StreamEvent {
  return { frame, tokens: 0 };
}

function wantsUsage(request: ChatRequest): boolean {
  return request.stream_options?.include_usage === true;
}

/** The text of events. */
class ChunkWriter {
  readonly #source: StreamSource;

  constructor(source: StreamSource) {
    this.#source = source;
  }

  /** An event with this data. */
  line(payload: string): string {
    return `${this.#source.trouble.comments ? ": keep-alive\n\n" : ""}data: ${payload}\n\n`;
  }

  chunk(choices: unknown[], counted: Usage | null = null): string {
    const { envelope, request } = this.#source;
    return this.line(
      JSON.stringify({
        id: envelope.id,
        object: "chat.completion.chunk",
        created: envelope.created,
        model: envelope.model,
        choices,
        ...(wantsUsage(request) ? { usage: counted } : {}),
      }),
    );
  }

  delta(index: number, change: Record<string, unknown>, finish: string | null = null, logprobs?: unknown): string {
    return this.chunk([{ index, delta: change, ...(logprobs ? { logprobs } : {}), finish_reason: finish }]);
  }
}

/** The first chunk of each choice. */
function* roles(turn: Turn, writer: ChunkWriter): Generator<StreamEvent> {
  for (const [index, choice] of turn.choices.entries()) {
    const silent = choice.pieces.length > 0 && !choice.pieces.some((piece) => piece.kind === "content");
    yield aside(writer.delta(index, { role: "assistant", content: silent ? null : "" }));
  }
}

/** The pieces of all choices, in turn; false where an error in the middle ends the stream. */
function* pieces(source: StreamSource, writer: ChunkWriter): Generator<StreamEvent, boolean> {
  const { choices, completionTokens } = source.turn;
  const middle = Math.floor(completionTokens / 2);
  const longest = Math.max(0, ...choices.map((choice) => choice.pieces.length));
  let written = 0;
  for (let at = 0; at < longest; at++) {
    for (const [index, choice] of choices.entries()) {
      const piece = choice.pieces[at];
      if (!piece) continue;
      if (written++ === middle && (yield* faults(source, writer))) return false;
      yield* chunksOf(piece, index, source, writer);
    }
  }
  return true;
}

/** The faults in the middle of a stream; true where one of them ends it. */
function* faults({ trouble, service, requestId }: StreamSource, writer: ChunkWriter): Generator<StreamEvent, boolean> {
  if (trouble.malformed) yield aside(malformed(trouble.malformed, (payload) => writer.line(payload)));
  if (!trouble["in-band-error"]) return false;
  const error = errorBody(service, { status: 502, message: messageFor(502) }, requestId);
  const event = trouble["in-band-error"] === "event" ? "event: error\n" : "";
  yield aside(event + writer.line(JSON.stringify({ error })));
  return true;
}

/** The chunks of one piece, which is one token. */
function* chunksOf(
  piece: Piece,
  index: number,
  { turn, request, random, trouble }: StreamSource,
  writer: ChunkWriter,
): Generator<StreamEvent> {
  const deltas = deltasOf(piece, turn.reasoningField, trouble.surrogates === true);
  const logprobs =
    request.logprobs && piece.kind === "content"
      ? { content: [logprobOf(piece.text, request, random)], refusal: null }
      : undefined;
  if (deltas.length === 0) yield { frame: "", tokens: 1 };
  for (const [part, change] of deltas.entries()) {
    const isFirst = part === 0;
    yield { frame: writer.delta(index, change, null, isFirst ? logprobs : undefined), tokens: isFirst ? 1 : 0 };
  }
}

function deltasOf(piece: Piece, reasoningField: string, splitPairs: boolean): Record<string, unknown>[] {
  switch (piece.kind) {
    case "hidden":
      return [];
    case "reasoning":
      return [{ [reasoningField]: piece.text }];
    case "content":
      return (splitPairs ? halves(piece.text) : [piece.text]).map((content) => ({ content }));
    case "call": {
      const call = {
        index: piece.index,
        id: piece.id,
        type: "function",
        function: { name: piece.name, arguments: "" },
      };
      return [{ tool_calls: [call] }];
    }
    case "arguments":
      return [{ tool_calls: [{ index: piece.index, function: { arguments: piece.text } }] }];
  }
}

/** Cuts inside each surrogate pair; JSON then writes the halves as `\ud83d` and `\ude00`. */
function halves(text: string): string[] {
  return text.split(/(?<=[\ud800-\udbff])(?=[\udc00-\udfff])/);
}

function malformed(kind: NonNullable<Trouble["malformed"]>, line: (payload: string) => string): string | Uint8Array {
  switch (kind) {
    case "json":
      return line('{"id":"chatcmpl-broken","choices":[{"index":0,"delta":{"content":"oo');
    case "text":
      return line("upstream connect error or disconnect before headers");
    case "array":
      return line("[1, 2, 3]");
    case "number":
      return line("42");
    case "null":
      return line("null");
    case "utf8": {
      const bytes = new TextEncoder().encode(line('{"choices":[{"index":0,"delta":{"content":"é"}}]}'));
      return bytes.filter((_, at) => bytes[at - 1] !== 0xc3);
    }
  }
}
