/**
 * A request's lease at one of the limiter's objects: renewed while the answer runs, and ended with what was used.
 */
import type { Message } from "./limiter.ts";
import { LEASE } from "./meter.ts";
import type { DurableNamespace, UsageRecord } from "./options.ts";
import type { Reservation } from "./reservation.ts";

/** Milliseconds between two renewals of a lease: two renewals in a row may get lost. */
export const RENEWAL = LEASE / 3;
/** Milliseconds that a provider may go on with an answer that the gateway has broken off. */
const LINGER = 1000;
/** Milliseconds before the end of a lease is sent again. */
const PAUSES = [100, 1000, 5000];

/** One of the limiter's objects. */
export class LimiterObject {
  readonly #namespace: DurableNamespace;
  /** The object's name. */
  readonly name: () => Promise<string>;

  constructor(namespace: DurableNamespace, name: () => Promise<string>) {
    this.#namespace = namespace;
    this.name = name;
  }

  /** Sends one message. */
  async send<Answer>(message: Message, signal?: AbortSignal): Promise<Answer> {
    const stub = this.#namespace.get(this.#namespace.idFromName(await this.name()) as never);
    const init = { method: "POST", body: JSON.stringify(message), ...(signal && { signal }) };
    const response = await stub.fetch("https://limiter/", init);
    if (!response.ok) throw new Error("the limiter failed");
    return response.json() as Answer;
  }

  /** Sends a message again after each of these pauses until it arrives: objects restart. The object counts it once. */
  async sendWithRetries<Answer>(
    message: () => Message,
    pauses: readonly number[],
    signal?: AbortSignal,
  ): Promise<Answer> {
    for (const pause of pauses) {
      try {
        return await this.send(message(), signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return this.send(message(), signal);
  }
}

/** The usage of a request, as far as the limiter is concerned. */
export interface Used {
  /** `null` where it is not known: the reservation counts for a minute. */
  tokens: number | null;
  /** Counted as usage of its caller, once. */
  record?: UsageRecord | null;
  /** The answer was broken off, so that its provider may still be busy with it. */
  isBroken?: boolean;
}

/** A request's lease at one object. */
export class Lease {
  readonly #object: LimiterObject;
  readonly #id: string;
  readonly #reservation: Reservation;
  #answeredAt: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing: Promise<unknown> = Promise.resolve();
  #ending: Promise<boolean> | undefined;

  constructor(object: LimiterObject, id: string, reservation: Reservation) {
    this.#object = object;
    this.#id = id;
    this.#reservation = reservation;
  }

  /** Starts to renew the lease, until it is ended. */
  hold(): this {
    this.#timer = setTimeout(() => {
      const { tokens, cost } = this.#reservation;
      const message = { op: "renew", id: this.#id, tokens, cost, answered: this.#age } as const;
      const again = () => {
        if (!this.#ending) this.hold();
      };
      this.#renewing = this.#object.send(message).then(again, again);
    }, RENEWAL);
    // In Node, a lease is no reason to keep the program running.
    (this.#timer as { unref?: () => void }).unref?.();
    return this;
  }

  /** The response headers have arrived. */
  answered(): void {
    this.#answeredAt ??= Date.now();
  }

  /** Milliseconds since the headers arrived. */
  get #age(): number | null {
    return this.#answeredAt === null ? null : Date.now() - this.#answeredAt;
  }

  /** Tokens of the prompt, by estimate. */
  get promptTokens(): number {
    return this.#reservation.promptTokens;
  }

  /** Ends the lease of a request that was sent. Only the first end counts. Resolves with whether the limiter has it. */
  settle({ tokens, record = null, isBroken = false }: Used): Promise<boolean> {
    const linger = isBroken ? LINGER : 0;
    return this.#end(() => ({ op: "settle", id: this.#id, tokens, answered: this.#age, linger, record }));
  }

  /** Ends the lease of a request that was not sent. */
  cancel(): Promise<boolean> {
    return this.#end(() => ({ op: "cancel", id: this.#id }));
  }

  #end(message: () => Message): Promise<boolean> {
    clearTimeout(this.#timer);
    this.#ending ??= this.#renewing
      .then(() => this.#object.sendWithRetries<object>(message, PAUSES))
      .then(
        () => true,
        (error) => {
          console.error(
            "chatwire/edge: the end of a request could not be sent to its limiter:",
            (error as Error)?.name,
          );
          return false;
        },
      );
    return this.#ending;
  }
}
