/**
 * The clock that timeouts run on.
 */

/** The host's clock as it was found last. A test may put another in its place. */
let host: Pick<Performance, "now">;
/** How far the host's clock was put back so far. */
let behind = 0;
// A member of an object: a variable of the module would be a new number in memory each time.
const seen = { last: 0 };

/** Milliseconds on the clock of `performance.now()`; they never go back, also where a test puts a fake clock in its place. */
export function clock(): number {
  host = performance;
  return sameClock();
}

/**
 * The same, by the clock that was found last, for where it is looked at with each read: to find it costs a page more than to look
 * at it. The clock is found anew when a stream begins, and whenever a timer is set or fires.
 */
export function sameClock(): number {
  const read = host.now() + behind;
  if (read > seen.last) seen.last = read;
  else if (read < seen.last) behind += seen.last - read;
  return seen.last;
}
