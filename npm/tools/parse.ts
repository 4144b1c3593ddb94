/**
 * Structured answers: asks for JSON of a shape, and checks what came. Loaded with the first `parse`.
 */
import { ProtocolError } from "../errors.ts";
import type { Answered } from "../request/api-promise.ts";
import type {
  ChatCompletion,
  ChatCompletionChoice,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessage,
  JSONSchema,
  ResponseFormat,
  WithRequestId,
} from "../types.ts";
import { check, inWords, isStandard, jsonSchemaOf, type Schema, type StandardSchema } from "./schema.ts";

/** A completion whose text was read as the JSON it was asked to be. */
export interface ParsedChatCompletion<T> extends Omit<ChatCompletion, "choices"> {
  choices: (Omit<ChatCompletionChoice, "message"> & {
    /** `parsed` is null when the model refused. */
    message: ChatCompletionMessage & { parsed: T | null };
  })[];
}

/** What `APIPromise` is made of. */
interface Parsed<T> extends Answered {
  data: WithRequestId<ParsedChatCompletion<T>>;
}

/**
 * Asks for a completion by `create` and reads it.
 * @param knowsSchemas whether the server documents `json_schema`
 */
export async function parse<T>(
  params: { response_format?: ResponseFormat | StandardSchema<T> } | undefined,
  create: (
    sent: ChatCompletionCreateParamsNonStreaming,
  ) => Promise<{ data: WithRequestId<ChatCompletion>; response: Response; request_id: string | null }>,
  knowsSchemas: () => Promise<boolean>,
): Promise<Parsed<T>> {
  const wanted = wantedOf<T>(params?.response_format, await knowsSchemas());
  const sent = { ...params, stream: false, ...(wanted.format && { response_format: wanted.format }) };
  const { data, response, request_id } = await create(sent as ChatCompletionCreateParamsNonStreaming);
  return { data: await parsed<T>(data, wanted), response, requestId: request_id };
}

/** The shape as the server is asked for it, and as it is checked here. */
interface Wanted<T> {
  format: ResponseFormat | undefined;
  schema: Schema<T> | undefined;
}

/**
 * @param asked what the caller gave as `response_format`
 * @param knowsSchemas whether the server documents `json_schema`; else it is asked for any JSON
 */
function wantedOf<T>(asked: ResponseFormat | StandardSchema<T> | undefined, knowsSchemas: boolean): Wanted<T> {
  if (asked && isStandard(asked as Schema<T>)) {
    const schema = asked as StandardSchema<T>;
    if (!knowsSchemas) return { format: { type: "json_object" }, schema };
    return { format: { type: "json_schema", json_schema: { name: "answer", schema: jsonSchemaOf(schema) } }, schema };
  }
  const format = asked as ResponseFormat | undefined;
  if (format?.type !== "json_schema") return { format, schema: undefined };
  const schema: JSONSchema = format.json_schema.schema ?? {};
  return { format: knowsSchemas ? format : { type: "json_object" }, schema };
}

/**
 * Reads each answer of a completion.
 * @throws {ProtocolError} an answer is not JSON, was cut short, or does not fit; it does not repeat the answer
 */
async function parsed<T>(
  completion: WithRequestId<ChatCompletion>,
  { schema }: Wanted<T>,
): Promise<WithRequestId<ParsedChatCompletion<T>>> {
  for (const { message, finish_reason } of completion.choices ?? []) {
    const text = message?.content;
    if (typeof text !== "string" || text === "" || message.refusal) {
      if (message) Object.assign(message, { parsed: null });
      continue;
    }
    if (finish_reason === "length") {
      throw new ProtocolError("The answer was cut at the token limit, so its JSON is not whole. Raise max_tokens.");
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new ProtocolError(
        "The answer is not the JSON that was asked for. Say in the messages that JSON is wanted.",
      );
    }
    const checked: { value: unknown } | { problems: Parameters<typeof inWords>[0] } = schema
      ? await check(schema, value)
      : { value };
    if ("problems" in checked)
      throw new ProtocolError(`The answer does not fit the schema. ${inWords(checked.problems)}`);
    Object.assign(message, { parsed: checked.value });
  }
  return completion as unknown as WithRequestId<ParsedChatCompletion<T>>;
}
