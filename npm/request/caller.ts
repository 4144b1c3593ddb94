/**
 * One request through the engine: from what the caller gave to a response whose headers have arrived.
 */
import { ACCOUNT, CONNECTION, type EngineCall, KNOWS_SCHEMAS, USAGE } from "../engine/boundary.ts";
import { answer, init, initNow, make, type Part, put, says, settingsText, tryMake } from "../engine/engine.ts";
import { aborted, ChatwireError, type ErrorDetail, outcomeOf, toError, unsent } from "../errors.ts";
import type { ClientOptions, Fallback, Hooks, RequestOptions } from "../options.ts";
import { again, keep } from "../stream/resume.ts";
import type { Source } from "../stream/session.ts";
import type { Fetch, Outcome, UsageTotals } from "../types.ts";
import type { Answered } from "./api-promise.ts";
import { standard as asStandard } from "./host-fetch.ts";
import { type Opened, open, type SentHeaders, tell } from "./opening.ts";

/** A response, and how to read its body. */
export type Answer = Answered & Source & { sent: SentHeaders };

/** A call under way. */
export interface Call {
  /** Ends it, at any time. */
  controller: AbortController;
  answer: Promise<Answer>;
}

/** What a request is, beside the caller's options. */
export interface Target {
  path: string;
  /** What the caller asks for. Without it nothing is posted. */
  params?: unknown;
  stream?: boolean;
  /** Is waited for before anything is sent. */
  needs?: Promise<unknown>;
}

/** The caller's parameters as JSON. What JSON cannot say is an error here, by name, not a rejection from afar. */
function toBody(params: unknown, stream: boolean): string {
  let message = `parameters are an object such as { messages: [{ role: "user", content: "Hello" }] }`;
  if (typeof params === "object" && params !== null && !Array.isArray(params)) {
    try {
      return JSON.stringify(stream ? { ...params, stream } : params);
    } catch {
      // The host's own message may quote what it stumbled over.
      message = "parameters must be plain JSON: a BigInt or an object that contains itself cannot be sent";
    }
  }
  throw unsent("invalid_json", message);
}

/** What is behind each client, for those that fall back on it. */
const callers = new WeakMap<object, Caller>();

/** What a client holds of the engine, and the way to make calls with it. */
export class Caller {
  readonly #options: ClientOptions;
  #connection: Part | undefined;
  #isDisposed = false;
  readonly #warned = new Set<string>();

  /** @param client who is to make the calls */
  constructor(options: ClientOptions, client: object) {
    if (options.fetch !== undefined && typeof options.fetch !== "function") {
      throw new ChatwireError("fetch must be a function such as the global fetch.");
    }
    const isFallback = (one?: Fallback) => one && callers.has(one.client) && typeof one.model === "string";
    if (options.fallback && !(Array.isArray(options.fallback) && options.fallback.every(isFallback))) {
      throw new ChatwireError("fallback is a list of { client, model }, each client another Chatwire.");
    }
    const { fetch } = options;
    this.#options = fetch ? { ...options, fetch: standard(fetch) } : options;
    callers.set(client, this);
    // A page fetches the engine from here on, so that it is there, or nearly, when the first call is made. Where that fails, the
    // call tries again, and says so.
    if (initNow()) this.#connect();
    else init().catch(() => {});
  }

  /** The totals of all calls. */
  get usage(): UsageTotals {
    if (!this.#connection) return noTotals();
    this.#connection.call(USAGE);
    return answer();
  }

  /** Whether the server documents `response_format: json_schema`. */
  async knowsSchemas(): Promise<boolean> {
    await init();
    this.#connect().call(KNOWS_SCHEMAS);
    return says();
  }

  /** Starts a call. Whatever is wrong with it rejects `answer`. */
  start(target: Target, options: RequestOptions): Call {
    const controller = new AbortController();
    return { controller, answer: abortable(this.#open(target, options, controller), controller.signal) };
  }

  async #open(target: Target, options: RequestOptions, controller: AbortController): Promise<Answer> {
    const { headers, query, timeout, maxRetries, decoding, accumulate, sentences } = options;
    const { path, stream = false, needs } = target;
    const { signal } = controller;
    let unlink = () => {};
    let body: string | undefined;
    try {
      unlink = follow(options.signal, controller);
      // At once: what the caller changes later is not for this call.
      if ("params" in target) body = toBody(target.params, stream);
      const recording = options.record && stream ? import("../stream/recording.ts") : undefined;
      const others = this.#options.fallback;
      const asking = others && body !== undefined ? import("./fallback.ts") : undefined;
      const [record, fallback] = await Promise.all([recording, asking, init(), needs]);
      if (signal.aborted) throw aborted(signal.reason);
      const pairs = { headers: texts(plainHeaders(headers)), query: texts(query) };
      const read = { decoding, accumulate, sentences };
      const call = { ...pairs, path, timeout, maxRetries, ...read, stream, now: performance.now() };
      const first = this.#send(body, call, signal);
      const send = (client: object, body: string, call: EngineCall) =>
        (callers.get(client) as Caller).#send(body, call, signal);
      const { ended, ...answer } = await (fallback?.orOthers(
        first,
        others as readonly Fallback[],
        body as string,
        call,
        send,
      ) ?? first);
      return {
        ...answer,
        recorder: record && new record.Recorder(answer.decoder, answer.sent),
        ended: (outcome) => {
          unlink();
          ended?.(outcome);
          if (outcome) this.#tellOutcome(outcome);
        },
      };
    } catch (thrown) {
      unlink();
      const error = toError(thrown);
      if (body !== undefined) this.#tellOutcome(outcomeOf(error));
      throw error;
    }
  }

  /** Sends a request. */
  async #send(body: string | undefined, call: EngineCall, signal: AbortSignal): Promise<Answer> {
    const told = (hook: string, what: { warnings?: ErrorDetail[] }) => {
      if (this.#options.hooks?.[hook as keyof Hooks]) tell(this.#options.hooks, hook, what);
      else this.#warn(what.warnings);
    };
    const method = body === undefined ? "GET" : "POST";
    const { response, decoder, sent, id } = await this.#request(method, call, signal, body, told);
    const account = (outcome?: Outcome) => {
      this.#connection?.call(ACCOUNT, put(JSON.stringify(outcome?.usage ?? null)), id);
    };
    if (body !== undefined) decoder.prompt = () => body;
    if (call.sentences) decoder.sentences = call.sentences;
    const requestId = decoder.requestId ?? null;
    // The signal still aborts the body of a response that the caller reads.
    const answer = { response, requestId, body: response.body, decoder, sent, ended: account, handedOver: account };
    const stream = call.stream && response.headers.get("x-chatwire-stream");
    if (!stream) return answer;
    const kept = keep(
      response,
      stream,
      async (method, last) => {
        // Stopping is for one who has left.
        const held = method === "GET" ? signal : new AbortController().signal;
        const { response, id } = await this.#request(method, again(call, stream, last), held);
        this.#connection?.call(ACCOUNT, 0, id);
        return response;
      },
      (hook, what) => tell(this.#options.hooks, hook, what),
    );
    return { ...answer, ...kept };
  }

  /** Sends one request, as often as the engine says. Its `id` is to be accounted for when it is over. */
  async #request(
    method: string,
    call: EngineCall,
    signal: AbortSignal,
    body?: string,
    told: (hook: string, what: object) => void = () => {},
  ): Promise<Opened> {
    const opening = this.#connect().open(settingsText(call) + (body ?? ""));
    return open(opening, this.#options, body, method, signal, told);
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

  #connect(): Part {
    if (this.#isDisposed) throw new ChatwireError("This client was disposed of: make a new one.");
    if (this.#connection) return this.#connection;
    const { apiKey, defaultHeaders, defaultQuery } = this.#options;
    const settings: Record<string, unknown> = { ...surroundings() };
    for (const name of SETTINGS) settings[name] = this.#options[name];
    settings.defaultHeaders = texts(defaultHeaders);
    settings.defaultQuery = texts(defaultQuery);
    // `true` stands for a function, and is no key itself.
    if (typeof apiKey === "function") settings.apiKey = true;
    else if (apiKey !== undefined) settings.apiKey = typeof apiKey === "boolean" ? [] : apiKey;
    let made = tryMake(CONNECTION, settingsText(settings));
    if ("variable" in made) made = make(CONNECTION, settingsText({ ...settings, env: variableOf(made.variable) }));
    if ("error" in made) throw toError(made.error);
    this.#connection = made;
    return made;
  }
}

/** What a client has used that has made no call yet. */
function noTotals(): UsageTotals {
  const tokens = {
    prompt_tokens: 0,
    completion_tokens: 0,
    total_tokens: 0,
    prompt_tokens_details: { cached_tokens: 0 },
  };
  return { requests: 0, ...tokens, uncounted: 0, estimated: 0, cost: 0, saved: 0 };
}

/** What the engine is told of a client's options, beside key, headers and query. */
const SETTINGS = [
  "provider",
  "endpoint",
  "baseURL",
  "timeout",
  "maxRetries",
  "limits",
  "validate",
  "decoding",
  "prices",
  "dangerouslyAllowBrowser",
] as const;

/** Where we are, for the engine to judge: whether visitors can read the key, and what relative addresses are relative to. */
function surroundings(): object {
  const { window, location } = globalThis as { window?: { document?: unknown }; location?: { href: string } };
  return { page: window?.document !== undefined, location: location?.href };
}

/** The value of an environment variable; empty where there is none, or we may not know. */
function variableOf(name: string): string {
  try {
    const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
    return process?.env?.[name] ?? "";
  } catch {
    return "";
  }
}

/** A caller's own `fetch`, with what it answers made standard. */
function standard(fetch: Fetch): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const body: unknown = response?.body;
    if (!body || typeof (body as ReadableStream).getReader === "function") return response;
    return asStandard(response);
  };
}

/** A record with its numbers and booleans as text. */
function texts(record: unknown): unknown {
  if (typeof record !== "object" || record === null) return record;
  const text = (value: unknown) => (/number|boolean/.test(typeof value) ? String(value) : value);
  return Array.isArray(record)
    ? record
    : Object.fromEntries(Object.entries(record).map(([name, value]) => [name, text(value)]));
}

/** Aborts `controller` when `signal` is aborted, until the function it gives is called. */
function follow(signal: AbortSignal | null | undefined, controller: AbortController): () => void {
  if (!signal) return () => {};
  if (typeof signal.addEventListener !== "function") {
    throw unsent("invalid_type", "signal is an AbortSignal", "signal");
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
      opening.then(letGo).catch(() => {});
    };
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave);
    opening.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

async function letGo({ body, handedOver }: Answer): Promise<void> {
  handedOver?.();
  await body?.cancel();
}

function plainHeaders(headers: RequestOptions["headers"]): Record<string, string | null | undefined> | undefined {
  // Not `instanceof`: Node would load its whole `fetch` for the name alone.
  const isIterable = typeof (headers as Headers | undefined)?.[Symbol.iterator] === "function";
  return isIterable ? Object.fromEntries(headers as Headers) : (headers as Record<string, string | null | undefined>);
}
