/**
 * `batch`: many requests, as fast as the client's limits allow. Loaded when the first one starts.
 *
 * The limiter sets the pace; `batch` keeps enough requests waiting for it, waits until refused requests may be sent again, and
 * keeps the order.
 */
import { clock } from "../engine/clock.ts";
import { APIError, aborted, toError, unsent } from "../errors.ts";
import type { RequestOptions } from "../options.ts";
import type { ChatCompletion, ChatCompletionCreateParamsNonStreaming, WithRequestId } from "../types.ts";
import { OF_CALLS, refuseUnknown } from "./own-options.ts";

/** The default of `concurrency`: as many as the largest documented plan allows at once. */
const CONCURRENCY = 20;
const MAX_WAIT = 300_000;

/** Settings of a batch: those of each of its calls, and its own. */
export interface BatchOptions extends RequestOptions {
  /**
   * How many requests are under way or waiting for their turn at most; the client's `limits` hold back more than they allow.
   * @range a whole number, at least 1
   * @default 20
   */
  concurrency?: number;
  /**
   * How long one request may wait, in milliseconds, when the server refuses it and says when to come back. The request is sent
   * again then; one that would have to wait longer is rejected.
   * @range 0 or more
   * @default 300000
   */
  maxWait?: number;
  /** Called for each request that is settled. Its exceptions are ignored. */
  onProgress?: (progress: BatchProgress) => void;
}

/** How far a batch has come. */
export interface BatchProgress {
  /** Requests settled so far, those that failed included. */
  done: number;
  /** Requests that failed so far. */
  failed: number;
  /** Requests in all. */
  total: number;
  /** Which request was settled just now. */
  index: number;
  /** The result of that request. */
  result: BatchResult;
}

/** The result of one request: its completion, or the error that kept it from having one. */
export type BatchResult = PromiseSettledResult<WithRequestId<ChatCompletion>>;

type Create = (
  params: ChatCompletionCreateParamsNonStreaming,
  options: RequestOptions,
) => PromiseLike<WithRequestId<ChatCompletion>>;

/** Runs a batch; `create` makes one call. */
export async function runBatch(
  create: Create,
  list: readonly ChatCompletionCreateParamsNonStreaming[],
  options: BatchOptions,
): Promise<BatchResult[]> {
  refuseUnknown(options, ["concurrency", "maxWait", "onProgress"], OF_CALLS);
  const { concurrency = CONCURRENCY, maxWait = MAX_WAIT, onProgress, ...settings } = options;
  if (!Array.isArray(list)) throw unsent("invalid_type", "a batch must be a list of parameters");
  if (!(concurrency >= 1)) throw unsent("invalid_type", "concurrency must be at least 1", "concurrency");
  if (!(maxWait >= 0)) throw unsent("invalid_type", "maxWait must be at least 0 milliseconds", "maxWait");

  const results: BatchResult[] = new Array(list.length);
  let next = 0;
  let done = 0;
  let failed = 0;
  const worker = async () => {
    while (next < list.length) {
      const index = next++;
      const result = await settle(list[index] as ChatCompletionCreateParamsNonStreaming);
      results[index] = result;
      done++;
      if (result.status === "rejected") failed++;
      try {
        const told: unknown = onProgress?.({ done, failed, total: list.length, index, result });
        Promise.resolve(told).catch(() => {});
      } catch {}
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, list.length) }, worker));
  return results;

  async function settle(params: ChatCompletionCreateParamsNonStreaming): Promise<BatchResult> {
    const started = clock();
    const whole = (params as { stream?: unknown } | undefined)?.stream ? { ...params, stream: false as const } : params;
    for (;;) {
      try {
        return { status: "fulfilled", value: await create(whole, settings) };
      } catch (thrown) {
        const reason = toError(thrown);
        const retryAt = reason instanceof APIError ? reason.retryAt : undefined;
        const wait = retryAt === undefined ? Number.POSITIVE_INFINITY : retryAt - Date.now();
        if (wait > maxWait - (clock() - started)) return { status: "rejected", reason };
        try {
          await sleep(wait, settings.signal);
        } catch (left) {
          return { status: "rejected", reason: left };
        }
      }
    }
  }
}

/** Waits at least a tenth of a second, so that a server that names the present is not flooded. */
function sleep(ms: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(aborted(signal?.reason));
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      },
      Math.max(100, ms),
    );
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave, { once: true });
  });
}
