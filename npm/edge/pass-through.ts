/**
 * `/v1/embeddings`, `/v1/completions` and `/v1/responses`: authenticated, limited and metered, and otherwise passed through.
 * The answer's bytes are the provider's, beside comments where a stream is silent. There is no fallback and no repair: the gateway does not know these answers.
 */
import type { Configuration } from "./configuration.ts";
import type { RequestLeases } from "./limits.ts";
import type { UsageRecord } from "./options.ts";
import { type PassedOn, passOn } from "./passed-body.ts";
import { Problem, safeHeaders } from "./problem.ts";
import { patienceOf } from "./relay.ts";
import { type ChatRequest, providerBodyOf } from "./request.ts";
import { promptTokensOf, UNITS_PER_TOKEN } from "./reservation.ts";
import { keysInOrder, type ProviderCall, problemOf, secretsOf, type UpstreamKey, withCall } from "./upstream.ts";
import { isCount, numbersOf, openRecord } from "./usage-record.ts";

/**
 * The paths, and the parameters of each that choose no model, price, tool or address, and nothing that the provider has stored
 * under the gateway's key: another caller may have asked for it.
 */
export const PASSED: Readonly<Record<string, ReadonlySet<string>>> = {
  "/embeddings": new Set(["model", "input", "encoding_format", "dimensions", "user"]),
  "/completions": new Set([
    ...["model", "prompt", "suffix", "max_tokens", "temperature", "top_p", "n", "stream", "stream_options", "logprobs"],
    ...["echo", "stop", "presence_penalty", "frequency_penalty", "logit_bias", "user", "seed"],
  ]),
  "/responses": new Set([
    ...["model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "stream", "text", "tools"],
    ...[
      "tool_choice",
      "parallel_tool_calls",
      "reasoning",
      "truncation",
      "user",
      "metadata",
      "include",
      "stream_options",
    ],
    ...["prompt_cache_key", "safety_identifier"],
  ]),
};

/** Content types of an answer, which a web page does not have. */
const ANSWER = /^(?:text\/event-stream|application\/(?:[\w.-]+\+)?json|text\/plain)\b/i;

/** A request that was admitted. */
export interface Passing {
  configuration: Configuration;
  signal: AbortSignal;
  requestId: string;
  caller: string;
  tags: UsageRecord["tags"] | null;
  /** As `/embeddings`. */
  path: string;
  request: ChatRequest;
  recordId: string;
  trace: Readonly<Record<string, string>>;
  leases: RequestLeases | undefined;
  waitUntil(promise: Promise<unknown>): void;
}

/** An answer that is being passed on. */
interface Passed {
  status: number;
  contentType: string;
  isStream: boolean;
  body: ReadableStream<Uint8Array>;
  ended: Promise<PassedOn>;
}

/** @throws {Problem} there is no answer */
export async function passThrough(passing: Passing): Promise<Response> {
  const { configuration, signal, requestId, caller, tags, path, request, recordId, trace, leases } = passing;
  const [upstream] = request.route.upstreams;
  const [key] = keysInOrder(upstream) as [UpstreamKey];
  const { params, body, model } = providerBodyOf({ ...request, path }, upstream);
  const known = { recordId, requestId, caller, ...(tags && { tags }), endpoint: `/v1${path}`, model: request.model };
  const record = openRecord(configuration, leases, known);
  passing.waitUntil(record.closed);
  const prices = upstream.priceOf(model);
  const attempt: ProviderCall = {
    body,
    leases,
    isSent: false,
    model,
    prices,
    pass: { path, params, isStream: request.isStream },
  };
  const isId = upstream.options.requestId !== false;
  key.busy++;
  const sent = performance.now();
  let answer: Passed;
  try {
    answer = await withCall(attempt, async (own) => {
      const given = await key.client.models
        .list({ signal, maxRetries: 0, headers: { ...own, ...trace, ...(isId && { "x-request-id": requestId }) } })
        .asResponse();
      attempt.response ??= given;
      const { status, headers, body } = attempt.response;
      if (!body) throw new Problem(502, "upstream_failed", "The provider's answer is empty. Try again.");
      const contentType = headers.get("content-type") ?? "application/json";
      if (!ANSWER.test(contentType)) {
        const message = "The provider's response is not an answer of this API. Check the provider's base URL.";
        throw new Problem(502, "upstream_not_an_answer", message);
      }
      const isStream = /^text\/event-stream\b/i.test(contentType);
      const secrets = [...key.secrets];
      const patience = patienceOf(upstream);
      return {
        status,
        contentType,
        isStream,
        ...passOn({ body, isStream, secrets, sent, signal, patience, configuration }),
      };
    });
  } catch (error) {
    key.busy--;
    const problem = problemOf(error, secretsOf(request.route.upstreams));
    const isUnanswered = attempt.isSent && (signal.aborted || problem.status === 504);
    // A refused request counts as no usage, whatever model it named.
    if (isUnanswered) record.note({ provider: upstream.name, upstreamModel: model });
    const asked = { promptTokens: isUnanswered ? promptTokensOf(params) : null, prices };
    const outcome = signal.aborted ? "aborted" : "error";
    void record.close({ ...numbersOf(asked), status: problem.status, outcome, disconnected: signal.aborted });
    throw problem;
  }
  record.note({ provider: upstream.name, upstreamModel: model });
  const { status, contentType, isStream, body: passed, ended } = answer;
  const run = async () => {
    const { text, bytesRead, ...end } = await ended;
    attempt.release?.();
    key.busy--;
    const used = usageIn(text, isStream);
    const estimate = {
      promptTokens: promptTokensOf(params),
      completionTokens:
        path === "/embeddings" ? 0 : Math.ceil(bytesRead / (isStream ? UNITS_PER_EVENT : UNITS_PER_TOKEN)),
    };
    await record.close({ ...numbersOf({ ...(used ?? estimate), prices, isEstimate: !used }), ...end });
  };
  passing.waitUntil(run());
  return new Response(passed, {
    status,
    headers: safeHeaders({ "content-type": contentType, ...(isStream && { "x-accel-buffering": "no" }) }),
  });
}

/** The length of an event that brings a token, about, in UTF-16 units. */
const UNITS_PER_EVENT = 200;

/** The usage that an answer states, by the names of either API; of a stream the last one. */
function usageIn(text: string, isStream: boolean): StatedUsage | undefined {
  const texts = isStream ? [...text.matchAll(/^data: ?(.*)$/gm)].map(([, data = ""]) => data).reverse() : [text];
  for (const one of texts) {
    const used = one.includes('"usage"') ? usedIn(one) : undefined;
    if (used) return stated(used);
  }
  return undefined;
}

/** The `usage` of an answer, or of an event that holds one. */
function usedIn(json: string): Used | undefined {
  try {
    const value = JSON.parse(json) as { usage?: Used; response?: { usage?: Used } };
    return value.usage ?? value.response?.usage;
  } catch {
    // A part of an event, at the beginning of the tail.
    return undefined;
  }
}

/** The numbers of a usage; `undefined` where they are impossible, so that the usage is estimated. */
function stated(usage: Used): StatedUsage | undefined {
  const promptTokens = usage.prompt_tokens ?? usage.input_tokens;
  const completionTokens = usage.completion_tokens ?? usage.output_tokens ?? 0;
  const cached = (usage.prompt_tokens_details ?? usage.input_tokens_details)?.cached_tokens ?? undefined;
  if (!isCount(promptTokens) || !isCount(completionTokens)) return undefined;
  if (cached === undefined) return { promptTokens, completionTokens };
  return isCount(cached) && cached <= promptTokens ? { promptTokens, completionTokens, cached } : undefined;
}

interface StatedUsage {
  promptTokens: number;
  completionTokens: number;
  cached?: number;
}

interface Used {
  prompt_tokens?: number;
  completion_tokens?: number;
  input_tokens?: number;
  output_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number };
  input_tokens_details?: { cached_tokens?: number };
}
