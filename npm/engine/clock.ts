/**
 * The clock that timeouts run on.
 */

// Members of an object: a variable of the module would be a new number in memory each time.
const seen = {
  last: 0,
  /** How far the host's clock was put back so far. */
  behind: 0,
};

/** Milliseconds on the clock of `performance.now()`; they never go back, also where a test puts a fake clock in its place. */
export function clock(): number {
  const read = performance.now() + seen.behind;
  if (read > seen.last) seen.last = read;
  else if (read < seen.last) seen.behind += seen.last - read;
  return seen.last;
}
