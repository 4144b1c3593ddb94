/** The worker in Rust, in workerd: it asks the emulator and streams the answer. `npm run test:rust` builds and binds it. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createEmulator } from "chatwire/emulator";
import { serve } from "../../npm/emulator/serve.ts";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";

const bound = join(import.meta.dirname, "..", "..", "target", "examples", "bound");

/** As a tool such as worker-build puts around the module. */
const entry = `
import * as worker from "./chatwire.js";
import module from "./chatwire_bg.wasm";
worker.initSync({ module });
export default { fetch: (request, env, context) => worker.fetch(request, env, context) };
`;

describe("the worker in Rust", { timeout: 120_000 }, () => {
  let emulator: Awaited<ReturnType<typeof serve>>;
  let worker: RunningWorker;

  before(async () => {
    emulator = await serve(createEmulator({ seed: 4, timeToFirstToken: 0, tokensPerSecond: 0 }), { port: 0 });
    await writeFile(join(bound, "worker.js"), entry);
    const bindings = { SMALLEST_API_KEY: "any", BASE_URL: `${emulator.url}/waves/v1` };
    worker = await startWorker({ entry: join(bound, "worker.js"), bindings });
  });

  after(async () => {
    await worker?.stop();
    await emulator?.close();
  });

  it("streams the answer as text", async () => {
    const response = await worker.fetch(0, "/", { method: "POST", body: "Why is the sky blue?" });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.ok(text.length > 20, text);
  });
});
