/**
 * A stream of items as `create` gives it, and newline-separated JSON, in which one is passed on.
 */
import { EventStreamDecoder, init, type Outcome } from "chatwire";
import { APIError, OpenAIError } from "./errors.ts";

/** How many items a branch of a `tee` may be behind the other. */
const MOST_BEHIND = 65_536;
/** How long one line of JSON may be, in UTF-16 units: as many as an event may have bytes. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** An event of an event stream: its type, its data, and the lines it was read from. */
export interface ServerSentEvent {
  event: string | null;
  data: string;
  raw: string[];
}

/**
 * Items as they arrive, to be read once. Leaving the loop early aborts the request.
 * @example
 * ```ts
 * const stream = await client.chat.completions.create({ model, messages, stream: true });
 * for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
 * ```
 */
export class Stream<Item> implements AsyncIterable<Item> {
  /** Starts the reading. Instrumentation puts its own in place, as it does with `openai`'s. */
  private iterator: () => AsyncIterator<Item>;
  /** Aborts the request. */
  controller: AbortController;
  readonly #outcome: (() => Promise<Outcome>) | undefined;

  /**
   * @param iterator starts the reading
   * @param outcome tells how it ended, where that is known
   */
  constructor(iterator: () => AsyncIterator<Item>, controller: AbortController, outcome?: () => Promise<Outcome>) {
    this.iterator = iterator;
    this.controller = controller;
    this.#outcome = outcome;
  }

  /** The JSON events of a response, until `[DONE]`. */
  static fromSSEResponse<Item>(response: Response, controller: AbortController): Stream<Item> {
    return new Stream(
      once(() => leavable(events<Item>(response, controller), response.body, controller)),
      controller,
    );
  }

  /** Reads what `toReadableStream` wrote: one JSON value a line. */
  static fromReadableStream<Item>(readable: ReadableStream, controller: AbortController): Stream<Item> {
    return new Stream(
      once(() => leavable(lines<Item>(readable, controller), readable, controller)),
      controller,
    );
  }

  [Symbol.asyncIterator](): AsyncIterator<Item> {
    return this.iterator();
  }

  /**
   * How the stream ended, and all that arrived: the outcome of `chatwire`. Never rejects.
   * @throws {OpenAIError} at once, for a stream that is not the answer of a request
   */
  outcome(): Promise<Outcome> {
    if (this.#outcome) return this.#outcome();
    throw new OpenAIError("Only the stream of a request has an outcome.");
  }

  /**
   * Two streams of one, each read at its own pace: what the slower one has not read yet is kept. A branch that is more than 65,536
   * items behind is dropped, and its next read fails.
   */
  tee(): [Stream<Item>, Stream<Item>] {
    const source = this.iterator();
    const queues: Promise<IteratorResult<Item>>[][] = [[], []];
    const left = new Set<number>();
    const late = new Set<number>();
    const branch = (own: number) => () => ({
      next: (): Promise<IteratorResult<Item>> => {
        if (late.delete(own)) {
          const message = `This branch was more than ${MOST_BEHIND} items behind the other. Read both at the same time.`;
          return Promise.reject(new OpenAIError(message));
        }
        if (left.has(own)) return Promise.resolve({ done: true, value: undefined });
        if (queues[own]?.length === 0) {
          const item = source.next();
          for (const [at, queue] of queues.entries()) {
            if (left.has(at)) continue;
            queue.push(item);
            if (queue.length <= MOST_BEHIND) continue;
            queue.length = 0;
            left.add(at);
            late.add(at);
          }
        }
        return queues[own]?.shift() as Promise<IteratorResult<Item>>;
      },
      return: async (): Promise<IteratorResult<Item>> => {
        left.add(own);
        late.delete(own);
        queues[own] = [];
        if (left.size === 2) await source.return?.();
        return { done: true, value: undefined };
      },
    });
    return [new Stream(branch(0), this.controller), new Stream(branch(1), this.controller)];
  }

  /** The items as newline-separated JSON, for `fromReadableStream` on the other side. */
  toReadableStream(): ReadableStream<Uint8Array> {
    return linesOf(() => this.iterator(), this.controller);
  }
}

/** Each item as a line of JSON. */
export function linesOf<Item>(
  iterate: () => AsyncIterator<Item>,
  controller: AbortController,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let iterator: AsyncIterator<Item> | undefined;
  return new ReadableStream<Uint8Array>({
    start() {
      iterator = iterate();
    },
    async pull(lines) {
      try {
        const { done, value } = await (iterator as AsyncIterator<Item>).next();
        if (done) lines.close();
        else lines.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      } catch (error) {
        lines.error(error);
      }
    },
    async cancel() {
      await iterator?.return?.();
      controller.abort();
    },
  });
}

/** An iterator that can be had once. */
export function once<Item>(start: () => AsyncIterator<Item>): () => AsyncIterator<Item> {
  let isTaken = false;
  const iterator = () => {
    if (isTaken) {
      return failing(
        new OpenAIError("Cannot iterate over a consumed stream, use `.tee()` to split the stream."),
      ) as AsyncIterator<Item>;
    }
    isTaken = true;
    return start();
  };
  return iterator;
}

/** The items, which can be left before they are begun and while one is waited for: generators know neither. */
function leavable<Item>(
  items: AsyncGenerator<Item, void, void>,
  body: ReadableStream | null,
  controller: AbortController,
): AsyncIterator<Item> {
  return {
    next: () => items.next(),
    return: async () => {
      controller.abort();
      // Once it is read, its reader lets go of it.
      if (!body?.locked) cancelBody(body);
      items.return().catch(() => {});
      return { done: true, value: undefined };
    },
  };
}

/** Not waited for: not every host's reader settles this. */
async function cancelBody(body: { cancel(): Promise<void> } | null): Promise<void> {
  try {
    await body?.cancel();
  } catch {
    // The body broke before, or the host cannot cancel it.
  }
}

function failing(error: Error): AsyncIterator<never> {
  return { next: () => Promise.reject(error) };
}

async function* lines<Item>(readable: ReadableStream, controller: AbortController): AsyncGenerator<Item, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of bytesOf(readable, controller)) {
    const whole = (rest + (typeof bytes === "string" ? bytes : decoder.decode(bytes, { stream: true }))).split(/\r?\n/);
    rest = whole.pop() as string;
    if (rest.length > LONGEST_LINE) {
      throw new OpenAIError(`A line of the stream is longer than ${LONGEST_LINE} characters, so it was not read on.`);
    }
    for (const line of whole) if (line) yield itemOf<Item>(line, "newline-delimited JSON");
  }
  rest += decoder.decode();
  if (rest.trim()) yield itemOf<Item>(rest, "newline-delimited JSON");
}

async function* events<Item>(response: Response, controller: AbortController): AsyncGenerator<Item, void, void> {
  if (!response.body) throw new OpenAIError("Attempted to iterate over a response with no body");
  await init();
  const decoder = new EventStreamDecoder();
  const { headers } = response;
  const itemsOf = function* (batch: readonly { event: string; data: string }[]): Generator<Item, boolean, void> {
    for (const { event, data } of batch) {
      if (data === "[DONE]") return true;
      const item = itemOf<Item & { error?: object }>(data, "server-sent event JSON");
      if (event === "error" || item?.error) throw new APIError(undefined, item?.error ?? item, undefined, headers);
      yield item;
    }
    return false;
  };
  for await (const bytes of bytesOf(response.body, controller)) {
    if (yield* itemsOf(decoder.feed(bytes as Uint8Array))) return;
  }
  yield* itemsOf(decoder.end());
}

/** The pieces of a body. Leaving early aborts; an abort ends it without an error. */
async function* bytesOf(
  body: ReadableStream<Uint8Array | string>,
  controller: AbortController,
): AsyncGenerator<Uint8Array | string, void, void> {
  const reader = body.getReader();
  const { signal } = controller;
  let wake = () => {};
  const leave = () => {
    cancelBody(reader);
    wake();
  };
  signal.addEventListener("abort", leave);
  let isOver = false;
  try {
    while (!signal.aborted) {
      // A reader whose cancel does not settle its read keeps nobody.
      const { done, value } = await new Promise<ReadableStreamReadResult<Uint8Array | string>>((resolve, reject) => {
        wake = () => resolve({ done: true, value: undefined });
        reader.read().then(resolve, reject);
      });
      if (done) break;
      yield value;
    }
    isOver = !signal.aborted;
  } catch (error) {
    isOver = true;
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", leave);
    if (!isOver) {
      controller.abort();
      leave();
    }
  }
}

function itemOf<Item>(text: string, what: string): Item {
  try {
    return JSON.parse(text);
  } catch {
    throw new SyntaxError(`Error reading response: malformed ${what}.`);
  }
}
