/**
 * Event streams as bytes: whole events, wherever a read of them ends. The engine says where events lie, as everywhere in the package;
 * this file keeps the bytes that they lie in.
 */
import { EventStreamDecoder } from "chatwire";

const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);

/** No event is longer, as for the engine. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** Memory that one long event took is given back after it. */
const KEPT_BYTES = 256 * 1024;

/**
 * Joins the reads of an event stream, and gives them out up to the end of the last blank line. Two line feeds in a row end one
 * whatever is before them, and are the last where no carriage return follows: so the engine is asked from the first read on of which
 * that does not hold. To ask it would take four times as long as all else that is done with a read.
 */
export class WholeEvents {
  /** There once the engine is asked; it has had what was held then, and all that came later. */
  #decoder: EventStreamDecoder | undefined;
  /** Bytes of lines that no blank line ends yet lie here, from `#from` to `#to`; before them the events that were given out last. */
  #memory = NOTHING;
  #from = 0;
  #to = 0;
  /** How many bytes the decoder was fed, and where the last blank line in them ends. */
  #fed = 0;
  #whole = 0;
  /** The last byte that was given out. */
  #last = LF;

  /** How many bytes are held back. */
  get heldBytes(): number {
    return this.#to - this.#from;
  }

  /** The bytes that are held back, good until the next call. */
  get held(): Uint8Array {
    return this.#memory.subarray(this.#from, this.#to);
  }

  /**
   * Takes a read and gives the whole events so far, with the lines between them. They are good until the next call: an array
   * for each read would be a third of all that it costs.
   * @throws {ProtocolError} an event is too long
   */
  push(bytes: Uint8Array): Uint8Array {
    if (this.heldBytes === 0 && this.#last !== CR && endsInBlankLine(bytes)) {
      if (this.#memory.length > KEPT_BYTES) this.#giveBack();
      return bytes;
    }
    const end = this.#endIn(bytes);
    this.#hold(bytes);
    if (end === 0) return NOTHING;
    this.#from = this.#to - bytes.length + end;
    this.#last = this.#memory[this.#from - 1] as number;
    return this.#memory.subarray(0, this.#from);
  }

  /** Where the last blank line of a read ends; 0 where none does. */
  #endIn(bytes: Uint8Array): number {
    if (!this.#decoder) {
      const last = this.heldBytes > 0 ? this.#memory[this.#to - 1] : this.#last;
      const end = lastLineFeeds(bytes, last === LF);
      const rest = bytes.length - end + (end > 0 ? 0 : this.heldBytes);
      if (rest <= MAX_EVENT_BYTES && !bytes.includes(CR, end)) return end;
      this.#decoder = new EventStreamDecoder();
      this.#decoder.locate(this.held);
      this.#fed = this.heldBytes;
    }
    const { whole } = this.#decoder.locate(bytes);
    const end = whole === this.#whole ? 0 : whole - this.#fed;
    this.#whole = whole;
    this.#fed += bytes.length;
    return end;
  }

  /** Puts a read behind the bytes that are held, at the beginning of the memory. */
  #hold(bytes: Uint8Array): void {
    const { held } = this;
    const length = held.length + bytes.length;
    const isTooLarge = this.#memory.length > Math.max(KEPT_BYTES, 8 * length);
    if (this.#memory.length < length || isTooLarge) {
      this.#memory = new Uint8Array(2 * length);
      this.#memory.set(held);
    } else if (this.#from > 0) this.#memory.copyWithin(0, this.#from, this.#to);
    this.#memory.set(bytes, held.length);
    this.#from = 0;
    this.#to = length;
  }

  /** Nothing is held. What was given out last lies in the memory, which stays for as long as that is used. */
  #giveBack(): void {
    this.#memory = NOTHING;
    this.#from = 0;
    this.#to = 0;
  }

  /** The body is over: the bytes that no blank line has ended. */
  end(): Uint8Array {
    this.free();
    const rest = this.held;
    this.#from = this.#to;
    return rest;
  }

  /** Frees the engine's memory. Not needed after `end`. */
  free(): void {
    this.#decoder?.free();
    this.#decoder = undefined;
  }
}

/** Where the last two line feeds in a row end; 0 where there are none. `isAfterOne`: a line feed stands before these bytes. */
function lastLineFeeds(bytes: Uint8Array, isAfterOne: boolean): number {
  for (let at = bytes.lastIndexOf(LF); at > 0; at = bytes.lastIndexOf(LF, at - 1)) {
    if (bytes[at - 1] === LF) return at + 1;
  }
  return isAfterOne && bytes[0] === LF ? 1 : 0;
}

/** Whether the first `length` of these bytes end in an empty line, which ends an event whatever was before it. */
export function endsInBlankLine(bytes: Uint8Array, length = bytes.length): boolean {
  if (bytes[length - 1] !== LF) return false;
  return bytes[length - 2] === LF || (bytes[length - 2] === CR && bytes[length - 3] === LF);
}

/** Where the events lie in bytes that hold whole ones. */
function positionsIn(bytes: Uint8Array): { start: number; end: number }[] {
  const decoder = new EventStreamDecoder();
  try {
    return decoder.locate(bytes).events;
  } finally {
    decoder.free();
  }
}

/** The events in bytes that hold nothing but events of one line, each ended by two line feeds: no engine is needed to find those. */
export function linesIn(bytes: Uint8Array): Uint8Array[] {
  const events: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LF, at) + 2;
    events.push(bytes.subarray(at, end));
    at = end;
  }
  return events;
}

/** The events in these bytes. Lines between two events, such as comments, are left out. */
export function eventsIn(bytes: Uint8Array): Uint8Array[] {
  return positionsIn(bytes).map(({ start, end }) => bytes.subarray(start, end));
}

/** The events in these bytes, and the lines between two events as pieces of their own. */
export function piecesIn(bytes: Uint8Array): Uint8Array[] {
  const edges = positionsIn(bytes).flatMap(({ start, end }) => [start, end]);
  return [0, ...edges].map((from, at) => bytes.subarray(from, edges[at])).filter((piece) => piece.length > 0);
}
