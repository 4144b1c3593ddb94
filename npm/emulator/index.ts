/**
 * The emulator: Electron's chat completions endpoint and ElectronHub's three paths, without a network.
 *
 * Written from the services' published pages alone. The emulator shares nothing with the client that is tested against it, so a
 * mistake in one is not repeated in the other. The emulator runs wherever Request, Response and ReadableStream exist.
 *
 * @module
 */
import { type Clock, createBody, HOST_CLOCK, INSTANT, type Pace } from "./body.ts";
import { brokenAnswer } from "./broken.ts";
import { createPrefixCache } from "./cache.ts";
import { bearerOf, type Call, openCall, refuseCall } from "./call.ts";
import { completionOf } from "./completion.ts";
import { errorBody, type Refusal } from "./errors.ts";
import { createLedger, type Ledger, type LedgerRecord, type Service, type Usage } from "./ledger.ts";
import { createCooldownLimiter, createPlanLimiter, type Limiter, PLANS } from "./limits.ts";
import { modelList } from "./models.ts";
import type { EmulatorOptions } from "./options.ts";
import { createRandom, type Random } from "./random.ts";
import { baseModel } from "./reasoning.ts";
import type { ChatRequest } from "./request.ts";
import { writeStream } from "./stream.ts";
import { createTroubleDesk, describeTrouble, type Trouble, takeTroubleOut, troublesBody } from "./trouble.ts";
import { answerLimit, promptTokens, takeTurn } from "./turn.ts";
import { CONTEXT_TOKENS, contextRefusal, validate, validationRefusal } from "./validate.ts";

export type { Clock } from "./body.ts";
export type { Ledger, LedgerRecord, Service, Usage } from "./ledger.ts";
export type { CooldownLimits, PlanLimits } from "./limits.ts";
export type { EmulatorOptions } from "./options.ts";
export { countTokens, tokenize } from "./tokens.ts";
export type { Trouble, TroubleRequest } from "./trouble.ts";

/** A running emulator; see {@link createEmulator}. */
export interface Emulator {
  /**
   * Answers a request, as the global `fetch` would. May be passed around on its own.
   *
   * Only the path of the URL matters, so any host will do:
   * `/waves/v1/chat/completions` is Electron; `/v1`, `/v1legacy` and `/v1thinking` before `/chat/completions` are
   * ElectronHub; each base has `GET .../models`. Refusals are responses. The promise rejects, as `fetch` does, with the signal's
   * reason when that is aborted, and with a TypeError when `refuse` was asked for.
   */
  fetch(this: void, input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** The requests so far, and their cost. */
  readonly ledger: Ledger;
  /** Back to its first state: ledger, prefix cache, limits, counted troubles, and the number of the next request. */
  reset(this: void): void;
}

/** One request on its way through. */
interface Exchange {
  call: Call;
  record: LedgerRecord;
  random: Random;
  trouble: Trouble;
  /** Headers the limiter adds to whatever is answered. */
  headers: Record<string, string>;
  /** Ends the record; `left` when the caller left early. Later calls change nothing. */
  end(left: boolean): void;
  release(): void;
}

/**
 * Creates an emulator. Nothing is started: timers run only inside requests.
 *
 * @throws {RangeError} the option `trouble` is a text that cannot be read
 * @example
 * import { createEmulator } from "chatwire/emulator";
 *
 * const emulator = createEmulator({ seed: 7 });
 * const response = await emulator.fetch("https://api.smallest.ai/waves/v1/chat/completions", {
 *   method: "POST",
 *   headers: { authorization: "Bearer any", "x-emulator": "cut=300" },
 *   body: JSON.stringify({ model: "electron", messages: [{ role: "user", content: "Echo: hi" }], stream: true }),
 * });
 * console.log(await response.text(), emulator.ledger.tokens.total);
 */
export function createEmulator(options: EmulatorOptions = {}): Emulator {
  const seed = options.seed ?? 1;
  const models = options.models ?? ["electron"];
  const clock: Clock = options.clock ?? HOST_CLOCK;
  const ledger = createLedger();
  const cache = createPrefixCache();
  const desk = createTroubleDesk(options.trouble);
  const limiters = limitersFor(options);
  let arrived = 0;

  async function fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const call = openCall(input, init);
    call.signal?.throwIfAborted();
    const exchange = begin(call, ++arrived);
    const { record } = exchange;
    try {
      const { body, wish } = takeTroubleOut(parse(call.method === "POST" ? await call.text() : ""));
      const found = desk.troubleFor(call, record.number, body, wish);
      if ("refusal" in found) return refuse(exchange, found.refusal);
      exchange.trouble = found.trouble;
      record.trouble = describeTrouble(found.trouble);
      await pass(exchange, found.trouble["slow-headers"] ?? 0);
      if (found.trouble.refuse) throw new TypeError("fetch failed");
      return await respond(exchange, body);
    } catch (error) {
      exchange.end(call.signal?.aborted ?? false);
      throw error;
    }
  }

  function begin(call: Call, number: number): Exchange {
    const random = createRandom(seed, number);
    const record: LedgerRecord = {
      number,
      requestId: `req_${random.id(24)}`,
      method: call.method,
      path: call.path,
      service: call.service,
      startedAt: clock.now(),
      endedAt: null,
      status: 0,
      model: null,
      stream: false,
      usage: null,
      aborted: false,
      trouble: "",
    };
    ledger.add(record);
    const exchange: Exchange = {
      call,
      record,
      random,
      trouble: {},
      headers: {},
      end(left) {
        if (record.endedAt !== null) return;
        record.endedAt = clock.now();
        record.aborted = left;
        exchange.release();
        options.onEnd?.(record);
      },
      release() {},
    };
    return exchange;
  }

  /** Lets time pass, unless the caller leaves first. */
  async function pass({ call: { signal } }: Exchange, ms: number): Promise<void> {
    if (ms > 0) await clock.sleep(ms, signal ?? new AbortController().signal);
    signal?.throwIfAborted();
  }

  async function respond(exchange: Exchange, body: unknown): Promise<Response> {
    const { call } = exchange;
    const key = bearerOf(call.headers);
    const broken = brokenAnswer(exchange.trouble);
    if (broken) {
      if ("message" in broken) return refuse(exchange, broken);
      return whole(exchange, broken.content, broken.status, broken.headers);
    }
    if (!call.service) return refuse(exchange, { status: 404, message: `Nothing is served at ${call.path}.` });
    const refusal = refuseCall(call, key, options.apiKeys);
    if (refusal) return refuse(exchange, refusal);
    if (call.resource === "models") {
      const list = JSON.stringify(modelList(call.service, models));
      return whole(exchange, list, 200, { "content-type": "application/json" });
    }
    const turnedAway = admit(exchange, call.service, key, body);
    if (turnedAway) return refuse(exchange, turnedAway);
    return chat(exchange, call.service, key, body as ChatRequest);
  }

  /** Limits first, then what the request says: a refused one still took its slot in the queue. */
  function admit(exchange: Exchange, service: Service, key: string, body: unknown): Refusal | null {
    const verdict = limiters[service]?.admit(key, clock.now());
    if (verdict) exchange.headers = verdict.headers;
    if (verdict?.allowed === false) return { status: 429, message: verdict.message }; // openapi 188-194
    if (verdict?.allowed) exchange.release = verdict.release;

    if (body === undefined) return { status: 400, message: "The body is not JSON." };
    const issues = validate(service, body, models);
    if (issues.length > 0) return validationRefusal(issues);
    if (service !== "electron") return null;
    const request = body as ChatRequest;
    return contextRefusal(promptTokens(request).length, answerLimit(request));
  }

  async function chat(exchange: Exchange, service: Service, key: string, request: ChatRequest): Promise<Response> {
    const { call, record, random, trouble } = exchange;
    const prompt = promptTokens(request);
    const cached = cache.lookUp(key, prompt);
    cache.remember(key, prompt);
    const room = service === "electron" ? CONTEXT_TOKENS - prompt.length : Number.MAX_SAFE_INTEGER;
    const turn = takeTurn(request, { service, path: call.path, room, random, interleave: trouble.interleave === true });
    if (trouble.finish) for (const choice of turn.choices) choice.finishReason = trouble.finish;

    const usageAfter = (completion: number): Usage => ({
      prompt_tokens: prompt.length,
      completion_tokens: completion,
      total_tokens: prompt.length + completion,
      ...(service === "electron" ? { prompt_tokens_details: { cached_tokens: cached } } : {}),
      ...(turn.reasoningTokens > 0
        ? { completion_tokens_details: { reasoning_tokens: Math.min(turn.reasoningTokens, completion) } }
        : {}),
    });
    const usage = usageAfter(turn.completionTokens);
    record.model = request.model;
    record.stream = trouble["as-json"] ? false : trouble["as-sse"] === true || request.stream === true;
    record.usage = usageAfter(0);

    const pace = paceOf(trouble, record.number);
    const created = Math.floor(clock.now() / 1000);
    const envelope = { id: `chatcmpl-${random.id(29)}`, created, model: baseModel(request.model) };
    if (!record.stream) {
      await pass(exchange, pace.timeToFirstToken + Math.max(0, turn.completionTokens - 1) * pace.interval);
      record.usage = usage;
      const json = JSON.stringify(completionOf(turn, envelope, request, usage, random));
      const content = trouble.malformed ? json.slice(0, json.length / 2) : json;
      return whole(exchange, content, 200, { "content-type": "application/json" });
    }

    record.status = 200;
    let generated = 0;
    const source = { turn, envelope, request, service, requestId: record.requestId, usage, random, trouble };
    const body = createBody(writeStream(source), pace, trouble, call.signal, {
      tokens(count) {
        generated += count;
        record.usage = usageAfter(generated);
      },
      ended: exchange.end,
    });
    const type = "text/event-stream; charset=utf-8";
    return new Response(body, { headers: headersFor(exchange, { "content-type": type, "cache-control": "no-cache" }) });
  }

  function paceOf(trouble: Trouble, number: number): Pace {
    const perSecond = trouble.tps ?? options.tokensPerSecond ?? Infinity;
    return {
      clock,
      timeToFirstToken: trouble.ttft ?? options.timeToFirstToken ?? 0,
      interval: perSecond > 0 ? 1000 / perSecond : 0,
      jitter: createRandom(seed, -number).next,
    };
  }

  return {
    fetch,
    ledger,
    reset() {
      ledger.reset();
      cache.clear();
      desk.clear();
      limiters.electron?.clear();
      limiters.electronhub?.clear();
      arrived = 0;
    },
  };
}

function limitersFor({ limits, cooldown }: EmulatorOptions): Record<Service, Limiter | null> {
  const plan = typeof limits === "string" ? PLANS[limits] : limits;
  return {
    electron: plan ? createPlanLimiter(plan) : null,
    electronhub: cooldown ? createCooldownLimiter(cooldown) : null,
  };
}

function headersFor({ record, headers }: Exchange, extra: Record<string, string>): Record<string, string> {
  return { "x-request-id": record.requestId, ...headers, ...extra };
}

/** A response whose body is there at once. The exchange ends with it, or with its body where that is in trouble. */
function whole(exchange: Exchange, content: string | null, status: number, extra: Record<string, string>): Response {
  const { call, trouble } = exchange;
  exchange.record.status = status;
  const init = { status, headers: headersFor(exchange, extra) };
  if (content === null || !troublesBody(trouble)) {
    exchange.end(false);
    return new Response(content, init);
  }
  const observer = { tokens() {}, ended: exchange.end };
  return new Response(createBody([{ frame: content, tokens: 0 }], INSTANT, trouble, call.signal, observer), init);
}

function refuse(exchange: Exchange, refusal: Refusal): Response {
  // Callers seldom read what a refusal says; it holds no slot meanwhile.
  exchange.record.status = refusal.status;
  exchange.end(false);
  const error = errorBody(exchange.call.service, refusal, exchange.record.requestId);
  const type = { "content-type": "application/json" };
  return whole(exchange, JSON.stringify({ error }), refusal.status, { ...type, ...refusal.headers });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
