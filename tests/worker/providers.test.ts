/**
 * Which provider the worker asks, and that its gateway stands in between; tests/edge has what the gateway does. The worker
 * runs in workerd, the provider is ours.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { ask, call, errorOf, startUpstream } from "./network.ts";

const KEY = "sk-of-this-test";
const BODY = JSON.stringify({ model: "electron", messages: [{ role: "user", content: "नमस्ते 👋🏽" }], stream: true });
const COMPLETION = JSON.stringify({
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
});
const JSON_TYPE = { "content-type": "application/json" };

let upstream: Awaited<ReturnType<typeof startUpstream>>;
let worker: RunningWorker;
let chat: URL;

before(async () => {
  upstream = await startUpstream();
  worker = await startWorker({
    assets: join(import.meta.dirname, "site"),
    // Without the objects that keep streams, so that those who leave are done.
    objects: {},
    bindings: {
      SMALLEST_API_KEY: KEY,
      ELECTRON_BASE_URL: `${upstream.url}/waves/v1/`,
      ELECTRONHUB_API_KEY: `${KEY}-hub`,
      ELECTRONHUB_BASE_URL: upstream.url,
      MAX_BODY_BYTES: "1000",
    },
  });
  chat = new URL("/v1/chat/completions", worker.url);
});

after(async () => {
  await worker.stop();
  await upstream.stop();
});

describe("a request on its way to the provider", { timeout: 60_000 }, () => {
  it("keeps what it asks for and takes the worker's key, nothing else", async () => {
    const headers = {
      ...JSON_TYPE,
      accept: "text/event-stream",
      authorization: "Bearer of-the-caller",
      cookie: "session=1",
      "x-emulator": "status=503",
      "x-forwarded-host": "example.com",
    };
    const answer = ask(chat, { method: "POST", headers, body: BODY });
    const received = await upstream.next();
    received.response.end(COMPLETION);
    assert.equal((await answer).text, COMPLETION);
    assert.equal(received.method, "POST");
    assert.equal(received.url, "/waves/v1/chat/completions");
    assert.deepEqual(JSON.parse(received.body), { ...JSON.parse(BODY), stream_options: { include_usage: true } });
    assert.equal(received.headers.authorization, `Bearer ${KEY}`);
    assert.equal(received.headers["content-type"], "application/json");
    assert.equal(received.headers.host, upstream.host);
    for (const name of ["cookie", "x-emulator", "x-forwarded-host", "origin"]) {
      assert.equal(received.headers[name], undefined, name);
    }
  });

  for (const [path, headers, expected] of [
    ["/v1/chat/completions?provider=electronhub", {}, "/v1/chat/completions"],
    ["/v1/chat/completions", { "x-chatwire-provider": "electronhub" }, "/v1/chat/completions"],
    ["/v1legacy/chat/completions", {}, "/v1legacy/chat/completions"],
    ["/v1thinking/chat/completions?provider=electronhub", {}, "/v1thinking/chat/completions"],
  ] as [string, Record<string, string>, string][]) {
    it(`goes to ElectronHub's ${expected} from ${path} ${JSON.stringify(headers)}`, async () => {
      const answer = ask(new URL(path, worker.url), { method: "POST", headers, body: BODY });
      const received = await upstream.next();
      received.response.end(COMPLETION);
      assert.equal((await answer).status, 200);
      assert.equal(received.url, expected);
      assert.equal(received.headers.authorization, `Bearer ${KEY}-hub`);
    });
  }

  it("asks for the models", async () => {
    const answer = ask(new URL("/v1/models", worker.url));
    const received = await upstream.next();
    received.response.end('{"object":"list","data":[]}');
    assert.equal((await answer).text, '{"object":"list","data":[]}');
    assert.equal(`${received.method} ${received.url}`, "GET /waves/v1/models");
  });

  for (const provider of ["other", "https://example.com", "__proto__", "constructor"]) {
    it(`cannot name a provider ${provider}`, async () => {
      const url = new URL(`/v1/chat/completions?provider=${encodeURIComponent(provider)}`, worker.url);
      const answer = await ask(url, { method: "POST", body: BODY });
      assert.equal(answer.status, 400);
      assert.equal(errorOf(answer).code, "unknown_provider");
    });
  }

  it("is refused when Electron is asked for under a path of ElectronHub", async () => {
    const url = new URL("/v1thinking/chat/completions?provider=electron", worker.url);
    assert.equal((await ask(url, { method: "POST", body: BODY })).status, 400);
  });

  it("passes with the largest body allowed, and is refused with one byte more", async () => {
    const body = JSON.stringify({ ...JSON.parse(BODY), user: "" });
    const padded = body.replace('"user":""', `"user":"${"x".repeat(1000 - Buffer.byteLength(body))}"`);
    const answer = ask(chat, { method: "POST", body: padded });
    (await upstream.next()).response.end(COMPLETION);
    assert.equal((await answer).status, 200);

    const refused = await ask(chat, { method: "POST", body: `${padded} ` });
    assert.equal(refused.status, 413);
    assert.match(errorOf(refused).message, /1000 bytes/);
  });

  for (const [method, path, status] of [
    ["GET", "/v1/chat/completions", 405],
    ["POST", "/v1/models", 405],
    ["POST", "/v1/images/generations", 404],
    ["POST", "/v1/../../secret", 404],
  ] as const) {
    it(`is answered ${status} for ${method} ${path}`, async () => {
      const answer = await ask(new URL(path, worker.url), { method, body: method === "POST" ? "{}" : "" });
      assert.equal(answer.status, status);
    });
  }
});

describe("a client who leaves", { timeout: 60_000 }, () => {
  it("before the answer stops the provider", async () => {
    const client = call(chat, { body: BODY });
    const { response, closed } = await upstream.next();
    client.reset();
    await closed;
    assert.equal(response.headersSent, false);
  });

  it("in the middle of the answer stops the provider", async () => {
    const client = call(chat, { body: BODY });
    const { response, closed } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    assert.equal(await client.firstPiece(), "data: 1\n\n");
    client.reset();
    await closed;
    assert.equal(response.writableEnded, false);
  });

  it("politely stops the provider at the next piece, which is when the closed connection shows", async () => {
    const client = call(chat, { body: BODY });
    const { response, closed } = await upstream.next();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: 1\n\n");
    await client.firstPiece();
    client.hangUp();
    const more = setInterval(() => response.write("data: 2\n\n"), 10);
    await closed;
    clearInterval(more);
    assert.equal(response.writableEnded, false);
  });

  it("leaves the others alone", async () => {
    const client = call(chat, { body: BODY });
    const left = await upstream.next();
    const stayed = ask(chat, { method: "POST", headers: JSON_TYPE, body: BODY });
    const { response } = await upstream.next();
    client.reset();
    await left.closed;
    response.end(COMPLETION);
    assert.equal((await stayed).text, COMPLETION);
  });
});

describe("a provider without a key", { timeout: 60_000 }, () => {
  it("is the emulator, and is said to be", async () => {
    const providers = JSON.parse((await ask(new URL("/providers", worker.url))).text);
    assert.deepEqual(
      providers.map(({ id, emulated }: { id: string; emulated: boolean }) => [id, emulated]),
      [
        ["electron", false],
        ["electronhub", false],
        ["openai", true],
      ],
    );
    const body = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "Echo: hello there" }] });
    const answer = await ask(new URL("/v1/chat/completions?provider=openai", worker.url), { method: "POST", body });
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(answer.text).choices[0].message.content, "hello there");
  });

  it("answers several at once", async () => {
    const texts = await Promise.all(
      [1, 2, 3, 4, 5].map(async (number) => {
        const content = `Echo: answer number ${number} in five words [emulator: tps=50; ttft=50]`;
        const body = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content }] });
        const url = new URL("/v1/chat/completions?provider=openai", worker.url);
        return JSON.parse((await ask(url, { method: "POST", body })).text).choices[0].message.content;
      }),
    );
    assert.deepEqual(
      texts,
      [1, 2, 3, 4, 5].map((number) => `answer number ${number} in five words`),
    );
  });

  it("has its trouble when asked", async () => {
    const url = new URL("/v1/chat/completions?provider=openai", worker.url);
    const body = BODY.replace("नमस्ते", "hi [emulator: status=400]");
    assert.equal((await ask(url, { method: "POST", body })).status, 400);
  });
});

describe("the page", { timeout: 60_000 }, () => {
  it("is served with a policy that allows WebAssembly and no inline script", async () => {
    const answer = await ask(new URL("/", worker.url));
    assert.equal(answer.status, 200);
    assert.match(answer.text, /A page behind the worker/);
    const policy = String(answer.headers["content-security-policy"]);
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'(;|$)/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
  });

  it("has no files but its own", async () => {
    assert.equal((await ask(new URL("/package.json", worker.url))).status, 404);
  });
});
