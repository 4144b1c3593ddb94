/**
 * The way from a call in openai's terms to a request of `chatwire`: one `Chatwire` behind each client.
 *
 * `chatwire` knows two paths. A call to any other one is made as one of those two, and its address, method and body are put
 * right in the `fetch` that `chatwire` calls: retries, waits, timeouts, keys and errors are those of `chatwire` for all of them.
 */
import { type ChatStream, Chatwire, type Timeouts, type RequestOptions as WireOptions } from "chatwire";
import { APIPromise, type WithRequestID, withRequestID } from "./api-promise.ts";
import type { RequestSettings } from "./client-parts.ts";
import { contentOf } from "./content.ts";
import { type FailedCall, OpenAIError, toOpenAIError } from "./errors.ts";
import { objectsIn } from "./mended.ts";
import { type Fetch, type FinalRequestOptions, loggerOf, mergedHeaders, type RequestOptions } from "./options.ts";
import type { ChatCompletion, ChatCompletionChunk } from "./shapes.ts";
import { once, Stream } from "./stream.ts";

/** Names the call to our own `fetch`, which takes it off. */
const CALL = "x-chatwire-call";

/** One call, as its requests are to be sent. */
interface Sending extends FailedCall {
  method: string;
  url: string;
  /** In place of what `chatwire` would send; `null` for nothing. */
  body: string | null | undefined;
  fetchOptions: object;
  log: string;
  attempts: number;
  options: FinalRequestOptions;
  /** The error of `prepareRequest`, in a list of one. */
  unprepared?: [unknown];
}

/** The methods of a subclass that change calls and requests, where it has them. */
export interface Preparing {
  options?: ((options: FinalRequestOptions) => Promise<void>) | undefined;
  request?: ((request: RequestInit, of: { url: string; options: FinalRequestOptions }) => Promise<void>) | undefined;
}

/** Where a client keeps what only this file may know. */
export interface TransportSettings {
  fetch: Fetch | undefined;
  /** Puts the key into the headers of a request, where that is not `Authorization`. */
  authorize?: ((headers: Headers) => void) | undefined;
  key: () => string | null | (() => Promise<string>);
  preparing: () => Preparing;
}

export class Transport {
  readonly #client: RequestSettings;
  readonly #settings: TransportSettings;
  readonly #sending = new Map<string, Sending>();
  #next = 0;
  #inner: { made: string; chatwire: Chatwire } | undefined;
  #keyFailure: unknown;

  constructor(client: RequestSettings, settings: TransportSettings) {
    this.#client = client;
    this.#settings = settings;
  }

  /** A chat completion, or the stream of one. */
  chat(
    path: string,
    params: object,
    options: RequestOptions,
  ): APIPromise<ChatCompletion | Stream<ChatCompletionChunk>> {
    return this.#prepared({ ...options, method: "post", path, body: params }, (prepared) => {
      return this.#chat(prepared.path, (prepared.body ?? params) as object, prepared);
    });
  }

  #chat(
    path: string,
    params: object,
    options: RequestOptions,
  ): APIPromise<ChatCompletion | Stream<ChatCompletionChunk>> {
    const { sending, id, settings } = this.#begin("POST", path, options);
    const { completions } = this.#chatwire().chat;
    const isStream = (params as { stream?: unknown })?.stream === true;
    if (!isStream) settings.timeout = wholeWithin(settings.timeout as Timeouts);
    // The types differ in what chatwire allows beside.
    const asked = completions.create(params as Parameters<typeof completions.create>[0], settings);
    let raw: Promise<Response> | undefined;
    return this.#promise<ChatCompletion | Stream<ChatCompletionChunk>>(id, sending, {
      response: () => {
        raw ??= asked.asResponse();
        return raw;
      },
      read: async () => {
        if (raw) {
          // The response was handed out, and is what there is to read.
          const response = await raw;
          const data = isStream
            ? Stream.fromSSEResponse<ChatCompletionChunk>(response, new AbortController())
            : ((await contentOf(response, settings)) as ChatCompletion);
          return { data, response };
        }
        const { data, response } = await asked.withResponse();
        return {
          data: isStream ? streamOf(data as ChatStream, sending) : (data as ChatCompletion),
          response,
        };
      },
    });
  }

  /** Any other request, for JSON. */
  request<T>(method: string, path: string, options: RequestOptions): APIPromise<T> {
    const verb = method as FinalRequestOptions["method"];
    return this.#prepared({ ...options, method: verb, path }, (prepared) => {
      return this.#request<T>(prepared.method, prepared.path, prepared);
    });
  }

  /** Begins a call, which a subclass may change before. */
  #prepared<T>(options: FinalRequestOptions, begin: (options: FinalRequestOptions) => APIPromise<T>): APIPromise<T> {
    const prepare = this.#settings.preparing().options;
    if (!prepare) return rejecting(() => begin(options));
    // Within an object, because the call is a promise itself.
    const begun = prepare(options).then(() => ({ call: rejecting(() => begin(options)) }));
    // The caller hears of a rejection through the call; where nobody awaits the call, the rejection is not unhandled.
    begun.catch(() => {});
    return new APIPromise<T>({
      response: async () => (await begun).call.asResponse(),
      read: async () => (await (await begun).call.withResponse()) as { data: WithRequestID<T>; response: Response },
    });
  }

  #request<T>(method: string, path: string, options: RequestOptions): APIPromise<T> {
    const verb = method.toUpperCase();
    const { sending, id, settings } = this.#begin(verb, path, options);
    const { body } = options;
    settings.timeout = wholeWithin(settings.timeout as Timeouts);
    sending.body = body === undefined ? null : jsonOf(body);
    // A refusal holds for the calls of one model, or else of one path.
    const model = String((body as { model?: unknown } | null | undefined)?.model ?? path);
    const asked = this.#chatwire().chat.completions.create({ model, messages: [] }, settings);
    const raw = () => asked.asResponse();
    return this.#promise<T>(id, sending, {
      response: raw,
      read: async () => {
        const response = await raw();
        return { data: (await contentOf(response, settings)) as T, response };
      },
    });
  }

  #promise<T>(
    id: string,
    sending: Sending,
    {
      response,
      read,
    }: { response: () => Promise<Response>; read: () => Promise<{ data: unknown; response: Response }> },
  ): APIPromise<T> {
    const settled = async <R>(work: () => Promise<R>): Promise<R> => {
      try {
        return await work();
      } catch (thrown) {
        if (sending.unprepared) throw sending.unprepared[0];
        throw toOpenAIError(thrown, this.#failed(sending));
      } finally {
        this.#sending.delete(id);
      }
    };
    return new APIPromise<T>({
      response: () => settled(response),
      read: () =>
        settled(async () => {
          const { data, response } = await read();
          return { data: withRequestID(data as T, response), response };
        }),
    });
  }

  #failed(sending: Sending): FailedCall {
    const keyFailure = this.#keyFailure;
    this.#keyFailure = undefined;
    return { ...sending, ...(sending.attempts === 0 && keyFailure !== undefined && { keyFailure }) };
  }

  /** Notes a call, and makes its settings. */
  #begin(
    method: string,
    path: string,
    options: RequestOptions,
  ): { sending: Sending; id: string; settings: WireOptions } {
    const client = this.#client;
    const { signal, headers, query, maxRetries, timeout, fetchOptions, idempotencyKey, defaultBaseURL } = options ?? {};
    const id = String(++this.#next);
    const sending: Sending = {
      method,
      url: client.buildURL(path, query as Record<string, unknown> | undefined, defaultBaseURL),
      body: undefined,
      fetchOptions: { ...client.fetchOptions, ...fetchOptions },
      log: `log_${Math.floor(Math.random() * 2 ** 24)
        .toString(16)
        .padStart(6, "0")}`,
      attempts: 0,
      options: options as FinalRequestOptions,
    };
    this.#sending.set(id, sending);
    const settings: WireOptions = {
      signal,
      headers: {
        ...mergedHeaders(
          { "openai-organization": client.organization ?? undefined, "openai-project": client.project ?? undefined },
          idempotencyKey === undefined ? undefined : { "idempotency-key": idempotencyKey },
          client.defaultHeaders(),
          headers,
        ),
        [CALL]: id,
      },
      maxRetries: maxRetries ?? client.maxRetries,
      timeout: timeoutsOf(timeout ?? client.timeout),
    };
    return { sending, id, settings };
  }

  /** The client of `chatwire`, made anew when it is to go elsewhere. */
  #chatwire(): Chatwire {
    const { baseURL } = this.#client;
    const key = this.#settings.key();
    const made = `${key === null} ${baseURL}`;
    if (this.#inner?.made === made) return this.#inner.chatwire;
    const chatwire = new Chatwire({
      baseURL: baseURL.replace(/[?#].*$/s, ""),
      apiKey: key === null ? null : () => this.#key(),
      dangerouslyAllowBrowser: true, // the client has judged that
      validate: false,
      fetch: (url, init) => this.#fetch(url, init as RequestInit & { headers: Headers }),
    });
    this.#inner = { made, chatwire };
    return chatwire;
  }

  async #key(): Promise<string> {
    const key = this.#settings.key();
    // A key from a file often has the line break at the end of that file.
    if (typeof key !== "function") return (key as string).trim();
    try {
      const given: unknown = await key();
      if (typeof given === "string" && given !== "") return given.trim();
      throw new OpenAIError(`Expected 'apiKey' function argument to return a string but it returned ${given}`);
    } catch (error) {
      this.#keyFailure = error;
      throw error;
    }
  }

  async #fetch(address: string, init: RequestInit & { headers: Headers }): Promise<Response> {
    const { headers } = init;
    const id = headers.get(CALL) ?? "";
    headers.delete(CALL);
    this.#settings.authorize?.(headers);
    const sending = this.#sending.get(id);
    if (sending?.body === null) headers.delete("content-type");
    const { url, method, body, fetchOptions, log = "log" } = sending ?? { url: address, method: init.method };
    const logger = loggerOf(this.#client);
    const started = Date.now();
    const where = `${method} ${redacted(url)}`;
    const retry = sending && sending.attempts > 0 ? `, retry ${sending.attempts}` : "";
    if (sending) sending.attempts++;
    const sent: RequestInit = {
      ...fetchOptions,
      ...init,
      method: method as string,
      ...(body !== undefined && { body }),
      // A host takes `Authorization` away on the way to another origin, and no header of this name.
      ...(headers.has("api-key") && { redirect: "manual" as const }),
    };
    const prepare = sending && this.#settings.preparing().request;
    if (prepare) {
      try {
        await prepare(sent, { url, options: sending.options });
      } catch (error) {
        // A refusal that is not tried again: the call fails with this error.
        sending.unprepared = [error];
        return new Response(null, { status: 400, headers: { "x-should-retry": "false" } });
      }
    }
    logger.debug(`[${log}] sending request`, { method, url: redacted(url), headers: readable(headers) });
    try {
      const fetch = this.#settings.fetch ?? globalThis.fetch;
      const response = await asResponse(await fetch(url, sent));
      if (sending) sending.response = response;
      const said = `${response.ok ? "succeeded" : "failed"} with status ${response.status}`;
      logger.info(`[${log}${retry}] ${where} ${said} in ${Date.now() - started}ms`);
      logger.debug(`[${log}] response start`, { url: redacted(url), status: response.status });
      if (response.ok) this.#sending.delete(id);
      return response;
    } catch (cause) {
      if (sending) Object.assign(sending, { cause, response: undefined });
      logger.info(`[${log}${retry}] ${where} failed in ${Date.now() - started}ms`);
      throw cause;
    }
  }
}

/** A call whose failure at once is a promise's, as any other. */
function rejecting<T>(call: () => APIPromise<T>): APIPromise<T> {
  try {
    return call();
  } catch (thrown) {
    const failure = toOpenAIError(thrown);
    return new APIPromise<T>({ response: () => Promise.reject(failure), read: () => Promise.reject(failure) });
  }
}

/**
 * The result of a `fetch` of the program's own, as a `Response` of the host. Such a `fetch` in a test may give a plain object, and one of a
 * package for Node a response whose body is a stream of Node.
 */
async function asResponse(given: Response): Promise<Response> {
  const { body, status = 200, headers } = given as { body?: unknown; status?: number; headers?: HeadersInit };
  if (body === null || typeof (body as ReadableStream | undefined)?.getReader === "function") return given;
  const init = { status, headers: new Headers(headers ?? { "content-type": "application/json" }) };
  const pieces = (body as AsyncIterable<Uint8Array> | undefined)?.[Symbol.asyncIterator]?.();
  if (!pieces) {
    return new Response(given.text ? await given.text() : JSON.stringify(await given.json()), init);
  }
  const read = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return?.();
    },
  });
  return new Response(read, init);
}

/** The chunks of a stream of `chatwire`, with the errors of this entry. */
function streamOf(stream: ChatStream, call: FailedCall): Stream<ChatCompletionChunk> {
  // By hand: an async generator would cost two more promises a chunk.
  const iterate = once(() => {
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<ChatCompletionChunk, undefined>;
    type Result = IteratorResult<ChatCompletionChunk, undefined>;
    // The result behind a chunk that has a member `error`.
    let next: Result | undefined;
    const given = (result: Result): Result | Promise<Result> => {
      if (result.done) return result;
      normalise(result.value);
      if (!(result.value as { error?: unknown } | null)?.error) return result;
      // Such a chunk is the error that comes next, and no chunk, unless there is none.
      return chunks.next().then((after) => {
        next = after;
        return result;
      }, failed);
    };
    const failed = (thrown: unknown): never => {
      throw toOpenAIError(thrown, call);
    };
    return {
      next: () => {
        if (!next) return chunks.next().then(given, failed);
        const result = next;
        next = undefined;
        return Promise.resolve(given(result));
      },
      return: async () => (await chunks.return?.()) ?? { done: true as const, value: undefined },
    };
  });
  return new Stream(iterate, stream.controller, () => stream.outcome());
}

/** Has a chunk's choices say that they have no finish reason. */
function normalise(chunk: ChatCompletionChunk): void {
  for (const choice of objectsIn(chunk?.choices)) choice.finish_reason ??= null;
}

function jsonOf(body: unknown): string {
  const isForeign = body instanceof FormData || body instanceof ReadableStream || body instanceof ArrayBuffer;
  if (!isForeign && !ArrayBuffer.isView(body)) return wellFormed(body);
  throw new OpenAIError("chatwire/openai sends JSON only. For uploads, use the `openai` package.");
}

/** JSON in which half a surrogate pair, which strict servers refuse, is U+FFFD. Of all characters JSON escapes these alone as `ud…`. */
function wellFormed(body: unknown): string {
  const json = JSON.stringify(body);
  if (!/\\ud[89a-f]/i.test(json)) return json;
  const whole = (_: string, value: unknown) =>
    typeof value === "string" ? value.replace(/\p{Surrogate}/gu, "\uFFFD") : value;
  return JSON.stringify(body, whole);
}

/** How long, in milliseconds, a stream may be silent at least: a model may think for minutes. */
const SILENCE = 600_000;

/**
 * A number is for the headers of each attempt, and for the body of a whole answer. A stream has stalled once it has said nothing new
 * for as long, and for 10 minutes at least.
 * @throws {OpenAIError} it is no such number
 */
function timeoutsOf(timeout: unknown): Timeouts {
  if (typeof timeout === "number" && Number.isInteger(timeout) && timeout >= 0) {
    const silence = Math.max(timeout, SILENCE);
    // With 0 there is no time at all.
    return { headers: Math.max(timeout, 1), firstToken: silence, idle: silence };
  }
  throw new OpenAIError(
    Number.isInteger(timeout) ? "timeout must be a positive integer" : "timeout must be an integer",
  );
}

/** The body of an answer that is no stream has as much time as its headers; when that is over the engine asks again. */
function wholeWithin({ headers = SILENCE }: Timeouts): Timeouts {
  return { headers, firstToken: headers, idle: headers, keepAlive: headers };
}

const SECRET = /key|token|secret|sig|auth|password|cookie|session/i;

/** An address without what must not be in a log. */
function redacted(url: string): string {
  try {
    const shown = new URL(url);
    shown.username = "";
    shown.password = "";
    for (const name of [...shown.searchParams.keys()]) if (SECRET.test(name)) shown.searchParams.set(name, "***");
    return shown.href;
  } catch {
    return "";
  }
}

function readable(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].map(([name, value]) => [name, SECRET.test(name) ? "***" : value]));
}
