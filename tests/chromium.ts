/**
 * Chromium for the tests that open a page: a fresh profile, no sandbox where it runs as root, no traffic of its own.
 */
import { type Browser, chromium } from "playwright-core";

const quiet = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  "--no-sandbox",
];

/**
 * `npm test` finds or installs the browser and gives its path in `CHROME`.
 * @param more switches of one test
 */
export function launchChromium(more: string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: process.env.CHROME ?? "/usr/bin/chromium", args: [...quiet, ...more] });
}
