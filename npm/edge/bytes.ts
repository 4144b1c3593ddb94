/**
 * Pieces of bytes put together.
 */

/** The pieces in a row; the piece itself, not a copy, where there is only one. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  const filled = parts.filter((part) => part.length > 0);
  if (filled.length < 2) return filled[0] ?? new Uint8Array(0);
  const all = new Uint8Array(filled.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of filled) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
