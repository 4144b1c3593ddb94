/**
 * The return value of a call: a promise of the answer that can also give the raw response. Nothing is read until it is asked for.
 */
import { headerOf } from "./header.ts";

/** An answer with the id of its request, which is not enumerable. */
export type WithRequestID<T> = T extends unknown[] | Response
  ? T
  : T extends object
    ? T & { _request_id?: string | null }
    : T;

/** How to get at an answer. */
export interface Answering<T> {
  /** The response, its body unread. */
  response(): Promise<Response>;
  /** The answer, read once, and its response. */
  read(): Promise<{ data: WithRequestID<T>; response: Response }>;
}

/**
 * A promise of an answer, with the response beside it.
 * @example
 * ```ts
 * const { data, response, request_id } = await client.chat.completions.create(params).withResponse();
 * ```
 */
export class APIPromise<T> extends Promise<WithRequestID<T>> {
  readonly #answering: Answering<T>;
  #reading: Promise<{ data: WithRequestID<T>; response: Response }> | undefined;

  /**
   * The promise is made by the client's methods.
   * @internal
   */
  constructor(answering: Answering<T>) {
    super(() => {}); // the promise that counts is the one of `read`
    this.#answering = answering;
  }

  // `then` gives a plain promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  #read(): Promise<{ data: WithRequestID<T>; response: Response }> {
    this.#reading ??= this.#answering.read();
    return this.#reading;
  }

  /** The response as `fetch` gave it, its body unread. */
  asResponse(): Promise<Response> {
    return this.#answering.response();
  }

  /** The answer, its response, and the server's id of the request. */
  async withResponse(): Promise<{ data: T; response: Response; request_id: string | null }> {
    const { data, response } = await this.#read();
    return { data: data as T, response, request_id: headerOf(response, "x-request-id") };
  }

  /** The same call with its answer changed. */
  _thenUnwrap<U>(transform: (data: T, props: { response: Response }) => U): APIPromise<U> {
    return new APIPromise<U>({
      response: () => this.asResponse(),
      read: async () => {
        const { data, response } = await this.#read();
        return { data: withRequestID(transform(data as T, { response }), response), response };
      },
    });
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = WithRequestID<T>, B = never>(
    onfulfilled?: ((value: WithRequestID<T>) => A | PromiseLike<A>) | null,
    // biome-ignore lint/suspicious/noExplicitAny: as a promise has it, so that a catch may look into an error
    onrejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#read()
      .then(({ data }) => data)
      .then(onfulfilled, onrejected);
  }

  override catch<B = never>(
    // biome-ignore lint/suspicious/noExplicitAny: as above
    onrejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<WithRequestID<T> | B> {
    return this.then(undefined, onrejected);
  }

  override finally(onfinally?: (() => void) | null): Promise<WithRequestID<T>> {
    return this.then().finally(onfinally);
  }
}

/** Notes the id of the request on an answer that is an object. */
export function withRequestID<T>(value: T, response: Response): WithRequestID<T> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const id = headerOf(response, "x-request-id");
    Object.defineProperty(value, "_request_id", { value: id, configurable: true, writable: true });
  }
  return value as WithRequestID<T>;
}
