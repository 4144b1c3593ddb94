/** The files that `wrangler deploy` would upload, without uploading it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { build } from "vite";

const root = join(import.meta.dirname, "../..");

it("the worker is ready to deploy", { timeout: 120_000 }, async () => {
  await build({ configFile: join(root, "www/vite.config.ts"), logLevel: "error" });
  const out = await mkdtemp(join(tmpdir(), "chatwire-deploy-"));
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        join(root, "node_modules/wrangler/bin/wrangler.js"),
        ...["deploy", "--dry-run", "--config", join(root, "worker/wrangler.toml"), "--outdir", out],
      ],
      // Its own settings and logs stay in the same folder, and it reports nothing.
      {
        env: {
          ...process.env,
          XDG_CONFIG_HOME: out,
          WRANGLER_LOG_PATH: join(out, "log"),
          WRANGLER_SEND_METRICS: "false",
          CI: "true",
        },
      },
    );
    assert.match(stdout, /env\.ASSETS/);
    assert.match(stdout, /--dry-run: exiting now/);
  } finally {
    await rm(out, { recursive: true });
  }
});
