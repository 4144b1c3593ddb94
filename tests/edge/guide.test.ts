/** The workers of docs/edge.md, as a reader would write them: they can be deployed, and they answer. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { startWorker } from "../../worker/workerd.ts";
import { project, root, run } from "../package/packed.ts";

const guide = await readFile(join(root, "docs/edge.md"), "utf8");
const blocks = (kind: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${kind}\n([\\s\\S]*?)^\`\`\``, "gm"))].map((block) => block[1] ?? "");
const workers = blocks("ts").filter((text) => text.includes("export default gateway("));
const [first = "", ...more] = blocks("toml");

describe("the guide to the gateway", { timeout: 180_000 }, () => {
  let folder = "";
  before(async () => {
    folder = await project("guide", {});
  });

  it("has a first worker, one with limits and one that keeps streams", () => {
    assert.deepEqual([workers.length, more.length], [3, 2]);
  });

  for (const [number, worker] of workers.entries()) {
    const names = [...worker.matchAll(/export \{ (\w+) \}/g)].map(([, name]) => name ?? "");
    it(`has a worker that can be deployed${names.map((name) => ` with ${name}`)}`, async () => {
      const own = join(folder, String(number));
      await mkdir(join(own, "src"), { recursive: true });
      await writeFile(join(own, "src/index.ts"), worker);
      // The code of a later section comes in place of, or after, that of the first one.
      const added = more.find((text) => names.some((name) => text.includes(name))) ?? "";
      const base = added.startsWith("compatibility_flags") ? first.replace(/^compatibility_flags.*$/m, "") : first;
      await writeFile(join(own, "wrangler.toml"), base + added);
      const env = {
        XDG_CONFIG_HOME: own,
        WRANGLER_LOG_PATH: join(own, "log"),
        WRANGLER_SEND_METRICS: "false",
        CI: "true",
      };
      const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
      const printed = await run(
        own,
        process.execPath,
        [wrangler, "deploy", "--dry-run", "--outdir", join(own, "out")],
        env,
      );
      assert.match(printed, /--dry-run: exiting now/);
      for (const name of names) assert.match(printed, new RegExp(`\\(${name}\\b|${name}`));

      const keys = ["SMALLEST_API_KEY", "ACCESS_TOKEN", "ALICES_TOKEN", "KIOSK_TOKEN"];
      const running = await startWorker({
        entry: join(own, "src/index.ts"),
        bindings: Object.fromEntries(keys.map((name) => [name, `${name} of this test`.replaceAll(" ", "-")])),
        objects: Object.fromEntries(names.map((name) => [name.replace("Chatwire", "").toUpperCase(), name])),
      });
      try {
        const health = await fetch(new URL("/healthz", running.url));
        assert.deepEqual(await health.json(), { status: "ok" });
        const models = new URL("/v1/models", running.url);
        assert.equal((await fetch(models, { headers: { authorization: "Bearer wrong" } })).status, 401);
        if (!worker.includes("models:")) return;
        const token = "ACCESS_TOKEN-of-this-test";
        const list = await (await fetch(models, { headers: { authorization: `Bearer ${token}` } })).json();
        assert.equal((list as { data: { id: string }[] }).data[0]?.id, "electron");
      } finally {
        await running.stop();
      }
    });
  }
});
