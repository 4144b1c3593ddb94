/**
 * WebKitGTK, whose engine is that of Safari and of Tauri on Linux, through its own WebDriver and a display of Xvfb. Debian has both:
 * `apt-get install webkit2gtk-driver xvfb xauth`.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "../../package/packed.ts";
import type { Open } from "../../package/pages.ts";
import { nextPort } from "../setup.ts";

const DRIVER = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";

/** The package's own small browser. */
function miniBrowser(): string {
  for (const library of readdirSync("/usr/lib").map((name) => join("/usr/lib", name))) {
    for (const version of ["webkitgtk-6.0", "webkit2gtk-4.1", "webkit2gtk-4.0"]) {
      const path = join(library, version, "MiniBrowser");
      if (existsSync(path)) return path;
    }
  }
  throw new Error("MiniBrowser of WebKitGTK is not installed: apt-get install webkit2gtk-driver xvfb xauth");
}

export async function webkitVersion(): Promise<string> {
  return /[\d.]{3,}/.exec(await run(root, "xvfb-run", ["-a", miniBrowser(), "--version"]))?.[0] ?? "";
}

/** Starts the driver, which ends with the process. */
export async function launchWebKit(): Promise<Open> {
  const port = nextPort();
  const address = `http://127.0.0.1:${port}`;
  const driver = spawn("xvfb-run", ["-a", DRIVER, `--port=${port}`], {
    env: { ...process.env, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1" },
    stdio: "ignore",
    detached: true,
  });
  process.once("exit", () => {
    try {
      process.kill(-(driver.pid ?? 0), "SIGKILL");
    } catch {
      // The driver is over.
    }
  });
  const broken = new Promise<never>((_, reject) => driver.once("error", reject));
  broken.catch(() => {});

  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    const sent = body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await fetch(`${address}${path}`, { method, signal: AbortSignal.timeout(60_000), ...sent });
    const { value } = (await response.json()) as { value: unknown };
    if (!response.ok) throw new Error(JSON.stringify(value));
    return value;
  }
  await Promise.race([broken, untilHolds(() => ask("GET", "/status").then(() => true))]);

  const options = { binary: miniBrowser(), args: ["--automation"] };
  const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": options } };
  const titleOf: Open = async (page) => {
    const { sessionId } = (await ask("POST", "/session", { capabilities })) as { sessionId: string };
    const session = `/session/${sessionId}`;
    try {
      await ask("POST", `${session}/url`, { url: page });
      let title = "";
      await untilHolds(async () => {
        title = String(await ask("GET", `${session}/title`));
        return title !== "";
      });
      return title;
    } finally {
      await ask("DELETE", session).catch(() => {}); // a window that hangs
    }
  };
  // On a machine that is busy, MiniBrowser hangs at times before it asks for the page: once more, in a fresh window.
  return (page) => titleOf(page).catch(() => titleOf(page));
}

async function untilHolds(question: () => Promise<boolean>): Promise<void> {
  const until = Date.now() + 30_000;
  for (;;) {
    const holds = await question().catch((error: unknown) => {
      if (Date.now() > until) throw error;
      return false;
    });
    if (holds) return;
    if (Date.now() > until) throw new Error("WebKit has no answer, or the page no title, after 30 seconds");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
