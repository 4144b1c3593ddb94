/**
 * Every end a body can have, made by hand: no server takes part, so that the table runs in any runtime.
 */

import { trapping } from "./traps.ts";

/** The record of one request. */
export interface Served {
  /** The body has ended by itself, or was let go of; or there never was one, and the request was aborted or had failed. */
  isOver: boolean;
}

/** Answers a request; notes in `served` when nothing of it is left. */
export type End = (served: Served, signal: AbortSignal) => Promise<Response>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const delta = (delta: object, finish_reason: string | null = null): string =>
  event({
    id: "1",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason }],
  });
const text = (content: string, finish: string | null = null): string => delta({ content }, finish);
const DONE = "data: [DONE]\n\n";
const call = (index: number, args: string) => ({
  tool_calls: [{ index, id: `call_${index}`, type: "function", function: { name: "f", arguments: args } }],
});

type Part = string | { error: unknown } | { value: unknown };
const OPEN = { open: true };
const PINGS = { pings: ": ping\n\n" };

/** A body of these parts, one a read. After `OPEN` it is silent for ever, after `pings` it says that for ever. */
function body(parts: readonly (Part | typeof OPEN | typeof PINGS)[], type = "text/event-stream", status = 200): End {
  return async (served) => {
    let at = 0;
    let timer: ReturnType<typeof setInterval> | undefined;
    const stream = new ReadableStream<unknown>(
      {
        pull(controller) {
          const part = parts[at++];
          if (part === undefined) {
            served.isOver = true;
            controller.close();
          } else if (part === OPEN) {
            return new Promise(() => {});
          } else if (typeof part === "object" && "pings" in part) {
            timer = setInterval(() => controller.enqueue(bytes(part.pings)), 10);
            return new Promise(() => {});
          } else if (typeof part === "string") controller.enqueue(bytes(part));
          else if ("error" in part) {
            served.isOver = true;
            controller.error(part.error);
          } else controller.enqueue((part as { value: unknown }).value);
          return undefined;
        },
        cancel() {
          clearInterval(timer);
          served.isOver = true;
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(stream as ReadableStream<Uint8Array>, { status, headers: { "content-type": type } });
  };
}

const document = (message: object, finish = "stop"): string =>
  JSON.stringify({
    id: "1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  });

/** A response of no class around this body. */
const around = (body: unknown, status = 200): Response =>
  ({ status, headers: new Headers({ "content-type": "text/event-stream" }), body }) as unknown as Response;

/** A body that is an iterable, as those of Node are. */
const iterable =
  (parts: readonly string[], isOpen: boolean): End =>
  async (served) => {
    const at = { next: 0 };
    const end = async () => {
      served.isOver = true;
      return { done: true as const, value: undefined };
    };
    const next = () => {
      const part = parts[at.next++];
      if (part !== undefined) return Promise.resolve({ done: false, value: bytes(part) });
      return isOpen ? new Promise<never>(() => {}) : end();
    };
    return around({ [Symbol.asyncIterator]: () => ({ next, return: end }) });
  };

/** Values that a host may throw, and nobody expects. */
const odd = (): Record<string, unknown> => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const throwing = () => {
    throw new Error("a member that cannot be read");
  };
  return {
    undefined,
    null: null,
    text: "gone",
    "a symbol": Symbol("gone"),
    "an object without a prototype": Object.create(null),
    "a promise": Promise.resolve("gone"),
    "an error that throws": new Proxy(new Error("gone"), { get: throwing }),
    "a revoked proxy": proxy,
  };
};
const oddly = (make: (thrown: unknown) => End, name: string): Record<string, End> =>
  Object.fromEntries(Object.entries(odd()).map(([what, thrown]) => [`${name} of ${what}`, make(thrown)]));

/** A buffer that was transferred away. */
function detached(): Uint8Array {
  const gone = bytes("data: ");
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  return gone;
}

/** Bytes in memory that threads share, where this host has any. */
function shared(text: string): Uint8Array {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const all = new Uint8Array(buffer);
  all.set(bytes(text));
  return all.subarray(0, bytes(text).length);
}

/** A response of no class, whose reader does as little as it can. */
const deaf: End = async (served, signal) => {
  signal.addEventListener("abort", () => {
    served.isOver = true;
  });
  const never = () => new Promise<never>(() => {});
  const cancel = () => {
    served.isOver = true;
    return never();
  };
  const reader = { read: never, cancel, closed: never(), releaseLock() {} };
  return around({ getReader: () => reader, cancel, locked: false });
};

/** Words at which the engine traps, where an event stream, a line of text and a refusal may have them. */
const trap = (kind: string): string => `: ${trapping(kind)}\n\n`;

/** By name. Those whose name begins with `open` never end by themselves. */
export const ends: Record<string, End> = {
  good: body([text("Hel"), text("lo", "stop"), DONE]),
  "good in one": body([text("Hel") + text("lo", "stop") + DONE]),
  "no done": body([text("Hel"), text("lo", "stop")]),
  truncated: body([text("Hel"), text("lo")]),
  lost: body([text("Hel"), { error: new TypeError("terminated") }]),
  "lost at once": body([{ error: new TypeError("terminated") }]),
  "cut in mid-event": body([text("Hel"), 'data: {"choices":[{"index":0,"delta":{"content":"l']),
  "cut in the first event": body(['data: {"choi']),
  "done without its line": body([text("Hello", "stop"), "data: [DONE]"]),
  "open, silent from the start": body([OPEN]),
  "open, silent later": body([text("Hel"), OPEN]),
  "open, silent in mid-event": body([text("Hel"), 'data: {"choices":[{', OPEN]),
  "open, keep-alives from the start": body([PINGS]),
  "open, keep-alives later": body([text("Hel"), PINGS]),
  "open after done": body([text("Hello", "stop"), DONE, OPEN]),
  "open after done, keep-alives": body([text("Hello", "stop") + DONE, PINGS]),
  "open after a finish reason": body([text("Hello", "stop"), OPEN]),
  "error in the stream": body([text("Hel"), event({ error: { message: "overloaded", code: "overloaded" } })]),
  "open after an error in the stream": body([event({ error: { message: "overloaded" } }), OPEN]),
  "open, half a call": body([delta(call(0, '{"a":')), OPEN]),
  "half a call, closed": body([delta(call(0, '{"a":'))]),
  call: body([delta(call(0, "{}")), delta({}, "tool_calls"), DONE]),
  "two calls": body([delta(call(0, "{}")) + delta(call(1, "{}")), delta({}, "tool_calls"), DONE]),
  empty: body([]),
  "only done": body([DONE]),
  "empty pieces": body([text("Hel"), "", "", text("lo", "stop"), "", DONE]),
  "a document": body([document({ content: "Hello" })], "application/json"),
  "half a document": body([document({ content: "Hello" }).slice(0, 90)], "application/json"),
  "open, half a document": body([document({ content: "Hello" }).slice(0, 90), OPEN], "application/json"),
  "a document lost": body(
    [document({ content: "Hello" }).slice(0, 90), { error: new Error("reset") }],
    "application/json",
  ),
  "a list": body([`[${document({ content: "Hello" })}]`], "application/json"),
  models: body(['{"object":"list","data":[{"id":"m"}]}'], "application/json"),
  html: body(["<!doctype html><title>Sign in</title>"], "text/html"),
  "open, html": body(["<!doctype html><title>Sign in", OPEN], "text/html"),
  ...oddly((error) => body([text("Hel"), { error }]), "odd throw"),
  ...oddly(
    (error) => async (served) => {
      served.isOver = true;
      throw error;
    },
    "odd rejection",
  ),
  "odd value": body([text("Hel"), { value: 7 }, OPEN]),
  "odd value of none": body([text("Hel"), { value: null }, OPEN]),
  "odd value that was transferred": async (...given) => body([text("Hel"), { value: detached() }, OPEN])(...given),
  "odd value of text": body([{ value: text("Hel") }, { value: text("lo", "stop") }, { value: DONE }]),
  "odd value of a buffer": body([{ value: bytes(text("Hello", "stop")).slice().buffer }, DONE]),
  "odd value of a view": body([{ value: new DataView(bytes(text("Hello", "stop")).slice().buffer) }, DONE]),
  "odd value of shared bytes": async (...given) => body([{ value: shared(text("Hello", "stop")) }, DONE])(...given),
  "a mark alone": body(["\u{FEFF}"]),
  "open, a mark alone": body(["\u{FEFF}", OPEN]),
  "blank lines": body(["\n\n\r\n\n", "\n"]),
  "open, blank lines for ever": body([text("Hel"), { pings: "\n\n" }]),
  "open, nothing for ever": body([text("Hel"), { pings: "" }]),
  "open, nothing from the start": body([{ pings: "" }]),
  "open, spaces for ever": body([{ pings: "  " }], "application/json"),
  "open, half a comment for ever": body([text("Hel"), { pings: ": " }]),
  "open, text for ever": body([{ pings: text("a") }]),
  "compressed bytes": body([
    { value: Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9) },
  ]),
  "open, compressed bytes": body([{ value: Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb) }, OPEN]),
  "a locked body": async (served, signal) => {
    const response = await (ends["open, silent from the start"] as End)(served, signal);
    response.body?.getReader();
    // That reader's to let go of.
    served.isOver = true;
    return response;
  },
  "a body that was read": async (served, signal) => {
    const response = await (ends.good as End)(served, signal);
    await response.text();
    return response;
  },
  "a body that is none": async (served) => {
    served.isOver = true;
    return around({});
  },
  "an iterable": iterable([text("Hel"), text("lo", "stop"), DONE], false),
  "open, an iterable": iterable([text("Hel")], true),
  "open, a deaf reader": deaf,
  "no body": async (served) => {
    served.isOver = true;
    return new Response(null, { status: 204 });
  },
  "no body, 205": async (served) => {
    served.isOver = true;
    return new Response(null, { status: 205 });
  },
  "no body, 304": async (served) => {
    served.isOver = true;
    return new Response(null, { status: 304 });
  },
  "no status": async (served, signal) => {
    const { body } = await (ends["open, silent from the start"] as End)(served, signal);
    return around(body, Number.NaN);
  },
  "a status of no end": async (served, signal) => {
    const { body } = await (ends["open, silent from the start"] as End)(served, signal);
    return around(body, 101);
  },
  refused: body(['{"error":{"message":"no"}}'], "application/json", 400),
  "too many": body(['{"error":{"message":"later"}}'], "application/json", 503),
  "open, a refusal": body(['{"error":', OPEN], "application/json", 400),
  "no connection": async (served) => {
    served.isOver = true;
    throw new TypeError("fetch failed");
  },
  "no response": async (served) => {
    served.isOver = true;
    return undefined as unknown as Response;
  },
  "late headers, deaf": async (served, signal) => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return (ends["open after done"] as End)(served, signal);
  },
  "trap in the first read": body([trap("now"), text("Hello", "stop"), DONE]),
  trap: body([text("Hel"), trap("now"), text("lo", "stop"), DONE]),
  "trap, lost": body([text("Hel"), trap("at the end"), { error: new TypeError("terminated") }]),
  "open, trap": body([text("Hel"), trap("now"), OPEN]),
  "open, trap at the timeout": body([text("Hel"), trap("at the timeout"), OPEN]),
  "open, trap when it is over": body([text("Hel"), trap("at the end"), OPEN]),
  "open, trap for good": body([text("Hel"), trap("for good"), OPEN]),
  "trap at the end": body([text("Hello", "stop"), trap("at the end")]),
  "trap at the outcome": body([text("Hello", "stop"), trap("at the outcome"), DONE]),
  "trap for good": body([text("Hel"), trap("for good")]),
  "trap in half a call": body([delta(call(0, '{"a":')), trap("now")]),
  "trap in a document": body([document({ content: trapping("now") })], "application/json"),
  "open, trap in a document": body([document({ content: trapping("now") }), OPEN], "application/json"),
  "out of memory": body([text("Hel"), text(trapping("by its memory")), text("lo", "stop"), DONE]),
  "out of memory in the first read": body([text(trapping("by its memory, later"), "stop"), DONE]),
  "open, out of memory": body([text("Hel"), text(trapping("by its memory")), OPEN]),
  "open, out of memory at the timeout": body([text("Hel"), text(trapping("by its memory at the timeout")), OPEN]),
  "out of memory at the end": body([text("Hello", "stop"), trap("by its memory at the end")]),
  "out of memory at the outcome": body([text("Hello", "stop"), trap("by its memory at the outcome"), DONE]),
  "out of memory in half a call": body([delta(call(0, '{"a":')), delta({ content: trapping("by its memory") })]),
  "out of memory in a document": body([document({ content: trapping("by its memory") })], "application/json"),
  "out of memory in a refusal": body(
    [JSON.stringify({ error: { message: trapping("by its memory") } })],
    "application/json",
    400,
  ),
  "trap in a refusal": body([JSON.stringify({ error: { message: trapping("now") } })], "application/json", 400),
  "open, no headers": (served, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        served.isOver = true;
        reject(signal.reason);
      });
    }),
  "open, no headers, deaf": (served, signal) =>
    new Promise(() => {
      signal.addEventListener("abort", () => {
        served.isOver = true;
      });
    }),
};

/** The end of an ordinary answer, for the call after: as a stream, and whole. */
export const good: End = (served, signal) => (ends.good as End)(served, signal);
