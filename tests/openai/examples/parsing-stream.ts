/** The same while it streams: the object grows. */
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod/v4";

const client = new OpenAI();
const stream = client.chat.completions
  .stream({
    model: "gpt-4o",
    messages: [{ role: "user", content: "Which city is it? Paris" }],
    response_format: zodResponseFormat(z.object({ city: z.string(), country: z.string() }), "place"),
  })
  .on("refusal.delta", ({ delta }) => process.stdout.write(delta))
  .on("content.delta", ({ parsed }) => console.log("so far", JSON.stringify(parsed)))
  .on("content.done", ({ parsed }) => console.log("whole", parsed?.city));
await stream.done();
const completion = await stream.finalChatCompletion();
console.dir(completion.choices[0]?.message.parsed, { depth: 5 });
