/** OpenAI on Azure by its newer address: the usual client, with a token that is asked for anew with each request. */
import OpenAI from "openai";

let given = 0;
const client = new OpenAI({
  baseURL: `${process.env.EXAMPLE_AZURE_ENDPOINT}/openai/v1/`,
  apiKey: async () => `token-${++given}`,
});
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Echo: by a token" }];
const result = await client.chat.completions.create({ model: "gpt-4o", messages });
console.log(result.choices[0]?.message?.content);
const stream = await client.chat.completions.create({ model: "gpt-4o", messages, stream: true });
for await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content ?? "");
console.log(`\n${given} tokens`);
