/**
 * Letting go of what a host gave.
 */

/** A body, or the reader of one. */
interface Cancellable {
  cancel(reason?: unknown): unknown;
}

/**
 * Cancels a body, by its reader where it has one. The promise is not awaited, because some readers never settle it; that a host cannot
 * do it is the host's own affair.
 */
export async function letGoOf(body: Cancellable | null | undefined, reason?: unknown): Promise<void> {
  try {
    await body?.cancel(reason);
  } catch {
    // The body broke before, or the host cannot cancel it.
  }
}

/** Lets go of an answer that nobody reads any more: its slot within `limits`, and its body. */
export function letGo({ body, ended }: { body: Cancellable | null; ended?: (() => void) | undefined }): void {
  ended?.();
  letGoOf(body);
}
