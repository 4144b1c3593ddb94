/** The response beside the answer, and without it. */
import OpenAI from "openai";

const client = new OpenAI();
const params: OpenAI.Chat.ChatCompletionCreateParamsNonStreaming = {
  model: "gpt-4o",
  messages: [{ role: "user", content: "Echo: headers" }],
};
const response = await client.chat.completions.create(params).asResponse();
console.log(response.status, response.headers.get("content-type"));
console.log(((await response.json()) as OpenAI.ChatCompletion).choices[0]?.message.content);
const { data, response: raw, request_id } = await client.chat.completions.create(params).withResponse();
console.log(raw.ok, data.object, request_id === raw.headers.get("x-request-id"));
const stream = await client.chat.completions.create({ ...params, stream: true }).withResponse();
console.log(stream.response.status);
let text = "";
for await (const chunk of stream.data) text += chunk.choices[0]?.delta.content ?? "";
console.log(text);
