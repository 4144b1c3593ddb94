/**
 * The events of a provider's stream on their way to the caller: whole ones only, without the usage that was not asked for,
 * and with errors that callers may read.
 *
 * Events are told apart by blank lines, as WHATWG HTML §9.2.6 says, and otherwise passed as they were sent. Nearly all of
 * them hold nothing of interest, which one search over the read finds; only the others are parsed.
 *
 * This file looks for blank lines itself, where the rest of the package asks `EventStreamDecoder`: every read of every stream passes
 * here, most with one event, and a call into the engine took four times as long as the search does. `tests/edge/event-filter.test.ts`
 * holds that both find the same lines.
 */
import { joined } from "./bytes.ts";
import { publicValue } from "./words.ts";

const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);
/** An event that is longer than this is no part of a chat. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
/** Bytes of the read before in which a blank line can have begun. */
const SEAM_BYTES = 3;

/** Signs of an event that is more than a piece of the answer. Inside a JSON string their quotes would be escaped. */
const OF_INTEREST =
  /"(?:errors?|error_message|detail|message|msg|title|reason|base_resp)"\s*:|(?:^|\n|\r)data:\s*\[\s*\{|"usage"\s*:\s*\{|"finish_reason"\s*:\s*"|(?:^|\n|\r)event/;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** How a stream's events pass. */
export interface EventFilterOptions {
  /** Answers that were asked for. Default 1. */
  choices?: number;
  /** Takes out events that carry nothing but usage. Default false. */
  hidesUsage?: boolean;
  /** Keys that must not show in an error. */
  secrets?: readonly string[];
  /** Changes each chunk; `null` leaves it out. */
  change?: ((chunk: Record<string, unknown>) => Record<string, unknown> | null) | undefined;
}

export class EventFilter {
  readonly #choices: number;
  readonly #hidesUsage: boolean;
  readonly #secrets: readonly string[];
  readonly #change: EventFilterOptions["change"];
  /** Pieces of an event that has not ended. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The last event was taken out. */
  #isTakenOut = false;
  /** The last byte of what was looked at. */
  #last = 0;
  readonly #finished = new Set<unknown>();
  #hasUsage = false;

  constructor({ choices = 1, hidesUsage = false, secrets = [], change }: EventFilterOptions = {}) {
    this.#change = change;
    this.#choices = choices;
    this.#hidesUsage = hidesUsage;
    this.#secrets = secrets;
  }

  /** Every choice has its finish reason, and the usage has come: only `[DONE]` can follow. */
  get isAnswered(): boolean {
    return this.#hasUsage && this.#finished.size >= this.#choices;
  }

  /**
   * Takes a read and gives the events that it completes.
   * @throws {RangeError} an event is too long
   */
  push(bytes: Uint8Array): Uint8Array {
    const seam = tailOf(this.#held, SEAM_BYTES);
    const end = endOfEvents(seam.length > 0 ? joined(seam, bytes) : bytes) - seam.length;
    if (end <= 0) {
      this.#hold(bytes);
      return NOTHING;
    }
    const whole = joined(...this.#held, bytes.subarray(0, end));
    this.#held = [];
    this.#heldBytes = 0;
    if (end < bytes.length) this.#hold(bytes.subarray(end));
    return this.#passed(whole);
  }

  /** The body is over: what is left of it. */
  end(): Uint8Array {
    const rest = joined(...this.#held);
    this.#held = [];
    return rest.length > 0 ? this.#passed(rest) : NOTHING;
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_EVENT_BYTES) throw new RangeError("An event is too long.");
    this.#held.push(bytes.slice());
  }

  #passed(whole: Uint8Array): Uint8Array {
    // The second half of a line end belongs to the event that ended with the first.
    const half = this.#last === CR && whole[0] === LF ? whole.subarray(0, 1) : NOTHING;
    const isHalfTakenOut = this.#isTakenOut;
    this.#last = whole.at(-1) ?? 0;
    this.#isTakenOut = false;
    if (!isHalfTakenOut && !this.#change && !OF_INTEREST.test(decoder.decode(whole))) return whole;
    const passed: Uint8Array[] = isHalfTakenOut ? [] : [half];
    for (const event of eventsOf(whole.subarray(half.length))) {
      const own = this.#event(event);
      this.#isTakenOut = own.length === 0;
      passed.push(own);
    }
    return joined(...passed);
  }

  /** One event, as it may pass. */
  #event(bytes: Uint8Array): Uint8Array {
    const text = decoder.decode(bytes);
    if (!this.#change && !OF_INTEREST.test(text)) return bytes;
    const value = dataOf(text);
    if (value === undefined) return bytes;
    // Some services list their errors.
    if (Array.isArray(value)) return value.some(isChunk) ? bytes : this.#shown(value, text);
    const choices = Array.isArray(value.choices) ? (value.choices as unknown[]) : [];
    for (const choice of choices) {
      const { index, finish_reason } = (choice ?? {}) as { index?: unknown; finish_reason?: unknown };
      if (typeof finish_reason === "string") this.#finished.add(index ?? 0);
    }
    const hasUsage = typeof value.usage === "object" && value.usage !== null;
    if (hasUsage) this.#hasUsage = true;
    if (isError(value, choices.length)) return this.#shown(value, text);
    if (hasUsage && choices.length === 0 && this.#hidesUsage) return NOTHING;
    if (!this.#change) return bytes;
    const changed = this.#change(value);
    return changed === null ? NOTHING : encoder.encode(`data: ${JSON.stringify(changed)}\n\n`);
  }

  /** An error, as callers may read it. */
  #shown(error: unknown, text: string): Uint8Array {
    const shown = publicValue(error, this.#secrets);
    const [type = ""] = /^event:[^\r\n]*/m.exec(text) ?? [];
    return encoder.encode(`${type && `${type}\n`}data: ${JSON.stringify(shown)}\n\n`);
  }
}

/** The value of an event's data, where that is an object or a list. */
function dataOf(text: string): Record<string, unknown> | unknown[] | undefined {
  const lines = [...text.matchAll(/^\ufeff?data:? ?(.*)$/gm)].map(([, line = ""]) => line.replace(/\r$/, ""));
  try {
    const value: unknown = JSON.parse(lines.length > 0 ? lines.join("\n") : text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown> | unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

function isChunk(value: unknown): boolean {
  return typeof value === "object" && value !== null && "choices" in value;
}

/** An error says so, or has words and no answer. */
function isError(value: Record<string, unknown>, choices: number): boolean {
  const { error, errors } = value;
  if ((error !== undefined && error !== null && error !== false) || Array.isArray(errors)) return true;
  if (choices > 0 || value.usage) return false;
  return ["error_message", "detail", "message", "msg", "title", "reason", "base_resp"].some(
    (name) => value[name] !== undefined && value[name] !== null,
  );
}

/** The last bytes of all pieces. */
function tailOf(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const last = pieces.at(-1);
  if (!last || last.length >= length || pieces.length === 1) return last?.subarray(-length) ?? NOTHING;
  return joined(...pieces.slice(-length)).slice(-length);
}

/** Where the last blank line ends; 0 where there is none. */
function endOfEvents(bytes: Uint8Array): number {
  if (!bytes.includes(CR)) {
    for (let at = bytes.lastIndexOf(LF); at > 0; at = bytes.lastIndexOf(LF, at - 1)) {
      if (bytes[at - 1] === LF) return at + 1;
    }
    return 0;
  }
  let end = 0;
  for (const next of endsOfEvents(bytes)) end = next;
  return end;
}

/** Where each blank line ends. */
function* endsOfEvents(bytes: Uint8Array): Generator<number> {
  let isBlank = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte !== LF && byte !== CR) {
      isBlank = false;
      continue;
    }
    if (byte === CR && bytes[at + 1] === LF) at++;
    if (isBlank) yield at + 1;
    isBlank = true;
  }
}

function eventsOf(bytes: Uint8Array): Uint8Array[] {
  const events: Uint8Array[] = [];
  let from = 0;
  for (const end of endsOfEvents(bytes)) {
    events.push(bytes.subarray(from, end));
    from = end;
  }
  if (from < bytes.length) events.push(bytes.subarray(from));
  return events;
}
