/** Handlers of requests, as frameworks have them: the stream as lines of JSON, and its text alone; and a reader that leaves. */
import OpenAI from "openai";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";

const openai = new OpenAI();

async function lines(request: Request): Promise<Response> {
  const content = await request.text();
  const stream = openai.chat.completions.stream(
    { model: "gpt-3.5-turbo", stream: true, messages: [{ role: "user", content }] },
    { signal: request.signal },
  );
  return new Response(stream.toReadableStream());
}

async function plain(request: Request): Promise<Response> {
  const content = await request.text();
  const stream = await openai.chat.completions.create({
    model: "gpt-3.5-turbo",
    stream: true,
    messages: [{ role: "user", content }],
  });
  const chunks = stream[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(new TextEncoder().encode(value.choices[0]?.delta.content || ""));
    },
  });
  return new Response(body, { headers: { "content-type": "text/plain" } });
}

const asked = (body: string, init?: RequestInit) => new Request("http://localhost/", { method: "POST", body, ...init });

const text = await (await lines(asked("Echo: as lines"))).text();
for (const line of text.trim().split("\n")) console.log(Object.keys(JSON.parse(line)).join(" "));
const answer = await lines(asked("Echo: read again"));
console.log(await ChatCompletionStream.fromReadableStream(answer.body as ReadableStream).finalContent());
console.log(await (await plain(asked("Echo: text alone"))).text());

const controller = new AbortController();
const left = await lines(asked("Tell me a long story", { signal: controller.signal }));
const reader = (left.body as ReadableStream<Uint8Array>).getReader();
console.log((await reader.read()).done);
controller.abort();
const rest = async () => {
  while (!(await reader.read()).done);
};
console.log(
  await rest().then(
    () => "ended",
    (error) => error.message,
  ),
);
