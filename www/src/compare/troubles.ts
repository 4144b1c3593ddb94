/**
 * The troubles that are compared, and what each client kept of an answer in each of them: for the inspector, and
 * for the table in the README, which `npm run compare` writes.
 */
import type { Trouble as EmulatorTrouble } from "chatwire/emulator";
import type { Form, Reading } from "./names.ts";

/** One way for a stream to go wrong. */
export interface Trouble {
  /** As the emulator is asked for it. */
  name: string;
  words: string;
  /** The README leaves it out: its table has one of each kind. */
  isMore?: true;
  /** The form of the answer that goes wrong; "stream" by default. */
  form?: Form;
}

/** Cut where no event is open: the emulator cuts after a number of bytes, so that this one is made here. */
export const CUT_BETWEEN = "cut-between";

/**
 * Troubles by the names of the emulator. A name that it learns is a type error here until it has its line, and a value that it
 * learns fails a test.
 */
const BY_NAME: { readonly [Name in keyof EmulatorTrouble]-?: readonly Trouble[] } = {
  malformed: [
    { name: "malformed=json", words: "One event is broken JSON" },
    { name: "malformed=null", words: "One event is null" },
    { name: "malformed=text", words: "One event is a proxy's text" },
    { name: "malformed=array", words: "One event is an array", isMore: true },
    { name: "malformed=number", words: "One event is a number", isMore: true },
    { name: "malformed=utf8", words: "One event has half of a character", isMore: true },
  ],
  cut: [
    { name: "cut=2600", words: "The body ends in the middle of an event" },
    { name: CUT_BETWEEN, words: "The body ends between two events" },
  ],
  reset: [{ name: "reset=2600", words: "The connection is reset" }],
  stall: [{ name: "stall=2600", words: "The server falls silent" }],
  keepalive: [
    { name: "stall=2600; keepalive=500", words: "The server falls silent, save for keep-alive comments", isMore: true },
  ],
  linger: [{ name: "linger", words: "The connection stays open after the end", isMore: true }],
  "in-band-error": [
    { name: "in-band-error", words: "The server reports an error in the stream" },
    { name: "in-band-error=event", words: "The server reports an error in an event of that name", isMore: true },
  ],
  html: [{ name: "html", words: "An HTML page in place of the stream" }],
  text: [{ name: "text", words: "Plain text in place of the stream", isMore: true }],
  "as-json": [{ name: "as-json", words: "A JSON document in place of the stream" }],
  "as-sse": [{ name: "as-sse", words: "A stream in place of a JSON document", form: "document" }],
  empty: [{ name: "empty", words: "No body at all" }],
  "no-done": [{ name: "no-done", words: "No [DONE] at the end" }],
  "no-finish": [{ name: "no-finish", words: "No finish reason", isMore: true }],
  finish: [
    { name: "finish=content_filter", words: "Cut by the content filter", isMore: true },
    { name: "finish=later", words: "A finish reason that nobody knows", isMore: true },
  ],
  interleave: [{ name: "interleave", words: "Two tool calls arrive interleaved", isMore: true, form: "calls" }],
  crlf: [{ name: "crlf", words: "Lines that end in CR LF", isMore: true }],
  cr: [{ name: "cr", words: "Lines that end in CR" }],
  bom: [{ name: "bom", words: "A byte order mark first", isMore: true }],
  comments: [{ name: "comments", words: "Keep-alive comments between the events" }],
  surrogates: [{ name: "surrogates", words: "Emoji in two halves" }],
  bytewise: [{ name: "bytewise", words: "One byte per read" }],
  pieces: [{ name: "pieces=7", words: "Seven bytes per read", isMore: true }],
  "slow-headers": [{ name: "slow-headers=1000", words: "The server takes a second to answer", isMore: true }],
  ttft: [{ name: "ttft=1000", words: "The first token takes a second", isMore: true }],
  tps: [{ name: "tps=40", words: "Forty tokens a second", isMore: true }],
  refuse: [{ name: "refuse; times=1", words: "The first try meets a closed connection", isMore: true }],
  times: [{ name: "status=503; times=1", words: "The first try is refused (503)" }],
  "retry-after": [
    { name: "status=429; retry-after=1; times=1", words: "The first try comes too soon (429)", isMore: true },
  ],
  "retry-after-ms": [
    {
      name: "status=429; retry-after-ms=300; times=1",
      words: "The first try comes too soon, by milliseconds (429)",
      isMore: true,
    },
  ],
  "should-retry": [
    { name: "status=503; should-retry=false", words: "Refused, and not to be asked again (503)", isMore: true },
  ],
  status: [{ name: "status=401", words: "The key is refused (401)", isMore: true }],
  // Each client has one of its own in every trouble that is counted.
  id: [],
};

export const TROUBLES: readonly Trouble[] = [
  { name: "", words: "Nothing goes wrong" },
  ...Object.values(BY_NAME).flat(),
];

/** The answer that the trials are about. */
export const ANSWER =
  "It is 31 °C and dry in Pune 🌤️. You can leave the umbrella at home; the evening wind comes from the west.";
/** The same where calls are asked for. */
const CALLS = 'get_weather {"city":"Mumbai"}\nget_weather {"city":"Pune"}';

/** The question of a trouble, without the trouble. */
export const questionOf = ({ form }: Trouble): string =>
  form === "calls" ? "What is the weather in Mumbai and in Pune?" : `Echo: ${ANSWER}`;

/** The result of a client for a trouble. */
export interface Verdict {
  /** Of how many characters, in the words of the table. */
  kept: string;
  isAll: boolean;
  /** All is there, or the client says that it is not. */
  isGood: boolean;
}

export function verdictOf({ form }: Trouble, { text, tells, isWhole }: Reading): Verdict {
  const whole = form === "calls" ? CALLS : ANSWER;
  // Half a character that an event brings along is none of the answer's own.
  const words = text.replaceAll("\ufffd", "");
  const kept = `${[...words].length} of ${[...whole].length}`;
  const isAll = words === whole;
  // Less than all is no fault of a client that says so.
  return { kept, isAll, isGood: isAll ? isWhole || tells : tells && !isWhole };
}
