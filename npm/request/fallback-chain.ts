/**
 * The servers of one call: the one that answers it now, and those that may still be asked.
 *
 * Until the first token was handed out, another answer can take the place of one that broke: from the same server, as often as
 * the engine allows, and then from others.
 */
import type { Broken, EngineDecoderOptions } from "../engine/boundary.ts";
import { define, type ErrorDescriptor } from "../errors.ts";
import type { Outcome } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { Hold } from "./connection.ts";

/** The conversation with one server. */
export interface Talk {
  open(): Promise<Answer>;
  next(broken: Broken): { opened: Promise<Answer> } | { failure: ErrorDescriptor };
  /** For the account of a request that was cancelled before its headers: a hold, the request's body, and the model's prices. */
  unanswered(): [Hold, string | undefined, EngineDecoderOptions["prices"]];
}

/** The next fallback that may do better than this failure, if there is one. */
export interface Others {
  next(failure: ErrorDescriptor): Talk | undefined;
  readonly hasMore: boolean;
}

export class FallbackChain {
  /** The conversation with the server that is asked now. */
  talk: Talk;
  readonly #others: Others | undefined;

  constructor(talk: Talk, others: Others | undefined) {
    this.talk = talk;
    this.#others = others;
  }

  /**
   * The first good response.
   * @throws {ErrorDescriptor} no server gave one
   */
  open(): Promise<Answer> {
    return this.#others ? this.#orElse(this.talk.open()) : this.talk.open();
  }

  /** Whether another answer may take the place of this one. */
  holds(again: boolean): boolean {
    return again || this.#others?.hasMore === true;
  }

  /** An answer broke before anything of it was handed out. Gives the next; `undefined` where no other server is asked. */
  again(outcome: Outcome): Promise<Answer> | undefined {
    const last = outcome.attempts.at(-1);
    if (last && outcome.error) last.reason = outcome.error.name;
    const next = this.talk.next(brokenBy(outcome));
    if ("opened" in next) return this.#orElse(next.opened);
    const { failure } = next;
    const other = this.#others?.next(failure);
    if (other) {
      this.talk = other;
      return this.#orElse(other.open());
    }
    // The failure is the outcome; its attempts, the time to come back, and that the retry quota is used up, are known only now.
    outcome.attempts = failure.attempts ?? outcome.attempts;
    const { error } = outcome;
    if (error) {
      define(error, "attempts", outcome.attempts);
      error.message = failure.message;
      if (failure.retryAt !== undefined) Object.assign(error, { retryAt: failure.retryAt });
    }
    return undefined;
  }

  async #orElse(first: Promise<Answer>): Promise<Answer> {
    let opened = first;
    for (;;) {
      try {
        return await opened;
      } catch (thrown) {
        const other = this.#others?.next(thrown as ErrorDescriptor);
        if (!other) throw thrown;
        this.talk = other;
        opened = other.open();
      }
    }
  }
}

/** The facts about a failure that the engine decides by. */
function brokenBy({ error, status }: Outcome): Broken {
  const { name = status, message = "", code, type, status: http, error: said } = (error ?? {}) as ErrorDescriptor;
  const body = said === undefined ? "" : JSON.stringify(said);
  return { name, message, code, type, status: http, body };
}
