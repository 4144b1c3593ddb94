/** The worker in Rust, in workerd: it asks the emulator and streams the answer. `npm run test:rust` compiles it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { serve } from "../../npm/emulator/serve.ts";

const bound = join(import.meta.dirname, "..", "..", "target", "examples", "bound");

/** What a tool such as `worker-build` puts around the module. */
const entry = `
  import * as worker from "./rust_worker.js";
  import module from "./rust_worker_bg.wasm";
  worker.initSync({ module });
  export default { fetch: (request, env, context) => worker.fetch(request, env, context) };
`;

describe("the worker in Rust", { timeout: 120_000 }, () => {
  let emulator: Awaited<ReturnType<typeof serve>>;
  let worker: Miniflare;
  let url: URL;

  before(async () => {
    emulator = await serve(createEmulator({ seed: 4 }));
    const { outputFiles } = await build({
      stdin: { contents: entry, resolveDir: bound },
      bundle: true,
      write: false,
      format: "esm",
      target: "es2022",
      external: ["cloudflare:*", "*.wasm"],
    });
    worker = new Miniflare({
      modulesRoot: "/",
      modules: [
        { type: "ESModule", path: "/worker.js", contents: outputFiles[0]?.text ?? "" },
        { type: "CompiledWasm", path: "/rust_worker_bg.wasm", contents: readFileSync(join(bound, "rust_worker_bg.wasm")) },
      ],
      compatibilityDate: "2026-01-01",
      bindings: { SMALLEST_API_KEY: "any", BASE_URL: `${emulator.url}/waves/v1` },
    });
    url = await worker.ready;
  });

  after(async () => {
    await worker?.dispose();
    await emulator?.close();
  });

  it("streams the answer as text", async () => {
    const response = await fetch(url, { method: "POST", body: "Why is the sky blue?" });
    assert.equal(response.status, 200);
    const text = await response.text();
    assert.ok(text.length > 20, text);
  });
});
