/**
 * The return value of `create`: a promise of the answer that can also give the raw response. Nothing is read until it is asked for.
 */

import { cancelBody } from "../discard.ts";
import { APIConnectionError } from "../errors.ts";
import { handedOver } from "./handed-over.ts";

/** A response whose headers have arrived. */
export interface Answered {
  response: Response;
  requestId: string | null;
  /** Called when the body is over. */
  ended?: (() => void) | undefined;
  /** Ends the call. */
  signal?: AbortSignal;
}

/**
 * A promise of an answer, with the response beside it.
 * @example
 * ```ts
 * const { data, response, request_id } = await client.chat.completions.create({ messages }).withResponse();
 * ```
 */
export class APIPromise<T> extends Promise<T> {
  readonly #answered: Promise<Answered>;
  readonly #begin: () => Promise<T>;
  #response: Promise<Response> | undefined;
  /** There once the answer is read here; until then its body may be the caller's. */
  #reading: Promise<T> | undefined;

  /**
   * The promise is made by the client's methods.
   * @internal
   * @param read reads the answer's body, and is called once, when the answer is asked for
   */
  constructor(answered: Promise<Answered>, read: () => Promise<T>) {
    super(() => {}); // the promise that counts is the one `read` gives
    this.#answered = answered;
    this.#begin = read;
  }

  #read(): Promise<T> {
    this.#reading ??= this.#begin();
    return this.#reading;
  }

  // `then` gives a plain promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * The response as `fetch` gave it, its body unread. Its call counts towards the client's `limits` until the body is read to
   * its end, or cancelled.
   * @throws {APIError} as awaiting the promise does
   */
  asResponse(): Promise<Response> {
    this.#response ??= this.#handOver();
    return this.#response;
  }

  async #handOver(): Promise<Response> {
    const { response, ended, signal } = await this.#answered;
    if (!ended || this.#reading) return response;
    try {
      return handedOver(response, ended, signal);
    } catch (cause) {
      ended();
      cancelBody(response.body);
      throw new APIConnectionError("The host gave a response whose body cannot be read.", { cause });
    }
  }

  /** The answer, its response, and the server's id of the request. */
  async withResponse(): Promise<{ data: T; response: Response; request_id: string | null }> {
    const [data, { response, requestId }] = await Promise.all([this.#read(), this.#answered]);
    return { data, response, request_id: requestId };
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onfulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#read().then(onfulfilled, onrejected);
  }

  override catch<B = never>(onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#read().catch(onrejected);
  }

  override finally(onfinally?: (() => void) | null): Promise<T> {
    return this.#read().finally(onfinally);
  }
}
