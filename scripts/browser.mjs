/**
 * The browser of the tests: Chromium as it is found, or installed as this machine allows.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { attempt, browsers, root, say } from "./run.mjs";

const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The path of Chromium, or `undefined` where none could be found or installed; what to do about it is then printed. */
export async function chromium() {
  return (await find()) ?? (await install());
}

async function find() {
  if (process.env.CHROME) return process.env.CHROME;
  process.env.PLAYWRIGHT_BROWSERS_PATH ??= browsers;
  const { chromium } = (await import("playwright-core")).default;
  return [...usual, chromium.executablePath()].find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function install() {
  if (existsSync("/etc/debian_version") && process.getuid?.() === 0) {
    say("installing Chromium with apt");
    await attempt("apt-get", ["update", "-qq"]);
    await attempt("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"]);
  }
  if (!(await find())) {
    say("installing Chromium with Playwright");
    await attempt("node", [join(root, "node_modules", "playwright-core", "cli.js"), "install", "chromium"]);
  }
  const path = await find();
  if (!path) {
    console.error(
      "There is no Chromium, and none could be installed. The tests of pages need it: install it (on Debian: sudo apt install chromium), or set CHROME to its path.",
    );
  }
  return path;
}
