/** The same while it streams. */
import OpenAI from "openai";
import { zodFunction } from "openai/helpers/zod";
import { z } from "zod/v4";

const client = new OpenAI();
const stream = client.chat.completions
  .stream({
    model: "gpt-4o",
    messages: [{ role: "user", content: "What is the weather in Paris and London?" }],
    tools: [
      zodFunction({ name: "get_weather", parameters: z.object({ city: z.string(), units: z.enum(["c", "f"]) }) }),
    ],
  })
  .on("tool_calls.function.arguments.delta", ({ name, parsed_arguments }) =>
    console.log(name, JSON.stringify(parsed_arguments)),
  )
  .on("tool_calls.function.arguments.done", ({ name, index, parsed_arguments }) =>
    console.log("done", name, index, JSON.stringify(parsed_arguments)),
  );
const completion = await stream.finalChatCompletion();
console.log(completion.choices[0]?.message.tool_calls?.length);
