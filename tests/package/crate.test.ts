/** A Rust crate that depends on chatwire: it can use the client, and exports nothing of ours. */
import assert from "node:assert/strict";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { Chatwire } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { root, run } from "./packed.ts";

interface Dependent {
  initSync(options: { module: Uint8Array }): unknown;
  answer(question: string, fetch: typeof globalThis.fetch): Promise<string>;
}

const question = "Why is the sky blue?";

describe("a crate that depends on chatwire", { timeout: 600_000 }, () => {
  let glue: Dependent;

  before(async () => {
    const folder = join(import.meta.dirname, "dependent");
    // The versions and the target folder of this project: wasm-bindgen is that of the tool, and what the tests of the crate have
    // compiled for WebAssembly is not compiled again.
    const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
    await cp(join(root, "Cargo.lock"), join(folder, "Cargo.lock"));
    const built = ["build", "--target", "wasm32-unknown-unknown", "--target-dir", target];
    await run(folder, "cargo", built);
    const compiled = join(target, "wasm32-unknown-unknown", "debug", "dependent.wasm");
    const bound = join(target, "dependent");
    await run(folder, "wasm-bindgen", [compiled, "--target", "web", "--out-dir", bound]);
    glue = await import(join(bound, "dependent.js"));
    glue.initSync({ module: await readFile(join(bound, "dependent_bg.wasm")) });
  });

  it("exports its own functions only", () => {
    assert.deepEqual(Object.keys(glue).sort(), ["answer", "default", "initSync"]);
  });

  it("streams an answer", async () => {
    const client = new Chatwire({ provider: "electron", apiKey: "any", fetch: createEmulator({ seed: 4 }).fetch });
    const whole = await client.chat.completions.create({ messages: [{ role: "user", content: question }] });
    const text = await glue.answer(question, createEmulator({ seed: 4 }).fetch);
    assert.ok(text.length > 0);
    assert.equal(text, whole.choices[0]?.message.content);
  });
});
