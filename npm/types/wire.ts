/**
 * Requests, completions and chunks as they are on the wire. Types only.
 *
 * They follow OpenAI's Chat Completions, so a value typed by the `openai` package fits here and the other way round, with the
 * fields that Electron (Smallest AI) and ElectronHub document added. Fields not listed pass through verbatim: spread them in
 * (`{ messages, ...{ guided_json: schema } }`).
 *
 * Long because each documented field stands in it once, with its range, its services and the place where the range is enforced;
 * the reference and its test are made from these tags.
 */

// ---- Request: messages ----------------------------------------------------------------------------------------------

/** Text, as a part of a message. */
export interface ChatCompletionContentPartText {
  type: "text";
  text: string;
  /** OpenAI: the prompt up to here may be cached. */
  prompt_cache_breakpoint?: { mode: "explicit"; ttl?: "30m" | "12h" };
}

/** A refusal, as a part of an earlier assistant message. */
export interface ChatCompletionContentPartRefusal {
  type: "refusal";
  refusal: string;
}

/** An image, by address or as a `data:` URL. */
export interface ChatCompletionContentPartImage {
  type: "image_url";
  image_url: { url: string; detail?: "auto" | "low" | "high" | "original" };
  prompt_cache_breakpoint?: { mode: "explicit"; ttl?: "30m" | "12h" };
}

/** Sound, in base64. */
export interface ChatCompletionContentPartInputAudio {
  type: "input_audio";
  input_audio: { data: string; format: "wav" | "mp3" };
  prompt_cache_breakpoint?: { mode: "explicit"; ttl?: "30m" | "12h" };
}

/** A file, inline (base64) or by the id of an upload. */
export interface ChatCompletionContentPartFile {
  type: "file";
  file: { file_data?: string; file_id?: string; filename?: string };
  prompt_cache_breakpoint?: { mode: "explicit"; ttl?: "30m" | "12h" };
}

/** One part of a user's message. Electron takes strings only. */
export type ChatCompletionContentPart =
  | ChatCompletionContentPartText
  | ChatCompletionContentPartImage
  | ChatCompletionContentPartInputAudio
  | ChatCompletionContentPartFile;

/** The instructions for the model. */
export interface ChatCompletionSystemMessageParam {
  /**
   * The author.
   * @range `system`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, openai
   */
  role: "system";
  /**
   * The words, or their parts.
   * @range Electron: a string
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  content: string | ChatCompletionContentPartText[];
  /**
   * Tells speakers of the same role apart.
   * @range a string
   * @service ElectronHub, OpenAI
   * @enforced server
   */
  name?: string;
}

/** OpenAI's newer name for a system message. */
export interface ChatCompletionDeveloperMessageParam {
  /**
   * The author.
   * @range `developer`; not on Electron, which refuses it
   * @service OpenAI
   * @enforced electron
   */
  role: "developer";
  /**
   * The words, or their parts.
   * @range Electron: a string
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  content: string | ChatCompletionContentPartText[];
  /**
   * Tells speakers of the same role apart.
   * @range a string
   * @service ElectronHub, OpenAI
   * @enforced server
   */
  name?: string;
}

/** A message of the user. */
export interface ChatCompletionUserMessageParam {
  /**
   * The author.
   * @range `user`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, openai
   */
  role: "user";
  /**
   * The words, or their parts.
   * @range Electron: a string
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  content: string | ChatCompletionContentPart[];
  /**
   * Tells speakers of the same role apart.
   * @range a string
   * @service ElectronHub, OpenAI
   * @enforced server
   */
  name?: string;
}

/**
 * An earlier turn of the model. `outcome.message` is one, ready to send back.
 * `content` may be null only beside `tool_calls`.
 */
export interface ChatCompletionAssistantMessageParam {
  /**
   * The author.
   * @range `assistant`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, openai
   */
  role: "assistant";
  /**
   * The words, or their parts.
   * @range Electron: a string, or `null` beside `tool_calls`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  content?: string | (ChatCompletionContentPartText | ChatCompletionContentPartRefusal)[] | null;
  refusal?: string | null;
  /**
   * The tools it called.
   * @range Electron: a list of calls with `id`, `type: "function"`, `function.name` and `function.arguments`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  tool_calls?: ChatCompletionMessageToolCall[];
  /**
   * Tells speakers of the same role apart.
   * @range a string
   * @service ElectronHub, OpenAI
   * @enforced server
   */
  name?: string;
  audio?: { id: string } | null;
  /**
   * The model's thinking, under the field name the server used (`/v1`).
   * @range a string
   * @service ElectronHub
   * @enforced server
   */
  reasoning?: string | null;
  /**
   * The same, as `/v1legacy`, DeepSeek and others name it.
   * @range a string
   * @service ElectronHub
   * @enforced server
   */
  reasoning_content?: string | null;
  /** @deprecated by OpenAI in favour of `tool_calls` */
  function_call?: { name: string; arguments: string } | null;
}

/** The result of a tool, for the call with this id. */
export interface ChatCompletionToolMessageParam {
  /**
   * The author.
   * @range `tool`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, openai
   */
  role: "tool";
  /**
   * The words, or their parts.
   * @range Electron: a string
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  content: string | ChatCompletionContentPartText[];
  /**
   * Which call this is the result of.
   * @range a string; Electron: required
   * @service Electron, OpenAI
   * @enforced electron
   */
  tool_call_id: string;
}

/** @deprecated by OpenAI in favour of the `tool` role */
export interface ChatCompletionFunctionMessageParam {
  role: "function";
  content: string | null;
  name: string;
}

/**
 * One message of the conversation. Electron, before sending (`src/provider/electron.rs`, `messages`): `role` is there and is
 * `system`, `user`, `assistant` or `tool`; `content` is a string, or `null` on an assistant message that carries `tool_calls`;
 * a `tool` message has `tool_call_id`; a tool call has `id`, `type: "function"`, and a `function` with `name` and textual
 * `arguments`. OpenAI: `role` is there. ElectronHub: the server judges.
 */
export type ChatCompletionMessageParam =
  | ChatCompletionSystemMessageParam
  | ChatCompletionDeveloperMessageParam
  | ChatCompletionUserMessageParam
  | ChatCompletionAssistantMessageParam
  | ChatCompletionToolMessageParam
  | ChatCompletionFunctionMessageParam;

// ---- Request: tools -------------------------------------------------------------------------------------------------

/** A JSON Schema. */
export type JSONSchema = { [key: string]: unknown };

/** A function the model may call. */
export interface FunctionDefinition {
  /**
   * The name that the model calls it by.
   * @range a string; OpenAI: letters, digits, `_` and `-`, at most 64
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  name: string;
  /**
   * When and how to use it, for the model to read.
   * @range a string
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  description?: string;
  /**
   * JSON Schema of the arguments; none means no arguments.
   * @range an object
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron
   */
  parameters?: JSONSchema;
  /** OpenAI: hold the model to the schema exactly. */
  strict?: boolean | null;
}

/** A function tool, nested as every example of Electron, ElectronHub and OpenAI has it. */
export interface ChatCompletionFunctionTool {
  type: "function";
  function: FunctionDefinition;
}

/** The flat shape that Electron's schema documents; sent as it is. */
export interface ChatCompletionFlatTool {
  type: "function";
  name: string;
  description?: string;
  parameters?: JSONSchema;
}

/** OpenAI: a tool that takes free text. */
export interface ChatCompletionCustomTool {
  type: "custom";
  custom: {
    name: string;
    description?: string;
    format?: { type: "text" } | { type: "grammar"; grammar: { definition: string; syntax: "lark" | "regex" } };
  };
}

/** A tool the model may call. */
export type ChatCompletionTool = ChatCompletionFunctionTool | ChatCompletionFlatTool | ChatCompletionCustomTool;

/** Which tool, if any, the model must call. ElectronHub: `none` and `auto` only. */
export type ChatCompletionToolChoiceOption =
  | "none"
  | "auto"
  | "required"
  | { type: "function"; function: { name: string } }
  | { type: "custom"; custom: { name: string } }
  | { type: "allowed_tools"; allowed_tools: { mode: "auto" | "required"; tools: { [key: string]: unknown }[] } };

/** A call of a function by the model. */
export interface ChatCompletionMessageFunctionToolCall {
  id: string;
  type: "function";
  function: {
    name: string;
    /** JSON text, as the model wrote it: it may be invalid, so check before use. */
    arguments: string;
  };
}

/** OpenAI: a call of a custom tool. */
export interface ChatCompletionMessageCustomToolCall {
  id: string;
  type: "custom";
  custom: { name: string; input: string };
}

/** A tool call by the model. */
export type ChatCompletionMessageToolCall = ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall;

// ---- Request: parameters --------------------------------------------------------------------------------------------

/** The shape of the answer. Electron documents `text` and `json_object`. */
export type ResponseFormat =
  | { type: "text" }
  | { type: "json_object" }
  | {
      type: "json_schema";
      json_schema: { name: string; description?: string; schema?: JSONSchema; strict?: boolean | null };
    };

/** How hard to think before answering. */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max" | null;

/**
 * The parameters, sent as they are: a field that is not listed here goes through verbatim.
 *
 * `@range` is what the services document, `@service` who documents the field, and `@enforced` where a value outside the
 * range is refused: before sending, by the rules of those providers (`validate`, on by default), or by the server alone.
 * A rule holds for its own provider only; a server of your own has the `ranges` that you give it. `null` stands for a field
 * left out on OpenAI alone: Electron and ElectronHub document no field that may be null, so it is refused for them.
 */
export interface ChatCompletionCreateParamsBase {
  /**
   * The conversation so far, oldest first.
   * @range a list; at least one message, or a warning (refused with `validate: "strict"`)
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  messages: ChatCompletionMessageParam[];
  /**
   * Model id.
   * @range Electron: `"electron"`; ElectronHub: any name, also with the suffix `:reasoning-exclude`
   * @default the provider's own: `"electron"` on Electron, none elsewhere
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  model?: string;

  /**
   * Higher is more varied.
   * @range 0 to 2
   * @default 1
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  temperature?: number | null;
  /**
   * Only the most likely tokens that add up to this share of 1.
   * @range 0 to 1
   * @default 1
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  top_p?: number | null;
  /**
   * Only the k most likely tokens.
   * @range a whole number
   * @service ElectronHub
   * @enforced electronhub
   */
  top_k?: number;
  /**
   * Most tokens to answer with; those of reasoning count. Electron: input and output together stay within 32,768 tokens, which
   * the server enforces, and a prompt that looks longer is a warning here (refused with `validate: "strict"`).
   * @range a whole number of tokens; Electron: at least 1
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub
   */
  max_tokens?: number | null;
  /**
   * OpenAI's newer name for `max_tokens`, reasoning included.
   * @range a whole number of tokens
   * @service OpenAI
   * @enforced server
   */
  max_completion_tokens?: number | null;
  /**
   * Stop before any of these.
   * @range a string or a list of strings
   * @service Electron, OpenAI
   * @enforced electron
   */
  stop?: string | string[] | null;
  /**
   * Above 0, what was already said gets less likely.
   * @range -2 to 2
   * @default 0
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  presence_penalty?: number | null;
  /**
   * Above 0, what was said often gets less likely.
   * @range -2 to 2
   * @default 0
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  frequency_penalty?: number | null;
  /**
   * Same seed, same answer, as far as the server manages.
   * @range a whole number
   * @service Electron, OpenAI
   * @enforced electron
   */
  seed?: number | null;
  /**
   * How much likelier a token becomes, by its id.
   * @range an object of numbers; OpenAI: -100 to 100 each
   * @service Electron, OpenAI
   * @enforced electron
   */
  logit_bias?: { [token: string]: number } | null;
  /**
   * Answer with the likelihood of each token.
   * @range `true` or `false`
   * @default false
   * @service Electron, OpenAI
   * @enforced electron
   */
  logprobs?: boolean | null;
  /**
   * How many other tokens to tell of at each place. Without `logprobs: true` it does nothing, which is a warning.
   * @range 0 to 20
   * @service Electron, OpenAI
   * @enforced electron, openai
   */
  top_logprobs?: number | null;
  /**
   * How many answers. Electron gives one: send several requests instead.
   * @range Electron: at most 1
   * @default 1
   * @service Electron, OpenAI
   * @enforced electron
   */
  n?: number | null;
  /**
   * vLLM: the likelihood of each token of the prompt.
   * @range Electron: not accepted at all
   * @service Electron
   * @enforced electron
   */
  prompt_logprobs?: number | null;
  /**
   * Your opaque id of the end user.
   * @range a string
   * @service Electron, OpenAI
   * @enforced electron
   */
  user?: string;

  /**
   * Answer with server-sent events.
   * @range `true` or `false`
   * @default false
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  stream?: boolean | null;
  /**
   * The parts that a stream carries beside the answer.
   * @range an object
   * @service Electron, OpenAI
   * @enforced electron
   */
  stream_options?: {
    /**
     * The last chunk carries the exact usage; recommended whenever tokens are counted.
     * @range `true` or `false`
     * @service Electron, OpenAI
     * @enforced electron
     */
    include_usage?: boolean;
    /**
     * Random padding against traffic analysis.
     * @range `true` or `false`
     * @default true
     * @service OpenAI
     * @enforced server
     */
    include_obfuscation?: boolean;
  } | null;

  /**
   * The tools the model may call. Electron's page shows them nested (as all examples do) and flat; both are taken.
   * @range a list of objects; Electron: functions with a `name`, a textual `description`, and `parameters` that are an object
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub, openai
   */
  tools?: ChatCompletionTool[];
  /**
   * Which of them it must call. A function that is not in `tools` is a warning.
   * @range Electron: `auto`, `required`, `none` or a function by name; ElectronHub: `none` or `auto`
   * @service Electron, ElectronHub, OpenAI
   * @enforced electron, electronhub
   */
  tool_choice?: ChatCompletionToolChoiceOption;
  /**
   * Several calls in one turn.
   * @range `true` or `false`
   * @default true
   * @service OpenAI
   * @enforced server
   */
  parallel_tool_calls?: boolean;
  /**
   * The shape of the answer.
   * @range an object with `type`; Electron: `text` or `json_object`; OpenAI: `json_schema` as well
   * @default `{ type: "text" }`
   * @service Electron, OpenAI
   * @enforced electron
   */
  response_format?: ResponseFormat;

  /**
   * How hard to think. Models that do not think ignore it; `none` hides reasoning on OpenAI-shaped models.
   * @range `none`, `minimal`, `low`, `medium`, `high` or `xhigh`
   * @service ElectronHub, OpenAI
   * @enforced electronhub
   */
  reasoning_effort?: ReasoningEffort;
  /**
   * Reasoning, for this request: it goes over what the endpoint's path says.
   * @range an object
   * @service ElectronHub
   * @enforced electronhub
   */
  reasoning?: {
    /**
     * As `reasoning_effort`.
     * @range `none`, `minimal`, `low`, `medium`, `high` or `xhigh`
     * @service ElectronHub
     * @enforced electronhub
     */
    effort?: ReasoningEffort;
    /**
     * Leave the thinking out of the answer. Its tokens are billed all the same.
     * @range `true` or `false`
     * @service ElectronHub
     * @enforced electronhub
     */
    exclude?: boolean;
    /**
     * The field that the thinking comes in.
     * @range `reasoning` or `reasoning_content`
     * @default as the endpoint's path says
     * @service ElectronHub
     * @enforced electronhub
     */
    delta_field?: "reasoning" | "reasoning_content";
  };
  /**
   * Short for `reasoning.delta_field`.
   * @range `reasoning` or `reasoning_content`
   * @service ElectronHub
   * @enforced electronhub
   */
  reasoning_delta_field?: "reasoning" | "reasoning_content";
  /**
   * Short for `reasoning.delta_field: "reasoning_content"`.
   * @range `true` or `false`
   * @service ElectronHub
   * @enforced electronhub
   */
  reasoning_content_compat?: boolean;
  /**
   * The model's own thinking settings, passed on.
   * @range an object
   * @service ElectronHub
   * @enforced electronhub
   */
  thinking?: { [key: string]: unknown };
  /**
   * Look things up on the web.
   * @range `true` or `false`
   * @default false
   * @service ElectronHub
   * @enforced electronhub
   */
  web_search?: boolean;

  /**
   * Sound in the answer.
   * @service OpenAI
   * @enforced server
   */
  audio?: { format: "wav" | "aac" | "mp3" | "flac" | "opus" | "pcm16"; voice: string | { id: string } } | null;
  /**
   * The media that the answer may consist of.
   * @service OpenAI
   * @enforced server
   */
  modalities?: ("text" | "audio")[] | null;
  /**
   * Up to 16 labels for your own bookkeeping.
   * @service OpenAI
   * @enforced server
   */
  metadata?: { [key: string]: string } | null;
  /**
   * Moderate what goes in and comes out.
   * @service OpenAI
   * @enforced server
   */
  moderation?: {
    model: string;
    policy?: {
      input?: { mode: "score" | "block" } | null;
      output?: { mode: "score" | "block" } | null;
    } | null;
  } | null;
  /**
   * Text the answer will mostly repeat.
   * @service OpenAI
   * @enforced server
   */
  prediction?: { type: "content"; content: string | ChatCompletionContentPartText[] } | null;
  /**
   * Requests with the same key share a prompt cache.
   * @service OpenAI
   * @enforced server
   */
  prompt_cache_key?: string | null;
  /**
   * How the prompt cache is used.
   * @service OpenAI
   * @enforced server
   */
  prompt_cache_options?: { mode?: "implicit" | "explicit"; ttl?: "30m" };
  /**
   * How long a prompt stays cached.
   * @service OpenAI
   * @enforced server
   */
  prompt_cache_retention?: "in_memory" | "24h" | null;
  /**
   * A stable, hashed id of the end user.
   * @service OpenAI
   * @enforced server
   */
  safety_identifier?: string | null;
  /**
   * Which tier serves this.
   * @service OpenAI
   * @enforced server
   */
  service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
  /**
   * Keep the completion on the server.
   * @service OpenAI
   * @enforced server
   */
  store?: boolean | null;
  /**
   * How long-winded.
   * @service OpenAI
   * @enforced server
   */
  verbosity?: "low" | "medium" | "high" | null;
  /**
   * Settings of its web search.
   * @service OpenAI
   * @enforced server
   */
  web_search_options?: {
    search_context_size?: "low" | "medium" | "high";
    user_location?: {
      type: "approximate";
      approximate: { city?: string; country?: string; region?: string; timezone?: string };
    } | null;
  };
  /** @deprecated by OpenAI in favour of `tool_choice` */
  function_call?: "none" | "auto" | { name: string };
  /** @deprecated by OpenAI in favour of `tools` */
  functions?: { name: string; description?: string; parameters?: JSONSchema }[];
}

/** Parameters of a call that answers with one completion. */
export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase {
  stream?: false | null;
}

/** Parameters of a call that answers with a stream. */
export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase {
  stream: true;
}

/** Parameters of `create`. */
export type ChatCompletionCreateParams = ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming;

// ---- Answer: completion and chunk, as on the wire -------------------------------------------------------------------

/** Why a choice ended. `length` means it was cut at the token limit. Servers add their own. */
export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "function_call";

/** The tokens that were used, as the server counts. */
export interface CompletionUsage {
  /** Everything that went in, cached or not. */
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: {
    /** The part of `prompt_tokens` that came from the prefix cache, billed at the cached price. */
    cached_tokens?: number;
    cache_write_tokens?: number;
    audio_tokens?: number;
    image_tokens?: number;
    text_tokens?: number;
  };
  completion_tokens_details?: {
    reasoning_tokens?: number;
    accepted_prediction_tokens?: number;
    rejected_prediction_tokens?: number;
    audio_tokens?: number;
    text_tokens?: number;
  };
}

/** How likely a token was. */
export interface ChatCompletionTokenLogprob {
  token: string;
  bytes: number[] | null;
  logprob: number;
  top_logprobs: { token: string; bytes: number[] | null; logprob: number }[];
}

/** The likelihoods of one choice. */
export interface ChatCompletionLogprobs {
  content: ChatCompletionTokenLogprob[] | null;
  refusal: ChatCompletionTokenLogprob[] | null;
}

/** The assistant's message. */
export interface ChatCompletionMessage {
  role: "assistant";
  content: string | null;
  refusal: string | null;
  tool_calls?: ChatCompletionMessageToolCall[];
  /** The model's thinking, where the server shows it (ElectronHub `/v1`). */
  reasoning?: string | null;
  /** The same under its other name (ElectronHub `/v1legacy`). */
  reasoning_content?: string | null;
  annotations?: {
    type: "url_citation";
    url_citation: { start_index: number; end_index: number; title: string; url: string };
  }[];
  audio?: { id: string; data: string; expires_at: number; transcript: string } | null;
  /** @deprecated by OpenAI in favour of `tool_calls` */
  function_call?: { name: string; arguments: string } | null;
}

/** One answer of a completion. */
export interface ChatCompletionChoice {
  index: number;
  message: ChatCompletionMessage;
  finish_reason: FinishReason;
  logprobs: ChatCompletionLogprobs | null;
}

/** The verdict of a moderation model on one text. */
export interface ModerationResult {
  type: "moderation_result";
  model: string;
  flagged: boolean;
  categories: { [category: string]: boolean };
  category_applied_input_types: { [category: string]: ("text" | "image")[] };
  category_scores: { [category: string]: number };
}

/** The verdict of a moderation model on the input or the output; or the reason for having none. */
export type ModerationReport =
  | { type: "moderation_results"; model: string; results: ModerationResult[] }
  | { type: "error"; code: string; message: string };

/** The moderation of a completion, where `moderation` was asked for. */
export interface CompletionModeration {
  input: ModerationReport;
  output: ModerationReport;
}

/**
 * A whole answer: the server's own JSON, nothing changed or left out.
 * A server that is not OpenAI's may omit what is listed here as present.
 */
export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: ChatCompletionChoice[];
  usage?: CompletionUsage;
  system_fingerprint?: string;
  service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
  metadata?: { [key: string]: string } | null;
  /** OpenAI: what was moderated. */
  moderation?: CompletionModeration | null;
}

/** A piece of a tool call. `index` says which call it belongs to; most servers send `id` and `name` only once. */
export interface ChatCompletionChunkToolCall {
  index: number;
  id?: string;
  type?: "function" | "custom";
  function?: { name?: string; arguments?: string };
  custom?: { name?: string; input?: string };
}

/** The part that one chunk adds to a choice. */
export interface ChatCompletionChunkDelta {
  role?: "developer" | "system" | "user" | "assistant" | "tool";
  content?: string | null;
  refusal?: string | null;
  tool_calls?: ChatCompletionChunkToolCall[];
  reasoning?: string | null;
  reasoning_content?: string | null;
  audio?: { id?: string; data?: string; expires_at?: number; transcript?: string };
  /** @deprecated by OpenAI in favour of `tool_calls` */
  function_call?: { name?: string; arguments?: string };
}

/** One choice in a chunk. */
export interface ChatCompletionChunkChoice {
  index: number;
  delta: ChatCompletionChunkDelta;
  finish_reason: FinishReason | null;
  logprobs?: ChatCompletionLogprobs | null;
}

/**
 * One event of a stream: the server's own JSON, unrepaired. The last one has `choices: []` when it carries the usage,
 * and some servers send `choices: null`: read with `chunk.choices?.[0]`, or use `events`, which are normalised.
 */
export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: ChatCompletionChunkChoice[];
  usage?: CompletionUsage | null;
  system_fingerprint?: string;
  service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
  /** OpenAI: what was moderated; in the last chunks. */
  moderation?: CompletionModeration | null;
  /** OpenAI: random padding against traffic analysis. */
  obfuscation?: string;
}

// ---- Answer: models -------------------------------------------------------------------------------------------------

/** A model as a server lists it. */
export interface Model {
  id: string;
  object: "model";
  created: number;
  owned_by: string;
}

/** The models of a server: its own JSON. */
export interface ModelList {
  object: "list";
  data: Model[];
}
