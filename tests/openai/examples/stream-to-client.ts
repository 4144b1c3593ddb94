/** A server that passes a stream on, and the page that reads it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";

const openai = new OpenAI();
const server = createServer(async (request, response) => {
  let content = "";
  for await (const piece of request) content += piece;
  const stream = openai.chat.completions.stream({ model: "gpt-4o", messages: [{ role: "user", content }] });
  response.setHeader("content-type", "text/plain");
  for await (const chunk of stream.toReadableStream()) response.write(chunk);
  response.end();
});
await new Promise<void>((resolve) => server.listen(0, resolve));
const { port } = server.address() as AddressInfo;
const answer = await fetch(`http://localhost:${port}`, { method: "POST", body: "Echo: from the server to the page" });
const runner = ChatCompletionStream.fromReadableStream(answer.body as ReadableStream);
runner.on("content", (delta, snapshot) => console.log(delta.length > 0, snapshot.length > 0));
console.dir(await runner.finalChatCompletion(), { depth: 6 });
server.close();
