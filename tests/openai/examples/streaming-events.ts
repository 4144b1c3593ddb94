/** The stream with its events, iterated beside them. */
import OpenAI from "openai";

const client = new OpenAI();

async function main() {
  const runner = client.chat.completions
    .stream({ model: "gpt-4o", messages: [{ role: "user", content: "Echo: events and chunks" }] })
    .on("message", (message) => console.log("message", message.role))
    .on("content", (delta) => process.stdout.write(delta));
  let chunks = 0;
  for await (const chunk of runner) if (chunk.choices[0]?.delta) chunks++;
  console.log("\nchunks", chunks > 0);
  const result = await runner.finalChatCompletion();
  console.log(result.choices[0]?.message);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
