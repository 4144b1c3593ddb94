/** Tools made of zod, run by `runTools`. */
import OpenAI from "openai";
import { zodFunction } from "openai/helpers/zod";
import { z } from "zod/v4";

const books = [
  { id: "a1", name: "To Kill a Mockingbird", genre: "historical" },
  { id: "a2", name: "All the Light We Cannot See", genre: "historical" },
];
const ListParams = z.object({ genre: z.enum(["mystery", "nonfiction", "memoir", "romance", "historical"]) });

async function list({ genre }: z.infer<typeof ListParams>) {
  console.log("listed");
  return books.filter((book) => book.genre === genre || genre !== null).map(({ id, name }) => ({ id, name }));
}

const client = new OpenAI();
const runner = client.chat.completions
  .runTools({
    model: "gpt-4o",
    messages: [{ role: "user", content: "Please list historical books" }],
    stream: true,
    tools: [
      zodFunction({ name: "list_books", description: "List books by genre", parameters: ListParams, function: list }),
    ],
  })
  .on("message", (message) => console.log(message.role))
  .on("functionToolCall", (call) => console.log("call", call.name))
  .on("functionToolCallResult", (result) => console.log("result", result))
  .on("content", (delta) => process.stdout.write(delta));
console.log("\nlast", (await runner.finalChatCompletion()).choices[0]?.finish_reason);
