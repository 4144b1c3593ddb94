/**
 * A Durable Object that owns streams, one after the other: it sends a request, reads the answer to its end, numbers its events, keeps
 * them for a time, and serves any number of readers from any point. A reader that leaves does not stop a stream.
 *
 * The object owns the connection to the provider from the start, since a connection cannot be handed over. The request is written
 * down before it is sent; if the object restarts meanwhile, the log so far is all there will be, since nothing is sent twice. The object reads one
 * answer at a time, so that a restart cuts no more than one; it takes the next when that has ended, because the database of a new object
 * takes the platform several times what a request takes.
 */
import { ChatDecoder, init } from "chatwire";
import { Alarm } from "./alarm.ts";
import type { Configuration, Route } from "./configuration.ts";
import { parseExactly } from "./exact-json.ts";
import { BUSY_HEADER, noSuchStream, type Order, STATE_HEADER, STREAM_OF_OBJECT } from "./kept.ts";
import { CAPACITY, KeptStream } from "./kept-stream.ts";
import { type RequestLeases, withLimits } from "./limits.ts";
import { Log } from "./log.ts";
import type { Environment, UsageRecord } from "./options.ts";
import { Problem, safeHeaders } from "./problem.ts";
import { configurationOf, type Exports } from "./registry.ts";
import { entryOf, type Relayed, relay } from "./relay.ts";
import { type ChatRequest, limitsOf, providerRequestOf } from "./request.ts";
import { type Entry, StreamRows, type StreamsState } from "./stream-rows.ts";
import { decoderOptions, problemOf } from "./upstream.ts";
import { eventsIn } from "./whole-events.ts";

/** How long a stream is kept after its end. */
const KEPT = 10 * 60_000;
/** How many streams an object keeps: it reads their entries after a restart, and has to have room for all of them, each as long as it may be. */
const MOST_STREAMS = 100;
/** How soon a restart is noticed if no reader comes. */
const LOOK_AGAIN = 30_000;
/** When `onUsage` is called again with a record that it failed to take. */
const TELL_AGAIN = 30_000;
/** How long to try. */
const TELL_FOR = 24 * 60 * 60_000;

/** A stream that is kept. */
interface Held {
  number: number;
  /** There while it is under way. */
  stream: KeptStream | undefined;
  /** Its events, while somebody reads them after its end: all readers share them. */
  log?: Log | undefined;
  endedAt: number | null;
}

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
  readonly #rows: StreamRows;
  /** The streams that are kept, by their ids within this object. */
  readonly #held = new Map<string, Held>();
  /** How many of them are under way. */
  #open = 0;
  /** The number of the next. */
  #next = 0;
  /** Those whose record `onUsage` failed to take, the longest ago first, and their leases, unless a restart has lost them. */
  readonly #untold = new Map<string, RequestLeases | undefined>();
  /** The one timer of the host for all streams and readers. */
  readonly #timer = new Alarm();
  /** When the alarm rings. */
  #alarm = Number.POSITIVE_INFINITY;

  /**
   * The object is made by the platform.
   * @internal
   */
  constructor(state: StreamsState, env: unknown) {
    this.#storage = state.storage;
    this.#rows = new StreamRows(state.storage.sql);
    this.#env = (env ?? {}) as Environment;
    this.#exports = state.exports;
    void state.blockConcurrencyWhile(() => this.#recall());
  }

  /** Called by the platform, for the gateway alone. */
  async fetch(request: Request): Promise<Response> {
    try {
      const path = request.url.slice(request.url.lastIndexOf("/"));
      if (path === "/open") return await this.#start((await request.json()) as Order);
      const held = this.#held.get(request.headers.get(STREAM_OF_OBJECT) ?? "");
      const entry = held && (held.stream?.entry ?? this.#rows.entry(held.number));
      if (!entry || entry.caller !== decodeURIComponent(request.headers.get("x-caller") ?? "")) throw noSuchStream();
      if (path === "/read") return this.#read(held, numberAfter(request.headers.get("last-event-id") ?? ""));
      held.stream?.stop.abort();
      return Response.json({ object: "stream", stopped: true }, { headers: safeHeaders() });
    } catch (error) {
      return problemOf(error).toResponse();
    }
  }

  /** Called by the platform at the time that was set. */
  async alarm(): Promise<void> {
    this.#alarm = Number.POSITIVE_INFINITY;
    const now = Date.now();
    await this.#tellAgain(now);
    for (const [id, { number, endedAt }] of this.#held) {
      if (endedAt === null || now < endedAt + KEPT || this.#untold.has(id)) continue;
      this.#rows.delete(number);
      this.#held.delete(id);
    }
    if (this.#held.size === 0) {
      this.#rows.forget();
      await this.#storage.deleteAll();
      return;
    }
    const ends = [...this.#held.values()].map(({ endedAt }) => endedAt ?? now);
    const isWatched = this.#open > 0 || this.#untold.size > 0;
    // Streams that end one after the other are deleted together.
    this.#ringAt(isWatched ? now + LOOK_AGAIN : Math.max(now + LOOK_AGAIN, Math.min(...ends) + KEPT));
  }

  /** The alarm rings at a time, or before. */
  #ringAt(time: number): void {
    if (this.#alarm <= time) return;
    this.#alarm = time;
    void this.#storage.setAlarm(time);
  }

  // ---- Sending and reading -------------------------------------------------------------------------------------------

  async #start({ body, ...order }: Order): Promise<Response> {
    const digest = order.isChosen ? await digestOf(body) : null;
    const known = this.#held.get(order.stream);
    if (known) {
      const { isChosen, caller, digest: own } = known.stream?.entry ?? this.#rows.entry(known.number);
      if (isChosen && order.isChosen && caller === order.caller && digest === own) return this.#read(known, 0, true);
      throw new Problem(409, "stream_exists", "A stream with this id exists already. Use another id.");
    }
    const isFull = this.#held.size >= MOST_STREAMS;
    if (isFull || this.#open > 0) {
      const headers = safeHeaders({ [BUSY_HEADER]: isFull ? "full" : "busy" });
      return Response.json({}, { status: 503, headers });
    }
    const configuration = this.#configuration(order.gateway);
    const route = this.#route(configuration, order.model);
    const untold = { answer: null, record: null, endedAt: null, isCut: false, failure: null, isTold: false };
    const stream = new KeptStream(this.#rows, this.#timer, this.#next++, {
      ...order,
      ...untold,
      digest,
      startedAt: Date.now(),
    });
    const held: Held = { number: stream.number, stream, endedAt: null };
    this.#held.set(order.stream, held);
    this.#open++;
    try {
      return await this.#send(held, stream, { configuration, route, body });
    } catch (error) {
      stream.refuse(problemOf(error));
      // Where it has no record, nothing was sent, and there is no usage.
      if (held.stream) {
        void stream.leases?.cancel();
        this.#held.delete(order.stream);
        this.#open--;
      }
      throw error;
    }
  }

  async #send(
    held: Held,
    stream: KeptStream,
    { configuration, route, body }: { configuration: Configuration; route: Route; body: string },
  ): Promise<Response> {
    const { caller, plan, tags, recordId, requestId, trace } = stream.entry;
    const { signal } = stream.stop;
    // The platform keeps an object alive by what it waits for.
    const waitUntil = () => {};
    const request = requestIn(stream.entry, body, route);
    const onUsage = (record: UsageRecord) => this.#end(held, stream, record);
    const leases = await configuration.shared?.open({
      ...{ recordId, caller, plan, signal, waitUntil },
      ...limitsOf(request),
    });
    stream.leases = leases;
    stream.begin(body);
    this.#ringAt(Date.now() + LOOK_AGAIN);
    const relayed = await relay({
      ...{ configuration: { ...configuration, onDisconnect: "abort", onUsage }, sink: stream, request, leases, signal },
      ...{ requestId, caller, tags, recordId, trace, waitUntil, alarm: new Alarm() },
    });
    return this.#answer(held, stream, relayed);
  }

  async #answer(held: Held, stream: KeptStream, { response, record }: Relayed): Promise<Response> {
    stream.answered(record);
    if (response.body) {
      // A provider that does not stream gives all at once, and there is nothing to come back for.
      stream.log.close({ isCut: false });
      return new Response(await response.arrayBuffer(), response);
    }
    const answer = this.#read(held, 0, true);
    const id = response.headers.get("x-upstream-request-id");
    if (id) answer.headers.set("x-upstream-request-id", id);
    return withLimits(answer, stream.leases);
  }

  /** @param isAnswer to a request for a completion, whose caller takes a body that is closed for a whole one */
  #read(held: Held, from: number, isAnswer = false): Response {
    if (Number.isNaN(from)) throw new Problem(400, "invalid_value", "last-event-id must be the number of an event.");
    const { number, stream } = held;
    const entry = stream?.entry ?? this.#rows.entry(number);
    const log = stream?.log ?? held.log ?? this.#logOf(number, entry);
    if (from < log.first) {
      throw new Problem(
        410,
        "stream_log_exceeded",
        "The stream is longer than its log, and these events were dropped. Read it from a later event.",
      );
    }
    const headers = safeHeaders({
      "content-type": "text/event-stream",
      "x-accel-buffering": "no",
      [STATE_HEADER]: log.isOver ? (log.isCut ? "cut" : "ended") : "open",
    });
    // A stream that had no answer tells its readers so, also when it is dropped.
    const last = () => {
      const { status, code, message } = entry.failure ?? {};
      return status && code && message ? new Problem(status, code, message).toEvent() : undefined;
    };
    const over = () => {
      if (!log.isRead) held.log = undefined;
    };
    if (!stream) held.log = log;
    return new Response(log.read(from, { last, left: () => stream?.write(), over, isAnswer }), { headers });
  }

  // ---- Storage ------------------------------------------------------------------------------------------------------

  /** The events of a stream that is over. */
  #logOf(number: number, entry: Entry): Log {
    const pieces = this.#rows.events(number);
    const log = new Log(CAPACITY, this.#timer, pieces[0]?.first);
    for (const { bytes } of pieces) log.push({ bytes, count: eventsIn(bytes).length });
    log.close(entry);
    return log;
  }

  /** Reads the storage after a restart. A stream that was under way is cut. */
  async #recall(): Promise<void> {
    const found = this.#rows.entries();
    if (found.length > 0) await init();
    for (const { number, entry } of found) {
      this.#next = number + 1;
      if (entry.endedAt === null) this.#cut(number, entry);
      this.#held.set(entry.stream, { number, stream: undefined, endedAt: entry.endedAt });
      if (!entry.isTold) this.#untold.set(entry.stream, undefined);
    }
    // Records are not handed over here, because no request is answered before this is done.
    if (this.#untold.size > 0) this.#ringAt(Date.now());
  }

  #cut(number: number, entry: Entry): void {
    entry.isCut = true;
    entry.record = this.#lost(number, entry);
    entry.endedAt = Date.now();
    this.#rows.writeEntry(number, entry);
    this.#rows.deleteQuestion(number);
  }

  // ---- The usage record --------------------------------------------------------------------------------------------------

  /** The record of a stream that a restart has cut. */
  #lost(number: number, entry: Entry): UsageRecord {
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
      ...this.#estimate(number, entry),
      ...(answer ?? { provider: null, upstreamModel: null, upstreamRequestId: null }),
      timing: { firstByte: null, firstToken: null, total: null },
    };
  }

  /** The prompt and what is in the log have been paid for. Nothing is known where the gateway has changed meanwhile. */
  #estimate(number: number, { answer, ...order }: Entry): Partial<UsageRecord> {
    try {
      const route = this.#route(this.#configuration(order.gateway), order.model);
      const upstream = route.upstreams.find(({ name }) => name === answer?.provider) ?? route.upstreams[0];
      const body = this.#rows.question(number);
      const { model, params } = providerRequestOf(requestIn(order, body, route), upstream);
      const n = Number(params.n) || 1;
      const options = { ...decoderOptions(upstream, model), n, output: "none", prompt: () => body };
      const reader = new ChatDecoder(options as ConstructorParameters<typeof ChatDecoder>[0]);
      const events = this.#rows.events(number);
      for (const { bytes } of events) reader.push(bytes);
      const asked = { params: () => params as unknown as Record<string, unknown>, prices: upstream.priceOf(model) };
      // Of an answer without an event the prompt counts, as of one that was given up.
      const outcome = reader.end(events.length > 0 ? "lost" : "aborted");
      const found = entryOf({ outcome, asked, disconnected: false, stalled: false });
      return events.length > 0 ? found : { ...found, outcome: "truncated" };
    } catch (error) {
      console.error("chatwire/edge: the usage of a lost stream cannot be estimated:", (error as Error)?.name);
      return {};
    }
  }

  /** The answer is over, as the relay says. */
  async #end(held: Held, stream: KeptStream, record: UsageRecord): Promise<void> {
    if (held.endedAt !== null) return;
    const { entry, leases } = stream;
    const { shared, onUsage } = this.#configuration(entry.gateway);
    const isTold = !shared && !onUsage;
    // The record is written down before `onUsage` is called.
    stream.end(record, isTold);
    held.endedAt = entry.endedAt;
    held.stream = undefined;
    this.#open--;
    if (!isTold) await this.#tell(held.number, entry, leases);
  }

  /** Calls `onUsage` with a record. If that fails, the alarm calls it again. */
  async #tell(number: number, entry: Entry, leases: RequestLeases | undefined): Promise<void> {
    const record = entry.record as UsageRecord;
    this.#untold.delete(entry.stream);
    try {
      const configuration = this.#configuration(entry.gateway);
      // After a restart the leases are lost, and it is not known whether the limiter has the record.
      if (!(await leases?.settled)) await configuration.shared?.settleLost(record);
      await configuration.onUsage?.(record);
      entry.isTold = true;
      this.#rows.writeEntry(number, entry);
    } catch (error) {
      console.error(`chatwire/edge: onUsage failed for record ${record.recordId}:`, (error as Error)?.name);
      this.#untold.set(entry.stream, leases);
      this.#ringAt(Date.now() + TELL_AGAIN);
    }
  }

  /** Calls `onUsage` with the records that it has not taken, one after the other, until that takes too long. */
  async #tellAgain(now: number): Promise<void> {
    for (const [id, leases] of [...this.#untold]) {
      const { number } = this.#held.get(id) as Held;
      const entry = this.#rows.entry(number);
      if (now >= (entry.endedAt ?? now) + TELL_FOR) {
        console.error(`chatwire/edge: record ${entry.record?.recordId} is given up: onUsage failed for a day.`);
        this.#untold.delete(id);
      } else await this.#tell(number, entry, leases);
      if (Date.now() > now + LOOK_AGAIN) return;
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
