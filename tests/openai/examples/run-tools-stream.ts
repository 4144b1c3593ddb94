/** The same, streamed. */
import OpenAI from "openai";

const openai = new OpenAI();
const runner = openai.chat.completions
  .runTools({
    model: "gpt-4o",
    stream: true,
    messages: [{ role: "user", content: "What time is it in Tokyo?" }],
    tools: [
      {
        type: "function",
        function: {
          name: "get_time",
          description: "Current time of a city",
          parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
          parse: JSON.parse,
          function: ({ city }: { city: string }) => `noon in ${city}`,
        },
      },
    ],
  })
  .on("functionToolCall", (call) => console.log("call", call))
  .on("functionToolCallResult", (result) => console.log("result", result))
  .on("content", (delta) => process.stdout.write(delta));
const result = await runner.finalChatCompletion();
console.log("\n", result.choices[0]?.message);
console.log(runner.messages.map(({ role }) => role));
