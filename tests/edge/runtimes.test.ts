/** The gateway of the packed package on runtimes that are no workers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { before, describe, it } from "node:test";
import { project, root } from "../package/packed.ts";
import { CHAT, chat } from "./setting.ts";

describe("the gateway", { timeout: 120_000 }, () => {
  let folder = "";
  before(async () => {
    folder = await project("edge", { "server.js": readFileSync(join(import.meta.dirname, "server.js"), "utf8") });
  });

  for (const [name, command, args] of [
    ["Node", process.execPath, ["server.js"]],
    ["Deno", "deno", ["run", "--no-prompt", "--allow-net=127.0.0.1", "server.js"]],
    ["Bun", "bun", ["run", "server.js"]],
  ] as const) {
    it(`streams in ${name}, and counts one who stays and one who leaves`, async () => {
      const env = { ...process.env, DENO_DIR: join(root, ".cache", "deno"), DENO_NO_UPDATE_CHECK: "1" };
      const server = spawn(command, args, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
      const exited = once(server, "exit");
      const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
      const said = async () => JSON.parse((await lines.next()).value ?? "null");
      try {
        const url = new URL(CHAT, `http://127.0.0.1:${(await said()).port}`);
        const stayed = await (await fetch(url, chat("Echo: नमस्ते 👋🏽", { stream: true }))).text();
        assert.match(stayed, /data: \[DONE\]\n\n$/);
        const first = await said();
        assert.deepEqual([first.outcome, first.disconnected, first.tokens], ["complete", false, first.ledger]);

        const leaving = new AbortController();
        const { body } = await fetch(url, { ...chat("Tell me a story", { stream: true }), signal: leaving.signal });
        await (body as ReadableStream<Uint8Array>).getReader().read();
        leaving.abort();
        const second = await said();
        assert.deepEqual([second.outcome, second.disconnected], ["complete", true]);
        assert.equal(first.tokens + second.tokens, second.ledger);
      } finally {
        server.kill();
        await exited;
      }
    });
  }
});
