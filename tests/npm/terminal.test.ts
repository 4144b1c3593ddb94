/** `chatwire chat`: a conversation in the terminal, and a question through a pipe. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import { chat, type Terminal } from "../../npm/terminal.ts";
import { DONE, event, says, serve } from "./serving.ts";

const CLI = new URL("../../npm/cli.ts", import.meta.url).pathname;

async function run(
  args: string[],
  input: string,
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
) {
  const { SMALLEST_API_KEY: _, API_KEY: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [CLI, "chat", ...args], { cwd, env: { ...inherited, ...env } });
  let [output, notes] = ["", ""];
  child.stdout.on("data", (text) => {
    output += text;
  });
  child.stderr.on("data", (text) => {
    notes += text;
  });
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, output, notes };
}

/** A terminal that is typed into. */
function typed(): Terminal & { input: PassThrough & { isTTY?: boolean }; shown(): string; told(): string } {
  const input: PassThrough & { isTTY?: boolean } = Object.assign(new PassThrough(), { isTTY: true });
  const output = Object.assign(new PassThrough(), { isTTY: true });
  const notes = new PassThrough();
  let [shown, told] = ["", ""];
  output.on("data", (text) => {
    shown += text;
  });
  notes.on("data", (text) => {
    told += text;
  });
  return { input, output, notes, shown: () => shown, told: () => told };
}

const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await new Promise(setImmediate);
};

describe("chatwire chat", () => {
  it("answers a question that comes through a pipe: the answer alone on the output", async () => {
    const { code, output, notes } = await run(["--emulator"], "Why is the sky blue?");
    assert.equal(code, 0);
    assert.ok(output.trim().length > 10);
    assert.match(notes, /^complete · \d+ \+ \d+ tokens · \$/);
  });

  it("reads the key from an .env file, and never from an argument", async () => {
    const folder = await mkdtemp(join(tmpdir(), "chatwire-"));
    const keys: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      keys.push(request.headers.authorization);
      response.end(JSON.stringify({ choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    try {
      await writeFile(join(folder, ".env"), "API_KEY=from-the-file\n");
      const { code, output } = await run(["--base-url", url, "--model", "m"], "Hello", { cwd: folder });
      assert.deepEqual([code, output.trim()], [0, "Hi"]);
      await run(["--base-url", url, "--model", "m"], "Hello", { cwd: folder, env: { API_KEY: "from-outside" } });
      assert.deepEqual(keys, ["Bearer from-the-file", "Bearer from-outside"]);
      const refused = await run(["--api-key", "secret"], "Hello");
      assert.equal(refused.code, 2);
    } finally {
      server.close();
      await rm(folder, { recursive: true });
    }
  });

  it("says what is wrong without a stack", async () => {
    const none = await run([], "Hello");
    assert.equal(none.code, 2);
    assert.match(none.notes, /SMALLEST_API_KEY/);
    assert.doesNotMatch(none.notes, / {4}at /);
    assert.match((await run(["--provider", "openai"], "Hello")).notes, /--model/);
    assert.match((await run(["--provider", "none"], "Hello")).notes, /electronhub/);
  });

  it("keeps the conversation, dims reasoning, and says the total at the end", async () => {
    const terminal = typed();
    const sent: unknown[] = [];
    const emulator = createEmulator();
    const fetch = (url: string, init: { body?: string }) => {
      sent.push(JSON.parse(init.body ?? "").messages);
      return emulator.fetch(url, init as RequestInit);
    };
    const options = { provider: "electronhub" as const, apiKey: "k", fetch: fetch as never };
    const talking = chat({ options, model: "deepseek-r1", system: "Be short." }, terminal);
    terminal.input.write("Why is the sky blue?\n");
    await until(() => / tokens/.test(terminal.told()));
    terminal.input.write("And at night?\n");
    await until(() => terminal.told().split(" tokens").length > 2);
    terminal.input.write("\n");
    assert.equal(await talking, 0);
    assert.equal((sent[1] as unknown[]).length, 4);
    const [, dimmed = ""] = terminal.shown().split("\x1b[2m");
    assert.ok(dimmed.split("\x1b[22m")[0], "reasoning is dimmed");
    assert.match(terminal.told(), /2 answers, \d+ tokens/);
  });

  it("shows no control characters of a model or a server to a terminal", async () => {
    const terminal = typed();
    const nasty = "a\x1b]52;c;aGk=\x07b\x1b[2Jc\x9b31md\re\tf\n";
    let asked = 0;
    const fetch = async () =>
      asked++ === 0
        ? serve([says(nasty, "stop"), DONE]).response
        : serve([event({ error: { message: nasty } })]).response;
    const options = { baseURL: "https://nasty.test/v1", fetch, maxRetries: 0 };
    const talking = chat({ options, model: "m" }, terminal);
    terminal.input.write("Hello\n");
    await until(() => /complete/.test(terminal.told()));
    assert.ok(terminal.shown().includes("a]52;c;aGk=b[2Jc31mde\tf\n"), JSON.stringify(terminal.shown()));
    terminal.input.write("Hello\n");
    await until(() => /error/.test(terminal.told()));
    terminal.input.end();
    await talking;
    assert.doesNotMatch(terminal.told(), /(?![\n\t])\p{Cc}/u);
  });

  it("Ctrl+C leaves an answer, and the conversation goes on", async () => {
    const terminal = typed();
    const emulator = createEmulator({ tokensPerSecond: 20 });
    const options = { provider: "electron" as const, apiKey: "k", fetch: emulator.fetch };
    const talking = chat({ options, model: "electron" }, terminal);
    terminal.input.write("Why is the sky blue?\n");
    await until(
      () => terminal.shown().split("\n").length > 1 && /[a-z]/.test(terminal.shown().split("\n").at(-1) ?? ""),
    );
    terminal.input.write("\x03");
    await until(() => terminal.told().includes("aborted"));
    terminal.input.end();
    assert.equal(await talking, 0);
  });
});
