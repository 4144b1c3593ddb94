/**
 * The troubles that are compared, and what each client kept of an answer in each of them: for the inspector, and
 * for the table in the README, which `npm run compare` writes.
 */
import type { Reading } from "./names.ts";

/** One way for a stream to go wrong. */
export interface Trouble {
  /** As the emulator is asked for it. */
  name: string;
  words: string;
  /** The README leaves it out: its table has one of each kind. */
  isMore?: true;
}

export const TROUBLES: readonly Trouble[] = [
  { name: "", words: "Nothing goes wrong" },
  { name: "malformed=json", words: "One event is broken JSON" },
  { name: "malformed=null", words: "One event is null" },
  { name: "malformed=text", words: "One event is a proxy's text" },
  { name: "malformed=array", words: "One event is an array", isMore: true },
  { name: "malformed=number", words: "One event is a number", isMore: true },
  { name: "malformed=utf8", words: "One event has half of a character", isMore: true },
  { name: "cut=2600", words: "The body ends in the middle of an event" },
  { name: "cut-between", words: "The body ends between two events" },
  { name: "reset=2600", words: "The connection is reset" },
  { name: "stall=2600", words: "The server falls silent" },
  { name: "stall=2600; keepalive=500", words: "The server falls silent, save for keep-alive comments", isMore: true },
  { name: "linger", words: "The connection stays open after the end", isMore: true },
  { name: "in-band-error", words: "The server reports an error in the stream" },
  { name: "in-band-error=event", words: "The server reports an error in an event of that name", isMore: true },
  { name: "html", words: "An HTML page in place of the stream" },
  { name: "text", words: "Plain text in place of the stream", isMore: true },
  { name: "as-json", words: "A JSON document in place of the stream" },
  { name: "empty", words: "No body at all" },
  { name: "no-done", words: "No [DONE] at the end" },
  { name: "no-finish", words: "No finish reason", isMore: true },
  { name: "finish=content_filter", words: "Cut by the content filter", isMore: true },
  { name: "finish=later", words: "A finish reason that nobody knows", isMore: true },
  { name: "crlf", words: "Lines that end in CR LF", isMore: true },
  { name: "cr", words: "Lines that end in CR" },
  { name: "bom", words: "A byte order mark first", isMore: true },
  { name: "comments", words: "Keep-alive comments between the events" },
  { name: "surrogates", words: "Emoji in two halves" },
  { name: "bytewise", words: "One byte per read" },
  { name: "pieces=7", words: "Seven bytes per read", isMore: true },
  { name: "slow-headers=1000", words: "The server takes a second to answer", isMore: true },
  { name: "refuse; times=1", words: "The first try meets a closed connection", isMore: true },
  { name: "status=429; retry-after=1; times=1", words: "The first try comes too soon (429)", isMore: true },
  { name: "status=503; times=1", words: "The first try is refused (503)" },
];

/** The answer that the trials are about. */
export const ANSWER =
  "It is 31 °C and dry in Pune 🌤️. You can leave the umbrella at home; the evening wind comes from the west.";

/** The result of a client for a trouble. */
export interface Verdict {
  /** Of how many characters, in the words of the table. */
  kept: string;
  isAll: boolean;
  /** All is there, or the client says that it is not. */
  isGood: boolean;
}

export function verdictOf({ text, tells, isWhole }: Reading): Verdict {
  // Half a character that an event brings along is none of the answer's own.
  const words = text.replaceAll("\ufffd", "");
  const kept = `${[...words].length} of ${[...ANSWER].length}`;
  const isAll = words === ANSWER;
  // Less than all is no fault of a client that says so.
  return { kept, isAll, isGood: isAll ? isWhole || tells : tells && !isWhole };
}
