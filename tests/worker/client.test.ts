/** The package inside workerd: one client at module scope, shared by requests that overlap. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { ask, call, type Received, startUpstream } from "./network.ts";

let upstream: Awaited<ReturnType<typeof startUpstream>>;
let worker: RunningWorker;

before(async () => {
  upstream = await startUpstream();
  worker = await startWorker({
    entry: join(import.meta.dirname, "client-worker.ts"),
    bindings: { UPSTREAM: upstream.url },
  });
});

after(async () => {
  await worker.stop();
  await upstream.stop();
});

const say = (words: string) => ask(new URL(`/?say=${words}`, worker.url));
const chunk = (content: string, finish_reason: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "any", choices: [{ index: 0, delta: { content }, finish_reason }] })}\n\n`;
const words = ({ body }: Received): string => JSON.parse(body).messages[0].content;

describe("a client made at module scope", { timeout: 60_000 }, () => {
  it("streams", async () => {
    const answer = say("text");
    const { response, headers } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(`${chunk("நன்")}${chunk("றி 👋🏽", "stop")}data: [DONE]\n\n`);
    assert.equal(JSON.parse((await answer).text).text, "நன்றி 👋🏽");
    assert.equal(headers.authorization, "Bearer sk-of-this-test");
  });

  it("serves two requests whose answers arrive in turns", async () => {
    const answers = [say("one"), say("two")];
    const received = [await upstream.next(), await upstream.next()];
    for (const { response } of received) response.writeHead(200, { "content-type": "text/event-stream" });
    for (let round = 0; round < 5; round++) {
      for (const each of received) await new Promise((done) => each.response.write(chunk(`${words(each)} `), done));
    }
    for (const { response } of received) response.end(`${chunk("", "stop")}data: [DONE]\n\n`);
    const outcomes = (await Promise.all(answers)).map(({ text }) => JSON.parse(text));
    assert.deepEqual(
      outcomes.map(({ status, text }) => [status, text]),
      [
        ["complete", "one ".repeat(5)],
        ["complete", "two ".repeat(5)],
      ],
    );
  });

  it("still serves after one of two requests was left", async () => {
    const client = call(new URL("/?say=left", worker.url), { method: "GET" });
    const first = await upstream.next();
    first.response.writeHead(200, { "content-type": "text/event-stream" });
    first.response.write(chunk("never read"));
    const stayed = say("stayed");
    const second = await upstream.next();
    client.reset();
    await first.closed;
    second.response.writeHead(200, { "content-type": "text/event-stream" });
    second.response.end(`${chunk("here", "stop")}data: [DONE]\n\n`);
    assert.equal(JSON.parse((await stayed).text).text, "here");
  });

  it("gives a truncated answer its name", async () => {
    const answer = say("cut");
    const { response } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(chunk("half"));
    const { status, text, usage } = JSON.parse((await answer).text);
    assert.deepEqual(
      { status, text, estimated: usage.estimated },
      { status: "truncated", text: "half", estimated: true },
    );
  });
});
