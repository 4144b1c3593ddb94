/** The gateway in workerd, between real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { after, before, describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import type { RunningWorker } from "../../worker/workerd.ts";
import { ask, startUpstream } from "../worker/network.ts";
import { headers, openRecordSink, start } from "./running.ts";
import { CHAT, chat, DONE, randomFrom, says, usageEvent } from "./setting.ts";

/** A client that is killed once it has read so many bytes. Resolves with whether there were as many. */
function killedAfter(url: URL, body: string, bytes: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: "POST", headers });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming: IncomingMessage) => {
      // From here on it is the test that breaks the connection.
      outgoing.on("error", () => {});
      incoming.on("error", () => {});
      let length = 0;
      incoming.on("data", (piece: Buffer) => {
        const wasThere = length >= bytes;
        length += piece.length;
        if (wasThere || length < bytes) return;
        outgoing.socket?.resetAndDestroy();
        resolve(true);
      });
      incoming.once("end", () => resolve(false));
    });
    outgoing.end(body);
  });
}

describe("draining in workerd", { timeout: 120_000 }, () => {
  const emulator = createEmulator({ tokensPerSecond: 1500 });
  let upstream: Awaited<ReturnType<typeof serve>>;
  let sink: Awaited<ReturnType<typeof openRecordSink>>;
  let worker: RunningWorker;
  before(async () => {
    upstream = await serve(emulator);
    sink = await openRecordSink();
    worker = await start(upstream.url, sink.url, "drain");
  });
  after(async () => {
    await worker?.stop();
    await upstream?.close();
    sink?.close();
  });

  it("counts what the provider counts, wherever clients are killed", async () => {
    const random = randomFrom(7);
    const runs = 400;
    let killed = 0;
    for (let run = 0; run < runs; run += 8) {
      const some = Array.from({ length: 8 }, (_, offset) => {
        const text = `Tell me about number ${run + offset}`;
        const body = chat(text, { stream: true, max_tokens: 30 }).body as string;
        return killedAfter(new URL(CHAT, worker.url), body, 1 + random(4500));
      });
      killed += (await Promise.all(some)).filter(Boolean).length;
    }
    const records = await sink.recorded(runs);
    assert.ok(killed > runs / 3, `${killed} were killed`);
    assert.equal(records.length, runs);
    for (const { upstreamRequestId, tokens, estimated, outcome } of records) {
      const own = emulator.ledger.records.find(({ requestId }) => requestId === upstreamRequestId);
      assert.deepEqual([tokens, estimated, outcome], [own?.usage?.total_tokens, false, "complete"]);
    }
    assert.equal(
      records.reduce((sum, { tokens }) => sum + (tokens ?? 0), 0),
      emulator.ledger.tokens.total,
    );
    assert.ok(
      records.some(({ disconnected }) => disconnected),
      "nobody was seen to leave",
    );
  });
});

describe("the gateway in workerd", { timeout: 60_000 }, () => {
  let upstream: Awaited<ReturnType<typeof startUpstream>>;
  let sink: Awaited<ReturnType<typeof openRecordSink>>;
  let worker: RunningWorker;
  before(async () => {
    upstream = await startUpstream();
    sink = await openRecordSink();
    worker = await start(upstream.url, sink.url, "abort");
  });
  after(async () => {
    await worker?.stop();
    await upstream?.stop();
    sink?.close();
  });
  const post = (params: Record<string, unknown>) =>
    fetch(new URL(CHAT, worker.url), { ...chat("hi", params), headers } as RequestInit);

  it("passes each event on at once, and takes the usage out", async () => {
    const answer = post({ stream: true, model: "single" });
    const { response, headers } = await upstream.next();
    assert.equal(headers.authorization, "Bearer sk-of-this-test");
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "up-1" });
    response.flushHeaders();
    const { body, headers: answered } = await answer;
    assert.equal(answered.get("x-upstream-request-id"), "up-1");
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    const decoder = new TextDecoder();
    for (const pieces of [[says("नम").slice(0, 40), says("नम").slice(40)], [says("b", "stop")]]) {
      for (const piece of pieces) response.write(piece);
      let received = "";
      while (received !== pieces.join("")) received += decoder.decode((await reader.read()).value, { stream: true });
    }
    response.end(usageEvent + DONE);
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += decoder.decode(value, { stream: true });
    }
    assert.equal(rest, DONE);
    const [record] = await sink.recorded(1);
    assert.deepEqual(
      [record?.caller, record?.tokens, record?.cached, record?.disconnected],
      ["tester", 7, null, false],
    );
  });

  it("stops the provider when the caller leaves", async () => {
    const outgoing = request(new URL(CHAT, worker.url), { method: "POST", headers });
    outgoing.on("error", () => {});
    outgoing.end(chat("hi", { stream: true }).body as string);
    const { response, closed } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(says("half an answer"));
    const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
    incoming.on("error", () => {});
    await once(incoming, "data");
    outgoing.socket?.resetAndDestroy();
    await closed;
    const record = (await sink.recorded(2))[1];
    assert.deepEqual([record?.outcome, record?.disconnected, record?.estimated], ["aborted", true, true]);
  });

  it("asks the next provider when the first fails", async () => {
    const answer = post({});
    const first = await upstream.next();
    assert.equal(first.url, "/waves/v1/chat/completions");
    first.response.writeHead(503).end("{}");
    const second = await upstream.next();
    assert.equal(second.url, "/other/v1/chat/completions");
    second.response.writeHead(200, { "content-type": "application/json" });
    second.response.end(JSON.stringify({ choices: [{ message: { content: "hi" }, finish_reason: "stop" }] }));
    assert.equal((await answer).status, 200);
    await (await answer).text();
    assert.equal((await sink.recorded(3))[2]?.provider, "other");
  });

  it("breaks off where the provider does", async () => {
    const answer = post({ stream: true });
    const { response } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(says("half"));
    const { body } = await answer;
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    response.destroy();
    await assert.rejects(async () => {
      while (!(await reader.read()).done);
    });
    assert.equal((await sink.recorded(4))[3]?.outcome, "truncated");
  });

  it("refuses who has no token", async () => {
    for (const path of ["/v1/models", CHAT]) {
      const method = path === CHAT ? "POST" : "GET";
      assert.equal((await ask(new URL(path, worker.url), { method, headers: { host: "example.com" } })).status, 401);
    }
    assert.equal((await ask(new URL("/healthz", worker.url))).status, 200);
  });
});
