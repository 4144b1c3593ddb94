/**
 * The events of a stream that is kept, in memory, for any number of readers from any point.
 */
import { Alarm } from "./alarm.ts";
import { joined } from "./bytes.ts";
import { type Outlet, outletOf } from "./ends.ts";
import type { Events } from "./numbering.ts";
import { eventsIn } from "./whole-events.ts";
import { COMMENT, HEARTBEAT } from "./writes.ts";

/** The most bytes that a reader is handed at a time, where more than one piece waits for it. */
const MOST_BYTES = 64 * 1024;

const CUT = "The provider ended its answer before it was complete.";
const TOO_SLOW =
  "The reader is too slow: the events that it reads next were dropped. Resume the stream, or read faster.";

/** How the events of a log are read. */
export interface ReadOptions {
  /** Gives the bytes to send at the end, if there are any. */
  last?: () => Uint8Array | undefined;
  /** Called when the reader leaves before the end. */
  left?: () => void;
  /** Called when the reader has all, or has left. */
  over?: () => void;
  /** The reader knows of no kept streams, so that a stream which was cut before the read fails too. Default false. */
  isAnswer?: boolean;
}

/** Events in memory, the oldest of which are dropped when there are too many. */
export class Log {
  readonly #capacity: number;
  /** That of the object, which has many logs. */
  readonly alarm: Alarm;
  /** The events, in pieces as they came. */
  #pieces: Events[] = [];
  #bytes = 0;
  /** The number of the oldest event in memory, and of the next. */
  #first = 0;
  #end = 0;
  isOver = false;
  /** The stream broke off: its readers must not take it for whole. */
  isCut = false;
  readonly #readers = new Set<Reader>();

  /**
   * @param capacity in bytes
   * @param first the number of the first event
   */
  constructor(capacity: number, alarm = new Alarm(), first = 0) {
    this.#capacity = capacity;
    this.alarm = alarm;
    this.#first = first;
    this.#end = first;
  }

  /** The number of the oldest event in memory. */
  get first(): number {
    return this.#first;
  }

  /** The number of the next. */
  get end(): number {
    return this.#end;
  }

  push(events: Events): void {
    this.#pieces.push(events);
    this.#bytes += events.bytes.length;
    this.#end += events.count;
    while (this.#bytes > this.#capacity && this.#pieces.length > 1) {
      const { bytes, count } = this.#pieces.shift() as Events;
      this.#bytes -= bytes.length;
      this.#first += count;
    }
    for (const reader of this.#readers) reader.wake();
  }

  /** Nothing more comes. */
  close({ isCut }: { isCut: boolean }): void {
    this.isOver = true;
    this.isCut = isCut;
    for (const reader of this.#readers) reader.wake();
  }

  /** Somebody reads it. */
  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  /** All events in memory. */
  bytes(): Uint8Array {
    return joined(...this.#pieces.map(({ bytes }) => bytes));
  }

  /** The events from a number on, as many as a reader is handed at a time. */
  from(number: number): Events {
    let at = this.#pieces.length;
    let first = this.#end;
    while (first > number) first -= (this.#pieces[--at] as Events).count;
    const taken: Uint8Array[] = [];
    let [length, count] = [0, first - number];
    for (let piece = this.#pieces[at]; piece && length < MOST_BYTES; piece = this.#pieces[++at]) {
      taken.push(first < number ? joined(...eventsIn(piece.bytes).slice(number - first)) : piece.bytes);
      first = number;
      length += piece.bytes.length;
      count += piece.count;
    }
    return { bytes: joined(...taken), count };
  }

  /**
   * The events from a number on, those to come included, and a comment wherever nothing comes for a while.
   * The stream of events fails if events are dropped before they are read, and at the end of a stream that is cut while it is read.
   */
  read(from: number, options: ReadOptions = {}): ReadableStream<Uint8Array> {
    const reader = new Reader(this, from, options);
    this.#readers.add(reader);
    void reader.run().then(() => {
      this.#readers.delete(reader);
      options.over?.();
    });
    return reader.body;
  }
}

/** One reader of a log. */
class Reader {
  readonly #log: Log;
  readonly #options: ReadOptions;
  /** The header of a resumption says that the stream was cut before. */
  readonly #wasCut: boolean;
  readonly #outlet: Outlet;
  /** The number of the next event. */
  #next: number;
  #isLeft = false;
  wake: () => void = () => {};

  constructor(log: Log, from: number, options: ReadOptions) {
    this.#log = log;
    this.#next = from;
    this.#options = options;
    this.#wasCut = log.isCut && !options.isAnswer;
    this.#outlet = outletOf(() => this.#leave());
  }

  get body(): ReadableStream<Uint8Array> {
    return this.#outlet.body;
  }

  #leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#options.left?.();
    this.wake();
  }

  /** Hands out events to the end of the log, or until the reader leaves. */
  async run(): Promise<void> {
    const log = this.#log;
    while (!this.#isLeft && (this.#next < log.end || !log.isOver)) {
      if (this.#next >= log.end) await this.#news();
      else if (this.#next < log.first) return this.#end(new RangeError(TOO_SLOW));
      else {
        const { bytes, count } = log.from(this.#next);
        this.#next += count;
        await this.#passed(bytes);
      }
    }
    const last = this.#isLeft ? undefined : this.#options.last?.();
    if (last) await this.#passed(last);
    this.#end(log.isCut && !this.#wasCut && !last ? new TypeError(CUT) : undefined);
  }

  #passed(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#outlet.pass(bytes, resolve));
  }

  #end(error?: Error): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    if (error) this.#outlet.fail(error);
    else this.#outlet.close();
  }

  /** Resolves when there is an event to read, or the end, or when the reader leaves. */
  #news(): Promise<void> {
    const { alarm } = this.#log;
    alarm.set(this.#beat, HEARTBEAT);
    return new Promise((resolve) => {
      this.wake = () => {
        alarm.clear(this.#beat);
        resolve();
      };
    });
  }

  /** Sends a comment to a reader who has waited for an event for a while. */
  readonly #beat = () => {
    this.#outlet.pass(COMMENT);
    this.#log.alarm.set(this.#beat, HEARTBEAT);
  };
}
