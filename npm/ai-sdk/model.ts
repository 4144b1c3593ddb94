/**
 * One language model for the AI SDK, behind a chatwire client.
 */
import { type AnswerHead, APIError, type ChatStream, type Chatwire, ChatwireError, type Outcome } from "chatwire";
import { callError } from "./errors.ts";
import { filesOf, Parts, reasoningFieldOf, sourcesOf, toolCallsOf, turnMetadata } from "./parts.ts";
import { type Capabilities, type Request, toRequest } from "./request.ts";
import type { CallOptions, Content, GenerateResult, LanguageModel, StreamPart, StreamResult } from "./spec.ts";
import { toFinishReason, toMetadata, toUsage } from "./usage.ts";

/**
 * The usage of one call, also one that was aborted, broke off or was refused. `usage` and `cost` are `null` where nothing is known
 * of them: a call that failed before an answer began has neither, and no times.
 */
export interface CallUsage
  extends Pick<Outcome, "status" | "usage" | "cost" | "timing" | "attempts" | "requestId" | "repairs"> {
  modelId: string;
}

/** The state that the models of one provider share. */
export interface Shared {
  client: Chatwire;
  provider: string;
  capabilities: Omit<Capabilities, "reasoningField">;
  /** The names of the provider and of its service. */
  names: readonly string[];
  /** Where each model's reasoning was found, to send it back there. */
  reasoningFields: Map<string, string>;
  reasoningField: string;
  onUsage?: ((used: CallUsage) => void) | undefined;
}

/** Chat completions answer under this path. */
const PATH = "/chat/completions";

/** Before how many events `stream.head` is read, for the answer's id and model. Some servers never name them. */
const MOST_LOOKS = 8;

export class ChatwireLanguageModel implements LanguageModel {
  readonly specificationVersion = "v4";
  readonly provider: string;
  readonly modelId: string;
  /** Images are fetched by the server itself. */
  readonly supportedUrls: Record<string, RegExp[]> = { "image/*": [/^https?:\/\/.*$/] };
  readonly #shared: Shared;

  constructor(modelId: string, shared: Shared) {
    this.modelId = modelId;
    this.provider = shared.provider;
    this.#shared = shared;
  }

  /** An answer that comes whole. */
  async doGenerate(call: CallOptions): Promise<GenerateResult> {
    const { params, options, warnings } = this.#request(call);
    let outcome: Outcome | undefined;
    try {
      const asked = this.#shared.client.chat.completions.create({ ...params, stream: false }, options);
      const { data, response } = await asked.withResponse();
      outcome = data._outcome as Outcome;
      this.#learn(outcome);
      const turn = turnMetadata(outcome);
      const content: Content[] = [];
      if (outcome.reasoning) content.push({ type: "reasoning", text: outcome.reasoning });
      const text = outcome.text || (outcome.completion?.choices[0]?.message.refusal ?? "");
      if (text) content.push({ type: "text", text, ...turn });
      content.push(...toolCallsOf(outcome), ...sourcesOf(outcome), ...filesOf(outcome, formatOf(params)));
      const repaired = outcome.repairs.map(({ code, count }) => {
        const details = `The answer was repaired ${count === 1 ? "once" : `${count} times`}.`;
        return { type: "compatibility" as const, feature: code, details };
      });
      const result: GenerateResult = {
        content,
        finishReason: toFinishReason(outcome),
        usage: toUsage(outcome.usage),
        providerMetadata: toMetadata(outcome),
        request: { body: params },
        response: { ...responseOf(outcome.completion), headers: listed(response.headers), body: data },
        warnings: [...warnings, ...repaired],
      };
      this.#account(outcome);
      return result;
    } catch (thrown) {
      this.#account(outcome ?? ofFailure(thrown));
      throw callError(thrown, this.#url, params);
    }
  }

  /** An answer as it comes. An error before its first byte is thrown here. */
  async doStream(call: CallOptions): Promise<StreamResult> {
    const { params, options, warnings } = this.#request(call);
    const sent = {
      ...params,
      stream: true as const,
      stream_options: { include_usage: true, ...params.stream_options },
    };
    try {
      const asked = this.#shared.client.chat.completions.create(sent, options);
      const { data, response } = await asked.withResponse();
      return {
        stream: this.#parts(data, call, params, warnings),
        request: { body: sent },
        response: { headers: listed(response.headers) },
      };
    } catch (thrown) {
      this.#account(ofFailure(thrown));
      throw callError(thrown, this.#url, sent);
    }
  }

  #parts(
    stream: ChatStream,
    call: CallOptions,
    params: Request["params"],
    warnings: Request["warnings"],
  ): ReadableStream<StreamPart> {
    const [whole, raw] = call.includeRawChunks ? stream.tee() : [stream];
    const run = async (controller: ReadableStreamDefaultController<StreamPart>) => {
      const put = (part: StreamPart) => controller.enqueue(part);
      const parts = new Parts(put);
      put({ type: "stream-start", warnings });
      const rawly = raw && tellRaw(raw, put);
      let told = "";
      const tell = (answer: Parameters<typeof responseOf>[0]) => {
        const response = responseOf(answer);
        // Told again at the end only where more of the response is known by then.
        if (told === JSON.stringify(response)) return;
        told = JSON.stringify(response);
        put({ type: "response-metadata", ...response });
      };
      let looks = 0;
      try {
        for await (const event of whole.events) {
          const { head } = told === "" && looks++ < MOST_LOOKS ? whole : { head: null };
          if (head) tell(head);
          parts.take(event);
        }
      } catch {
        // The outcome says why.
      }
      const outcome = await whole.outcome();
      await rawly;
      this.#learn(outcome);
      this.#account(outcome);
      if (outcome.status === "aborted") {
        controller.error(call.abortSignal?.reason ?? new DOMException("The call was aborted.", "AbortError"));
        return;
      }
      if (outcome.completion) tell(outcome.completion);
      parts.end(outcome, formatOf(params), this.#url, params);
      controller.close();
    };
    let hasLeft = false;
    return new ReadableStream<StreamPart>({
      start: (controller) => {
        run(controller).catch((thrown) => {
          if (!hasLeft) controller.error(callError(thrown, this.#url, params));
        });
      },
      cancel: () => {
        hasLeft = true;
        stream.abort();
      },
    });
  }

  /** Where requests go, as far as it is known: the engine is asked for it, and may fail. */
  get #url(): string {
    let base: string | undefined;
    try {
      base = (this.#shared.client as { baseURL?: string }).baseURL;
    } catch {}
    return `${base ?? ""}${PATH}`;
  }

  #request(call: CallOptions): Request {
    const { capabilities, names, reasoningFields, reasoningField } = this.#shared;
    const field = reasoningFields.get(this.modelId) ?? reasoningField;
    return toRequest(this.modelId, call, { ...capabilities, names, reasoningField: field });
  }

  /** Remembers where this model's reasoning is expected. */
  #learn(outcome: Outcome): void {
    const field = reasoningFieldOf(outcome);
    if (field) this.#shared.reasoningFields.set(this.modelId, field);
  }

  #account({ status, usage, cost, timing, attempts, requestId, repairs }: Omit<CallUsage, "modelId">): void {
    if (!this.#shared.onUsage) return;
    try {
      const used = { modelId: this.modelId, status, usage, cost, timing, attempts, requestId, repairs };
      const told: unknown = this.#shared.onUsage(used);
      Promise.resolve(told).catch(() => {});
    } catch {
      // An observer's failure is not the stream's.
    }
  }
}

/** The usage report of a call that failed: its outcome, where an answer had begun; else its attempts alone. */
function ofFailure(thrown: unknown): Omit<CallUsage, "modelId"> {
  const error = thrown instanceof ChatwireError ? thrown : undefined;
  if (error?.outcome) return error.outcome;
  return {
    status: error?.name === "APIUserAbortError" ? "aborted" : "error",
    usage: null,
    cost: null,
    timing: { firstByte: null, firstToken: null, firstSentence: null, total: null, tokensPerSecond: null },
    attempts: [...(error?.attempts ?? [])],
    requestId: (error instanceof APIError ? error.requestID : undefined) ?? null,
    repairs: [],
  };
}

async function tellRaw(stream: ChatStream, put: (part: StreamPart) => void): Promise<void> {
  try {
    for await (const chunk of stream) put({ type: "raw", rawValue: chunk });
  } catch {
    // The other branch tells how the stream ended.
  }
}

function responseOf(completion: Partial<AnswerHead> | null): { id?: string; modelId?: string; timestamp?: Date } {
  const { id, model, created } = completion ?? {};
  return {
    ...(id && { id }),
    ...(model && { modelId: model }),
    ...(created && { timestamp: new Date(created * 1000) }),
  };
}

/** The format of speech that was asked for. */
function formatOf(params: Request["params"]): string {
  const { audio } = params as { audio?: { format?: string } };
  return audio?.format ?? "wav";
}

/** The headers of a response; those of a host that cannot list them are left out, for the answer counts all the same. */
function listed(headers: Headers): Record<string, string> {
  try {
    return Object.fromEntries(headers);
  } catch {
    return {};
  }
}
