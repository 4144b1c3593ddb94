/**
 * Programs as people write them, run as they are with `openai`, and with their imports changed to `chatwire/openai`: they print
 * the same. So changed they compile under strict too, and so does the whole table of programs.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { createEmulator } from "chatwire/emulator";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const tests = join(root, "tests", "openai");
const examples = await readdir(join(tests, "examples"));
/** Where the changed copies are. */
const changed = join(root, ".cache", "openai");

/** A program with its imports changed. */
const change = (text: string) => text.replace(/(from |import\()"openai(["/])/g, '$1"chatwire/openai$2');

/** A server of its own for a run, which answers any two runs alike. */
async function serve(): Promise<{ port: number; close: () => void }> {
  const emulator = createEmulator({ seed: 3, models: ["gpt-4o"], tokensPerSecond: 2000 });
  const server = createServer(async (request, response) => {
    const path = request.url?.replace(/^\/openai\/deployments\/[^/]+/, "/v1").replace(/\?.*/, "");
    const headers = {
      ...request.headers,
      authorization: request.headers.authorization ?? `Bearer ${request.headers["api-key"]}`,
    };
    const body = ["GET", "HEAD"].includes(request.method ?? "")
      ? {}
      : { body: Readable.toWeb(request), duplex: "half" };
    const init = { method: request.method, headers, ...body } as unknown as RequestInit;
    const answer = await emulator.fetch(`http://emulator${path}`, init);
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body)
      Readable.fromWeb(answer.body as never)
        .on("error", () => response.destroy())
        .pipe(response);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The output of a program, whatever it is made of. */
async function output(file: string): Promise<string> {
  const { port, close } = await serve();
  const env = {
    ...process.env,
    OPENAI_API_KEY: "sk-example",
    OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
    EXAMPLE_AZURE_ENDPOINT: `http://127.0.0.1:${port}`,
    NO_COLOR: "1",
  };
  // The Azure client would take it for its own.
  if (/azure\.ts$/.test(file)) Reflect.deleteProperty(env, "OPENAI_BASE_URL");
  const args = ["--disable-warning=ExperimentalWarning", file];
  const child = spawn(process.execPath, args, { env, cwd: root });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece));
  const code = await new Promise((resolve) => child.on("close", resolve));
  close();
  return `${text.replace(/"?created"?: \d+/g, "created: 0")}\nexit ${code}`;
}

async function changeAll(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  for (const file of (await readdir(to, { recursive: true })).filter((file) => file.endsWith(".ts"))) {
    const path = join(to, file);
    await writeFile(path, change(await readFile(path, "utf8")));
  }
}

describe("examples", { concurrency: 2 }, () => {
  before(async () => {
    await rm(changed, { recursive: true, force: true });
    await mkdir(changed, { recursive: true });
    await changeAll(join(tests, "examples"), join(changed, "examples"));
  });
  after(() => rm(changed, { recursive: true, force: true }));

  for (const example of examples) {
    it(`${example} prints the same`, { timeout: 60_000 }, async () => {
      const theirs = await output(join(tests, "examples", example));
      const ours = await output(join(changed, "examples", example));
      assert.match(theirs, /exit 0$/);
      assert.equal(ours, theirs);
    });
  }

  it("compile with the import changed, and so do the programs", { timeout: 120_000 }, async () => {
    for (const file of ["said.ts", "server.ts"]) await cp(join(tests, file), join(changed, file));
    for (const file of ["compare.ts", "library.ts"]) {
      await writeFile(
        join(changed, file),
        change(await readFile(join(tests, file), "utf8")).replaceAll('import("openai', 'import("chatwire/openai'),
      );
    }
    await changeAll(join(tests, "programs"), join(changed, "programs"));
    const config = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: { exactOptionalPropertyTypes: false },
      include: [changed],
      exclude: [],
    };
    await writeFile(join(changed, "tsconfig.json"), JSON.stringify(config));
    const child = spawn(
      process.execPath,
      [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", changed, "--noEmit"],
      { cwd: root },
    );
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (piece) => (text += piece));
    await new Promise((resolve) => child.on("close", resolve));
    assert.equal(text, "");
  });
});

it("are nineteen", () => assert.equal(examples.length, 19));
