/**
 * The Durable Object that keeps one key's plan for all isolates, and the usage of its requests.
 *
 * Around a {@link Meter} it adds storage: the leases and what counted in the last minute, so that a restart lets no request
 * pass twice, the money spent, and usage by caller, model and day. Objects that are idle between two renewals are taken out
 * of memory, so renewals are written, too.
 */
import { dayOf, type Left, Meter, MINUTE, monthOf, type Refusal, type Remembered } from "./meter.ts";
import type { Plan, UsageRecord } from "./options.ts";

/** A message of a gateway to a limiter, as JSON. Times are given as ages, since clocks differ. */
export type Message =
  | {
      op: "admit";
      id: string;
      caller: string;
      plan: Plan;
      tokens: number;
      cost: number;
      wait: number;
      /** Requests of this caller that may wait. */
      queue: number;
    }
  | { op: "renew"; id: string; tokens: number; cost: number; answered: number | null }
  | {
      op: "settle";
      id: string;
      tokens: number | null;
      answered: number | null;
      linger: number;
      record: UsageRecord | null;
    }
  | { op: "cancel"; id: string }
  | { op: "usage"; from: string; to: string; caller: string | null };

/** The answer to `admit`; `after` is in milliseconds. */
export type Admission = { admitted: true; left: Left } | { admitted: false; reason: Refusal["reason"]; after: number };

/** Usage of one caller with one model on one day. */
export interface UsageRow {
  /** In UTC, as `2026-01-31`. */
  day: string;
  caller: string;
  /** As the caller named it. */
  model: string;
  /** Requests that a provider answered. */
  requests: number;
  promptTokens: number;
  /** The part of them that came from the provider's cache. */
  cached: number;
  completionTokens: number;
  tokens: number;
  /** In USD, of the requests whose cost is known; `null` where none is. */
  cost: number | null;
  /** How many of the requests have estimated numbers. */
  estimated: number;
  /** How many of the requests have no numbers: nobody knows. */
  unknown: number;
}

/** The state that the platform gives an object: the part of it that is used. */
export interface LimiterState {
  storage: { sql: { exec(query: string, ...values: unknown[]): Iterable<Record<string, unknown>> } };
}

/** A message of one kind. */
type Told<Op extends Message["op"]> = Extract<Message, { op: Op }>;

interface Waiter {
  id: string;
  caller: string;
  plan: Plan;
  tokens: number;
  cost: number;
  until: number;
  answer(admission: Admission): void;
}

/** How long a settled request is remembered, so that one that is settled twice counts once. */
const REMEMBERED = 10 * MINUTE;
/** How long usage is kept: a year and a month. */
const USAGE_KEPT = 400 * 24 * 60 * MINUTE;
/** Requests that may wait at one object, of all callers. */
const MOST_WAITING = 10_000;
/** When to come back if there may be room at any time. */
const SOON = 1000;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, tokens INTEGER NOT NULL, cost REAL NOT NULL DEFAULT 0, heard INTEGER NOT NULL, answered INTEGER, ended INTEGER,
    settled INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS usage (
    day TEXT, caller TEXT, model TEXT, requests INTEGER, promptTokens INTEGER, cached INTEGER, completionTokens INTEGER,
    tokens INTEGER, cost REAL, estimated INTEGER, unknown INTEGER, PRIMARY KEY (day, caller, model)
  ) WITHOUT ROWID`,
  "CREATE TABLE IF NOT EXISTS spent (period TEXT PRIMARY KEY, cost REAL NOT NULL) WITHOUT ROWID",
];
/** The row of `spent` that is never forgotten. */
const IN_ALL = "all";

/**
 * Keeps limits for all isolates together. Export it from your worker's main module, bind its namespace in `wrangler.toml`,
 * and hand that to the gateway.
 *
 * @example
 * ```ts
 * import { bearerTokens, ChatwireLimiter, gateway } from "chatwire/edge";
 *
 * export { ChatwireLimiter };
 * export default gateway((env) => ({
 *   providers: { electron: { provider: "electron", apiKey: env.SMALLEST_API_KEY } },
 *   authorize: bearerTokens({ [env.ACCESS_TOKEN]: "me" }),
 *   limiter: env.LIMITER,
 *   limits: { providers: { electron: { requestsPerMinute: 10, concurrent: 3 } }, wait: 10_000 },
 * }));
 * ```
 */
export class ChatwireLimiter {
  readonly #sql: LimiterState["storage"]["sql"];
  readonly #clock: () => number;
  readonly #meter: Meter;
  /** The requests that wait, in the order they came, by their callers, in the order of their turns. */
  readonly #queues = new Map<string, Waiter[]>();
  #waiting = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tidied: number;

  /**
   * The object is made by the platform.
   * @internal
   * @param clock milliseconds since 1970; the host's by default
   */
  constructor(state: LimiterState, _env?: unknown, clock: () => number = Date.now) {
    this.#sql = state.storage.sql;
    this.#clock = clock;
    for (const table of TABLES) this.#sql.exec(table);
    const now = clock();
    this.#tidied = now;
    const requests = this.#sql.exec(
      "SELECT id, tokens, cost, heard, answered, ended FROM requests WHERE ended IS NULL OR ended > ? ORDER BY heard",
      now - MINUTE,
    );
    const [day, month] = [dayOf(now), monthOf(now)];
    const spent = (period: string) =>
      Number([...this.#sql.exec("SELECT cost FROM spent WHERE period = ?", period)][0]?.cost ?? 0);
    const sums = { day, month, inDay: spent(day), inMonth: spent(month), inAll: spent(IN_ALL) };
    this.#meter = new Meter(requests as Iterable<unknown> as Iterable<Remembered>, sums);
  }

  /** Answers a gateway. */
  async fetch(request: Request): Promise<Response> {
    return Response.json(await this.#take((await request.json()) as Message));
  }

  async #take(message: Message): Promise<unknown> {
    const now = this.#advance();
    switch (message.op) {
      case "admit":
        return this.#admit(message, now);
      case "renew":
        return this.#renew(message, now);
      case "settle":
        // A gateway that breaks an answer off knows of it sooner than the provider does.
        if (message.linger > 0) await new Promise((resolve) => setTimeout(resolve, message.linger));
        this.#settle(message, message.answered === null ? null : now - message.answered, this.#advance());
        return {};
      case "cancel":
        return this.#cancel(message.id, now);
      case "usage":
        return this.#usage(message);
    }
  }

  #advance(): number {
    const now = this.#clock();
    for (const id of this.#meter.advance(now)) this.#sql.exec("UPDATE requests SET ended = ? WHERE id = ?", now, id);
    return now;
  }

  #admit({ wait, queue, ...request }: Told<"admit">, now: number): Promise<Admission> {
    return new Promise((answer) => {
      const own = this.#queues.get(request.caller) ?? [];
      const mayWait = own.length < queue && this.#waiting < MOST_WAITING;
      own.push({ ...request, until: mayWait ? now + wait : now, answer });
      this.#queues.set(request.caller, own);
      this.#waiting++;
      this.#look(now);
    });
  }

  #renew({ id, tokens, cost, answered }: Told<"renew">, now: number): object {
    if (!this.#meter.holds(id)) {
      const [known] = this.#sql.exec("SELECT settled FROM requests WHERE id = ?", id);
      if (known?.settled) return {};
    }
    const at = answered === null ? null : now - answered;
    this.#meter.renew(id, { tokens, cost }, at, now);
    this.#sql.exec(
      `INSERT INTO requests (id, tokens, cost, heard, answered) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET heard = excluded.heard, answered = coalesce(answered, excluded.answered), ended = NULL`,
      id,
      tokens,
      cost,
      now,
      at,
    );
    this.#look(now);
    return {};
  }

  #settle({ id, tokens, record }: Told<"settle">, answered: number | null, now: number): void {
    const [known] = this.#sql.exec("SELECT tokens, settled FROM requests WHERE id = ?", id);
    if (!known?.settled) {
      this.#meter.settle(id, answered, tokens, now);
      this.#sql.exec(
        `INSERT INTO requests (id, tokens, heard, answered, ended, settled) VALUES (?, ?, ?, ?, ?, 1)
         ON CONFLICT (id) DO UPDATE SET tokens = excluded.tokens, answered = coalesce(answered, excluded.answered),
           ended = excluded.ended, settled = 1`,
        id,
        tokens ?? known?.tokens ?? 0,
        now,
        answered,
        now,
      );
    }
    if (record) this.#count(record, now);
    this.#tidy(now);
    this.#look(now);
  }

  #cancel(id: string, now: number): object {
    this.#meter.cancel(id);
    this.#sql.exec("DELETE FROM requests WHERE id = ? AND settled = 0", id);
    for (const [caller, own] of this.#queues) {
      const waiter = own.find((one) => one.id === id);
      if (!waiter) continue;
      this.#keep(
        caller,
        own.filter((one) => one !== waiter),
      );
      refuse(waiter, { reason: "concurrent", at: null }, now);
      break;
    }
    this.#look(now);
    return {};
  }

  /** Counts a record, once: it may come with several leases of its request. The first has the record's id, a retry's another. */
  #count(record: UsageRecord, now: number): void {
    const { recordId } = record;
    const [known] = this.#sql.exec("SELECT counted FROM requests WHERE id = ?", recordId);
    if (known?.counted) return;
    this.#sql.exec(
      `INSERT INTO requests (id, tokens, heard, ended, settled, counted) VALUES (?, 0, ?, ?, 1, 1)
       ON CONFLICT (id) DO UPDATE SET counted = 1`,
      recordId,
      now,
      now - MINUTE, // The row counts against no limit after a restart.
    );
    const { caller, model, promptTokens, cached, completionTokens, tokens, cost, estimated, startedAt } = record;
    const day = dayOf(startedAt);
    this.#sql.exec(
      `INSERT INTO usage VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (day, caller, model) DO UPDATE SET requests = requests + 1,
         promptTokens = promptTokens + excluded.promptTokens, cached = cached + excluded.cached,
         completionTokens = completionTokens + excluded.completionTokens, tokens = tokens + excluded.tokens,
         cost = CASE WHEN excluded.cost IS NULL THEN cost ELSE coalesce(cost, 0) + excluded.cost END,
         estimated = estimated + excluded.estimated, unknown = unknown + excluded.unknown`,
      day,
      caller,
      model,
      promptTokens ?? 0,
      cached ?? 0,
      completionTokens ?? 0,
      tokens ?? 0,
      cost,
      Number(estimated),
      Number(tokens === null),
    );
    if (cost === null) return;
    this.#meter.spend(cost, startedAt);
    for (const period of [day, monthOf(startedAt), IN_ALL]) {
      const add = "INSERT INTO spent VALUES (?, ?) ON CONFLICT (period) DO UPDATE SET cost = cost + excluded.cost";
      this.#sql.exec(add, period, cost);
    }
  }

  #usage({ from, to, caller }: Told<"usage">): unknown[] {
    const rows =
      "SELECT * FROM usage WHERE day BETWEEN ? AND ? AND (caller = ? OR ? IS NULL) ORDER BY day, caller, model";
    return [...this.#sql.exec(rows, from, to, caller, caller)];
  }

  /** Forgets what is too old to matter, now and then. */
  #tidy(now: number): void {
    if (now - this.#tidied < REMEMBERED) return;
    this.#tidied = now;
    this.#sql.exec("DELETE FROM requests WHERE ended < ?", now - REMEMBERED);
    this.#sql.exec("DELETE FROM usage WHERE day < ?", dayOf(now - USAGE_KEPT));
    this.#sql.exec("DELETE FROM spent WHERE period < ? AND period <> ?", dayOf(now - USAGE_KEPT), IN_ALL);
  }

  /** Admits the requests that wait: callers take turns, and each caller's requests go in the order they came. */
  #look(now: number): void {
    clearTimeout(this.#timer);
    for (let next = this.#next(); next; next = this.#next()) {
      const { id, caller, plan, tokens, cost, until } = next;
      const refusal = this.#meter.admit(id, plan, { tokens, cost }, now);
      if (refusal && until > now && (refusal.at ?? now) <= until) {
        this.#waitFor(refusal, now);
        return;
      }
      const own = (this.#queues.get(caller) ?? []).slice(1);
      // The next turn of this caller comes after those of the others.
      this.#queues.delete(caller);
      this.#keep(caller, own, 1);
      if (refusal) refuse(next, refusal, now);
      else {
        const insert = "INSERT OR REPLACE INTO requests (id, tokens, cost, heard) VALUES (?, ?, ?, ?)";
        this.#sql.exec(insert, id, tokens, cost, now);
        next.answer({ admitted: true, left: this.#meter.left(plan, now) });
      }
    }
  }

  /** The request whose turn is next. */
  #next(): Waiter | undefined {
    for (const [first] of this.#queues.values()) return first;
    return undefined;
  }

  /** Replaces a caller's queue, from which `gone` requests are missing where it was removed before. */
  #keep(caller: string, own: Waiter[], gone?: number): void {
    this.#waiting -= gone ?? (this.#queues.get(caller)?.length ?? 0) - own.length;
    if (own.length > 0) this.#queues.set(caller, own);
    else this.#queues.delete(caller);
  }

  /** The next request in turn waits, and all others behind it. */
  #waitFor(refusal: Refusal, now: number): void {
    let first = Number.POSITIVE_INFINITY;
    for (const [caller, own] of this.#queues) {
      const patient = own.filter((waiter) => waiter.until > now || refuse(waiter, refusal, now));
      if (patient.length < own.length) this.#keep(caller, patient);
      for (const { until } of patient) first = Math.min(first, until);
    }
    const { nextExpiry } = this.#meter;
    const wake = Math.min(nextExpiry, refusal.at ?? nextExpiry, first);
    this.#timer = setTimeout(() => this.#look(this.#advance()), Math.max(1, wake - now));
  }
}

function refuse({ answer }: Waiter, { reason, at }: Refusal, now: number): false {
  answer({ admitted: false, reason, after: at === null ? SOON : at - now });
  return false;
}
