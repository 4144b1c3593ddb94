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

/**
 * The extra fields of a part that is given back: fields of the message or the call that the server wants to see again. They come from
 * where the conversation was kept, which may be a browser, so they go before the fields that say who speaks and what: none of those is
 * overridden.
 */
function kept(part: { providerOptions?: unknown }, name: "message" | "call"): Json {
  const own = (part.providerOptions as Record<string, Json> | undefined)?.[NAMESPACE];
  return (own?.[name] as Json | undefined) ?? {};
}

/** The facts about the server that messages depend on. */
export interface Reader {
  /** The field in which the server expects a turn's reasoning when it is sent back. */
  reasoningField: string;
  /** The names under which a reference to an uploaded file may give the server's id of the file, the first that is there. */
  names: readonly string[];
}

/** @throws an `UnsupportedFunctionalityError` for a file that chat completions have no place for */
export function toMessages(prompt: Prompt, reader: Reader): ChatCompletionMessageParam[] {
  return prompt.flatMap((message) => {
    const extra = kept(message, "message");
    return convert(message, reader).map((one) => ({ ...extra, ...one })) as unknown as ChatCompletionMessageParam[];
  });
}

function convert(message: PromptMessage, reader: Reader): Json[] {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }];
    case "user": {
      const parts = message.content.map((part) =>
        part.type === "text"
          ? { ...kept(part, "message"), type: "text", text: part.text }
          : { ...kept(part, "message"), ...filePart(part, reader) },
      );
      const isText = parts.every((part) => part.type === "text" && Object.keys(part).length === 2);
      return [{ role: "user", content: isText ? parts.map((part) => (part as Json).text).join("") : parts }];
    }
    case "assistant":
      return [assistant(message, reader)];
    case "tool":
      // A server's own approvals have no place on the wire.
      return message.content.flatMap((part) =>
        part.type === "tool-result"
          ? [{ role: "tool", tool_call_id: part.toolCallId, content: resultText(part.output) }]
          : [],
      );
  }
}

function assistant(message: Extract<PromptMessage, { role: "assistant" }>, { reasoningField }: Reader): Json {
  let text = "";
  let reasoning = "";
  let extra: Json = {};
  const calls: Json[] = [];
  for (const part of message.content) {
    if ("providerOptions" in part) extra = { ...extra, ...kept(part, "message") };
    if (part.type === "text") text += part.text;
    else if (part.type === "reasoning") reasoning += part.text;
    else if (part.type === "tool-call") {
      const called = { name: part.toolName, arguments: argumentsOf(part.input) };
      calls.push({ ...kept(part, "call"), id: part.toolCallId, type: "function", function: called });
    }
  }
  return {
    ...extra,
    role: "assistant",
    content: text || (calls.length > 0 ? null : ""),
    ...(reasoning && { [reasoningField]: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** The input of a call as JSON. Text that is JSON already stays, as a call that was repaired has it; other text is a JSON string. */
function argumentsOf(input: unknown): string {
  if (typeof input !== "string") return jsonOf(input ?? {});
  try {
    JSON.parse(input);
    return input;
  } catch {
    return JSON.stringify(input);
  }
}

/** JSON of a value that a tool made: a BigInt is its digits as text, and an object inside of itself is named as that. */
function jsonOf(value: unknown): string {
  const path: unknown[] = [];
  const json = JSON.stringify(value, function (_name, member: unknown) {
    if (typeof member === "bigint") return String(member);
    if (typeof member !== "object" || member === null) return member;
    // `this` holds the member: what comes after it on the path was written before.
    path.length = path.indexOf(this) + 1;
    if (path.includes(member)) return "[circular]";
    path.push(member);
    return member;
  });
  return json ?? "null";
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
        : jsonOf(output.value);
    default:
      return jsonOf(output.value);
  }
}

/** The formats of sound that chat completions take, by media type. */
const AUDIO: Record<string, string> = {
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
};

/** The beginnings of files in base64, for a media type without its second half. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^iVBORw/, "image/png"],
  [/^\/9j\//, "image/jpeg"],
  [/^R0lGOD/, "image/gif"],
  [/^UklGR.{7}RUJQ/, "image/webp"],
  [/^UklGR.{7}QVZF/, "audio/wav"],
  [/^(SUQz|\/\/[I-Po-v])/, "audio/mpeg"],
  [/^JVBERi/, "application/pdf"],
];

function filePart({ data, mediaType, filename }: FilePart, { names }: Reader): Json {
  if (data.type === "text") return { type: "text", text: data.text };
  if (data.type === "reference") {
    const name = names.find((one) => Object.hasOwn(data.reference, one));
    if (name === undefined) throw unsupported(`a file that was uploaded to ${Object.keys(data.reference).join()}`);
    return { type: "file", file: { file_id: data.reference[name] } };
  }
  const [kind] = mediaType.split("/");
  if (data.type === "url") {
    if (kind !== "image") throw unsupported(`${mediaType} by its address`);
    return { type: "image_url", image_url: { url: String(data.url) } };
  }
  const bytes = base64(data.data);
  const type = fullType(mediaType, bytes);
  if (kind === "image") return { type: "image_url", image_url: { url: `data:${type};base64,${bytes}` } };
  const part = readPart(type, bytes);
  if (part) return part;
  if (type === "application/pdf") {
    const file_data = `data:application/pdf;base64,${bytes}`;
    return { type: "file", file: { filename: filename ?? "document.pdf", file_data } };
  }
  throw unsupported(`file part of type ${mediaType}`);
}

/**
 * A text or a sound as the part that chat completions have for it; nothing for other types, and for a text that is not base64.
 * @param bytes in base64
 */
export function readPart(mediaType: string, bytes: string): Json | undefined {
  if (mediaType.startsWith("text/")) {
    try {
      return { type: "text", text: new TextDecoder().decode(bytesOf(bytes)) };
    } catch {
      return undefined;
    }
  }
  const format = AUDIO[mediaType];
  return format ? { type: "input_audio", input_audio: { data: bytes, format } } : undefined;
}

/** A media type with both halves, of the file's first bytes where only the first half is named. */
function fullType(mediaType: string, bytes: string): string {
  const [kind, half = "*"] = mediaType.split("/");
  if (half !== "*") return mediaType;
  const found = BEGINNINGS.find(([beginning, type]) => type.startsWith(`${kind}/`) && beginning.test(bytes));
  return found?.[1] ?? (kind === "image" ? "image/jpeg" : mediaType);
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
