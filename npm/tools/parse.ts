/**
 * Structured answers: asks for JSON of a shape, and checks what came. Loaded with the first `parse`.
 */
import { APIError, aborted, type ChatwireError, ProtocolError, withOutcome } from "../errors.ts";
import type { RequestOptions } from "../options.ts";
import type { Answer, Call, Suit, Target } from "../request/answer.ts";
import type { Answered } from "../request/api-promise.ts";
import { OF_CALLS, refuseUnknown } from "../request/own-options.ts";
import type {
  ChatCompletion,
  ChatCompletionChoice,
  ChatCompletionMessage,
  JSONSchema,
  Outcome,
  ResponseFormat,
  WithRequestId,
} from "../types.ts";
import { candidates, type JSONRepair } from "./json-text.ts";
import { check, inWords, isStandard, jsonSchemaOf } from "./schema.ts";
import { suited } from "./schema-in-messages.ts";
import type { Schema, SchemaProblem, StandardSchema } from "./schema-shapes.ts";

/** A completion whose text was read as the JSON it was asked to be. */
export interface ParsedChatCompletion<T> extends Omit<ChatCompletion, "choices"> {
  choices: (Omit<ChatCompletionChoice, "message"> & {
    /**
     * `parsed` is null when the model refused, called tools instead, or was not asked for JSON. The arguments of each tool call
     * are beside their text as `function.parsed_arguments`, null where they are not JSON.
     */
    message: ChatCompletionMessage & { parsed: T | null };
  })[];
}

/** Settings of one `parse`. They are not sent. */
export interface ParseOptions extends RequestOptions {
  /**
   * Where the server does not document `json_schema`: puts the schema, and the word JSON, into the messages, at the end of the
   * first system message or as one of its own.
   * @default true
   */
  schemaInMessages?: boolean;
}

/** The parts that `APIPromise` is made of. */
interface Parsed<T> extends Answered {
  data: WithRequestId<ParsedChatCompletion<T>>;
}

/** The parts of the client's `Caller` that make a call. */
interface Asked {
  start(target: Target, options: RequestOptions): Call;
  readonly decoding: RequestOptions["decoding"];
}

/**
 * Asks for a completion and reads it.
 * @param path of chat completions
 * @param read takes a whole completion from an answer
 */
export async function parse<T>(
  path: string,
  params: { response_format?: ResponseFormat | StandardSchema<T> } | undefined,
  options: ParseOptions,
  caller: Asked,
  read: (answer: Answer, controller: AbortController) => Promise<WithRequestId<ChatCompletion>>,
): Promise<Parsed<T>> {
  refuseUnknown(options, ["schemaInMessages"], OF_CALLS);
  const { schemaInMessages = true, accumulate: _kept, ...settings } = options;
  const { tools } = (params ?? {}) as { tools?: { function?: { name?: string } }[] };
  const wanted = wantedOf<T>(params?.response_format);
  const sent = { ...params, stream: false, ...(wanted.format && { response_format: wanted.format }) };
  // Whether the server that was asked last takes a `json_schema`.
  let last = false;
  const toEach: Suit = (body, server) => {
    last = server.jsonSchema;
    return suited(body, server, schemaInMessages);
  };
  const ask = async (suited: Suit) => {
    const { answer, controller } = caller.start({ path, params: sent, suited }, settings);
    const { response, requestId } = await answer;
    return { data: await read(await answer, controller), response, requestId };
  };
  const { data, response, requestId } = await ask(toEach).catch((error) => {
    const isSchema = wanted.format?.type === "json_schema" && last;
    if (!isSchema || !schemaInMessages || !isFormatRefused(error)) throw error;
    return ask((body) => suited(body, { jsonSchema: false }));
  });
  const own = Array.isArray(tools) && tools.some((tool) => tool?.function?.name === wanted.name);
  const isStrict = (options.decoding ?? caller.decoding) === "strict";
  const answer = await unlessAborted(
    parsed<T>(data, own ? { ...wanted, name: undefined } : wanted, isStrict),
    options.signal,
  );
  return { data: answer, response, requestId };
}

/** Whether a server refuses this kind of format, and not only this schema. */
function isFormatRefused(error: unknown): boolean {
  if (!(error instanceof APIError) || ![400, 422, 501].includes(error.status ?? 0)) return false;
  const said = JSON.stringify([error.message, error.param, error.error]);
  return /response_format|json_schema/.test(said) && !/schema for/i.test(said);
}

/** Settles with the work, or rejects once the call is aborted: a schema's check may never settle. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(aborted(signal?.reason));
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    work.then(resolve, reject).finally(() => signal?.removeEventListener("abort", leave));
  });
}

/** The shape as a server that takes it is asked for it, and as it is checked here. */
interface Wanted<T> {
  format: ResponseFormat | undefined;
  schema: Schema<T> | undefined;
  /** The schema's name. */
  name?: string | undefined;
  /** JSON of any kind is wanted. */
  isJSON: boolean;
}

/** @param asked what the caller gave as `response_format` */
function wantedOf<T>(asked: ResponseFormat | StandardSchema<T> | undefined): Wanted<T> {
  const isJSON = true;
  if (asked && isStandard(asked as Schema<T>)) {
    const schema = asked as StandardSchema<T>;
    const written = jsonSchemaOf(schema);
    const strict = isStrictSchema(written) ? { strict: true } : {};
    const json_schema = { name: "answer", ...strict, schema: written };
    return { format: { type: "json_schema", json_schema }, schema, name: json_schema.name, isJSON };
  }
  const format = asked as ResponseFormat | undefined;
  if (format?.type !== "json_schema") return { format, schema: undefined, isJSON: format?.type === "json_object" };
  const schema = format.json_schema.schema && jsonSchemaOf(format.json_schema.schema);
  const given = schema ? { ...format.json_schema, schema } : format.json_schema;
  return { format: { ...format, json_schema: given }, schema, name: given.name, isJSON };
}

/** Keywords that OpenAI's strict mode does not know. */
const REFUSED = [
  ...["$anchor", "$dynamicAnchor", "$dynamicRef", "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired"],
  ...["dependentSchemas", "dependencies", "maxProperties", "minProperties", "patternProperties", "propertyNames"],
  ...["unevaluatedProperties", "additionalItems", "contains", "maxContains", "minContains", "prefixItems"],
  ...["unevaluatedItems", "uniqueItems", "contentEncoding", "contentMediaType", "contentSchema"],
];

/** Whether OpenAI's strict mode takes a schema: one object, in which every object is closed and has every member. */
function isStrictSchema({ type, anyOf, ...schema }: JSONSchema): boolean {
  return type === "object" && anyOf === undefined && isStrictWithin({ type, ...schema });
}

function isStrictWithin(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  const given = schema as Record<string, unknown>;
  const { type, properties, required, additionalProperties, items, anyOf, $defs, definitions } = given;
  const types = [type].flat();
  // A value of any type is none that it can hold a model to.
  if (!["type", "anyOf", "$ref", "enum", "const"].some((name) => given[name] !== undefined)) return false;
  if (REFUSED.some((name) => given[name] !== undefined)) return false;
  const members = membersOf(properties);
  if (types.includes("object") || members.length > 0) {
    const listed = Array.isArray(required) ? required : [];
    if (additionalProperties !== false || !members.every(([name]) => listed.includes(name))) return false;
  }
  if (types.includes("array") && items === undefined) return false;
  const inner = [...members, ...membersOf($defs), ...membersOf(definitions), ...membersOf(anyOf)].map(([, one]) => one);
  return [...inner, ...(items === undefined ? [] : [items])].every(isStrictWithin);
}

function membersOf(group: unknown): [string, unknown][] {
  return typeof group === "object" && group !== null ? Object.entries(group) : [];
}

/**
 * Reads each answer of a completion.
 * @throws {ProtocolError} an answer is missing, not JSON, was cut short, or does not fit; it does not repeat the answer, which
 * is in its `outcome`
 */
async function parsed<T>(
  completion: WithRequestId<ChatCompletion>,
  wanted: Wanted<T>,
  isStrict: boolean,
): Promise<WithRequestId<ParsedChatCompletion<T>>> {
  const { _outcome: outcome } = completion;
  for (const choice of completion.choices ?? []) {
    const { index, finish_reason } = choice;
    const put = outcome?.completion?.choices.find((own) => own.index === index)?.message;
    // A server of old completions sends `text` in its place.
    choice.message ??= { role: "assistant", content: put?.content ?? null } as ChatCompletionMessage;
    const { message } = choice;
    for (const call of message.tool_calls ?? []) {
      if ("function" in call && call.function) {
        Object.assign(call.function, { parsed_arguments: argumentsOf(call.function.arguments) });
      }
    }
    const isCalling = Boolean(message.tool_calls?.length || (index === 0 && outcome?.toolCalls.length));
    const reading = readAnswer(textOf(message, put, wanted.name), message, finish_reason, wanted, {
      isStrict,
      isCalling,
    });
    // The answer is there, though its check failed.
    const read = await reading.catch((error: ChatwireError) => {
      throw outcome ? withOutcome(error, outcome) : error;
    });
    if ("problem" in read) {
      const error = new ProtocolError(read.problem, { code: "not_as_requested" });
      throw outcome ? withOutcome(error, outcome) : error;
    }
    Object.assign(message, { parsed: read.value });
    for (const code of read.repairs) note(outcome, code);
  }
  return completion as unknown as WithRequestId<ParsedChatCompletion<T>>;
}

/** The value of one answer, or what is wrong with it. */
async function readAnswer<T>(
  { text, repairs }: Text,
  message: ChatCompletionMessage,
  finishReason: string | null | undefined,
  { schema, isJSON }: Wanted<T>,
  { isStrict, isCalling }: { isStrict: boolean; isCalling: boolean },
): Promise<{ value: unknown; repairs: JSONRepair[] } | { problem: string }> {
  const none = { value: null, repairs: [] };
  if (!isJSON || isRefusal(message)) return none;
  // In the words of several servers: `length`, `max_tokens`, `MAX_OUTPUT_TOKENS`, `model_length`.
  if (/length|max.*tokens/i.test(finishReason ?? "")) {
    return { problem: "The answer was cut at the token limit, so its JSON is not whole. Raise max_tokens." };
  }
  if (finishReason === "content_filter") {
    return { problem: "The answer was cut by the server's content filter, so its JSON is not whole." };
  }
  // Reasoning before a call is no answer.
  if (isCalling && (text === "" || repairs.includes("parse.reasoning"))) return none;
  if (text === "") return { problem: "The answer is empty: it has no JSON. Ask again." };
  let problems: SchemaProblem[] | undefined;
  for (const candidate of candidates(text)) {
    const all = [...repairs, ...candidate.repairs];
    const { value } = candidate;
    // JSON of any kind is an object or a list: `null` is no answer.
    if (!schema && (typeof value !== "object" || value === null)) continue;
    const checked = schema ? await check(schema, value) : candidate;
    if ("problems" in checked) {
      problems ??= checked.problems;
      continue;
    }
    // Without a schema text alone is no answer, if it stands for something else.
    if (isStrict && all.length > 0) {
      return { problem: `The answer would need the repair ${all[0]}, which strict decoding refuses.` };
    }
    return { value: checked.value, repairs: all };
  }
  // Text beside calls ("Let me look.") announces them, and is no answer.
  if (isCalling) return none;
  if (problems) return { problem: `The answer does not fit the schema. ${inWords(problems)}` };
  return { problem: "The answer is not the JSON that was requested. Request JSON in the messages." };
}

function isRefusal({ refusal, content }: ChatCompletionMessage): boolean {
  const parts: unknown = content;
  return Boolean(refusal) || (Array.isArray(parts) && parts.some((part) => part?.refusal));
}

/** The text of an answer, and what was put right to find it. */
interface Text {
  text: string;
  repairs: JSONRepair[];
}

/** The members of an outcome's message that a JSON answer is looked for in. */
interface Put {
  content?: string | null | undefined;
  reasoning?: string | null | undefined;
}

/**
 * The text of an answer, wherever the server has put it.
 * @param put the same as the engine has put it together, which has told thinking from text
 * @param name of the schema, where the request has no tool of that name
 */
function textOf(message: ChatCompletionMessage, put: Put | undefined, name: string | undefined): Text {
  const { content, reasoning, reasoning_content } = message as unknown as Record<string, unknown>;
  const told = put?.reasoning ? (put.content ?? "").trim() : "";
  if (typeof content === "string" && told !== "" && told !== content.trim()) {
    return { text: told, repairs: ["parse.thinking"] };
  }
  // Content that is nothing but thinking is no text; the answer may be in the thinking.
  const isThought = Boolean(put?.reasoning) && told === "";
  if (typeof content === "string" && content.trim() !== "" && !isThought) return { text: content, repairs: [] };
  const joined = Array.isArray(content) ? content.map(textOfPart).join("") : "";
  if (joined.trim() !== "") return { text: joined, repairs: ["parse.parts"] };
  // One part that is in no list, or an object that was to be JSON text.
  if (typeof content === "object" && content !== null && !Array.isArray(content)) {
    return { text: put?.content || JSON.stringify(content), repairs: ["parse.parts"] };
  }
  // A server that has made a tool of the schema.
  const called = name === undefined ? undefined : callsOf(message).find((call) => call?.name === name)?.arguments;
  if (called) {
    return { text: typeof called === "string" ? called : JSON.stringify(called), repairs: ["parse.tool_call"] };
  }
  const field = typeof reasoning_content === "string" && reasoning_content ? reasoning_content : reasoning;
  const thought = typeof field === "string" && field.trim() !== "" ? field : (put?.reasoning ?? "");
  if (thought.trim() !== "") return { text: thought, repairs: ["parse.reasoning"] };
  return { text: "", repairs: [] };
}

/** The text of a part that is one: not its thinking, nor its refusal. */
function textOfPart(part: { type?: unknown; text?: unknown } | string | null): string {
  if (typeof part === "string") return part;
  const isText = /text$/.test(String(part?.type ?? "text"));
  return isText && typeof part?.text === "string" ? part.text : "";
}

function callsOf(message: ChatCompletionMessage): ({ name?: unknown; arguments?: unknown } | null | undefined)[] {
  const { function_call } = message as { function_call?: { name?: unknown; arguments?: unknown } };
  const calls = (message.tool_calls ?? []) as { function?: { name?: unknown; arguments?: unknown } }[];
  return [function_call, ...calls.map((call) => call?.function)];
}

function argumentsOf(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

/** Counts a repair among those of the answer. */
function note(outcome: Outcome | undefined, code: JSONRepair): void {
  const known = outcome?.repairs.find((repair) => repair.code === code);
  if (known) known.count++;
  else outcome?.repairs.push({ code, at: 0, count: 1 });
}
