/** Tools as openai's README writes them, run by `runTools`. */
import OpenAI from "openai";
import type { RunnableToolFunction } from "openai/lib/RunnableFunction";

const openai = new OpenAI();

type Args = { location: string };

const tools: RunnableToolFunction<Args>[] = [
  {
    type: "function",
    function: {
      name: "getWeather",
      description: "Weather of a location",
      parse: JSON.parse,
      parameters: { type: "object", properties: { location: { type: "string" } } },
      function: getWeather,
    },
  },
];

async function getWeather({ location }: Args) {
  return { location, temperature: 21, sunny: true };
}

const runner = openai.chat.completions
  .runTools({
    model: "gpt-4o",
    messages: [{ role: "user", content: "How is the weather this week in Paris?" }],
    tools,
  })
  .on("functionToolCall", ({ name, arguments: args }) => console.log("call", name, args))
  .on("functionToolCallResult", (result) => console.log("result", result))
  .on("message", (message) => console.log("message", message.role));
console.log("final", await runner.finalContent());
console.log(await runner.totalUsage());
