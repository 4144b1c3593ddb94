/**
 * The clock that timeouts run on.
 */

let last = 0;
/** How far the host's clock was put back so far. */
let behind = 0;

/** Milliseconds on the clock of `performance.now()`; they never go back, also where a test puts a fake clock in its place. */
export function clock(): number {
  const read = performance.now() + behind;
  if (read > last) last = read;
  else if (read < last) behind += last - read;
  return last;
}
