/**
 * What one key may use, and who is using it. Plain data: it waits for nothing, stores nothing and has no clock, so that
 * time is an argument, in milliseconds since 1970, and never runs backwards.
 *
 * A request holds a place from its admission until it is settled. Whoever holds one renews it; a place that nobody has
 * renewed for the time of a lease is given up, for its holder is gone.
 */
import type { Plan } from "./options.ts";

/** How long a request and its tokens count against limits per minute. */
export const MINUTE = 60_000;
/** How long a place is kept without being renewed. */
export const LEASE = 60_000;

/** Why a request has to wait, and when there will be room for it; `null` where that is up to the requests that run. */
export interface Refusal {
  reason: keyof Plan;
  at: number | null;
}

/** A request as it is remembered. */
export interface Remembered {
  id: string;
  /** Reserved while it runs, and then what it used. */
  tokens: number;
  /** When it was last heard of. */
  heard: number;
  /** When its response headers arrived. */
  answered: number | null;
  /** When it was settled or given up. */
  ended: number | null;
}

interface Running {
  expires: number;
  tokens: number;
  isAnswered: boolean;
}

/** Amounts that count until their time has come. */
class Window {
  readonly #entries: { frees: number; amount: number }[] = [];
  #first = 0;
  sum = 0;

  add(frees: number, amount: number): void {
    // Almost always the last.
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

  /** When so much of it counts no more; `undefined` where there is less. */
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
 * Keeps one key's plan. Whatever else is called, {@link advance} comes first.
 *
 * What can pass it: tokens, by what the requests that run use beyond what was reserved for them; and money, by what the
 * requests cost that run when the budget is reached.
 */
export class Meter {
  /** In the order in which they expire: whoever renews goes to the end. */
  readonly #running = new Map<string, Running>();
  /** Of those that run, how many count against the minute for as long as they have no headers. */
  #unanswered = 0;
  #reserved = 0;
  readonly #answers = new Window();
  readonly #used = new Window();
  #day = "";
  #cost = 0;

  /** Goes on where another left off. Requests are in the order in which they were last heard of. */
  constructor(requests: Iterable<Remembered> = [], spent: { day: string; cost: number } = { day: "", cost: 0 }) {
    for (const { id, tokens, heard, answered, ended } of requests) {
      if (ended === null) {
        this.renew(id, tokens, answered, heard);
      } else {
        this.#answers.add((answered ?? ended) + MINUTE, 1);
        this.#used.add(ended + MINUTE, tokens);
      }
    }
    this.#day = spent.day;
    this.#cost = spent.cost;
  }

  /** Lets time pass. Gives the requests whose leases have run out; they hold no place any more. */
  advance(now: number): string[] {
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

  /** When the next lease runs out if it is not renewed. */
  get nextExpiry(): number {
    for (const { expires } of this.#running.values()) return expires;
    return Number.POSITIVE_INFINITY;
  }

  holds(id: string): boolean {
    return this.#running.has(id);
  }

  /**
   * Takes a place for a request that may use so many tokens; gives what is in its way instead, if anything.
   * One that has its place already has it.
   */
  admit(id: string, plan: Plan, tokens: number, now: number): Refusal | null {
    if (this.#running.has(id)) return null;
    const refusal = this.#obstacle(plan, tokens, now);
    if (refusal) return refusal;
    this.renew(id, tokens, null, now);
    return null;
  }

  /**
   * A request still runs. One whose place was given up has it back: it runs all the same, and others have to wait.
   * @param answered when its headers arrived, if they have
   */
  renew(id: string, tokens: number, answered: number | null, now: number): void {
    const known = this.#running.get(id);
    this.#running.delete(id);
    this.#running.set(id, {
      expires: now + LEASE,
      tokens: known?.tokens ?? tokens,
      isAnswered: known?.isAnswered ?? false,
    });
    if (!known) {
      this.#unanswered++;
      this.#reserved += tokens;
    }
    if (answered !== null) this.#answer(this.#running.get(id) as Running, answered);
  }

  /**
   * A request is over, however it ended.
   * @param answered when its headers arrived; one that never had any counts from now, for its server may have counted it
   * @param tokens what it used; `null` where nobody knows, and what was reserved counts
   */
  settle(id: string, answered: number | null, tokens: number | null, now: number): void {
    const known = this.#running.get(id);
    if (known) this.#end(id, known, answered ?? now);
    this.#used.add(now + MINUTE, tokens ?? known?.tokens ?? 0);
  }

  /** A request was never sent: as if it had not been admitted. */
  cancel(id: string): void {
    const known = this.#running.get(id);
    if (!known) return;
    this.#running.delete(id);
    this.#reserved -= known.tokens;
    if (!known.isAnswered) this.#unanswered--;
  }

  /** Money was spent on a day. */
  spend(cost: number, day: string): void {
    if (day < this.#day) return;
    if (day > this.#day) this.#cost = 0;
    this.#day = day;
    this.#cost += cost;
  }

  #answer(running: Running, answered: number): void {
    if (running.isAnswered) return;
    running.isAnswered = true;
    this.#unanswered--;
    this.#answers.add(answered + MINUTE, 1);
  }

  #end(id: string, running: Running, answered: number): void {
    this.#answer(running, answered);
    this.#running.delete(id);
    this.#reserved -= running.tokens;
  }

  /** What is in the way for longest. */
  #obstacle(plan: Plan, tokens: number, now: number): Refusal | null {
    const { requestsPerMinute, tokensPerMinute, concurrent, costPerDay } = plan;
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
    if (costPerDay !== undefined && this.#day === dayOf(now) && this.#cost >= costPerDay) {
      found.push({ reason: "costPerDay", at: nextDay(now) });
    }
    return found.reduce<Refusal | null>((last, one) => (last && (last.at ?? 0) >= (one.at ?? 0) ? last : one), null);
  }
}

/** The day in UTC, as `2026-01-31`. */
export function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

function nextDay(time: number): number {
  return Date.parse(dayOf(time)) + 24 * 60 * MINUTE;
}
