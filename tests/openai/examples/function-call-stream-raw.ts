/** Tool calls put together from the chunks, by hand. */
import OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionMessage } from "openai/resources/chat";

const openai = new OpenAI();

function reduce(previous: ChatCompletionMessage, chunk: ChatCompletionChunk): ChatCompletionMessage {
  const join = (one: Record<string, unknown>, delta: Record<string, unknown>): Record<string, unknown> => {
    const all = { ...one };
    for (const [key, value] of Object.entries(delta)) {
      const before = all[key];
      if (before === undefined || before === null) all[key] = Array.isArray(value) ? joinLists([], value) : value;
      else if (typeof before === "string" && typeof value === "string") all[key] = before + value;
      else if (Array.isArray(before) && Array.isArray(value)) all[key] = joinLists(before, value);
      else if (typeof before === "object" && typeof value === "object" && value)
        all[key] = join(before as Record<string, unknown>, value as Record<string, unknown>);
    }
    return all;
  };
  const joinLists = (list: unknown[], deltas: unknown[]) => {
    const all = [...list];
    for (const { index, ...rest } of deltas as { index: number }[])
      all[index] = join((all[index] ?? {}) as Record<string, unknown>, rest);
    return all;
  };
  const delta = chunk.choices[0]?.delta;
  return delta ? (join({ ...previous }, { ...delta }) as unknown as ChatCompletionMessage) : previous;
}

let message = {} as ChatCompletionMessage;
const stream = await openai.chat.completions.create({
  model: "gpt-4o",
  stream: true,
  messages: [{ role: "user", content: "What is the weather in Paris and London?" }],
  tools: [
    {
      type: "function",
      function: {
        name: "get_weather",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    },
  ],
});
for await (const chunk of stream) message = reduce(message, chunk);
console.dir(message, { depth: 6 });
