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
const REASONING = [
  "reasoning",
  "reasoning_content",
  "reasoning_text",
  "thinking",
  "thinking_content",
  "reasoningContent",
  "thought",
];
const MADE = new Set([...REASONING, "content", "refusal", "tool_calls", "function_call"]);

/** Events that say something of a choice. */
const OF_CHOICES = /^(text|reasoning|refusal|finish|tool_call\..*)$/;
/** Repairs by which a message is another than the sum of its chunks. */
const OF_MESSAGES = /^(chunk|reasoning|tool_call)\.(?!finish_reason)/;
/** Of these an old function call needs none. */
const OF_OLD_CALLS = /function_call|id_made_up/;

type Choice = ChatCompletionChunk.Choice;
type Delta = ChatCompletionChunk.Choice.Delta & Record<string, unknown>;
type Piece = ChatCompletionChunk.Choice.Delta.ToolCall;
/** How many chunks are held at the most. */
const MOST_HELD = 8;

type Said = { delta: Delta; finishReason: string | null };

const encoder = new TextEncoder();

/** Mends one stream. The engine has to be loaded. */
export class Mender {
  readonly choices = new Map<number, MendedChoice>();
  /** A chunk was made of events: the chunks that the server sent do not add up to the answer. */
  isMending = false;
  readonly #decoder: ChatDecoder;
  #hasOldCall = false;
  /** The ids of calls that the server has given. */
  readonly #ids = new Set<unknown>();
  #reasoningName = "reasoning";
  readonly #isAlone: boolean;
  /** Chunks of which the engine may still read what they say: as they came, and made of events. */
  #held: { sent: ChatCompletionChunk; made: ChatCompletionChunk }[] = [];
  /** The texts of those that are held: as they came, and as the engine has read them so far. */
  readonly #texts = new Map<string, [sent: string, read: string]>();
  #last: ChatCompletionChunk | undefined;

  /** @param n how many choices were asked for */
  constructor(n: number) {
    this.#isAlone = n === 1;
    this.#decoder = new ChatDecoder({ partial: false, n });
  }

  /**
   * Takes a chunk. Gives it as it came, where it says what the engine reads from it, else one made of events. While the engine holds
   * back a piece of what chunks say, a few of them are held back, too.
   */
  add(chunk: ChatCompletionChunk): ChatCompletionChunk[] {
    this.#last = chunk;
    const sent = objectsIn(chunk.choices);
    for (const { delta } of sent) {
      if (!isObject(delta)) continue;
      if (isObject(delta.function_call) && !delta.tool_calls) this.#hasOldCall = true;
      for (const { id } of objectsIn(delta.tool_calls)) this.#ids.add(id);
      this.#reasoningName = REASONING.find((name) => (delta as Delta)[name]) ?? this.#reasoningName;
    }
    if (this.#decoder.ended) return [chunk];
    const events = this.#decoder.push(encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`));
    const made = this.#made(chunk, sent, this.#take(events));
    this.#held.push({ sent: chunk, made });
    for (const choice of sent) this.#note(choice, 0);
    for (const choice of made.choices) this.#note(choice, 1);
    const isOdd = !isShaped(chunk) || events.some((event) => this.#isOfMessage(event));
    const mayCome = ([sent, read]: [string, string]) => sent.startsWith(read);
    const isBehind = !this.#areAllRead() && [...this.#texts.values()].every(mayCome);
    return !isOdd && isBehind && this.#held.length < MOST_HELD ? [] : this.#release(!isOdd);
  }

  /** Adds what a choice says to the texts that were sent (0) or read (1). */
  #note({ index, delta }: Choice, at: 0 | 1): void {
    for (const [name, text] of textsOf(delta)) {
      const key = `${index} ${name}`;
      const texts = this.#texts.get(key) ?? ["", ""];
      texts[at] += text ?? "";
      this.#texts.set(key, texts);
    }
  }

  #areAllRead(): boolean {
    return [...this.#texts.values()].every(([sent, read]) => sent === read);
  }

  /** The chunks that were held: as they came, if they may be and say what was read. */
  #release(mayBeSent: boolean): ChatCompletionChunk[] {
    const isOwn = (calls: readonly MendedCall[] | undefined, { index, id, function: fn, custom }: Piece) => {
      const name = fn?.name ?? custom?.name;
      return (!id || id === calls?.[index]?.id) && (!name || name === calls?.[index]?.name);
    };
    const isSame = ({ sent }: { sent: ChatCompletionChunk }) =>
      objectsIn(sent.choices).every(({ index, delta }) =>
        objectsIn(delta?.tool_calls).every((call) => isOwn(this.choices.get(index)?.calls, call)),
      );
    const areSent = mayBeSent && this.#areAllRead() && this.#held.every(isSame);
    this.isMending ||= !areSent;
    const chunks = this.#held.map(({ sent, made }) => (areSent ? sent : made));
    this.#held = [];
    this.#texts.clear();
    return chunks;
  }

  /** Whether an event is a repair by which a message is another than the sum of its chunks. */
  #isOfMessage(event: ChatEvent): boolean {
    return (
      event.type === "repair" && OF_MESSAGES.test(event.code) && !(this.#hasOldCall && OF_OLD_CALLS.test(event.code))
    );
  }

  /** The stream has ended: `choices` is final. Gives the chunks that were held, and one of what the engine had held back until then. */
  end(): ChatCompletionChunk[] {
    const outcome = this.#decoder.end();
    const rest = this.#take(this.#decoder.rest());
    for (const { index, message, finish_reason } of outcome.completion?.choices ?? []) {
      const choice = this.#choice(index);
      if (!choice.isFunctionCall) choice.finishReason = finish_reason ?? null;
      for (const [at, { id: _, type: __, ...others }] of (message.tool_calls ?? []).entries()) {
        const { function: ___, custom: ____, ...own } = others as Record<string, unknown>;
        const call = choice.calls[at];
        if (call) call.others = own;
      }
    }
    const { usage: _, ...last } = this.#last ?? ({ choices: [] as Choice[] } as ChatCompletionChunk);
    const made = this.#made(last, [], rest);
    for (const choice of made.choices) this.#note(choice, 1);
    const chunks = this.#release(true);
    return this.isMending && made.choices.length > 0 ? [...chunks, made] : chunks;
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
        const choice = this.choices.get(event.choice);
        if (event.code === "reasoning.reclassified" && choice) {
          choice.reasoning += choice.content;
          choice.content = "";
        }
        continue;
      }
      if (!OF_CHOICES.test(event.type)) continue;
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
    const [only = this.#isAlone ? 0 : undefined] = said.size === 1 ? said.keys() : [];
    const choices = sent.map(({ index: own, delta, logprobs = null }, at) => {
      const sentIndex = typeof own === "number" ? own : at;
      const index = sent.length === 1 ? (only ?? sentIndex) : sentIndex;
      const more = rest.get(index);
      rest.delete(index);
      const others = Object.entries(isObject(delta) ? delta : {}).filter(([name]) => !MADE.has(name));
      const made = { ...Object.fromEntries(others), ...more?.delta };
      return { index, delta: made, logprobs, finish_reason: more?.finishReason ?? null };
    });
    for (const [index, { delta, finishReason }] of rest) {
      choices.push({ index, delta, logprobs: null, finish_reason: finishReason });
    }
    return { ...chunk, choices } as ChatCompletionChunk;
  }
}

/** The texts of a delta, by name. */
function textsOf(delta: Choice["delta"] | undefined): [name: string, text: unknown][] {
  const { content, refusal, function_call: old, tool_calls, ...others } = delta ?? {};
  const texts: Record<string, unknown> = { content, refusal, name: old?.name, arguments: old?.arguments };
  // Reasoning that comes in parts of its own is emitted as text, too.
  if (!("reasoning_details" in others)) for (const name of REASONING) texts[name] = (others as Delta)[name];
  const calls = objectsIn(tool_calls).flatMap(({ index, function: fn, custom }): [string, unknown][] => [
    [`name ${index}`, fn?.name ?? custom?.name],
    [`arguments ${index}`, fn?.arguments ?? custom?.input],
  ]);
  return [...Object.entries(texts), ...calls];
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
  const [type, of] = isCustom ? (["custom", "input"] as const) : (["function", "arguments"] as const);
  delta.tool_calls ??= [];
  const calls = delta.tool_calls as { index: number; custom?: Texts; function?: Texts }[];
  const said = calls.find((call) => call.index === index)?.[type];
  if (said) said[of] = (said[of] ?? "") + text;
  else calls.push({ index, ...(name !== undefined && { id, type }), [type]: { ...named, [of]: text } });
}

type Texts = Record<string, string>;

/**
 * A completion as the engine has put it right: the message of each choice, and how it ended. As it came, where there was nothing to
 * put right.
 */
export function mendedCompletion(completion: ChatCompletion): ChatCompletion {
  const outcome = outcomeOf(completion);
  const mended = outcome?.completion?.choices;
  if (!mended?.length) return completion;
  const sent = objectsIn(completion.choices);
  const hasOldCall = sent.some(({ message }) => isObject(message?.function_call));
  const isRepaired = outcome?.repairs.some(
    ({ code }) => OF_MESSAGES.test(code) && !(hasOldCall && OF_OLD_CALLS.test(code)),
  );
  if (!isRepaired) return completion;
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
