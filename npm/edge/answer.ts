/**
 * A provider's answer with status 200, read far enough to know that it is a completion and not a page or an error.
 */
import { ChatDecoder, type DecoderOptions } from "chatwire";
import { joined } from "./bytes.ts";
import { type Inlet, inletOf } from "./ends.ts";
import type { Patience } from "./patience.ts";
import { Problem } from "./problem.ts";
import { publicWords, wordsIn } from "./words.ts";

/** A completion, or a stream of one. */
export interface Answer {
  inlet: Inlet;
  /** The bytes that have been read of it already. */
  first: Uint8Array | undefined;
  contentType: string;
}

export const EVENT_STREAM = "text/event-stream";
const BLANK = 32;
const MAX_BLANK_BYTES = 64 * 1024;
/** An error is no longer than this, and a completion is recognised sooner. */
const MAX_PEEKED_BYTES = 1024 * 1024;
/** The most bytes that may come before the first token. */
const MAX_PRELUDE_BYTES = 1024 * 1024;

const TRIED = { headers: { "x-should-retry": "false" } };

/**
 * An event stream is not waited for: its first bytes may take as long as the model thinks.
 * @param patience milliseconds to wait until another answer is recognised
 * @throws {Problem} 502, the answer is a page, an error or empty; 504, it could not be recognised in time
 */
export async function answerOf(response: Response, patience: number, secrets: readonly string[]): Promise<Answer> {
  if (!response.body) throw nothing();
  const contentType = response.headers.get("content-type") ?? "";
  const inlet = inletOf(response.body);
  if (/^text\/event-stream\b/i.test(contentType)) return { inlet, first: undefined, contentType };
  let isLate = false;
  const late = () => {
    isLate = true;
    inlet.cancel();
  };
  const timer = Number.isFinite(patience) ? setTimeout(late, patience) : undefined;
  try {
    return await wordsOrAnswer(inlet, secrets);
  } catch (error) {
    inlet.cancel();
    throw isLate ? new Problem(504, "upstream_timeout", "The provider did not answer in time.", TRIED) : error;
  } finally {
    clearTimeout(timer);
  }
}

async function wordsOrAnswer(inlet: Inlet, secrets: readonly string[]): Promise<Answer> {
  let some = await readSome(inlet);
  let text = new TextDecoder().decode(some).trimStart();
  if (/^(data|event|id|retry)?:/.test(text)) return { inlet, first: some, contentType: EVENT_STREAM };
  if (!text.startsWith("{")) {
    throw new Problem(
      502,
      "upstream_not_a_completion",
      "The provider's response is not a chat completion. Check the provider's base URL.",
      TRIED,
    );
  }
  // An error has its `error` first, or has no choices.
  while (!HAS_CHOICES.test(text)) {
    const bytes = some.length < MAX_PEEKED_BYTES ? await inlet.next() : undefined;
    if (!bytes) throw errorIn(text, secrets);
    some = joined(some, bytes).slice();
    text = new TextDecoder().decode(some).trimStart();
  }
  if (/^\{\s*"error"\s*:\s*[^n\s]/.test(text)) throw errorIn(text, secrets);
  return { inlet, first: some, contentType: "application/json" };
}

/** A list of choices: a completion has one, and a body without one is an error, whatever else is in it. */
const HAS_CHOICES = /"choices"\s*:\s*\[/;

/** The first bytes that are not blank. Some servers send blanks to keep a connection open. */
async function readSome(inlet: Inlet): Promise<Uint8Array> {
  let some: Uint8Array = new Uint8Array(0);
  for (;;) {
    const value = await inlet.next();
    if (value) some = joined(some, value).slice(); // the bytes of a read are good until the next
    const said = some.findIndex((byte) => byte > BLANK);
    if (said >= 0 && (value === undefined || some.length - said >= "event:".length)) return some;
    if (value === undefined || (said < 0 && some.length > MAX_BLANK_BYTES)) throw nothing();
  }
}

function nothing(): Problem {
  return new Problem(502, "upstream_sent_nothing", "The provider's response is empty. Try again in a moment.", TRIED);
}

function errorIn(text: string, secrets: readonly string[]): Problem {
  let words: string | undefined;
  try {
    words = publicWords(wordsIn(JSON.parse(text)), secrets);
  } catch {
    // The text is cut off, and its beginning may be misleading.
  }
  return new Problem(502, "upstream_failed", words ?? "The provider answered with an error.", TRIED);
}

/**
 * Reads a stream as far as its first token.
 * @throws {Problem} 502, the answer failed or ended before its first token; 504, the token did not come in time
 */
export async function untilFirstToken(
  answer: Answer,
  options: DecoderOptions,
  { firstToken, keptAlive }: Patience,
  secrets: readonly string[],
): Promise<Answer> {
  const { inlet } = answer;
  const decoder = new ChatDecoder({ ...options, output: "none" });
  const read: Uint8Array[] = answer.first ? [answer.first] : [];
  let length = 0;
  let isLate = false;
  const late = () => {
    isLate = true;
    inlet.cancel();
  };
  const end = performance.now() + keptAlive.firstToken;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const next = () => {
    clearTimeout(timer);
    // Keep-alives are no silence, and no token either.
    const wait = Math.min(firstToken, end - performance.now());
    timer = Number.isFinite(wait) ? setTimeout(late, wait) : undefined;
    return inlet.next().catch(() => undefined);
  };
  try {
    let bytes: Uint8Array | undefined = answer.first;
    for (;;) {
      bytes ??= (await next())?.slice();
      if (bytes && bytes !== answer.first) read.push(bytes);
      length += bytes?.length ?? 0;
      if (bytes !== undefined) decoder.push(bytes);
      if (decoder.hasToken || length > MAX_PRELUDE_BYTES) return { ...answer, first: joined(...read) };
      if (bytes === undefined || decoder.ended) {
        const { status, error, finishReason } = decoder.end(bytes === undefined && isLate ? "lost" : "closed");
        if (status === "complete" && finishReason !== null) return { ...answer, first: joined(...read) };
        inlet.cancel();
        if (isLate) throw new Problem(504, "upstream_timeout", "The provider did not answer in time.", TRIED);
        const words = publicWords(wordsIn((error as { error?: unknown } | undefined)?.error), secrets);
        throw new Problem(502, "upstream_failed", words ?? "The provider's answer failed before it began.", TRIED);
      }
      bytes = undefined;
    }
  } catch (error) {
    inlet.cancel();
    throw error;
  } finally {
    clearTimeout(timer);
    decoder.free();
  }
}
