/**
 * The storage of an object of kept streams: one table, whose rows are those of one stream after those of another. So a request
 * and its answer write to a page or two.
 */
import { joined } from "./bytes.ts";
import type { Order } from "./kept.ts";
import type { UsageRecord } from "./options.ts";

/** The state that the platform hands to an object: the part of it that is used. */
export interface StreamsState {
  storage: {
    sql: { exec(query: string, ...values: unknown[]): Iterable<Record<string, unknown>> };
    deleteAll(): Promise<void>;
    /** Milliseconds since 1970. */
    setAlarm(time: number): Promise<void>;
  };
  blockConcurrencyWhile<T>(run: () => Promise<T>): Promise<T>;
  /** The classes that the worker exports, on platforms that tell. */
  exports?: Readonly<Record<string, unknown>>;
}

/** A stream in storage, but for its events and its question. */
export interface Entry extends Omit<Order, "body"> {
  startedAt: number;
  /** Of the request's JSON, where the caller chose the id. */
  digest: string | null;
  /** The provider that answers, once one does. */
  answer: Pick<UsageRecord, "provider" | "upstreamModel" | "upstreamRequestId"> | null;
  /** There when it is over. */
  record: UsageRecord | null;
  endedAt: number | null;
  /** The answer broke off. */
  isCut: boolean;
  /** There was no answer: what its readers are told instead. */
  failure: { status: number; code: string; message: string } | null;
  /** `onUsage` has the record, or there is no `onUsage`. */
  isTold: boolean;
}

/** Keys that one stream has: that of its entry, those of the parts of its question, and from `EVENTS` on those of its events. */
const KEYS = 2 ** 32;
const EVENTS = 2 ** 16;
/** Long questions are written down in parts, in characters: a row has a limit. */
const PART = 500_000;
/** So are events, in bytes; a piece of them has so many keys. */
const PART_BYTES = 1_500_000;
const PARTS = 16;

const PUT = "INSERT OR REPLACE INTO rows (key, value) VALUES (?, ?)";
const BETWEEN = "FROM rows WHERE key >= ? AND key < ?";

/** The rows of streams, each of which has a number. */
export class StreamRows {
  readonly #sql: StreamsState["storage"]["sql"];
  #hasTable = false;

  constructor(sql: StreamsState["storage"]["sql"]) {
    this.#sql = sql;
  }

  /** All streams. */
  entries(): { number: number; entry: Entry }[] {
    const [table] = this.#sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'rows'");
    if (!table) return [];
    const rows = [...this.#sql.exec(`SELECT key, value FROM rows WHERE key % ${KEYS} = 0 ORDER BY key`)];
    return rows.map(({ key, value }) => ({ number: Number(key) / KEYS, entry: JSON.parse(String(value)) }));
  }

  entry(number: number): Entry {
    const [row] = this.#sql.exec("SELECT value FROM rows WHERE key = ?", number * KEYS);
    return JSON.parse(String(row?.value));
  }

  writeEntry(number: number, entry: Entry): void {
    this.#put(number * KEYS, JSON.stringify(entry));
  }

  /** For the estimate, should it come to one after a restart. */
  writeQuestion(number: number, text: string): void {
    for (let part = 0; part * PART < text.length; part++)
      this.#put(number * KEYS + 1 + part, text.slice(part * PART, (part + 1) * PART));
  }

  question(number: number): string {
    return this.#values(number * KEYS + 1, number * KEYS + EVENTS)
      .map(({ value }) => String(value))
      .join("");
  }

  deleteQuestion(number: number): void {
    this.#sql.exec(`DELETE ${BETWEEN}`, number * KEYS + 1, number * KEYS + EVENTS);
  }

  /** @param first the number of the first event */
  writeEvents(number: number, first: number, bytes: ArrayBuffer): void {
    const key = number * KEYS + EVENTS + first * PARTS;
    if (bytes.byteLength <= PART_BYTES) this.#put(key, bytes);
    else
      for (let part = 0; part * PART_BYTES < bytes.byteLength; part++)
        this.#put(key + part, bytes.slice(part * PART_BYTES, (part + 1) * PART_BYTES));
  }

  /** The events of a stream, in pieces as they were written. */
  events(number: number): { first: number; bytes: Uint8Array }[] {
    const from = number * KEYS + EVENTS;
    const pieces: { first: number; bytes: Uint8Array }[] = [];
    for (const { key, value } of this.#values(from, (number + 1) * KEYS)) {
      const first = Math.floor((Number(key) - from) / PARTS);
      const part = new Uint8Array(value as ArrayBuffer);
      const last = pieces.at(-1);
      if (last?.first === first) last.bytes = joined(last.bytes, part);
      else pieces.push({ first, bytes: part });
    }
    return pieces;
  }

  /** Deletes pieces that have no event with this number, nor a later one. */
  deleteEventsBefore(number: number, first: number): void {
    const from = number * KEYS + EVENTS;
    const [piece] = this.#sql.exec("SELECT max(key) AS key FROM rows WHERE key <= ?", from + first * PARTS);
    // The last part of a piece may be behind its first.
    const kept = from + Math.floor((Number(piece?.key) - from) / PARTS) * PARTS;
    this.#sql.exec(`DELETE ${BETWEEN}`, from, kept);
  }

  delete(number: number): void {
    this.#sql.exec(`DELETE ${BETWEEN}`, number * KEYS, (number + 1) * KEYS);
  }

  /** All of storage is deleted. */
  forget(): void {
    this.#hasTable = false;
  }

  #values(from: number, to: number): Record<string, unknown>[] {
    return [...this.#sql.exec(`SELECT key, value ${BETWEEN} ORDER BY key`, from, to)];
  }

  #put(key: number, value: string | ArrayBuffer): void {
    if (!this.#hasTable) this.#sql.exec("CREATE TABLE IF NOT EXISTS rows (key INTEGER PRIMARY KEY, value)");
    this.#hasTable = true;
    this.#sql.exec(PUT, key, value);
  }
}
