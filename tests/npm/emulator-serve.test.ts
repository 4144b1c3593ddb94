/**
 * The emulator on a real socket, its command, and what its sources may import.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { createEmulator, type LedgerRecord } from "../../npm/emulator/index.ts";
import { serve } from "../../npm/emulator/serve.ts";
import { dataOf, says } from "./emulator-ask.ts";

const post = (url: string, body: object, trouble = "", signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/waves/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer k", "x-emulator": trouble },
    body: JSON.stringify({ model: "electron", ...body }),
    ...(signal ? { signal } : {}),
  });

test("it streams over HTTP, byte for byte what it says in process", async (t) => {
  const server = await serve(createEmulator({ clock: { now: () => 0, sleep: async () => {} } }));
  t.after(() => server.close());
  const local = createEmulator({ clock: { now: () => 0, sleep: async () => {} } });
  const body = { ...says("Show me emoji"), stream: true };
  const response = await post(server.url, body);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("x-request-id") ?? "", /^req_/);
  const text = await response.text();
  assert.equal(dataOf(text).at(-1), "[DONE]");
  const init = {
    method: "POST",
    headers: { authorization: "Bearer k" },
    body: JSON.stringify({ model: "electron", ...body }),
  };
  assert.equal(text, await (await local.fetch("/waves/v1/chat/completions", init)).text());
});

test("events leave one by one", async (t) => {
  const emulator = createEmulator({ tokensPerSecond: 20 });
  const server = await serve(emulator);
  t.after(() => server.close());
  const response = await post(server.url, { ...says("Count to 1000"), stream: true });
  const reader = response.body?.getReader();
  await reader?.read();
  assert.ok((emulator.ledger.records[0]?.usage?.completion_tokens ?? 99) < 10);
  await reader?.cancel();
});

test("a caller that hangs up aborts its request", { timeout: 20_000 }, async (t) => {
  let onEnd = (_record: LedgerRecord): void => {};
  const ended = new Promise<LedgerRecord>((resolve) => (onEnd = resolve));
  const server = await serve(createEmulator({ tokensPerSecond: 1, onEnd: (record) => onEnd(record) }));
  t.after(() => server.close());
  const left = new AbortController();
  const response = await post(server.url, { ...says("Count to 1000"), stream: true }, "", left.signal);
  await response.body?.getReader().read();
  left.abort();
  assert.equal((await ended).aborted, true);
});

test("a slow reader slows the emulator", { timeout: 60_000 }, async (t) => {
  const block = new Uint8Array(256 * 1024);
  let pulled = 0;
  let over = false;
  const endless = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve)); // lets others run beside a server that never waits
        if (over) return controller.close();
        controller.enqueue(block);
        pulled += block.length;
      },
    });
  const server = await serve({ ...createEmulator(), fetch: async () => new Response(endless()) });
  t.after(async () => {
    over = true;
    await server.close();
  });
  const response = await post(server.url, {});
  // Nobody reads. Sockets buffer a few megabytes; without back-pressure there would be 256 KB more at each turn.
  for (let turn = 0; turn < 1000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(pulled < 64 * 1024 * 1024, `${pulled} bytes pulled`);
  }
  assert.ok(pulled > 0);
  await response.body?.cancel();
});

test("broken connections break", async (t) => {
  const server = await serve(createEmulator());
  t.after(() => server.close());
  await assert.rejects(post(server.url, says("Hi"), "refuse"), TypeError);
  const reset = await post(server.url, { ...says("Count to 100"), stream: true }, "reset=400");
  await assert.rejects(reset.text(), TypeError);
  const cut = await post(server.url, { ...says("Count to 100"), stream: true }, "cut=400");
  assert.equal((await cut.text()).length, 400);
});

test("pages of any origin may call it", async (t) => {
  const server = await serve(createEmulator());
  t.after(() => server.close());
  const headers = { origin: "http://page.example", "access-control-request-headers": "authorization,x-emulator" };
  const preflight = await fetch(`${server.url}/v1/chat/completions`, { method: "OPTIONS", headers });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "http://page.example");
  assert.equal(preflight.headers.get("access-control-allow-headers"), "authorization,x-emulator");
});

test("a target with two slashes is a path, not a host", async (t) => {
  const server = await serve(createEmulator());
  t.after(() => server.close());
  assert.equal((await fetch(`${server.url}//v1/models`, { headers: { authorization: "Bearer k" } })).status, 200);
});

test("a port that is taken is an error that can be caught", async (t) => {
  const server = await serve(createEmulator());
  t.after(() => server.close());
  await assert.rejects(serve(createEmulator(), { port: server.port }), { code: "EADDRINUSE" });
});

const CLI = new URL("../../npm/cli.ts", import.meta.url).pathname;

test("the command serves until it is stopped", async () => {
  const child = spawn(process.execPath, [CLI, "emulator", "--port", "0", "--tokens-per-second", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = (await lines.next()).value as string;
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(first)?.[0] ?? "";
  const response = await post(url, { ...says("Echo: my secret"), stream: true });
  assert.equal(dataOf(await response.text()).at(-1), "[DONE]");
  let logged = "";
  while (!logged.startsWith("200")) logged = (await lines.next()).value as string;
  assert.match(logged, /POST \/waves\/v1\/chat\/completions {2}\d+ \+ 2 tokens/);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("the command explains what it cannot do", async () => {
  for (const [args, expected] of [
    [["emulator", "--port", "x"], /--port cannot be "x": give a number from 0 to 65535/],
    [["emulator", "--prot", "1"], /--prot/],
    [["emulator", "--limits", "free"], /standard/],
    [["nonsense"], /chatwire emulator/],
  ] as [string[], RegExp][]) {
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (data: Buffer) => (said += data));
    assert.deepEqual(await once(child, "close"), [2, null]);
    assert.match(said, expected);
    assert.doesNotMatch(said, /\n\s+at /, "no stack");
  }
});

test("the emulator imports nothing but itself, and Node only to serve", () => {
  const folder = new URL("../../npm/emulator/", import.meta.url);
  for (const file of readdirSync(folder)) {
    const source = readFileSync(new URL(file, folder), "utf8");
    for (const [, from = ""] of source.matchAll(/(?:^import|^export)[^;]*?from\s+"([^"]+)"/gm)) {
      const fine = /^\.\/[a-z-]+\.ts$/.test(from) || (file === "serve.ts" && from.startsWith("node:"));
      assert.ok(fine, `${file} imports ${from}`);
    }
    assert.doesNotMatch(source, /\bimport\(|require\(/);
  }
});
