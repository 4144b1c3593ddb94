/** The client before a gateway that keeps streams, on a connection that does not hold. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { Chatwire, NotFoundError } from "chatwire";
import { cuttable } from "./cuttable.ts";
import { startKeeping } from "./running.ts";
import { randomFrom, until } from "./setting.ts";

let keeping: Awaited<ReturnType<typeof startKeeping>>;
let line: Awaited<ReturnType<typeof cuttable>>;

before(async () => {
  keeping = await startKeeping(400);
});
after(() => keeping?.stop());
beforeEach(async () => {
  keeping.sink.records.length = 0;
  line = await cuttable(keeping.worker.url);
});
afterEach(() => line.stop());

const clientOf = (apiKey = "alice") => new Chatwire({ baseURL: new URL("/v1", line.url).href, apiKey });
const ask = (content: string) => ({
  model: "electron",
  messages: [{ role: "user" as const, content }],
  stream_options: { include_usage: true },
});
const words = Array.from({ length: 120 }, (_, word) => `w${word}`).join(" ");

describe("a stream of a gateway that keeps it", { timeout: 120_000 }, () => {
  it("goes on by itself wherever its connection is cut, with nothing lost or doubled", async () => {
    const random = randomFrom(17);
    line.cutAfter(() => 600 + random(5000));
    const answers = Array.from({ length: 12 }, async (_, run) => {
      const client = clientOf();
      const stream = client.chat.completions.stream(ask(`Echo: ${words} ${run}`));
      let text = "";
      if (run % 3 === 0) for await (const piece of stream.textStream) text += piece;
      if (run % 3 === 1) for await (const event of stream.events) text += event.type === "text" ? event.text : "";
      if (run % 3 === 2) for await (const chunk of stream) text += chunk.choices?.[0]?.delta?.content ?? "";
      assert.equal(text, `${words} ${run}`);
      const { status, repairs, usage } = await stream.outcome();
      assert.deepEqual([status, repairs], ["complete", []]);
      assert.equal(client.usage.requests, 1);
      return usage?.total_tokens;
    });
    const tokens = await Promise.all(answers);
    assert.ok(line.connections() > 30, `${line.connections()} connections`);
    const records = await keeping.sink.recorded(12);
    assert.deepEqual(records.map(({ tokens }) => tokens).sort(), tokens.map(Number).sort());
  });

  it("goes on when the network is back", async () => {
    const stream = clientOf().chat.completions.stream(ask(`Echo: ${words} [emulator: tps=100]`));
    const pieces = stream.textStream[Symbol.asyncIterator]();
    let text = "";
    while (text.length < 100) text += (await pieces.next()).value ?? "";
    line.close();
    // The provider goes on meanwhile.
    await keeping.sink.recorded(1);
    line.open();
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) text += next.value;
    assert.equal(text, words);
    assert.equal((await stream.outcome()).status, "complete");
  });

  it("is taken up on another page by its id, and by nobody else", async () => {
    const stream = await clientOf().chat.completions.create({ ...ask("Echo: one two three"), stream: true });
    const id = stream.resumeId ?? assert.fail("no id");
    for await (const _ of stream) break;
    const { text, status } = await clientOf().chat.completions.resume(id).outcome();
    assert.deepEqual([text, status], ["one two three", "complete"]);
    const { error } = await clientOf("bob").chat.completions.resume(id).outcome();
    assert.ok(error instanceof NotFoundError);
    assert.equal(error.code, "stream_not_found");
  });

  it("stops when it is told to, and is only left otherwise", async () => {
    const client = clientOf();
    const [left, stopped] = [1, 2].map(() => client.chat.completions.stream(ask("Count to 200 [emulator: tps=300]")));
    assert.ok(left && stopped);
    for (const stream of [left, stopped]) await stream.textStream[Symbol.asyncIterator]().next();
    left.abort();
    await stopped.stop();
    assert.equal((await stopped.outcome()).status, "aborted");
    const records = await keeping.sink.recorded(2);
    assert.deepEqual(records.map(({ outcome }) => outcome).sort(), ["aborted", "complete"]);
    await until(() => keeping.emulator.ledger.open === 0);
  });

  it("is read to its usage when it is left before its headers", async () => {
    const requests = keeping.emulator.ledger.requests;
    const stream = clientOf().chat.completions.stream(ask("Echo: one two [emulator: slow-headers=300]"));
    const outcome = stream.outcome();
    await until(() => keeping.emulator.ledger.requests > requests);
    stream.abort();
    assert.equal((await outcome).status, "aborted");
    const [record] = await keeping.sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.completionTokens, record?.estimated], ["complete", 2, false]);
  });

  it("is found by an id that its page has chosen, after a reload that came before the headers", async () => {
    const requests = keeping.emulator.ledger.requests;
    const resumeId = crypto.randomUUID();
    const page = clientOf().chat.completions.stream(ask("Echo: one two three [emulator: slow-headers=1500]"), {
      resumeId,
    });
    const left = page.outcome();
    await until(() => keeping.emulator.ledger.requests > requests);
    page.abort();
    assert.equal((await left).status, "aborted");
    const outcomes = [clientOf(), clientOf()].map((client) => client.chat.completions.resume(resumeId).outcome());
    for (const { status, text } of await Promise.all(outcomes)) {
      assert.deepEqual([status, text], ["complete", "one two three"]);
    }
    const { error } = await clientOf("bob").chat.completions.resume(resumeId).outcome();
    assert.ok(error instanceof NotFoundError);
    assert.equal(keeping.emulator.ledger.requests, requests + 1);
    assert.equal((await keeping.sink.recorded(1))[0]?.outcome, "complete");
  });

  it("is truncated when the gateway's object restarts", async () => {
    const stream = clientOf().chat.completions.stream(ask("Count to 1000 [emulator: tps=200]"));
    const pieces = stream.textStream[Symbol.asyncIterator]();
    for (let text = ""; text.length < 400; ) text += (await pieces.next()).value ?? "";
    await (await fetch(new URL(`/crash/${stream.resumeId}`, keeping.worker.url))).text();
    await assert.rejects(async () => {
      while (!(await pieces.next()).done);
    });
    assert.equal((await stream.outcome()).status, "truncated");
    const [record] = await keeping.sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.estimated], ["truncated", true]);
  });
});
