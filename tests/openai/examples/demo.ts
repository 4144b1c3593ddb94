/** A question and its answer, whole and streamed. */
import OpenAI from "openai";

const openai = new OpenAI();

const completion = await openai.chat.completions.create({
  model: "gpt-4o",
  messages: [{ role: "user", content: "Echo: this is a test" }],
});
console.log(completion.choices[0]?.message?.content);

const stream = await openai.chat.completions.create({
  model: "gpt-4o",
  messages: [{ role: "user", content: "How do I list files in a folder?" }],
  stream: true,
});
for await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content || "");
process.stdout.write("\n");
