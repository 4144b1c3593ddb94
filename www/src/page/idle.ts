/** Work that can wait until the page has nothing to do. */

/** Runs it when the page is idle, or after three seconds. */
export function whenIdle(run: () => unknown): void {
  // Not every browser has it.
  if ("requestIdleCallback" in globalThis) requestIdleCallback(() => run(), { timeout: 3000 });
  else setTimeout(run, 1500);
}
