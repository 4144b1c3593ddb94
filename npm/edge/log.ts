/**
 * An event stream that is kept: its events numbered as they come, for any number of readers from any point.
 */
import { EventStreamDecoder } from "chatwire";
import { joined } from "./bytes.ts";
import { COMMENT, HEARTBEAT } from "./writes.ts";

/** The most bytes that a reader is handed at a time. */
const MOST_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/**
 * Cuts an event stream into its events, and gives each its number as `id`.
 *
 * Blocks that are no event, such as comments, are left out.
 */
export class Numbering {
  /** The number of the next event. */
  next = 0;
  readonly #decoder = new EventStreamDecoder();
  /** The pieces so far of lines that no blank line ends yet, and where in the stream they begin. */
  #held: Uint8Array[] = [];
  #start = 0;

  /** Takes a read and gives the events it completes. */
  push(bytes: Uint8Array): Uint8Array[] {
    const { events, whole } = this.#decoder.locate(bytes);
    if (whole === this.#start) {
      this.#held.push(bytes.slice());
      return [];
    }
    const all = joined(...this.#held, bytes);
    const blocks = events.map(({ start, end }) => trimmed(all.subarray(start - this.#start, end - this.#start)));
    this.#held = [all.slice(whole - this.#start)];
    this.#start = whole;
    return this.#numbered(blocks);
  }

  /** The body is over. Its last event may lack its blank line, but not its end. */
  end(): Uint8Array[] {
    const [event] = this.#decoder.end();
    if (!event) return [];
    try {
      if (event.data !== "[DONE]") JSON.parse(event.data);
    } catch {
      return [];
    }
    return this.#numbered([trimmed(joined(...this.#held))]);
  }

  /** Frees the engine's memory. Not needed after `end`. */
  free(): void {
    this.#decoder.free();
  }

  /** The events with their ids, all of them in one buffer. */
  #numbered(blocks: readonly Uint8Array[]): Uint8Array[] {
    if (blocks.length === 0) return [];
    const memory = new Uint8Array(blocks.reduce((length, block) => length + block.length + MOST_OF_AN_ID, 0));
    let at = 0;
    return blocks.map((block) => {
      memory.set(block, at);
      const { written } = encoder.encodeInto(`\nid: ${this.next++}\n\n`, memory.subarray(at + block.length));
      const event = memory.subarray(at, at + block.length + written);
      at += event.length;
      return event;
    });
  }
}

/** `\nid: `, a whole number and two line feeds. */
const MOST_OF_AN_ID = 24;

/** Without the line ends around it. */
function trimmed(block: Uint8Array): Uint8Array {
  const isEnd = (byte: number | undefined) => byte === 10 || byte === 13;
  let [from, to] = [0, block.length];
  while (from < to && isEnd(block[from])) from++;
  while (to > from && isEnd(block[to - 1])) to--;
  return block.subarray(from, to);
}

const CUT = "The provider ended its answer before it was complete.";
const TOO_SLOW =
  "The reader is too slow: the events that it reads next were dropped. Resume the stream, or read faster.";

/** How the events of a log are read. */
export interface ReadOptions {
  /** Gives the bytes to send at the end, if there are any. */
  last?: () => Uint8Array | undefined;
  /** Called when the reader leaves before the end. */
  left?: () => void;
  /** The reader knows of no kept streams, so that a stream which was cut before the read fails too. Default false. */
  isAnswer?: boolean;
}

/** Where a reader stands. */
interface Place {
  /** The number of the next event. */
  next: number;
  isLeft: boolean;
}

/** Events in memory, the oldest of which are dropped when there are too many. */
export class Log {
  readonly #capacity: number;
  #events: Uint8Array[] = [];
  #bytes = 0;
  /** The number of the oldest event in memory. */
  first = 0;
  isOver = false;
  /** The stream broke off: its readers must not take it for whole. */
  isCut = false;
  #wake: () => void = () => {};
  #changed: Promise<void> = Promise.resolve();

  /** @param capacity in bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#expect();
  }

  /** The number of the next. */
  get end(): number {
    return this.first + this.#events.length;
  }

  #expect(): void {
    this.#changed = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  push(events: readonly Uint8Array[]): void {
    for (const event of events) {
      this.#events.push(event);
      this.#bytes += event.length;
    }
    let dropped = 0;
    while (this.#bytes > this.#capacity && dropped < this.#events.length - 1) {
      this.#bytes -= (this.#events[dropped++] as Uint8Array).length;
    }
    if (dropped > 0) this.#events = this.#events.slice(dropped);
    this.first += dropped;
    this.#wake();
    this.#expect();
  }

  /** Nothing more comes. */
  close({ isCut }: { isCut: boolean }): void {
    this.isOver = true;
    this.isCut = isCut;
    this.#wake();
  }

  /** All events in memory. */
  bytes(): Uint8Array {
    return joined(...this.#events);
  }

  /**
   * The events from a number on, those to come included, and a comment wherever nothing comes for a while.
   * The stream of events fails if events are dropped before they are read, and at the end of a stream that is cut while it is read.
   */
  read(from: number, { last, left, isAnswer = false }: ReadOptions = {}): ReadableStream<Uint8Array> {
    // The header of a resumption says that the stream was cut before.
    const wasCut = this.isCut && !isAnswer;
    const place: Place = { next: from, isLeft: false };
    let isEnding = false;
    const end = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const bytes = isEnding ? undefined : last?.();
      isEnding = true;
      if (bytes) controller.enqueue(bytes);
      else if (this.isCut && !wasCut) controller.error(new TypeError(CUT));
      else controller.close();
    };
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const hasChanged = await this.#hasNews(place);
      if (place.isLeft) return;
      if (!hasChanged) controller.enqueue(COMMENT.slice());
      else if (place.next >= this.end) end(controller);
      else if (place.next < this.first) controller.error(new RangeError(TOO_SLOW));
      else controller.enqueue(this.#take(place));
    };
    const cancel = () => {
      place.isLeft = true;
      left?.();
    };
    return new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 });
  }

  /** Waits until there is an event to read, or the end; `false` where a heartbeat is due first. */
  async #hasNews(place: Place): Promise<boolean> {
    while (place.next >= this.end && !this.isOver && !place.isLeft) {
      if (!(await this.#hasChangedSoon())) return false;
    }
    return true;
  }

  /** The events from a place on, as many as a reader is handed at a time. */
  #take(place: Place): Uint8Array {
    const taken: Uint8Array[] = [];
    for (let length = 0; place.next < this.end && length < MOST_BYTES; place.next++) {
      const event = this.#events[place.next - this.first] as Uint8Array;
      length += event.length;
      taken.push(event);
    }
    // A copy: a reader may detach what it is given.
    return joined(...taken).slice();
  }

  /** Waits for an event or the end; `false` where a heartbeat is due first. */
  #hasChangedSoon(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), HEARTBEAT);
      void this.#changed.then(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }
}
