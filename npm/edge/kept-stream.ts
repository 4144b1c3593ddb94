/**
 * One stream that is being read from its provider, and kept: its events get their numbers, go to its readers, and are written down.
 */
import type { Alarm } from "./alarm.ts";
import type { Sink } from "./ends.ts";
import type { RequestLeases } from "./limits.ts";
import { Log } from "./log.ts";
import { type Events, Numbering } from "./numbering.ts";
import type { UsageRecord } from "./options.ts";
import type { Problem } from "./problem.ts";
import type { Entry, StreamRows } from "./stream-rows.ts";

/** How much of a stream is kept, in bytes. */
export const CAPACITY = 8 * 1024 * 1024;
/**
 * How much may be lost in a restart: events are written down in batches of so many bytes, or after so many milliseconds; at once
 * when a reader leaves, who may come back for them.
 */
const BATCH_BYTES = 1024 * 1024;
const BATCH_TIME = 1000;

/** The answer's bytes go to it as to a caller who never leaves. */
export class KeptStream implements Sink {
  readonly number: number;
  readonly entry: Entry;
  readonly log: Log;
  /** Aborted when the stream is to be stopped. */
  readonly stop = new AbortController();
  leases: RequestLeases | undefined;
  readonly #rows: StreamRows;
  readonly #numbering = new Numbering();
  /** Events that are not written down yet, and the number of the first. */
  #batch: Uint8Array[] = [];
  #batchFrom = 0;
  #batchBytes = 0;
  /** The entry is to be written down with the next batch. */
  #isChanged = false;

  constructor(rows: StreamRows, alarm: Alarm, number: number, entry: Entry) {
    this.#rows = rows;
    this.log = new Log(CAPACITY, alarm);
    this.number = number;
    this.entry = entry;
  }

  /** The request is sent next: the platform sends none before what was written until then is stored. */
  begin(question: string): void {
    // The entry last: a restart finds no request whose question could not be written down.
    this.#rows.writeQuestion(this.number, question);
    this.#rows.writeEntry(this.number, this.entry);
  }

  /** A provider answers. */
  answered({ provider, upstreamModel, upstreamRequestId }: Readonly<UsageRecord>): void {
    this.entry.answer = { provider, upstreamModel, upstreamRequestId };
    this.#isChanged = true;
  }

  pass(bytes: Uint8Array, taken?: () => void): void {
    this.#add(this.#numbering.push(bytes));
    taken?.();
  }

  close(): void {
    this.#add(this.#numbering.end());
  }

  fail(): void {
    this.#numbering.free();
    this.entry.isCut = true;
  }

  /** The stream was stopped. */
  abandon(): void {
    this.#numbering.free();
  }

  /** The record is there, and with it the end: all that is not written down yet is, at once. */
  end(record: UsageRecord, isTold: boolean): void {
    const { entry, number } = this;
    entry.record = record;
    entry.endedAt = Date.now();
    entry.isTold = isTold;
    this.#isChanged = true;
    this.write();
    this.#rows.deleteQuestion(number);
    this.#numbering.free();
    // Where there was no answer, the log is closed when it is known what its readers are told.
    if (record.status === 200) this.log.close(entry);
  }

  /** There was no answer. */
  refuse({ status, code, message }: Problem): void {
    this.entry.failure = { status, code, message };
    if (this.entry.record) this.#rows.writeEntry(this.number, this.entry);
    this.log.close({ isCut: false });
  }

  #add(events: Events | undefined): void {
    if (!events) return;
    this.log.push(events);
    if (this.#batch.length === 0) this.log.alarm.set(this.write, BATCH_TIME);
    this.#batch.push(events.bytes);
    this.#batchBytes += events.bytes.length;
    if (this.#batchBytes >= BATCH_BYTES) this.write();
  }

  /** Writes down what is not written down yet. */
  readonly write = (): void => {
    this.log.alarm.clear(this.write);
    if (this.#isChanged) this.#rows.writeEntry(this.number, this.entry);
    this.#isChanged = false;
    if (this.#batchBytes === 0) return;
    const bytes = new Uint8Array(this.#batchBytes);
    let at = 0;
    for (const events of this.#batch) {
      bytes.set(events, at);
      at += events.length;
    }
    this.#rows.writeEvents(this.number, this.#batchFrom, bytes.buffer);
    if (this.log.first > 0) this.#rows.deleteEventsBefore(this.number, this.log.first);
    this.#batchFrom = this.log.end;
    this.#batch = [];
    this.#batchBytes = 0;
  };
}
