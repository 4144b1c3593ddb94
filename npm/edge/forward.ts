/**
 * An answer on its way from provider to caller: the events of each read are passed on at once, the next read is made when the
 * caller has taken them, and a decoder reads the same bytes on the side.
 */
import { ChatDecoder, type DecoderOptions, type Outcome } from "chatwire";
import type { Alarm } from "./alarm.ts";
import type { Answer } from "./answer.ts";
import { joined } from "./bytes.ts";
import { type Outlet, outletOf, type Sink } from "./ends.ts";
import { EventFilter, type EventFilterOptions } from "./event-filter.ts";
import type { Patience } from "./patience.ts";
import type { Problem } from "./problem.ts";
import type { Asked } from "./usage-record.ts";
import { Writes } from "./writes.ts";

/** Milliseconds that a provider's connection may stay open after the last event. */
export const LINGER = 1000;
/** The same where usage and all finish reasons have come, and `[DONE]` has not. */
const LINGER_WITHOUT_DONE = 500;
/** Milliseconds for which an answer is read whose caller has left. Workers get 30 seconds, in which the record must be out. */
export const DRAIN = 25_000;
/** A JSON answer that is longer than this is no part of a chat. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Reads up to this length are put aside for the decoder, and so many bytes of them together. */
const FEW_BYTES = 1024;
const ASIDE_BYTES = 4096;
const NOTHING = new Uint8Array(0);
const DONE = new TextEncoder().encode("data: [DONE]\n\n");

/** An answer, and what is known of the provider that gives it. */
export interface OpenAnswer extends Answer {
  decoder: DecoderOptions & { prompt: () => string };
  /** The request, for an estimate of the usage. */
  asked: Asked;
  secrets: readonly string[];
  patience: Patience;
}

/** An answer, and where its bytes, its chunks and its end go. */
export interface Passage {
  /** The answer; a promise of it where the first provider may yet give way to another. The promise rejects with a `Problem`. */
  answer: OpenAnswer | Promise<OpenAnswer>;
  isStream: boolean;
  /** Gets the bytes in place of a caller: the answer then has no body. */
  sink?: Sink | undefined;
  filter: Omit<EventFilterOptions, "secrets" | "reader">;
  onDisconnect: "drain" | "abort";
  /** Aborted when the caller leaves. */
  signal: AbortSignal;
  /** Milliseconds that the caller may take to accept bytes. */
  writeTimeout: number;
  /** Milliseconds that the answer may take in all. */
  answerTimeout: number;
  /** The request's, which stops with the answer. */
  alarm: Alarm;
  /** Called with the bytes that pass, but for comments. */
  passed?: ((bytes: Uint8Array) => void) | undefined;
  /** The problem that the caller gets for the error that `answer` rejects with. */
  problemOf(error: unknown): Problem;
}

/** How an answer went. */
export interface Ending {
  asked: Asked | undefined;
  /** `null` when the bytes could not be read on the side, or there was no answer. */
  outcome: Outcome | null;
  /** The caller left before the end. */
  disconnected: boolean;
  /** The provider fell silent. */
  stalled: boolean;
  /** The filter, or the hook in it, has failed with a part of the answer, which the caller did not get. */
  isRefused?: boolean;
}

/** Starts to pass an answer on. `ended` never rejects. */
export function forward(passage: Passage): { body: ReadableStream<Uint8Array> | null; ended: Promise<Ending> } {
  const passing = new Passing(passage);
  return { body: passing.body, ended: passing.run() };
}

class Passing {
  readonly #passage: Passage;
  readonly #outlet: Sink | Outlet;
  readonly #alarm: Alarm;
  readonly #writes: Writes;
  /** That of the provider that gave the first token. */
  #answer: OpenAnswer | undefined;
  #decoder: ChatDecoder<"none"> | undefined;
  /** The first token has come. */
  #hasToken = false;
  /** The caller has left. */
  #isGone = false;
  #isOver = false;
  #isStalled = false;
  /** The filter, or the hook in it, has failed with a part of the answer. */
  #isRefused = false;
  /** The answer has come, and the provider has neither sent `[DONE]` nor closed the connection in time. */
  #isKeptOpen = false;
  #reason: "closed" | "lost" | "aborted" = "closed";
  /** Milliseconds that a read may take, and when the one under way began. */
  #patience = Number.POSITIVE_INFINITY;
  #readingSince = 0;
  /** Milliseconds that reads without progress may take together, and have taken. */
  #keptAlive = Number.POSITIVE_INFINITY;
  #waited = 0;
  #draining: ReturnType<typeof setTimeout> | undefined;
  /** Bytes that the decoder has not had yet. */
  #aside: Uint8Array | undefined;
  #asideBytes = 0;
  /** The bytes so far of a JSON answer. */
  readonly #whole: Uint8Array[] = [];
  #wholeBytes = 0;

  constructor(passage: Passage) {
    this.#passage = passage;
    const { signal, writeTimeout, alarm } = passage;
    this.#alarm = alarm;
    this.#outlet = passage.sink ?? outletOf(() => this.#leave());
    this.#writes = new Writes(this.#outlet, alarm, writeTimeout, () => this.#leave());
    if (signal.aborted) this.#leave(true);
    else signal.addEventListener("abort", this.#onAbort);
  }

  get body(): ReadableStream<Uint8Array> | null {
    return "body" in this.#outlet ? this.#outlet.body : null;
  }

  readonly #onAbort = () => this.#leave(true);

  async run(): Promise<Ending> {
    const { answer, isStream, answerTimeout } = this.#passage;
    if (isStream) this.#writes.beat();
    this.#alarm.set(this.#stall, answerTimeout);
    let filter: EventFilter | undefined;
    try {
      const open = answer instanceof Promise ? await answer : answer;
      this.#start(open);
      const own = new EventFilter({ ...this.#passage.filter, ...open, reader: this.#take });
      if (open.contentType !== "application/json") filter = own;
      await this.#pass(open, filter);
      if (!filter) await this.#passWhole(own);
    } catch (error) {
      if (this.#answer) {
        if (this.#reason === "closed") this.#reason = "lost";
      } else if (!this.#isGone) {
        this.#reason = "lost";
        this.#outlet.pass(this.#passage.problemOf(error).toEvent());
        this.#outlet.close();
        this.#isOver = true;
      }
    }
    const wasOver = this.#isOver;
    this.#isOver = true;
    this.#alarm.stop();
    clearTimeout(this.#draining);
    this.#passage.signal.removeEventListener("abort", this.#onAbort);
    this.#answer?.inlet.cancel();
    const isAnswered = filter?.isAnswered;
    const last = this.#lastOf(filter);
    this.#accountAside();
    const isEnded = this.#decoder?.ended || isAnswered;
    const outcome = this.#decoder?.end(isAnswered && this.#reason === "lost" ? "closed" : this.#reason) ?? null;
    // A body that was closed before the answer's end counts as one that broke off: most clients cannot tell the two apart.
    const isCut = outcome?.status === "truncated" && (filter !== undefined || !isJSON(this.#whole));
    const isWhole = !this.#isRefused && (isEnded || (this.#reason === "closed" && !isCut));
    if (!this.#isGone && !wasOver) this.#finish(last, isWhole);
    filter?.free();
    const isRefused = this.#isRefused;
    return { outcome, asked: this.#answer?.asked, disconnected: this.#isGone, stalled: this.#isStalled, isRefused };
  }

  /** Starts to read the answer of the provider that gave the first token. */
  #start(answer: OpenAnswer): void {
    const { decoder, patience, contentType } = answer;
    this.#answer = answer;
    if (this.#isGone && this.#passage.onDisconnect === "abort") this.#giveUp();
    try {
      this.#decoder = new ChatDecoder({ ...decoder, output: "none" });
    } catch (error) {
      // Accounting that cannot begin does not keep the answer back.
      console.error("chatwire/edge: an answer cannot be counted:", (error as Error).message);
    }
    this.#patience = patience.firstToken;
    if (contentType !== "application/json") this.#keptAlive = patience.keptAlive.firstToken;
  }

  async #pass({ inlet, first }: OpenAnswer, filter: EventFilter | undefined): Promise<void> {
    let bytes = first;
    let isLingering = false;
    this.#watch();
    for (;;) {
      if (!bytes) {
        this.#readingSince = performance.now();
        bytes = await inlet.next();
        this.#waited += performance.now() - this.#readingSince;
        this.#readingSince = 0;
        if (!bytes) return;
      }
      const passed = filter ? this.#filtered(filter, bytes) : this.#hold(bytes);
      if (passed.length > 0) this.#passage.passed?.(passed);
      const isTaken = this.#isGone || passed.length === 0 ? undefined : this.#writes.write(passed);
      if (!filter?.isPlain) this.#accountAside();
      if (this.#hasToken && !isKeepAlive(bytes)) this.#waited = 0;
      bytes = undefined;
      if (isTaken) await isTaken;
      const isAnswered = filter?.isAnswered === true;
      if (!this.#decoder?.ended && !isAnswered) continue;
      if (this.#isGone) return;
      if (isLingering && !this.#decoder?.ended) continue;
      isLingering = true;
      this.#patience = this.#decoder?.ended ? LINGER : LINGER_WITHOUT_DONE;
      this.#watch();
    }
  }

  /** @throws what the hook throws, or an event is too long: the answer is cut off, although its bytes were whole */
  #filtered(filter: EventFilter, bytes: Uint8Array): Uint8Array {
    try {
      return filter.push(bytes);
    } catch (error) {
      this.#isRefused = true;
      throw error;
    }
  }

  /** A JSON answer is passed on when it is whole: an error may stand at its end, and the hook may change it. */
  #hold(bytes: Uint8Array): Uint8Array {
    this.#wholeBytes += bytes.length;
    if (this.#wholeBytes > MAX_ANSWER_BYTES) throw new RangeError("An answer is too long.");
    this.#whole.push(bytes.slice());
    this.#take(bytes);
    return NOTHING;
  }

  async #passWhole(filter: EventFilter): Promise<void> {
    this.#alarm.clear(this.#watch);
    if (this.#whole.length === 0 || this.#isGone) return;
    this.#isRefused = true; // so it stays where the hook fails
    const bytes = filter.whole(joined(...this.#whole));
    this.#isRefused = false;
    this.#passage.passed?.(bytes);
    await this.#writes.write(bytes);
  }

  /**
   * Lets the decoder have bytes before the filter looks at them; gives how many of them at the end repeat the event before. Few bytes
   * are put aside: the decoder takes as long for one event as for many, and the filter says of each read whether it may be the
   * end of the answer.
   */
  readonly #take = (bytes: Uint8Array): number => {
    const isShort = this.#hasToken && bytes.length <= FEW_BYTES;
    if (!isShort || this.#asideBytes + bytes.length > ASIDE_BYTES) this.#accountAside();
    if (!isShort) {
      this.#push(bytes);
      return this.#decoder?.repeatedBytes ?? 0;
    }
    this.#aside ??= new Uint8Array(ASIDE_BYTES);
    this.#aside.set(bytes, this.#asideBytes);
    this.#asideBytes += bytes.length;
    return 0;
  };

  #accountAside(): void {
    const bytes = this.#aside?.subarray(0, this.#asideBytes);
    this.#asideBytes = 0;
    if (bytes && bytes.length > 0) this.#push(bytes);
  }

  #push(bytes: Uint8Array): void {
    try {
      this.#decoder?.push(bytes);
    } catch {
      this.#decoder = undefined;
    }
    if (this.#hasToken || !(this.#decoder?.hasToken || this.#decoder?.ended)) return;
    this.#hasToken = true;
    const { contentType, patience } = this.#answer as OpenAnswer;
    if (contentType === "application/json") return;
    this.#patience = patience.idle;
    this.#keptAlive = patience.keptAlive.idle;
  }

  /** The rest of a stream, which may have no blank line at its end. */
  #lastOf(filter: EventFilter | undefined): Uint8Array | undefined {
    if (this.#isGone) {
      filter?.readRest();
      return undefined;
    }
    try {
      return filter?.end();
    } catch {
      this.#isRefused = true;
      if (this.#reason === "closed") this.#reason = "lost";
      return undefined;
    }
  }

  /** Ends the answer of a caller that is still connected. */
  #finish(last: Uint8Array | undefined, isWhole: boolean): void {
    // Where the gateway ends the answer, it sends `[DONE]` for callers who wait for that.
    const rest = this.#isKeptOpen && last?.length === 0 ? DONE : last;
    if (rest && rest.length > 0) {
      this.#passage.passed?.(rest);
      this.#outlet.pass(rest);
    }
    if (isWhole) this.#outlet.close();
    else this.#outlet.fail(new TypeError("The provider ended its answer before it was complete."));
  }

  // ---- Leaving and stalling ------------------------------------------------------------------------------------------

  #leave(isLost = false): void {
    if (this.#isGone || this.#isOver) return;
    this.#isGone = true;
    this.#writes.giveUp();
    this.#writes.stop();
    this.#outlet.abandon(isLost);
    if (this.#passage.onDisconnect === "abort") this.#giveUp();
    else this.#draining = setTimeout(() => this.#giveUp(), DRAIN);
  }

  #giveUp(): void {
    this.#reason = "aborted";
    this.#answer?.inlet.cancel();
  }

  readonly #stall = () => {
    if (!this.#decoder?.ended) {
      this.#isStalled = true;
      this.#reason = "lost";
    }
    this.#writes.giveUp();
    this.#answer?.inlet.cancel();
  };

  /** Ends a read that takes too long. Time that the caller takes to accept bytes does not count against the provider. */
  readonly #watch = () => {
    const since = this.#readingSince === 0 ? 0 : performance.now() - this.#readingSince;
    const wait = Math.min(this.#patience, this.#keptAlive - this.#waited) - since;
    if (wait === Number.POSITIVE_INFINITY) this.#alarm.clear(this.#watch);
    else if (wait > 0) this.#alarm.set(this.#watch, wait);
    else if (this.#passage.isStream && this.#patience <= LINGER) {
      this.#isKeptOpen = !this.#decoder?.ended;
      this.#answer?.inlet.cancel();
    } else this.#stall();
  };
}

/** The first byte of a comment. */
const COLON = 58;

/** Whether bytes are comments and nothing else. */
function isKeepAlive(bytes: Uint8Array): boolean {
  return bytes[0] === COLON && !/^[^:\r\n]/m.test(new TextDecoder().decode(bytes));
}

function isJSON(pieces: readonly Uint8Array[]): boolean {
  try {
    JSON.parse(new TextDecoder().decode(joined(...pieces)));
    return true;
  } catch {
    return false;
  }
}
