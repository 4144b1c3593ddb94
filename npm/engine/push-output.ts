/**
 * The output of one push: the unit in which an answer passes from the engine to the reader of a stream.
 */

/** The text of one push, or its chunks or events. No output is an empty string, for lists too. */
export type PushOutput = string | unknown[];

/** The outputs of two pushes of the same kind, in order. */
export function joined(first: PushOutput, second: PushOutput): PushOutput {
  if (first.length === 0) return second;
  if (typeof first === "string") return first + (second as string);
  for (const item of second) first.push(item);
  return first;
}
