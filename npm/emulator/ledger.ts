/**
 * The emulator's ledger: what was asked and what it cost, for tests and for the command's log.
 *
 * A ledger holds numbers and names, never a key and never the content of a message.
 */

/** Token counts as the services report them. `prompt_tokens` includes the cached ones. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: { cached_tokens: number };
  completion_tokens_details?: { reasoning_tokens: number };
}

/** Which of the emulated services a path belongs to. */
export type Service = "electron" | "electronhub";

/** One request, updated in place until its answer has ended. */
export interface LedgerRecord {
  /** 1 for the first request since the emulator was created. */
  readonly number: number;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  /** `null` for a path no service answers. */
  readonly service: Service | null;
  /** When it arrived, in milliseconds of the emulator's clock. */
  readonly startedAt: number;
  /** When the answer ended, or `null` while it is under way. */
  endedAt: number | null;
  /** The HTTP status, or 0 when no response was given (refused, or aborted before it). */
  status: number;
  model: string | null;
  stream: boolean;
  /** The tokens generated so far; after an abort, those that the service would still bill. `null` when it was refused. */
  usage: Usage | null;
  /** `true` when the caller left before the last byte was handed over. */
  aborted: boolean;
  /** The trouble that was asked for, as text; empty without. */
  trouble: string;
}

/**
 * The requests that the emulator has served.
 *
 * @example
 * const { records, tokens } = emulator.ledger;
 * console.log(records.at(-1)?.aborted, tokens.completion);
 */
export interface Ledger {
  /** How many requests arrived, refused ones included. */
  readonly requests: number;
  /** How many answers are still under way. */
  readonly open: number;
  /** Sums over all records. */
  readonly tokens: {
    readonly prompt: number;
    readonly cached: number;
    readonly completion: number;
    readonly total: number;
  };
  /** One record per request, in order of arrival. */
  readonly records: readonly LedgerRecord[];
  /** Forgets all records; answers under way still finish. */
  reset(): void;
}

/** The side of the ledger that the emulator writes. */
export interface LedgerWriter extends Ledger {
  add(record: LedgerRecord): void;
}

/** An empty ledger. */
export function createLedger(): LedgerWriter {
  let records: LedgerRecord[] = [];
  return {
    get requests() {
      return records.length;
    },
    get open() {
      return records.filter((record) => record.endedAt === null).length;
    },
    get tokens() {
      const sum = { prompt: 0, cached: 0, completion: 0, total: 0 };
      for (const { usage } of records) {
        sum.prompt += usage?.prompt_tokens ?? 0;
        sum.cached += usage?.prompt_tokens_details?.cached_tokens ?? 0;
        sum.completion += usage?.completion_tokens ?? 0;
        sum.total += usage?.total_tokens ?? 0;
      }
      return sum;
    },
    get records() {
      return records;
    },
    reset() {
      records = [];
    },
    add(record) {
      records.push(record);
    },
  };
}
