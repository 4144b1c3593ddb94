/**
 * A place at one of the limiter's objects, as the request sees it that holds it: renewed while the answer runs, and given
 * back with what was used.
 */
import type { Message } from "./limiter.ts";
import { LEASE } from "./meter.ts";
import type { DurableNamespace, UsageRecord } from "./options.ts";

/** How often a place is renewed: two renewals may get lost. */
export const RENEWAL = LEASE / 3;
/** How much later a provider may learn that its answer was broken off. */
const LINGER = 1000;
/** Milliseconds before what was used is told again. */
const PAUSES = [100, 1000, 5000];

/** One of the limiter's objects. */
export class Keeper {
  readonly #namespace: DurableNamespace;
  /** Which object it is. */
  readonly name: () => Promise<string>;

  constructor(namespace: DurableNamespace, name: () => Promise<string>) {
    this.#namespace = namespace;
    this.name = name;
  }

  /** One message. */
  async tell<Answer>(message: Message, signal?: AbortSignal): Promise<Answer> {
    const stub = this.#namespace.get(this.#namespace.idFromName(await this.name()) as never);
    const init = { method: "POST", body: JSON.stringify(message), ...(signal && { signal }) };
    const response = await stub.fetch("https://limiter/", init);
    if (!response.ok) throw new Error("the limiter failed");
    return response.json() as Answer;
  }

  /** The same again until it is heard, as far as these pauses go: objects restart. What is told twice counts once. */
  async tellSurely<Answer>(message: () => Message, pauses: readonly number[], signal?: AbortSignal): Promise<Answer> {
    for (const pause of pauses) {
      try {
        return await this.tell(message(), signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return this.tell(message(), signal);
  }
}

/** A request's place at one object. */
export class Place {
  readonly #keeper: Keeper;
  readonly #id: string;
  readonly #tokens: number;
  #answeredAt: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(keeper: Keeper, id: string, tokens: number) {
    this.#keeper = keeper;
    this.#id = id;
    this.#tokens = tokens;
  }

  /** From now on it is renewed, until it is given back. */
  hold(): this {
    this.#timer = setTimeout(() => {
      const message = { op: "renew", id: this.#id, tokens: this.#tokens, answered: this.#age } as const;
      const again = () => {
        if (!this.#closing) this.hold();
      };
      this.#renewing = this.#keeper.tell(message).then(again, again);
    }, RENEWAL);
    // In Node, a place is no reason to keep the program running.
    (this.#timer as { unref?: () => void }).unref?.();
    return this;
  }

  /** The response headers are there. */
  answered(): void {
    this.#answeredAt ??= Date.now();
  }

  /** How long the headers have been there. */
  get #age(): number | null {
    return this.#answeredAt === null ? null : Date.now() - this.#answeredAt;
  }

  /** Gives it back, once. What was used may be unknown (`null`), and then what was reserved counts for a minute. */
  settle(used: { tokens: number | null; record?: UsageRecord | null; isBroken?: boolean }): Promise<void> {
    const { tokens, record = null, isBroken = false } = used;
    const linger = isBroken ? LINGER : 0;
    return this.#close(() => ({ op: "settle", id: this.#id, tokens, answered: this.#age, linger, record }));
  }

  /** Gives it back unused. */
  cancel(): Promise<void> {
    return this.#close(() => ({ op: "cancel", id: this.#id }));
  }

  #close(message: () => Message): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing ??= this.#renewing
      .then(() => this.#keeper.tellSurely<void>(message, PAUSES))
      .catch((error) => {
        console.error("chatwire/edge: a limiter could not be told of a request:", (error as Error)?.name);
      });
    return this.#closing;
  }
}
