/** A stream that is stopped: by leaving, by its controller, by a signal. */
import OpenAI from "openai";

const client = new OpenAI();
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Tell me a long story" }];

const left = await client.chat.completions.create({ model: "gpt-4o", messages, stream: true });
for await (const chunk of left) if (chunk.choices[0]?.delta.content) break;
console.log("left", left.controller.signal.aborted);

const stopped = await client.chat.completions.create({ model: "gpt-4o", messages, stream: true });
for await (const chunk of stopped) if (chunk.choices[0]?.delta.content) stopped.controller.abort();
console.log("stopped");

const controller = new AbortController();
const emitter = client.chat.completions.stream({ model: "gpt-4o", messages }, { signal: controller.signal });
emitter.on("content", () => controller.abort());
emitter.on("abort", (error) => console.log("abort", error instanceof OpenAI.APIUserAbortError));
await emitter.done().catch((error) => console.log(error.message));
