/**
 * Hedging: a second request while the first is silent, before the first token. Whichever brings it first is the answer; the
 * other is cancelled, and is in `attempts` and in `client.usage`.
 *
 * Both are read by scouts, whose decoders see the first token and hand out nothing; the winner's bytes are then read again from
 * the beginning.
 */

import { cancelBody } from "../discard.ts";
import { NONE } from "../engine/boundary.ts";
import { BodyDecoder } from "../engine/decoder.ts";
import { type Attempt, aborted, define, type ErrorDescriptor } from "../errors.ts";
import { Reading } from "../stream/reading.ts";
import type { Outcome } from "../types.ts";
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

/** How far one of them came: an answer, with how it ended if that was before its first token; or an error. */
interface Finish {
  answer?: Answer;
  tap?: Tap;
  outcome?: Outcome;
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
    if (isGood(earlier)) contenders[other]?.controller.abort(HEDGED);
    const later = await (running[other] as Promise<Finish>);
    const isFirst = isGood(earlier) || !isGood(later);
    finish = isFirst ? earlier : later;
    const loser = isFirst ? later : earlier;
    const name = finish.answer?.decoder.attempts?.at(-1) as Attempt | undefined;
    tellOf(finish, attemptsOf(loser, name?.provider));
    freeLoser(loser);
  }
  const { answer, tap, outcome, error } = finish;
  if (!answer || !tap) throw error;
  if (!outcome) return { ...answer, body: tap.body(true) };
  // The answer has ended, and its body is cancelled.
  outcome.attempts = (answer.decoder.attempts ?? []) as Attempt[];
  if (outcome.error) define(outcome.error, "attempts", outcome.attempts);
  return { ...answer, body: null, verdict: () => answer.verdict?.(outcome) ?? outcome };
}

/** The reason in `attempts` of the one that was cancelled, and of its abort. */
const HEDGED = "hedged";

function isGood({ answer, outcome }: Finish): boolean {
  return answer !== undefined && (outcome === undefined || outcome.status === "complete");
}

async function run({ chain, controller }: Contender): Promise<Finish> {
  try {
    let answer = await chain.open();
    for (;;) {
      const tap = new Tap(answer.body);
      const outcome = await scout(answer, tap.body(false), controller.signal);
      if (!outcome || outcome.status === "complete") return { answer, tap };
      const next = outcome.status === "aborted" ? undefined : chain.again(outcome);
      tap.cancel();
      if (!next) {
        // The other request may wait for this slot.
        answer.slot.breakOff(outcome);
        answer.decoder.attempts = outcome.attempts;
        return { answer, tap, outcome };
      }
      answer.slot.leave(outcome);
      answer = await next;
    }
  } catch (error) {
    return { error };
  }
}

/** Reads an answer's body until its first token (nothing is given) or its end, and hands out nothing. */
function scout(answer: Answer, body: Answer["body"], signal: AbortSignal): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const decoder = new BodyDecoder(answer.decoder);
    // From here on the timeouts of the answer are known.
    decoder.setOutput(NONE);
    const leave = () => reading.abort();
    signal.addEventListener("abort", leave);
    const reading = new Reading(body, decoder, (outcome) => {
      signal.removeEventListener("abort", leave);
      resolve(outcome);
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
        if (decoder.hasToken && !decoder.isDocument && !decoder.outcome) {
          resolve(undefined);
          return void reading.abort();
        }
      }
    };
    read().catch(reject);
  });
}

/** Frees what the one that lost holds, and counts what it used. */
function freeLoser({ answer, tap, outcome }: Finish): void {
  tap?.cancel();
  if (outcome) answer?.slot.leave(outcome);
  answer?.slot.end();
}

/** Puts the attempts of the other before those of this one. */
function tellOf({ answer, error }: Finish, others: readonly Attempt[]): void {
  if (answer) answer.decoder.attempts = [...others, ...(answer.decoder.attempts ?? [])];
  else if (typeof error === "object" && error) {
    const own = (error as ErrorDescriptor).attempts ?? [];
    Object.assign(error, { attempts: [...others, ...own] });
  }
}

/** The attempts of the contender that lost. */
function attemptsOf({ outcome, error }: Finish, provider = ""): Attempt[] {
  if (outcome) {
    const attempts = outcome.attempts.map((attempt) => ({ ...attempt }));
    const last = attempts.at(-1);
    if (last && outcome.status === "aborted") last.reason = HEDGED;
    return attempts;
  }
  const { attempts = [], name } = (error ?? {}) as ErrorDescriptor;
  const isCancelled = name === "APIUserAbortError";
  return isCancelled ? [...attempts, { provider, status: null, reason: HEDGED }] : [...attempts];
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
