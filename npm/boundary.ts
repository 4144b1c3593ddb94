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
  accumulate?: boolean;
  prices?: { input: number; cachedInput?: number; output: number };
  timeouts?: { firstToken?: number; idle?: number; total?: number };
  limits?: object;
  started?: number;
  attempts?: readonly object[];
  /** Gives the request's body, asked for where nobody has counted its tokens. */
  prompt?: () => string;
  requestId?: string;
  status?: number;
  contentType?: string;
}

/**
 * One body. `push`, `end`, `fail` and `tick` answer n: the output holds `n >= 0 ? n : ~n` bytes,
 * and a negative n says that the outcome is decided.
 */
export interface EngineDecoder {
  setOutput(kind: number): void;
  push(length: number, readStarted: number, now: number): number;
  end(reason: number, now: number): number;
  fail(error: string, now: number): number;
  tick(readStarted: number, now: number): number;
  /** When `tick` is due for a read pending since `readStarted`; Infinity when nothing is timed. */
  deadline(readStarted: number): number;
  outcome(): string;
  /** JSON text of `{ usage, cost }` so far. */
  used(): string;
  completion(): string;
  free(): void;
}

/** Bare event-stream framing. `feed` and `end` answer the bytes of a JSON array in the output. */
export interface EngineEventStream {
  feed(length: number): number;
  end(): number;
  readonly lastEventId: string;
  readonly reconnectionTime: number | undefined;
  free(): void;
}

/** What one call adds to its client's settings. */
export interface EngineCall {
  headers?: Record<string, string | null | undefined> | undefined;
  query?: Record<string, unknown> | undefined;
  timeout?: unknown;
  maxRetries?: number | undefined;
  decoding?: string | undefined;
  accumulate?: boolean | undefined;
  method?: "GET" | "POST";
  stream: boolean;
  now: number;
  /** Who was asked before, when this is a fallback. */
  attempts?: readonly object[] | undefined;
}

/** A response whose headers have arrived, and how to read it. */
export interface Opened {
  response: Response;
  decoder: EngineDecoderOptions;
  requestId: string | null;
  /** Names the call to `EngineConnection.account`. */
  id: number;
}

/** What one client holds: provider, policy, limits, totals. */
export interface EngineConnection {
  open(path: string, body: string | undefined, call: EngineCall, signal: AbortSignal | undefined): Promise<Opened>;
  /** Whether the provider documents `response_format: json_schema`. */
  readonly jsonSchema?: boolean;
  /** JSON text of the totals. */
  usage(): string;
  /** Ends a call: adds what `EngineDecoder.outcome` gave to the totals, nothing when it is empty, and frees its place. */
  account(outcome: string, id: number): void;
  free(): void;
}

/** The generated module, `dist/wasm/chatwire.js`. */
export interface EngineModule {
  default(source: { module_or_path: unknown }): Promise<{ memory: { buffer: ArrayBuffer } }>;
  initSync(source: { module: unknown }): { memory: { buffer: ArrayBuffer } };
  inputPointer(): number;
  outputPointer(): number;
  Decoder: new (options: EngineDecoderOptions) => EngineDecoder;
  EventStream: new (maxEventBytes: number) => EngineEventStream;
  /** `observer` is told what hooks are told, by their names. */
  Connection: new (
    options: object,
    fetch: unknown,
    observer?: (hook: string, json: string) => void,
  ) => EngineConnection;
}
