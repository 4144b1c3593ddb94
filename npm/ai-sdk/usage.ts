/**
 * Usage and finish reasons of an outcome, in the words of the AI SDK.
 */
import type { Outcome } from "chatwire";
import { NAMESPACE } from "./prompt.ts";
import type { FinishReason, ProviderMetadata, Usage } from "./spec.ts";

/** Unknown numbers are `undefined`, never 0. An estimate is told apart by `providerMetadata.chatwire.estimated`. */
export function toUsage(usage: Outcome["usage"]): Usage {
  const { prompt_tokens: prompt, completion_tokens: completion } = usage ?? {};
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? undefined;
  const reasoning = usage?.completion_tokens_details?.reasoning_tokens ?? undefined;
  const minus = (total?: number | null, part?: number | null) =>
    typeof total === "number" ? Math.max(total - (part ?? 0), 0) : undefined;
  const written = (usage?.prompt_tokens_details as { cache_write_tokens?: number } | undefined)?.cache_write_tokens;
  return {
    inputTokens: {
      total: prompt ?? undefined,
      noCache: minus(prompt, cached),
      cacheRead: cached,
      cacheWrite: written ?? undefined,
    },
    outputTokens: { total: completion ?? undefined, text: minus(completion, reasoning), reasoning },
    ...(usage && { raw: JSON.parse(JSON.stringify(usage)) }),
  };
}

const UNIFIED: Record<string, FinishReason["unified"]> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
};

const codeOf = (error: Error): string | undefined => (error as { code?: string | null }).code ?? undefined;

/** `interrupted` where the answer broke off: the connection was lost, or a timeout ran out. */
export function toFinishReason({ status, finishReason, error }: Outcome): FinishReason {
  if (status === "truncated" || status === "stalled") return { unified: "interrupted", raw: codeOf(error) ?? status };
  if (status === "error") return { unified: "error", raw: finishReason ?? undefined };
  return { unified: UNIFIED[finishReason ?? ""] ?? "other", raw: finishReason ?? undefined };
}

/**
 * The facts that chatwire knows beyond the AI SDK: how it ended, its repairs, cost, attempts, and counts that the AI SDK has no
 * name for.
 */
export function toMetadata(outcome: Outcome): ProviderMetadata {
  const { status, repairs, cost, attempts, timing, requestId, usage, error } = outcome;
  const { accepted_prediction_tokens: accepted, rejected_prediction_tokens: rejected } =
    (usage?.completion_tokens_details ?? {}) as Record<string, unknown>;
  const predicted = {
    ...(typeof accepted === "number" && { acceptedPredictionTokens: accepted }),
    ...(typeof rejected === "number" && { rejectedPredictionTokens: rejected }),
  };
  const failed = error && { error: { name: error.name, message: error.message, code: codeOf(error) ?? null } };
  const own = {
    status,
    repairs,
    cost,
    attempts,
    timing,
    requestId,
    estimated: usage?.estimated === true,
    ...predicted,
    ...failed,
  };
  return { [NAMESPACE]: JSON.parse(JSON.stringify(own)) };
}
