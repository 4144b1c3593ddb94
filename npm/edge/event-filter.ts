/**
 * The events of a provider's stream on their way to the caller: whole ones only, without the usage that was not asked for,
 * and with errors that callers may read.
 *
 * Nearly all of them hold nothing of interest and pass as they were sent: those that repeat one that passed so, as a decoder finds, and
 * those in whose text a search finds nothing. Only the others are parsed.
 */
import { joined } from "./bytes.ts";
import { parseExactly } from "./exact-json.ts";
import { endsInBlankLine, linesIn, piecesIn, WholeEvents } from "./whole-events.ts";
import { publicText, publicValue, WORDS, wordsIn } from "./words.ts";

const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);

/** Signs of a chunk that is more than a piece of the answer. Inside a JSON string their quotes would be escaped. */
const OF_INTEREST =
  /"(?:(?:errors?|error_message|details?|message|msg|title|reason|base_resp)"\s*:|usage"\s*:\s*\{|finish_reason"\s*:\s*")/;
/** The last event of a stream, as nearly all write it. */
const DONE = "data: [DONE]\n\n";
/** An event of one line of data. */
const ONE_LINE = /^data: ?([^\r\n]*)\r?\n\r?\n$/;
/** Nothing but events of one line of data, as nearly all servers write them. */
const LINES = /^(?:data:[^\r\n]*\n\n)+$/;
/** The first of these signs alone: members that hold words of the provider. */
const HAS_WORDS = new RegExp(`"(?:${WORDS.join("|")})"\\s*:`);
/** A part of each of these signs: most reads have none, and searching for parts that are rare takes a fraction of the time. */
const HINTS = /rror|etail|essage"|msg"|title"|reason"\s*:\s*"|base_resp"|usage"\s*:\s*\{/;
/** Events of an API that is passed through: those of an answer, and an error in one. */
const PASSED_EVENTS = /^(?:(?:event: ?response\.[\w.]+\r?\n)?data: ?\{"type"\s*:\s*"response\.[\w.]+".*\r?\n\r?\n)+$/;
/** A line end of CR alone; that at the end may be half of one. */
const LONE_CR = /\r(?!\n|$)/;
const ERROR = /"errors?"\s*:\s*[^n\s]/;
/** The beginning of a chunk, whole or not. */
const CHUNK = /^\s*\{[\s\S]*"choices"\s*:\s*\[\s*\{/;

/** Whether a text is made of nothing but chunks with choices, each in one line of data. Others are not the model's words. */
function hasChunksOnly(text: string): boolean {
  if (text.includes("\r") && LONE_CR.test(text)) return false;
  for (let at = 0; at < text.length; ) {
    const line = text.indexOf("\n", at);
    const end = line < 0 ? text.length : line;
    // A line of a blank line's CR LF has the CR alone.
    const isBlank = end === at || (end === at + 1 && text[at] === "\r");
    if (!isBlank && !(text.startsWith("data:", at) && hasChoices(text, at, end))) return false;
    at = end + 1;
  }
  return true;
}

function hasChoices(text: string, from: number, to: number): boolean {
  const at = text.indexOf('choices":[{', from);
  if (at > 0 && at < to) return text[at - 1] === '"';
  return /^data: ?\{.*"choices"\s*:\s*\[\s*\{/.test(text.slice(from, to));
}

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
  /** The events are those of an API that is passed through. Default false. */
  isPassedThrough?: boolean;
  /** Changes each chunk; `null` leaves it out. */
  change?: ((chunk: Record<string, unknown>) => Record<string, unknown> | null) | undefined;
  /**
   * Gets all bytes in order, those of whole events together, before they are looked at. Gives how many bytes at the end of them repeat
   * the event before, as a decoder knows. Default: none does.
   */
  reader?: (bytes: Uint8Array) => number;
}

export class EventFilter {
  readonly #choices: number;
  readonly #hidesUsage: boolean;
  readonly #secrets: readonly string[];
  readonly #change: EventFilterOptions["change"];
  readonly #isPassedThrough: boolean;
  readonly #reader: (bytes: Uint8Array) => number;
  readonly #wholeEvents = new WholeEvents();
  /** The last read was whole events, and all of them pieces of the answer. */
  isPlain = false;
  /** All events so far have passed as they were sent: so may each that repeats the one before it. */
  #isUnchanged: boolean;
  /** The last event was taken out. */
  #isTakenOut = false;
  /** How many of the bytes that are held back have been read by `reader`. */
  #readBytes = 0;
  /** The last byte of what was looked at. */
  #last = 0;
  readonly #finished = new Set<unknown>();
  #hasUsage = false;
  /** `[DONE]` has passed: events that follow are not part of the answer, and are not counted. */
  #isDone = false;

  constructor({
    choices = 1,
    hidesUsage = false,
    secrets = [],
    isPassedThrough = false,
    change,
    reader = () => 0,
  }: EventFilterOptions = {}) {
    this.#reader = reader;
    this.#isPassedThrough = isPassedThrough;
    this.#change = change;
    this.#isUnchanged = !change;
    this.#choices = choices;
    this.#hidesUsage = hidesUsage;
    this.#secrets = secrets;
  }

  /** Every choice has its finish reason, and the usage has come: only `[DONE]` can follow. */
  get isAnswered(): boolean {
    return this.#hasUsage && this.#finished.size >= this.#choices;
  }

  /**
   * Takes a read and gives the events that it completes, which are good until the next call.
   * @throws {ProtocolError} an event is too long
   */
  push(bytes: Uint8Array): Uint8Array {
    this.isPlain = false;
    if (this.#isDone) {
      this.#readOn(bytes);
      return this.#restOfLineEnd(bytes);
    }
    const whole = this.#wholeIn(bytes);
    const repeatedBytes = this.#read(whole);
    if (whole.length === 0) return NOTHING;
    const fresh = whole.length - repeatedBytes;
    // Lines without a blank line after them, such as a comment, belong to the event behind them, which then repeats no other.
    const mayRepeat = repeatedBytes > 0 && (fresh === 0 || endsInBlankLine(whole, fresh));
    if (!mayRepeat || !this.#isUnchanged) return this.#passed(whole);
    const first = fresh > 0 ? this.#passed(whole.subarray(0, fresh)) : NOTHING;
    const rest = this.#repeated(whole.subarray(fresh));
    return first.length + rest.length === whole.length && this.#isUnchanged ? whole : joined(first, rest);
  }

  /** @throws {ProtocolError} an event is too long; the reader has had all of it */
  #wholeIn(bytes: Uint8Array): Uint8Array {
    try {
      return this.#wholeEvents.push(bytes);
    } catch (error) {
      this.#readOn(bytes);
      throw error;
    }
  }

  /** Lets the reader have what is held, and bytes that are not kept. */
  #readOn(bytes: Uint8Array): void {
    this.readRest();
    this.#reader(bytes);
  }

  /**
   * Lets the reader have the whole events. What is held behind them is read with the rest of its event, unless it has a line end: lines
   * may be an answer without blank lines. Gives how many bytes at the end of the whole events repeat the event before them.
   */
  #read(whole: Uint8Array): number {
    const unread = whole.subarray(this.#readBytes);
    // A mark at the beginning of a line may make a blank line of one that was held, and read: then less is whole than was read.
    this.#readBytes = Math.max(0, this.#readBytes - whole.length);
    const repeatedBytes = unread.length > 0 ? this.#reader(unread) : 0;
    const { held } = this.#wholeEvents;
    if (whole.length === 0 || held.includes(LF) || held.includes(CR)) this.readRest();
    return repeatedBytes;
  }

  /** Events that each repeat the one before: there is nothing to look for but keys in their texts. */
  #repeated(events: Uint8Array): Uint8Array {
    const isFit = this.#isUnchanged && !(this.#secrets.length > 0 && this.#mayNameSecret(decoder.decode(events)));
    if (!isFit) return this.#isDone ? NOTHING : this.#passed(events);
    this.#last = events[events.length - 1] ?? 0;
    return events;
  }

  /** Whether a text names a key, or has an escape that may hide letters of one. */
  #mayNameSecret(text: string): boolean {
    return text.includes("\\u00") || text.includes("\\/") || this.#namesSecret(text);
  }

  /**
   * A whole answer in JSON, as it may pass.
   * @throws {SyntaxError} it is to be changed, and is no JSON
   */
  whole(bytes: Uint8Array): Uint8Array {
    const text = decoder.decode(bytes);
    if (!this.#change && !OF_INTEREST.test(text) && !this.#namesSecret(text)) return bytes;
    const { value, print } = parseExactly(text);
    const shown = this.#shown(value);
    if (!this.#change && shown === value) return bytes;
    const passed = this.#change && isObject(shown) ? this.#change(shown) : shown;
    return encoder.encode((isObject(passed) ? print(passed) : undefined) ?? JSON.stringify(passed));
  }

  /** Lets the reader have what is held back. Not needed before `end`. */
  readRest(): void {
    const unread = this.#wholeEvents.held.subarray(this.#readBytes);
    this.#readBytes += unread.length;
    if (unread.length > 0) this.#reader(unread);
  }

  /** The body is over: what is left of it. */
  end(): Uint8Array {
    this.readRest();
    this.#readBytes = 0;
    const rest = this.#wholeEvents.end();
    return rest.length > 0 && !this.#isDone ? this.#passed(rest) : NOTHING;
  }

  /** Frees the engine's memory. Not needed after `end`. */
  free(): void {
    this.#wholeEvents.free();
  }

  /** The line feed that belongs to the carriage return before it. */
  #restOfLineEnd(bytes: Uint8Array): Uint8Array {
    if (this.#last !== CR || bytes[0] !== LF) return NOTHING;
    this.#last = LF;
    return bytes.subarray(0, 1);
  }

  #passed(whole: Uint8Array): Uint8Array {
    // The second half of a line end belongs to the event that ended with the first.
    const half = this.#last === CR && whole[0] === LF ? whole.subarray(0, 1) : NOTHING;
    const isHalfTakenOut = this.#isTakenOut;
    this.#last = whole[whole.length - 1] ?? 0;
    this.#isTakenOut = false;
    const text = decoder.decode(whole);
    if (!isHalfTakenOut && !this.#change && !this.#isOfInterest(text)) {
      this.isPlain = this.#wholeEvents.heldBytes === 0;
      return whole;
    }
    const passed: Uint8Array[] = isHalfTakenOut ? [] : [half];
    const events = LINES.test(text) ? linesIn(whole) : piecesIn(whole.subarray(half.length));
    let unchanged = isHalfTakenOut ? 0 : half.length;
    for (const event of events) {
      if (this.#isDone) break;
      const own = this.#event(event, event.length === whole.length ? text : decoder.decode(event));
      if (own === event) unchanged += event.length;
      this.#isTakenOut = own.length === 0;
      passed.push(own);
    }
    if (unchanged === whole.length) return whole;
    this.#isUnchanged = false;
    return joined(...passed);
  }

  /** One event, as it may pass. */
  #event(bytes: Uint8Array, text: string): Uint8Array {
    if (text === DONE && !this.#isPassedThrough) {
      this.#isDone = true;
      return bytes;
    }
    if (!this.#change && !this.#isOfInterest(text)) return bytes;
    const data = dataOf(text);
    const value = objectIn(data);
    if (value === undefined) return this.#text(text, data, bytes);
    const isList = Array.isArray(value);
    const all = isList ? value : [value];
    for (const one of all) this.#note(one);
    const [only] = all;
    if (!isList && this.#hidesUsage && isUsageAlone(only)) return NOTHING;
    if (!this.#change && this.#isOfModelAlone(text, only)) return bytes;
    const shown = all.map((one) => this.#shown(one));
    const passed = this.#change ? shown.flatMap((one) => this.#changed(one) ?? []) : shown;
    if (passed.length === 0 && all.length > 0) return NOTHING;
    const isSame = passed.every((one, at) => one === all[at]) && this.#around(text) === text;
    // An error that stands there by itself becomes an event.
    const isEvent = /^\ufeff?data:/m.test(text) || !all.some((one) => isObject(one) && isFailure(one));
    if (isSame && isEvent && !this.#change) return bytes;
    const [type = ""] = (this.#change ? /^event: ?[\w.-]*$/m : /^event:[^\r\n]*/m).exec(this.#around(text)) ?? [];
    return encoder.encode(`${type && `${type}\n`}data: ${JSON.stringify(isList ? passed : passed[0])}\n\n`);
  }

  #isOfInterest(text: string): boolean {
    if (this.#isPassedThrough) return !PASSED_EVENTS.test(text) || ERROR.test(text) || this.#namesSecret(text);
    return (HINTS.test(text) && OF_INTEREST.test(text)) || !hasChunksOnly(text) || this.#namesSecret(text);
  }

  /** Whether an event holds no word but the model's, by its text alone: most that end a choice or tell the usage. */
  #isOfModelAlone(text: string, value: unknown): boolean {
    if (!isObject(value) || !("choices" in value || isObject(value.usage)) || this.#isPassedThrough) return false;
    // An escape may hide letters of a name, or of a key.
    return ONE_LINE.test(text) && !text.includes("\\") && !HAS_WORDS.test(text) && !this.#namesSecret(text);
  }

  #namesSecret(text: string): boolean {
    return this.#secrets.some((secret) => text.includes(secret));
  }

  /** Whether a choice has ended, and the usage has come. */
  #note(value: unknown): void {
    if (!isObject(value)) return;
    for (const choice of choicesOf(value)) {
      const { index, finish_reason } = (choice ?? {}) as { index?: unknown; finish_reason?: unknown };
      if (typeof finish_reason === "string") this.#finished.add(index ?? 0);
    }
    if (isObject(value.usage)) this.#hasUsage = true;
  }

  /**
   * An event without a JSON value is not part of an answer, except for a chunk that is cut off: its text is the provider's. No key
   * passes in either, nor do the words of an error.
   */
  #text(text: string, data: string, bytes: Uint8Array): Uint8Array {
    // The hook gets objects: with a hook, nothing else passes.
    if (data.trim() === "[DONE]") this.#isDone = true;
    if (this.#change) return this.#isDone ? encoder.encode("data: [DONE]\n\n") : NOTHING;
    const around = this.#around(text);
    const isOfModel = CHUNK.test(data) && !ERROR.test(data) && !this.#namesSecret(unescaped(data));
    const shown = isOfModel
      ? around
      : around.replace(/^(\ufeff?data:)([^\r\n]*)/gm, (_, field: string, words: string) => {
          const plain = unescaped(words);
          return field + publicText(this.#namesSecret(plain) ? plain : words, this.#secrets);
        });
    return shown === text ? bytes : encoder.encode(shown);
  }

  /** The text of an event whose comments and fields callers may read; its data are left alone. */
  #around(text: string): string {
    return text.replace(
      /^(?!\ufeff?data:|retry: ?\d+$)((?:event|id)?:)?([^\r\n]+)/gm,
      (_, field = "", words: string) => {
        return field + publicText(words, this.#secrets);
      },
    );
  }

  /** A value as callers may read it: the same one where nothing is hidden in it. */
  #shown(value: unknown): unknown {
    if (!isObject(value)) return publicValue(value, this.#secrets);
    const choices = choicesOf(value);
    const isAnswer =
      choices.length > 0 ||
      (("choices" in value || isObject(value.usage)) && !isFailure(value)) ||
      (this.#isPassedThrough && isPassedAnswer(value));
    const shown = isAnswer ? this.#withPublicWords(value, choices) : publicValue(value, this.#secrets);
    return JSON.stringify(shown) === JSON.stringify(value) ? value : shown;
  }

  /** A chunk, in which only an error's words are the provider's. The provider's key never passes. */
  #withPublicWords(value: Record<string, unknown>, choices: readonly unknown[]): unknown {
    const own = (given: Record<string, unknown>) =>
      Object.fromEntries(
        Object.entries(given).map(([name, member]) => [
          name,
          WORDS.includes(name) ? publicValue(member, this.#secrets) : member,
        ]),
      );
    const shown = {
      ...own(value),
      ...(choices.length > 0 && { choices: choices.map((one) => (isObject(one) ? withPublicError(one, own) : one)) }),
      ...(isObject(value.response) && { response: own(value.response) }),
    };
    if (!this.#namesSecret(JSON.stringify(shown))) return shown;
    return withoutSecrets(shown, this.#secrets);
  }

  /**
   * The value as the hook returns it; `undefined` where the hook leaves it out. An error without an answer becomes a short
   * message.
   */
  #changed(value: unknown): unknown {
    if (!isObject(value)) return undefined;
    const isError = choicesOf(value).length === 0 && !isObject(value.usage);
    return (isError ? errorAlone(value) : undefined) ?? this.#change?.(value) ?? undefined;
  }
}

/** The data of an event; of lines that are no event, all but their comments. */
function dataOf(text: string): string {
  const [, only] = ONE_LINE.exec(text) ?? [];
  if (only !== undefined) return only;
  const lines = [...text.matchAll(/^\ufeff?data:? ?(.*)$/gm)].map(([, line = ""]) => line.replace(/\r$/, ""));
  if (lines.length > 0) return lines.join("\n");
  const alone = text.replace(/^:.*$/gm, "");
  return /^\s*[[{]/.test(alone) ? alone : "";
}

/** JSON that cannot be parsed, with the letters that a key may have in place of their escapes. */
function unescaped(json: string): string {
  return json
    .replace(/\\u00([2-7][0-9a-f])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replaceAll("\\/", "/");
}

/** The object or the list that a text stands for. */
function objectIn(data: string): Record<string, unknown> | unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown> | unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function choicesOf({ choices }: Record<string, unknown>): readonly unknown[] {
  return Array.isArray(choices) ? choices : [];
}

function isUsageAlone(value: unknown): boolean {
  return isObject(value) && isObject(value.usage) && choicesOf(value).length === 0 && !isFailure(value);
}

/** An answer of `/v1/responses` or `/v1/embeddings`, or an event of one. */
function isPassedAnswer({ type, output, data }: Record<string, unknown>): boolean {
  return (typeof type === "string" && type.startsWith("response.")) || Array.isArray(output) || Array.isArray(data);
}

function isFailure({ error, errors }: Record<string, unknown>): boolean {
  return (error !== undefined && error !== null && error !== false) || Array.isArray(errors);
}

/** A choice, whose `error` is the provider's; a `message` in it is the model's. */
function withPublicError(
  choice: Record<string, unknown>,
  own: (given: Record<string, unknown>) => Record<string, unknown>,
): Record<string, unknown> {
  return "error" in choice ? { ...choice, ...own({ error: choice.error }) } : choice;
}

/** A copy of a value without the gateway's keys. */
function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === "string") return secrets.reduce((text, secret) => text.replaceAll(secret, "[key]"), value);
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, secrets));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, withoutSecrets(own, secrets)]));
}

/** An error without what services quote of an answer in it (`failed_generation`). */
function errorAlone(value: Record<string, unknown>): Record<string, unknown> | undefined {
  if (!isObject(value.error)) {
    const words = wordsIn(value);
    return words === undefined
      ? undefined
      : { error: { message: words, type: "server_error", param: null, code: null } };
  }
  const { message, type, param, code } = value.error;
  return { error: { message, type, param, code } };
}
