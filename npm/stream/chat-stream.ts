/**
 * A chat completion as it arrives: what users iterate, await and leave.
 */

import type { DecoderOptions } from "../decoders.ts";
import { CHUNKS, EVENTS, NONE, TEXT } from "../engine/boundary.ts";
import { clock } from "../engine/clock.ts";
import type { SoFar } from "../engine/decoder.ts";
import { init } from "../engine/engine.ts";
import { ChatwireError, completed, errorOf, rethrow } from "../errors.ts";
import { onDemand } from "../load.ts";
import { asyncDispose } from "../symbols.ts";
import type {
  AnswerHead,
  ChatCompletion,
  ChatCompletionAssistantMessageParam,
  ChatCompletionChunk,
  ChatEvent,
  Outcome,
  Usage,
} from "../types.ts";
import { type Frame, frames } from "./frames.ts";
import { OutputIterator, readThrough } from "./iterator.ts";
import { Session } from "./session.ts";
import type { Source } from "./source.ts";
import { teeOf } from "./tee.ts";

/**
 * One streamed answer.
 *
 * **The reader.** One iterator, once: over the stream itself (chunks), `textStream`, or `events`. If none is taken in the
 * same synchronous turn, `outcome()` and the finals read the stream themselves; otherwise they wait for the iterator.
 * Leaving a loop early cancels the request.
 *
 * **How it ends.** Iteration throws when the stream ends `truncated`, `stalled` or in `error`, and the error's `outcome` has
 * all that arrived. After an abort, iteration ends silently.
 *
 * @example
 * ```ts
 * const stream = await client.chat.completions.create({ messages, stream: true });
 * for await (const text of stream.textStream) process.stdout.write(text);
 * const { usage, cost } = await stream.outcome();
 * ```
 */
export class ChatStream implements AsyncIterable<ChatCompletionChunk> {
  readonly #session: Session;
  readonly #resumeId: string | null;

  /**
   * A stream is made by `create` and `stream`, `ChatStream.fromReadableStream` and `ChatStream.fromRecording`.
   * @internal
   */
  constructor(source: Source | Promise<Source>, controller?: AbortController, resumeId: string | null = null) {
    this.#session = new Session(source, controller);
    this.#resumeId = resumeId;
  }

  /** Aborts the request, as `abort()` does; its signal is the one `fetch` was given. */
  get controller(): AbortController {
    return this.#session.controller;
  }

  /**
   * The chunks, one by one: the server's own JSON, unrepaired (`choices` may be null on some servers).
   * @throws {StreamError} it did not end well; `error.outcome` has what arrived
   */
  // TypeScript before 5.6 knows one parameter of AsyncIterableIterator.
  [Symbol.asyncIterator](): AsyncIterator<ChatCompletionChunk, undefined> & AsyncIterable<ChatCompletionChunk> {
    return new OutputIterator(this.#session, CHUNKS);
  }

  /**
   * The text of choice 0, normalised: one string per network chunk, never empty.
   * @example
   * ```ts
   * for await (const text of stream.textStream) answer.append(text);
   * ```
   */
  get textStream(): AsyncIterable<string> {
    return { [Symbol.asyncIterator]: () => new OutputIterator(this.#session, TEXT) };
  }

  /**
   * The events of the stream, normalised whatever the server's dialect.
   * @example
   * ```ts
   * for await (const event of stream.events) if (event.type === "reasoning") think(event.text);
   * ```
   */
  get events(): AsyncIterable<ChatEvent> {
    return { [Symbol.asyncIterator]: () => new OutputIterator(this.#session, EVENTS) };
  }

  /**
   * How it ended, and all that arrived. Never rejects.
   * @example
   * ```ts
   * const outcome = await stream.outcome();
   * if (outcome.status !== "complete") console.warn(outcome.status, outcome.text);
   * ```
   */
  outcome(): Promise<Outcome> {
    return readThrough(this.#session);
  }

  /**
   * The usage so far, at any time: `estimated` from what has arrived until the server says. Null before the first
   * chunk.
   * @example
   * ```ts
   * for await (const text of stream.textStream) if ((stream.cost ?? 0) > 0.01) stream.abort();
   * ```
   */
  get usage(): Usage | null {
    return this.#used().usage;
  }

  /** The cost of `usage`, in USD; null when prices or usage are not known. */
  get cost(): number | null {
    return this.#used().cost;
  }

  /**
   * The id, the model and the time of the answer, in the server's words, from its first chunk on; null before, and where the server
   * names neither id nor model.
   * @example
   * ```ts
   * for await (const event of stream.events) console.log(stream.head?.model, event.type);
   * ```
   */
  get head(): AnswerHead | null {
    const { completion } = this.#used();
    if (!completion?.id && !completion?.model) return null;
    return { id: completion.id, model: completion.model, created: completion.created };
  }

  #used(): SoFar {
    const { outcome, decoder } = this.#session;
    return outcome ?? decoder?.used() ?? { usage: null, cost: null, completion: null };
  }

  /**
   * The accumulated completion, as the call without `stream` would have given it, normalised.
   * @throws {APIUserAbortError} it was aborted
   * @throws {StreamError} it did not end well
   */
  async finalChatCompletion(): Promise<ChatCompletion> {
    return (await completed(this.outcome())).completion as ChatCompletion;
  }

  /** The assistant's turn, ready to be sent back. Rejects as `finalChatCompletion` does. */
  async finalMessage(): Promise<ChatCompletionAssistantMessageParam> {
    return (await completed(this.outcome())).message as ChatCompletionAssistantMessageParam;
  }

  /** The text; null when there is none, as beside tool calls. Rejects as `finalChatCompletion` does. */
  async finalContent(): Promise<string | null> {
    return (await completed(this.outcome())).text || null;
  }

  /** The usage, `estimated` when the server did not say; null when nothing is known. Rejects as `finalChatCompletion` does. */
  async totalUsage(): Promise<Usage | null> {
    return (await completed(this.outcome())).usage;
  }

  /**
   * Leaves: the request is cancelled, iteration ends silently, the outcome is `aborted`. After the end it changes nothing.
   *
   * With `heard`, `outcome.message` is cut to what a listener heard of the text, after the last whole word and without tool
   * calls, ready to be sent back; this works after the end too, when all has arrived and is still being spoken.
   * @param options `heard` in UTF-16 units of the text, such as a sentence's `start` plus what was spoken of it. Past the end
   * it is all of the text; below 0, or not a number, nothing of it
   * @example
   * ```ts
   * stream.abort({ heard: sentence.start + charIndex });
   * const { message } = await stream.outcome();
   * if (message) messages.push(message, { role: "user", content: interruption });
   * ```
   */
  abort({ heard }: { heard?: number | undefined } = {}): void {
    if (heard !== undefined) this.#session.setHeard(heard);
    this.#session.abort();
  }

  /**
   * The id that `client.chat.completions.resume` takes, on another page or device too: at once where the call chose it, else
   * once the headers are there. Null where no gateway keeps this stream.
   */
  get resumeId(): string | null {
    const { source } = this.#session;
    return source ? (source.kept?.id ?? null) : this.#resumeId;
  }

  /**
   * Leaves, and ends the stream on the gateway that keeps it, which `abort` does not. Where no gateway keeps it, and before the
   * answer's headers, it does the same as `abort`.
   * @throws {APIError} the gateway could not be told
   * @example
   * ```ts
   * stopButton.onclick = () => stream.stop();
   * ```
   */
  async stop(): Promise<void> {
    const session = this.#session;
    this.abort();
    // A stream that was aborted here goes on at the gateway.
    if (session.outcome?.status === "aborted") await session.source?.kept?.stop().catch(rethrow);
  }

  /**
   * The stream as it came, byte for byte with its timing, as the text of a file: for `ChatStream.fromRecording`,
   * `npx chatwire replay`, and bug reports. A recording has the answer, and nothing of the request; keys are blotted out. Waits for
   * the end, and reads the stream itself if no loop does.
   * @throws {ChatwireError} the call was not made with `record: true`, never had an answer, or had one of more than 64 MiB
   * @example
   * ```ts
   * const stream = await client.chat.completions.create({ messages, stream: true }, { record: true });
   * await stream.outcome();
   * await writeFile("answer.chatwire", await stream.recording());
   * ```
   */
  async recording(): Promise<string> {
    const outcome = await this.outcome();
    const recorder = this.#session.source?.recorder;
    if (recorder) return recorder.finish(outcome);
    throw new ChatwireError("Nothing was recorded: make the call with { record: true }.");
  }

  /** `await using stream = …` cancels the request when the block is left before the end. */
  async [asyncDispose](): Promise<void> {
    this.abort();
  }

  /**
   * The text, reasoning and tool calls so far, as fresh objects, at most once a frame; every 100 ms where the page is hidden or
   * there is none.
   * @example
   * ```ts
   * for await (const { text, reasoning } of stream.frames()) setState({ text, reasoning });
   * ```
   */
  frames(): AsyncGenerator<Frame, void, void> {
    const events = new OutputIterator<ChatEvent>(this.#session, EVENTS);
    const ended = () => this.outcome();
    return frames(events, ended);
  }

  /**
   * Two streams of one, each with its own reader. They move at the pace of the slower one while it is read;
   * one that is not read falls behind, and past `maxBehind` bytes it ends in a `StreamError`.
   * Takes the place of an iterator.
   * @param options `maxBehind` in bytes, default 4 MiB
   * @example
   * ```ts
   * const [shown, kept] = stream.tee();
   * await Promise.all([show(shown.textStream), keep(kept)]);
   * ```
   */
  tee({ maxBehind }: { maxBehind?: number } = {}): [ChatStream, ChatStream] {
    const [one, other] = teeOf(this.toReadableStream(), this.#session, maxBehind);
    return [new ChatStream(...one), new ChatStream(...other)];
  }

  /**
   * The answer's bytes as the server sent them, to pass on; read here on the way, so that `outcome()` has the accounts.
   * Errors where iteration would throw. Takes the place of an iterator.
   * @example
   * ```ts
   * return new Response(stream.toReadableStream(), { headers: { "content-type": "text/event-stream" } });
   * ```
   */
  toReadableStream(): ReadableStream<Uint8Array> {
    const session = this.#session;
    session.take(NONE);
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const bytes = await session.nextBytes();
          if (bytes) return controller.enqueue(bytes);
          const outcome = await session.ended;
          if (outcome.status === "complete" || outcome.status === "aborted") controller.close();
          else controller.error(errorOf(outcome));
        },
        cancel: (reason) => session.abort(reason),
      },
      { highWaterMark: 0 },
    );
  }

  /**
   * Reads an answer from bytes of your own: a response's body, a recording, what `toReadableStream` gave.
   * @example
   * ```ts
   * const stream = ChatStream.fromReadableStream((await fetch("/chat")).body!);
   * for await (const text of stream.textStream) answer.append(text);
   * ```
   */
  static fromReadableStream(body: ReadableStream<Uint8Array>, options: DecoderOptions = {}): ChatStream {
    if (typeof body?.getReader !== "function") {
      throw new ChatwireError("fromReadableStream takes a ReadableStream of bytes, such as response.body.");
    }
    const started = clock();
    return new ChatStream(init().then(() => ({ body, decoder: { started, ...options } })));
  }

  /**
   * Reads a recorded stream again: the same bytes, cut and timed as they came, to the same events and outcome.
   * @param file what `recording()` gave, or the file it was written to. One that is damaged, or none of ours, is the error of
   * the stream
   * @param options to read it differently, such as `{ decoding: "strict" }`
   * @example
   * ```ts
   * const stream = ChatStream.fromRecording(await readFile("answer.chatwire"));
   * for await (const event of stream.events) console.log(event);
   * ```
   */
  static fromRecording(file: string | Blob | Uint8Array | ArrayBuffer, options: DecoderOptions = {}): ChatStream {
    return new ChatStream(Promise.all([onDemand(), init()]).then(([{ replay }]) => replay(file, options)));
  }
}
