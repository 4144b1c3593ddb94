/** Long work in parts. */
import { nextTask } from "./idle.ts";

/** How long a part of long work may take, in milliseconds, before the page does something else. */
const SLICE = 8;

/** Gives the same values, for work that takes long: from time to time the page does something else before the next. */
export async function* sliced<T>(values: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T, void> {
  let until = performance.now() + SLICE;
  for await (const value of values) {
    if (performance.now() > until) {
      await nextTask();
      until = performance.now() + SLICE;
    }
    yield value;
  }
}
