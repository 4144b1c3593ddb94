/**
 * One request through the engine: from what the caller gave to a response whose headers have arrived.
 */
import type { EngineConnection } from "./boundary.ts";
import { init, initNow } from "./engine.ts";
import { ChatwireError, InvalidRequestError, toError } from "./errors.ts";
import type { ClientOptions, RequestOptions } from "./options.ts";
import type { Answered } from "./promise.ts";
import { aborted, type Source } from "./session.ts";
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

/** What a client holds of the engine, and the way to make calls with it. */
export class Caller {
  readonly #options: ClientOptions;
  #connection: EngineConnection | undefined;
  #isDisposed = false;

  constructor(options: ClientOptions) {
    if (options.fetch !== undefined && typeof options.fetch !== "function") {
      throw new ChatwireError("fetch must be a function such as the global fetch: (url, init) => Promise<Response>.");
    }
    this.#options = options;
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
    const { path, body, method, stream = false } = target;
    try {
      await init();
      if (signal.aborted) throw aborted(signal.reason);
      const connection = this.#connect();
      const call = { ...settings, headers: plainHeaders(headers), method, stream, now: performance.now() };
      const { response, requestId, decoder, id } = await connection.open(path, body, call, signal);
      const account = (outcome: string) => {
        if (!this.#isDisposed) connection.account(outcome, id);
      };
      const ended = (outcome: string) => {
        unlink();
        account(outcome);
      };
      // The signal still aborts the body of a response that the caller reads.
      return { response, requestId, body: response.body, decoder, ended, handedOver: () => account("") };
    } catch (thrown) {
      unlink();
      throw toError(thrown);
    }
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
      this.#connection = new Connection({ ...this.#options, ...surroundings() }, this.#options.fetch);
    } catch (thrown) {
      throw toError(thrown);
    }
    return this.#connection;
  }
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
      opening.then(({ body }) => body?.cancel()).catch(() => {});
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
