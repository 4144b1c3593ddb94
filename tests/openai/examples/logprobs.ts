/** How likely the tokens were. */
import OpenAI from "openai";

const openai = new OpenAI();
const stream = openai.chat.completions
  .stream({ model: "gpt-4o", messages: [{ role: "user", content: "Echo: likely" }], logprobs: true })
  .on("logprobs.content.delta", ({ content }) => console.log(content.length > 0))
  .on("logprobs.content.done", ({ content }) => console.log("all", content.map(({ token }) => token).join("")));
const completion = await stream.finalChatCompletion();
console.log(completion.choices[0]?.logprobs?.content?.length ?? "none");
