/**
 * Takes the event that carries nothing but usage out of a stream whose caller did not ask for it.
 *
 * Until every choice has its finish reason every byte passes at once, whatever it cuts through. From the read that brings
 * the last of them on, only whole events pass; the usage comes after it. Events are told apart as WHATWG HTML §9.2.6 says,
 * by blank lines, and are otherwise passed as they were sent.
 */
import { EventStreamDecoder } from "chatwire";
import { joined } from "./bytes.ts";

const LF = 10;
const CR = 13;
/** An event longer than this is passed on unread: usage is short. */
const MAX_HELD_BYTES = 64 * 1024;
/** What of a read is looked at again with the next: a little more than `"finish_reason" : "`. */
const SEAM_BYTES = 32;

const NOTHING = new Uint8Array(0);

export class UsageFilter {
  /** Choices without a finish reason. */
  #open: number;
  /** One choice has one reason, and only the last there is need be looked at. */
  readonly #mostKeys: number;
  /** The end of what has passed, while choices are open. */
  #seam: Uint8Array = NOTHING;
  /** The last byte before `#held`; at the start of the body a line begins, too. */
  #last = LF;
  /** Whole lines and a part of one, of an event that has not ended. */
  #held: Uint8Array = NOTHING;
  /** The event before it was taken out. */
  #isTakenOut = false;

  /** @param choices how many were asked for */
  constructor(choices = 1) {
    this.#open = choices;
    this.#mostKeys = choices === 1 ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Takes a read and gives what may pass. */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#open > 0) {
      // Those that begin in the read before, and those of this one.
      const atSeam = joined(this.#seam, bytes.subarray(0, SEAM_BYTES));
      this.#open -= reasonsIn(atSeam, this.#mostKeys, this.#seam.length) + reasonsIn(bytes, this.#mostKeys);
      if (this.#open > 0) {
        this.#seam = bytes.length < SEAM_BYTES ? atSeam.slice(-SEAM_BYTES) : bytes.slice(-SEAM_BYTES);
        this.#last = bytes.at(-1) ?? this.#last;
        return bytes;
      }
    }
    return this.#wholeEvents(joined(this.#held, bytes));
  }

  /** The body is over: what is left of it. */
  end(): Uint8Array {
    const rest = this.#held;
    this.#held = NOTHING;
    return isUsageOnly(rest) ? NOTHING : rest;
  }

  #wholeEvents(bytes: Uint8Array): Uint8Array {
    const passed: Uint8Array[] = [];
    let from = 0;
    let before = this.#last;
    let isBlank = before === LF || before === CR;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte !== LF && byte !== CR) {
        isBlank = false;
      } else if (byte === LF && before === CR) {
        // The second half of a line end: it belongs to what ended with the first.
        if (at === from) {
          if (!this.#isTakenOut) passed.push(bytes.subarray(at, at + 1));
          from = at + 1;
        }
      } else {
        if (isBlank) {
          let end = at + 1;
          if (byte === CR && bytes[end] === LF) end++;
          const event = bytes.subarray(from, end);
          this.#isTakenOut = isUsageOnly(event);
          if (!this.#isTakenOut) passed.push(event);
          from = end;
          at = end - 1;
        }
        isBlank = true;
      }
      before = bytes[at] as number;
    }
    if (bytes.length - from > MAX_HELD_BYTES) {
      passed.push(bytes.subarray(from));
      from = bytes.length;
    }
    this.#held = bytes.slice(from);
    if (from > 0) this.#last = bytes[from - 1] as number;
    return passed.length === 1 ? (passed[0] as Uint8Array) : joined(...passed);
  }
}

const KEY = new TextEncoder().encode('finish_reason"');
/** Rarer than letters, so that few places are looked at. */
const UNDERSCORE_AT = 6;
const UNDERSCORE = 95;
const SPACE = 32;
const COLON = 58;
const QUOTE = 34;

/**
 * How many finish reasons are in these bytes; `null` is none. Inside a JSON string a quote is escaped, so that these bytes
 * can only be the key itself.
 * @param mostKeys how many keys to look at, from the end
 * @param seam only keys before this place count, whose values are behind it
 */
function reasonsIn(bytes: Uint8Array, mostKeys: number, seam?: number): number {
  let [found, keys] = [0, 0];
  let at = bytes.lastIndexOf(UNDERSCORE, (seam ?? bytes.length) + UNDERSCORE_AT);
  for (; at >= 0 && keys < mostKeys; at = at > 0 ? bytes.lastIndexOf(UNDERSCORE, at - 1) : -1) {
    const key = at - UNDERSCORE_AT;
    if (!isAt(bytes, key, KEY) || (seam !== undefined && key >= seam)) continue;
    keys++;
    let value = key + KEY.length;
    while (bytes[value] === SPACE || bytes[value] === COLON) value++;
    if (bytes[value] === QUOTE && value >= (seam ?? 0)) found++;
  }
  return found;
}

function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let offset = 0; offset < wanted.length; offset++) if (bytes[at + offset] !== wanted[offset]) return false;
  return true;
}

const USAGE = new TextEncoder().encode('usage"');
const BRACE = 123;

/** Whether there is any usage in these bytes, which most events have not. In a JSON string the quote would be escaped. */
function hasUsage(bytes: Uint8Array): boolean {
  const [start] = USAGE as unknown as [number];
  for (let at = bytes.indexOf(start); at >= 0; at = bytes.indexOf(start, at + 1)) {
    if (!isAt(bytes, at, USAGE)) continue;
    let value = at + USAGE.length;
    while ((bytes[value] ?? BRACE) <= SPACE || bytes[value] === COLON) value++;
    if (bytes[value] === BRACE) return true;
  }
  return false;
}

/** Whether a block of lines is one event with usage and no choices. */
function isUsageOnly(block: Uint8Array): boolean {
  if (!hasUsage(block)) return false;
  const decoder = new EventStreamDecoder({ maxEventBytes: MAX_HELD_BYTES + SEAM_BYTES });
  try {
    const [event] = [...decoder.feed(block), ...decoder.end()];
    const { choices, usage } = JSON.parse(event?.data ?? "null") ?? {};
    const hasNoChoice = choices === undefined || choices === null || (Array.isArray(choices) && choices.length === 0);
    return hasNoChoice && typeof usage === "object" && usage !== null;
  } catch {
    return false;
  } finally {
    decoder.free();
  }
}
