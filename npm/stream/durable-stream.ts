/**
 * One stream read by the protocol of Durable Streams: a chain of responses, each from the offset where the one before ended.
 *
 * A stream of bytes is passed as it is; of a stream of JSON messages each becomes an event. Offsets are known at the ends of
 * responses alone, so what came of a response that broke is skipped when it is asked for again.
 */
import { cancelBody } from "../discard.ts";
import type { Ask, KeptRequest, KeptStream } from "./resume.ts";

/** Servers answer a long poll after about half a minute, with or without news. */
const PATIENCE = 90_000;

/** Milliseconds between an answer without news and the next poll. */
const PAUSE = 250;
/** How long the messages of one answer may be, in UTF-16 units. */
const MAX_JSON = 16 * 1024 * 1024;

/** Where the reading of a chain of responses stands. */
interface Reading {
  /** The reader has left. */
  isLeft: boolean;
  /** The reader of the response that is read now. */
  reader?: ReadableStreamDefaultReader<Uint8Array> | undefined;
}

/** An offset, and how many bytes of the stream come before it. */
interface Mark {
  offset: string;
  cursor: string | null;
  at: number;
}

export class DurableStream implements KeptStream {
  readonly id: string;
  /** The newest place that has passed, and those after it. */
  #marks: Mark[] = [{ offset: "-1", cursor: null, at: 0 }];
  #passed = 0;
  /** The stream is one of JSON messages. An answer without news does not say so. */
  #hasMessages = false;

  constructor(id: string) {
    this.id = id;
  }

  passed(pieces: readonly Uint8Array[], events: number): boolean {
    for (const { length } of pieces) this.#passed += length;
    return events > 0;
  }

  /** Drops the places before the newest that has passed. */
  #forget(): void {
    while (this.#marks.length > 1 && (this.#marks[1] as Mark).at <= this.#passed) this.#marks.shift();
  }

  resumption(): KeptRequest {
    this.#forget();
    this.#marks.length = 1;
    return this.#after(this.#marks[0] as Mark);
  }

  stateOf(): string {
    return "ended";
  }

  bodyOf(response: Response, ask: Ask): ReadableStream<Uint8Array> {
    const isRead = response.headers.has("stream-next-offset");
    // The answer says where the stream is.
    if (!isRead) cancelBody(response.body);
    const reading: Reading = { isLeft: false };
    const bytes = this.#bytes(isRead ? response : undefined, ask, reading);
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await bytes.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel() {
          // Leaving does not wait for a poll or a read under way.
          reading.isLeft = true;
          cancelBody(reading.reader);
          void bytes.return(undefined).catch(() => {});
        },
      },
      { highWaterMark: 0 },
    );
  }

  #after({ offset, cursor }: Mark): KeptRequest {
    const query = { offset, live: "long-poll", ...(cursor !== null && { cursor }) };
    return { path: `/${this.id}`, query, patience: PATIENCE };
  }

  /** The offset after all that has passed. */
  async *#bytes(first: Response | undefined, ask: Ask, reading: Reading): AsyncGenerator<Uint8Array, undefined> {
    let mark = this.#marks[0] as Mark;
    let skipped = this.#passed - mark.at;
    let response = first ?? (await ask(this.resumption()));
    for (;;) {
      if (reading.isLeft) return void cancelBody(response.body);
      this.#hasMessages ||= isJSON(response);
      let { at } = mark;
      for await (const bytes of contentOf(response, reading)) {
        at += bytes.length;
        const from = Math.min(skipped, bytes.length);
        skipped -= from;
        if (from < bytes.length) yield bytes.subarray(from);
      }
      const { headers } = response;
      const offset = headers.get("stream-next-offset");
      const isClosed = headers.get("stream-closed") === "true";
      // The end of a stream of messages stands for `[DONE]`.
      if (isClosed && this.#hasMessages) yield encoder.encode("data: [DONE]\n\n");
      // A server without offsets sends the whole stream in one response.
      if (offset === null || isClosed) return;
      // A pause keeps a server that answers at once without news from being polled in a busy loop.
      if (at === mark.at) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (reading.isLeft) return;
      // A place without new bytes replaces the one before.
      if (at === mark.at) this.#marks.pop();
      mark = { offset, cursor: headers.get("stream-cursor"), at };
      this.#marks.push(mark);
      this.#forget();
      response = await ask(this.#after(mark));
    }
  }
}

const encoder = new TextEncoder();

function isJSON({ headers }: Response): boolean {
  return /^application\/json\b/i.test(headers.get("content-type") ?? "");
}

async function* contentOf(response: Response, reading: Reading): AsyncGenerator<Uint8Array, undefined> {
  if (!isJSON(response)) return yield* piecesOf(response, reading);
  const text = new TextDecoder();
  let json = "";
  for await (const piece of piecesOf(response, reading)) {
    json += text.decode(piece, { stream: true });
    if (json.length > MAX_JSON) throw new TypeError(`The server gave messages of more than ${MAX_JSON} characters.`);
  }
  if (reading.isLeft || json === "") return;
  const messages: unknown = JSON.parse(json);
  for (const one of Array.isArray(messages) ? messages : [messages]) {
    yield encoder.encode(`data: ${typeof one === "string" ? one : JSON.stringify(one)}\n\n`);
  }
}

async function* piecesOf({ body }: Response, reading: Reading): AsyncGenerator<Uint8Array, undefined> {
  const reader = body?.getReader();
  reading.reader = reader;
  let isOver = false;
  try {
    while (reader && !reading.isLeft) {
      const { done, value } = await reader.read();
      isOver = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isOver) cancelBody(reader);
  }
}
