/**
 * The engine for those who bring their own transport: bytes in, events out, no I/O.
 *
 * These work at once, so the engine must be loaded: it loads itself on Node, Bun, Deno and Workers; in a browser,
 * `await init()` first.
 */

import {
  ABORTED,
  CHUNKS,
  CLOSED,
  DEFAULT_MAX_EVENT_BYTES,
  type EngineDecoderOptions,
  EVENT_STREAM,
  EVENTS,
  type EventStreamAnswer,
  FEED,
  FINISH,
  INPUT_BYTES,
  LOST,
  NONE,
  TEXT,
} from "./engine/boundary.ts";
import { BodyDecoder } from "./engine/decoder.ts";
import { asBytes, init, make, output, type Part, place, requireNow } from "./engine/engine.ts";
import type { PushOutput } from "./engine/push-output.ts";
import { shapeOf } from "./engine/shapes.ts";
import { ChatwireError, toError } from "./errors.ts";
import { dispose } from "./symbols.ts";
import type { ChatCompletionChunk, ChatEvent, Outcome, Prices, ReasoningPlace, SentenceOptions } from "./types.ts";

/** How an answer is read. */
export interface DecoderOptions {
  /**
   * `"tolerant"` repairs an answer as far as it can, and lists that in `repairs`; `"strict"` ends in a `ProtocolError`.
   * @default `"tolerant"`
   */
  decoding?: "tolerant" | "strict";
  /**
   * How many choices were asked for: the request's `n`. With 1, the first choice that comes is choice 0, whatever index it has.
   * @range at least 1
   * @default unknown: a first choice of another index is held back for 8 chunks, until it is plain that there is no choice 0
   */
  n?: number;
  /** The provider whose dialect the answer has; only known ones change anything. */
  provider?: string;
  /** ElectronHub: which of its paths answered. */
  endpoint?: string;
  /**
   * Where the model's thinking appears; found out by itself when left out.
   * @default `"detect"`
   */
  reasoning?: ReasoningPlace;
  /**
   * Which JSON comes in `partial` events: left out, answers that are an object or a list, and the arguments of tool calls;
   * `true`, any JSON value; `false`, none.
   * @default objects, lists and arguments
   */
  partial?: boolean;
  /**
   * Cuts the text into sentences, each given out as a `sentence` event once it is complete.
   * @default false
   */
  sentences?: boolean | SentenceOptions;
  /**
   * `false` keeps nothing for the outcome but how it ended and what was used.
   * @default true
   */
  accumulate?: boolean;
  /** USD per 1M tokens, for `cost`. */
  prices?: Prices;
  /**
   * How much of an answer is held at most. An answer that grows past one of them ends in a `ProtocolError`.
   * @default those of its members
   */
  limits?: {
    /**
     * Bytes of one event.
     * @range at least 1
     * @default 16,777,216
     */
    maxEventBytes?: number;
    /**
     * Bytes of the arguments of all tool calls.
     * @range at least 1
     * @default 16,777,216
     */
    maxToolCallBytes?: number;
    /**
     * Bytes of everything that is kept of one answer.
     * @range at least 1
     * @default 67,108,864
     */
    maxStreamBytes?: number;
    /**
     * Choices of one answer.
     * @range at least 1
     * @default 128
     */
    maxChoices?: number;
  };
  /**
   * When the request was sent, on the clock of `performance.now()`; the timing counts from here.
   * @range any
   * @default now
   */
  started?: number;
}

/** The output of a `ChatDecoder` per push, by its kind. */
export interface DecoderOutput {
  /** Normalised events. */
  events: ChatEvent[];
  /** The text of choice 0. */
  text: string;
  /** The server's own chunks. */
  chunks: ChatCompletionChunk[];
  /** Nothing: only the outcome counts. */
  none: undefined;
}

const REASONS = { closed: CLOSED, lost: LOST, aborted: ABORTED } as const;
const KINDS = { none: NONE, text: TEXT, chunks: CHUNKS, events: EVENTS } as const;

/**
 * Reads one streamed answer from bytes, in any pieces.
 * @example
 * ```ts
 * const decoder = new ChatDecoder({ output: "text" });
 * for await (const bytes of body) write(decoder.push(bytes));
 * const outcome = decoder.end("closed");
 * ```
 */
export class ChatDecoder<Output extends keyof DecoderOutput = "events"> {
  readonly #decoder: BodyDecoder;
  readonly #kind: keyof DecoderOutput;
  #isClosed = false;
  #rest: PushOutput = "";

  /**
   * @throws {ChatwireError} the engine is not loaded yet, or an option is not valid
   */
  constructor(options: DecoderOptions & { output?: Output } = {}) {
    requireNow("ChatDecoder");
    const { output: kind = "events", ...rest } = options;
    if (!Object.hasOwn(KINDS, kind)) {
      throw new ChatwireError(`ChatDecoder has no output "${kind}". Use "events", "text", "chunks" or "none".`);
    }
    this.#kind = kind;
    this.#decoder = new BodyDecoder({ started: performance.now(), ...rest } satisfies EngineDecoderOptions);
    this.#decoder.setOutput(KINDS[kind], shapeOf(KINDS[kind]));
  }

  /** The outcome is decided: by `[DONE]`, by an error, or by `end`. Later pushes change nothing. */
  get ended(): boolean {
    return this.#decoder.outcome !== undefined;
  }

  /**
   * The first token has come: text, reasoning, a refusal or a tool call. A server is given another time for that than for the bytes
   * which follow. Also true once the answer has 1 MiB without one.
   */
  get hasToken(): boolean {
    return this.#decoder.hasToken;
  }

  /**
   * How many bytes at the end of the last push are events that repeat the one before them, and perhaps the beginning of one more: each of
   * these events differs from the one before in a piece of text, its id, its time or counts of the usage, and in nothing else. So a
   * gateway that has looked at all events before them may pass these on unread.
   */
  get repeatedBytes(): number {
    return this.#decoder.repeatedBytes;
  }

  /**
   * Takes the next bytes and gives what they complete, by the kind of output. After `[DONE]` it gives nothing.
   * @throws {ChatwireError} after `end` or `free`, or when given something other than bytes
   */
  push(bytes: Uint8Array | ArrayBuffer): DecoderOutput[Output] {
    this.#mustBeOpen();
    const now = performance.now();
    return this.#given(this.#decoder.push(requireBytes(bytes), now, now));
  }

  /**
   * Checks the time while no bytes come: once `quietMs` are over, it gives the sentence that otherwise only the next word could
   * confirm. `deadline` says when that is.
   * @throws {ChatwireError} after `end` or `free`
   */
  tick(): DecoderOutput[Output] {
    this.#mustBeOpen();
    const now = performance.now();
    return this.#given(this.#decoder.tick(now, now));
  }

  /** When to call `tick`, on the clock of `performance.now()`; Infinity while no tick is needed. */
  get deadline(): number {
    return this.#decoder.deadline(performance.now());
  }

  /**
   * Ends it and says how it ended. Called again, it gives the same outcome.
   * @param reason the body was `closed` by the server (default), the connection was `lost`, or you `aborted`
   * @throws {ChatwireError} it was freed before it ended
   */
  end(reason: "closed" | "lost" | "aborted" = "closed"): Outcome {
    const { outcome } = this.#decoder;
    if (this.#isClosed && outcome) return outcome;
    if (this.#isClosed) throw new ChatwireError("This ChatDecoder was freed before it ended: there is no outcome.");
    this.#isClosed = true;
    this.#rest = this.#decoder.end(REASONS[reason] ?? CLOSED, performance.now());
    return this.#decoder.outcome as Outcome;
  }

  /**
   * The items that `end` has completed, by the kind of output: the last sentence of an answer that was cut short, for one.
   * Nothing where the server itself had ended the answer.
   */
  rest(): DecoderOutput[Output] {
    const rest = this.#rest;
    this.#rest = "";
    return this.#given(rest);
  }

  /** Frees the engine's memory without an outcome. Not needed after `end`. */
  free(): void {
    this.#isClosed = true;
    this.#decoder.free();
  }

  [dispose](): void {
    this.free();
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new ChatwireError("This ChatDecoder has ended: use a new one for each answer.");
  }

  #given(pushed: PushOutput): DecoderOutput[Output] {
    if (this.#kind === "none") return undefined as DecoderOutput[Output];
    return (pushed === "" && this.#kind !== "text" ? [] : pushed) as DecoderOutput[Output];
  }
}

/** One server-sent event. */
export interface EventStreamEvent {
  /** The event's type; `message` when the stream did not name one. */
  event: string;
  /** The `data` lines, joined by line feeds. */
  data: string;
  /** The last `id` seen. */
  id: string;
  /** The stream ended inside this event, which the standard would discard. */
  unfinished?: true;
}

/** Where the events of a stream lie. */
export interface EventStreamPositions {
  /**
   * The events that these bytes complete: each from its first line to the end of its blank line, in bytes from the beginning of
   * the stream. Comments and empty lines between two events belong to neither.
   */
  events: { start: number; end: number }[];
  /**
   * Where the last blank line so far ends, in bytes from the beginning of the stream: later bytes change nothing before it.
   * Where a read ends between CR and LF, the LF comes behind.
   */
  whole: number;
}

/** How an event stream is framed. */
export interface EventStreamDecoderOptions {
  /**
   * How many bytes one event may have.
   * @range 1 to 4,294,967,295
   * @default 16,777,216
   */
  maxEventBytes?: number;
}

/**
 * Server-sent events from bytes in any pieces, after WHATWG HTML §9.2.6. Knows nothing of chats.
 * @example
 * ```ts
 * const decoder = new EventStreamDecoder();
 * for await (const bytes of body) for (const { event, data } of decoder.feed(bytes)) handle(event, data);
 * ```
 */
export class EventStreamDecoder {
  #engine: Part | undefined;
  #lastEventId = "";
  #reconnectionTime: number | undefined;
  /** How many bytes the engine has had, and where the last blank line in them ends. */
  #fed = 0;
  #whole = 0;

  /** @throws {ChatwireError} the engine is not loaded yet, or the limit is not a positive number */
  constructor(options: EventStreamDecoderOptions = {}) {
    requireNow("EventStreamDecoder");
    const { maxEventBytes = DEFAULT_MAX_EVENT_BYTES, ...others } = options;
    for (const [name, value] of Object.entries(others)) {
      if (value === undefined) continue;
      throw new ChatwireError(`EventStreamDecoder has no option "${name}": there is maxEventBytes and no other.`);
    }
    if (!(maxEventBytes >= 1 && maxEventBytes < 2 ** 32)) {
      throw new ChatwireError("maxEventBytes must be a number of bytes from 1 to 2^32 - 1.");
    }
    this.#engine = make(EVENT_STREAM, maxEventBytes);
  }

  /** The last `id` of the stream so far. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Milliseconds to wait before connecting again, when the stream has said so. */
  get reconnectionTime(): number | undefined {
    return this.#reconnectionTime;
  }

  /**
   * Takes the next bytes and gives the events they complete.
   * @throws {ProtocolError} an event grew past `maxEventBytes`; the decoder is then spent
   * @throws {ChatwireError} after the end
   */
  feed(bytes: Uint8Array | ArrayBuffer): EventStreamEvent[] {
    const events: EventStreamEvent[] = [];
    this.#feed<EventStreamEvent>(bytes, 0, (found) => {
      for (const event of found) events.push(event);
    });
    return events;
  }

  /**
   * Takes the next bytes, as `feed` does, and gives where the events lie that they complete: for a reader that passes events on as
   * they were sent. Read a stream with one of the two, not with both.
   * @throws {ProtocolError} an event grew past `maxEventBytes`; the decoder is then spent
   * @throws {ChatwireError} after the end
   * @example
   * ```ts
   * const { events, whole } = decoder.locate(bytes);
   * for (const { start, end } of events) pass(stream.subarray(start, end));
   * ```
   */
  locate(bytes: Uint8Array | ArrayBuffer): EventStreamPositions {
    const events: EventStreamPositions["events"] = [];
    this.#feed<[start: number, end: number]>(bytes, 1, (found, whole) => {
      for (const [start, end] of found) {
        // The first line of an event that began in earlier bytes stands behind the blank line before it.
        events.push({ start: start === 0 ? this.#whole : this.#fed + start, end: this.#fed + end });
      }
      if (whole > 0) this.#whole = this.#fed + whole;
    });
    return { events, whole: this.#whole };
  }

  /** Ends the stream. Gives the event it stopped inside, if any, marked `unfinished`. */
  end(): EventStreamEvent[] {
    const { events } = this.#call<EventStreamEvent>((engine) => engine.call(FINISH));
    this.free();
    return events;
  }

  /** Frees the engine's memory. Not needed after `end` or an error. */
  free(): void {
    this.#engine?.free();
    this.#engine = undefined;
  }

  [dispose](): void {
    this.free();
  }

  #feed<Event>(bytes: unknown, locates: number, take: (events: Event[], whole: number) => void): void {
    const chunk = requireBytes(bytes);
    for (let at = 0; at < chunk.length; at += INPUT_BYTES) {
      const slice = chunk.subarray(at, at + INPUT_BYTES);
      const { events, whole = 0 } = this.#call<Event>((engine) => {
        place(slice);
        engine.call(FEED, slice.length, locates);
      });
      take(events, whole);
      this.#fed += slice.length;
    }
  }

  #call<Event>(step: (engine: Part) => void): Pick<EventStreamAnswer<Event>, "events" | "whole"> {
    if (!this.#engine) throw new ChatwireError("This EventStreamDecoder has ended: use a new one for each stream.");
    step(this.#engine);
    const text = output();
    if (text === "") return { events: [] };
    const { events, whole, lastEventId, reconnectionTime, error }: EventStreamAnswer<Event> = JSON.parse(text);
    this.#lastEventId = lastEventId;
    this.#reconnectionTime = reconnectionTime;
    if (error) {
      this.free();
      throw toError(error);
    }
    return { events, ...(whole !== undefined && { whole }) };
  }
}

/**
 * The same as a stream to pipe through. Loads the engine by itself.
 * @example
 * ```ts
 * for await (const { data } of response.body.pipeThrough(new EventStreamDecoderStream())) handle(data);
 * ```
 */
export class EventStreamDecoderStream extends TransformStream<Uint8Array, EventStreamEvent> {
  constructor(options: EventStreamDecoderOptions = {}) {
    let decoder: EventStreamDecoder | undefined;
    const transformer: Transformer<Uint8Array, EventStreamEvent> & { cancel: () => void } = {
      async start() {
        await init();
        decoder = new EventStreamDecoder(options);
      },
      transform(bytes, controller) {
        for (const event of decoder?.feed(bytes) ?? []) controller.enqueue(event);
      },
      flush(controller) {
        for (const event of decoder?.end() ?? []) controller.enqueue(event);
      },
      // Newer than the types; where it is not called, the memory waits for the garbage collector.
      cancel: () => decoder?.free(),
    };
    super(transformer);
  }
}

function requireBytes(value: unknown): Uint8Array {
  const bytes = typeof value === "string" ? undefined : asBytes(value);
  if (!bytes)
    throw new ChatwireError(`A decoder takes bytes (Uint8Array), not ${value === null ? "null" : typeof value}.`);
  return bytes;
}
