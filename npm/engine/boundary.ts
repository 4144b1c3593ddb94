/**
 * The shape of the WebAssembly module: everything the engine exports, and nothing else.
 *
 * Types, and the numbers of what can be asked. All times are milliseconds on the clock of `performance.now()`, all sizes are bytes,
 * all text that crosses is UTF-8. An error of the engine is an `ErrorDescriptor` (errors.ts).
 *
 * Not part of the public API: the types users see are in types.ts.
 */

// Constants of the engine by their names there; `tests/npm/boundary.test.ts` holds both sides alike.

/** Size of the input buffer in wasm memory. A larger read is pushed in slices. */
export const INPUT_BYTES = 65_536;
/** The most bytes that one event may have, unless the caller says otherwise. */
export const DEFAULT_MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** The longest time that a host's timer takes, in milliseconds: a longer one would fire at once. */
export const LONGEST_MS = 2_147_483_647;
/** The default of `timeout.idle`, in milliseconds. */
export const IDLE_MS = 120_000;
/** The default of `maxRetries`. */
export const DEFAULT_RETRIES = 2;

/** The kinds of output that a push leaves: nothing, UTF-8 text, or a JSON array of chunks (in parts: chunk-parts.ts) or events. */
export const NONE = 0;
export const TEXT = 1;
export const CHUNKS = 2;
export const EVENTS = 3;
export type OutputKind = typeof NONE | typeof TEXT | typeof CHUNKS | typeof EVENTS;

/** The ways in which a body ends. */
export const CLOSED = 0;
export const LOST = 1;
export const ABORTED = 2;
export type EndReason = typeof CLOSED | typeof LOST | typeof ABORTED;

/** The engine's options for reading one body. */
export interface EngineDecoderOptions {
  /** The body is one JSON completion (`stream: false`). */
  document?: boolean;
  /** How many choices were asked for. */
  n?: number;
  provider?: string;
  endpoint?: string;
  reasoning?: string;
  /** The turn to send back has the reasoning. Default true. */
  returnsReasoning?: boolean;
  decoding?: string;
  partial?: boolean;
  sentences?: boolean | object;
  accumulate?: boolean;
  prices?: { input: number; cachedInput?: number; output: number } | undefined;
  timeouts?: { firstToken?: number; idle?: number; keepAlive?: number; total?: number };
  limits?: object;
  started?: number;
  attempts?: readonly object[];
  /** The request's body, or gives it: read where the server has not counted its tokens. */
  prompt?: string | (() => string);
  /** How many tokens the prompt has, where it is known and `prompt` is not. */
  promptTokens?: number;
  /** Where the request went, if it was redirected. */
  redirection?: string;
  requestId?: string;
}

/** The kinds of part that `make` makes: the numbers are those of `src/bindings/operations.rs`. */
export const CONNECTION = 0;
export const DECODER = 1;
/** Bare event-stream framing, made by the most bytes an event may have. */
export const EVENT_STREAM = 2;

// The operations of the engine's parts, with the arguments of `call` that each takes.

/**
 * Of a decoder. Each of the first three puts out text or a list, leaves the deadlines in the report, and says whether the outcome is
 * decided.
 */
export const PUSH = 0; // length, readStarted, now
export const END = 1; // length of what the host says of it, reason, now
export const TICK = 2; // 0, readStarted, now
/** Chooses what a push puts out, and leaves the deadlines in the report. */
export const SET_OUTPUT = 3; // kind
/** Says whether the prompt's tokens are still uncounted. Then `OUTCOME` estimates them, if it gets the request's body. */
export const LACKS_USAGE = 4;
/**
 * Puts out the outcome; before the end, its `usage` and `cost` so far. A long one comes in parts: says whether there is more, and
 * puts out the next part when it is asked for the rest.
 */
export const OUTCOME = 5; // length of the request's body, or 0; 1 for the rest; when the stream ended, or 0 where the engine knows
/** Puts out the completion. */
export const COMPLETION = 6;

/** Of an event stream: both put out an `EventStreamAnswer`; `FEED` puts out nothing where nothing is new. */
export const FEED = 7; // length, 1 for where events lie in place of what they say
export const FINISH = 8;

/** Of an opening: takes an `ActionResult` and puts out an `Action`. */
export const STEP = 9; // length, now, milliseconds since 1970, a random number in 0..1

/** Of a connection. Ends a call: adds its outcome's `usage`, if there is any, to the totals, and frees its slot. */
export const ACCOUNT = 10; // length, id, after how many milliseconds the first token came, 0 where that is not to be remembered
/** Puts out the `UsageTotals` of all calls. */
export const USAGE = 11;
/** Puts out the `ProviderFacts` of its provider. */
export const PROVIDER = 12;

/** The facts about a provider, and what its calls have shown of it. */
export interface ProviderFacts {
  baseURL: string;
  /** The provider documents `response_format: json_schema`. */
  jsonSchema: boolean;
  /** The provider takes `stream_options: { include_usage: true }`. */
  streamUsage: boolean;
  /** After how many milliseconds of silence a second request is worth its cost; null while that is not known. */
  hedgeAfter: number | null;
}

/** Why nothing was made: an error to throw, or an environment variable whose value the engine wants as the option `env`. */
export type Refusal = { error: object; variable?: never } | { variable: string; error?: never };

export interface EventStreamAnswer<Event> {
  events: Event[];
  /** Where the last blank line ends in the input, if there is one. */
  whole?: number;
  lastEventId: string;
  reconnectionTime?: number;
  /** The error after which the decoder takes no more bytes. */
  error?: object;
}

/** The settings that one call adds to those of its client. */
export interface EngineCall {
  path: string;
  headers?: unknown;
  query?: unknown;
  timeout?: unknown;
  maxRetries?: number | undefined;
  decoding?: string | undefined;
  accumulate?: boolean | undefined;
  sentences?: boolean | object | undefined;
  /** The names of the caller's options, and of the members of those to continue with: the engine refuses unknown ones. */
  names?: readonly string[] | undefined;
  continueWith?: readonly string[] | undefined;
  stream: boolean;
  now: number;
  /** The attempts made before, when this is a fallback. */
  attempts?: readonly object[] | undefined;
  /** The prices of the requested model, where they are known and not in the client's settings. */
  prices?: object | undefined;
}

/** The next step to open a response: one of these, and `[hook, value]` for each hook to tell. */
export interface Action {
  told?: [string, object][];
  /** Ask for the key, for so many milliseconds at the most; null for no limit. */
  key?: number | null;
  /** Wait so many milliseconds. */
  wait?: number;
  send?: {
    url: string;
    query: [string, string][];
    /** Headers to be set in this order; a header with null is deleted. */
    headers: [string, string | null][];
    /** The text in place of the body's first character. */
    start: string | null;
    /** Milliseconds to wait for the response headers; null for no limit. */
    timeout: number | null;
  };
  /** Read the body of a refusal for so many milliseconds at the most. */
  read?: number;
  /**
   * A good response. `id` names it to `ACCOUNT`. With `holds`, the request may be retried if this answer breaks before anything
   * of it was handed out; the opening goes on with `broken`.
   */
  open?: { id: number; holds: boolean; decoder: EngineDecoderOptions };
  fail?: object;
}

/** How a good response ended, badly and before anything of it was handed out: its error, and all the server said as JSON. */
export interface Broken {
  name: string;
  message: string;
  code?: string | null | undefined;
  type?: string | undefined;
  status?: number | undefined;
  body: string;
}

/** The result of an action; nothing for a wait. */
export type ActionResult =
  | { key: unknown }
  | { status: number; requestId: string | null; headers: [string, string][]; redirected: string | null }
  | { broken: Broken }
  | { body: string }
  | { failed: string }
  | { timedOut: true }
  | { aborted: true }
  | Record<string, never>;

/** The exports of an instance. A part of the engine is a number there; 0 is none. A call throws only where the module traps. */
export interface EngineExports {
  memory: { buffer: ArrayBuffer };
  /** Where the host puts so many bytes for the next call. */
  inputPointer(length: number): number;
  /**
   * Where the report of the last call lies: five 32-bit numbers, where its output lies, how many bytes that is, what the call says,
   * 1 for yes and 0 for no, the same for whether a decoder has seen the first token (2 where its last push brought one, and not the
   * end), and how many bytes at the end of its last push repeat the event before; from byte 24 on two 64-bit ones, for how long a
   * decoder's next read may be pending before a tick is due, and at what time one is due anyway.
   */
  reportPointer(): number;
  /** Makes a part; where it makes none, it puts out a `Refusal`. */
  make(kind: number, length: number): number;
  /**
   * Makes a part of another one; 0 where that has none to give. Of a connection: begins to open a response, by the JSON of an
   * `EngineCall` and of the request's body. Of an opening: the decoder of its response, once.
   */
  open(part: number, length: number): number;
  /** Does one of the operations above. The result is in the report. */
  call(part: number, operation: number, length: number, a: number, b: number, c: number): void;
  /** Frees a part. */
  free(part: number): void;
  /** How many UTF-16 units of the text in the input were heard whole, when so many were spoken. */
  heard(length: number, units: number): number;
}
