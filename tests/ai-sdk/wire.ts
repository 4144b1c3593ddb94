/**
 * Answers as servers send them, and both providers reading them: chatwire's, and the AI SDK's own for compatible servers.
 */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { type ChatwireProviderSettings, createChatwire } from "chatwire/ai-sdk";

/** A `fetch` that gives one answer, and keeps what it was asked. */
export function answering(body: string, init: ResponseInit = {}) {
  const asked: { url: string; body: Record<string, unknown>; headers: Headers }[] = [];
  const type = body.startsWith("{") ? "application/json" : "text/event-stream";
  const fetch = async (url: string | URL | Request, { body: sent, headers }: RequestInit = {}) => {
    asked.push({ url: String(url), body: JSON.parse(String(sent)), headers: new Headers(headers) });
    return new Response(body, { headers: { "content-type": type, "x-request-id": "req-1" }, ...init });
  };
  return { fetch: fetch as typeof globalThis.fetch, asked };
}

const BASE_URL = "https://models.example/v1";
const settings = { baseURL: BASE_URL, apiKey: "k", maxRetries: 0 };

export const chatwire = (fetch: typeof globalThis.fetch, more: ChatwireProviderSettings = {}) =>
  createChatwire({ ...settings, fetch: fetch as never, ...more });
export const compatible = (fetch: typeof globalThis.fetch) =>
  createOpenAICompatible({
    name: "compatible",
    baseURL: BASE_URL,
    apiKey: "k",
    fetch,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

export type Model = ReturnType<ReturnType<typeof createChatwire>>;
export type CallOptions = Parameters<Model["doStream"]>[0];
export type Part = Awaited<ReturnType<Model["doStream"]>>["stream"] extends ReadableStream<infer P> ? P : never;

export const hello: CallOptions = { prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }] };

/** All parts of a stream. */
export async function partsOf(model: Model, call: CallOptions = hello): Promise<Part[]> {
  const { stream } = await model.doStream(call);
  const parts: Part[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** The content of parts, whichever blocks they are cut into. */
export function summary(parts: readonly Part[]) {
  const joined = (type: "text-delta" | "reasoning-delta") =>
    parts.flatMap((part) => (part.type === type ? [part.delta] : [])).join("");
  const finish = parts.find((part) => part.type === "finish");
  return {
    text: joined("text-delta"),
    reasoning: joined("reasoning-delta"),
    calls: parts.flatMap((part) =>
      part.type === "tool-call" ? [{ name: part.toolName, input: JSON.parse(part.input || "{}") }] : [],
    ),
    finish: finish?.finishReason.unified,
    input: finish?.usage.inputTokens.total,
    output: finish?.usage.outputTokens.total,
    cached: finish?.usage.inputTokens.cacheRead,
    reasoned: finish?.usage.outputTokens.reasoning,
  };
}

const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`;

/** A stream of these deltas, with a finish reason and usage. */
export function streamOf(deltas: readonly object[], finish: string | null = "stop", usage?: object): string {
  const head = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1_700_000_000, model: "m-1" };
  const chunk = (delta: object, reason: string | null = null) =>
    event({ ...head, choices: [{ index: 0, delta, finish_reason: reason }] });
  const end = finish === null ? "" : chunk({}, finish);
  const count = usage ? event({ ...head, choices: [], usage }) : "";
  return `${deltas.map((delta) => chunk(delta)).join("")}${end}${count}${finish === null ? "" : "data: [DONE]\n\n"}`;
}
