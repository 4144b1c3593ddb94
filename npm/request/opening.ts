/**
 * Opening a response: does what the engine says next, through the host's `fetch` and timers, and tells it what came of it.
 */
import { type Action, type ActionResult, type EngineDecoderOptions, STEP } from "../engine/boundary.ts";
import { answer, asBytes, type Part, put } from "../engine/engine.ts";
import type { ClientOptions, Hooks } from "../options.ts";
import type { FetchInit } from "../types.ts";

/** Name and value, in the order in which they were set; null where one was taken away. */
export type SentHeaders = readonly [string, string | null][];

/** A response whose headers have arrived, and how to read it. */
export interface Opened {
  response: Response;
  decoder: EngineDecoderOptions;
  /** Names the call to the engine's accounts. */
  id: number;
  /** What was sent in headers, and may have come back in the answer. */
  sent: SentHeaders;
}

/** The longest delay a timer can hold. */
const LONGEST_DELAY = 2 ** 31 - 1;
/** How much of an error body is worth reading, in UTF-16 units. */
const MAX_BODY = 65_536;

/**
 * @param signal is made for this one call; its abort ends the response's body too
 * @param told hears what happens, by the names of hooks
 * @throws {ErrorDescriptor} there was no good response
 */
export async function open(
  engine: Part,
  { fetch, apiKey }: ClientOptions,
  body: string | undefined,
  verb: string,
  signal: AbortSignal,
  told: (hook: string, what: object) => void,
): Promise<Opened> {
  let response: Response | undefined;
  let sent: SentHeaders = [];

  const send = async (request: NonNullable<Action["send"]>): Promise<ActionResult> => {
    const { url, query, start, timeout } = request;
    sent = request.headers;
    const controller = new AbortController();
    const waited = await wait(signal, timeout, async () => {
      let headers: Headers | undefined;
      const init = {
        method: verb,
        // Node takes longer to load `Headers` than all of this package: not before somebody looks.
        get headers() {
          headers ??= headersOf(request.headers);
          return headers;
        },
        signal: controller.signal,
        ...(body !== undefined && { body: start === null ? body : start + body.slice(1) }),
      } as FetchInit;
      const address = query.length > 0 ? `${url}?${new URLSearchParams(query)}` : url;
      const given = await (fetch ?? globalThis.fetch)(address, init);
      // Not `instanceof`: there are many classes of that name.
      if (typeof given?.status !== "number" || typeof given.headers?.get !== "function") {
        throw "fetch returned something that is not a Response";
      }
      return given;
    });
    if (!("value" in waited)) {
      controller.abort();
      return waited;
    }
    response = waited.value;
    signal.addEventListener("abort", () => controller.abort());
    const { status, headers } = response;
    const listed = status < 300 || typeof headers.entries !== "function" ? [] : [...headers.entries()];
    return { status, requestId: headers.get("x-request-id"), headers: listed };
  };

  const act = async ({ key, wait: ms, send: request, read }: Action): Promise<ActionResult> => {
    if (request) return send(request);
    if (read !== undefined) return { body: await textOf(response as Response, signal, read) };
    if (ms !== undefined) {
      const waited = await wait(signal, ms, () => new Promise<void>(() => {}));
      return "timedOut" in waited ? {} : (waited as ActionResult);
    }
    const given = await wait(signal, null, async () => key && (apiKey as () => unknown)());
    if (!("value" in given)) return given;
    return typeof given.value === "string" ? { key: given.value } : { failed: "it gave no string" };
  };

  try {
    let result: ActionResult = {};
    for (;;) {
      engine.call(STEP, put(JSON.stringify(result)), performance.now(), Date.now(), Math.random());
      const action = answer<Action>();
      for (const [hook, what] of action.told ?? []) told(hook, what);
      if (action.fail) throw action.fail;
      if (action.open) return { response: response as Response, ...action.open, sent };
      result = await act(action);
    }
  } finally {
    engine.free();
  }
}

function headersOf(pairs: SentHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) value === null ? headers.delete(name) : headers.set(name, value);
  return headers;
}

/** Calls a hook. What it throws, or rejects with, is its own affair. */
export function tell(hooks: Hooks | undefined, name: string, what: object): void {
  try {
    const told = (hooks as Record<string, ((what: object) => unknown) | undefined> | undefined)?.[name]?.(what);
    Promise.resolve(told).catch(() => {});
  } catch {}
}

type Waited<T> = { value: T } | { failed: string } | { timedOut: true } | { aborted: true };

/** Does something, and gives what came first: its end, the end of `ms` milliseconds, or the caller's leaving. */
function wait<T>(signal: AbortSignal, ms: number | null, work: () => Promise<T>): Promise<Waited<T>> {
  return new Promise((resolve) => {
    const settle = (waited: Waited<T>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      resolve(waited);
    };
    const leave = () => settle({ aborted: true });
    const timer =
      ms === null ? undefined : setTimeout(() => settle({ timedOut: true }), Math.min(Math.ceil(ms), LONGEST_DELAY));
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave);
    work().then(
      (value) => settle({ value }),
      (error) => settle({ failed: describe(error) }),
    );
  });
}

/** A host error in words: its message, and its cause's, which is where Node says what happened. */
function describe(error: unknown): string {
  const { message, cause } = (error ?? {}) as { message?: unknown; cause?: { message?: unknown } };
  const text = message || error;
  const why = cause?.message;
  return `${typeof text === "string" ? text : "no reason given"}${why && typeof why === "string" ? `: ${why}` : ""}`;
}

/** The body as text, as far as it is worth reading. An error body that does not come is no reason to wait. */
async function textOf({ body }: Response, signal: AbortSignal, ms: number): Promise<string> {
  const decoder = new TextDecoder();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let text = "";
  await wait(signal, ms, async () => {
    reader = body?.getReader();
    while (reader && text.length <= MAX_BODY) {
      const bytes = asBytes((await reader.read()).value);
      if (!bytes) break;
      // A host may give all of a large body in one piece.
      text += decoder.decode(bytes.subarray(0, MAX_BODY + 1), { stream: true });
    }
  });
  reader?.cancel().catch(() => {});
  return text;
}
