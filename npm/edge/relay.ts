/**
 * One request, sent on: to its provider and back, and then into its usage record.
 */
import { APIUserAbortError, ChatDecoder, type Timeouts } from "chatwire";
import type { Alarm } from "./alarm.ts";
import { answerOf, EVENT_STREAM, untilFirstToken } from "./answer.ts";
import type { Gathering } from "./answer-cache.ts";
import type { Configuration } from "./configuration.ts";
import type { Sink } from "./ends.ts";
import { type Ending, forward, type OpenAnswer } from "./forward.ts";
import type { RequestLeases } from "./limits.ts";
import type { UsageRecord } from "./options.ts";
import type { Patience } from "./patience.ts";
import { Problem, safeHeaders } from "./problem.ts";
import { type ChatRequest, type ProviderRequest, providerRequestOf } from "./request.ts";
import {
  decoderOptions,
  isKeyRefused,
  keysInOrder,
  mayAskNext,
  type ProviderCall,
  problemOf,
  refusesStreamOptions,
  secretsOf,
  type Upstream,
  type UpstreamKey,
  withCall,
} from "./upstream.ts";
import { type Asked, type OpenRecord, openRecord, usageOf } from "./usage-record.ts";
import { HEARTBEAT } from "./writes.ts";

/** A request that was admitted. */
export interface Admitted {
  configuration: Configuration;
  /** Aborted when the caller leaves. */
  signal: AbortSignal;
  /** The request's id, by which its caller knows it. */
  requestId: string;
  caller: string;
  /** The tags of the caller's grant. */
  tags: UsageRecord["tags"] | null;
  request: ChatRequest;
  /** The id of its usage record. */
  recordId: string;
  /** Keeps all its times. */
  alarm: Alarm;
  /** Headers that go on to the provider: those of W3C Trace Context. */
  trace?: Readonly<Record<string, string>>;
  /** Gets the bytes of a stream in place of the caller. */
  sink?: Sink;
  /** Gathers the answer, where it may be given again. */
  gathering?: Gathering | undefined;
  /** Its leases within the limits. */
  leases: RequestLeases | undefined;
  /** Keeps the worker alive while there is something to count, also when the caller has left. */
  waitUntil(promise: Promise<unknown>): void;
}

/** An answer on its way, and the record of it so far. */
export interface Relayed {
  response: Response;
  record: Readonly<UsageRecord>;
}

/** Timeouts of the client where its options name none, in milliseconds. */
const FIRST_TOKEN = 300_000;
const FIRST_TOKEN_OF_ELECTRON = 20_000;
const IDLE = 120_000;

/** @throws {Problem} there is no answer */
export async function relay(admitted: Admitted): Promise<Relayed> {
  const { configuration, signal, request, leases, waitUntil } = admitted;
  const { onDisconnect, writeTimeout, answerTimeout, hooks } = configuration;
  const { after } = hooks;
  const { requestId, caller, tags, recordId } = admitted;
  const record = openRecord(configuration, leases, {
    recordId,
    requestId,
    caller,
    ...(tags && { tags }),
    model: request.model,
  });
  waitUntil(record.closed);

  const opening = new Opening(admitted, record);
  try {
    const [first, answer] = await opening.answer();
    const isStream = first.contentType !== "application/json";
    const { body, ended } = forward({
      answer,
      isStream,
      sink: isStream ? admitted.sink : undefined,
      filter: {
        choices: Number(request.params.n ?? 1),
        hidesUsage: request.hidesUsage,
        change: after && ((answer) => ofHook(() => after(answer, { caller, model: request.model, requestId }))),
      },
      onDisconnect,
      signal,
      writeTimeout,
      answerTimeout,
      alarm: admitted.alarm,
      problemOf: (error) => problemOf(error, secretsOf(request.route.upstreams)),
      passed: admitted.gathering?.add,
    });
    void ended.then((ending) => {
      opening.end();
      const entry = entryOf(ending);
      const { tokens = null, cost = null } = entry;
      if (entry.outcome === "complete") admitted.gathering?.keep(first.contentType, { tokens, cost });
      return record.close(entry);
    });
    const headers = answerHeaders(first.contentType, record.value.upstreamRequestId);
    return { response: new Response(body, { headers }), record: record.value };
  } catch (error) {
    opening.end();
    admitted.alarm.stop();
    const problem = problemOf(error, secretsOf(request.route.upstreams));
    const isAborted = error instanceof APIUserAbortError;
    const isUnanswered = isAborted || problem.status === 504;
    void record.close({
      ...(isUnanswered && opening.estimate()),
      status: problem.status,
      outcome: isAborted ? "aborted" : "error",
      disconnected: isAborted || signal.aborted,
    });
    throw problem;
  } finally {
    opening.close();
  }
}

/** The part of a request before its answer: its providers are asked in turn until one gives a first token. */
class Opening {
  readonly #admitted: Admitted;
  readonly #record: OpenRecord;
  /** Aborted when the caller leaves. When draining, the request of a caller that disconnects early is still sent. */
  readonly #controller: AbortController | undefined;
  readonly #started = performance.now();
  readonly #leave = () => this.#controller?.abort();
  /** The functions to call when the answer is over. */
  readonly #ended: (() => void)[] = [];
  /** The providers that have not been asked. */
  #next = 0;
  /** The last request that was sent, and its provider. */
  #sent: { upstream: Upstream; request: ProviderRequest; attempt: ProviderCall } | undefined;

  constructor(admitted: Admitted, record: OpenRecord) {
    this.#admitted = admitted;
    this.#record = record;
    if (admitted.configuration.onDisconnect !== "abort") return;
    this.#controller = new AbortController();
    if (admitted.signal.aborted) this.#leave();
    else admitted.signal.addEventListener("abort", this.#leave);
  }

  close(): void {
    if (this.#controller) this.#admitted.signal.removeEventListener("abort", this.#leave);
  }

  /** The answer is over. */
  end(): void {
    for (const end of this.#ended.splice(0)) end();
  }

  /**
   * The first answer, and that whose first token came first: a stream may still give way to another provider, so the second
   * may be a promise. The promise is waited for as long as no heartbeat is due.
   */
  async answer(): Promise<[first: OpenAnswer, OpenAnswer | Promise<OpenAnswer>]> {
    const first = await this.#open();
    if (this.#isLast || first.contentType === "application/json") return [first, first];
    const settled = this.#settle(first);
    const isDue = new Promise<undefined>((resolve) => setTimeout(resolve, HEARTBEAT));
    settled.catch(() => {});
    const soon = await Promise.race([settled, isDue]);
    if (soon) return [soon, soon];
    return [first, settled];
  }

  get #isLast(): boolean {
    return this.#next >= this.#admitted.request.route.upstreams.length;
  }

  /** Waits for the first token, and asks the next provider where it does not come. */
  async #settle(answer: OpenAnswer): Promise<OpenAnswer> {
    let open = answer;
    for (;;) {
      try {
        return { ...open, ...(await untilFirstToken(open, open.decoder, open.patience, open.secrets)) };
      } catch (error) {
        if (this.#isLast || !mayAskNext(error)) throw error;
        open = await this.#open();
        if (open.contentType === "application/json") throw error;
      }
    }
  }

  /** Asks one provider after the other until one answers. */
  async #open(): Promise<OpenAnswer> {
    const { upstreams } = this.#admitted.request.route;
    for (;;) {
      const upstream = upstreams[this.#next++] as Upstream;
      try {
        return await this.#askWithAnyKey(upstream);
      } catch (error) {
        if (this.#isLast || !mayAskNext(error)) throw error;
      }
    }
  }

  /** Asks with the least busy key, and with the next one where that is refused or used up. */
  async #askWithAnyKey(upstream: Upstream): Promise<OpenAnswer> {
    const keys = keysInOrder(upstream);
    for (;;) {
      const key = keys.shift() as UpstreamKey;
      try {
        return await this.#ask(upstream, key);
      } catch (error) {
        if (keys.length === 0 || !(mayAskNext(error) || isKeyRefused(error))) throw error;
      }
    }
  }

  async #ask(upstream: Upstream, key: UpstreamKey): Promise<OpenAnswer> {
    key.busy++;
    try {
      const answer = await this.#send(upstream, key);
      this.#ended.push(() => key.busy--);
      return answer;
    } catch (error) {
      key.busy--;
      if (!upstream.takesStreamOptions || !refusesStreamOptions(error)) throw error;
      upstream.takesStreamOptions = false;
      return this.#ask(upstream, key);
    }
  }

  async #send(upstream: Upstream, key: UpstreamKey): Promise<OpenAnswer> {
    const { request, leases, requestId, trace } = this.#admitted;
    const provider = providerRequestOf(request, upstream);
    const { model, body } = provider;
    const attempt: ProviderCall = { body, leases, isSent: false, model, prices: upstream.priceOf(model) };
    this.#sent = { upstream, request: provider, attempt };
    const patience = patienceOf(upstream);
    const answer = await withCall(attempt, async (own) => {
      const given = await key.client.chat.completions
        .create(provider.params, {
          signal: this.#controller?.signal,
          headers: { ...own, ...trace, ...(upstream.options.requestId !== false && { "x-request-id": requestId }) },
        })
        .asResponse();
      attempt.response ??= given;
      const { response } = attempt;
      if (!response) throw new Problem(502, "upstream_failed", "The provider gave no answer. Try again in a moment.");
      this.#record.note({
        provider: upstream.name,
        upstreamModel: upstream.model ?? (request.model || null),
        upstreamRequestId: publicId(response.headers.get("x-request-id")),
      });
      return answerOf(response, patience.firstToken, [...key.secrets]);
    });
    this.#ended.push(() => attempt.release?.());
    const decoder = { ...this.#decoderOf(upstream, provider), started: this.#started };
    const asked = askedOf(upstream, provider);
    return {
      ...answer,
      decoder,
      asked,
      patience,
      secrets: [...key.secrets],
    };
  }

  #decoderOf(upstream: Upstream, { model, params }: ProviderRequest): OpenAnswer["decoder"] {
    return { ...decoderOptions(upstream, model), n: Number(params.n) || 1, prompt: () => JSON.stringify(params) };
  }

  /** The usage of a request that was sent and not answered: its prompt, by estimate. */
  estimate(): Partial<UsageRecord> {
    if (!this.#sent?.attempt.isSent) return {};
    const { upstream, request } = this.#sent;
    const known = { provider: upstream.name, upstreamModel: upstream.model ?? (this.#admitted.request.model || null) };
    try {
      const decoder = new ChatDecoder({ ...this.#decoderOf(upstream, request), output: "none" });
      return { ...known, ...usageOf(decoder.end("aborted"), askedOf(upstream, request)) };
    } catch (error) {
      console.error("chatwire/edge: a prompt cannot be counted:", (error as Error)?.name);
      return known;
    }
  }
}

/**
 * The answer as `hooks.after` returns it. The hook must not return a promise, because an answer is not held back for one.
 * @throws the hook's error, or a `TypeError` where it gave neither an object nor `null`; it ends the answer
 */
function ofHook(after: () => Record<string, unknown> | null): Record<string, unknown> | null {
  try {
    const shown: unknown = after() ?? null;
    if (typeof shown !== "object" || Array.isArray(shown)) throw new TypeError("hooks.after gave no object.");
    if (typeof (shown as { then?: unknown } | null)?.then === "function") {
      Promise.resolve(shown).catch(() => {});
      throw new TypeError("hooks.after gave a promise.");
    }
    return shown as Record<string, unknown> | null;
  } catch (error) {
    console.error("chatwire/edge: hooks.after failed:", (error as Error)?.name ?? "no error");
    throw error;
  }
}

function askedOf(upstream: Upstream, { params, model }: ProviderRequest): Asked {
  return { params: () => params as unknown as Record<string, unknown>, prices: upstream.priceOf(model) };
}

/**
 * Milliseconds to wait for a provider's first token, and for its next bytes; and for either in all while only keep-alives come,
 * where that was said.
 */
export function patienceOf({ options }: Upstream): Patience {
  const { timeout, provider } = options;
  const own: Timeouts = typeof timeout === "object" ? timeout : {};
  const usual = provider === "electron" ? FIRST_TOKEN_OF_ELECTRON : FIRST_TOKEN;
  const inMs = (value: number | false | undefined, otherwise: number) =>
    value === false ? Number.POSITIVE_INFINITY : (value ?? otherwise);
  const [firstToken, idle] = [inMs(own.firstToken, usual), inMs(own.idle, IDLE)];
  const kept = (silence: number) => Math.max(silence, inMs(own.keepAlive, 5 * silence));
  return { firstToken, idle, keptAlive: { firstToken: kept(firstToken), idle: kept(idle) } };
}

function answerHeaders(contentType: string, upstreamRequestId: string | null): Record<string, string> {
  return safeHeaders({
    "content-type": contentType,
    // Tells proxies not to buffer a stream.
    ...(contentType.startsWith(EVENT_STREAM) && { "x-accel-buffering": "no" }),
    ...(upstreamRequestId && { "x-upstream-request-id": upstreamRequestId }),
  });
}

/** The provider's id of the request, where it has the form of an id. */
function publicId(id: string | null): string | null {
  return id && /^[\w.:-]{1,128}$/.test(id) ? id : null;
}

/** The end of an answer, as its record says it. */
export function entryOf({ outcome, asked, disconnected, stalled, isRefused }: Ending): Partial<UsageRecord> {
  if (!outcome || !asked) return { outcome: "error", disconnected };
  const { status, timing } = outcome;
  const { firstByte, firstToken, total } = timing;
  const isCut = isRefused && status === "complete";
  return {
    outcome: isCut ? "truncated" : stalled && status === "truncated" ? "stalled" : status,
    disconnected,
    ...usageOf(outcome, asked),
    timing: { firstByte, firstToken, total },
  };
}
