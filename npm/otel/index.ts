/**
 * `chatwire/otel`: spans and metrics of OpenTelemetry, by its conventions for generative AI.
 *
 * Follows `semantic-conventions-genai` 0.1.0 (status: development). `@opentelemetry/api` is an optional peer, which only this entry
 * loads. Contents of messages and answers are recorded only where `contents` is true.
 */

import type { Attributes, Span } from "@opentelemetry/api";
import * as api from "@opentelemetry/api";
import type { Hooks, RunnableTool } from "chatwire";
import { ChatwireError } from "chatwire";
import type { UsageRecord } from "chatwire/edge";
import { answerOf, asJson, requestOf } from "./contents.ts";

const { context, metrics, SpanKind, SpanStatusCode, trace } = api;

/** The name of the tracer and of the meter. */
const SCOPE = "chatwire";

/** @throws {ChatwireError} another major version of `@opentelemetry/api` is installed */
function mustBeOurMajor(): void {
  const has = (part: object | undefined, name: string) =>
    typeof (part as Record<string, unknown>)?.[name] === "function";
  if (has(trace, "getTracer") && has(metrics, "getMeter") && has(context, "active") && SpanKind && SpanStatusCode)
    return;
  throw new ChatwireError(
    "chatwire/otel is for version 1 of @opentelemetry/api, from 1.9 on, and the one that is installed lacks parts of it: install @opentelemetry/api@1.",
  );
}

/** Asks OpenTelemetry for something. A processor or an exporter that throws takes nothing from the call that is observed. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // The span or the metric is lost, and nothing else.
  }
}

/** A span, or one that records nothing where a processor refuses it. */
function begun(start: () => Span): Span {
  try {
    return start();
  } catch {
    return trace.wrapSpanContext(api.INVALID_SPAN_CONTEXT);
  }
}

type Told<Name extends keyof Hooks> = Parameters<NonNullable<Hooks[Name]>>[0];
type Call = Told<"onRequest"> | Told<"onRetry"> | Told<"onWait"> | Told<"onContents"> | Told<"onOutcome">;

/** How many calls may be under way. A call whose response its caller reads (`asResponse`) never ends for the hooks. */
const MOST_RUNNING = 10_000;

/** Parameters of a request, by the conventions' names. */
const PARAMETERS: Readonly<Record<string, string>> = {
  max_tokens: "gen_ai.request.max_tokens",
  max_completion_tokens: "gen_ai.request.max_tokens",
  temperature: "gen_ai.request.temperature",
  top_p: "gen_ai.request.top_p",
  top_k: "gen_ai.request.top_k",
  frequency_penalty: "gen_ai.request.frequency_penalty",
  presence_penalty: "gen_ai.request.presence_penalty",
  seed: "gen_ai.request.seed",
  n: "gen_ai.request.choice.count",
  stream: "gen_ai.request.stream",
};

/** Settings of `telemetry` and of `traced`. */
export interface TelemetryOptions {
  /**
   * Records contents in spans, as JSON text: of calls `gen_ai.input.messages`, `gen_ai.output.messages` and
   * `gen_ai.tool.definitions`, of tools their arguments and results. Contents may be long, and have personal data in them. With them
   * come the request's other texts: `gen_ai.request.stop_sequences`, `gen_ai.request.reasoning.level` and `gen_ai.output.type`.
   * @default false
   */
  contents?: boolean;
}

/** The state of a call under way. */
interface Running {
  span: Span;
  /** The attributes that its metrics are told apart by. */
  dimensions: Attributes;
  /** The answer comes as a stream. */
  streams: boolean;
  /** When the span began, on the clock of `performance.now()`. */
  since: number;
  /** The provider, the model and the address that were asked last. */
  asked?: string;
}

/**
 * Hooks that make one span of each call, over all its retries and fallbacks, and record its metrics. Give the same hooks to a
 * client and to its fallbacks, so that all of a call is in its span.
 *
 * | | |
 * |---|---|
 * | span | `chat {model}`, of `resume` `fetch_response`; kind CLIENT, child of the span that is active when the call begins |
 * | events | `chatwire.retry`, `chatwire.wait`, `chatwire.resume` with reason and delay; `chatwire.fallback` with provider and model |
 * | metrics | `gen_ai.client.inference.duration`, of streams `.time_to_first_chunk` and `.time_per_output_chunk` (s), `.usage.*` (tokens) |
 *
 * @throws {ChatwireError} `@opentelemetry/api` is of another major version
 * @example
 * ```ts
 * import { telemetry } from "chatwire/otel";
 *
 * const client = new Chatwire({ provider: "electron", apiKey, hooks: telemetry() });
 * ```
 */
export function telemetry({ contents = false }: TelemetryOptions = {}): Hooks {
  mustBeOurMajor();
  const tracer = trace.getTracer(SCOPE);
  const instruments = instrumentsOf();
  const running = new Map<string, Running>();

  const begin = (call: Call): Running | undefined => {
    if (call.operation === "models") return undefined;
    const known = running.get(call.call);
    if (known) return known;
    const attributes: Attributes = { "gen_ai.operation.name": operationOf(call) };
    if (call.model !== null) attributes["gen_ai.request.model"] = call.model;
    if ("provider" in call) attributes["gen_ai.provider.name"] = call.provider;
    // Samplers see the attributes that a span begins with.
    if ("url" in call) Object.assign(attributes, serverOf(call.url));
    const dimensions = { ...attributes };
    for (const [name, value] of Object.entries(call.parameters)) {
      const attribute = PARAMETERS[name];
      // The conventions leave out `stream: false` and a single choice.
      if (attribute && !(name === "stream" && value === false) && !(name === "n" && value === 1))
        attributes[attribute] = value;
    }
    const options = { kind: SpanKind.CLIENT, attributes };
    const started: Running = {
      span: begun(() => tracer.startSpan(spanName(call), options, context.active())),
      dimensions,
      streams: call.parameters.stream === true,
      since: performance.now(),
    };
    running.set(call.call, started);
    const [oldest] = running;
    if (running.size > MOST_RUNNING && oldest) {
      running.delete(oldest[0]);
      quietly(() => oldest[1].span.end());
    }
    return started;
  };

  return {
    onRequest(request) {
      const call = begin(request);
      if (!call) return;
      const { provider, model, url, method } = request;
      // A kept answer is taken up again with GET, at an address of its own.
      const asked = method === "POST" ? JSON.stringify([provider, model, url]) : call.asked;
      if (call.asked !== undefined && asked !== call.asked)
        call.span.addEvent("chatwire.fallback", { provider, ...(model !== null && { model }) });
      if (asked !== undefined) call.asked = asked;
      // The server that was asked last: after a fallback, the one that answered.
      const server = { "gen_ai.provider.name": provider, ...serverOf(url) };
      Object.assign(call.dimensions, server);
      call.span.setAttributes(server);
    },
    onRetry(retry) {
      const { attempt, reason, delay, provider } = retry;
      begin(retry)?.span.addEvent("chatwire.retry", { attempt, reason, delay, provider });
    },
    onWait(wait) {
      const { reason, delay, provider } = wait;
      begin(wait)?.span.addEvent("chatwire.wait", { reason, delay, provider });
    },
    onResume({ call, attempt, delay }) {
      running.get(call)?.span.addEvent("chatwire.resume", { attempt, delay });
    },
    ...(contents && {
      onContents(told) {
        begin(told)?.span.setAttributes({ ...requestOf(told.request), ...answerOf(told.outcome) });
      },
    }),
    onOutcome(outcome) {
      const call = begin(outcome);
      if (!call) return;
      running.delete(outcome.call);
      end(call, outcome, instruments);
    },
  };
}

/**
 * A tool whose runs are spans `execute_tool {name}`, with their duration as `gen_ai.execute_tool.duration`. A processor that throws
 * changes neither the run nor its result.
 * @example
 * ```ts
 * const run = client.chat.completions.runTools({ messages, tools: [traced(weather)] });
 * ```
 */
export function traced<Args>(
  tool: RunnableTool<Args>,
  { contents = false }: TelemetryOptions = {},
): RunnableTool<Args> {
  mustBeOurMajor();
  const tracer = trace.getTracer(SCOPE);
  const duration = metrics.getMeter(SCOPE).createHistogram("gen_ai.execute_tool.duration", SECONDS);
  const { name, description } = tool;
  const dimensions = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": name,
    "gen_ai.tool.type": "function",
  };
  const execute: RunnableTool<Args>["execute"] = async (args, given) => {
    const attributes: Attributes = { ...dimensions };
    if (description) attributes["gen_ai.tool.description"] = description;
    if (given?.id) attributes["gen_ai.tool.call.id"] = given.id;
    const span = begun(() => tracer.startSpan(`execute_tool ${name}`, { attributes }, context.active()));
    const started = performance.now();
    const failed: Attributes = {};
    let running: Promise<Awaited<ReturnType<typeof tool.execute>>> | undefined;
    // The tool runs once, whether or not its span could be made the active one.
    const run = () => {
      running ??= (async () => tool.execute(args, given))();
      return running;
    };
    if (contents) quietly(() => span.setAttribute("gen_ai.tool.call.arguments", asJson(args)));
    quietly(() => void context.with(trace.setSpan(context.active(), span), run));
    try {
      const result = await run();
      if (contents) quietly(() => span.setAttribute("gen_ai.tool.call.result", asJson(result)));
      return result;
    } catch (error) {
      failed["error.type"] = error instanceof Error ? error.name : "_OTHER";
      quietly(() => span.setStatus({ code: SpanStatusCode.ERROR }));
      throw error;
    } finally {
      quietly(() => span.setAttributes(failed));
      quietly(() => span.end());
      quietly(() => duration.record((performance.now() - started) / 1000, { ...dimensions, ...failed }));
    }
  };
  return { ...tool, execute };
}

/**
 * Makes spans and metrics of a gateway's usage records: its `onUsage`. A gateway passes bytes on, so its clients' hooks never
 * hear of the end of an answer. A record's `endpoint` names the operation. An answer from the gateway's cache has no span and
 * counts in no metric: no model was asked.
 * @example
 * ```ts
 * import { gateway } from "chatwire/edge";
 * import { usageTelemetry } from "chatwire/otel";
 *
 * export default gateway({ providers: { electron: { provider: "electron", apiKey } }, onUsage: usageTelemetry() });
 * ```
 */
export function usageTelemetry(): (record: UsageRecord) => void {
  mustBeOurMajor();
  const tracer = trace.getTracer(SCOPE);
  const instruments = instrumentsOf();
  return (record) => {
    const { model, provider, outcome, startedAt, timing, promptTokens, completionTokens, cached, cost, status } =
      record;
    const operation = OPERATIONS[record.endpoint ?? "/v1/chat/completions"];
    if (!operation || record.saved) return;
    const dimensions: Attributes = { "gen_ai.operation.name": operation, "gen_ai.request.model": model };
    if (provider !== null) dimensions["gen_ai.provider.name"] = provider;
    const options = { kind: SpanKind.CLIENT, attributes: dimensions, startTime: startedAt };
    const span = begun(() => tracer.startSpan(`${operation} ${model}`, options));
    const failed =
      outcome === "complete" || outcome === "aborted" ? undefined : status >= 400 ? String(status) : outcome;
    const known = promptTokens !== null && completionTokens !== null;
    finish(
      { span, dimensions, streams: true },
      {
        attributes: {
          "chatwire.status": outcome,
          ...(cost !== null && { "chatwire.cost": cost }),
          ...(record.upstreamModel !== null && { "gen_ai.response.model": record.upstreamModel }),
        },
        failed,
        // An answer that comes whole has its first token at its end.
        firstToken: timing.firstToken === timing.total ? null : timing.firstToken,
        total: timing.total,
        tokensPerSecond: null,
        tokens: known
          ? { input: promptTokens, output: completionTokens, cached: cached ?? 0, written: 0, reasoning: 0 }
          : null,
        estimated: record.estimated,
      },
      instruments,
    );
  };
}

/** The operations of a gateway's records, by their `endpoint`. A record of any other endpoint has no span. */
const OPERATIONS: Readonly<Record<string, string>> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "text_completion",
  "/v1/embeddings": "embeddings",
  "/v1/responses": "generate_content",
};

/** A kept answer that is read again asks no model: its tokens and its cost are those of the call that asked. */
const operationOf = ({ operation }: Call) => (operation === "resume" ? "fetch_response" : "chat");

const spanName = (call: Call) => (call.model === null ? operationOf(call) : `${operationOf(call)} ${call.model}`);

/** The limits of the buckets that the conventions give for durations, in seconds: each is twice the one before. */
const LIMITS = Array.from({ length: 14 }, (_, at) => 2 ** at / 100);
const SECONDS = { unit: "s", advice: { explicitBucketBoundaries: LIMITS } };

/** The attributes of the server that an address names. */
function serverOf(url: string): Attributes {
  const { hostname, port, protocol } = new URL(url);
  return { "server.address": hostname, "server.port": Number(port) || (protocol === "http:" ? 80 : 443) };
}

function instrumentsOf() {
  const meter = metrics.getMeter(SCOPE);
  const seconds = (name: string) => meter.createHistogram(`gen_ai.client.inference.${name}`, SECONDS);
  const tokens = (name: string) => meter.createCounter(`gen_ai.client.inference.usage.${name}`, { unit: "{token}" });
  return {
    duration: seconds("duration"),
    firstChunk: seconds("time_to_first_chunk"),
    perChunk: seconds("time_per_output_chunk"),
    input: tokens("input_tokens"),
    output: tokens("output_tokens"),
    cached: tokens("cache_read.input_tokens"),
    written: tokens("cache_write.input_tokens"),
    reasoning: tokens("reasoning.output_tokens"),
  };
}

/** The result of a call. Times in milliseconds. */
interface Finish {
  attributes: Attributes;
  /** The kind of error, where it is one. */
  failed: string | undefined;
  firstToken: number | null;
  total: number | null;
  tokensPerSecond: number | null;
  tokens: { input: number; output: number; cached: number; written: number; reasoning: number } | null;
  estimated: boolean;
}

function end(call: Running, outcome: Told<"onOutcome">, to: ReturnType<typeof instrumentsOf>): void {
  const { status, finishReason, completion, timing, error, attempts } = outcome;
  const { usage, cost } = outcome.operation === "resume" ? { usage: null, cost: null } : outcome;
  const attributes: Attributes = { "chatwire.status": status, "chatwire.attempts": attempts.length };
  if (completion?.id) attributes["gen_ai.response.id"] = completion.id;
  if (completion?.model) attributes["gen_ai.response.model"] = completion.model;
  // An answer that broke off, or was left, has no reason of its own.
  if (finishReason || completion) attributes["gen_ai.response.finish_reasons"] = [finishReason ?? "error"];
  if (cost !== null) attributes["chatwire.cost"] = cost;
  // A caller that leaves has not failed.
  const failed = status === "complete" || status === "aborted" ? undefined : (error?.code ?? error?.name ?? status);
  const tokens = usage && {
    input: usage.prompt_tokens,
    output: usage.completion_tokens,
    cached: usage.prompt_tokens_details?.cached_tokens ?? 0,
    written: usage.prompt_tokens_details?.cache_write_tokens ?? 0,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  };
  // A call that was refused has no times of its own.
  const total = timing.total ?? performance.now() - call.since;
  finish(call, { attributes, failed, ...timing, total, tokens, estimated: usage?.estimated === true }, to);
}

function finish(
  { span, dimensions, streams }: Omit<Running, "since">,
  finished: Finish,
  to: ReturnType<typeof instrumentsOf>,
): void {
  const { attributes, failed, firstToken, total, tokensPerSecond, tokens, estimated } = finished;
  const model = attributes["gen_ai.response.model"];
  const tags: Attributes = { ...dimensions, ...(model !== undefined && { "gen_ai.response.model": model }) };
  if (failed) attributes["error.type"] = failed;
  // Only a stream has a first chunk, and chunks after it.
  const first = streams && firstToken !== null ? firstToken / 1000 : null;
  if (first !== null) attributes["gen_ai.response.time_to_first_chunk"] = first;
  if (tokens) {
    const { input, output, cached, written, reasoning } = tokens;
    attributes["gen_ai.usage.input_tokens"] = input;
    attributes["gen_ai.usage.output_tokens"] = output;
    if (cached) attributes["gen_ai.usage.cache_read.input_tokens"] = cached;
    if (written) attributes["gen_ai.usage.cache_write.input_tokens"] = written;
    if (reasoning) attributes["gen_ai.usage.reasoning.output_tokens"] = reasoning;
    if (estimated) attributes["chatwire.usage.estimated"] = true;
  }
  quietly(() => {
    if (first !== null) to.firstChunk.record(first, tags);
    if (total !== null) to.duration.record(total / 1000, { ...tags, ...(failed && { "error.type": failed }) });
    if (streams && tokensPerSecond) to.perChunk.record(1 / tokensPerSecond, tags);
    if (!tokens) return;
    const { input, output, cached, written, reasoning } = tokens;
    // Servers of chat completions seldom say which tokens are text, and which are pictures or sound.
    const counted = { ...tags, "gen_ai.token.modality": "unknown" };
    to.input.add(input, counted);
    to.output.add(output, counted);
    if (cached) to.cached.add(cached, counted);
    if (written) to.written.add(written, counted);
    if (reasoning) to.reasoning.add(reasoning, counted);
  });
  quietly(() => {
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.setAttributes(attributes);
    span.end();
  });
}
