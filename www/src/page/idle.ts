/** Work that can wait until the page has nothing to do. */

/** Runs it when the page is idle, or after three seconds. */
export function whenIdle(run: () => unknown): void {
  // Not every browser has it.
  if ("requestIdleCallback" in globalThis) requestIdleCallback(() => run(), { timeout: 3000 });
  else setTimeout(run, 1500);
}

/** Resolves when the page is idle. */
export const idle = (): Promise<void> => new Promise((resolve) => whenIdle(() => resolve()));

/** Resolves in a task of its own, so that what was done before it and what comes after do not hold up the page together. */
export const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
