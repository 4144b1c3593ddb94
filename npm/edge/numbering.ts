/**
 * The events of a stream that is kept get their numbers, read by read.
 */
import { EventStreamDecoder } from "chatwire";
import { joined } from "./bytes.ts";

/** Whole events in a row, as many as came at a time. */
export interface Events {
  bytes: Uint8Array;
  count: number;
}

const LF = 10;
const CR = 13;
/** `data:` */
const DATA = [100, 97, 116, 97, 58];
/** `\nid: ` */
const ID = [LF, 105, 100, 58, 32];
/** An id's line, a whole number and two line feeds. */
const MOST_OF_AN_ID = 24;

/**
 * Cuts an event stream into its events, and gives each its number as `id`.
 *
 * Blocks that are no event, such as comments, are left out.
 */
export class Numbering {
  /** The number of the next event. */
  next = 0;
  /** Says where events lie in reads that are not plain; it has had no others, and is there once one came. */
  #decoder: EventStreamDecoder | undefined;
  /** The pieces so far of lines that no blank line ends yet, and where in the decoder's stream they begin. */
  #held: Uint8Array[] = [];
  #start = 0;

  /** Takes a read and gives the events it completes, if there are any. */
  push(bytes: Uint8Array): Events | undefined {
    const ends = this.#held.length === 0 ? endsOfPlain(bytes) : undefined;
    if (ends) return this.#numbered(bytes, ends);
    this.#decoder ??= new EventStreamDecoder();
    const { events, whole } = this.#decoder.locate(bytes);
    if (whole === this.#start) {
      this.#held.push(bytes.slice());
      return undefined;
    }
    const all = joined(...this.#held, bytes);
    const blocks = events.map(({ start, end }) => trimmed(all.subarray(start - this.#start, end - this.#start)));
    const rest = all.slice(whole - this.#start);
    this.#held = rest.length > 0 ? [rest] : [];
    this.#start = whole;
    return this.#numberedBlocks(blocks);
  }

  /** The body is over. Its last event may lack its blank line, but not its end. */
  end(): Events | undefined {
    const [event] = this.#decoder?.end() ?? [];
    if (!event) return undefined;
    try {
      if (event.data !== "[DONE]") JSON.parse(event.data);
    } catch {
      return undefined;
    }
    return this.#numberedBlocks([trimmed(joined(...this.#held))]);
  }

  /** Frees the engine's memory. Not needed after `end`. */
  free(): void {
    this.#decoder?.free();
  }

  #numberedBlocks(blocks: readonly Uint8Array[]): Events | undefined {
    let at = 0;
    const ends = blocks.map((block) => {
      at += block.length;
      return at;
    });
    return blocks.length > 0 ? this.#numbered(joined(...blocks), ends) : undefined;
  }

  /** The events with their ids. `ends` says where each of them ends; line feeds there are not repeated. */
  #numbered(bytes: Uint8Array, ends: readonly number[]): Events {
    const memory = new Uint8Array(bytes.length + ends.length * MOST_OF_AN_ID);
    let [from, at] = [0, 0];
    for (const end of ends) {
      let length = end - from;
      memory.set(bytes.subarray(from, end), at);
      while (memory[at + length - 1] === LF) length--;
      at = writeId(memory, at + length, this.next++);
      from = end;
    }
    return { bytes: memory.subarray(0, at), count: ends.length };
  }
}

/** Writes an id and the event's end, and returns where they end. */
function writeId(memory: Uint8Array, from: number, id: number): number {
  let at = from;
  for (const byte of ID) memory[at++] = byte;
  const digits = String(id);
  for (let digit = 0; digit < digits.length; digit++) memory[at++] = digits.charCodeAt(digit);
  memory[at++] = LF;
  memory[at++] = LF;
  return at;
}

/**
 * Where the events of a read end, if the read is as nearly all are: whole events that begin with `data:`, line feeds alone, one
 * blank line after each. To ask the engine would take several times as long.
 */
function endsOfPlain(bytes: Uint8Array): number[] | undefined {
  if (bytes.at(-1) !== LF || bytes.at(-2) !== LF || bytes.includes(CR)) return undefined;
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    for (let byte = 0; byte < DATA.length; byte++) if (bytes[at + byte] !== DATA[byte]) return undefined;
    do at = bytes.indexOf(LF, at) + 1;
    while (bytes[at] !== LF);
    ends.push(++at);
  }
  return ends;
}

/** Without the line ends around it. */
function trimmed(block: Uint8Array): Uint8Array {
  const isEnd = (byte: number | undefined) => byte === LF || byte === CR;
  let [from, to] = [0, block.length];
  while (from < to && isEnd(block[from])) from++;
  while (to > from && isEnd(block[to - 1])) to--;
  return block.subarray(from, to);
}
