/**
 * A completion as it grows: chunks go in, the completion so far comes out, and the whole one at the end.
 */
import { OpenAIError } from "./errors.ts";
import { isObject, type MendedCall, type Mender, newCallId, objectsIn } from "./mended.ts";
import {
  failUnfinished,
  hasAutoParseableInput,
  isParseableResponseFormat,
  isParseableTool,
  type ParsingParams,
  readJSON,
  toolNamed,
} from "./parsing.ts";
import { parsePartial } from "./partial-json.ts";
import type {
  ChatCompletion,
  ChatCompletionAudio,
  ChatCompletionChunk,
  ChatCompletionRole,
  ChatCompletionTokenLogprob,
} from "./shapes.ts";

/** The completion so far. Fields within it may still be missing. */
export interface ChatCompletionSnapshot {
  id: string;
  choices: ChatCompletionSnapshot.Choice[];
  created: number;
  model: string;
  system_fingerprint?: string;
}

export declare namespace ChatCompletionSnapshot {
  interface Choice {
    index: number;
    message: Choice.Message;
    finish_reason: ChatCompletion.Choice["finish_reason"] | null;
    logprobs: ChatCompletion.Choice.Logprobs | null;
  }
  namespace Choice {
    interface Message {
      role?: ChatCompletionRole;
      content?: string | null;
      refusal?: string | null;
      /** The JSON so far, where the answer is to be JSON of a shape. */
      parsed?: unknown | null;
      audio?: Partial<ChatCompletionAudio> | null;
      function_call?: Message.FunctionCall;
      tool_calls?: Message.ToolCall[];
    }
    namespace Message {
      type ToolCall = ToolCall.FunctionToolCall | ToolCall.CustomToolCall;
      namespace ToolCall {
        interface FunctionToolCall {
          id: string;
          type: "function";
          function: ToolCall.Function;
        }
        interface Function {
          name: string;
          arguments: string;
          /** The arguments so far, where the tool reads them. */
          parsed_arguments?: unknown;
        }
        interface CustomToolCall {
          id: string;
          type: "custom";
          custom: CustomToolCall.Custom;
        }
        namespace CustomToolCall {
          interface Custom {
            name: string;
            input: string;
          }
        }
      }
      interface FunctionCall {
        name?: string;
        arguments?: string;
      }
    }
  }
}

type Choice = ChatCompletionSnapshot.Choice;
type Message = ChatCompletionSnapshot.Choice.Message;

const ROLES = new Set<ChatCompletionRole>(["developer", "system", "user", "assistant", "tool", "function"]);

/** A tool call while it grows. */
export interface GrowingCall {
  id?: string;
  type?: "function" | "custom";
  function?: { name: string; arguments: string; parsed_arguments?: unknown };
  custom?: { name: string; input: string };
}

/** Up to this length, in UTF-16 units, JSON is read with each piece; beyond, once it has grown by half. */
const EAGER = 1024;
/** The most text of one answer, in UTF-16 units: as many as a stream may have bytes. */
const MOST_TEXT = 64 * 1024 * 1024;
/** How many answers, and tool calls in each, a stream may have. */
const MOST = 128;

/** Grows a snapshot. Made for each request. */
export class Accumulator {
  snapshot: ChatCompletionSnapshot | undefined;
  readonly #params: ParsingParams | null;
  readonly #failsUnfinished: boolean;
  /** How much of a text was there when it was last read as JSON. */
  readonly #read = new WeakMap<object, number>();
  /** Choices whose last chunk only said when their sound expires, which ends them. */
  readonly #spoken = new Set<number>();
  #length = 0;

  /**
   * @param failsUnfinished an answer cut short is an error also where nothing is to be read
   */
  constructor(params: ParsingParams | null, failsUnfinished: boolean) {
    this.#params = params;
    this.#failsUnfinished = failsUnfinished || (params !== null && hasAutoParseableInput(params));
  }

  /**
   * Takes a chunk.
   * @throws {OpenAIError} it makes no sense, the answer has more text than may be kept, or was cut short and was to be read
   */
  add(chunk: ChatCompletionChunk): ChatCompletionSnapshot {
    const { choices, obfuscation: _, ...rest } = chunk;
    if (!this.snapshot) this.snapshot = { ...rest, choices: [] };
    else if (chunk.id) Object.assign(this.snapshot, rest);
    for (const choice of objectsIn(choices)) this.#addChoice(this.snapshot.choices, choice);
    return this.snapshot;
  }

  #addChoice(choices: Choice[], said: ChatCompletionChunk.Choice): void {
    const { delta, finish_reason, index, logprobs, ...other } = said;
    if (!isIndex(index)) throw new OpenAIError(`Chat completion stream contains an invalid choice index: ${index}`);
    choices[index] ??= { finish_reason: finish_reason ?? null, index, message: {}, logprobs: null, ...other };
    const choice = choices[index];
    if (isObject(logprobs)) {
      const { content, refusal, ...more } = logprobs;
      choice.logprobs ??= { content: null, refusal: null };
      Object.assign(choice.logprobs, more);
      if (content) grown(choice.logprobs, "content").push(...objectsIn(content));
      if (refusal) grown(choice.logprobs, "refusal").push(...objectsIn(refusal));
    }
    if (finish_reason) {
      choice.finish_reason = finish_reason;
      if (this.#failsUnfinished) failUnfinished(finish_reason);
    }
    Object.assign(choice, other);
    if (isObject(delta)) this.#addDelta(choice, delta);
  }

  /**
   * Takes the place of all that chunks have said so far, where the engine has put them right.
   * @param isWhole the answer has ended, and has no other choices than these
   */
  put({ choices: mended, isMending }: Mender, isWhole = false): void {
    if (!this.snapshot) return;
    const { choices } = this.snapshot;
    if (isWhole && mended.size > 0) for (const at of choices.keys()) if (!mended.has(at)) delete choices[at];
    for (const [index, { content, refusal, reasoning, calls, isFunctionCall, finishReason }] of mended) {
      if (!isIndex(index)) continue;
      choices[index] ??= { finish_reason: null, index, message: {}, logprobs: null };
      const choice = choices[index];
      const { message } = choice;
      message.role ??= "assistant";
      // OpenAI itself says `stop` where the call was forced.
      const reason = (isMending && finishReason) || choice.finish_reason || finishReason;
      const isLeftOut = isWhole && !reason;
      choice.finish_reason = (
        isLeftOut ? (calls.length > 0 ? "tool_calls" : "stop") : reason
      ) as Choice["finish_reason"];
      if (refusal) message.refusal = refusal;
      const { reasoning: before } = message as { reasoning?: string };
      if (reasoning && (before ?? "") !== "") Object.assign(message, { reasoning });
      if (content !== (message.content ?? "")) {
        message.content = content || null;
        const isRead = content && !refusal && isParseableResponseFormat(this.#params?.response_format);
        if (isRead) message.parsed = this.#partial(message, content, content) ?? null;
      }
      const [call] = calls;
      if (isFunctionCall) {
        if (call) message.function_call = { name: call.name, arguments: call.arguments };
      } else if (call) this.#putCalls(message, calls);
      else delete message.tool_calls;
    }
  }

  #putCalls(message: Message, calls: readonly MendedCall[]): void {
    const grown = (message.tool_calls ?? []) as GrowingCall[];
    message.tool_calls = calls.map(({ id, name, arguments: text, isCustom, others }, at) => {
      const own: GrowingCall = Object.assign(grown[at] ?? {}, others, { id });
      if (isCustom)
        return Object.assign(own, { type: "custom" as const, custom: { ...own.custom, name, input: text } });
      own.type = "function";
      own.function ??= { name, arguments: "" };
      own.function.name = name;
      if (own.function.arguments !== text) {
        own.function.arguments = text;
        const isRead = isParseableTool(toolNamed(this.#params, name));
        if (isRead) own.function.parsed_arguments = this.#partial(own.function, text, text);
      }
      return own;
    }) as NonNullable<Message["tool_calls"]>;
  }

  /** Text that is about to be kept, and is counted. A server may send something else for it, which has no length. */
  #more(text: string): string {
    this.#length += (text as string | null)?.length ?? 0;
    if (this.#length > MOST_TEXT) throw new OpenAIError(`The answer has more than ${MOST_TEXT} characters of text.`);
    return text;
  }

  #addDelta({ index, message }: Choice, delta: ChatCompletionChunk.Choice.Delta): void {
    const { audio, content, refusal, function_call, role, tool_calls, ...rest } = delta;
    // Texts under other names, such as reasoning, grow too.
    const others = message as Record<string, unknown>;
    for (const [name, value] of Object.entries(rest)) {
      const before = others[name];
      others[name] = typeof value === "string" && typeof before === "string" ? before + this.#more(value) : value;
    }
    const saysMore = content != null || refusal != null || function_call || role || tool_calls;
    const isExpiry = audio?.expires_at != null && Object.keys(audio).length === 1 && !saysMore;
    if (isExpiry) this.#spoken.add(index);
    else this.#spoken.delete(index);
    if (refusal) message.refusal = (message.refusal ?? "") + this.#more(refusal);
    // Some servers never say, or say `model`.
    message.role = role && ROLES.has(role) ? role : (message.role ?? "assistant");
    if (isObject(audio)) message.audio = grownAudio(message.audio ?? {}, audio);
    if (function_call) {
      message.function_call ??= {};
      if (function_call.name) message.function_call.name = function_call.name;
      if (function_call.arguments !== undefined) {
        message.function_call.arguments = (message.function_call.arguments ?? "") + this.#more(function_call.arguments);
      }
    }
    if (content != null) {
      message.content = (message.content ?? "") + this.#more(content);
      // No more text says no more of the value.
      const isMore = content !== "" || message.content.trim() === "";
      if (isMore && !message.refusal && isParseableResponseFormat(this.#params?.response_format)) {
        message.parsed = this.#partial(message, message.content, content) ?? null;
      }
    }
    for (const call of objectsIn(tool_calls)) this.#addCall(message, call);
  }

  #addCall(message: Message, said: ChatCompletionChunk.Choice.Delta.ToolCall): void {
    const { index: _, id, type, function: fn, custom, ...rest } = said;
    message.tool_calls ??= [];
    const calls = message.tool_calls as GrowingCall[];
    const index = indexOfCall(calls, said);
    if (!isIndex(index)) throw new OpenAIError(`Chat completion stream contains an invalid tool call index: ${index}`);
    calls[index] ??= {};
    const call = calls[index];
    Object.assign(call, rest);
    if (id) call.id = id;
    call.type = type ?? call.type ?? (custom ? "custom" : "function");
    if (custom) {
      call.custom ??= { name: "", input: "" };
      if (custom.name) call.custom.name = custom.name;
      call.custom.input += this.#more(custom.input ?? "");
    }
    if (fn) {
      call.function ??= { name: "", arguments: "" };
      if (fn.name) call.function.name = fn.name;
      if (fn.arguments == null) return;
      call.function.arguments += this.#more(fn.arguments);
      if (call.type === "function" && isParseableTool(toolNamed(this.#params, call.function.name))) {
        const value = this.#partial(call.function, call.function.arguments, fn.arguments);
        if (value !== undefined) call.function.parsed_arguments = value;
        else if (fn.arguments !== "" && "parsed_arguments" in call.function) call.function.parsed_arguments = undefined;
      }
    }
  }

  /** The JSON so far; undefined where it is not worth reading again yet. */
  #partial(owner: object, text: string, added: string): unknown {
    if (added === "" || text.trim() === "") return undefined;
    const read = this.#read.get(owner) ?? 0;
    const isWorth = text.length <= EAGER || text.length - read >= Math.max(EAGER, read / 2) || isWhole(added);
    if (!isWorth) return undefined;
    this.#read.set(owner, text.length);
    try {
      return parsePartial(text);
    } catch {
      return readJSON(text);
    }
  }

  /**
   * The whole completion, of a request that is over.
   * @throws {OpenAIError} something that every completion has did not come
   */
  finish(): ChatCompletion {
    const { snapshot } = this;
    if (!snapshot) throw new OpenAIError("request ended without sending any chunks");
    const { id, choices: counted, created, model, system_fingerprint, ...rest } = snapshot;
    const choices = counted.filter(Boolean);
    // Where the request is not known, a choice that came alone was the only one.
    const [only, another] = choices;
    if (only && !another && this.#params === null) only.index = 0;
    return {
      ...rest,
      id,
      choices: choices.map((choice) => this.#whole(choice)),
      created,
      model,
      object: "chat.completion",
      ...(system_fingerprint ? { system_fingerprint } : {}),
    };
  }

  /** The order of the fields is openai's. */
  #whole({ message, finish_reason, index, logprobs, ...rest }: Choice): ChatCompletion.Choice {
    const { content = null, function_call, tool_calls, audio, ...others } = message;
    const refusal = message.refusal ?? null;
    const hasSpoken = this.#spoken.has(index) && isWholeAudio(audio);
    const reason = finish_reason ?? (hasSpoken ? "stop" : null);
    if (!reason) throw new OpenAIError(`missing finish_reason for choice ${index}`);
    if (!message.role) throw new OpenAIError(`missing role for choice ${index}`);
    const role = message.role as "assistant";
    const spoken = audio ? { audio: audio as ChatCompletionAudio } : {};
    const ended = { finish_reason: reason, index, logprobs };
    if (function_call) {
      const { name, arguments: args } = function_call;
      if (args == null) throw new OpenAIError(`missing function_call.arguments for choice ${index}`);
      if (!name) throw new OpenAIError(`missing function_call.name for choice ${index}`);
      const called = { arguments: args, name };
      return { ...rest, message: { ...spoken, content, function_call: called, role, refusal }, ...ended };
    }
    if (!tool_calls) return { ...rest, message: { ...others, ...spoken, content, role, refusal }, ...ended };
    const calls = (tool_calls as GrowingCall[]).map((call, at) =>
      wholeCall(call, `choices[${index}].tool_calls[${at}]`),
    ) as NonNullable<typeof tool_calls>;
    const said = { ...others, ...spoken, role, content, refusal, tool_calls: calls };
    return { ...rest, index, finish_reason: reason, logprobs, message: said };
  }
}

function isIndex(index: unknown): index is number {
  return Number.isSafeInteger(index) && (index as number) >= 0 && (index as number) < MOST;
}

/** Which call a piece belongs to. Some servers leave the number out: a new id begins a new call. */
export function indexOfCall(
  calls: readonly GrowingCall[],
  { index, id }: { index?: number; id?: string | undefined },
): number {
  if (index != null) return index;
  const known = calls.findIndex((call) => call?.id === id);
  if (id && known < 0) return calls.length;
  return known >= 0 ? known : Math.max(calls.length - 1, 0);
}

/** A piece that may complete a value. */
function isWhole(piece: string): boolean {
  return /[}\]"]\s*$/.test(piece);
}

/** A list of likelihoods, to be added to. */
function grown(logprobs: ChatCompletion.Choice.Logprobs, name: "content" | "refusal"): ChatCompletionTokenLogprob[] {
  logprobs[name] ??= [];
  return logprobs[name];
}

function grownAudio(
  audio: Partial<ChatCompletionAudio>,
  { id, data, transcript, expires_at }: ChatCompletionChunk.Choice.Delta.Audio,
): Partial<ChatCompletionAudio> {
  if (id != null) audio.id = id;
  if (data != null) audio.data = (audio.data ?? "") + data;
  if (transcript != null) audio.transcript = (audio.transcript ?? "") + transcript;
  if (expires_at != null) audio.expires_at = expires_at;
  return audio;
}

function isWholeAudio(audio: Partial<ChatCompletionAudio> | null | undefined): boolean {
  return audio?.id != null && audio.data != null && audio.transcript != null && audio.expires_at != null;
}

function wholeCall(call: GrowingCall, where: string): GrowingCall {
  const { id, type, function: fn, custom, ...rest } = call;
  if (type == null) throw new OpenAIError(`missing ${where}.type`);
  const own = { ...rest, id: id || newCallId(), type };
  if (type === "custom") {
    if (custom?.name == null) throw new OpenAIError(`missing ${where}.custom.name`);
    const { input, name, ...more } = custom;
    return { ...own, custom: { ...more, name, input } };
  }
  if (fn?.name == null) throw new OpenAIError(`missing ${where}.function.name`);
  const { arguments: args, name, ...more } = fn;
  return { ...own, function: { ...more, name, arguments: args } };
}
