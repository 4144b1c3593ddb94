/**
 * A request for JSON of a shape, for a server that does not take the shape as a parameter.
 */
import type { ProviderFacts } from "../engine/boundary.ts";
import type { ChatCompletionMessageParam, JSONSchema } from "../types.ts";

/**
 * The JSON text of a request in the form that a server takes. A request for a `json_schema` becomes one for a `json_object` where
 * the server does not document the first; every other request stays as it is.
 * @param isTold whether the schema, and the word JSON, then go into the messages
 */
export function suited(body: string, { jsonSchema }: Pick<ProviderFacts, "jsonSchema">, isTold = true): string {
  if (jsonSchema) return body;
  const sent = JSON.parse(body);
  const { messages, response_format } = sent;
  if (response_format?.type !== "json_schema") return body;
  const told = isTold && Array.isArray(messages) && withSchema(messages, response_format.json_schema?.schema ?? {});
  return JSON.stringify({ ...sent, ...(told && { messages: told }), response_format: { type: "json_object" } });
}

/** The messages with the schema: at the end of the first system message, or as one of its own. */
function withSchema(
  messages: readonly (ChatCompletionMessageParam | null)[],
  schema: JSONSchema,
): (ChatCompletionMessageParam | null)[] {
  const wish = `Answer with JSON that fits this JSON Schema, and with nothing else: ${JSON.stringify(schema)}`;
  const at = messages.findIndex((message) => message?.role === "system" || message?.role === "developer");
  const first = messages[at];
  if (!first || typeof first.content !== "string") return [{ role: "system", content: wish }, ...messages];
  return messages.map((message, index) =>
    index === at ? ({ ...first, content: `${first.content}\n\n${wish}` } as ChatCompletionMessageParam) : message,
  );
}
