/**
 * One request through the engine: from what the caller gave to a response whose headers have arrived.
 */
import type { EngineCall, EngineConnection } from "./boundary.ts";
import { init, initNow } from "./engine.ts";
import { ChatwireError, type ErrorDescriptor, type ErrorDetail, InvalidRequestError, toError } from "./errors.ts";
import { standardFetch } from "./host-fetch.ts";
import type { ClientOptions, Fallback, Hooks, RequestOptions } from "./options.ts";
import { aborted, outcomeOf } from "./outcome.ts";
import type { Answered } from "./promise.ts";
import type { Source } from "./session.ts";
import type { Outcome } from "./types.ts";
import { Connection } from "./wasm/chatwire.js";

/** A response, and how to read its body. */
export type Answer = Answered & Source;

/** A call under way. */
export interface Call {
  /** Ends it, at any time. */
  controller: AbortController;
  answer: Promise<Answer>;
}

/** What a request is, beside the caller's options. */
export interface Target {
  path: string;
  method: "GET" | "POST";
  /** The caller's parameters as JSON. */
  body?: string;
  stream?: boolean;
}

/** The caller's parameters as JSON. What JSON cannot say is an error here, by name, not a rejection from afar. */
export function toBody(params: unknown): string {
  let message = `parameters are an object such as { messages: [{ role: "user", content: "Hello" }] }`;
  if (typeof params === "object" && params !== null && !Array.isArray(params)) {
    try {
      return JSON.stringify(params);
    } catch {
      // The host's own message may quote what it stumbled over.
      message = "parameters must be plain JSON: a BigInt or an object that contains itself cannot be sent";
    }
  }
  throw new InvalidRequestError(`The request was not sent: ${message}.`, {
    details: [{ code: "invalid_json", message, path: [] }],
  });
}

/** What is behind each client, for those that fall back on it. */
const callers = new WeakMap<object, Caller>();

/** What a client holds of the engine, and the way to make calls with it. */
export class Caller {
  readonly #options: ClientOptions;
  #connection: EngineConnection | undefined;
  #isDisposed = false;
  readonly #warned = new Set<string>();

  /** @param client who is to make the calls */
  constructor(options: ClientOptions, client: object) {
    if (options.fetch !== undefined && typeof options.fetch !== "function") {
      throw new ChatwireError("fetch must be a function such as the global fetch: (url, init) => Promise<Response>.");
    }
    const isFallback = (one?: Fallback) => one && callers.has(one.client) && typeof one.model === "string";
    if (options.fallback && !(Array.isArray(options.fallback) && options.fallback.every(isFallback))) {
      throw new ChatwireError("fallback is a list of { client, model }, each client another one of this package.");
    }
    this.#options = options;
    callers.set(client, this);
    if (initNow()) this.#connect();
  }

  /** The totals as the engine has them; undefined before the first call. */
  get usage(): unknown {
    return this.#connection && JSON.parse(this.#connection.usage());
  }

  /** Whether the server documents `response_format: json_schema`. */
  async knowsSchemas(): Promise<boolean> {
    await init();
    return this.#connect().jsonSchema ?? true;
  }

  /** Starts a call. Whatever is wrong with it rejects `answer`. */
  start(target: Target, options: RequestOptions): Call {
    const controller = new AbortController();
    const unlink = follow(options.signal, controller);
    return { controller, answer: abortable(this.#open(target, options, controller.signal, unlink), controller.signal) };
  }

  async #open(target: Target, options: RequestOptions, signal: AbortSignal, unlink: () => void): Promise<Answer> {
    const { signal: _, headers, ...settings } = options;
    const { method, stream = false } = target;
    try {
      await init();
      if (signal.aborted) throw aborted(signal.reason);
      const call = { ...settings, headers: plainHeaders(headers), method, stream, now: performance.now() };
      const { ended, ...answer } = await this.#ask(target, call, signal);
      return {
        ...answer,
        ended: (outcome) => {
          unlink();
          ended?.(outcome);
          if (outcome && this.#options.hooks?.onOutcome) this.#tellOutcome(JSON.parse(outcome));
        },
      };
    } catch (thrown) {
      unlink();
      const error = toError(thrown);
      if (target.body !== undefined) this.#tellOutcome(outcomeOf(error));
      throw error;
    }
  }

  /** Sends a request here and then, while the engine says that it may help, to those that were named for this. */
  async #ask(target: Target, call: EngineCall, signal: AbortSignal): Promise<Answer> {
    let failure: unknown;
    try {
      return await this.#send(target, call, signal);
    } catch (thrown) {
      failure = thrown;
    }
    for (const { client, model, params } of (target.body && this.#options.fallback) || []) {
      const { fallback, attempts } = failure as ErrorDescriptor;
      if (!fallback) break;
      const sent = JSON.parse(target.body as string);
      const body = JSON.stringify({ ...sent, ...params, model, stream: sent.stream });
      try {
        // Headers and query of the call may hold what is for this server's eyes only.
        const again = { ...call, attempts, headers: undefined, query: undefined };
        return await (callers.get(client) as Caller).#send({ ...target, body }, again, signal);
      } catch (thrown) {
        failure = thrown;
      }
    }
    throw failure;
  }

  async #send({ path, body }: Target, call: EngineCall, signal: AbortSignal): Promise<Answer> {
    const connection = this.#connect();
    const { response, requestId, decoder, id } = await connection.open(path, body, call, signal);
    const account = (outcome: string) => {
      if (!this.#isDisposed) connection.account(outcome, id);
    };
    if (body !== undefined) decoder.prompt = () => body;
    // The signal still aborts the body of a response that the caller reads.
    return { response, requestId, body: response.body, decoder, ended: account, handedOver: () => account("") };
  }

  /** Says what looks wrong with a request where nobody else is told: each kind once. */
  #warn(warnings: readonly ErrorDetail[] = []): void {
    for (const { code, path, message } of warnings) {
      if (this.#warned.has(code)) continue;
      this.#warned.add(code);
      console.warn(`chatwire: ${path.join(".")}: ${message} (${code})`);
    }
  }

  #tellOutcome({ status, usage, cost, timing, attempts, requestId }: Outcome): void {
    tell(this.#options.hooks, "onOutcome", { status, usage, cost, timing, attempts, requestId });
  }

  free(): void {
    this.#isDisposed = true;
    this.#connection?.free();
    this.#connection = undefined;
  }

  #connect(): EngineConnection {
    if (this.#isDisposed) throw new ChatwireError("This client was disposed of: make a new one.");
    if (this.#connection) return this.#connection;
    try {
      const { fetch, hooks } = this.#options;
      const observer = (hook: string, json: string) => {
        if (hooks?.[hook as keyof Hooks]) tell(hooks, hook, JSON.parse(json));
        else if (hook === "onRequest" && json.includes('"warnings":')) this.#warn(JSON.parse(json).warnings);
      };
      this.#connection = new Connection(
        { ...this.#options, ...surroundings() },
        fetch && standardFetch(fetch),
        observer,
      );
    } catch (thrown) {
      throw toError(thrown);
    }
    return this.#connection;
  }
}

/** Calls a hook. What it throws, or rejects with, is its own affair. */
function tell(hooks: Hooks | undefined, name: string, what: object): void {
  try {
    const told = (hooks as Record<string, ((what: object) => unknown) | undefined> | undefined)?.[name]?.(what);
    Promise.resolve(told).catch(() => {});
  } catch {}
}

/** Where we are, for the engine to judge: whether visitors can read the key, and what relative addresses are relative to. */
function surroundings(): object {
  const { window, location, process } = globalThis as {
    window?: { document?: unknown };
    location?: { href: string };
    process?: { env?: Record<string, string | undefined> };
  };
  return { page: window?.document !== undefined, location: location?.href, env: process?.env };
}

/** Aborts `controller` when `signal` is aborted, until the function it gives is called. */
function follow(signal: AbortSignal | null | undefined, controller: AbortController): () => void {
  if (!signal) return () => {};
  if (typeof signal.addEventListener !== "function") {
    throw new InvalidRequestError("The request was not sent: signal is not an AbortSignal.", {
      details: [{ code: "invalid_type", message: "signal is an AbortSignal", path: ["signal"] }],
    });
  }
  const leave = () => controller.abort(signal.reason);
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave);
  return () => signal.removeEventListener("abort", leave);
}

/** Rejects as soon as the signal says so, also when what it waits for never heeds it. */
function abortable(opening: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      reject(aborted(signal.reason));
      // What still arrives is let go.
      opening
        .then(({ body, handedOver }) => {
          handedOver?.();
          return body?.cancel();
        })
        .catch(() => {});
    };
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave);
    opening.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

function plainHeaders(headers: RequestOptions["headers"]): Record<string, string | null | undefined> | undefined {
  if (Array.isArray(headers) || headers instanceof Headers) return Object.fromEntries(headers);
  return headers;
}
