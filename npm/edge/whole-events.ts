/**
 * Event streams as bytes: whole events, wherever a read of them ends. The engine says where events lie, as everywhere in the package;
 * this file keeps the bytes that they lie in.
 */
import { EventStreamDecoder } from "chatwire";
import { joined } from "./bytes.ts";

const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);

/** Joins the reads of an event stream, and gives them out up to the end of the last blank line. */
export class WholeEvents {
  #decoder: EventStreamDecoder | undefined;
  /** The pieces so far of lines that no blank line ends yet. */
  #held: Uint8Array[] = [];
  /** How many bytes the decoder was fed, and where the last blank line in them ends. */
  #fed = 0;
  #whole = 0;
  /** The last byte that was given out. */
  #last = LF;

  /**
   * Takes a read and gives the whole events so far, with the lines between them.
   * @throws {ProtocolError} an event is too long
   */
  push(bytes: Uint8Array): Uint8Array {
    // Most reads end with an event and are whole. To ask the decoder would take four times as long as all else that is done with them.
    if (this.#held.length === 0 && this.#last !== CR && endsInBlankLine(bytes)) return bytes;
    this.#decoder ??= new EventStreamDecoder();
    const { whole } = this.#decoder.locate(bytes);
    if (whole === this.#whole) {
      this.#held.push(bytes.slice());
      this.#fed += bytes.length;
      return NOTHING;
    }
    const length = whole - this.#fed;
    const events = joined(...this.#held, bytes.subarray(0, length));
    // A copy, because the next read may use the same memory.
    this.#held = length < bytes.length ? [bytes.slice(length)] : [];
    this.#fed += bytes.length;
    this.#whole = whole;
    this.#last = bytes[length - 1] as number;
    return events;
  }

  /** The body is over: the bytes that no blank line has ended. */
  end(): Uint8Array {
    this.free();
    return joined(...this.#held.splice(0));
  }

  /** Frees the engine's memory. Not needed after `end`. */
  free(): void {
    this.#decoder?.free();
    this.#decoder = undefined;
  }
}

/** Whether these bytes end in an empty line, which ends an event whatever was before it. */
function endsInBlankLine(bytes: Uint8Array): boolean {
  if (bytes.at(-1) !== LF) return false;
  return bytes.at(-2) === LF || (bytes.at(-2) === CR && bytes.at(-3) === LF);
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

/** The events in these bytes. Lines between two events, such as comments, are left out. */
export function eventsIn(bytes: Uint8Array): Uint8Array[] {
  return positionsIn(bytes).map(({ start, end }) => bytes.subarray(start, end));
}

/** The events in these bytes, and the lines between two events as pieces of their own. */
export function piecesIn(bytes: Uint8Array): Uint8Array[] {
  const edges = positionsIn(bytes).flatMap(({ start, end }) => [start, end]);
  return [0, ...edges].map((from, at) => bytes.subarray(from, edges[at])).filter((piece) => piece.length > 0);
}
