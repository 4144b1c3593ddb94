/**
 * `/v1/embeddings`, `/v1/completions` and `/v1/responses`: authenticated, limited and metered, and otherwise passed through.
 * The answer's bytes are the provider's, beside comments where a stream is silent. There is no fallback and no repair: the gateway does not know these answers.
 */
import { joined } from "./bytes.ts";
import type { Configuration } from "./configuration.ts";
import { inletOf, outletOf } from "./ends.ts";
import { DRAIN, LINGER } from "./forward.ts";
import type { RequestLeases } from "./limits.ts";
import type { UsageRecord } from "./options.ts";
import { PassedAnswer } from "./passed-answer.ts";
import { Problem, safeHeaders } from "./problem.ts";
import { patienceOf } from "./relay.ts";
import { type ChatRequest, providerBodyOf } from "./request.ts";
import { promptTokensOf, UNITS_PER_TOKEN } from "./reservation.ts";
import { keysInOrder, type ProviderCall, problemOf, secretsOf, type UpstreamKey, withCall } from "./upstream.ts";
import { isCount, numbersOf, openRecord } from "./usage-record.ts";
import { quietly, Writes } from "./writes.ts";

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

/** The end of a stream, in which the usage is: the last event of `/v1/responses` repeats the whole answer. */
const TAIL_BYTES = 1024 * 1024;
/** The most bytes of a whole answer that are parsed for its usage. */
const WHOLE_BYTES = 16 * 1024 * 1024;

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
  try {
    await withCall(attempt, (own) =>
      key.client.models
        .list({ signal, maxRetries: 0, headers: { ...own, ...trace, ...(isId && { "x-request-id": requestId }) } })
        .asResponse(),
    );
    if (!attempt.response?.body)
      throw new Problem(502, "upstream_failed", "The provider's answer is empty. Try again.");
    if (!ANSWER.test(attempt.response.headers.get("content-type") ?? "application/json")) {
      void attempt.response.body.cancel().catch(() => {});
      const message = "The provider's response is not an answer of this API. Check the provider's base URL.";
      throw new Problem(502, "upstream_not_an_answer", message);
    }
  } catch (error) {
    attempt.release?.();
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
  const { status, headers } = attempt.response;
  const contentType = headers.get("content-type") ?? "application/json";
  const isStream = /^text\/event-stream\b/i.test(contentType);
  const secrets = [...key.secrets];
  const { body: passed, ended } = passedOn(
    attempt.response.body,
    isStream,
    passing,
    patienceOf(upstream),
    secrets,
    sent,
  );
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

interface PassedOn extends Pick<UsageRecord, "outcome" | "disconnected" | "timing"> {
  /** The answer, or its end. */
  text: string;
  bytesRead: number;
}

/**
 * Passes bytes on as they are, within the times that hold for all answers. `ended` never rejects.
 * @param sent when the request was sent, on the clock of `performance.now()`
 */
function passedOn(
  body: ReadableStream<Uint8Array>,
  isStream: boolean,
  { configuration, signal }: Passing,
  { firstToken, idle }: { firstToken: number; idle: number },
  secrets: readonly string[],
  sent: number,
): { body: ReadableStream<Uint8Array>; ended: Promise<PassedOn> } {
  const { onDisconnect, writeTimeout, answerTimeout } = configuration;
  const inlet = inletOf(body);
  const answer = new PassedAnswer(isStream, secrets);
  let outcome: UsageRecord["outcome"] = "complete";
  let isGone = false;
  let draining: ReturnType<typeof setTimeout> | undefined;
  const end = (how: UsageRecord["outcome"]) => {
    outcome = how;
    writes.giveUp();
    inlet.cancel();
  };
  const leave = (isLost: boolean) => {
    if (isGone) return;
    isGone = true;
    writes.giveUp();
    writes.stop();
    outlet.abandon(isLost);
    if (onDisconnect === "abort") end("aborted");
    else draining = setTimeout(() => end("aborted"), DRAIN);
  };
  const onAbort = () => leave(true);
  const outlet = outletOf(onAbort);
  const writes = new Writes(outlet, writeTimeout, () => leave(false));
  const within = async <T>(ms: number, late: () => void, work: Promise<T>): Promise<T> => {
    const timer = ms === Number.POSITIVE_INFINITY ? undefined : quietly(setTimeout(late, ms));
    return work.finally(() => clearTimeout(timer));
  };
  const run = async (): Promise<PassedOn> => {
    const longest = quietly(setTimeout(() => end("stalled"), answerTimeout));
    if (isStream) writes.beat();
    const read: Uint8Array[] = [];
    let bytesRead = 0;
    let kept = 0;
    let firstByte: number | null = null;
    let over: number | undefined;
    try {
      for (;;) {
        const patience = answer.isOver ? LINGER : isStream && bytesRead > 0 ? idle : firstToken;
        const late = () => (answer.isOver ? inlet.cancel() : end("stalled"));
        const bytes = await within(patience, late, inlet.next());
        if (!bytes) break;
        firstByte ??= performance.now() - sent;
        const piece = bytes.slice();
        bytesRead += piece.length;
        read.push(piece);
        kept += piece.length;
        while (read.length > 1 && kept > (isStream ? TAIL_BYTES : WHOLE_BYTES)) kept -= read.shift()?.length ?? 0;
        const passed = answer.push(piece.slice());
        if (answer.isOver) over ??= performance.now();
        if (!isGone && passed.length > 0) await writes.write(passed.slice());
      }
      const rest = answer.end();
      if (!isGone && rest.length > 0) await writes.write(rest.slice());
    } catch {
      if (outcome === "complete" && !answer.isOver) outcome = "truncated";
    }
    const text = new TextDecoder().decode(joined(...read));
    if (outcome === "complete") outcome = answer.outcome(kept === bytesRead ? text : undefined);
    writes.stop();
    for (const timer of [longest, draining]) clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    inlet.cancel();
    if (!isGone && (outcome === "complete" || outcome === "error")) outlet.close();
    else if (!isGone) outlet.fail(new TypeError("The provider ended its answer before it was complete."));
    const timing = { firstByte, firstToken: null, total: (over ?? performance.now()) - sent };
    return { outcome, disconnected: isGone, timing, text, bytesRead };
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort);
  return { body: outlet.body, ended: run() };
}

/** The length of an event that brings a token, about, in UTF-16 units. */
const UNITS_PER_EVENT = 200;

/** The usage that an answer states, by the names of either API; of a stream the last one. */
function usageIn(
  text: string,
  isStream: boolean,
): { promptTokens: number; completionTokens: number; cached?: number } | undefined {
  const texts = isStream ? [...text.matchAll(/^data: ?(.*)$/gm)].map(([, data = ""]) => data).reverse() : [text];
  for (const one of texts) {
    if (!one.includes('"usage"')) continue;
    try {
      const value = JSON.parse(one) as { usage?: Used; response?: { usage?: Used } };
      const usage = value.usage ?? value.response?.usage;
      if (!usage) continue;
      const details = usage.prompt_tokens_details ?? usage.input_tokens_details;
      const promptTokens = usage.prompt_tokens ?? usage.input_tokens;
      const completionTokens = usage.completion_tokens ?? usage.output_tokens ?? 0;
      const cached = details?.cached_tokens ?? undefined;
      // Impossible numbers of a provider are replaced by an estimate.
      if (!isCount(promptTokens) || !isCount(completionTokens)) return undefined;
      if (cached !== undefined && !(isCount(cached) && cached <= promptTokens)) return undefined;
      return { promptTokens, completionTokens, ...(cached !== undefined && { cached }) };
    } catch {
      // A part of an event, at the beginning of the tail.
    }
  }
  return undefined;
}

interface Used {
  prompt_tokens?: number;
  completion_tokens?: number;
  input_tokens?: number;
  output_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number };
  input_tokens_details?: { cached_tokens?: number };
}
