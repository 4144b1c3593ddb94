/**
 * One request, sent on: to its provider and back, and then into the books.
 */
import { APIUserAbortError } from "chatwire";
import { answerOf } from "./answer.ts";
import type { Configuration } from "./configuration.ts";
import { type Ending, forward } from "./forward.ts";
import type { Turn } from "./limits.ts";
import type { UsageRecord } from "./options.ts";
import { safeHeaders } from "./problem.ts";
import type { Wish } from "./request.ts";
import { problemOf, senderOf } from "./upstream.ts";
import { UsageFilter } from "./usage-filter.ts";

/** A request that was let in, and what it asks for. */
export interface Admitted {
  configuration: Configuration;
  /** Aborted when the caller leaves. */
  signal: AbortSignal;
  requestId: string;
  caller: string;
  wish: Wish;
  /** The request's, and its record's. */
  recordId: string;
  /** Its places within the limits. */
  turn: Turn | undefined;
  /** Keeps the worker alive while there is something to count, also when the caller has left. */
  waitUntil(promise: Promise<unknown>): void;
}

/** An answer on its way, and the record of it so far. */
export interface Relayed {
  response: Response;
  record: Readonly<UsageRecord>;
}

/** @throws {Problem} there is no answer */
export async function relay({
  configuration,
  signal,
  requestId,
  caller,
  wish,
  recordId,
  turn,
  waitUntil,
}: Admitted): Promise<Relayed> {
  const { onDisconnect } = configuration;
  const { route, params, hidesUsage } = wish;
  const books = openBooks(configuration, turn, { recordId, requestId, caller, model: wish.model });
  waitUntil(books.closed);

  const opening = new AbortController();
  const leave = () => opening.abort();
  // When draining, a caller who leaves early has asked all the same.
  if (onDisconnect === "abort") {
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave);
  }
  const started = performance.now();
  try {
    const headers = { "x-request-id": requestId, ...turn?.headers };
    const response = await route.client.chat.completions
      .create(params, { signal: opening.signal, headers })
      .asResponse();
    turn?.answered(response);
    const sender = senderOf(response) ?? route.first;
    books.note({
      provider: sender.name,
      upstreamModel: sender.model ?? (wish.model || null),
      upstreamRequestId: publicId(response.headers.get("x-request-id")),
    });
    const { inlet, first, contentType } = await answerOf(response);
    const { timeout } = sender.options;
    const { body, ended } = forward({
      inlet,
      first,
      decoder: { ...sender.decoder, started, prompt: () => JSON.stringify(params) } as Parameters<
        typeof forward
      >[0]["decoder"],
      filter: hidesUsage && contentType !== "application/json" ? new UsageFilter(params.n ?? 1) : undefined,
      onDisconnect,
      signal,
      idle: typeof timeout === "object" ? timeout.idle : undefined,
    });
    void ended.then((ending) => books.close(entryOf(ending)));
    const passed = new Response(body, { headers: answerHeaders(contentType, books.record.upstreamRequestId) });
    return { response: passed, record: books.record };
  } catch (error) {
    const problem = problemOf(error);
    const isAborted = error instanceof APIUserAbortError;
    void books.close({
      status: problem.status,
      outcome: isAborted ? "aborted" : "error",
      disconnected: isAborted || signal.aborted,
    });
    throw problem;
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function answerHeaders(contentType: string, upstreamRequestId: string | null): Headers {
  return safeHeaders({
    "content-type": contentType,
    ...(upstreamRequestId && { "x-upstream-request-id": upstreamRequestId }),
  });
}

/** A provider's id, where it is one. */
function publicId(id: string | null): string | null {
  return id && /^[\w.:-]{1,128}$/.test(id) ? id : null;
}

/** The record of one request while it grows; it is told of once. */
function openBooks(
  { onUsage }: Configuration,
  turn: Turn | undefined,
  known: Pick<UsageRecord, "recordId" | "requestId" | "caller" | "model">,
) {
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
    record,
    closed,
    note(what: Partial<UsageRecord>): void {
      Object.assign(record, what);
    },
    async close(what: Partial<UsageRecord>): Promise<void> {
      Object.assign(record, what);
      const settled = turn?.settle(record);
      try {
        await onUsage?.(record);
      } catch (error) {
        console.error(`chatwire/edge: onUsage failed for record ${record.recordId}:`, (error as Error)?.name);
      }
      await settled;
      settle();
    },
  };
}

export function entryOf({ outcome, disconnected, stalled }: Ending): Partial<UsageRecord> {
  if (!outcome) return { outcome: "error", disconnected };
  const { status, usage, cost, timing } = outcome;
  const { firstByte, firstToken, total } = timing;
  return {
    outcome: stalled && status === "truncated" ? "stalled" : status,
    disconnected,
    promptTokens: usage?.prompt_tokens ?? null,
    cached: usage ? (usage.prompt_tokens_details?.cached_tokens ?? 0) : null,
    completionTokens: usage?.completion_tokens ?? null,
    tokens: usage?.total_tokens ?? null,
    cost,
    estimated: usage?.estimated ?? false,
    timing: { firstByte, firstToken, total },
  };
}
