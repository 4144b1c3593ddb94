/**
 * The wire types of Chat Completions under the names and namespaces of the `openai` package. Types only.
 *
 * Each fits its namesake there, and the other way round (`tests/openai/types.test-d.ts`). Reasoning fields, which other servers
 * send, are added as optional.
 */
import type { ChatModel } from "./models-known.ts";

export type { ChatModel };

// ---- Shared ---------------------------------------------------------------------------------------------------------

/** Up to 16 pairs that a stored object carries. */
export type Metadata = { [key: string]: string };

/** A JSON Schema of a function's arguments. */
export type FunctionParameters = { [key: string]: unknown };

/** A function the model may call. */
export interface FunctionDefinition {
  name: string;
  description?: string;
  parameters?: FunctionParameters;
  strict?: boolean | null;
}

/** How hard to think before answering. */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | null;

/** Plain text. */
export interface ResponseFormatText {
  type: "text";
}

/** Some JSON. */
export interface ResponseFormatJSONObject {
  type: "json_object";
}

/** JSON of a shape. */
export interface ResponseFormatJSONSchema {
  type: "json_schema";
  json_schema: ResponseFormatJSONSchema.JSONSchema;
}

export declare namespace ResponseFormatJSONSchema {
  interface JSONSchema {
    name: string;
    description?: string;
    schema?: { [key: string]: unknown };
    strict?: boolean | null;
  }
}

/** Text of a grammar. */
export interface ResponseFormatTextGrammar {
  type: "grammar";
  grammar: string;
}

/** Python. */
export interface ResponseFormatTextPython {
  type: "python";
}

/** The free text that a custom tool takes. */
export type CustomToolInputFormat = CustomToolInputFormat.Text | CustomToolInputFormat.Grammar;

export declare namespace CustomToolInputFormat {
  interface Text {
    type: "text";
  }
  interface Grammar {
    type: "grammar";
    definition: string;
    syntax: "lark" | "regex";
  }
}

/** A model by name. */
export type AllModels = (string & {}) | ChatModel;

/** Tokens used. */
export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: CompletionUsage.PromptTokensDetails;
  completion_tokens_details?: CompletionUsage.CompletionTokensDetails;
}

export declare namespace CompletionUsage {
  interface PromptTokensDetails {
    audio_tokens?: number;
    cache_write_tokens?: number;
    cached_tokens?: number;
    image_tokens?: number;
    text_tokens?: number;
  }
  interface CompletionTokensDetails {
    accepted_prediction_tokens?: number;
    audio_tokens?: number;
    reasoning_tokens?: number;
    rejected_prediction_tokens?: number;
    text_tokens?: number;
  }
}

/** Where a cached prompt may end. */
interface CacheBreakpoint {
  mode: "explicit";
  ttl?: "30m" | "12h";
}

type ServiceTier = "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "function_call";
type NamedArguments = { name: string; arguments: string };

interface TokenLogprobs {
  content: ChatCompletionTokenLogprob[] | null;
  refusal: ChatCompletionTokenLogprob[] | null;
}

interface ModerationError {
  type: "error";
  code: string;
  message: string;
}

interface ModerationResult {
  type: "moderation_result";
  model: string;
  flagged: boolean;
  categories: { [key: string]: boolean };
  category_applied_input_types: { [key: string]: ("text" | "image")[] };
  category_scores: { [key: string]: number };
}

interface ModeratedResults {
  type: "moderation_results";
  model: string;
  results: ModerationResult[];
}

interface Moderated {
  input: ModeratedResults | ModerationError;
  output: ModeratedResults | ModerationError;
}

// ---- Answers --------------------------------------------------------------------------------------------------------

/** A whole answer. */
export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: ChatCompletion.Choice[];
  usage?: CompletionUsage;
  metadata?: Metadata | null;
  moderation?: ChatCompletion.Moderation | null;
  service_tier?: ServiceTier;
  system_fingerprint?: string;
}

export declare namespace ChatCompletion {
  interface Choice {
    index: number;
    message: ChatCompletionMessage;
    finish_reason: FinishReason;
    logprobs: Choice.Logprobs | null;
  }
  namespace Choice {
    type Logprobs = TokenLogprobs;
  }
  type Moderation = Moderated;
  namespace Moderation {
    type Error = ModerationError;
    type ModerationResults = ModeratedResults;
    namespace ModerationResults {
      type Result = ModerationResult;
    }
  }
}

/** The assistant's message. */
export interface ChatCompletionMessage {
  role: "assistant";
  content: string | null;
  refusal: string | null;
  annotations?: ChatCompletionMessage.Annotation[];
  audio?: ChatCompletionAudio | null;
  function_call?: ChatCompletionMessage.FunctionCall | null;
  tool_calls?: ChatCompletionMessageToolCall[];
  /** The model's thinking, where the server shows it. */
  reasoning?: string | null;
  /** The same under its other name. */
  reasoning_content?: string | null;
}

export declare namespace ChatCompletionMessage {
  interface Annotation {
    type: "url_citation";
    url_citation: Annotation.URLCitation;
  }
  namespace Annotation {
    interface URLCitation {
      start_index: number;
      end_index: number;
      title: string;
      url: string;
    }
  }
  type FunctionCall = NamedArguments;
}

/** Sound the model answered with. */
export interface ChatCompletionAudio {
  id: string;
  data: string;
  expires_at: number;
  transcript: string;
}

/** A call of a function. */
export interface ChatCompletionMessageFunctionToolCall {
  id: string;
  type: "function";
  function: ChatCompletionMessageFunctionToolCall.Function;
}

export declare namespace ChatCompletionMessageFunctionToolCall {
  type Function = NamedArguments;
}

/** A call of a custom tool. */
export interface ChatCompletionMessageCustomToolCall {
  id: string;
  type: "custom";
  custom: ChatCompletionMessageCustomToolCall.Custom;
}

export declare namespace ChatCompletionMessageCustomToolCall {
  interface Custom {
    name: string;
    input: string;
  }
}

/** A tool call by the model. */
export type ChatCompletionMessageToolCall = ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall;

/** How likely a token was. */
export interface ChatCompletionTokenLogprob extends ChatCompletionTokenLogprob.TopLogprob {
  top_logprobs: ChatCompletionTokenLogprob.TopLogprob[];
}

export declare namespace ChatCompletionTokenLogprob {
  interface TopLogprob {
    token: string;
    bytes: number[] | null;
    logprob: number;
  }
}

/** One event of a stream. */
export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: ChatCompletionChunk.Choice[];
  usage?: CompletionUsage | null;
  moderation?: ChatCompletionChunk.Moderation | null;
  obfuscation?: string;
  service_tier?: ServiceTier;
  system_fingerprint?: string;
}

export declare namespace ChatCompletionChunk {
  interface Choice {
    index: number;
    delta: Choice.Delta;
    finish_reason: FinishReason | null;
    logprobs?: Choice.Logprobs | null;
  }
  namespace Choice {
    interface Delta {
      role?: "developer" | "system" | "user" | "assistant" | "tool";
      content?: string | null;
      refusal?: string | null;
      tool_calls?: Delta.ToolCall[];
      audio?: Delta.Audio;
      function_call?: Delta.FunctionCall;
      /** The model's thinking, where the server shows it. */
      reasoning?: string | null;
      /** The same under its other name. */
      reasoning_content?: string | null;
    }
    namespace Delta {
      interface Audio {
        id?: string;
        data?: string;
        expires_at?: number;
        transcript?: string;
      }
      interface FunctionCall {
        name?: string;
        arguments?: string;
      }
      interface ToolCall {
        index: number;
        id?: string;
        type?: "function" | "custom";
        function?: ToolCall.Function;
        custom?: ToolCall.Custom;
      }
      namespace ToolCall {
        interface Function {
          name?: string;
          arguments?: string;
        }
        interface Custom {
          name?: string;
          input?: string;
        }
      }
    }
    type Logprobs = TokenLogprobs;
  }
  type Moderation = Moderated;
  namespace Moderation {
    type Error = ModerationError;
    type ModerationResults = ModeratedResults;
    namespace ModerationResults {
      type Result = ModerationResult;
    }
  }
}

/** The author. */
export type ChatCompletionRole = "developer" | "system" | "user" | "assistant" | "tool" | "function";

/** That a stored completion is gone. */
export interface ChatCompletionDeleted {
  id: string;
  object: "chat.completion.deleted";
  deleted: boolean;
}

/** A message of a stored completion. */
export interface ChatCompletionStoreMessage extends ChatCompletionMessage {
  id: string;
  content_parts?: (ChatCompletionContentPartText | ChatCompletionContentPartImage)[] | null;
}

// ---- Messages to send -----------------------------------------------------------------------------------------------

/** Text, as a part of a message. */
export interface ChatCompletionContentPartText {
  type: "text";
  text: string;
  prompt_cache_breakpoint?: ChatCompletionContentPartText.PromptCacheBreakpoint;
}

export declare namespace ChatCompletionContentPartText {
  type PromptCacheBreakpoint = CacheBreakpoint;
}

/** A refusal, as a part of an earlier answer. */
export interface ChatCompletionContentPartRefusal {
  type: "refusal";
  refusal: string;
}

/** An image. */
export interface ChatCompletionContentPartImage {
  type: "image_url";
  image_url: ChatCompletionContentPartImage.ImageURL;
  prompt_cache_breakpoint?: ChatCompletionContentPartImage.PromptCacheBreakpoint;
}

export declare namespace ChatCompletionContentPartImage {
  interface ImageURL {
    url: string;
    detail?: "auto" | "low" | "high" | "original";
  }
  type PromptCacheBreakpoint = CacheBreakpoint;
}

/** Sound, in base64. */
export interface ChatCompletionContentPartInputAudio {
  type: "input_audio";
  input_audio: ChatCompletionContentPartInputAudio.InputAudio;
  prompt_cache_breakpoint?: ChatCompletionContentPartInputAudio.PromptCacheBreakpoint;
}

export declare namespace ChatCompletionContentPartInputAudio {
  interface InputAudio {
    data: string;
    format: "wav" | "mp3";
  }
  type PromptCacheBreakpoint = CacheBreakpoint;
}

/** One part of a user's message. */
export type ChatCompletionContentPart =
  | ChatCompletionContentPartText
  | ChatCompletionContentPartImage
  | ChatCompletionContentPartInputAudio
  | ChatCompletionContentPart.File;

export declare namespace ChatCompletionContentPart {
  interface File {
    type: "file";
    file: File.File;
    prompt_cache_breakpoint?: File.PromptCacheBreakpoint;
  }
  namespace File {
    interface File {
      file_data?: string;
      file_id?: string;
      filename?: string;
    }
    type PromptCacheBreakpoint = CacheBreakpoint;
  }
}

/** The instructions for the model. */
export interface ChatCompletionDeveloperMessageParam {
  role: "developer";
  content: string | ChatCompletionContentPartText[];
  name?: string;
}

/** The older name of a developer message. */
export interface ChatCompletionSystemMessageParam {
  role: "system";
  content: string | ChatCompletionContentPartText[];
  name?: string;
}

/** A message of the user. */
export interface ChatCompletionUserMessageParam {
  role: "user";
  content: string | ChatCompletionContentPart[];
  name?: string;
}

/** An earlier turn of the model. */
export interface ChatCompletionAssistantMessageParam {
  role: "assistant";
  content?: string | (ChatCompletionContentPartText | ChatCompletionContentPartRefusal)[] | null;
  refusal?: string | null;
  tool_calls?: ChatCompletionMessageToolCall[];
  name?: string;
  audio?: ChatCompletionAssistantMessageParam.Audio | null;
  function_call?: ChatCompletionAssistantMessageParam.FunctionCall | null;
}

export declare namespace ChatCompletionAssistantMessageParam {
  interface Audio {
    id: string;
  }
  type FunctionCall = NamedArguments;
}

/** The result of a tool. */
export interface ChatCompletionToolMessageParam {
  role: "tool";
  content: string | ChatCompletionContentPartText[];
  tool_call_id: string;
}

/** The result of a function, before there were tools. */
export interface ChatCompletionFunctionMessageParam {
  role: "function";
  content: string | null;
  name: string;
}

/** One message of the conversation. */
export type ChatCompletionMessageParam =
  | ChatCompletionDeveloperMessageParam
  | ChatCompletionSystemMessageParam
  | ChatCompletionUserMessageParam
  | ChatCompletionAssistantMessageParam
  | ChatCompletionToolMessageParam
  | ChatCompletionFunctionMessageParam;

// ---- Tools ----------------------------------------------------------------------------------------------------------

/** A function tool. */
export interface ChatCompletionFunctionTool {
  type: "function";
  function: FunctionDefinition;
}

/** A tool that takes free text. */
export interface ChatCompletionCustomTool {
  type: "custom";
  custom: ChatCompletionCustomTool.Custom;
}

export declare namespace ChatCompletionCustomTool {
  interface Custom {
    name: string;
    description?: string;
    format?: Custom.Text | Custom.Grammar;
  }
  namespace Custom {
    interface Text {
      type: "text";
    }
    interface Grammar {
      type: "grammar";
      grammar: Grammar.Grammar;
    }
    namespace Grammar {
      interface Grammar {
        definition: string;
        syntax: "lark" | "regex";
      }
    }
  }
}

/** A tool the model may call. */
export type ChatCompletionTool = ChatCompletionFunctionTool | ChatCompletionCustomTool;

/** A function the model must call. */
export interface ChatCompletionNamedToolChoice {
  type: "function";
  function: ChatCompletionNamedToolChoice.Function;
}

export declare namespace ChatCompletionNamedToolChoice {
  interface Function {
    name: string;
  }
}

/** A custom tool the model must call. */
export interface ChatCompletionNamedToolChoiceCustom {
  type: "custom";
  custom: ChatCompletionNamedToolChoiceCustom.Custom;
}

export declare namespace ChatCompletionNamedToolChoiceCustom {
  interface Custom {
    name: string;
  }
}

/** The tools that may be called this time. */
export interface ChatCompletionAllowedTools {
  mode: "auto" | "required";
  tools: { [key: string]: unknown }[];
}

/** A choice among some of the tools. */
export interface ChatCompletionAllowedToolChoice {
  type: "allowed_tools";
  allowed_tools: ChatCompletionAllowedTools;
}

/** Which tool, if any, the model must call. */
export type ChatCompletionToolChoiceOption =
  | "none"
  | "auto"
  | "required"
  | ChatCompletionAllowedToolChoice
  | ChatCompletionNamedToolChoice
  | ChatCompletionNamedToolChoiceCustom;

/** The function that must be called, before there were tools. */
export interface ChatCompletionFunctionCallOption {
  name: string;
}
