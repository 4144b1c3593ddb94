/**
 * The shapes of the AI SDK that this folder speaks, taken from `ai` itself. Types only: nothing of `ai` is loaded.
 */
import type { LanguageModel as AnyLanguageModel } from "ai";

/** A language model of version 4 of the specification. */
export type LanguageModel = Extract<AnyLanguageModel, { specificationVersion: "v4" }>;

/** The options of one call, as the AI SDK gives them. */
export type CallOptions = Parameters<LanguageModel["doStream"]>[0];
export type Prompt = CallOptions["prompt"];
export type PromptMessage = Prompt[number];

/** The result of a call that is not streamed. */
export type GenerateResult = Awaited<ReturnType<LanguageModel["doGenerate"]>>;
export type Content = GenerateResult["content"][number];
export type Warning = GenerateResult["warnings"][number];
export type Usage = GenerateResult["usage"];
export type FinishReason = GenerateResult["finishReason"];
export type ProviderMetadata = NonNullable<GenerateResult["providerMetadata"]>;

/** The result of a streamed call. */
export type StreamResult = Awaited<ReturnType<LanguageModel["doStream"]>>;
export type StreamPart = StreamResult["stream"] extends ReadableStream<infer Part> ? Part : never;
