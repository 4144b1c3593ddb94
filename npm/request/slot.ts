/**
 * The slot of one answer within its client's limits, and the conversation that may bring another answer in its place. An object of its own,
 * so that a stream which goes on keeps nothing else of the way it was opened.
 */
import type { Outcome, Usage } from "../types.ts";
import type { Hold } from "./connection.ts";
import type { Conversation } from "./opening.ts";

export class Slot {
  readonly #hold: Hold;
  /** The call's number in the engine's accounts; no call has the number 0. */
  #id: number;
  #conversation: Conversation | undefined;
  #isOpen = true;

  constructor(hold: Hold, id: number, conversation: Conversation) {
    this.#hold = hold;
    this.#id = id;
    this.#conversation = conversation;
  }

  /** No other answer takes the place of this one. */
  settle(): void {
    this.#conversation?.free();
    this.#conversation = undefined;
  }

  /** The call is over. */
  end(outcome?: Outcome, firstToken?: number): void {
    this.settle();
    this.#account(outcome?.usage ?? null, firstToken);
    this.#hold.release();
  }

  /** Another answer is used in place of this one: frees the slot, and counts its usage. */
  leave(outcome?: Outcome): void {
    // A slot whose request used nothing is only freed.
    this.#account(outcome?.usage ?? undefined);
    if (this.#conversation?.isFree !== false) this.#hold.release();
  }

  /** The answer ended badly, and another server may yet be asked: frees the slot within the plan's limits. */
  breakOff({ usage }: Outcome): void {
    if (usage) this.#account(usage);
    else {
      this.#hold.account(this.#id);
      this.#id = 0;
    }
  }

  #account(usage: Usage | null | undefined, firstToken?: number): void {
    if (this.#isOpen) this.#hold.account(this.#id, usage, firstToken);
    this.#isOpen = false;
  }
}
