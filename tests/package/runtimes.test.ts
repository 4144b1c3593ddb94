/** The packed package in the runtimes that need no bundler. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { program, project, root, run } from "./packed.ts";

/** Asks the server at the address that it is started with. */
const asking = `
import process from "node:process";
import { Chatwire } from "chatwire";
const client = new Chatwire({ baseURL: process.argv[2], apiKey: null });
const { status, text } = await client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "Hi" }] }).outcome();
console.log(status, text);
`;

const deno = { DENO_DIR: join(root, ".cache", "deno"), DENO_NO_UPDATE_CHECK: "1" };

describe("the packed package", { timeout: 120_000 }, () => {
  let folder: string;

  before(async () => {
    folder = await project("runtimes", {
      "stream.js": program.esm,
      "stream.cjs": program.cjs,
      "both.cjs": program.both,
      "entries.js": program.entries,
      "asking.js": asking,
    });
  });

  it("streams in Node", async () => {
    assert.equal(await run(folder, process.execPath, ["stream.js"]), program.prints);
  });

  it("streams in Node when it is required", async () => {
    assert.equal(await run(folder, process.execPath, ["stream.cjs"]), program.prints);
  });

  it("streams where require() takes no modules, and import has the same engine", async () => {
    const flag = "--no-experimental-require-module"; // as Node before 20.19 and 22.12 is
    assert.equal(await run(folder, process.execPath, [flag, "stream.cjs"]), program.prints);
    assert.equal(await run(folder, process.execPath, [flag, "both.cjs"]), program.prints);
    assert.equal(await run(folder, process.execPath, ["both.cjs"]), program.prints);
  });

  it("streams in the Node that runs npm, which may be the oldest supported", async () => {
    assert.equal(await run(folder, process.env.npm_node_execpath ?? "node", ["stream.js"]), program.prints);
  });

  it("streams in Deno without any permission", async () => {
    assert.equal(await run(folder, "deno", ["run", "--no-prompt", "stream.js"], deno), program.prints);
  });

  it("streams in Bun", async () => {
    assert.equal(await run(folder, "bun", ["run", "stream.js"]), program.prints);
  });

  it("requests streams uncompressed, and the hosts send that", async () => {
    const asked: unknown[] = [];
    const chunk = JSON.stringify({ choices: [{ index: 0, delta: { content: "all of it" }, finish_reason: "stop" }] });
    const server = createServer(({ headers }, response) => {
      asked.push(headers["accept-encoding"]);
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(`data: ${chunk}\n\ndata: [DONE]\n\n`);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    try {
      for (const [command, ...args] of [
        [process.execPath],
        ["deno", "run", "--no-prompt", "--allow-net"],
        ["bun", "run"],
      ]) {
        assert.equal(await run(folder, command as string, [...args, "asking.js", url], deno), "complete all of it");
      }
      assert.deepEqual(asked, ["identity", "identity", "identity"]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  it("has one engine in Node, Deno and Bun where chatwire/static is imported too", async () => {
    assert.equal(await run(folder, process.execPath, ["entries.js"]), program.prints);
    const flag = "--no-experimental-require-module";
    assert.equal(await run(folder, process.execPath, [flag, "entries.js"]), program.prints);
    assert.equal(await run(folder, "deno", ["run", "--no-prompt", "entries.js"], deno), program.prints);
    assert.equal(await run(folder, "bun", ["run", "entries.js"]), program.prints);
    assert.equal(await run(folder, "bun", ["run", "both.cjs"]), program.prints);
  });

  it("has a command", async () => {
    assert.match(await run(folder, join(folder, "node_modules", ".bin", "chatwire"), ["--help"]), /chatwire emulator/);
  });
});
