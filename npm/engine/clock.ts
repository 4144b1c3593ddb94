/**
 * The clock that timeouts run on.
 */

/** How far the host's clock was put back so far. */
let behind = 0;
// A member of an object: a variable of the module would be a new number in memory each time.
const seen = { last: 0 };

/** Milliseconds on the clock of `performance.now()`; they never go back, also where a test puts a fake clock in its place. */
export function clock(): number {
  const read = performance.now() + behind;
  if (read > seen.last) seen.last = read;
  else if (read < seen.last) behind += seen.last - read;
  return seen.last;
}
