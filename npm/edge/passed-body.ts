/**
 * The body of an answer that is passed through: read from the provider, written to the caller as it is, and its end kept for the usage.
 */
import { Alarm } from "./alarm.ts";
import { joined } from "./bytes.ts";
import type { Configuration } from "./configuration.ts";
import { type Inlet, inletOf, type Outlet, outletOf } from "./ends.ts";
import { DRAIN, LINGER } from "./forward.ts";
import type { UsageRecord } from "./options.ts";
import { PassedAnswer } from "./passed-answer.ts";
import { Writes } from "./writes.ts";

/** The end of a stream, in which the usage is: the last event of `/v1/responses` repeats the whole answer. */
const TAIL_BYTES = 1024 * 1024;
/** The most bytes of a whole answer that are parsed for its usage. */
const WHOLE_BYTES = 16 * 1024 * 1024;

/** A body, and the limits that it is passed on within. */
export interface PassedSource {
  body: ReadableStream<Uint8Array>;
  isStream: boolean;
  /** Keys that must not show in an error. */
  secrets: readonly string[];
  /** When the request was sent, on the clock of `performance.now()`. */
  sent: number;
  /** Aborted when the caller leaves. */
  signal: AbortSignal;
  /** Milliseconds to wait for the first bytes, and for the next ones after it. */
  patience: { firstToken: number; idle: number };
  configuration: Pick<Configuration, "onDisconnect" | "writeTimeout" | "answerTimeout">;
}

/** How a body ended. */
export interface PassedOn extends Pick<UsageRecord, "outcome" | "disconnected" | "timing"> {
  /** The answer, or its end. */
  text: string;
  bytesRead: number;
}

/** Passes bytes on as they are, within the times that hold for all answers. `ended` never rejects. */
export function passOn(source: PassedSource): { body: ReadableStream<Uint8Array>; ended: Promise<PassedOn> } {
  const passed = new PassedBody(source);
  return { body: passed.body, ended: passed.run() };
}

class PassedBody {
  readonly #source: PassedSource;
  readonly #inlet: Inlet;
  readonly #outlet: Outlet;
  readonly #alarm = new Alarm();
  readonly #writes: Writes;
  readonly #answer: PassedAnswer;
  readonly #kept: KeptBytes;
  #outcome: UsageRecord["outcome"] = "complete";
  /** The caller has left. */
  #isGone = false;
  /** Ends an answer that is still read after its caller has left. */
  #draining: ReturnType<typeof setTimeout> | undefined;
  #firstByte: number | null = null;
  /** When the last event of the answer came. */
  #over: number | undefined;

  constructor(source: PassedSource) {
    const { body, isStream, secrets, signal, configuration } = source;
    this.#source = source;
    this.#inlet = inletOf(body);
    this.#answer = new PassedAnswer(isStream, secrets);
    this.#kept = new KeptBytes(isStream ? TAIL_BYTES : WHOLE_BYTES);
    this.#outlet = outletOf(this.#onAbort);
    this.#writes = new Writes(this.#outlet, this.#alarm, configuration.writeTimeout, () => this.#leave(false));
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener("abort", this.#onAbort);
  }

  get body(): ReadableStream<Uint8Array> {
    return this.#outlet.body;
  }

  async run(): Promise<PassedOn> {
    const { isStream, signal, sent, configuration } = this.#source;
    if (isStream) this.#writes.beat();
    this.#alarm.set(this.#stall, configuration.answerTimeout);
    try {
      await this.#passAll();
    } catch {
      if (this.#outcome === "complete" && !this.#answer.isOver) this.#outcome = "truncated";
    }
    const text = this.#kept.text();
    if (this.#outcome === "complete") this.#outcome = this.#answer.outcome(this.#kept.isWhole ? text : undefined);
    this.#alarm.stop();
    clearTimeout(this.#draining);
    signal.removeEventListener("abort", this.#onAbort);
    this.#inlet.cancel();
    this.#closeOutlet();
    const total = (this.#over ?? performance.now()) - sent;
    const timing = { firstByte: this.#firstByte, firstToken: null, total };
    return { outcome: this.#outcome, disconnected: this.#isGone, timing, text, bytesRead: this.#kept.bytesRead };
  }

  async #passAll(): Promise<void> {
    for (;;) {
      const bytes = await this.#next();
      if (!bytes) break;
      this.#firstByte ??= performance.now() - this.#source.sent;
      const piece = bytes.slice();
      this.#kept.add(piece);
      const passed = this.#answer.push(piece);
      if (this.#answer.isOver) this.#over ??= performance.now();
      await this.#write(passed);
    }
    await this.#write(this.#answer.end());
  }

  /** The next bytes of the provider; the connection is cancelled where they do not come in time. */
  #next(): Promise<Uint8Array | undefined> {
    const { isStream, patience } = this.#source;
    const { isOver } = this.#answer;
    const wait = isOver ? LINGER : isStream && this.#kept.bytesRead > 0 ? patience.idle : patience.firstToken;
    const late = isOver ? this.#inlet.cancel : this.#silence;
    if (wait !== Number.POSITIVE_INFINITY) this.#alarm.set(late, wait);
    return this.#inlet.next().finally(() => this.#alarm.clear(late));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (!this.#isGone && bytes.length > 0) await this.#writes.write(bytes);
  }

  #closeOutlet(): void {
    if (this.#isGone) return;
    if (this.#outcome === "complete" || this.#outcome === "error") this.#outlet.close();
    else this.#outlet.fail(new TypeError("The provider ended its answer before it was complete."));
  }

  readonly #stall = () => this.#end("stalled");
  readonly #silence = () => this.#end("stalled");

  #end(outcome: UsageRecord["outcome"]): void {
    this.#outcome = outcome;
    this.#writes.giveUp();
    this.#inlet.cancel();
  }

  readonly #onAbort = () => this.#leave(true);

  /** The caller has left, or takes no bytes: the answer is aborted, or read on for a while to know its usage. */
  #leave(isLost: boolean): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#writes.giveUp();
    this.#writes.stop();
    this.#outlet.abandon(isLost);
    if (this.#source.configuration.onDisconnect === "abort") this.#end("aborted");
    else this.#draining = setTimeout(() => this.#end("aborted"), DRAIN);
  }
}

/** The last bytes of a body, up to a limit. */
class KeptBytes {
  readonly #limit: number;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  /** All bytes of the body so far. */
  bytesRead = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether none of the bytes were dropped. */
  get isWhole(): boolean {
    return this.#length === this.bytesRead;
  }

  add(piece: Uint8Array): void {
    this.bytesRead += piece.length;
    this.#length += piece.length;
    this.#pieces.push(piece);
    while (this.#pieces.length > 1 && this.#length > this.#limit) this.#length -= this.#pieces.shift()?.length ?? 0;
  }

  text(): string {
    return new TextDecoder().decode(joined(...this.#pieces));
  }
}
