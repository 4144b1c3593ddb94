/**
 * `client.warmUp()`: what it sends, what it spares the first call, and what it says when nothing answers.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Chatwire } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, DONE, failureOf, hello, says } from "./serving.ts";

const KEY = "sk-warm-secret-0123456789";

test("warming_up_sends_no_key_and_asks_for_no_completion", async () => {
  const emulator = createEmulator();
  const asked: { url: string; method: string; headers: [string, string][]; body: unknown }[] = [];
  const fetch = async (url: string, init: { method: string; headers: Headers; body?: string }) => {
    asked.push({ url, method: init.method, headers: [...init.headers], body: init.body });
    return emulator.fetch(url, init as RequestInit);
  };
  const client = new Chatwire({ provider: "electron", apiKey: KEY, fetch });
  await client.warmUp();
  const { baseURL } = client;
  assert.deepEqual(asked, [{ url: `${baseURL}/chat/completions`, method: "GET", headers: [], body: undefined }]);
  assert.deepEqual(
    emulator.ledger.records.map(({ status, usage }) => ({ status, usage })),
    [{ status: 405, usage: null }],
  );
  assert.equal(emulator.ledger.tokens.total, 0);
  assert.equal(client.usage.requests, 0);
});

test("the_first_call_takes_the_connection_that_warming_up_opened", async () => {
  let connections = 0;
  const server = createServer((request, response) => {
    if (request.method !== "POST") return response.writeHead(405).end("Use POST.");
    response.writeHead(200, { "content-type": "text/event-stream" });
    return response.end(says("Hello", "stop") + DONE);
  });
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new Chatwire({
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    apiKey: null,
  });
  await client.warmUp();
  const warm = connections;
  // Node offers a connection for use again some turns of the event loop after its answer has ended.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const text = await client.chat.completions.stream(hello).finalContent();
  server.close();
  server.closeAllConnections();
  await once(server, "close");
  assert.deepEqual([warm, text, connections], [1, "Hello", 1]);
});

test("a_server_that_is_not_there_is_an_error_by_name", async () => {
  const client = clientOf(async () => {
    throw new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } });
  });
  const error = await failureOf(client.warmUp());
  assert.equal(error.name, "APIConnectionError");
  assert.match(error.message, /server-\d+\.test\/v1\/chat\/completions was not reached \(fetch failed: ECONNREFUSED\)/);
  const none = clientOf((() => undefined) as never);
  await none.warmUp(); // not a Response, and nothing depends on it
});

test("a_fetch_that_never_answers_is_left", async () => {
  const silent = clientOf(() => new Promise(() => {}));
  assert.equal((await failureOf(silent.warmUp({ timeout: 5 }))).name, "APIConnectionTimeoutError");
  const controller = new AbortController();
  const leaving = silent.warmUp({ signal: controller.signal });
  setTimeout(() => controller.abort(), 5);
  assert.equal((await failureOf(leaving)).name, "APIUserAbortError");
  assert.equal((await failureOf(silent.warmUp({ signal: AbortSignal.abort() }))).name, "APIUserAbortError");
});

test("what_makes_no_sense_is_refused_before_anything_is_sent", async () => {
  let asked = 0;
  const client = clientOf(async () => {
    asked++;
    return new Response();
  });
  for (const timeout of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "1" as never]) {
    assert.equal((await failureOf(client.warmUp({ timeout }))).name, "InvalidRequestError", String(timeout));
  }
  client[Symbol.dispose]();
  assert.match((await failureOf(client.warmUp())).message, /disposed of/);
  assert.equal(asked, 0);
});
