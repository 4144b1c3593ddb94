/**
 * The shapes that cross the public API: requests, completions and chunks as they are on the wire,
 * and the events and outcomes made of them. Types only.
 *
 * Wire types follow OpenAI's Chat Completions, so a value typed by the `openai` package fits here and the other way round,
 * with what Electron (Smallest AI) and ElectronHub document added. Fields not listed pass through verbatim:
 * spread them in (`{ messages, ...{ guided_json: schema } }`).
 */
import type { Attempt, ChatwireError } from "./errors.ts";

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

/** What the model is to be and do. */
export interface ChatCompletionSystemMessageParam {
  role: "system";
  content: string | ChatCompletionContentPartText[];
  name?: string;
}

/** OpenAI's newer name for a system message. */
export interface ChatCompletionDeveloperMessageParam {
  role: "developer";
  content: string | ChatCompletionContentPartText[];
  name?: string;
}

/** What the user said. */
export interface ChatCompletionUserMessageParam {
  role: "user";
  content: string | ChatCompletionContentPart[];
  name?: string;
}

/**
 * What the model said before. `outcome.message` is one, ready to send back.
 * `content` may be null only beside `tool_calls`.
 */
export interface ChatCompletionAssistantMessageParam {
  role: "assistant";
  content?: string | (ChatCompletionContentPartText | ChatCompletionContentPartRefusal)[] | null;
  refusal?: string | null;
  tool_calls?: ChatCompletionMessageToolCall[];
  name?: string;
  audio?: { id: string } | null;
  /** The model's thinking, under the field name the server used (ElectronHub `/v1`). */
  reasoning?: string | null;
  /** The same, as ElectronHub `/v1legacy`, DeepSeek and others name it. */
  reasoning_content?: string | null;
  /** @deprecated by OpenAI in favour of `tool_calls` */
  function_call?: { name: string; arguments: string } | null;
}

/** The result of a tool, for the call with this id. */
export interface ChatCompletionToolMessageParam {
  role: "tool";
  content: string | ChatCompletionContentPartText[];
  tool_call_id: string;
}

/** @deprecated by OpenAI in favour of the `tool` role */
export interface ChatCompletionFunctionMessageParam {
  role: "function";
  content: string | null;
  name: string;
}

/** One message of the conversation. */
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
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
  /** When and how to use it, for the model to read. */
  description?: string;
  /** JSON Schema of the arguments; none means no arguments. */
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
 * What is sent. Every field is optional on the wire unless said otherwise; ranges are those the services document,
 * and are checked before sending for the provider that documents them.
 */
export interface ChatCompletionCreateParamsBase {
  /** The conversation so far, oldest first. */
  messages: ChatCompletionMessageParam[];
  /** Model id; left out, the provider's default (`"electron"` on Electron). */
  model?: string;

  /** 0 to 2, default 1. Higher is more varied. */
  temperature?: number | null;
  /** 0 to 1, default 1. Only the most likely tokens that add up to this share. */
  top_p?: number | null;
  /** ElectronHub: only the k most likely tokens. */
  top_k?: number;
  /** At least 1. Electron: input and output together stay within 32,768 tokens. */
  max_tokens?: number | null;
  /** OpenAI's newer name for `max_tokens`, reasoning included. */
  max_completion_tokens?: number | null;
  /** Stop before any of these. */
  stop?: string | string[] | null;
  /** -2 to 2, default 0. */
  presence_penalty?: number | null;
  /** -2 to 2, default 0. */
  frequency_penalty?: number | null;
  /** Same seed, same answer, as far as the server manages. */
  seed?: number | null;
  /** Token id to bias, -100 to 100. */
  logit_bias?: { [token: string]: number } | null;
  /** Answer with the likelihood of each token. */
  logprobs?: boolean | null;
  /** 0 to 20; needs `logprobs: true`. */
  top_logprobs?: number | null;
  /** How many answers. Electron rejects more than 1. */
  n?: number | null;
  /** Your opaque id of the end user. */
  user?: string;

  /** Answer with server-sent events. */
  stream?: boolean | null;
  /** `include_usage` makes the last chunk carry the exact usage; recommended whenever tokens are counted. */
  stream_options?: { include_usage?: boolean; include_obfuscation?: boolean } | null;

  /** The tools the model may call. */
  tools?: ChatCompletionTool[];
  /** Which it must call. */
  tool_choice?: ChatCompletionToolChoiceOption;
  /** OpenAI: several calls in one turn. */
  parallel_tool_calls?: boolean;
  /** The shape of the answer. */
  response_format?: ResponseFormat;

  /** How hard to think. Ignored by models that do not. */
  reasoning_effort?: ReasoningEffort;
  /** ElectronHub: how hard to think, whether to say so, and in which field. */
  reasoning?: {
    effort?: ReasoningEffort;
    exclude?: boolean;
    delta_field?: "reasoning" | "reasoning_content";
  };
  /** ElectronHub: short for `reasoning.delta_field`. */
  reasoning_delta_field?: "reasoning" | "reasoning_content";
  /** ElectronHub: short for `reasoning.delta_field: "reasoning_content"`. */
  reasoning_content_compat?: boolean;
  /** ElectronHub: the model's own thinking settings, passed on. */
  thinking?: { [key: string]: unknown };
  /** ElectronHub: look things up on the web. */
  web_search?: boolean;

  /** OpenAI: sound in the answer. */
  audio?: { format: "wav" | "aac" | "mp3" | "flac" | "opus" | "pcm16"; voice: string | { id: string } } | null;
  /** OpenAI: what the answer may consist of. */
  modalities?: ("text" | "audio")[] | null;
  /** OpenAI: up to 16 labels for your own bookkeeping. */
  metadata?: { [key: string]: string } | null;
  /** OpenAI: moderate what goes in and comes out. */
  moderation?: {
    model: string;
    policy?: {
      input?: { mode: "score" | "block" } | null;
      output?: { mode: "score" | "block" } | null;
    } | null;
  } | null;
  /** OpenAI: text the answer will mostly repeat. */
  prediction?: { type: "content"; content: string | ChatCompletionContentPartText[] } | null;
  /** OpenAI: requests with the same key share a prompt cache. */
  prompt_cache_key?: string | null;
  /** OpenAI: how the prompt cache is used. */
  prompt_cache_options?: { mode?: "implicit" | "explicit"; ttl?: "30m" };
  /** OpenAI: how long a prompt stays cached. */
  prompt_cache_retention?: "in_memory" | "24h" | null;
  /** OpenAI: a stable, hashed id of the end user. */
  safety_identifier?: string | null;
  /** OpenAI: which tier serves this. */
  service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | null;
  /** OpenAI: keep the completion on the server. */
  store?: boolean | null;
  /** OpenAI: how long-winded. */
  verbosity?: "low" | "medium" | "high" | null;
  /** OpenAI: settings of its web search. */
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

/** What was used, in tokens, as the server counts. */
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
}

/** A piece of a tool call. `index` says which call it belongs to; most servers send `id` and `name` only once. */
export interface ChatCompletionChunkToolCall {
  index: number;
  id?: string;
  type?: "function" | "custom";
  function?: { name?: string; arguments?: string };
  custom?: { name?: string; input?: string };
}

/** What one chunk adds to a choice. */
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
  /** OpenAI: random padding against traffic analysis. */
  obfuscation?: string;
}

// ---- Events ---------------------------------------------------------------------------------------------------------

/** Usage with where it comes from. */
export interface Usage extends CompletionUsage {
  /** True when no usage arrived and the numbers are an estimate. */
  estimated: boolean;
}

/**
 * What a stream says, whatever the dialect of its server. `choice` is the index of the answer it belongs to.
 * @example
 * ```ts
 * for await (const event of stream.events) {
 *   if (event.type === "text") write(event.text);
 *   else if (event.type === "tool_call.done") run(event.name, event.arguments);
 * }
 * ```
 */
export type ChatEvent =
  | { type: "text"; choice: number; text: string }
  | { type: "reasoning"; choice: number; text: string }
  | { type: "refusal"; choice: number; text: string }
  /** A whole sentence of the text, where it starts and ends in it (UTF-16 units). Asked for with `sentences`. */
  | { type: "sentence"; choice: number; text: string; start: number; end: number }
  /** The text given so far was spoken to fill the time a tool takes. */
  | { type: "filler"; choice: number; text: string }
  | { type: "tool_call.start"; choice: number; index: number; id: string; name: string }
  | { type: "tool_call.delta"; choice: number; index: number; arguments: string }
  /** `complete` is false when the arguments were cut short or are not JSON. */
  | {
      type: "tool_call.done";
      choice: number;
      index: number;
      id: string;
      name: string;
      arguments: string;
      complete: boolean;
    }
  /** The JSON answer so far. One live object that grows in place: copy it to keep it. */
  | { type: "partial"; choice: number; value: unknown }
  /** `cost` in USD; null when the prices are not known. */
  | { type: "usage"; choice: number; usage: Usage; cost: number | null }
  /** Something the server did differently was put right, in its event number `at`, from 0. */
  | { type: "repair"; choice: number; code: string; at: number }
  | { type: "finish"; choice: number; finishReason: string };

// ---- Outcome --------------------------------------------------------------------------------------------------------

/** A tool call as it stood at the end. */
export interface ToolCall {
  id: string;
  name: string;
  /** JSON text. */
  arguments: string;
  /** The arguments arrived whole and are valid JSON. */
  complete: boolean;
}

/** Something the server did differently, put right `count` times, first in its event number `at`, from 0. */
export interface Repair {
  code: string;
  at: number;
  count: number;
}

/** When things came, in milliseconds since the request was sent; null for what never came. */
export interface Timing {
  firstByte: number | null;
  firstToken: number | null;
  firstSentence: number | null;
  total: number | null;
  /** Output tokens per second between the first token and the end. */
  tokensPerSecond: number | null;
}

/** What an outcome holds whatever its status: all that arrived. */
export interface OutcomeFields {
  /** The accumulated completion, normalised; null when nothing arrived. */
  completion: ChatCompletion | null;
  /** The assistant's turn, to append to `messages` and send back. */
  message: ChatCompletionAssistantMessageParam | null;
  /** Text of choice 0. */
  text: string;
  /** The model's thinking, choice 0. */
  reasoning: string;
  /** Tool calls of choice 0. */
  toolCalls: ToolCall[];
  /** Of choice 0: `stop`, `length`, `tool_calls`, … or what the server said instead; null when it said nothing. */
  finishReason: string | null;
  /** Null when nothing is known. */
  usage: Usage | null;
  /** In USD. Null when prices or usage are not known, never 0 for unknown. */
  cost: number | null;
  timing: Timing;
  repairs: Repair[];
  /** Every try, the one that answered last. */
  attempts: Attempt[];
  requestId: string | null;
}

/**
 * How a stream ended, and all that arrived. A union on `status`:
 *
 * - `complete`: the answer is whole (cut at `max_tokens` is whole too, with `finishReason: "length"`)
 * - `truncated`: the body ended or was reset before that
 * - `stalled`: a timeout ran out while waiting for more
 * - `aborted`: you left
 * - `error`: the server said so mid-stream, or what it sent could not be read
 *
 * @example
 * ```ts
 * const outcome = await stream.outcome();
 * if (outcome.status === "complete") messages.push(outcome.message);
 * ```
 */
export type Outcome =
  | (OutcomeFields & { status: "complete"; error?: undefined })
  | (OutcomeFields & { status: "aborted"; error?: ChatwireError })
  | (OutcomeFields & { status: "truncated" | "stalled" | "error"; error: ChatwireError });

// ---- Settings -------------------------------------------------------------------------------------------------------

/** USD per 1M tokens. */
export interface Prices {
  input: number;
  /** Input found in the prefix cache; the input price when left out. */
  cachedInput?: number;
  output: number;
}

/** A server of your own. */
export interface CustomProvider {
  /** What `/chat/completions` is appended to. */
  baseURL: string;
  /** How it is called in attempts and hooks; its host when left out. */
  name?: string;
  prices?: Prices;
  /** Lowest and highest value of numeric parameters, checked before sending. */
  ranges?: { [param: string]: readonly [min: number, max: number] };
  /** Where its models' thinking appears; found out by itself when left out. */
  reasoning?: ReasoningPlace;
}

/** Where reasoning appears: a field beside `content`, `<think>` tags inside it, nowhere, or to be found out. */
export type ReasoningPlace = "reasoning" | "reasoning_content" | "tags" | "none" | "detect";

/** Patience, in milliseconds; `false` or left out at `total` means none is set. */
export interface Timeouts {
  /** From sending to the answer's headers. Default 300,000 (Electron 20,000). */
  headers?: number | false;
  /** From the headers to the first token. Default 300,000 (Electron 20,000). */
  firstToken?: number | false;
  /** Between two pieces of the answer. Keep-alives do not count as pieces. Default 120,000. */
  idle?: number | false;
  /** The whole call. Default none. */
  total?: number | false;
}

/** `fetch`, or what stands in for it: called with a string URL and a string body. */
export type Fetch = (url: string, init: FetchInit) => Promise<Response>;

/** What `fetch` is called with. */
export interface FetchInit {
  method: string;
  headers: Headers;
  body?: string;
  signal?: AbortSignal;
}

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

/** What a client's finished calls add up to. */
export interface UsageTotals {
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
  /** Calls whose usage is not known, and not in the sums. */
  uncounted: number;
  /** Calls whose usage is an estimate. */
  estimated: number;
  /** In USD; null once a call's cost was not known. */
  cost: number | null;
  /** What the prefix cache saved, in USD. */
  saved: number;
}

/** Gives the id of the request, without changing what the server sent. */
export type WithRequestId<T> = T & {
  /** The server's id of the request, from `X-Request-Id`. Not enumerable. */
  readonly _request_id?: string | null;
};
