/**
 * The shape of the WebAssembly module: everything the engine exports, and nothing else.
 *
 * Types only. All times are milliseconds on the clock of `performance.now()`, all sizes are bytes,
 * all text that crosses is UTF-8. What the engine throws or rejects with is an `ErrorDescriptor` (errors.ts).
 *
 * Not part of the public API: the types users see are in types.ts.
 */

/** Size of the input buffer in wasm memory. A larger read is pushed in slices. */
export const INPUT_BYTES = 65_536;

/** What a push leaves in the output: nothing, UTF-8 text, or a JSON array of chunks (in parts: chunk-parts.ts) or events. */
export const NONE = 0;
export const TEXT = 1;
export const CHUNKS = 2;
export const EVENTS = 3;
export type OutputKind = typeof NONE | typeof TEXT | typeof CHUNKS | typeof EVENTS;

/** Why a body stopped. */
export const CLOSED = 0;
export const LOST = 1;
export const ABORTED = 2;
export type EndReason = typeof CLOSED | typeof LOST | typeof ABORTED;

/** What the engine needs to know to read one body. `Connection.open` answers with it ready to use. */
export interface EngineDecoderOptions {
  output?: "none" | "text" | "chunks" | "events";
  /** The body is one JSON completion (`stream: false`). */
  document?: boolean;
  provider?: string;
  endpoint?: string;
  reasoning?: string;
  decoding?: string;
  partial?: boolean;
  sentences?: boolean | object;
  accumulate?: boolean;
  prices?: { input: number; cachedInput?: number; output: number };
  timeouts?: { firstToken?: number; idle?: number; total?: number };
  limits?: object;
  started?: number;
  attempts?: readonly object[];
  /** Gives the request's body, asked for where nobody has counted its tokens. */
  prompt?: () => string;
  /** How many tokens the prompt has, where it is known and `prompt` is not. */
  promptTokens?: number;
  requestId?: string;
  status?: number;
  contentType?: string;
}

/**
 * One body. `push`, `end` and `tick` answer n: the output holds `n >= 0 ? n : ~n` bytes, and a negative n says that the
 * outcome is decided.
 */
export interface EngineDecoder {
  setOutput(kind: number): void;
  push(length: number, readStarted: number, now: number): number;
  /** What the host says of it is in the input. */
  end(reason: number, length: number, now: number): number;
  tick(readStarted: number, now: number): number;
  /** When `tick` is due for a read pending since `readStarted`; Infinity when nothing is timed. */
  deadline(readStarted: number): number;
  /**
   * Puts out the outcome; before the end, its `usage` and `cost` so far. With -1 for a length it answers 0 where it needs the
   * request's body first.
   */
  outcome(length: number): number;
  completion(): number;
  free(): void;
}

/** Bare event-stream framing. `feed` and `end` put out an `EventStreamAnswer`. */
export interface EngineEventStream {
  feed(length: number): number;
  end(): number;
  free(): void;
}

export interface EventStreamAnswer<Event> {
  events: Event[];
  lastEventId: string;
  reconnectionTime?: number;
  /** The decoder is spent. */
  error?: object;
}

/** What one call adds to its client's settings. */
export interface EngineCall {
  path: string;
  headers?: unknown;
  query?: unknown;
  timeout?: unknown;
  maxRetries?: number | undefined;
  decoding?: string | undefined;
  accumulate?: boolean | undefined;
  sentences?: boolean | object | undefined;
  stream: boolean;
  now: number;
  /** Who was asked before, when this is a fallback. */
  attempts?: readonly object[] | undefined;
}

/** What to do next to open a response: one of these, and `[hook, what]` to tell. */
export interface Action {
  told?: [string, object][];
  /** Ask for the key. */
  key?: true;
  /** Wait so many milliseconds. */
  wait?: number;
  send?: {
    url: string;
    query: [string, string][];
    method: string;
    /** To be set in this order, or deleted. */
    headers: [string, string | null][];
    /** In place of the body's first character. */
    start: string | null;
    /** For the response headers. */
    timeout: number | null;
  };
  /** Read the body of a refusal for so many milliseconds at the most. */
  read?: number;
  /** It is a good response. `id` names it to `EngineConnection.account`. */
  open?: { id: number; decoder: EngineDecoderOptions };
  fail?: object;
}

/** What came of an action; nothing of a wait. */
export type ActionResult =
  | { key: unknown }
  | { status: number; requestId: string | null; headers: [string, string][] }
  | { body: string }
  | { failed: string }
  | { timedOut: true }
  | { aborted: true }
  | Record<string, never>;

/** One response on its way. */
export interface EngineOpening {
  /** Takes an `ActionResult` and puts out an `Action`. `wall` is the time since 1970, `random` a number in 0..1. */
  step(length: number, now: number, wall: number, random: number): number;
  free(): void;
}

/** What one client holds: provider, policy, limits, totals. */
export interface EngineConnection {
  /** Begins to open a response, by the JSON of an `EngineCall` and of the request's body. */
  open(length: number): EngineOpening;
  /** Whether the provider documents `response_format: json_schema`. */
  readonly jsonSchema: boolean;
  /** The totals, `cached_tokens` among them. */
  usage(): Record<string, number | null>;
  /** Ends a call: adds its outcome's `usage`, if there is any, to the totals, and frees its place. */
  account(length: number, id: number): void;
  free(): void;
}

/** The generated module, `dist/wasm/chatwire.js`. Where `make` makes nothing, it puts out why. */
export interface EngineModule {
  default(source: { module_or_path: unknown }): Promise<{ memory: { buffer: ArrayBuffer } }>;
  initSync(source: { module: unknown }): { memory: { buffer: ArrayBuffer } };
  inputPointer(length: number): number;
  /** How many UTF-16 units of the text in the input were heard whole, when so many were spoken. */
  heard(length: number, units: number): number;
  outputPointer(): number;
  outputLength(): number;
  Decoder: { make(length: number): EngineDecoder | undefined; prototype: EngineDecoder };
  EventStream: { new (maxEventBytes: number): EngineEventStream; prototype: EngineEventStream };
  Connection: { make(length: number): EngineConnection | undefined };
}
