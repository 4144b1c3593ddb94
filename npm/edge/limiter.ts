/**
 * The Durable Object that keeps one key's plan for all isolates, and the books of what was used.
 *
 * Around a {@link Meter} it adds what must survive: who holds a place and what counted in the last minute, so that a restart
 * lets nobody pass twice, and usage by caller, model and day. Objects that are idle between two renewals are taken out of
 * memory, so renewals are written, too.
 */
import { dayOf, Meter, MINUTE, type Refusal, type Remembered } from "./meter.ts";
import type { Plan, UsageRecord } from "./options.ts";

/** What a gateway tells a limiter, as JSON. Times are given as ages, since clocks differ. */
export type Message =
  | { op: "admit"; id: string; plan: Plan; tokens: number; wait: number }
  | { op: "renew"; id: string; tokens: number; answered: number | null }
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
export type Admission = { admitted: true } | { admitted: false; reason: Refusal["reason"]; after: number };

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

/** What the platform gives an object: the part that is used. */
export interface LimiterState {
  storage: { sql: { exec(query: string, ...values: unknown[]): Iterable<Record<string, unknown>> } };
}

/** A message of one kind. */
type Told<Op extends Message["op"]> = Extract<Message, { op: Op }>;

interface Waiter {
  id: string;
  plan: Plan;
  tokens: number;
  until: number;
  answer(admission: Admission): void;
}

/** How long a settled request is remembered, so that one that is settled twice counts once. */
const REMEMBERED = 10 * MINUTE;
/** How long usage is kept: a year and a month. */
const USAGE_KEPT = 400 * 24 * 60 * MINUTE;
/** A queue that is longer has no hope. */
const MOST_WAITING = 1000;
/** When to come back if there may be room at any time. */
const SOON = 1000;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS requests (
    id TEXT PRIMARY KEY, tokens INTEGER NOT NULL, heard INTEGER NOT NULL, answered INTEGER, ended INTEGER,
    settled INTEGER NOT NULL DEFAULT 0, booked INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS usage (
    day TEXT, caller TEXT, model TEXT, requests INTEGER, promptTokens INTEGER, cached INTEGER, completionTokens INTEGER,
    tokens INTEGER, cost REAL, estimated INTEGER, unknown INTEGER, PRIMARY KEY (day, caller, model)
  ) WITHOUT ROWID`,
];

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
  /** In the order they came. */
  #waiting: Waiter[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tidied: number;

  /** @param clock milliseconds since 1970; the host's by default */
  constructor(state: LimiterState, _env?: unknown, clock: () => number = Date.now) {
    this.#sql = state.storage.sql;
    this.#clock = clock;
    for (const table of TABLES) this.#sql.exec(table);
    const now = clock();
    this.#tidied = now;
    const [spent] = this.#sql.exec("SELECT coalesce(sum(cost), 0) AS cost FROM usage WHERE day = ?", dayOf(now));
    const requests = this.#sql.exec(
      "SELECT id, tokens, heard, answered, ended FROM requests WHERE ended IS NULL OR ended > ? ORDER BY heard",
      now - MINUTE,
    );
    this.#meter = new Meter(requests as Iterable<unknown> as Iterable<Remembered>, {
      day: dayOf(now),
      cost: Number(spent?.cost),
    });
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
        // Whoever breaks an answer off knows of it sooner than its server does.
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

  #admit({ id, plan, tokens, wait }: Told<"admit">, now: number): Promise<Admission> {
    return new Promise((answer) => {
      const until = this.#waiting.length < MOST_WAITING ? now + wait : now;
      this.#waiting.push({ id, plan, tokens, until, answer });
      this.#look(now);
    });
  }

  #renew({ id, tokens, answered }: Told<"renew">, now: number): object {
    if (!this.#meter.holds(id)) {
      const [known] = this.#sql.exec("SELECT settled FROM requests WHERE id = ?", id);
      if (known?.settled) return {};
    }
    const at = answered === null ? null : now - answered;
    this.#meter.renew(id, tokens, at, now);
    this.#sql.exec(
      `INSERT INTO requests (id, tokens, heard, answered) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET heard = excluded.heard, answered = coalesce(answered, excluded.answered), ended = NULL`,
      id,
      tokens,
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
    if (record) this.#book(record, now);
    this.#tidy(now);
    this.#look(now);
  }

  #cancel(id: string, now: number): object {
    this.#meter.cancel(id);
    this.#sql.exec("DELETE FROM requests WHERE id = ? AND settled = 0", id);
    const waiter = this.#waiting.find((one) => one.id === id);
    this.#waiting = this.#waiting.filter((one) => one !== waiter);
    if (waiter) refuse(waiter, { reason: "concurrent", at: null }, now);
    this.#look(now);
    return {};
  }

  /** Once, whichever of its request's places told of it: the first has the record's id, a retry's another. */
  #book(record: UsageRecord, now: number): void {
    const { recordId } = record;
    const [known] = this.#sql.exec("SELECT booked FROM requests WHERE id = ?", recordId);
    if (known?.booked) return;
    this.#sql.exec(
      `INSERT INTO requests (id, tokens, heard, ended, settled, booked) VALUES (?, 0, ?, ?, 1, 1)
       ON CONFLICT (id) DO UPDATE SET booked = 1`,
      recordId,
      now,
      now - MINUTE, // It takes no place after a restart.
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
    this.#meter.spend(cost ?? 0, day);
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
  }

  /** Lets in who may come, in the order they asked, and sends away whose patience ends before there is room. */
  #look(now: number): void {
    clearTimeout(this.#timer);
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const { id, plan, tokens, until } = first;
      const refusal = this.#meter.admit(id, plan, tokens, now);
      if (refusal && until > now && (refusal.at ?? now) <= until) {
        this.#waitFor(refusal, now);
        return;
      }
      this.#waiting.shift();
      if (refusal) refuse(first, refusal, now);
      else {
        this.#sql.exec("INSERT OR REPLACE INTO requests (id, tokens, heard) VALUES (?, ?, ?)", id, tokens, now);
        first.answer({ admitted: true });
      }
    }
  }

  /** The first in the queue waits, and all behind it. */
  #waitFor(refusal: Refusal, now: number): void {
    this.#waiting = this.#waiting.filter((waiter) => waiter.until > now || refuse(waiter, refusal, now));
    const { nextExpiry } = this.#meter;
    const wake = Math.min(nextExpiry, refusal.at ?? nextExpiry, ...this.#waiting.map(({ until }) => until));
    this.#timer = setTimeout(() => this.#look(this.#advance()), Math.max(1, wake - now));
  }
}

function refuse({ answer }: Waiter, { reason, at }: Refusal, now: number): false {
  answer({ admitted: false, reason, after: at === null ? SOON : at - now });
  return false;
}
