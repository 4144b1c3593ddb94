/**
 * One provider as the gateway uses it: its client, what it understands, and what may be said of its failures.
 *
 * Retries, limits and cooldowns are the client's. Nothing in a request can name an address.
 */
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  Chatwire,
  ChatwireError,
  type ClientOptions,
  type DecoderOptions,
  type Fetch,
  InvalidRequestError,
  type Prices,
  ProtocolError,
  RateLimitError,
} from "chatwire";
import { joined } from "./bytes.ts";
import { COOLING, COOLING_HEADER, Cooldowns } from "./cooldowns.ts";
import { inletOf, letGo } from "./ends.ts";
import { STREAM_HEADER } from "./kept.ts";
import { type LimiterClient, limitProblem, type RequestLeases } from "./limits.ts";
import type { LengthField, ProviderOptions } from "./options.ts";
import { type PriceOf, priceList } from "./prices.ts";
import { Problem } from "./problem.ts";
import { publicText, publicWords, wordsIn } from "./words.ts";

/** A provider, ready to be asked for one of its models. */
export interface Upstream {
  /** Its name in `providers`. */
  name: string;
  /** `null` leaves the caller's. */
  model: string | null;
  /** One for each key, in no order. */
  keys: readonly UpstreamKey[];
  options: ProviderOptions;
  priceOf: PriceOf;
  /** The parameters for the longest answer that it understands. */
  lengthFields: readonly LengthField[];
  /** Whether it takes `stream_options`; becomes `false` when it refuses them. */
  takesStreamOptions: boolean;
}

/** One key of a provider, and its client: cooldowns and limits are the key's. */
export interface UpstreamKey {
  client: Chatwire;
  apiKey: ProviderOptions["apiKey"];
  weight: number;
  /** Answers under way. */
  busy: number;
  /** The texts that its requests are authenticated with: no caller may read them. */
  secrets: ReadonlySet<string>;
}

/** A provider's keys, the least busy first. */
export function keysInOrder({ keys }: Upstream): UpstreamKey[] {
  return [...keys].sort((a, b) => (a.busy + 1) / a.weight - (b.busy + 1) / b.weight);
}

/** One call of a provider's client. The client hands its requests to `fetch`, which finds here what it needs beside them. */
export interface ProviderCall {
  /** The body, where it is not what `JSON.stringify` gives. */
  body: string | undefined;
  leases: RequestLeases | undefined;
  /** A request has left the gateway. */
  isSent: boolean;
  prices: Prices | undefined;
  /** The model that is asked for: cooldowns are by model. */
  model: string | null;
  /** The provider's good answer, whose body only the gateway reads. */
  response?: Response;
  /** Tells the client that the answer is over. */
  release?: () => void;
  /** In place of the client's own request: this path, and its parameters. */
  pass?: { path: string; params: Readonly<Record<string, unknown>>; isStream: boolean };
}

/** Names an attempt to `fetch`; it goes no further. */
const ATTEMPT_HEADER = "x-chatwire-attempt";
const attempts = new Map<number, ProviderCall>();
let lastAttempt = 0;

/**
 * Runs a call whose requests carry these headers, so that they are known as the attempt's. The call lasts until its answer has a
 * reader, which then owns the body; where the call fails before, the answer is let go of and counts no longer, whatever has failed.
 */
export async function withCall<T>(
  attempt: ProviderCall,
  run: (headers: Record<string, string>) => Promise<T>,
): Promise<T> {
  const id = ++lastAttempt;
  attempts.set(id, attempt);
  try {
    return await run({ [ATTEMPT_HEADER]: String(id) });
  } catch (error) {
    drop(attempt);
    throw error;
  } finally {
    attempts.delete(id);
  }
}

/** Lets go of the answer of an attempt. A body that has a reader is the reader's to let go of. */
function drop({ response, release }: ProviderCall): void {
  if (response) letGo({ cancel: async () => response.body?.cancel() });
  release?.();
}

/** @throws {ChatwireError} its options make no sense, or its key is missing */
export function upstreamOf(
  name: string,
  provider: ProviderOptions,
  model: string | null,
  limits?: LimiterClient,
  routePrices?: Prices,
): Upstream {
  const { lengthFields, streamOptions = true, requestId: _, prices: __, keys, cooldown, ...own } = provider;
  const host: Fetch = provider.fetch ?? ((url, init) => fetch(url, init));
  const priceOf = priceList(provider, routePrices);
  const prices = priceOf(model);
  const options: ClientOptions = { ...own, ...(prices && { prices }) };
  const keyOf = (apiKey: ProviderOptions["apiKey"], weight: number): UpstreamKey => {
    const cooldowns = new Cooldowns(cooldown);
    const secrets = new Set<string>();
    const send: Fetch = (url, init) => {
      const attempt = attempts.get(Number(init.headers.get(ATTEMPT_HEADER)));
      init.headers.delete(ATTEMPT_HEADER);
      keepSecrets(secrets, init.headers);
      const target = targetOf(attempt, url, init);
      const request = async (own: FetchInit) => {
        const cooling = attempt && cooldowns.refusal(attempt.model ?? "");
        if (cooling) return cooling;
        if (attempt) attempt.isSent = true;
        // A redirect is not followed: it would carry the key to an address that is not configured. The object was made for this
        // request, and a copy of it would ask for its headers once more.
        const sent = Object.assign(own as FetchInit & RequestInit, target.changes, { redirect: "manual" });
        const given = await host(target.url, sent);
        const response = given.ok ? given : await shortRefusal(given, own.signal);
        if (!attempt) return response;
        const seen = await cooldowns.seen(attempt.model ?? "", response);
        return response.ok && isReadable(response) ? heldBack(attempt, response) : seen;
      };
      // Plans are for completions: the list of models is free.
      if (!limits || (init.method !== "POST" && !attempt?.pass)) return request(init);
      const from = { provider: name, apiKey, leases: attempt?.leases, prices: attempt?.prices };
      return limits.attempt(from, init, attempt?.pass?.params, request);
    };
    const made = { ...options, fetch: send, ...(apiKey !== undefined && { apiKey }) };
    return { client: new Chatwire(made), apiKey, weight, busy: 0, secrets };
  };
  return {
    name,
    model,
    keys: keys
      ? keys.map((key) => (typeof key === "string" ? keyOf(key, 1) : keyOf(key.apiKey, key.weight ?? 1)))
      : [keyOf(provider.apiKey, 1)],
    options: provider,
    priceOf,
    lengthFields: lengthFields ?? usualLengthFields(provider),
    takesStreamOptions: streamOptions,
  };
}

type FetchInit = Parameters<Fetch>[1];

/** Headers in which services take keys. */
const KEY_HEADERS = ["authorization", "api-key", "x-api-key", "x-goog-api-key", "cf-aig-authorization"];
/** Shorter ones are words of many texts. */
const SECRET_LENGTH = 8;
/** Keys that a function gives change, and the last ones may still be spoken of. */
const MOST_SECRETS = 8;

function keepSecrets(secrets: Set<string>, headers: Headers): void {
  for (const name of KEY_HEADERS) {
    const secret = headers.get(name)?.replace(/^\w+ +/, "");
    if (!secret || secret.length < SECRET_LENGTH || secrets.has(secret)) continue;
    secrets.add(secret);
    for (const oldest of secrets) {
      if (secrets.size <= MOST_SECRETS) break;
      secrets.delete(oldest);
    }
  }
}

/** The keys of providers that a request may have been sent with. */
export function secretsOf(upstreams: readonly Upstream[]): string[] {
  return upstreams.flatMap(({ keys }) => keys.flatMap(({ secrets }) => [...secrets]));
}

/** The client's symbol for a response whose body somebody else reads; it has the same one in `request/held.ts`. */
const HELD = Symbol.for("chatwire.held");

/** Whether the gateway can read a body as the host gave it. The client makes a stream of others, or says what is wrong. */
function isReadable({ body, bodyUsed }: Response): boolean {
  return !body || (!bodyUsed && !body.locked && typeof body.getReader === "function");
}

/**
 * Keeps a good answer for the gateway, which reads it as the host gave it, and gives the client the same answer as one that is held:
 * the call counts towards the client's limits until it is released.
 */
function heldBack(attempt: ProviderCall, response: Response): Response {
  // Of a request that the client has sent again, the last answer counts.
  drop(attempt);
  attempt.response = response;
  const { ok, status, headers, redirected, body } = response;
  // A client takes up a stream that its server keeps by itself, and would read it here.
  const shown = { get: (name: string) => (name === STREAM_HEADER ? null : headers.get(name)) };
  const held = {
    ...{ ok, status, redirected, body, headers: shown },
    get url() {
      return response.url;
    },
    [HELD](over: () => void) {
      attempt.release = over;
    },
  };
  return held as object as Response;
}

/** Bytes of a refusal that are read, and the milliseconds for them: a refusal is no reason to wait. */
const REFUSAL_BYTES = 64 * 1024;
const REFUSAL_TIME = 5000;

/** A refusal whose body has come as far as it is read. */
async function shortRefusal(response: Response, signal: AbortSignal | undefined): Promise<Response> {
  if (response.ok || typeof response.body?.getReader !== "function") return response;
  const inlet = inletOf(response.body);
  const leave = () => inlet.cancel();
  const late = setTimeout(leave, REFUSAL_TIME);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave);
  let bytes: Uint8Array = new Uint8Array(0);
  try {
    while (bytes.length < REFUSAL_BYTES) {
      const more = await inlet.next();
      if (!more) break;
      bytes = joined(bytes, more).slice();
    }
  } catch {
    // The words that have come will do.
  }
  clearTimeout(late);
  signal?.removeEventListener("abort", leave);
  leave();
  const { status, headers } = response;
  return new Response(bytes.slice(), { status, headers });
}

/** Where a client's request really goes: the client knows of chat completions and models alone. */
function targetOf(
  attempt: ProviderCall | undefined,
  url: string,
  init: FetchInit,
): { url: string; changes: Partial<FetchInit> } {
  if (!attempt?.pass) return { url, changes: attempt?.body === undefined ? {} : { body: attempt.body } };
  const target = new URL(url);
  target.pathname = target.pathname.replace(/\/models$/, attempt.pass.path);
  init.headers.set("content-type", "application/json");
  if (attempt.pass.isStream) {
    init.headers.set("accept", "text/event-stream");
    // Compressed event streams tend to arrive all at once.
    if (!init.headers.has("accept-encoding")) init.headers.set("accept-encoding", "identity");
  }
  return { url: target.href, changes: { method: "POST", body: attempt.body ?? "" } };
}

/** OpenAI's newer models refuse `max_tokens`; Electron and its hub document nothing else. */
function usualLengthFields({ provider, baseURL }: ProviderOptions): readonly LengthField[] {
  if (provider === "electron" || provider === "electronhub") return ["max_tokens"];
  const address = baseURL ?? (typeof provider === "object" ? provider.baseURL : "");
  const isOpenAI =
    provider === "openai" || /^https:\/\/([\w-]+\.)*(openai\.com|openai\.azure\.com)(:|\/|$)/.test(address);
  return isOpenAI ? ["max_completion_tokens"] : ["max_tokens", "max_completion_tokens"];
}

/** How a provider's answers are read; `model` is the one that was asked for. */
export function decoderOptions({ options, priceOf }: Upstream, model: string | null): DecoderOptions {
  const { provider, endpoint, decoding } = options;
  const own = typeof provider === "object" ? provider : undefined;
  const known = priceOf(model);
  return {
    ...(typeof provider === "string" && { provider }),
    ...(own?.reasoning && { reasoning: own.reasoning }),
    ...(known && { prices: known }),
    ...(endpoint && { endpoint }),
    ...(decoding && { decoding }),
  };
}

/** Whether another provider may do better: it was not reached, failed, or is used up. */
export function mayAskNext(error: unknown): boolean {
  if (error instanceof APIUserAbortError) return false;
  if (error instanceof APIConnectionError || error instanceof RateLimitError) return true;
  if (error instanceof Problem) return error.status >= 500;
  return error instanceof APIError && error.status !== undefined && error.status >= 500;
}

/** Whether another key of the same provider may do better: this one is refused, or its allowance is gone. */
export function isKeyRefused(error: unknown): boolean {
  return error instanceof APIError && [401, 402, 403].includes(error.status ?? 0);
}

/** Whether a provider refuses a request because of its `stream_options`. */
export function refusesStreamOptions(error: unknown): boolean {
  if (!(error instanceof APIError) || (error.status !== 400 && error.status !== 422)) return false;
  return /stream_options|include_usage/.test(`${error.param} ${error.message} ${JSON.stringify(error.error)}`);
}

/** Tells a client not to send the request again: the gateway has done so, as often as makes sense. */
const TRIED = { "x-should-retry": "false" };

/**
 * The problem that the caller is told for a failure before the answer. The provider's words pass only where they are about the
 * request.
 */
export function problemOf(error: unknown, secrets: readonly string[] = []): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InvalidRequestError) {
    const [detail] = error.details;
    return new Problem(400, detail?.code ?? "invalid_request", error.message, { param: detail?.path.join(".") ?? "" });
  }
  // The body is read by no one.
  if (error instanceof APIUserAbortError) return new Problem(499, "caller_left", "The caller disconnected.");
  if (error instanceof APIConnectionTimeoutError) {
    const message = "The provider did not answer in time. Try again in a moment.";
    return new Problem(504, "upstream_timeout", message, { headers: TRIED });
  }
  if (error instanceof ProtocolError) {
    const message = "The provider answered with something that is no answer of this API.";
    return new Problem(502, "upstream_failed", message, { headers: TRIED });
  }
  if (error instanceof APIConnectionError) {
    const message = "The provider could not be reached. Try again in a moment.";
    return new Problem(502, "upstream_unreachable", message, { headers: TRIED });
  }
  if (!(error instanceof APIError) || error.status === undefined) {
    if (error instanceof RateLimitError)
      return limited(error, secrets, "The plan of the gateway's key is used up. Try again later.");
    // Errors of the package hold no secret; of others only the name is known to.
    console.error("chatwire/edge: a request could not be sent:", nameOf(error));
    const message = "The gateway could not send this request. Its log says why.";
    return new Problem(500, "gateway_failed", message, { headers: TRIED });
  }
  return refusalOf(error, error.status, secrets);
}

function refusalOf(error: APIError, status: number, secrets: readonly string[]): Problem {
  if (status === 401 || status === 403) {
    // The provider's own words may quote a part of the key, and the caller's token is not what was refused.
    const message = "The provider refused this gateway's key. The gateway's operator must check its secrets.";
    return new Problem(502, "provider_key_refused", message, { headers: TRIED });
  }
  const ours = limitProblem(error);
  if (ours) return ours;
  const seconds = error.code === COOLING ? error.headers?.get(COOLING_HEADER) : undefined;
  if (seconds) {
    const message = publicWords(wordsIn(error.error), secrets) ?? "The provider's rate limit is reached.";
    return new Problem(429, "rate_limit_exceeded", message, { headers: { "retry-after": seconds, ...TRIED } });
  }
  if (error instanceof RateLimitError)
    return limited(error, secrets, "The provider's rate limit is reached. Try again later.");
  if (status < 400 || status >= 500) {
    const message = "The provider failed. Try again in a moment.";
    return new Problem(502, "upstream_failed", message, { headers: { ...waits(error), ...TRIED } });
  }
  const message = publicWords(wordsIn(error.error), secrets) ?? "The provider refused this request and gave no reason.";
  return new Problem(status, publicCode(error.code, secrets) ?? "upstream_refused", message, {
    headers: TRIED,
    ...(error.param && { param: publicWords(error.param, secrets) ?? "" }),
  });
}

function limited(error: RateLimitError, secrets: readonly string[], otherwise: string): Problem {
  const message = publicWords(wordsIn(error.error), secrets) ?? otherwise;
  return new Problem(429, publicCode(error.code, secrets) ?? "rate_limit_exceeded", message, {
    headers: { ...waits(error), ...TRIED },
  });
}

function nameOf(error: unknown): string {
  return error instanceof ChatwireError ? `${error.name}: ${error.message}` : String((error as Error | null)?.name);
}

/** A provider's code, where it is one and not a sentence. */
function publicCode(code: unknown, secrets: readonly string[]): string | undefined {
  if (typeof code === "number") return String(code);
  const isCode = typeof code === "string" && /^[\w.-]{1,64}$/.test(code) && publicText(code, secrets) === code;
  return isCode ? code : undefined;
}

/** A time to wait, or a date, and no other words of the provider. */
const SECONDS = /^\d{1,12}(?:\.\d+)?$/;
const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/;
/** The longest that a caller is told to wait, in milliseconds: a client may believe a year. */
const LONGEST_WAIT = 24 * 60 * 60_000;

/** The headers that say when to come back. */
function waits({ headers, retryAt }: APIError): Record<string, string> {
  const waits: Record<string, string> = {};
  const after = headers?.get("retry-after") ?? "";
  if (SECONDS.test(after)) waits["retry-after"] = String(Math.min(Number(after), LONGEST_WAIT / 1000));
  else if (DATE.test(after) && Date.parse(after) - Date.now() <= LONGEST_WAIT) waits["retry-after"] = after;
  const inMs = headers?.get("retry-after-ms") ?? "";
  if (SECONDS.test(inMs)) waits["retry-after-ms"] = String(Math.min(Number(inMs), LONGEST_WAIT));
  const seconds = Math.ceil(((retryAt ?? Number.POSITIVE_INFINITY) - Date.now()) / 1000);
  if (!waits["retry-after"] && seconds < LONGEST_WAIT / 1000) waits["retry-after"] = String(Math.max(1, seconds));
  return waits;
}
