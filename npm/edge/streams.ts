/**
 * A Durable Object that owns one stream: it sends the request, reads the answer to its end, numbers its events, keeps them
 * for a time, and serves any number of readers from any point. A reader that leaves does not stop it.
 *
 * The object owns the connection to the provider from the start, since a connection cannot be handed over. The request is written
 * down before it is sent; if the object restarts meanwhile, the log so far is all there will be, since nothing is sent twice.
 */
import { ChatDecoder, init } from "chatwire";
import type { Configuration, Route } from "./configuration.ts";
import { inletOf } from "./ends.ts";
import { parseExactly } from "./exact-json.ts";
import { noSuchStream, type Order, STATE_HEADER } from "./kept.ts";
import { type RequestLeases, withLimits } from "./limits.ts";
import { Log, Numbering } from "./log.ts";
import type { Environment, UsageRecord } from "./options.ts";
import { Problem, safeHeaders } from "./problem.ts";
import { configurationOf, type Exports } from "./registry.ts";
import { entryOf, relay } from "./relay.ts";
import { type ChatRequest, limitsOf, providerRequestOf } from "./request.ts";
import { decoderOptions, problemOf } from "./upstream.ts";
import { eventsIn } from "./whole-events.ts";

/** The state that the platform hands to an object: the part of it that is used. */
export interface StreamsState {
  storage: {
    sql: { exec(query: string, ...values: unknown[]): Iterable<Record<string, unknown>> };
    get<T>(key: string): Promise<T | undefined>;
    put(key: string, value: unknown): Promise<void>;
    deleteAll(): Promise<void>;
    /** Milliseconds since 1970. */
    setAlarm(time: number): Promise<void>;
  };
  blockConcurrencyWhile<T>(run: () => Promise<T>): Promise<T>;
  /** The classes that the worker exports, on platforms that tell. */
  exports?: Readonly<Record<string, unknown>>;
}

/** The row of a stream in storage. */
interface Entry extends Omit<Order, "body"> {
  startedAt: number;
  /** Of the request's JSON. */
  digest: string;
  /** The provider that answers, once one does. */
  answer: Pick<UsageRecord, "provider" | "upstreamModel" | "upstreamRequestId"> | null;
  /** There when it is over. */
  record: UsageRecord | null;
  endedAt: number | null;
  /** The answer broke off. */
  isCut: boolean;
  /** There was no answer: what its readers are told instead. */
  failure: { status: number; code: string; message: string } | null;
  /** `onUsage` has the record, or there is no `onUsage`. */
  isTold: boolean;
}

/** How much of a stream is kept, in bytes. */
const CAPACITY = 8 * 1024 * 1024;
/** How long it is kept after its end. */
const KEPT = 10 * 60_000;
/**
 * How much may be lost in a restart: events are written down in batches of so many bytes, or after so many milliseconds; at once
 * when a reader leaves, who may come back for them.
 */
const BATCH_BYTES = 256 * 1024;
const BATCH_TIME = 1000;
/** How soon a restart is noticed if no reader comes. */
const LOOK_AGAIN = 30_000;
/** When `onUsage` is called again with a record that it failed to take. */
const TELL_AGAIN = 30_000;
/** How long to try. */
const TELL_FOR = 24 * 60 * 60_000;
/** Long texts are written down in parts: a row has a limit. */
const PART = 500_000;

/**
 * Keeps streams that outlive their readers. Export it from the worker's main module and bind it as a Durable Object with
 * SQLite; the gateway is given the binding as `streams`.
 * @example
 * ```ts
 * export { ChatwireStreams } from "chatwire/edge";
 * export default gateway((env) => ({ …, streams: env.STREAMS, onDisconnect: "durable" }));
 * ```
 */
export class ChatwireStreams {
  readonly #storage: StreamsState["storage"];
  readonly #env: Environment;
  readonly #exports: Exports;
  readonly #stop = new AbortController();
  #log = new Log(CAPACITY);
  #entry: Entry | undefined;
  #leases: RequestLeases | undefined;
  /** Events that are not written down yet, and the number of the first. */
  #batch: Uint8Array[] = [];
  #batchFrom = 0;
  #batchBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The entry is to be written down with the next batch. */
  #isChanged = false;

  /**
   * The object is made by the platform.
   * @internal
   */
  constructor(state: StreamsState, env: unknown) {
    this.#storage = state.storage;
    this.#env = (env ?? {}) as Environment;
    this.#exports = state.exports;
    void state.blockConcurrencyWhile(() => this.#recall());
  }

  /** Called by the platform, for the gateway alone. */
  async fetch(request: Request): Promise<Response> {
    try {
      const path = new URL(request.url).pathname;
      if (path === "/open") return await this.#open((await request.json()) as Order);
      if (this.#entry?.caller !== decodeURIComponent(request.headers.get("x-caller") ?? "")) throw noSuchStream();
      if (path === "/read") return this.#read(numberAfter(request.headers.get("last-event-id") ?? ""));
      this.#stop.abort();
      return Response.json({ object: "stream", stopped: true }, { headers: safeHeaders() });
    } catch (error) {
      return problemOf(error).toResponse();
    }
  }

  /** Called by the platform at the time that was set. */
  async alarm(): Promise<void> {
    const entry = this.#entry;
    if (!entry) return;
    const now = Date.now();
    if (entry.endedAt === null) await this.#storage.setAlarm(now + LOOK_AGAIN);
    else if (!entry.isTold && now < entry.endedAt + TELL_FOR) await this.#tell(entry);
    else if (now >= entry.endedAt + KEPT) await this.#forget(entry);
    else await this.#storage.setAlarm(entry.endedAt + KEPT);
  }

  /** @param entry its record is given up where `onUsage` has not taken it */
  async #forget(entry?: Entry): Promise<void> {
    if (entry?.record && !entry.isTold)
      console.error(`chatwire/edge: record ${entry.recordId} is given up: onUsage failed for a day.`);
    this.#entry = undefined;
    this.#log = new Log(CAPACITY);
    await this.#storage.deleteAll();
  }

  // ---- Sending and reading -------------------------------------------------------------------------------------------

  async #open({ body, ...order }: Order): Promise<Response> {
    const digest = await digestOf(body);
    if (this.#entry) {
      const { caller, isChosen } = this.#entry;
      if (isChosen && order.isChosen && caller === order.caller && digest === this.#entry.digest)
        return this.#read(0, true);
      throw new Problem(409, "stream_exists", "A stream with this id exists already. Use another id.");
    }
    const configuration = this.#configuration(order.gateway);
    const route = this.#route(configuration, order.model);
    const untold = {
      answer: null,
      record: null,
      endedAt: null,
      isCut: false,
      isLost: false,
      failure: null,
      isTold: false,
    };
    const entry: Entry = { ...order, ...untold, digest, startedAt: Date.now() };
    this.#entry = entry;
    this.#writeQuestion(body);
    void this.#storage.put("entry", entry);
    void this.#storage.setAlarm(entry.startedAt + LOOK_AGAIN);

    const { caller, plan, tags, recordId, requestId, trace } = order;
    const { signal } = this.#stop;
    // The platform keeps an object alive by what it waits for.
    const waitUntil = () => {};
    const request = requestIn(order, body, route);
    const kept: Configuration = { ...configuration, onDisconnect: "abort", onUsage: (record) => this.#end(record) };
    try {
      const known = { recordId, caller, plan, signal, waitUntil };
      const leases = await configuration.shared?.open({ ...known, ...limitsOf(request) });
      this.#leases = leases;
      const relayed = await relay({
        configuration: kept,
        signal,
        requestId,
        caller,
        tags,
        request,
        recordId,
        trace,
        leases,
        waitUntil,
      });
      return await this.#keep(entry, relayed);
    } catch (error) {
      const { status, code, message } = problemOf(error);
      entry.failure = { status, code, message };
      this.#log.close({ isCut: false });
      // Where no lease was given, nothing was sent and there is no usage.
      if (entry.endedAt === null) await this.#forget();
      throw error;
    }
  }

  async #keep(entry: Entry, { response, record }: Awaited<ReturnType<typeof relay>>): Promise<Response> {
    const { provider, upstreamModel, upstreamRequestId } = record;
    entry.answer = { provider, upstreamModel, upstreamRequestId };
    this.#isChanged = true;
    const isStream = /^text\/event-stream\b/.test(response.headers.get("content-type") ?? "");
    // A provider that does not stream gives all at once, and there is nothing to come back for.
    if (!isStream) this.#log.close({ isCut: false });
    if (!isStream) return new Response(await response.arrayBuffer(), response);
    void this.#fill(entry, response.body as ReadableStream<Uint8Array>);
    const answer = this.#read(0, true);
    const id = response.headers.get("x-upstream-request-id");
    if (id) answer.headers.set("x-upstream-request-id", id);
    return withLimits(answer, this.#leases);
  }

  /** Reads to the end, with or without readers. */
  async #fill(entry: Entry, body: ReadableStream<Uint8Array>): Promise<void> {
    const numbering = new Numbering();
    const inlet = inletOf(body);
    try {
      for (let bytes = await inlet.next(); bytes; bytes = await inlet.next()) this.#add(numbering.push(bytes));
      this.#add(numbering.end());
    } catch {
      numbering.free();
      entry.isCut = !this.#stop.signal.aborted;
      this.#isChanged = true;
    }
    // Its record comes in this moment too, and is written down with it, or has come.
    if (entry.endedAt !== null) this.#write();
    this.#log.close(entry);
  }

  /** @param isAnswer to a request for a completion, whose caller takes a body that is closed for a whole one */
  #read(from: number, isAnswer = false): Response {
    if (Number.isNaN(from)) throw new Problem(400, "invalid_value", "last-event-id must be the number of an event.");
    if (from < this.#log.first) {
      throw new Problem(
        410,
        "stream_log_exceeded",
        "The stream is longer than its log, and these events were dropped. Read it from a later event.",
      );
    }
    const headers = safeHeaders({
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
      [STATE_HEADER]: this.#log.isOver ? (this.#log.isCut ? "cut" : "ended") : "open",
    });
    // Where there was no answer the entry is soon forgotten, and its readers are told all the same.
    const entry = this.#entry;
    const failure = () => {
      const { status, code, message } = entry?.failure ?? {};
      return status && code && message ? new Problem(status, code, message).toEvent() : undefined;
    };
    return new Response(this.#log.read(from, { last: failure, left: () => this.#write(), isAnswer }), { headers });
  }

  // ---- Storage ------------------------------------------------------------------------------------------------------

  #add(events: readonly Uint8Array[]): void {
    if (events.length === 0) return;
    this.#log.push(events);
    for (const event of events) {
      this.#batch.push(event);
      this.#batchBytes += event.length;
    }
    if (this.#batchBytes >= BATCH_BYTES) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), BATCH_TIME);
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isChanged) void this.#storage.put("entry", this.#entry);
    this.#isChanged = false;
    if (this.#batch.length === 0) return;
    const bytes = new Uint8Array(this.#batchBytes);
    let at = 0;
    for (const event of this.#batch) {
      bytes.set(event, at);
      at += event.length;
    }
    const insert = "INSERT OR REPLACE INTO log (first, events) VALUES (?, ?)";
    this.#storage.sql.exec(insert, this.#batchFrom, bytes.buffer);
    if (this.#log.first > 0) {
      const outdated = "DELETE FROM log WHERE first >= 0 AND first < (SELECT max(first) FROM log WHERE first <= ?)";
      this.#storage.sql.exec(outdated, this.#log.first);
    }
    this.#batchFrom += this.#batch.length;
    this.#batch = [];
    this.#batchBytes = 0;
  }

  /**
   * For the estimate, should it come to one after a restart. Each table takes the object a file's pages and their time, so there
   * is one for both: parts of the question have negative numbers, which events do not.
   */
  #writeQuestion(text: string): void {
    const { sql } = this.#storage;
    sql.exec("CREATE TABLE IF NOT EXISTS log (first INTEGER PRIMARY KEY, events BLOB NOT NULL)");
    for (let part = 0; part * PART < text.length; part++) {
      sql.exec("INSERT INTO log VALUES (?, ?)", -1 - part, text.slice(part * PART, (part + 1) * PART));
    }
  }

  /** Reads the storage after a restart. A stream that was under way is cut. */
  async #recall(): Promise<void> {
    this.#entry = await this.#storage.get<Entry>("entry");
    const entry = this.#entry;
    if (!entry) return;
    const rows = [...this.#storage.sql.exec("SELECT first, events FROM log WHERE first >= 0 ORDER BY first")];
    await init();
    const first = Number(rows[0]?.first ?? 0);
    this.#log.first = first;
    for (const { events } of rows) this.#log.push(eventsIn(new Uint8Array(events as ArrayBuffer)));
    if (entry.endedAt === null) entry.isCut = true;
    this.#log.close(entry);
    if (entry.endedAt === null) await this.#close(entry, this.#lost(entry));
    // The record is not handed over here, because no request is answered before this is done.
    if (!entry.isTold) await this.#storage.setAlarm(Date.now());
  }

  // ---- The usage record --------------------------------------------------------------------------------------------------

  /** The record of a stream that a restart has cut. */
  #lost(entry: Entry): UsageRecord {
    const { recordId, requestId, caller, tags, model, startedAt, answer } = entry;
    return {
      ...{
        recordId,
        requestId,
        caller,
        ...(tags && { tags }),
        model,
        startedAt,
        status: 200,
        outcome: "truncated",
        disconnected: false,
      },
      ...{ promptTokens: null, cached: null, completionTokens: null, tokens: null, cost: null, estimated: false },
      ...this.#estimate(entry),
      ...(answer ?? { provider: null, upstreamModel: null, upstreamRequestId: null }),
      timing: { firstByte: null, firstToken: null, total: null },
    };
  }

  /** The prompt and what is in the log have been paid for. Nothing is known where the gateway has changed meanwhile. */
  #estimate({ answer, ...order }: Entry): Partial<UsageRecord> {
    try {
      const route = this.#route(this.#configuration(order.gateway), order.model);
      const upstream = route.upstreams.find(({ name }) => name === answer?.provider) ?? route.upstreams[0];
      const parts = [...this.#storage.sql.exec("SELECT events FROM log WHERE first < 0 ORDER BY first DESC")];
      const body = parts.map(({ events }) => String(events)).join("");
      const { model, params } = providerRequestOf(requestIn(order, body, route), upstream);
      const n = Number(params.n) || 1;
      const options = { ...decoderOptions(upstream, model), n, output: "none", prompt: () => body };
      const reader = new ChatDecoder(options as ConstructorParameters<typeof ChatDecoder>[0]);
      reader.push(this.#log.bytes());
      const asked = { params: () => params as unknown as Record<string, unknown>, prices: upstream.priceOf(model) };
      return entryOf({ outcome: reader.end("lost"), asked, disconnected: false, stalled: false });
    } catch (error) {
      console.error("chatwire/edge: the usage of a lost stream cannot be estimated:", (error as Error)?.name);
      return {};
    }
  }

  /** The answer is over, as the relay says. */
  async #end(record: UsageRecord): Promise<void> {
    const entry = this.#entry;
    if (!entry || entry.endedAt !== null) return;
    const { shared, onUsage } = this.#configuration(entry.gateway);
    if (shared || onUsage) {
      await this.#close(entry, record);
      await this.#tell(entry);
      return;
    }
    entry.isTold = true;
    const isWritten = this.#close(entry, record);
    void this.#storage.setAlarm((entry.endedAt ?? Date.now()) + KEPT);
    await isWritten;
  }

  /** The record is written down before `onUsage` is called. */
  #close(entry: Entry, record: UsageRecord): Promise<void> {
    entry.record = record;
    entry.endedAt = Date.now();
    this.#isChanged = false;
    this.#write();
    this.#storage.sql.exec("DELETE FROM log WHERE first < 0");
    return this.#storage.put("entry", entry);
  }

  /** Calls `onUsage` with the record, again and again until it succeeds. */
  async #tell(entry: Entry): Promise<void> {
    const record = entry.record as UsageRecord;
    try {
      const configuration = this.#configuration(entry.gateway);
      // After a restart the leases are lost, and it is not known whether the limiter has the record.
      if (!(await this.#leases?.settled)) await configuration.shared?.settleLost(record);
      await configuration.onUsage?.(record);
      entry.isTold = true;
      await this.#storage.put("entry", entry);
      await this.#storage.setAlarm((entry.endedAt ?? Date.now()) + KEPT);
    } catch (error) {
      console.error(`chatwire/edge: onUsage failed for record ${record.recordId}:`, (error as Error)?.name);
      await this.#storage.setAlarm(Date.now() + TELL_AGAIN);
    }
  }

  #configuration(gateway: number): Configuration {
    const configuration = configurationOf(gateway, this.#env, this.#exports);
    if (!configuration)
      throw new Problem(503, "gateway_changed", "The gateway was deployed anew during this request. Try again.");
    return configuration;
  }

  #route({ routes, anyModel }: Configuration, model: string): Route {
    const route = routes ? routes.get(model) : anyModel;
    if (!route)
      throw new Problem(
        404,
        "model_not_found",
        "This gateway has no model of this name, or this token may not use it.",
        { param: "model" },
      );
    return route;
  }
}

/** A request as it was handed over. */
function requestIn({ model, maxTokens, hidesUsage }: Omit<Order, "body">, body: string, route: Route): ChatRequest {
  const json = parseExactly(body);
  const params = json.value as Record<string, unknown>;
  return { route, model, json, params, maxTokens, hidesUsage, isStream: true };
}

async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The number of the event that comes after the one with this number; from the beginning where none is named. */
function numberAfter(last: string): number {
  if (last === "") return 0;
  return /^\d{1,15}$/.test(last) ? Number(last) + 1 : Number.NaN;
}
