/**
 * A prompt of the AI SDK as messages of chat completions.
 */
import type { ChatCompletionMessageParam } from "chatwire";
import { unsupported } from "./errors.ts";
import type { Prompt, PromptMessage } from "./spec.ts";

type FilePart = Extract<Extract<PromptMessage, { role: "user" }>["content"][number], { type: "file" }>;
type ToolResult = Extract<Extract<PromptMessage, { role: "tool" }>["content"][number], { type: "tool-result" }>;
type Json = Record<string, unknown>;

/** The name under which chatwire keeps what is its own in `providerOptions` and `providerMetadata`. */
export const NAMESPACE = "chatwire";

/** The extra fields of a part that is given back: fields of the message or the call that the server wants to see again. */
function kept(part: { providerOptions?: unknown }, name: "message" | "call"): Json {
  const own = (part.providerOptions as Record<string, Json> | undefined)?.[NAMESPACE];
  return (own?.[name] as Json | undefined) ?? {};
}

/**
 * @param reasoningField where the server expects a turn's reasoning when it is sent back
 * @throws an `UnsupportedFunctionalityError` for a file that chat completions have no place for
 */
export function toMessages(prompt: Prompt, reasoningField: string): ChatCompletionMessageParam[] {
  return prompt.flatMap((message) => {
    const extra = kept(message, "message");
    return convert(message, reasoningField).map((one) => ({
      ...one,
      ...extra,
    })) as unknown as ChatCompletionMessageParam[];
  });
}

function convert(message: PromptMessage, reasoningField: string): Json[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user": {
      const parts = message.content.map((part) =>
        part.type === "text" ? { type: "text", text: part.text, ...kept(part, "message") } : filePart(part),
      );
      const isText = parts.every((part) => part.type === "text" && Object.keys(part).length === 2);
      return [{ role: "user", content: isText ? parts.map((part) => (part as Json).text).join("") : parts }];
    }
    case "assistant":
      return [assistant(message, reasoningField)];
    case "tool":
      // A server's own approvals have no place on the wire.
      return message.content.flatMap((part) =>
        part.type === "tool-result"
          ? [{ role: "tool", tool_call_id: part.toolCallId, content: resultText(part.output) }]
          : [],
      );
  }
}

function assistant(message: Extract<PromptMessage, { role: "assistant" }>, reasoningField: string): Json {
  let text = "";
  let reasoning = "";
  let extra: Json = {};
  const calls: Json[] = [];
  for (const part of message.content) {
    if ("providerOptions" in part) extra = { ...extra, ...kept(part, "message") };
    if (part.type === "text") text += part.text;
    else if (part.type === "reasoning") reasoning += part.text;
    else if (part.type === "tool-call") {
      const input = typeof part.input === "string" ? part.input : JSON.stringify(part.input ?? {});
      const called = { name: part.toolName, arguments: input };
      calls.push({ id: part.toolCallId, type: "function", function: called, ...kept(part, "call") });
    }
  }
  return {
    role: "assistant",
    content: text || (calls.length > 0 ? null : ""),
    ...(reasoning && { [reasoningField]: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
    ...extra,
  };
}

/** The result of a tool as text: the model reads nothing else. */
function resultText(output: ToolResult["output"]): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return output.value;
    case "execution-denied":
      return output.reason ?? "The execution of this tool was denied.";
    case "content":
      return output.value.every((part) => part.type === "text")
        ? output.value.map((part) => (part as { text: string }).text).join("\n")
        : JSON.stringify(output.value);
    default:
      return JSON.stringify(output.value) ?? "null";
  }
}

const AUDIO: Record<string, string> = {
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
};

function filePart({ data, mediaType, filename }: FilePart): Json {
  if (data.type === "text") return { type: "text", text: data.text };
  const [kind] = mediaType.split("/");
  if (data.type === "reference") {
    const id = Object.values(data.reference)[0];
    return { type: "file", file: { file_id: id } };
  }
  if (kind === "image") {
    const type = mediaType === "image" || mediaType === "image/*" ? "image/jpeg" : mediaType;
    const url = data.type === "url" ? String(data.url) : `data:${type};base64,${base64(data.data)}`;
    return { type: "image_url", image_url: { url } };
  }
  if (data.type === "url") throw unsupported(`${mediaType} by its address`);
  if (kind === "text") {
    const text =
      typeof data.data === "string"
        ? new TextDecoder().decode(bytesOf(data.data))
        : new TextDecoder().decode(data.data);
    return { type: "text", text };
  }
  const format = AUDIO[mediaType];
  if (format) return { type: "input_audio", input_audio: { data: base64(data.data), format } };
  if (mediaType === "application/pdf") {
    const file_data = `data:application/pdf;base64,${base64(data.data)}`;
    return { type: "file", file: { filename: filename ?? "document.pdf", file_data } };
  }
  throw unsupported(`file part of type ${mediaType}`);
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function base64(data: string | Uint8Array): string {
  if (typeof data === "string") return data;
  let text = "";
  // In pieces: the arguments of a call are limited in number.
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  return btoa(text);
}
