/**
 * `createChatwire`: a provider for the AI SDK.
 */
import { Chatwire, ChatwireError, type ClientOptions } from "chatwire";
import { noSuchModel } from "./errors.ts";
import { type CallUsage, ChatwireLanguageModel, type Shared } from "./model.ts";
import type { Capabilities } from "./request.ts";
import type { LanguageModel } from "./spec.ts";

/** Options of the provider, beside those of the client. */
export interface ChatwireProviderSettings extends Partial<Capabilities> {
  /** The client to ask with, in place of one that is made of the other options. */
  client?: Chatwire;
  /**
   * How the provider is called in the AI SDK.
   * @default `"chatwire"`
   */
  name?: string;
  /** Told once what each call used, also one that was aborted, broke off or was refused. Its exceptions are ignored. */
  onUsage?: (used: CallUsage) => void;
}

/** A provider: call it with the name of a model. */
export interface ChatwireProvider {
  (modelId?: string): LanguageModel;
  languageModel(modelId?: string): LanguageModel;
  /** The same as `languageModel`. */
  chat(modelId?: string): LanguageModel;
  /** @throws a `NoSuchModelError`: chat completions have no embeddings */
  embeddingModel(modelId: string): never;
  /** @throws a `NoSuchModelError`: chat completions have no models for images */
  imageModel(modelId: string): never;
  readonly specificationVersion: "v4";
  /** The client behind it, for its totals and whatever else the AI SDK has no word for. */
  readonly client: Chatwire;
}

/**
 * A client, or one that is made of these options.
 * @throws {ChatwireError} the client is of another copy of the package, or the options make no sense
 */
export function clientOf(given: Chatwire | ClientOptions): Chatwire {
  if (given instanceof Chatwire) return given;
  if (typeof given === "object" && given !== null && "chat" in given) {
    throw new ChatwireError(
      "This client is not of the copy of chatwire that chatwire/ai-sdk is built on: make it with the Chatwire of `chatwire`, or give its options.",
    );
  }
  return new Chatwire(given);
}

/** The features that the services are known to take. A server of your own is taken to know OpenAI's. */
const CAPABILITIES: Record<string, Partial<Capabilities>> = {
  electron: { structuredOutputs: false },
  electronhub: { topK: true, reasoningField: "reasoning" },
  openai: { maxTokens: "max_completion_tokens" },
};

/**
 * Makes a provider for the AI SDK, version 7.
 *
 * Retries, fallbacks, timeouts, limits and repairs are the client's, so every function of the AI SDK has them. An answer that
 * breaks off finishes as `interrupted`; `providerMetadata.chatwire` has its cost, its repairs and who was asked.
 *
 * @throws {ChatwireError} the options make no sense, or the client is of another copy of the package, such as `chatwire/js`
 * @example
 * ```ts
 * import { createChatwire } from "chatwire/ai-sdk";
 * import { streamText } from "ai";
 *
 * const chatwire = createChatwire({ provider: "electron", apiKey: process.env.SMALLEST_API_KEY });
 * const { textStream } = streamText({ model: chatwire("electron"), prompt: "Why is the sky blue?" });
 * for await (const text of textStream) process.stdout.write(text);
 * ```
 */
export function createChatwire(options: (ClientOptions & ChatwireProviderSettings) | Chatwire = {}): ChatwireProvider {
  if (typeof options !== "object" || options === null) {
    throw new ChatwireError(
      `createChatwire takes options, as in createChatwire({ provider: "electron" }), or a client.`,
    );
  }
  const isClient = options instanceof Chatwire || "chat" in options;
  const { client, name, onUsage, structuredOutputs, topK, maxTokens, reasoningField, ...settings } = isClient
    ? ({ client: options } as ClientOptions & ChatwireProviderSettings)
    : options;
  const service = typeof settings.provider === "string" ? settings.provider : "";
  const known = CAPABILITIES[service] ?? {};
  const shared: Shared = {
    client: clientOf(client ?? settings),
    provider: name ?? "chatwire",
    names: [name ?? "chatwire", service],
    capabilities: {
      structuredOutputs: structuredOutputs ?? known.structuredOutputs ?? true,
      topK: topK ?? known.topK ?? false,
      maxTokens: maxTokens ?? known.maxTokens ?? "max_tokens",
    },
    reasoningField: reasoningField ?? known.reasoningField ?? "reasoning_content",
    reasoningFields: new Map(),
    onUsage,
  };
  const model = (modelId: string | undefined = service === "electron" ? "electron" : undefined) => {
    if (typeof modelId === "string" && modelId !== "") return new ChatwireLanguageModel(modelId, shared);
    throw noSuchModel(String(modelId), "languageModel", `A model needs a name, as in chatwire("gpt-5").`);
  };
  const none = (modelType: string) => (modelId: string) => {
    throw noSuchModel(
      modelId,
      modelType,
      `chatwire speaks chat completions only: it has no ${modelType} "${modelId}".`,
    );
  };
  return Object.assign((modelId?: string) => model(modelId), {
    specificationVersion: "v4" as const,
    languageModel: model,
    chat: model,
    embeddingModel: none("embeddingModel"),
    imageModel: none("imageModel"),
    client: shared.client,
  });
}
