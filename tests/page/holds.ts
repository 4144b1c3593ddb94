/** Waiting for what a page is expected to be. */

/** How long, in milliseconds, a page may take to become what it is expected to be. */
const PATIENCE = 60_000;

/**
 * Runs assertions again and again until they hold; if they never do, they fail as they did at last.
 *
 * A page draws once a frame, and loads parts of itself when it is idle: read once right after an action, it may not be there yet.
 */
export async function holds(assertions: () => unknown): Promise<void> {
  for (const end = performance.now() + PATIENCE; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      await assertions();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}
