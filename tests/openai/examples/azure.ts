/** OpenAI on Azure. */
import { AzureOpenAI } from "openai";

const deployment = "gpt-4o";
const client = new AzureOpenAI({
  endpoint: process.env.EXAMPLE_AZURE_ENDPOINT,
  apiKey: "azure-key",
  apiVersion: "2024-10-21",
  deployment,
});
const result = await client.chat.completions.create({
  model: deployment,
  messages: [{ role: "user", content: "Echo: azure" }],
});
console.log(result.choices[0]?.message?.content);
const stream = await client.chat.completions.create({
  model: deployment,
  messages: [{ role: "user", content: "Echo: azure streams" }],
  stream: true,
});
for await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content ?? "");
process.stdout.write("\n");
