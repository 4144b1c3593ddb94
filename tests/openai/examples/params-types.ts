/** Parameters by their types: declared, inferred, and made by a function that says which they are. */
import OpenAI from "openai";
import { Stream } from "openai/streaming";

const client = new OpenAI();
const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: "user", content: "Echo: which type is it?" }];

const whole: OpenAI.Chat.ChatCompletionCreateParams = { model: "gpt-4", messages };
const completion = await client.chat.completions.create(whole);
console.log(completion.choices[0]?.message.content);

const streaming: OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming = {
  model: "gpt-4",
  messages,
  stream: true,
};
for await (const chunk of await client.chat.completions.create(streaming)) {
  process.stdout.write(chunk.choices[0]?.delta?.content || "");
}
process.stdout.write("\n");

const inferred = {
  model: "gpt-4",
  messages: [{ role: "user" as const, content: "Echo: inferred" }],
  stream: true as const,
};
let text = "";
for await (const chunk of await client.chat.completions.create(inferred))
  text += chunk.choices[0]?.delta?.content ?? "";
console.log(text);

for (const stream of [true, false]) {
  const either = await client.chat.completions.create({ model: "gpt-4", messages, stream });
  if (either instanceof Stream) {
    console.log("a stream", either instanceof Stream);
    for await (const chunk of either) if (chunk.choices[0]?.finish_reason) console.log(chunk.choices[0].finish_reason);
  } else {
    console.log("a completion", either.object);
  }
}

function paramsOf(stream: true): OpenAI.Chat.ChatCompletionCreateParamsStreaming;
function paramsOf(stream: false): OpenAI.Chat.ChatCompletionCreateParamsNonStreaming;
function paramsOf(stream: boolean): OpenAI.Chat.ChatCompletionCreateParams {
  return { model: "gpt-3.5-turbo", messages, stream };
}

console.log(await client.chat.completions.create(paramsOf(false)));
console.log(await client.chat.completions.create(paramsOf(true)));
