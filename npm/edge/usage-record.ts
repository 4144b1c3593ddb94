/**
 * The usage record of one request, from its beginning until `onUsage` has it.
 */
import type { Outcome, Prices } from "chatwire";
import type { Configuration } from "./configuration.ts";
import type { RequestLeases } from "./limits.ts";
import type { UsageRecord } from "./options.ts";
import { costOf } from "./prices.ts";
import { promptTokensOf, UNITS_PER_TOKEN } from "./reservation.ts";

/** The most tokens that one answer can be said to have used, and the most it can be said to cost, in USD. */
const MAX_TOKENS = 1e9;
const MAX_COST = 1e5;
/** Milliseconds before `onUsage` is called again with a record that it failed to take, or did not take in time. */
const PAUSES = [500, 3000, 10_000];

/** The record of one request while it grows. */
export interface OpenRecord {
  readonly value: UsageRecord;
  /** Resolves when `onUsage` has taken the record, or has failed to for the last time. */
  readonly closed: Promise<void>;
  note(what: Partial<UsageRecord>): void;
  close(what: Partial<UsageRecord>): Promise<void>;
}

/** Begins a record. `onUsage` is called once it is closed, and again with the same record while it fails. */
export function openRecord(
  { onUsage }: Configuration,
  leases: RequestLeases | undefined,
  known: Pick<UsageRecord, "recordId" | "requestId" | "caller" | "tags" | "endpoint" | "model">,
): OpenRecord {
  const record: UsageRecord = {
    upstreamRequestId: null,
    provider: null,
    upstreamModel: null,
    status: 200,
    outcome: "error",
    disconnected: false,
    promptTokens: null,
    cached: null,
    completionTokens: null,
    tokens: null,
    cost: null,
    estimated: false,
    startedAt: Date.now(),
    timing: { firstByte: null, firstToken: null, total: null },
    ...known,
  };
  let settle: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return {
    value: record,
    closed,
    note(what) {
      Object.assign(record, what);
    },
    async close(what) {
      Object.assign(record, what);
      const settled = leases?.settle(record);
      await deliver(record, onUsage);
      await settled;
      settle();
    },
  };
}

async function deliver(record: UsageRecord, onUsage: Configuration["onUsage"]): Promise<void> {
  for (const pause of [...PAUSES, null]) {
    try {
      await onUsage?.(record);
      return;
    } catch (error) {
      console.error(`chatwire/edge: onUsage failed for record ${record.recordId}:`, (error as Error)?.name);
    }
    if (pause !== null) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  console.error(`chatwire/edge: record ${record.recordId} is given up: onUsage failed ${PAUSES.length + 1} times.`);
}

/** The numbers of a record. */
type Numbers = Pick<UsageRecord, "promptTokens" | "cached" | "completionTokens" | "tokens" | "cost" | "estimated">;

/**
 * The usage of an answer. A provider may say anything: where its numbers are impossible, they are estimated from the text.
 * @param asked the parameters of the request, and the prices of its model
 */
export function usageOf({ usage, cost, text, reasoning }: Outcome, asked: Asked): Numbers {
  if (!usage) return UNKNOWN;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage;
  // Reasoning may come on top of its parts, but a sum is not less than they are.
  const total = Math.max(usage.total_tokens, prompt + completion);
  const cached = usage.prompt_tokens_details?.cached_tokens ?? null;
  const isPossible = [prompt, completion, total, cached ?? 0].every(isCount) && (cached ?? 0) <= prompt;
  if (!isPossible) {
    const promptTokens = promptTokensOf(asked.params());
    const completionTokens = Math.ceil((text.length + reasoning.length) / UNITS_PER_TOKEN);
    const known = asked.prices && costOf(asked.prices, promptTokens, completionTokens);
    return {
      ...{ promptTokens, cached: null, completionTokens, tokens: promptTokens + completionTokens },
      ...{ cost: known ?? null, estimated: true },
    };
  }
  const isPossibleCost = cost !== null && cost >= 0 && cost <= MAX_COST;
  return {
    promptTokens: prompt,
    cached,
    completionTokens: completion,
    tokens: total,
    cost: isPossibleCost ? cost : asked.prices ? costOf(asked.prices, prompt, completion) : null,
    estimated: usage.estimated ?? false,
  };
}

/** The numbers of an answer that the gateway does not read; impossible ones count as unknown. */
export function numbersOf(used: {
  promptTokens: number | null;
  completionTokens?: number;
  cached?: number;
  prices: Prices | undefined;
  isEstimate?: boolean;
}): Numbers {
  const { promptTokens, completionTokens = 0, cached = null, prices, isEstimate = true } = used;
  if (promptTokens === null || ![promptTokens, completionTokens, cached ?? 0].every(isCount)) return UNKNOWN;
  return {
    promptTokens,
    cached,
    completionTokens,
    tokens: promptTokens + completionTokens,
    cost: prices ? costOf(prices, promptTokens, completionTokens) : null,
    estimated: isEstimate,
  };
}

const UNKNOWN: Numbers = {
  promptTokens: null,
  cached: null,
  completionTokens: null,
  tokens: null,
  cost: null,
  estimated: false,
};

/** A request, as far as its usage may have to be estimated. */
export interface Asked {
  params(): Readonly<Record<string, unknown>>;
  prices: Prices | undefined;
}

/** Whether a provider's number of tokens is possible. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS;
}
