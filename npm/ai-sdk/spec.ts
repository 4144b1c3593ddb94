/**
 * The shapes of the AI SDK that this folder speaks, taken from `ai` itself. Types only: nothing of `ai` is loaded.
 */
import type { LanguageModel as AnyLanguageModel } from "ai";

/** A language model of version 4 of the specification. */
export type LanguageModel = Extract<AnyLanguageModel, { specificationVersion: "v4" }>;

/** What the AI SDK asks of one call. */
export type CallOptions = Parameters<LanguageModel["doStream"]>[0];
export type Prompt = CallOptions["prompt"];
export type PromptMessage = Prompt[number];

/** What a call that is not streamed gives. */
export type GenerateResult = Awaited<ReturnType<LanguageModel["doGenerate"]>>;
export type Content = GenerateResult["content"][number];
export type Warning = GenerateResult["warnings"][number];
export type Usage = GenerateResult["usage"];
export type FinishReason = GenerateResult["finishReason"];
export type ProviderMetadata = NonNullable<GenerateResult["providerMetadata"]>;

/** What a streamed call gives. */
export type StreamResult = Awaited<ReturnType<LanguageModel["doStream"]>>;
export type StreamPart = StreamResult["stream"] extends ReadableStream<infer Part> ? Part : never;
