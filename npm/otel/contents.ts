/**
 * The messages and tools of a call as attributes of its span, by the conventions for generative AI: lists of messages, each of
 * parts, as JSON text. `telemetry` records these attributes only with `contents: true`.
 */
import type { Attributes } from "@opentelemetry/api";
import type { Outcome } from "chatwire";

type Json = Record<string, unknown>;

/** A value as JSON text; a value that JSON cannot say is named by its type. */
export function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    return JSON.stringify(`a value (${typeof value}) that JSON cannot say`);
  }
}

/** The attributes of a request: its messages, its tools, and its other texts, as far as it has them. */
export function requestOf(request: string | null): Attributes {
  if (request === null) return {};
  const { messages, tools, stop, reasoning_effort, response_format, modalities } = JSON.parse(request) as Json;
  const format = (response_format as Json | undefined | null)?.type;
  const hasSpeech = Array.isArray(modalities) && modalities.includes("audio");
  const type = hasSpeech ? "speech" : typeof format === "string" ? format.replace(/^json_.*/, "json") : undefined;
  const stops = (Array.isArray(stop) ? stop : [stop]).filter((one) => typeof one === "string");
  return {
    ...(Array.isArray(messages) && { "gen_ai.input.messages": asJson(messages.map(messageOf)) }),
    ...(Array.isArray(tools) && { "gen_ai.tool.definitions": asJson(tools.map(definitionOf)) }),
    ...(stops.length > 0 && { "gen_ai.request.stop_sequences": stops }),
    ...(typeof reasoning_effort === "string" && { "gen_ai.request.reasoning.level": reasoning_effort }),
    ...(type !== undefined && { "gen_ai.output.type": type }),
  };
}

/** The attributes of an answer; none where none came. */
export function answerOf({ completion, message, text, reasoning, toolCalls, finishReason }: Outcome): Attributes {
  if (!message && text === "" && reasoning === "" && toolCalls.length === 0) return {};
  const [first] = completion?.choices ?? [];
  const refusal = first?.message.refusal;
  const parts = [
    ...said("reasoning", reasoning),
    ...said("text", text || refusal),
    ...toolCalls.map(({ id, name, arguments: input }) => ({ type: "tool_call", id, name, arguments: parsed(input) })),
  ];
  const answer = { role: "assistant", parts, finish_reason: finishReason ?? "error" };
  const others = (completion?.choices ?? []).slice(1).map(({ message, finish_reason }) => {
    return { ...messageOf(message), finish_reason: finish_reason ?? "error" };
  });
  return { "gen_ai.output.messages": asJson([answer, ...others]) };
}

function messageOf(message: unknown): Json {
  const { role, content, refusal, reasoning_content, reasoning, tool_calls, tool_call_id, name } = (message ??
    {}) as Json;
  const calls = Array.isArray(tool_calls) ? tool_calls : [];
  const parts =
    role === "tool"
      ? [{ type: "tool_call_response", id: tool_call_id ?? null, response: content ?? null }]
      : [
          ...said("reasoning", reasoning_content ?? reasoning),
          ...(Array.isArray(content) ? content.map(partOf) : said("text", content)),
          ...said("text", refusal),
          ...calls.map(callOf),
        ];
  return { role: role ?? null, parts, ...(typeof name === "string" && { name }) };
}

/** A text as the only part of its type; none where there is no text. */
function said(type: "text" | "reasoning", content: unknown): Json[] {
  return typeof content === "string" && content !== "" ? [{ type, content }] : [];
}

function callOf(call: unknown): Json {
  const { id, function: called, custom } = (call ?? {}) as { id?: unknown; function?: Json; custom?: Json };
  const { name, arguments: input } = called ?? {};
  return {
    type: "tool_call",
    id: id ?? null,
    name: name ?? custom?.name ?? null,
    arguments: parsed(input ?? custom?.input),
  };
}

/** Arguments as a value, which the conventions ask for; text that is no JSON stays text. */
function parsed(input: unknown): unknown {
  if (typeof input !== "string") return input ?? null;
  try {
    return JSON.parse(input);
  } catch {
    return input;
  }
}

/** A part of a message. A file inside the message is a `blob`, a file elsewhere a `uri`. */
function partOf(part: unknown): Json {
  const { type, ...rest } = (part ?? {}) as Json;
  switch (type) {
    case "text":
      return { type, content: rest.text };
    case "refusal":
      return { type: "text", content: rest.refusal };
    case "image_url": {
      const { url } = (rest.image_url ?? {}) as Json;
      const [, mime, bytes] = /^data:([^;,]*)[^,]*,(.*)$/s.exec(String(url)) ?? [];
      return bytes === undefined
        ? { type: "uri", modality: "image", uri: url }
        : { type: "blob", modality: "image", mime_type: mime, content: bytes };
    }
    case "input_audio": {
      const { data, format } = (rest.input_audio ?? {}) as Json;
      return { type: "blob", modality: "audio", mime_type: `audio/${format}`, content: data };
    }
    default:
      return { type: type ?? null, ...rest };
  }
}

function definitionOf(tool: unknown): Json {
  const { type, function: defined, custom } = (tool ?? {}) as { type?: unknown; function?: Json; custom?: Json };
  return { type: type ?? null, ...(defined ?? custom) };
}
