/**
 * One stream, cut one way, in one host: runs a contender over it as often as asked, and looks at what it came to.
 */
import { type Answer, type Contender, contenders } from "./contenders.ts";
import { cut, type ReadSize } from "./reads.ts";

let reads: Uint8Array<ArrayBuffer>[] = [];
let expected: Answer | undefined;

/** Chooses the stream. The plain loop finds the text that its bytes say. */
export async function prepare(bytes: Uint8Array<ArrayBuffer>, size: ReadSize): Promise<void> {
  reads = cut(bytes, size);
  expected = await contenders["hand-written JS"](reads);
}

/**
 * Runs a contender.
 * @throws {Error} it came to another text or usage than the bytes say
 */
export async function run(name: Contender, times: number): Promise<void> {
  let answer: Answer | undefined;
  for (let time = 0; time < times; time++) {
    answer = await contenders[name](reads);
    await new Promise((resolve) => setTimeout(resolve)); // as between any two answers, hosts may tidy up
  }
  if (!answer || !expected) return;
  const wrong = (["text", "prompt", "completion"] as const).filter((field) => answer[field] !== expected?.[field]);
  if (wrong.length > 0) throw new Error(`other ${wrong.join(", ")}`);
}
