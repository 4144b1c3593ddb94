/**
 * Hedging: a second request while the first is silent, before the first token. Whichever brings it first is the answer; the
 * other is cancelled, and is in `attempts` and in `client.usage`.
 *
 * Both are read by scouts, whose decoders see the first token and hand out nothing; the winner's bytes are then read again from
 * the beginning. What the scout of the other has seen, or else its prompt, is what that request used.
 */

import { cancelBody } from "../discard.ts";
import { ABORTED, NONE } from "../engine/boundary.ts";
import { clock } from "../engine/clock.ts";
import { BodyDecoder } from "../engine/decoder.ts";
import { type Attempt, aborted, define, type ErrorDescriptor } from "../errors.ts";
import { Reading } from "../stream/reading.ts";
import type { Outcome, Usage } from "../types.ts";
import type { Answer } from "./answer.ts";
import type { FallbackChain } from "./fallback-chain.ts";

/** One of the two. */
export interface Contender {
  chain: FallbackChain;
  /** Ends its request. */
  controller: AbortController;
}

export interface Race {
  begin: () => Contender;
  /** Milliseconds before the second begins. */
  after: number;
  signal: AbortSignal;
}

/** How far one of them came: an answer, and its outcome as far as it was read; or an error. */
interface Finish {
  answer?: Answer;
  tap?: Tap;
  outcome?: Outcome;
  /** The contender brought its first token, or all of a document. */
  isGood: boolean;
  error?: unknown;
}

/**
 * The answer of the first of two that has a token.
 * @throws {ErrorDescriptor} both failed, or the first did before the second began
 */
export async function race({ begin, after, signal }: Race): Promise<Answer> {
  const first = begin();
  const running = [run(first)];
  const contenders = [first];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const due = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), after);
  });
  let finish = await Promise.race([running[0], due]);
  clearTimeout(timer);
  if (!finish && signal.aborted) throw aborted(signal.reason);
  if (!finish) {
    const second = begin();
    contenders.push(second);
    running.push(run(second));
    const numbered = running.map(async (one, at) => ({ at, finish: await one }));
    const { at, finish: earlier } = await Promise.race(numbered);
    const other = 1 - at;
    const rival = contenders[other] as Contender;
    if (earlier.isGood) rival.controller.abort(HEDGED);
    const later = await (running[other] as Promise<Finish>);
    const isFirst = earlier.isGood || !later.isGood;
    finish = isFirst ? earlier : later;
    const loser = isFirst ? later : earlier;
    tellOf(finish, attemptsOf(loser, earlier.isGood));
    freeLoser(loser);
    if (earlier.isGood && wasCancelled(later)) countUnanswered(rival.chain);
  }
  const { answer, tap, outcome, isGood, error } = finish;
  if (!answer || !tap || !outcome) throw error;
  // The attempts of both are among the options of its decoder.
  answer.opening = undefined;
  if (isGood) return { ...answer, body: tap.body(true) };
  // The answer has ended, and its body is cancelled.
  outcome.attempts = (answer.decoder.attempts ?? []) as Attempt[];
  if (outcome.error) define(outcome.error, "attempts", outcome.attempts);
  return { ...answer, body: null, verdict: () => answer.verdict?.(outcome) ?? outcome };
}

/** The reason in `attempts` of the one that was cancelled, and of its abort. */
const HEDGED = "hedged";

/** The attempt of a request that was cancelled before its headers has the name of that error. */
const CANCELLED = "APIUserAbortError";

function wasCancelled({ error }: Finish): boolean {
  return (error as ErrorDescriptor | undefined)?.attempts?.at(-1)?.reason === CANCELLED;
}

async function run({ chain, controller }: Contender): Promise<Finish> {
  let answer: Answer | undefined;
  let tap: Tap | undefined;
  try {
    answer = await chain.open();
    for (;;) {
      tap = new Tap(answer.body);
      const { outcome, isGood } = await scout(answer, tap.body(false), controller.signal);
      if (isGood) return { answer, tap, outcome, isGood };
      const next = outcome.status === "aborted" ? undefined : chain.again(outcome);
      tap.cancel();
      if (!next) {
        // The other request may wait for this slot.
        answer.slot.breakOff(outcome);
        answer.decoder.attempts = outcome.attempts;
        return { answer, tap, outcome, isGood };
      }
      answer.slot.leave(outcome);
      answer = await next;
    }
  } catch (error) {
    // Where the engine has failed, an answer is there; else its body is cancelled already.
    tap?.cancel();
    answer?.slot.end();
    return { error, isGood: false };
  }
}

/** Reads an answer's body until its first token or its end, and hands out nothing. The outcome is that of what was read. */
function scout(
  answer: Answer,
  body: Answer["body"],
  signal: AbortSignal,
): Promise<{ outcome: Outcome; isGood: boolean }> {
  return new Promise((resolve, reject) => {
    const decoder = new BodyDecoder(answer.decoder);
    // From here on the timeouts of the answer are known.
    decoder.setOutput(NONE);
    const leave = () => reading.abort();
    signal.addEventListener("abort", leave);
    const reading = new Reading(body, decoder, (outcome) => {
      signal.removeEventListener("abort", leave);
      // An answer that breaks after its first token is the answer, as without a second request.
      resolve({ outcome, isGood: outcome.status === "complete" || (decoder.hasToken && !decoder.isDocument) });
      return false;
    });
    if (signal.aborted) leave();
    const read = async () => {
      while (!decoder.outcome) {
        const [result, cause] = await reading.read().then(
          (result) => [result, undefined] as const,
          (cause: unknown) => [undefined, cause] as const,
        );
        if (result) reading.taken(result);
        else reading.lost(cause);
        if (decoder.hasToken && !decoder.isDocument) reading.abort();
      }
    };
    read().catch(reject);
  });
}

/** Frees what the one that lost holds, and counts what it used. */
function freeLoser({ answer, tap, outcome, isGood }: Finish): void {
  tap?.cancel();
  // One that broke has used what is known of it; of one that was cancelled that may be unknown.
  if (!isGood && outcome?.status !== "aborted") answer?.slot.leave(outcome);
  answer?.slot.end(outcome);
}

/** Counts a request that was cancelled before its headers at the client that sent it: its prompt, by estimate. */
function countUnanswered({ talk }: FallbackChain): void {
  try {
    const [hold, body = "", prices] = talk.unanswered();
    const decoder = new BodyDecoder({ prompt: body, prices });
    decoder.end(ABORTED, clock());
    const { usage = null, cost = null } = decoder.outcome ?? {};
    hold.account(0, usage && ({ ...(cost !== null && { cost }), ...usage } as Usage));
    hold.release();
  } catch {
    // The engine has failed, or the client was disposed of: the answer is there all the same.
  }
}

/** Puts the attempts of the other before those of this one. */
function tellOf({ answer, error }: Finish, others: readonly Attempt[]): void {
  if (answer) answer.decoder.attempts = [...others, ...(answer.decoder.attempts ?? [])];
  else if (typeof error === "object" && error) {
    const own = (error as ErrorDescriptor).attempts ?? [];
    Object.assign(error, { attempts: [...others, ...own] });
  }
}

/** The attempts of the contender that lost; the last is marked if that was cancelled, or needed no more. */
function attemptsOf({ outcome, isGood, error }: Finish, isCancelled: boolean): Attempt[] {
  const { attempts = [] } = outcome ?? ((error ?? {}) as ErrorDescriptor);
  const copies = attempts.map((attempt) => ({ ...attempt }));
  const last = copies.at(-1);
  const isLeft = isGood || (isCancelled && (outcome?.status === "aborted" || last?.reason === CANCELLED));
  if (last && isLeft) last.reason = HEDGED;
  return copies;
}

/** A body that is read twice: as far as its scout came, and then all of it. */
class Tap {
  readonly #body: ReadableStream<Uint8Array> | null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** The reads of the scout, until they are read again. */
  readonly #reads: (Promise<ReadableStreamReadResult<Uint8Array>> | undefined)[] = [];

  constructor(body: ReadableStream<Uint8Array> | null) {
    this.#body = body;
  }

  cancel(reason?: unknown): Promise<void> {
    return cancelBody(this.#reader ?? this.#body, reason);
  }

  /** @param isLast no read follows this one: what it leaves is cancelled, what it reads is not kept */
  body(isLast: boolean): ReadableStream<Uint8Array> | null {
    const body = this.#body;
    if (!body) return null;
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const read = this.#reads[at] ?? this.#read(body);
          this.#reads[at++] = isLast ? undefined : read;
          const { done, value } = await read;
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: async (reason) => {
          if (isLast) await this.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** One read. A stream that has failed cannot be cancelled by its reader, so the body is cancelled here. */
  async #read(body: ReadableStream<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      this.#reader ??= body.getReader();
      return await this.#reader.read();
    } catch (thrown) {
      this.cancel();
      throw thrown;
    }
  }
}
