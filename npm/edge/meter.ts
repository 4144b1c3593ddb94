/**
 * The plan of one key, and the requests that run under it. Plain data: it waits for nothing, stores nothing and has no clock,
 * so that time is an argument, in milliseconds since 1970. Where it runs backwards, nothing counts for longer than it would have.
 *
 * A request holds a lease from its admission until it is settled, and renews it. A lease that was not renewed in time expires:
 * its holder is gone.
 */
import type { Plan } from "./options.ts";
import type { Reservation } from "./reservation.ts";

/** How long a request and its tokens count against limits per minute. */
export const MINUTE = 60_000;
/** How long a lease lasts without being renewed. */
export const LEASE = 60_000;

/** Why a request has to wait, and when there will be room for it; `null` where that is up to the requests that run. */
export interface Refusal {
  reason: keyof Plan;
  at: number | null;
}

/** The state of a request. */
export interface Remembered {
  id: string;
  /** The reserved tokens while the request runs, the used ones after it. */
  tokens: number;
  /** USD that are reserved while it runs. */
  cost: number;
  /** The time of the last message about the request. */
  heard: number;
  /** When its response headers arrived. */
  answered: number | null;
  /** When it was settled or given up. */
  ended: number | null;
}

/** USD that were spent in the day and the month, and in all. */
export interface Spent {
  day: string;
  month: string;
  inDay: number;
  inMonth: number;
  inAll: number;
}

const NOTHING_SPENT: Spent = { day: "", month: "", inDay: 0, inMonth: 0, inAll: 0 };

/** The amounts that are set aside for a request. */
type Reserved = Pick<Reservation, "tokens" | "cost">;

/** A limit of a plan, how much of it is left, and in how many milliseconds all of it is there again if nothing more is asked. */
export interface Remaining {
  limit: number;
  left: number;
  reset: number;
}

/** The rest of a plan's requests and tokens in this minute, and of the narrowest of its budgets in USD. */
export interface Left {
  requests?: Remaining;
  tokens?: Remaining;
  cost?: Remaining;
}

interface Running {
  expires: number;
  tokens: number;
  cost: number;
  isAnswered: boolean;
}

/** Amounts that count until their time has come. */
class Window {
  readonly #entries: { frees: number; amount: number }[] = [];
  #first = 0;
  sum = 0;

  add(frees: number, amount: number): void {
    // The place is almost always the last.
    let at = this.#entries.length;
    while (at > this.#first && (this.#entries[at - 1]?.frees ?? 0) > frees) at--;
    this.#entries.splice(at, 0, { frees, amount });
    this.sum += amount;
  }

  forget(now: number): void {
    for (let entry = this.#entries[this.#first]; entry && entry.frees <= now; entry = this.#entries[++this.#first]) {
      this.sum -= entry.amount;
    }
    if (this.#first > 1000 && this.#first * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** No amount counts after this time. */
  endBy(time: number): void {
    for (let at = this.#entries.length - 1; at >= this.#first; at--) {
      const entry = this.#entries[at] as { frees: number };
      if (entry.frees <= time) break;
      entry.frees = time;
    }
  }

  /** The time from which no amount counts any more; `undefined` where none does now. */
  get lastFrees(): number | undefined {
    return this.#first < this.#entries.length ? this.#entries.at(-1)?.frees : undefined;
  }

  /** The time from which so much of the sum counts no more; `undefined` where the sum is less. */
  freed(amount: number): number | undefined {
    let sum = 0;
    for (let at = this.#first; at < this.#entries.length; at++) {
      const { frees, amount: one } = this.#entries[at] as { frees: number; amount: number };
      sum += one;
      if (sum >= amount) return frees;
    }
    return undefined;
  }
}

/**
 * Keeps one key's plan. Call {@link advance} before any other method.
 *
 * Tokens can pass their limit by what running requests use beyond their reservation, and money by what running requests
 * cost beyond theirs.
 */
export class Meter {
  /** The leases in the order in which they expire: a renewed one goes to the end. */
  readonly #running = new Map<string, Running>();
  /** How many of the running requests have no headers yet: these count against the minute. */
  #unanswered = 0;
  #reserved = 0;
  #reservedCost = 0;
  readonly #answers = new Window();
  readonly #used = new Window();
  #spent: Spent;
  /** The last time that it was moved to. */
  #now = Number.POSITIVE_INFINITY;

  /** Continues from the state of another meter. Requests are in the order of their last messages. */
  constructor(requests: Iterable<Remembered> = [], spent: Spent = NOTHING_SPENT) {
    for (const { id, tokens, cost, heard, answered, ended } of requests) {
      if (ended === null) {
        this.renew(id, { tokens, cost }, answered, heard);
      } else {
        this.#answers.add((answered ?? ended) + MINUTE, 1);
        this.#used.add(ended + MINUTE, tokens);
      }
    }
    this.#spent = { ...spent };
  }

  /** Moves to a time. Gives the requests whose leases have expired by then. */
  advance(now: number): string[] {
    if (now < this.#now) this.#goBack(now);
    this.#now = now;
    this.#answers.forget(now);
    this.#used.forget(now);
    const expired: string[] = [];
    for (const [id, running] of this.#running) {
      if (running.expires > now) break;
      this.#end(id, running, now);
      this.#used.add(now + MINUTE, running.tokens);
      expired.push(id);
    }
    return expired;
  }

  /** The clock was put back, or that of another meter was ahead. */
  #goBack(now: number): void {
    this.#answers.endBy(now + MINUTE);
    this.#used.endBy(now + MINUTE);
    for (const running of this.#running.values()) running.expires = Math.min(running.expires, now + LEASE);
  }

  /** When the next lease expires if it is not renewed. */
  get nextExpiry(): number {
    for (const { expires } of this.#running.values()) return expires;
    return Number.POSITIVE_INFINITY;
  }

  holds(id: string): boolean {
    return this.#running.has(id);
  }

  /**
   * Gives a request a lease and reserves what it may use, or returns the limit that prevents it. A request that holds a lease
   * keeps it.
   */
  admit(id: string, plan: Plan, reserved: Reserved, now: number): Refusal | null {
    if (this.#running.has(id)) return null;
    const refusal = this.#obstacle(plan, reserved, now);
    if (refusal) return refusal;
    this.renew(id, reserved, null, now);
    return null;
  }

  /**
   * Renews the lease of a request that still runs. Where the lease had expired, the request gets it back, and others have to
   * wait.
   * @param answered when its headers arrived, if they have
   */
  renew(id: string, { tokens, cost }: Reserved, answered: number | null, now: number): void {
    const known = this.#running.get(id);
    this.#running.delete(id);
    this.#running.set(id, {
      expires: now + LEASE,
      tokens: known?.tokens ?? tokens,
      cost: known?.cost ?? cost,
      isAnswered: known?.isAnswered ?? false,
    });
    if (!known) {
      this.#unanswered++;
      this.#reserved += tokens;
      this.#reservedCost += cost;
    }
    if (answered !== null) this.#answer(this.#running.get(id) as Running, answered);
  }

  /**
   * A request is over, however it ended.
   * @param answered when its headers arrived; one that never had any counts from now, for its server may have counted it
   * @param tokens what it used; `null` where that is not known, and the reserved amount counts
   */
  settle(id: string, answered: number | null, tokens: number | null, now: number): void {
    const known = this.#running.get(id);
    if (known) this.#end(id, known, answered ?? now);
    this.#used.add(now + MINUTE, tokens ?? known?.tokens ?? 0);
  }

  /** Takes back the admission of a request that was never sent. */
  cancel(id: string): void {
    const known = this.#running.get(id);
    if (!known) return;
    this.#release(id, known);
    if (!known.isAnswered) this.#unanswered--;
  }

  /** Money was spent on a request that began at `time`. */
  spend(cost: number, time: number): void {
    const [day, month] = [dayOf(time), monthOf(time)];
    const spent = this.#spent;
    if (day > spent.day) Object.assign(spent, { day, inDay: 0 });
    if (month > spent.month) Object.assign(spent, { month, inMonth: 0 });
    if (day === spent.day) spent.inDay += cost;
    if (month === spent.month) spent.inMonth += cost;
    spent.inAll += cost;
  }

  #answer(running: Running, answered: number): void {
    if (running.isAnswered) return;
    running.isAnswered = true;
    this.#unanswered--;
    this.#answers.add(answered + MINUTE, 1);
  }

  #end(id: string, running: Running, answered: number): void {
    this.#answer(running, answered);
    this.#release(id, running);
  }

  #release(id: string, { tokens, cost }: Running): void {
    this.#running.delete(id);
    this.#reserved -= tokens;
    // Sums of fractions drift; without a request there is nothing reserved.
    this.#reservedCost = this.#running.size === 0 ? 0 : this.#reservedCost - cost;
  }

  /** The rest of a plan, as far as it has limits: never below 0. */
  left(plan: Plan, now: number): Left {
    const { requestsPerMinute, tokensPerMinute } = plan;
    const rest = (limit: number, taken: number, freed: number): Remaining => ({
      limit,
      left: Math.max(0, limit - taken),
      reset: Math.max(0, Math.ceil(freed - now)),
    });
    /** A request that still runs counts for a minute after its end at least. */
    const freed = (window: Window, isGrowing: boolean) =>
      Math.max(window.lastFrees ?? now, isGrowing ? now + MINUTE : now);
    const budgets = this.#budgets(plan, now).map(({ limit, spent, at }) => rest(limit, spent + this.#reservedCost, at));
    const [first, ...others] = budgets;
    return {
      ...(requestsPerMinute !== undefined && {
        requests: rest(
          requestsPerMinute,
          this.#unanswered + this.#answers.sum,
          freed(this.#answers, this.#unanswered > 0),
        ),
      }),
      ...(tokensPerMinute !== undefined && {
        tokens: rest(tokensPerMinute, this.#reserved + this.#used.sum, freed(this.#used, this.#reserved > 0)),
      }),
      ...(first && { cost: others.reduce((least, one) => (one.left < least.left ? one : least), first) }),
    };
  }

  /** USD that were spent in this day and month, and in all. */
  spent(now: number): { day: number; month: number; total: number } {
    const { day, month, inDay, inMonth, inAll } = this.#spent;
    return { day: day === dayOf(now) ? inDay : 0, month: month === monthOf(now) ? inMonth : 0, total: inAll };
  }

  #budgets(plan: Plan, now: number): { reason: keyof Plan; limit: number; spent: number; at: number }[] {
    const { day, month, total } = this.spent(now);
    const budgets = [
      { reason: "costPerDay", spent: day, at: nextDay(now) },
      { reason: "costPerMonth", spent: month, at: nextMonth(now) },
      // A total budget frees only when its limit is raised; no request waits for that.
      { reason: "costTotal", spent: total, at: nextDay(now) },
    ] as const;
    return budgets.flatMap((budget) => {
      const limit = plan[budget.reason];
      return limit === undefined ? [] : [{ ...budget, limit }];
    });
  }

  /** The limit that holds the request back for longest. */
  #obstacle(plan: Plan, { tokens, cost }: Reserved, now: number): Refusal | null {
    const { requestsPerMinute, tokensPerMinute, concurrent } = plan;
    const found: Refusal[] = [];
    const requests = this.#unanswered + this.#answers.sum + 1;
    if (requestsPerMinute !== undefined && requests > requestsPerMinute) {
      const at = this.#answers.freed(requests - requestsPerMinute) ?? null;
      found.push({ reason: "requestsPerMinute", at });
    }
    if (tokensPerMinute !== undefined) {
      // A request that is larger than the limit has its turn when nothing else counts.
      const wanted = this.#reserved + this.#used.sum + Math.min(tokens, tokensPerMinute);
      if (wanted > tokensPerMinute) {
        const at = this.#used.freed(wanted - tokensPerMinute) ?? null;
        found.push({ reason: "tokensPerMinute", at });
      }
    }
    if (concurrent !== undefined && this.#running.size >= concurrent) {
      found.push({ reason: "concurrent", at: null });
    }
    for (const { reason, limit, spent, at } of this.#budgets(plan, now)) {
      // As with tokens, a request that costs more than is left has its turn when nothing else is reserved.
      if (spent >= limit) found.push({ reason, at });
      else if (this.#reservedCost > 0 && spent + this.#reservedCost + cost > limit) found.push({ reason, at: null });
    }
    return found.reduce<Refusal | null>((last, one) => (last && (last.at ?? 0) >= (one.at ?? 0) ? last : one), null);
  }
}

/** The day in UTC, as `2026-01-31`. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** The month in UTC, as `2026-01`. */
export function monthOf(time: number): string {
  return dayOf(time).slice(0, 7);
}

function nextDay(time: number): number {
  return Date.parse(dayOf(time)) + 24 * 60 * MINUTE;
}

function nextMonth(time: number): number {
  const date = new Date(time);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
