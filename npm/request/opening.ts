/**
 * Opening a response: runs the engine's actions through the host's `fetch` and timers, and gives it their results.
 */

import { cancelBody } from "../discard.ts";
import {
  type Action,
  type ActionResult,
  type Broken,
  type EngineDecoderOptions,
  LONGEST_MS,
  STEP,
} from "../engine/boundary.ts";
import { clock } from "../engine/clock.ts";
import { answer, asBytes, type Part, put } from "../engine/engine.ts";
import { aborted, type ErrorDescriptor, reasonOf, unsent } from "../errors.ts";
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
  /** Another may take its place, as long as nothing of it was handed out. */
  holds: boolean;
  /** Secrets that were sent in headers, and may have come back in the answer. */
  sent: SentHeaders;
  /** Gives its decoder. */
  opening: Conversation | undefined;
}

/** How much of an error body is worth reading: so many bytes and pieces, of which some may be empty. */
const MAX_BODY = 65_536;

/** Hears what happens, by the names of hooks. */
export type Told = (hook: string, what: object) => void;

/** The conversation with one server about one request. Frees the engine's part when it gives up; else `free` does. */
export class Conversation {
  #engine: Part | undefined;
  readonly #options: ClientOptions;
  readonly #body: string | undefined;
  readonly #verb: string;
  readonly #signal: AbortSignal;
  readonly #told: Told;
  #response: Response | undefined;
  #sent: SentHeaders = [];

  /** @param signal is made for this one call; its abort ends the response's body too */
  constructor(options: ClientOptions, body: string | undefined, verb: string, signal: AbortSignal, told: Told) {
    this.#options = options;
    this.#body = body;
    this.#verb = verb;
    this.#signal = signal;
    this.#told = told;
  }

  /** The opening is over. */
  get isFree(): boolean {
    return this.#engine === undefined;
  }

  /**
   * Sends the request until there is a good response.
   * @param connection whose settings the call is made with
   * @param call the JSON of an `EngineCall`
   * @throws {ChatwireError} the engine failed; the promise rejects with an `ErrorDescriptor` where there was none
   */
  open(connection: Part, call: string): Promise<Opened> {
    this.#engine = connection.open(call + (this.#body ?? ""));
    return this.#goOn(this.#step({}));
  }

  /** The last response broke. Gives the next one, or says at once why there will be none. */
  next(broken: Broken): { opened: Promise<Opened> } | { failure: ErrorDescriptor } {
    if (this.isFree) return { failure: broken };
    // The headers of the response may say when to come back.
    const headers = Object.fromEntries(listed(this.#response as Response));
    const action = this.#step({ broken: { ...broken, body: `[${broken.body || 0},${JSON.stringify({ headers })}]` } });
    if (action.fail) return { failure: action.fail as ErrorDescriptor };
    return { opened: this.#goOn(action) };
  }

  /** The engine's decoder for the response, made by what it knows of it. Nothing where it was taken before, or the engine has failed since. */
  decoder(): Part | undefined {
    return this.#engine?.isBroken ? undefined : this.#engine?.open();
  }

  free(): void {
    this.#engine?.free();
    this.#engine = undefined;
  }

  #step(result: ActionResult): Action {
    let action: Action;
    try {
      // A faked clock may say NaN, at which no slot would ever be free.
      this.#engine?.call(STEP, put(JSON.stringify(result)), clock(), Date.now() || 0, Math.random());
      action = answer();
    } catch (thrown) {
      this.free();
      cancelBody(this.#response?.body);
      throw thrown;
    }
    for (const [hook, what] of action.told ?? []) this.#told(hook, what);
    if (action.fail) this.free();
    return action;
  }

  async #goOn(first: Action): Promise<Opened> {
    let action = first;
    for (;;) {
      if (action.fail) throw action.fail;
      if (action.open) {
        return { response: this.#response as Response, ...action.open, sent: this.#sent, opening: this };
      }
      const result = await this.#act(action);
      if (this.isFree) {
        // The caller has left meanwhile, and the engine's part is gone.
        cancelBody(this.#response?.body);
        throw aborted(this.#signal.reason);
      }
      action = this.#step(result);
    }
  }

  async #act({ key, wait: ms, send, read }: Action): Promise<ActionResult> {
    const signal = this.#signal;
    if (signal.aborted) {
      cancelBody(this.#response?.body);
      return { aborted: true };
    }
    if (send) {
      this.#sent = send.headers;
      const controller = new AbortController();
      const sent = this.#send(send, controller.signal);
      const waited = await wait(signal, send.timeout, sent);
      if (!("value" in waited)) {
        controller.abort();
        // A host that does not heed its signal may still answer.
        sent.then(([late]) => cancelBody(late.body), nothing);
        return waited;
      }
      follow(signal, controller);
      this.#response = waited.value[0];
      return waited.value[1];
    }
    if (read !== undefined) return { body: await textOf(this.#response as Response, signal, read) };
    if (ms !== undefined) {
      const waited = await wait(signal, ms, new Promise<void>(() => {}));
      return "timedOut" in waited ? {} : (waited as ActionResult);
    }
    const asked = async () => (this.#options.apiKey as () => unknown)();
    const given = await wait(signal, key as number | null, asked());
    if (!("value" in given)) return given;
    return typeof given.value === "string" ? { key: given.value } : { failed: "it gave no string" };
  }

  /** The host's response to one request, if it is one. */
  async #send(
    { url, query, start, headers: pairs }: NonNullable<Action["send"]>,
    signal: AbortSignal,
  ): Promise<[Response, ActionResult]> {
    const body = this.#body;
    let headers: Headers | undefined;
    const init = {
      method: this.#verb,
      // Node takes longer to load `Headers` than all of this package: not before somebody looks.
      get headers() {
        headers ??= headersOf(pairs);
        return headers;
      },
      signal,
      body: start === null ? body : start + (body as string).slice(1),
    } as FetchInit;
    const address = query.length > 0 ? `${url}?${new URLSearchParams(query)}` : url;
    const given = await (this.#options.fetch ?? globalThis.fetch)(address, init);
    try {
      // Not `instanceof`: there are many classes of that name.
      const status = given?.status;
      if (!(Number.isInteger(status) && status >= 200 && status <= 599) || typeof given.headers?.get !== "function") {
        throw "fetch returned something that is not a Response";
      }
      return [given, answered(given)];
    } catch (thrown) {
      cancelBody(given?.body);
      throw thrown;
    }
  }
}

/** One for all, so that a call without a signal keeps nothing. */
export const nothing = () => {};

/** Aborts `controller` when `signal` is aborted, until the function it gives is called. */
export function follow(signal: AbortSignal | null | undefined, controller: AbortController): () => void {
  if (!signal) return nothing;
  if (typeof signal.addEventListener !== "function") {
    throw unsent("invalid_type", "signal must be an AbortSignal", "signal");
  }
  const leave = () => controller.abort(signal.reason);
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave);
  return () => signal.removeEventListener("abort", leave);
}

/** The parts of a response that the engine decides by. */
function answered(response: Response): ActionResult {
  const { status, headers } = response;
  return {
    status,
    requestId: headers.get("x-request-id"),
    headers: status < 300 ? [] : listed(response),
    redirected: response.redirected === true ? response.url : null,
  };
}

/** All headers, from a host that can list them. */
function listed({ headers }: Response): [string, string][] {
  try {
    return [...headers.entries()];
  } catch {
    return [];
  }
}

function headersOf(pairs: SentHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs) value === null ? headers.delete(name) : headers.set(name, value);
  return headers;
}

/** Calls a hook. Its exceptions and rejections are ignored. */
export function tell(hooks: Hooks | undefined, name: string, what: object): void {
  try {
    const told = (hooks as Record<string, ((what: object) => unknown) | undefined> | undefined)?.[name]?.(what);
    Promise.resolve(told).catch(() => {});
  } catch {}
}

type Waited<T> = { value: T } | { failed: string } | { timedOut: true } | { aborted: true };

/** The first of these: a promise, the end of `ms` milliseconds, and the caller's leaving. */
export function wait<T>(signal: AbortSignal, ms: number | null, work: Promise<T>): Promise<Waited<T>> {
  return new Promise((resolve) => {
    const settle = (waited: Waited<T>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
      resolve(waited);
    };
    const leave = () => settle({ aborted: true });
    const timer =
      ms === null ? undefined : setTimeout(() => settle({ timedOut: true }), Math.min(Math.ceil(ms), LONGEST_MS));
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave);
    work.then(
      (value) => settle({ value }),
      (error) => settle({ failed: reasonOf(error) }),
    );
  });
}

/** The body as text, as far as it is worth reading. An error body that does not come is no reason to wait. */
async function textOf({ body }: Response, signal: AbortSignal, ms: number): Promise<string> {
  const decoder = new TextDecoder();
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let text = "";
  const all = async () => {
    reader = body?.getReader();
    for (let left = MAX_BODY; reader && left > 0; ) {
      const bytes = asBytes((await reader.read()).value);
      if (!bytes) break;
      // A host may give all of a large body in one piece.
      text += decoder.decode(bytes.subarray(0, MAX_BODY + 1), { stream: true });
      left -= bytes.length + 1;
    }
  };
  await wait(signal, ms, all());
  cancelBody(reader ?? body);
  return text;
}
