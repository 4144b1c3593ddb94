/**
 * The troubles that are compared, and what each client kept of an answer in each of them: for the inspector, and for the table
 * in the README, which `npm run compare` writes.
 */
import type { Reading } from "./names.ts";

/** One way for a stream to go wrong. */
export interface Trouble {
  /** As the emulator is asked for it. */
  name: string;
  words: string;
}

export const TROUBLES: readonly Trouble[] = [
  { name: "", words: "Nothing goes wrong" },
  { name: "malformed=json", words: "One event is broken JSON" },
  { name: "malformed=null", words: "One event is null" },
  { name: "malformed=text", words: "One event is a proxy's text" },
  { name: "cut=2600", words: "The body ends in the middle of an event" },
  { name: "cut-between", words: "The body ends between two events" },
  { name: "reset=2600", words: "The connection is reset" },
  { name: "stall=2600", words: "The server falls silent" },
  { name: "in-band-error", words: "The server reports an error in the stream" },
  { name: "html", words: "An HTML page in place of the stream" },
  { name: "as-json", words: "A JSON document in place of the stream" },
  { name: "empty", words: "No body at all" },
  { name: "no-done", words: "No [DONE] at the end" },
  { name: "cr", words: "Lines that end in CR" },
  { name: "comments", words: "Keep-alive comments between the events" },
  { name: "surrogates", words: "Emoji in two halves" },
  { name: "bytewise", words: "One byte per read" },
  { name: "status=503; times=1", words: "The first try is refused (503)" },
];

/** The answer that the trials are about. */
export const ANSWER =
  "It is 31 °C and dry in Pune 🌤️. You can leave the umbrella at home; the evening wind comes from the west.";

/** What a client lost, in the words of the table. */
export function verdictOf({ text, tells, isWhole }: Reading): { kept: string; isGood: boolean } {
  const kept = `${[...text].length} of ${[...ANSWER].length}`;
  const isAll = text === ANSWER;
  // Less than all is no fault of a client that says so.
  return { kept, isGood: isAll ? isWhole || tells : tells && !isWhole };
}
