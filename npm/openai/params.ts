/**
 * The parameters of Chat Completions, and its answers once they are parsed, under the names of the `openai` package. Types only.
 */
import type { ChatModel } from "./models-known.ts";
import type {
  ChatCompletion,
  ChatCompletionContentPartText,
  ChatCompletionFunctionCallOption,
  ChatCompletionMessage,
  ChatCompletionMessageCustomToolCall,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionTool,
  ChatCompletionToolChoiceOption,
  FunctionParameters,
  Metadata,
  ReasoningEffort,
  ResponseFormatJSONObject,
  ResponseFormatJSONSchema,
  ResponseFormatText,
} from "./shapes.ts";

/** The media that the model may answer with. */
export type ChatCompletionModality = "text" | "audio";

/** How hard to think before answering. */
export type ChatCompletionReasoningEffort = ReasoningEffort | null;

/** How the model is to speak. */
export interface ChatCompletionAudioParam {
  format: "wav" | "aac" | "mp3" | "flac" | "opus" | "pcm16";
  voice: string | ChatCompletionAudioParam.ID;
}

export declare namespace ChatCompletionAudioParam {
  interface ID {
    id: string;
  }
}

/** Text that the answer will mostly repeat. */
export interface ChatCompletionPredictionContent {
  type: "content";
  content: string | ChatCompletionContentPartText[];
}

/** The parts that a stream carries beside the answer. */
export interface ChatCompletionStreamOptions {
  include_obfuscation?: boolean;
  include_usage?: boolean;
}

/** The parameters that are sent. */
export interface ChatCompletionCreateParamsBase {
  messages: ChatCompletionMessageParam[];
  model: (string & {}) | ChatModel;
  audio?: ChatCompletionAudioParam | null;
  frequency_penalty?: number | null;
  /** @deprecated by OpenAI in favour of `tool_choice` */
  function_call?: "none" | "auto" | ChatCompletionFunctionCallOption;
  /** @deprecated by OpenAI in favour of `tools` */
  functions?: ChatCompletionCreateParams.Function[];
  logit_bias?: { [key: string]: number } | null;
  logprobs?: boolean | null;
  max_completion_tokens?: number | null;
  /** @deprecated by OpenAI in favour of `max_completion_tokens` */
  max_tokens?: number | null;
  metadata?: Metadata | null;
  modalities?: ChatCompletionModality[] | null;
  moderation?: ChatCompletionCreateParams.Moderation | null;
  n?: number | null;
  parallel_tool_calls?: boolean;
  prediction?: ChatCompletionPredictionContent | null;
  presence_penalty?: number | null;
  prompt_cache_key?: string | null;
  prompt_cache_options?: ChatCompletionCreateParams.PromptCacheOptions;
  prompt_cache_retention?: "in_memory" | "24h" | null;
  reasoning_effort?: ReasoningEffort | null;
  response_format?: ResponseFormatText | ResponseFormatJSONSchema | ResponseFormatJSONObject;
  safety_identifier?: string | null;
  seed?: number | null;
  service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
  stop?: string | string[] | null;
  store?: boolean | null;
  stream?: boolean | null;
  stream_options?: ChatCompletionStreamOptions | null;
  temperature?: number | null;
  tool_choice?: ChatCompletionToolChoiceOption;
  tools?: ChatCompletionTool[];
  top_logprobs?: number | null;
  top_p?: number | null;
  /** @deprecated by OpenAI in favour of `safety_identifier` and `prompt_cache_key` */
  user?: string;
  verbosity?: "low" | "medium" | "high" | null;
  web_search_options?: ChatCompletionCreateParams.WebSearchOptions;
}

/** Parameters of a call that answers with one completion. */
export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase {
  stream?: false | null;
}

/** Parameters of a call that answers with a stream. */
export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase {
  stream: true;
}

type NonStreaming = ChatCompletionCreateParamsNonStreaming;
type Streaming = ChatCompletionCreateParamsStreaming;

/** Parameters of `create`. */
export type ChatCompletionCreateParams = NonStreaming | Streaming;

export declare namespace ChatCompletionCreateParams {
  interface Function {
    name: string;
    description?: string;
    parameters?: FunctionParameters;
  }
  interface Moderation {
    model: string;
    policy?: Moderation.Policy | null;
  }
  namespace Moderation {
    interface Policy {
      input?: Policy.Input | null;
      output?: Policy.Output | null;
    }
    namespace Policy {
      interface Input {
        mode: "score" | "block";
      }
      interface Output {
        mode: "score" | "block";
      }
    }
  }
  interface PromptCacheOptions {
    mode?: "implicit" | "explicit";
    ttl?: "30m";
  }
  interface WebSearchOptions {
    search_context_size?: "low" | "medium" | "high";
    user_location?: WebSearchOptions.UserLocation | null;
  }
  namespace WebSearchOptions {
    interface UserLocation {
      type: "approximate";
      approximate: UserLocation.Approximate;
    }
    namespace UserLocation {
      interface Approximate {
        city?: string;
        country?: string;
        region?: string;
        timezone?: string;
      }
    }
  }
  type ChatCompletionCreateParamsNonStreaming = NonStreaming;
  type ChatCompletionCreateParamsStreaming = Streaming;
}

/** Parameters of `parse`. */
export type ChatCompletionParseParams = ChatCompletionCreateParamsNonStreaming;

/** How a stored completion is changed. */
export interface ChatCompletionUpdateParams {
  metadata: Metadata | null;
}

/** Which part of a list. */
export interface CursorPageParams {
  after?: string;
  limit?: number;
}

/** Which stored completions. */
export interface ChatCompletionListParams extends CursorPageParams {
  metadata?: Metadata | null;
  model?: string;
  order?: "asc" | "desc";
}

/** Which messages of a stored completion. */
export interface MessageListParams extends CursorPageParams {
  order?: "asc" | "desc";
}

// ---- Parsed answers -------------------------------------------------------------------------------------------------

/** A call of a function, with its arguments read. */
export interface ParsedFunction extends ChatCompletionMessageFunctionToolCall.Function {
  parsed_arguments?: unknown;
}

/** A tool call with its arguments read. */
export interface ParsedFunctionToolCall extends ChatCompletionMessageFunctionToolCall {
  function: ParsedFunction;
}

/** A tool call, read as far as it can be. */
export type ParsedChatCompletionMessageToolCall = ParsedFunctionToolCall | ChatCompletionMessageCustomToolCall;

/** A message with its JSON read. */
export interface ParsedChatCompletionMessage<ParsedT> extends ChatCompletionMessage {
  parsed: ParsedT | null;
  tool_calls?: ParsedChatCompletionMessageToolCall[];
}

/** A choice with its JSON read. */
export interface ParsedChoice<ParsedT> extends ChatCompletion.Choice {
  message: ParsedChatCompletionMessage<ParsedT>;
}

/** A completion with its JSON read. */
export interface ParsedChatCompletion<ParsedT> extends ChatCompletion {
  choices: ParsedChoice<ParsedT>[];
}

// ---- Models ---------------------------------------------------------------------------------------------------------

/** A model as a server lists it. */
export interface Model {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
  shutdown_date?: string | null;
}

/** That a model is gone. */
export interface ModelDeleted {
  id: string;
  object: string;
  deleted: boolean;
}
