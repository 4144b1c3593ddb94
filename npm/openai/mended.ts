/**
 * The chunks of a stream as they are put together: as they came, or, once the engine has put something right in a stream, made of
 * the engine's events. A completion is put right in the same way.
 *
 * No dialect is known here: which call a piece belongs to, and which text comes again, is the engine's to say.
 */
import { ChatDecoder, type ChatEvent, type Outcome } from "chatwire";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionMessageToolCall } from "./shapes.ts";

/** A choice as the engine has put it together so far. */
export interface MendedChoice {
  content: string;
  refusal: string;
  reasoning: string;
  calls: MendedCall[];
  /** The calls are an old function call. */
  isFunctionCall: boolean;
  finishReason: string | null;
}

/** A call as the engine has put it together so far. */
export interface MendedCall {
  id: string;
  name: string;
  /** Of a custom tool, its input. */
  arguments: string;
  isCustom: boolean;
  /** Members that only this server knows. */
  others?: object;
}

/** Members of a delta that are made of events. Reasoning has the name that the server gave it. */
const REASONING = ["reasoning", "reasoning_content", "reasoning_text", "thinking"];
const MADE = new Set([...REASONING, "content", "refusal", "tool_calls", "function_call"]);

/** Repairs by which a message is another than the sum of its chunks. */
const OF_MESSAGES = /^(chunk|reasoning|tool_call)\.(?!finish_reason)/;
/** Of these an old function call needs none. */
const OF_OLD_CALLS = /function_call|id_made_up/;

type Delta = ChatCompletionChunk.Choice.Delta & Record<string, unknown>;
type Said = { delta: Delta; finishReason: string | null };

const encoder = new TextEncoder();

/** Mends one stream. The engine has to be loaded. */
export class Mender {
  readonly choices = new Map<number, MendedChoice>();
  /** Something was put right: from here on the chunks are made of events, and `choices` counts. */
  isMending = false;
  readonly #decoder: ChatDecoder;
  #hasOldCall = false;
  /** The ids and numbers of calls that the server has given. */
  readonly #ids = new Set<unknown>();
  readonly #numbers = new Set<unknown>();
  #reasoningName = "reasoning";
  readonly #isAlone: boolean;
  /** The texts that were handed out, by choice and name: the engine may hold a piece back that was handed out as it came. */
  readonly #handedOut = new Map<string, string>();

  /** @param n how many choices were asked for; undefined where that is not known */
  constructor(n: number | undefined) {
    this.#isAlone = n === 1;
    this.#decoder = new ChatDecoder({ partial: false, ...(n !== undefined && { n }) });
  }

  /** The chunk, or what takes its place. */
  add(chunk: ChatCompletionChunk): ChatCompletionChunk {
    const sent = objectsIn(chunk.choices);
    for (const { delta } of sent) {
      if (!isObject(delta)) continue;
      if (isObject(delta.function_call)) this.#hasOldCall = true;
      for (const { id, index } of objectsIn(delta.tool_calls)) {
        this.#ids.add(id);
        this.#numbers.add(index);
      }
      this.#reasoningName = REASONING.find((name) => name in delta) ?? this.#reasoningName;
    }
    const events = this.#decoder.ended ? [] : this.#decoder.push(encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`));
    const said = this.#take(events);
    this.isMending ||= !isShaped(chunk);
    if (this.isMending) return this.#made(chunk, sent, said);
    for (const { index, delta } of sent) this.#note(this.#isAlone ? 0 : index, delta);
    return chunk;
  }

  /** Notes the texts of a delta that is handed out as it came. */
  #note(index: number, delta: ChatCompletionChunk.Choice.Delta): void {
    const add = (name: string, text: unknown) => {
      const key = `${index} ${name}`;
      if (typeof text === "string") this.#handedOut.set(key, (this.#handedOut.get(key) ?? "") + text);
    };
    if (!isObject(delta)) return;
    const { content, refusal, tool_calls } = delta;
    add("content", content);
    add("refusal", refusal);
    add("reasoning", (delta as Delta)[this.#reasoningName]);
    for (const { index: at, function: fn, custom } of objectsIn(tool_calls)) {
      add(`call ${at}`, fn?.arguments ?? custom?.input);
    }
  }

  /** The part of a text that was not handed out yet; `more` where the text is another than before. */
  #rest(key: string, whole: string, more: string): string {
    const before = this.#handedOut.get(key) ?? "";
    this.#handedOut.set(key, whole);
    return whole.startsWith(before) ? whole.slice(before.length) : more;
  }

  /** A delta made of events, less what was handed out of its texts. */
  #unsaid(index: number, delta: Delta): Delta {
    const { content, refusal, reasoning, calls } = this.#choice(index);
    const texts = { content, refusal, [this.#reasoningName]: reasoning };
    for (const [name, whole] of Object.entries(texts)) {
      const more = delta[name];
      if (typeof more !== "string") continue;
      delta[name] = this.#rest(`${index} ${name === this.#reasoningName ? "reasoning" : name}`, whole, more);
    }
    for (const call of delta.tool_calls ?? []) {
      const whole = calls[call.index]?.arguments ?? "";
      const rest = (more: string) => this.#rest(`${index} call ${call.index}`, whole, more);
      if (call.custom) call.custom.input = rest(call.custom.input ?? "");
      else if (call.function) call.function.arguments = rest(call.function.arguments ?? "");
    }
    return delta;
  }

  /** The stream has ended: `choices` is final. */
  end(): void {
    const outcome = this.#decoder.end();
    this.#take(this.#decoder.rest());
    for (const { index, message, finish_reason } of outcome.completion?.choices ?? []) {
      const choice = this.#choice(index);
      if (!choice.isFunctionCall) choice.finishReason = finish_reason ?? null;
      for (const [at, { id: _, type: __, ...others }] of (message.tool_calls ?? []).entries()) {
        const { function: ___, custom: ____, ...own } = others as Record<string, unknown>;
        const call = choice.calls[at];
        if (call) call.others = own;
      }
    }
  }

  /** Lets go of the engine's memory; not needed after the end. */
  free(): void {
    this.#decoder.free();
  }

  /** Takes events into `choices`, and gives what they add to each. */
  #take(events: readonly ChatEvent[]): Map<number, Said> {
    const said = new Map<number, Said>();
    for (const event of events) {
      if (event.type === "repair") {
        const isOld = this.#hasOldCall && OF_OLD_CALLS.test(event.code);
        if (OF_MESSAGES.test(event.code) && !isOld) this.isMending = true;
        const choice = this.choices.get(event.choice);
        if (event.code === "reasoning.reclassified" && choice) {
          choice.reasoning += choice.content;
          choice.content = "";
        }
        continue;
      }
      const choice = this.#choice(event.choice);
      const more: Said = said.get(event.choice) ?? { delta: {}, finishReason: null };
      said.set(event.choice, more);
      const { delta } = more;
      if (event.type === "text") {
        choice.content += event.text;
        delta.content = (delta.content ?? "") + event.text;
      } else if (event.type === "refusal") {
        choice.refusal += event.text;
        delta.refusal = (delta.refusal ?? "") + event.text;
      } else if (event.type === "reasoning") {
        choice.reasoning += event.text;
        delta[this.#reasoningName] = ((delta[this.#reasoningName] as string | undefined) ?? "") + event.text;
      } else if (event.type === "finish") {
        const isOld = choice.isFunctionCall && event.finishReason === "tool_calls";
        choice.finishReason = more.finishReason = isOld ? "function_call" : event.finishReason;
      } else if (event.type.startsWith("tool_call.")) this.#takeCall(choice, delta, event as CallEvent);
    }
    return said;
  }

  #takeCall(choice: MendedChoice, delta: Delta, event: CallEvent): void {
    const { index } = event;
    if (event.type === "tool_call.start") {
      const { name, custom = false } = event;
      const id = this.#ids.has(event.id) ? event.id : newCallId();
      choice.calls[index] = { id, name, arguments: "", isCustom: custom };
      choice.isFunctionCall = this.#hasOldCall;
      this.isMending ||= !this.#hasOldCall && !this.#numbers.has(index);
      addCall(delta, choice, index, { name, text: "" });
      return;
    }
    const call = choice.calls[index];
    if (!call) return;
    const isDelta = event.type === "tool_call.delta";
    const isMore = isDelta || event.arguments.startsWith(call.arguments);
    const text = isDelta ? event.arguments : event.arguments.slice(call.arguments.length);
    if (isDelta) call.arguments += text;
    else Object.assign(call, { name: event.name, arguments: event.arguments });
    if (isMore && text !== "") addCall(delta, choice, index, { text });
  }

  #choice(index: number): MendedChoice {
    const known = this.choices.get(index);
    if (known) return known;
    const choice = { content: "", refusal: "", reasoning: "", calls: [], isFunctionCall: false, finishReason: null };
    this.choices.set(index, choice);
    return choice;
  }

  /** A chunk made of the events of the one that came; its other members are those that came. */
  #made(
    chunk: ChatCompletionChunk,
    sent: readonly ChatCompletionChunk.Choice[],
    said: ReadonlyMap<number, Said>,
  ): ChatCompletionChunk {
    const rest = new Map(said);
    const [only = this.choices.keys().next().value] = said.size === 1 ? said.keys() : [];
    const choices = sent.map(({ index: own, delta, logprobs = null }, at) => {
      const sentIndex = typeof own === "number" ? own : at;
      const index = sent.length === 1 ? (only ?? sentIndex) : sentIndex;
      const more = rest.get(index);
      rest.delete(index);
      const others = Object.entries(isObject(delta) ? delta : {}).filter(([name]) => !MADE.has(name));
      const made = { ...Object.fromEntries(others), ...(more && this.#unsaid(index, more.delta)) };
      return { index, delta: made, logprobs, finish_reason: more?.finishReason ?? null };
    });
    for (const [index, { delta, finishReason }] of rest) {
      choices.push({ index, delta: this.#unsaid(index, delta), logprobs: null, finish_reason: finishReason });
    }
    return { ...chunk, choices } as ChatCompletionChunk;
  }
}

type CallEvent = Extract<ChatEvent, { type: `tool_call.${string}` }>;

/** Adds a piece of a call to a delta. */
function addCall(
  delta: Delta,
  choice: MendedChoice,
  index: number,
  { name, text }: { name?: string; text: string },
): void {
  const { id, isCustom } = choice.calls[index] as MendedCall;
  const named = name === undefined ? {} : { name };
  if (choice.isFunctionCall) {
    const { arguments: before = "" } = delta.function_call ?? {};
    delta.function_call = { ...delta.function_call, ...named, arguments: before + text };
    return;
  }
  delta.tool_calls ??= [];
  const head = name === undefined ? {} : { id, type: isCustom ? ("custom" as const) : ("function" as const) };
  const said = isCustom ? { custom: { ...named, input: text } } : { function: { ...named, arguments: text } };
  delta.tool_calls.push({ index, ...head, ...said } as ChatCompletionChunk.Choice.Delta.ToolCall);
}

/**
 * A completion as the engine has put it right: the message of each choice, and how it ended. As it came, where there was nothing to
 * put right.
 */
export function mendedCompletion(completion: ChatCompletion): ChatCompletion {
  const outcome = outcomeOf(completion);
  const mended = outcome?.completion?.choices;
  if (!mended?.length) return completion;
  const sent = objectsIn(completion.choices);
  const hasMessages = sent.length > 0 && sent.every(({ message }) => isObject(message));
  const hasOldCall = sent.some(({ message }) => isObject(message?.function_call));
  const isRepaired = outcome?.repairs.some(
    ({ code }) => OF_MESSAGES.test(code) && !(hasOldCall && OF_OLD_CALLS.test(code)),
  );
  if (hasMessages && !isRepaired) return completion;
  const choices = mended.map(({ index, message, finish_reason }, at) => {
    const own = sent.length === 1 ? sent[0] : (sent.find((choice) => choice.index === index) ?? sent[at]);
    const ids = new Set(objectsIn(own?.message?.tool_calls).map(({ id }) => id));
    const calls = (message.tool_calls as ChatCompletionMessageToolCall[] | undefined)?.map((call) =>
      ids.has(call.id) ? call : { ...call, id: newCallId() },
    );
    const others = Object.entries(isObject(own?.message) ? own.message : {}).filter(([name]) => !MADE.has(name));
    const { reasoning } = message as { reasoning?: string | null };
    const [call] = calls ?? [];
    const said = {
      ...Object.fromEntries(others),
      ...(reasoning && { reasoning }),
      role: "assistant" as const,
      content: message.content ?? null,
      refusal: message.refusal ?? null,
      ...(calls && !hasOldCall && { tool_calls: calls }),
      ...(hasOldCall && call?.type === "function" && { function_call: call.function }),
    };
    const reason = hasOldCall ? own?.finish_reason : finish_reason;
    return { index, message: said, logprobs: own?.logprobs ?? null, finish_reason: reason ?? "stop" };
  });
  return keepingHidden(completion, { ...completion, choices } as ChatCompletion);
}

/** A completion with a message in each choice: a server of old completions sends `text` in its place. */
export function withMessages(completion: ChatCompletion): ChatCompletion {
  const hasMessages = objectsIn(completion.choices).every(({ message }) => isObject(message));
  return hasMessages ? completion : mendedCompletion(completion);
}

function outcomeOf(completion: object): Outcome | undefined {
  return (completion as { _outcome?: Outcome })._outcome;
}

/** The members that are not enumerable, such as the request's id, stay. */
function keepingHidden<T extends object>(from: object, to: T): T {
  for (const name of ["_request_id", "_outcome"]) {
    const member = Object.getOwnPropertyDescriptor(from, name);
    if (member) Object.defineProperty(to, name, member);
  }
  return to;
}

/** Whether the lists and objects in a chunk are such; of their texts the engine says what is none. */
function isShaped({ choices }: ChatCompletionChunk): boolean {
  const areShaped = (list: unknown, each: (one: Record<string, unknown>) => boolean) =>
    list == null || (Array.isArray(list) && list.every((one) => isObject(one) && each(one as Record<string, unknown>)));
  const mayBeObject = (value: unknown) => value == null || isObject(value);
  return areShaped(choices, ({ delta, index }) => {
    if (!mayBeObject(delta) || typeof index !== "number") return false;
    const { tool_calls, function_call } = (delta ?? {}) as { tool_calls?: unknown; function_call?: unknown };
    const isCall = (call: Record<string, unknown>) => mayBeObject(call.function) && mayBeObject(call.custom);
    return mayBeObject(function_call) && areShaped(tool_calls, isCall);
  });
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The objects in a list; none where a server has sent something else for it. */
export function objectsIn<T extends object>(list: readonly T[] | null | undefined): T[] {
  return Array.isArray(list) ? (list as T[]).filter((one) => isObject(one)) : [];
}

/** An id for a call whose server gave none, so that its result can name it. */
export function newCallId(): string {
  // A page that is not served securely has no `randomUUID`.
  const random = () => Math.random().toString(16).slice(2).padEnd(12, "0");
  return `call_${crypto.randomUUID?.() ?? `${random()}${random()}`}`;
}
