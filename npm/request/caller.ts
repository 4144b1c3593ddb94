/**
 * One request through the engine: from what the caller gave to a response whose headers have arrived.
 */

import { cancelBody } from "../discard.ts";
import { type EngineCall, LONGEST_MS, PROVIDER, type ProviderFacts } from "../engine/boundary.ts";
import { clock } from "../engine/clock.ts";
import { answer, init, initNow, settingsText } from "../engine/engine.ts";
import { aborted, ChatwireError, type ErrorDetail, outcomeOf, toError, unsent } from "../errors.ts";
import { onDemand, priceList } from "../load.ts";
import type { ClientOptions, Fallback, Hooks, Operation, RequestOptions } from "../options.ts";
import { about, GATEWAY, type KeptRequest, type KeptStream, keep, type ResumeProtocol } from "../stream/resume.ts";
import type { CustomProvider, Fetch, ModelPrices, Outcome, Prices, Timeouts, UsageTotals } from "../types.ts";
import type { Answer, Call, Target } from "./answer.ts";
import { Connection, type Hold, isByModel } from "./connection.ts";
import { FallbackChain, type Talk } from "./fallback-chain.ts";
import { standard as asStandard } from "./host-fetch.ts";
import { Conversation, follow, nothing, type Opened, type Told, tell, wait } from "./opening.ts";
import { Slot } from "./slot.ts";
import { names, plainHeaders, texts, wellFormed } from "./texts.ts";

/** The values that the arguments of all hooks of one call share. */
export interface Named {
  call: string;
  model: string | null;
  operation: Operation;
  parameters: Record<string, number | boolean>;
}

/** How many calls were made. */
let calls = 0;

/** @param isTold to hooks; else the model alone is of use */
function nameOf(target: Target, isTold: boolean): Named {
  const { path, params, stream } = target;
  const asked = (params as { model?: unknown } | undefined)?.model;
  const model = typeof asked === "string" ? asked : null;
  if (!isTold) return { model } as Named;
  const operation = path === "/models" ? "models" : "resume" in target ? "resume" : "chat";
  calls++;
  const call = `${calls}-${Math.random().toString(36).slice(2, 10)}`;
  // Numbers and switches hold none of the request's contents.
  const parameters: Named["parameters"] = {};
  for (const [name, value] of Object.entries({ ...(params as object), ...(stream && { stream }) })) {
    if (typeof value === "number" || typeof value === "boolean") parameters[name] = value;
  }
  return { call, model, operation, parameters };
}

/** The options of a call whose caller gave none. */
export const NO_OPTIONS: RequestOptions = Object.freeze({});

/** The options of a call that the engine reads. */
function settingsOf(options: RequestOptions) {
  const { query, timeout, maxRetries, decoding, accumulate, sentences, continueWith } = options;
  return {
    headers: plainHeaders(options.headers),
    query,
    timeout,
    maxRetries,
    decoding,
    // Another server goes on from the text.
    accumulate: continueWith ? true : accumulate,
    sentences,
    names: names(options),
    continueWith: continueWith && names(continueWith),
  };
}

type CallSettings = Partial<ReturnType<typeof settingsOf>>;

/** The caller's parameters as JSON. A value that JSON cannot say is a named error here. */
function toBody(params: unknown, stream: boolean): string {
  let message = `parameters must be an object such as { messages: [{ role: "user", content: "Hello" }] }`;
  if (typeof params === "object" && params !== null && !Array.isArray(params)) {
    try {
      return wellFormed(JSON.stringify(stream ? { ...params, stream } : params));
    } catch {
      // The host's own message may quote the value that it failed on.
      message = "parameters must be plain JSON: a BigInt or an object that contains itself cannot be sent";
    }
  }
  throw unsent("invalid_json", message);
}

/** Services whose prices are listed, by name and by address. */
const LISTED =
  /^openai$|^https:\/\/(?:api\.(?:openai|anthropic|groq)\.com|api\.x\.ai|generativelanguage\.googleapis\.com)\b/;

/** The `Caller` behind each client, for those that fall back on it. */
const callers = new WeakMap<object, Caller>();

/** A client's part of the engine, and the way to make calls with it. */
export class Caller {
  readonly #given: ClientOptions;
  readonly #options: ClientOptions;
  readonly #connection: Connection;
  readonly #warned = new Set<string>();
  /** The price of each model, once it is loaded, or found to be in no list. */
  #priceOf: ((model: string) => Prices | undefined) | undefined;
  /** How this client's server keeps streams; another than the gateway's is loaded before the first request. */
  #protocol: ResumeProtocol = GATEWAY;

  /** @param client who is to make the calls */
  constructor(options: ClientOptions, client: object) {
    if (options.fetch !== undefined && typeof options.fetch !== "function") {
      throw new ChatwireError("fetch must be a function such as the global fetch.");
    }
    const { fallback } = options;
    const isFallback = (one?: Fallback) => callers.has(one?.client as object) && typeof one?.model === "string";
    if (fallback && !(Array.isArray(fallback) && fallback.every(isFallback))) {
      throw new ChatwireError("fallback must be a list of { client, model }, each client another Chatwire.");
    }
    const { resume = "chatwire" } = options;
    if (!RESUME_PROTOCOLS.includes(resume)) {
      throw new ChatwireError(`resume must be one of ${RESUME_PROTOCOLS.join(", ")}.`);
    }
    const { fetch } = options;
    this.#given = options;
    this.#options = fetch ? { ...options, fetch: standard(fetch) } : options;
    this.#connection = new Connection(this.#options);
    callers.set(client, this);
    // A page fetches the engine from here on, so that it is there, or nearly, when the first call is made. Where that fails,
    // the call loads it again, and rejects if that fails too.
    if (initNow()) this.#connection.part;
    else init().catch(() => {});
  }

  /** The totals of all calls. */
  get usage(): UsageTotals {
    return this.#connection.usage;
  }

  /** The options as they were given. */
  get options(): ClientOptions {
    return this.#given;
  }

  /** Where requests go; what was given, while the engine is not there yet. */
  get baseURL(): string {
    if (initNow()) return this.#provider().baseURL;
    const { baseURL, provider } = this.#given;
    return baseURL ?? (provider as { baseURL?: string } | undefined)?.baseURL ?? "";
  }

  /**
   * Where requests go, once the engine is there.
   * @throws {ChatwireError} the client was disposed of
   */
  async address(): Promise<string> {
    this.#connection.mustBeOpen();
    return (await this.provider()).baseURL;
  }

  /** The facts about the provider. */
  async provider(): Promise<ProviderFacts> {
    await init();
    return this.#provider();
  }

  #provider(): ProviderFacts {
    this.#connection.part.call(PROVIDER);
    return answer();
  }

  /** How answers are read unless a call says otherwise. */
  get decoding(): ClientOptions["decoding"] {
    return this.#options.decoding;
  }

  /** The members that a turn needs beside its text for this server to go on with it; nothing where it does not. */
  get prefill(): object | undefined {
    const { prefill } = (this.#given.provider ?? {}) as CustomProvider;
    return prefill === true ? {} : prefill || undefined;
  }

  /**
   * Loads the prices of models, where a cost may need them. A model that the list lacks costs null, and so does every model
   * where the list cannot be loaded.
   */
  loadPrices(): Promise<void> | undefined {
    if (this.#priceOf) return undefined;
    const { prices, provider, baseURL } = this.#given;
    const own = isByModel(prices) ? prices : undefined;
    const custom = provider as CustomProvider | undefined;
    const isListed = LISTED.test(baseURL ?? custom?.baseURL ?? String(provider));
    if (own || (isListed && !prices && !custom?.prices)) return this.#readPrices(own);
    this.#priceOf = () => undefined;
    return undefined;
  }

  async #readPrices(own: ModelPrices | undefined): Promise<void> {
    try {
      const [{ priceAt }] = await Promise.all([priceList(), init()]);
      const address = this.baseURL;
      this.#priceOf = (model) => priceAt(address, model, own);
    } catch (thrown) {
      if (own) throw thrown;
    }
  }

  /** Loads the parts that few calls need, and the prices at the same time. */
  loadMore(): ReturnType<typeof onDemand> {
    this.loadPrices()?.catch(() => {}); // the request loads the prices again, and its error is the caller's
    return onDemand();
  }

  /** Starts a call. Every error of the call rejects `answer`. */
  start(target: Target, options: RequestOptions): Call {
    const controller = new AbortController();
    return { controller, answer: this.#open(target, options, controller) };
  }

  async #open(target: Target, options: RequestOptions, controller: AbortController): Promise<Answer> {
    const settings = options === NO_OPTIONS ? {} : settingsOf(options);
    const { signal } = controller;
    const { hooks, fallback } = this.#options;
    // Other clients may have hooks.
    const named = nameOf(target, Boolean(hooks || fallback || options.continueWith));
    let unlink = nothing;
    let body: string | undefined;
    try {
      this.#connection.mustBeOpen();
      unlink = follow(options.signal, controller);
      // Made at once, so that later changes of the caller's object do not reach this call.
      if ("params" in target) body = toBody(target.params, target.stream === true);
      const ended = (slot: Slot) => this.#ending(slot, unlink, named, body);
      return await this.#ask(target, body, options, settings, signal, named, ended);
    } catch (thrown) {
      unlink();
      const error = toError(thrown);
      if (body !== undefined) this.#tellOutcome(outcomeOf(error), named, body);
      throw signal.aborted ? aborted(signal.reason) : error;
    }
  }

  /** Asks this client's server, and the other servers that the options name. */
  async #ask(
    target: Target,
    body: string | undefined,
    options: RequestOptions,
    settings: CallSettings,
    signal: AbortSignal,
    named: Named,
    ended: (slot: Slot) => NonNullable<Answer["ended"]>,
  ): Promise<Answer> {
    const isPosted = body !== undefined;
    const { record, continueWith = [], resumeId } = options;
    const fallback = isPosted ? (this.#options.fallback ?? []) : [];
    const hedge = isPosted && (options.hedge ?? this.#options.hedge ?? false);
    if (typeof hedge !== "boolean" && !(hedge > 0 && hedge <= LONGEST_MS)) {
      throw unsent("invalid_option", `hedge must be true, false or milliseconds up to ${LONGEST_MS}`, "hedge");
    }
    // `continuedBy` judges the list.
    const others = fallback.concat(continueWith as Fallback[]);
    const isRecorded = record && target.stream;
    // Of this client's server, which may keep streams otherwise than the gateway of this package.
    const { resume = "chatwire" } = this.#given;
    const needsMore = isRecorded || hedge || others.length > 0 || resume !== "chatwire";
    const more = needsMore ? onDemand() : undefined;
    const needs = [
      more,
      initNow() ? undefined : init(),
      target.needs,
      isPosted ? this.loadPrices() : undefined,
      ...others.map((one) => callers.get(one?.client)?.loadPrices()),
    ].filter(Boolean);
    const all = needs.length > 0 ? Promise.all(needs) : undefined;
    // A caller who leaves at once has sent nothing.
    await (all && wait(signal, null, all));
    if (signal.aborted) throw aborted(signal.reason);
    if (all) await all;
    const loaded = more && (await more);
    this.#findProtocol(loaded);
    const taken = "resume" in target ? this.#keptBy(target.resume) : undefined;
    const chosen = isPosted && target.stream ? (resumeId ?? this.#madeUpId(hedge === false)) : undefined;
    const call = this.#callFor(target, settings, taken, chosen);
    const kept = taken ?? chosen;
    const askFor = (signal: AbortSignal) => (client: object, body: string, call: EngineCall, model: string) => {
      const other = callers.get(client) as Caller;
      other.#connection.mustBeOpen();
      other.#findProtocol(loaded);
      const suited = (target.suited ?? loaded?.suited)?.(body, other.#provider()) ?? body;
      return other.#talk(wellFormed(suited), call, signal, { ...named, model });
    };
    const suited = target.suited?.(body as string, this.#provider()) ?? body;
    const left = [...fallback];
    const chainFor = (signal: AbortSignal) => {
      const others = left.length > 0 ? loaded?.othersOf(left, body as string, call, askFor(signal)) : undefined;
      return new FallbackChain(this.#talk(suited, call, signal, named, kept), others);
    };
    const chain = chainFor(signal);
    const prepare = (answer: Answer): Answer => {
      const { slot } = answer;
      answer.holds = chain.holds(answer.holds === true);
      if (isRecorded && loaded) answer.recorder = new loaded.Recorder(answer.decoder, answer.sent);
      // The recorder alone needs them, and a stream that goes on would keep them.
      answer.sent = [];
      if (isPosted) {
        answer.again = (outcome) => {
          const next = chain.again(outcome);
          if (next) slot.leave(outcome);
          return next?.then(prepare);
        };
      }
      answer.ended = ended(slot);
      return goOn?.(answer) ?? answer;
    };
    const goOn =
      isPosted && target.stream && options.continueWith
        ? loaded?.continuedBy(continueWith, body, {
            callerOf: (client) => callers.get(client),
            ask: async ({ client, model }, sent, attempts) => {
              const own = { ...call, headers: undefined, query: undefined, attempts };
              return prepare(await askFor(signal)(client, sent, own, model).open());
            },
            signal,
          })
        : undefined;
    const after = hedge === true ? this.#provider().hedgeAfter : hedge || null;
    if (after === null || !loaded) return prepare(await chain.open());
    const begin = () => {
      const own = new AbortController();
      follow(signal, own);
      return { chain: chainFor(own.signal), controller: own };
    };
    const answer = await loaded.race({ begin, after, signal });
    // An answer with a token keeps its place: no other one can replace it.
    return { ...prepare(answer), holds: false, again: undefined };
  }

  /** An id for a stream whose caller chose none, where its server keeps only streams that have one. */
  #madeUpId(isOnly: boolean): string | undefined {
    // Of two requests with one made-up name, some servers would end the first.
    return this.#protocol.needsName && isOnly ? crypto.randomUUID() : undefined;
  }

  /** @param taken the stream that is taken up, if one is; `chosen` names the one that is asked for */
  #callFor(
    target: Target,
    settings: CallSettings,
    taken: KeptStream | undefined,
    chosen: string | undefined,
  ): EngineCall {
    const { path, query, headers }: KeptRequest = taken?.resumption() ?? target;
    const naming = chosen === undefined ? undefined : this.#protocol.named?.(chosen);
    return {
      ...settings,
      headers: texts({ ...settings.headers, ...headers, ...naming }),
      query: texts({ ...settings.query, ...query }),
      path,
      stream: target.stream === true,
      now: clock(),
    };
  }

  /**
   * Makes the function that ends a call. In a method of its own, so that its closure does not keep all that the stream was
   * opened with.
   */
  #ending(slot: Slot, unlink: () => void, named: Named, body: string | undefined): (outcome?: Outcome) => void {
    return (outcome) => {
      unlink();
      slot.end(outcome, latencyOf(outcome));
      if (outcome) this.#tellOutcome(outcome, named, body);
    };
  }

  #findProtocol(loaded: { protocolNamed(name: string | undefined): ResumeProtocol | undefined } | undefined): void {
    this.#protocol = loaded?.protocolNamed(this.#given.resume) ?? this.#protocol;
  }

  #keptBy(id: unknown): KeptStream {
    if (typeof id === "string" && this.#protocol.isId(id)) return this.#protocol.at(id);
    throw new ChatwireError("resume takes the resumeId of a stream, which this is not: start again with stream().");
  }

  /**
   * Begins to ask this client's server.
   * @param kept the stream that is taken up, or the id that was chosen for the one that is asked for
   */
  #talk(
    body: string | undefined,
    asked: EngineCall,
    signal: AbortSignal,
    named: Named,
    kept?: KeptStream | string,
  ): Talk {
    const prices = named.model === null ? undefined : this.#priceOf?.(named.model);
    const call = prices ? { ...asked, prices } : asked;
    const told = (hook: string, what: { warnings?: ErrorDetail[] }) => {
      if (this.#options.hooks?.[hook as keyof Hooks]) tell(this.#options.hooks, hook, { ...named, ...what });
      else this.#warn(what.warnings);
    };
    const method = body === undefined ? "GET" : "POST";
    let hold: Hold | undefined;
    let conversation: Conversation;
    const answered = async (opened: () => Promise<Opened>) => {
      let slot: Slot | undefined;
      let answer: Opened | undefined;
      try {
        answer = await opened();
        slot = new Slot(hold as Hold, answer.id, conversation);
        return this.#answer(answer, body, call, signal, told, slot, kept);
      } catch (thrown) {
        slot?.settle();
        slot ? slot.leave() : hold?.release();
        cancelBody(answer?.response.body);
        throw thrown;
      }
    };
    return {
      open: () =>
        answered(() => {
          // Before there is a hold: what JSON cannot say is an error here.
          const text = settingsText(call);
          hold = this.#connection.hold();
          conversation = new Conversation(this.#options, body, method, signal, told);
          return conversation.open(hold.part, text);
        }),
      next: (broken) => {
        const next = conversation.next(broken);
        return "opened" in next ? { opened: answered(() => next.opened) } : next;
      },
      unanswered: () => [this.#connection.hold(), body, prices],
    };
  }

  /** A response, and how to read it. */
  #answer(
    opened: Opened,
    body: string | undefined,
    call: EngineCall,
    signal: AbortSignal,
    told: Told,
    slot: Slot,
    known?: KeptStream | string,
  ): Answer {
    const { response, decoder } = opened;
    if (body !== undefined) decoder.prompt = body;
    if (call.sentences) decoder.sentences = call.sentences;
    // A body that the host could only read whole says so.
    const { verdict } = (response.body ?? {}) as Pick<Answer, "verdict">;
    const answer: Answer = {
      ...opened,
      requestId: decoder.requestId ?? null,
      body: response.body,
      slot,
      signal,
      verdict,
    };
    const stream = call.stream ? this.#keptIn(response, known) : undefined;
    if (!stream) return answer;
    let unlink = nothing;
    const kept = keep(
      response,
      stream,
      async (request) => {
        const { method = "GET" } = request;
        const own = new AbortController();
        // Only the last request for a stream is under way. A stream is stopped after its caller has left, so the signal no
        // longer counts.
        unlink();
        unlink = follow(method === "GET" ? signal : null, own);
        const hold = this.#connection.hold();
        try {
          const conversation = new Conversation(this.#options, undefined, method, own.signal, nothing);
          const { response, id } = await conversation.open(hold.part, settingsText(about(call, request)));
          conversation.free();
          hold.account(id);
          return response;
        } finally {
          hold.release();
        }
      },
      told,
      idleIn(call.timeout) ?? idleIn(this.#options.timeout),
    );
    return { ...answer, ...kept };
  }

  /** The stream that an answer is one of, where its server keeps it. */
  #keptIn(response: Response, known: KeptStream | string | undefined): KeptStream | undefined {
    if (typeof known === "object") return known;
    const id = this.#protocol.idIn(response, known, () => this.baseURL);
    return id === undefined || !this.#protocol.isId(id) ? undefined : this.#protocol.at(id);
  }

  /** Prints the warnings about a request to the console, where no hook takes them: each kind once. */
  #warn(warnings: readonly ErrorDetail[] = []): void {
    for (const { code, path, message } of warnings) {
      if (this.#warned.has(code)) continue;
      this.#warned.add(code);
      console.warn(`chatwire: ${path.join(".")}: ${message} (${code})`);
    }
  }

  #tellOutcome(outcome: Outcome, named: Named, request: string | null = null): void {
    const { hooks } = this.#options;
    if (!hooks) return;
    const { status, finishReason, usage, cost, timing, attempts, requestId, resumed, completion, error } = outcome;
    const answered = completion && { id: completion.id, model: completion.model };
    const failed = error ? { name: error.name, code: (error as { code?: string | null }).code ?? null } : null;
    const told = { status, finishReason, usage, cost, timing, attempts, requestId, resumed };
    tell(hooks, "onContents", { ...named, request, outcome });
    tell(hooks, "onOutcome", { ...named, ...told, completion: answered, error: failed });
  }

  /** Refuses new calls; those under way go on. */
  dispose(): void {
    this.#connection.dispose();
  }
}

/**
 * After how long the first token came, of a call whose first attempt was answered. One that a second request overtook counts with
 * the time of that one: without the slowest, the next would seem slow sooner and sooner.
 */
function latencyOf(outcome: Outcome | undefined): number | undefined {
  const isFirst = outcome?.attempts.filter(({ reason }) => reason !== "hedged").length === 1;
  return (isFirst && outcome.timing.firstToken) || undefined;
}

/** The option `timeout.idle`, where it is given. */
function idleIn(timeout: unknown): number | false | undefined {
  return typeof timeout === "object" && timeout !== null ? (timeout as Timeouts).idle : undefined;
}

/** How servers keep streams. */
const RESUME_PROTOCOLS: readonly string[] = ["chatwire", "llama-server", "cloudflare-ai-gateway", "durable-streams"];

/** A caller's own `fetch`, whose responses are made standard. */
function standard(fetch: Fetch): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const body: unknown = response?.body;
    if (!body || typeof (body as ReadableStream).getReader === "function") return response;
    return asStandard(response);
  };
}
