/**
 * Discards answers: cancels bodies, and frees the slots of their requests.
 */

/** A body, or the reader of one. */
interface Cancellable {
  cancel(reason?: unknown): unknown;
}

/**
 * Cancels a body, by its reader where it has one. The promise is not awaited, because some readers never settle it; the error
 * of a host that cannot cancel is ignored.
 */
export async function cancelBody(body: Cancellable | null | undefined, reason?: unknown): Promise<void> {
  try {
    await body?.cancel(reason);
  } catch {
    // The body broke before, or the host cannot cancel it.
  }
}

/** Discards an answer that nobody reads any more: frees its slot within `limits`, and cancels its body. */
export function discard({ body, ended }: { body: Cancellable | null; ended?: (() => void) | undefined }): void {
  ended?.();
  cancelBody(body);
}
