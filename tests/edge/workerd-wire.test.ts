/** The wire of the gateway in workerd: bytes, callers, bodies, headers, and providers in trouble. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { SignJWT } from "jose";
import type { RunningWorker } from "../../worker/workerd.ts";
import { type Answer, ask, errorOf, startUpstream } from "../worker/network.ts";
import { hasRecordings, streams, withoutUsage } from "./recordings.ts";
import { headers, openRecordSink, PAGE, PAGE_SECRET, start } from "./running.ts";
import { asText, bytesOf, CHAT, chat, cut, randomFrom, says, until } from "./setting.ts";

let sink: Awaited<ReturnType<typeof openRecordSink>>;
before(async () => {
  sink = await openRecordSink();
});
after(() => sink?.close());
beforeEach(() => {
  sink.records.length = 0;
});

/** A provider that gives each answer to a function of the test. */
async function startProvider(answer: (response: ServerResponse, content: string) => unknown) {
  const server = createServer(async (incoming, response) => {
    const { messages } = JSON.parse(Buffer.concat(await incoming.toArray()).toString());
    response.on("error", () => {});
    await answer(response, messages[0].content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("bytes in workerd", { timeout: 120_000 }, () => {
  const all = new Map(streams());
  const random = randomFrom(31);
  let provider: Awaited<ReturnType<typeof startProvider>>;
  let worker: RunningWorker;
  before(async () => {
    provider = await startProvider(async (response, content) => {
      const [name = "", most] = content.split("|");
      response.socket?.setNoDelay();
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const piece of cut(all.get(name) as Uint8Array, Number(most), random)) {
        // Written by itself, so that it may arrive by itself.
        await new Promise((written) => response.write(piece, written));
      }
      response.end();
    });
    worker = await start(provider.url, sink.url, "drain");
  });
  after(async () => {
    await worker?.stop();
    provider?.stop();
  });
  const post = (content: string, params: object) =>
    fetch(new URL(CHAT, worker.url), { ...chat(content, { stream: true, ...params }), headers } as RequestInit);

  it("are recorded ones too", { skip: hasRecordings ? false : "no recordings beside this repository" }, () => {
    assert.ok(all.size > 12);
  });
  for (const [name, bytes] of all) {
    const sizes = bytes.length < 10_000 ? [1, 7, 64] : [700, 20_000, 100_000];
    it(`${name}: every one for a caller who asks for usage, and all but the usage for one who does not`, async () => {
      for (const most of sizes) {
        const whole = await bytesOf(await post(`${name}|${most}`, { stream_options: { include_usage: true } }));
        assert.deepEqual(whole, new Uint8Array(bytes), `reads of up to ${most} bytes`);
        const rest = await bytesOf(await post(`${name}|${most}`, {}));
        assert.equal(asText(rest), withoutUsage(bytes).text, `reads of up to ${most} bytes`);
      }
    });
  }
});

describe("a slow reader of workerd", { timeout: 120_000 }, () => {
  it("holds the provider back, however long the answer", async () => {
    const MEGABYTE = 2 ** 20;
    const padding = `: ${"x ".repeat(32_768)}\n\n`; // a long word would count as a key
    let [written, isOver] = [0, false];
    const provider = await startProvider(async (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const closed = once(response, "close");
      while (!isOver) {
        const piece = says("word ") + padding;
        written += piece.length;
        if (!response.write(piece)) await Promise.race([once(response, "drain"), closed]);
        isOver ||= response.destroyed;
      }
    });
    const worker = await start(provider.url, sink.url, "abort");
    const socket = connect(Number(worker.url.port), "127.0.0.1");
    try {
      const body = chat("hi", { stream: true }).body as string;
      const lines = Object.entries({ host: "localhost", ...headers, "content-length": body.length });
      socket.write(`POST ${CHAT} HTTP/1.1\r\n${lines.map((line) => line.join(": ")).join("\r\n")}\r\n\r\n${body}`);
      let taken = 0;
      for (let megabytes = 1; megabytes <= 64; megabytes++) {
        while (taken < megabytes * MEGABYTE) {
          const piece: Buffer | null = socket.read();
          if (piece) taken += piece.length;
          else await once(socket, "readable");
        }
        // Time enough for the others to run ahead, if they could.
        for (let round = 0; round < 20; round++) await new Promise(setImmediate);
        // The bytes that the kernel's and the runtimes' own buffers hold.
        assert.ok(written - taken < 24 * MEGABYTE, `${written - taken} bytes are under way after ${megabytes} MB`);
      }
    } finally {
      isOver = true;
      socket.destroy();
      await sink.recorded(1);
      await worker.stop();
      provider.stop();
    }
  });
});

describe("callers of the gateway in workerd", { timeout: 60_000 }, () => {
  let upstream: Awaited<ReturnType<typeof startUpstream>>;
  let worker: RunningWorker;
  before(async () => {
    upstream = await startUpstream();
    worker = await start(upstream.url, sink.url, "drain");
  });
  after(async () => {
    await worker?.stop();
    await upstream?.stop();
  });
  const post = (body: string, own: Record<string, string> = {}): Promise<Answer> =>
    ask(new URL(CHAT, worker.url), { method: "POST", headers: { ...headers, ...own }, body });
  const hello = (params: object = {}) => chat("hi", { model: "single", ...params }).body as string;
  const answers = async (text: string, status = 200, own: Record<string, string> = {}) => {
    const { response, ...received } = await upstream.next();
    response.writeHead(status, { "content-type": "application/json", ...own }).end(text);
    return received;
  };
  const completion = JSON.stringify({ choices: [{ message: { content: "hi" }, finish_reason: "stop" }] });

  describe("with tokens of pages", () => {
    const sign = (secret: string, expires: number | string = "5m", claims = {}) =>
      new SignJWT({ models: ["single"], ...claims })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("tester")
        .setIssuer("chatwire")
        .setAudience("chatwire-page")
        .setExpirationTime(expires)
        .sign(new TextEncoder().encode(secret));
    const refused = async (token: string, origin = PAGE) => {
      const { status, ...rest } = await post(hello(), { authorization: `Bearer ${token}`, origin });
      return [status, errorOf({ status, ...rest }).code];
    };

    it("given by the gateway, are let in within their bounds", async () => {
      const given = await ask(new URL("/v1/token", worker.url), { method: "POST", headers });
      const { token, models, max_tokens } = JSON.parse(given.text);
      assert.deepEqual([models, max_tokens], [["single"], 9]);
      const authorization = `Bearer ${token}`;
      const answer = post(hello({ max_tokens: 500 }), { authorization, origin: PAGE });
      const { body } = await answers(completion);
      assert.equal(JSON.parse(body).max_tokens, 9);
      const { status, headers: answered } = await answer;
      assert.deepEqual([status, answered["access-control-allow-origin"]], [200, PAGE]);
      const other = await post(chat("hi").body as string, { authorization, origin: PAGE });
      assert.deepEqual([other.status, errorOf(other).code], [404, "model_not_found"]);
      assert.deepEqual(await refused(token, "https://evil.example.com"), [403, "origin_not_allowed"]);
    });
    it("that are expired or forged are refused", async () => {
      const now = Math.floor(Date.now() / 1000);
      const invalid = [401, "invalid_page_token"];
      assert.deepEqual(await refused(`cwp_${await sign(PAGE_SECRET, now - 1)}`), invalid);
      assert.deepEqual(await refused(`cwp_${await sign(PAGE_SECRET.toUpperCase())}`), invalid);
      const [head, claims] = (await sign(PAGE_SECRET)).split(".");
      const unsigned = btoa('{"alg":"none"}').replaceAll("=", "");
      for (const forged of [`${head}.${claims}.`, `${unsigned}.${claims}.`, "x", ""]) {
        assert.deepEqual(await refused(`cwp_${forged}`), invalid, forged);
      }
    });
  });

  it("who send too much, or no JSON, are refused before anything is sent on", async () => {
    const long = hello({ user: "x".repeat(10_000) });
    for (const own of [{}, { "transfer-encoding": "chunked" }] as Record<string, string>[]) {
      const { status, ...rest } = await post(long, own);
      assert.deepEqual([status, errorOf({ status, ...rest }).code], [413, "body_too_large"]);
    }
    for (const body of ["", "{", "[]", "null", '"text"', '{"messages":', "\xff\xfe"]) {
      const { status, ...rest } = await post(body);
      assert.deepEqual([status, errorOf({ status, ...rest }).code], [400, "invalid_json"], body);
    }
    // The next request is the first that the provider sees.
    const answer = post(hello({ user: "last" }));
    assert.equal(JSON.parse((await answers(completion)).body).user, "last");
    assert.equal((await answer).status, 200);
  });

  it("cannot put headers into what is sent on, nor the provider into what comes back", async () => {
    const answer = post(hello(), {
      ...{ "x-request-id": "trace-7", cookie: "session=1", "x-forwarded-host": "evil.example.com" },
      ...{ "openai-organization": "theirs", "x-emulator": "status=500" },
    });
    const own = { "set-cookie": "a=b", server: "internal/1.0", "x-request-id": "up_1", "openai-organization": "ours" };
    const { headers: sent } = await answers(completion, 200, own);
    assert.equal(sent["x-request-id"], "trace-7");
    for (const name of ["cookie", "x-forwarded-host", "openai-organization", "x-emulator"]) {
      assert.equal(sent[name], undefined, name);
    }
    assert.equal(sent.authorization, "Bearer sk-of-this-test");
    const { headers: answered } = await answer;
    assert.deepEqual([answered["x-request-id"], answered["x-upstream-request-id"]], ["trace-7", "up_1"]);
    for (const name of ["set-cookie", "server", "openai-organization"]) assert.equal(answered[name], undefined, name);
  });

  it("cannot end a header with what they name a request", async () => {
    for (const id of ["a b", "a%0d%0aevil: 1", 'a"b', "x".repeat(129), "é"]) {
      const answer = post(hello(), { "x-request-id": Buffer.from(id).toString("latin1") });
      const { headers: sent } = await answers(completion);
      assert.match(String(sent["x-request-id"]), /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, id);
      assert.equal((await answer).headers["x-request-id"], sent["x-request-id"]);
    }
  });

  it("are told by name when the provider answers with a page, an error or nothing", async () => {
    for (const [type, text, code] of [
      ["text/html", "<html>Bad Gateway at 10.0.0.7</html>", "upstream_not_a_completion"],
      ["application/json", '{"error":{"message":"no room at db.internal:5432"}}', "upstream_failed"],
      ["application/json", "", "upstream_sent_nothing"],
    ] as const) {
      for (const stream of [true, false]) {
        const answer = post(hello({ stream }));
        await answers(text, 200, { "content-type": type });
        const { status, ...rest } = await answer;
        assert.deepEqual([status, errorOf({ status, ...rest }).code], [502, code]);
        assert.doesNotMatch(rest.text, /10\.0|db\.internal/);
      }
    }
    const failed = () => sink.records.filter(({ status }) => status === 502);
    await until(() => failed().length === 6);
    assert.ok(failed().every(({ outcome }) => outcome === "error"));
  });

  it("get a JSON answer whole, however short, in however many pieces", async () => {
    for (const text of ['{"choices":[{"message":{"content":"a"}}]}', completion]) {
      const answer = post(hello());
      const { response } = await upstream.next();
      response.writeHead(200, { "content-type": "application/json" });
      for (const letter of text) await new Promise((written) => response.write(letter, written));
      response.end();
      assert.equal((await answer).text, text);
    }
  });

  it("whose requests overlap get each their own", async () => {
    const words = ["one", "two", "three", "four"];
    const pending = words.map((word) => post(hello({ stream: true, user: word })));
    const received = await Promise.all(words.map(() => upstream.next()));
    // Compressed event streams tend to arrive all at once.
    for (const { headers: sent } of received) assert.equal(sent["accept-encoding"], "identity");
    for (const { response } of received) response.writeHead(200, { "content-type": "text/event-stream" });
    for (let turn = 0; turn < 5; turn++) {
      for (const { response, body } of received) {
        await new Promise((done) => response.write(says(`${JSON.parse(body).user} `), done));
      }
    }
    for (const { response } of received) response.end(`${says("", "stop")}data: [DONE]\n\n`);
    const all = await Promise.all(pending);
    for (const [at, answer] of all.entries()) {
      assert.equal(answer.text.match(new RegExp(`"content":"${words[at]} "`, "g"))?.length, 5);
      assert.equal(answer.text.match(/"content":"\w+ "/g)?.length, 5);
    }
    const ids = new Set(all.map(({ headers }) => headers["x-request-id"]));
    const own = () => sink.records.filter(({ requestId }) => ids.has(requestId));
    await until(() => own().length === 4);
    assert.equal(new Set(own().map(({ recordId }) => recordId)).size, 4);
  });
});
