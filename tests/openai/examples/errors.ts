/** Every kind of error, and who sorts them. */
import OpenAI, { APIConnectionError, APIError, AuthenticationError, NotFoundError } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const sort = (error: unknown): string => {
  if (error instanceof AuthenticationError) return `key ${error.status}`;
  if (error instanceof NotFoundError) return `not found ${error.status}`;
  if (error instanceof APIConnectionError) return `connection ${error.status}`;
  if (error instanceof APIError) return `other ${error.status} ${error.type}`;
  return "unknown";
};
const ask = (content: string, options?: OpenAI.RequestOptions) =>
  client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content }] }, options);
for (const status of [400, 401, 404, 429, 500, 503]) {
  await ask(`Hi [emulator: status=${status}; retry-after=none]`).catch((error) => {
    console.log(status, sort(error), error instanceof OpenAI.APIError, error.message);
  });
}
await ask("Hi", { headers: { Authorization: "Token x" } }).catch((error) => console.log(sort(error)));
await ask("Hi", { signal: AbortSignal.abort() }).catch((error) => {
  console.log(error instanceof OpenAI.APIUserAbortError, error.message);
});
const nowhere = new OpenAI({ baseURL: "http://127.0.0.1:1/v1", maxRetries: 0 });
await nowhere.models.list().catch((error) => console.log(sort(error)));
