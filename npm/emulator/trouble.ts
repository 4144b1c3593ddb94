/**
 * Trouble on request: what a caller writes to see a bad day, and its reading.
 *
 * This file says which trouble a request has; `broken.ts`, `stream.ts` and `body.ts` make it.
 */
import type { Call } from "./call.ts";
import type { Refusal } from "./errors.ts";
import { isObject } from "./request.ts";

/**
 * The trouble of one request. Every member may be left out; `{}` is a good day.
 *
 * Trouble is asked for in three places, the first that is there counts: the request header `x-emulator`, the words
 * `[emulator: ...]` in the last user message (they are taken out before it is answered), or the option `trouble`.
 * As text it is a list separated by `;`, each `name` or `name=value`:
 *
 * ```text
 * x-emulator: status=429; retry-after=2; times=1
 * Tell me a story [emulator: cut=300]
 * ```
 *
 * @example
 * const emulator = createEmulator({ trouble: ({ number }) => (number === 1 ? "status=503" : undefined) });
 */
export interface Trouble {
  /** Only the first `times` requests with this same text are troubled. Add `id=anything` to count apart. */
  times?: number;
  /** Tells apart two otherwise equal troubles when they are counted. */
  id?: string;
  /** Answer with this error status (400 to 599) and the service's error envelope. */
  status?: number;
  /** The `Retry-After` of that answer, sent as it is written (seconds or a date); `none` leaves it out. A 429 has 1. */
  "retry-after"?: string;
  /** The `retry-after-ms` header of that answer. */
  "retry-after-ms"?: string;
  /** The `x-should-retry` header of that answer. */
  "should-retry"?: string;
  /** The connection fails: `fetch` rejects with a TypeError, a server closes the socket. */
  refuse?: boolean;
  /** Milliseconds before the response headers arrive. */
  "slow-headers"?: number;
  /** Milliseconds to the first token, in place of the emulator's own. */
  ttft?: number;
  /** Tokens per second, in place of the emulator's own; 0 = immediately. */
  tps?: number;
  /** An HTML page in place of the answer, with `status` or else 200. */
  html?: boolean;
  /** Plain text in place of the answer, with `status` or else 200. */
  text?: boolean;
  /** No body at all, with `status` or else 200. */
  empty?: boolean;
  /** A JSON completion although a stream was asked for. */
  "as-json"?: boolean;
  /** A stream although JSON was asked for. */
  "as-sse"?: boolean;
  /** The body ends, as if all were well, after this many bytes (200). */
  cut?: number;
  /** The connection breaks after this many bytes (200). */
  reset?: number;
  /** Silence after this many bytes (200), until the caller leaves. */
  stall?: number;
  /** With `stall`: a comment every this many milliseconds. The silence then begins between two events. */
  keepalive?: number;
  /** One byte per read. */
  bytewise?: boolean;
  /** This many bytes per read, whatever they cut through. */
  pieces?: number;
  /**
   * One extra chunk in the middle that is no chunk: `json` (cut short, the default), `text`, `array`, `number`, `null`
   * or `utf8` (a truncated character). A JSON answer is cut in half.
   */
  malformed?: "json" | "text" | "array" | "number" | "null" | "utf8";
  /** An error inside the stream, half way, and then its end: `data` (the default) or `event` (with `event: error`). */
  "in-band-error"?: "data" | "event";
  /** No `[DONE]`. */
  "no-done"?: boolean;
  /** The finish reason, whatever the answer was: `content_filter`, or an unknown one. */
  finish?: string;
  /** No chunk with a finish reason. */
  "no-finish"?: boolean;
  /** The connection stays open after the last event, until the caller leaves. */
  linger?: boolean;
  /** Lines end in CR LF. */
  crlf?: boolean;
  /** Lines end in CR. */
  cr?: boolean;
  /** A byte order mark first. */
  bom?: boolean;
  /** A comment before each event. */
  comments?: boolean;
  /** Characters outside the BMP come as two deltas of one surrogate half each. */
  surrogates?: boolean;
  /** Parallel tool calls arrive interleaved instead of one after the other. */
  interleave?: boolean;
}

/**
 * The facts that a trouble hook is told about a request. A test may also use the hook to see what a client sends.
 *
 * @example
 * createEmulator({ trouble: ({ headers }) => (headers.has("x-retry") ? undefined : { status: 503 }) });
 */
export interface TroubleRequest {
  /** 1 for the first request since the emulator was created. */
  number: number;
  method: string;
  path: string;
  headers: Headers;
  /** The parsed body, `undefined` when there is none or it is not JSON. */
  body: unknown;
}

/** Reads the value of a trouble; null is none that the trouble can have. */
interface Reader {
  /** The possible values, in words. */
  expects: string;
  read(value: string): string | number | boolean | null;
}

const flag: Reader = {
  expects: "no value, or true",
  read: (value) => (value === "" || value === "true" ? true : null),
};
const text: Reader = { expects: "a text", read: (value) => value || null };

function number(fallback: number | null, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Reader {
  const expects = maximum < Number.MAX_SAFE_INTEGER ? `${minimum} to ${maximum}` : `${minimum} or more`;
  return {
    expects: `a number, ${expects}`,
    read(value) {
      const read = value === "" ? fallback : Number(value);
      return read !== null && read >= minimum && read <= maximum ? read : null;
    },
  };
}

function word(...words: [string, ...string[]]): Reader {
  return {
    expects: `one of ${words.join(", ")}`,
    read: (value) => (value === "" ? words[0] : words.includes(value) ? value : null),
  };
}

const READERS: { [Name in keyof Required<Trouble>]: Reader } = {
  times: number(1),
  id: text,
  status: number(null, 400, 599),
  "retry-after": text,
  "retry-after-ms": text,
  "should-retry": text,
  refuse: flag,
  "slow-headers": number(1000),
  ttft: number(null),
  tps: number(null),
  html: flag,
  text: flag,
  empty: flag,
  "as-json": flag,
  "as-sse": flag,
  cut: number(200),
  reset: number(200),
  stall: number(200),
  keepalive: number(1000, 1),
  bytewise: flag,
  pieces: number(null, 1),
  malformed: word("json", "text", "array", "number", "null", "utf8"),
  "in-band-error": word("data", "event"),
  "no-done": flag,
  finish: text,
  "no-finish": flag,
  linger: flag,
  crlf: flag,
  cr: flag,
  bom: flag,
  comments: flag,
  surrogates: flag,
  interleave: flag,
};

/**
 * Reads trouble written as text.
 *
 * @throws {RangeError} a name that is not known, or a value that the trouble cannot have; the message lists those that can be
 */
export function parseTrouble(source: string): Trouble {
  const trouble: Record<string, string | number | boolean> = {};
  for (const item of source.split(";")) {
    const [name = "", ...rest] = item.trim().split("=");
    if (name === "") continue;
    const reader = Object.hasOwn(READERS, name) ? READERS[name as keyof Trouble] : undefined;
    if (!reader) {
      throw new RangeError(
        `The emulator knows no trouble of the name "${name}". Use one of ${Object.keys(READERS).join(", ")}.`,
      );
    }
    const value = reader.read(rest.join("=").trim());
    if (value === null) {
      throw new RangeError(`The trouble "${item.trim()}" has a value that it cannot have. Use ${reader.expects}.`);
    }
    trouble[name] = value;
  }
  return trouble as Trouble;
}

/** The trouble as text again, for the ledger. */
export function describeTrouble(trouble: Trouble): string {
  return Object.entries(trouble)
    .map(([name, value]) => (value === true ? name : `${name}=${value}`))
    .join("; ");
}

/** Whether the bytes of a body come in another way than all at once. */
export function troublesBody({ cut, reset, stall, bytewise, pieces }: Trouble): boolean {
  return [cut, reset, stall, pieces].some((each) => each !== undefined) || bytewise === true;
}

const IN_MESSAGE = /\[emulator:([^\]]*)\]\s*/i;

/** Takes the words `[emulator: ...]` out of a body's last user message; the model does not see them. */
export function takeTroubleOut(body: unknown): { body: unknown; wish: string | null } {
  if (!isObject(body) || !Array.isArray(body.messages)) return { body, wish: null };
  const messages: unknown[] = body.messages;
  const message = messages.filter((each) => isObject(each) && each.role === "user").at(-1);
  if (!isObject(message) || typeof message.content !== "string") return { body, wish: null };
  const found = IN_MESSAGE.exec(message.content);
  if (!found) return { body, wish: null };
  const content = message.content.replace(IN_MESSAGE, "").trim();
  const rest = messages.map((each) => (each === message ? { ...message, content } : each));
  return { body: { ...body, messages: rest }, wish: found[1] ?? "" };
}

/** The trouble of every request, or a function that chooses it. */
export type StandingTrouble = string | Trouble | ((request: TroubleRequest) => string | Trouble | undefined);

/** Where wishes for trouble are heard and counted. */
export interface TroubleDesk {
  /** The trouble of this request, or the refusal of a wish that cannot be read. */
  troubleFor(
    call: Call,
    number: number,
    body: unknown,
    inMessage: string | null,
  ): { trouble: Trouble } | { refusal: Refusal };
  clear(): void;
}

/** Opens the desk; `standing` is the emulator's option. */
export function createTroubleDesk(standing: StandingTrouble | undefined): TroubleDesk {
  const always = typeof standing === "string" ? parseTrouble(standing) : standing;
  const used = new Map<string, number>();

  function due(trouble: Trouble): boolean {
    if (trouble.times === undefined) return true;
    const name = describeTrouble(trouble);
    const before = used.get(name) ?? 0;
    used.set(name, before + 1);
    return before < trouble.times;
  }

  return {
    troubleFor({ method, path, headers }, number, body, inMessage) {
      const chosen = typeof always === "function" ? always({ number, method, path, headers, body }) : always;
      const wish = headers.get("x-emulator") ?? inMessage ?? chosen ?? {};
      let trouble: Trouble;
      try {
        trouble = typeof wish === "string" ? parseTrouble(wish) : wish;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return { refusal: { status: 400, message: `The emulator cannot make this trouble. ${error.message}` } };
      }
      return { trouble: due(trouble) ? trouble : {} };
    },
    clear: () => used.clear(),
  };
}
