/**
 * The events of one stream as the parts that the AI SDK reads.
 */
import type { ChatEvent, Outcome } from "chatwire";
import { callError } from "./errors.ts";
import { NAMESPACE } from "./prompt.ts";
import type { Content, ProviderMetadata, StreamPart } from "./spec.ts";
import { toFinishReason, toMetadata, toUsage } from "./usage.ts";

type Json = Record<string, unknown>;

/** Members of an assistant's message that the prompt has other places for. */
const KNOWN = new Set(["role", "content", "tool_calls", "refusal", "audio", "annotations", "function_call"]);
/** Where servers put reasoning as text: it comes back as a part of its own. */
const REASONING = ["reasoning_content", "reasoning", "reasoning_text", "thinking"];

/** Where this turn's reasoning is to be when it is sent back; nothing where there was none. */
export function reasoningFieldOf({ message, reasoning }: Outcome): string | undefined {
  const own = (message ?? {}) as Json;
  return reasoning ? REASONING.find((name) => own[name] === reasoning) : undefined;
}

/** The fields that the server wants to see again with the turn, and the AI SDK has no place for. */
function extrasOf(object: unknown, known: ReadonlySet<string>, reasoning = ""): Json | undefined {
  const extras = Object.entries((object ?? {}) as Json).filter(
    ([name, value]) => !known.has(name) && value != null && !(REASONING.includes(name) && value === reasoning),
  );
  return extras.length > 0 ? Object.fromEntries(extras) : undefined;
}

const metadata = (own: Json): { providerMetadata?: ProviderMetadata } =>
  Object.keys(own).length > 0 ? { providerMetadata: { [NAMESPACE]: own } as ProviderMetadata } : {};

/** Whether the end of an answer is not where the model wanted it. */
const isCut = ({ status, finishReason }: Outcome) =>
  status !== "complete" || finishReason === "length" || finishReason === "content_filter";

/**
 * The tool calls of an outcome for the AI SDK, with the fields that have to go back with each. A call that was cut short is not among
 * them. A whole answer's call whose arguments are not JSON is: the AI SDK does not run it, but repairs it, or tells the model.
 */
export function toolCallsOf(outcome: Outcome): Extract<Content, { type: "tool-call" }>[] {
  const sent = ((outcome.message as Json | null)?.tool_calls ?? []) as Json[];
  return outcome.toolCalls.flatMap(({ id, name, arguments: input, complete }, at) => {
    if (!complete && isCut(outcome)) return [];
    const call = extrasOf(sent.find((one) => one.id === id) ?? sent[at], new Set(["id", "type", "function", "index"]));
    return [{ type: "tool-call" as const, toolCallId: id, toolName: name, input, ...metadata(call ? { call } : {}) }];
  });
}

/** Fields of the whole turn that have to go back with it, as the metadata of one of its parts. */
export function turnMetadata(outcome: Outcome): { providerMetadata?: ProviderMetadata } {
  const message = extrasOf(outcome.message, KNOWN, outcome.reasoning);
  return metadata(message ? { message } : {});
}

/** The sources that an answer names: `citations` of the completion, and `annotations` of its message. */
export function sourcesOf({ completion }: Outcome): Extract<Content, { type: "source" }>[] {
  const { citations } = (completion ?? {}) as { citations?: unknown };
  const { annotations } = (completion?.choices[0]?.message ?? {}) as { annotations?: unknown };
  const found = new Map<string, string | undefined>();
  for (const url of Array.isArray(citations) ? citations : []) if (typeof url === "string") found.set(url, undefined);
  for (const annotation of Array.isArray(annotations) ? annotations : []) {
    const { url, title } = annotation?.url_citation ?? {};
    if (typeof url === "string") found.set(url, typeof title === "string" ? title : undefined);
  }
  return [...found].map(([url, title], at) => {
    return { type: "source", sourceType: "url", id: `source-${at}`, url, ...(title !== undefined && { title }) };
  });
}

/** Speech of the answer, as a file. `format` is what was asked for. */
export function filesOf({ completion }: Outcome, format: string): Extract<Content, { type: "file" }>[] {
  const { audio } = (completion?.choices[0]?.message ?? {}) as { audio?: { data?: unknown } | null };
  if (typeof audio?.data !== "string" || audio.data === "") return [];
  return [{ type: "file", mediaType: `audio/${format}`, data: { type: "data", data: audio.data } }];
}

/** Makes parts of events: `take` for each, then `end` with the outcome. */
export class Parts {
  readonly #put: (part: StreamPart) => void;
  #open: { type: "text" | "reasoning"; id: string } | undefined;
  #blocks = 0;
  readonly #calls = new Map<number, string>();

  constructor(put: (part: StreamPart) => void) {
    this.#put = put;
  }

  take(event: ChatEvent): void {
    if (event.choice !== 0) return;
    switch (event.type) {
      case "text":
      case "reasoning":
        this.#say(event.type, event.text);
        break;
      case "refusal":
        this.#say("text", event.text);
        break;
      case "tool_call.start":
        this.#close();
        this.#calls.set(event.index, event.id);
        this.#put({ type: "tool-input-start", id: event.id, toolName: event.name });
        break;
      case "tool_call.delta": {
        const id = this.#calls.get(event.index);
        if (id !== undefined) this.#put({ type: "tool-input-delta", id, delta: event.arguments });
        break;
      }
      case "tool_call.done":
        this.#put({ type: "tool-input-end", id: event.id });
        break;
    }
  }

  /** @param url where the request went, for the error */
  end(outcome: Outcome, format: string, url: string, body: unknown): void {
    const calls = toolCallsOf(outcome);
    const turn = turnMetadata(outcome);
    // The turn's own metadata is put once: with the text, or else with the first call.
    const isText = this.#open?.type === "text";
    this.#close(isText ? turn : {});
    calls.forEach((call, at) => {
      const own = call.providerMetadata?.[NAMESPACE];
      const all = { ...(at === 0 && !isText ? turn.providerMetadata?.[NAMESPACE] : {}), ...own };
      this.#put({ ...call, ...metadata(all) });
    });
    for (const source of sourcesOf(outcome)) this.#put(source);
    for (const file of filesOf(outcome, format)) this.#put(file);
    if (outcome.status === "error") this.#put({ type: "error", error: callError(outcome.error, url, body) });
    this.#put({
      type: "finish",
      usage: toUsage(outcome.usage),
      finishReason: toFinishReason(outcome),
      providerMetadata: toMetadata(outcome),
    });
  }

  #say(type: "text" | "reasoning", delta: string): void {
    if (this.#open?.type !== type) {
      this.#close();
      this.#open = { type, id: `${type}-${this.#blocks++}` };
      this.#put({ type: `${type}-start`, id: this.#open.id });
    }
    this.#put({ type: `${type}-delta`, id: this.#open.id, delta });
  }

  #close(own: { providerMetadata?: ProviderMetadata } = {}): void {
    if (this.#open) this.#put({ type: `${this.#open.type}-end`, id: this.#open.id, ...own });
    this.#open = undefined;
  }
}
