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
      /** As the caller named it. */
      model: string;
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
  | { op: "usage"; query: UsageQuery }
  | { op: "state" };

/** The answer to `admit`; `after` is in milliseconds. */
export type Admission =
  | { admitted: true; left: Left }
  | { admitted: false; reason: Refusal["reason"]; after: number; left: Left };

/** A question for usage; rows come in the order of their keys. */
export interface UsageQuery {
  /** Days in UTC, both included. */
  from: string;
  to: string;
  /** One caller, or all. */
  caller: string | null;
  /** Only rows with all of these tags. */
  tags: Readonly<Record<string, string>>;
  /** The key of the row before the first; `null` from the beginning. */
  after: UsageKey | null;
  limit: number;
}

/** Day, caller, model and tags (as JSON) of a row: its place among all rows. */
export type UsageKey = readonly [day: string, caller: string, model: string, tags: string];

/** The state of one object at this moment. */
export interface LimiterStatus {
  /** The plan that came with the last message. */
  plan: Plan | null;
  /** Requests with a lease, the oldest first. */
  live: LiveRequest[];
  /** Requests that wait for one. */
  waiting: number;
  left: Left;
  /** USD. */
  spent: { day: number; month: number; total: number };
}

/** A request that is under way. */
export interface LiveRequest {
  id: string;
  caller: string | null;
  model: string | null;
  /** Milliseconds since it was admitted. */
  age: number;
}

/** Usage of one caller, with the tags of its grant, with one model on one day. */
export interface UsageRow {
  /** In UTC, as `2026-01-31`. */
  day: string;
  caller: string;
  /** As the caller named it. */
  model: string;
  /** The tags of the caller's grant, where it has any. */
  tags?: Readonly<Record<string, string>>;
  /** Requests that a provider answered. */
  requests: number;
  promptTokens: number;
  /** The prompt tokens that came from the provider's cache. */
  cached: number;
  completionTokens: number;
  tokens: number;
  /** In USD, of the requests whose cost is known; `null` where none is. */
  cost: number | null;
  /** How many of the requests have estimated numbers. */
  estimated: number;
  /** How many of the requests have no known numbers. */
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
  model: string;
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
/** The most requests under way that a status lists. */
const MOST_LISTED = 200;
/** Milliseconds to come back in, where there may be room at any time. */
const SOON = 1000;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, tokens INTEGER NOT NULL, cost REAL NOT NULL DEFAULT 0, heard INTEGER NOT NULL, answered INTEGER, ended INTEGER,
    settled INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0, caller TEXT, model TEXT, since INTEGER
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS usage (
    day TEXT, caller TEXT, model TEXT, tags TEXT, requests INTEGER, promptTokens INTEGER, cached INTEGER, completionTokens INTEGER,
    tokens INTEGER, cost REAL, estimated INTEGER, unknown INTEGER, PRIMARY KEY (day, caller, model, tags)
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
  /** The time of the last message. */
  #now: number;
  /** The plan that came with the last message. */
  #plan: Plan | null = null;

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
    this.#now = now;
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
        return this.#usage(message.query);
      case "state":
        return this.#state(now);
    }
  }

  #advance(): number {
    const now = this.#clock();
    // A clock that was put back makes nobody wait for longer.
    const back = Math.max(0, this.#now - now);
    this.#now = now;
    if (back > 0) for (const own of this.#queues.values()) for (const waiter of own) waiter.until -= back;
    for (const id of this.#meter.advance(now)) this.#sql.exec("UPDATE requests SET ended = ? WHERE id = ?", now, id);
    return now;
  }

  #admit({ wait, queue, ...request }: Told<"admit">, now: number): Promise<Admission> {
    this.#plan = request.plan;
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
      this.#refuse(waiter, { reason: "concurrent", at: null }, now);
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
    const { caller, model, tags, promptTokens, cached, completionTokens, tokens, cost, estimated, startedAt } = record;
    const day = dayOf(startedAt);
    this.#sql.exec(
      `INSERT INTO usage VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (day, caller, model, tags) DO UPDATE SET requests = requests + 1,
         promptTokens = promptTokens + excluded.promptTokens, cached = cached + excluded.cached,
         completionTokens = completionTokens + excluded.completionTokens, tokens = tokens + excluded.tokens,
         cost = CASE WHEN excluded.cost IS NULL THEN cost ELSE coalesce(cost, 0) + excluded.cost END,
         estimated = estimated + excluded.estimated, unknown = unknown + excluded.unknown`,
      day,
      caller,
      model,
      tagsText(tags),
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

  #usage({ from, to, caller, tags, after, limit }: UsageQuery): unknown[] {
    const where = ["day BETWEEN ? AND ?"];
    const values: unknown[] = [from, to];
    if (caller !== null) {
      where.push("caller = ?");
      values.push(caller);
    }
    for (const one of Object.entries(tags)) {
      // Quotes within names and values are escaped, so that this text stands only where the tag does.
      where.push("instr(tags, ?) > 0");
      values.push(tagsText(Object.fromEntries([one])).slice(1, -1));
    }
    if (after) {
      where.push("(day, caller, model, tags) > (?, ?, ?, ?)");
      values.push(...after);
    }
    const order = "ORDER BY day, caller, model, tags LIMIT ?";
    const rows = this.#sql.exec(`SELECT * FROM usage WHERE ${where.join(" AND ")} ${order}`, ...values, limit);
    return Array.from(rows, ({ tags, ...row }) => ({ ...row, ...(tags !== "" && { tags: JSON.parse(String(tags)) }) }));
  }

  #state(now: number): LimiterStatus {
    const rows = this.#sql.exec(
      "SELECT id, caller, model, since FROM requests WHERE ended IS NULL ORDER BY since, id LIMIT ?",
      MOST_LISTED,
    );
    const live = Array.from(rows, ({ id, caller, model, since }) => ({
      id: String(id),
      caller: caller === null ? null : String(caller),
      model: model === null ? null : String(model),
      age: Math.max(0, now - Number(since ?? now)),
    }));
    const plan = this.#plan;
    const left = plan ? this.#meter.left(plan, now) : {};
    return { plan, live, waiting: this.#waiting, left, spent: this.#meter.spent(now) };
  }

  /** Deletes rows that are too old to count, now and then. */
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
      const { id, caller, model, plan, tokens, cost, until } = next;
      const refusal = this.#meter.admit(id, plan, { tokens, cost }, now);
      if (refusal && until > now && (refusal.at ?? now) <= until) {
        this.#waitFor(refusal, now);
        return;
      }
      const own = (this.#queues.get(caller) ?? []).slice(1);
      // The next turn of this caller comes after those of the others.
      this.#queues.delete(caller);
      this.#keep(caller, own, 1);
      if (refusal) this.#refuse(next, refusal, now);
      else {
        const insert =
          "INSERT OR REPLACE INTO requests (id, tokens, cost, heard, caller, model, since) VALUES (?, ?, ?, ?, ?, ?, ?)";
        this.#sql.exec(insert, id, tokens, cost, now, caller, model ?? null, now);
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
      const patient = own.filter((waiter) => waiter.until > now || this.#refuse(waiter, refusal, now));
      if (patient.length < own.length) this.#keep(caller, patient);
      for (const { until } of patient) first = Math.min(first, until);
    }
    const { nextExpiry } = this.#meter;
    const wake = Math.min(nextExpiry, refusal.at ?? nextExpiry, first);
    this.#timer = setTimeout(() => this.#look(this.#advance()), Math.max(1, wake - now));
  }

  #refuse({ answer, plan }: Waiter, { reason, at }: Refusal, now: number): false {
    const left = this.#meter.left(plan, now);
    answer({ admitted: false, reason, after: at === null ? SOON : at - now, left });
    return false;
  }
}

/** Tags as JSON, in the order of their names; nothing where there are none. */
export function tagsText(tags: UsageRow["tags"]): string {
  const entries = Object.entries(tags ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? "" : JSON.stringify(Object.fromEntries(entries));
}
