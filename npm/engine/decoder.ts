/**
 * One decoder of the engine, and its owner: bytes go in, the output of each push comes out, and the decoder is freed as soon as
 * its outcome is known.
 *
 * Reads nothing and waits for nothing; reading.ts and decoders.ts do, each in its own way.
 */

import { type ErrorDescriptor, outcomeOf, toError, withOutcome } from "../errors.ts";
import type { AnswerHead, Outcome } from "../types.ts";
import {
  COMPLETION,
  DECODER,
  END,
  type EndReason,
  type EngineDecoderOptions,
  INPUT_BYTES,
  LACKS_USAGE,
  LOST,
  OUTCOME,
  type OutputKind,
  PUSH,
  SET_OUTPUT,
  TICK,
} from "./boundary.ts";
import { clock, sameClock } from "./clock.ts";
import { due, make, output, type Part, place, put, repeated, says, settingsText, tokens } from "./engine.ts";
import { joined, type PushOutput } from "./push-output.ts";
import type { Shape } from "./shapes.ts";

/** The part of an outcome that is known while the answer arrives. */
export interface SoFar extends Pick<Outcome, "usage" | "cost"> {
  completion: AnswerHead | null;
}

/**
 * The outcome, which comes in parts when it is long; in the input is so much of the request's body. The engine has to be told when
 * the stream `ended` where its last push was not told the time.
 */
function told(engine: Part, length: number, ended = 0): Outcome {
  engine.call(OUTCOME, length, 0, ended);
  let json = output();
  while (says()) {
    engine.call(OUTCOME, 0, 1);
    json += output();
  }
  const outcome = JSON.parse(json) as Outcome;
  // Text and reasoning of the answer, which are long, stand in the outcome once; their other places hold 0.
  const { text, reasoning } = outcome;
  const long: Record<string, unknown> = { content: text, reasoning, reasoning_content: reasoning };
  for (const said of [outcome.message, outcome.completion?.choices?.[0]?.message] as (
    | typeof long
    | undefined
    | null
  )[]) {
    for (const name in long) if (said?.[name] === 0) said[name] = long[name];
  }
  return outcome;
}

/**
 * The most bytes whose output is held back, 1 MiB. An answer that has brought more without a token is handed out like one with a
 * token: a server may send empty deltas for as long as a model may think.
 */
const MOST_HELD = 1_048_576;

/** Records the calls of a decoder. */
export interface Notes {
  note(step: ["read" | "tick", readStarted: number, now: number], bytes?: Uint8Array): void;
  noteEnd(reason: EndReason, now: number, why: string): void;
}

export class BodyDecoder {
  /** How it ended; undefined until then, and for ever when it was freed in flight. */
  outcome: Outcome | undefined;
  /** For a document that is complete: what the server sent. */
  completion: object | undefined;

  /** Once the first text, reasoning or tool call has come, or so many bytes that they are no longer held back. */
  hasToken = false;
  /** How many bytes at the end of the last push are events that repeat the one before with another text, and the beginning of one. */
  repeatedBytes = 0;
  /** The last push brought more of the answer: so does the next one, most likely, and then its time changes nothing. */
  #isFlowing = false;
  /** Called when the first token has come, unless the body is a document. */
  onToken: (() => void) | undefined;

  #engine: Part | undefined;
  #patience = Number.POSITIVE_INFINITY;
  #due = Number.POSITIVE_INFINITY;
  #shape: Shape | undefined;
  /** Silence may complete a sentence. */
  readonly speaks: boolean;
  /** The body is one JSON completion. */
  readonly isDocument: boolean;
  #prompt: EngineDecoderOptions["prompt"];

  readonly #recorder: Notes | undefined;
  /** The output from before the first token, where that is held back. */
  #held: PushOutput | undefined;
  #taken = 0;

  /**
   * @param recorder records all calls of the decoder
   * @param holds nothing is to be handed out before the first token, because another answer may take the place of this one
   * @param made the engine's part, where it was made of these options already
   */
  constructor({ prompt, ...options }: EngineDecoderOptions, recorder?: Notes, holds = false, made?: Part) {
    this.#recorder = recorder;
    if (holds) this.#held = "";
    this.isDocument = options.document === true;
    this.speaks = Boolean(options.sentences);
    this.#prompt = prompt;
    this.#engine = made ?? make(DECODER, settingsText({ epoch: (Date.now() || 0) - clock(), ...options }));
  }

  /** Chooses the output of each push; for chunks and events, `shape` makes them. Before the first push. */
  setOutput(kind: OutputKind, shape?: Shape): void {
    this.#shape = shape;
    this.#do((engine) => {
      engine.call(SET_OUTPUT, kind);
      this.#noteDeadline();
      return "";
    });
  }

  /** Puts an item before the first that is handed out. */
  begin(item: object): void {
    this.#held = [item];
  }

  /** The usage so far, its cost, and what the server calls the answer. */
  used(): SoFar {
    let used: SoFar = { usage: null, cost: null, completion: null };
    this.#do((engine) => {
      used = this.#report(engine);
      return "";
    });
    return this.outcome ?? used;
  }

  /** The outcome; before the end, what was used so far. */
  #report(engine: Part, ended?: number): Outcome {
    // The request is read only where the server has not counted its tokens, and once.
    const prompt = this.#prompt;
    if (prompt) engine.call(LACKS_USAGE);
    const length = prompt && says() ? put(typeof prompt === "string" ? prompt : prompt()) : 0;
    this.#prompt = undefined;
    return told(engine, length, ended);
  }

  /**
   * Takes the bytes of a read that is over just now. The clock is looked at before where that may matter, as for recordings and
   * sentences; of a read that goes on with the answer, after it and only if it brought no more of it, or the end.
   */
  take(chunk: Uint8Array, readStarted: number): PushOutput {
    if (this.#isFlowing && chunk.length <= INPUT_BYTES) return this.#push(chunk, readStarted);
    return this.push(chunk, readStarted, sameClock());
  }

  /** Takes bytes that came at `now`. Once `outcome` is there, further bytes change nothing. */
  push(chunk: Uint8Array, readStarted: number, now: number): PushOutput {
    this.#recorder?.note(["read", readStarted, now], chunk);
    if (chunk.length <= INPUT_BYTES) return this.#push(chunk, readStarted, now);
    let pushed: PushOutput = "";
    for (let at = 0; at < chunk.length && this.#engine; at += INPUT_BYTES) {
      pushed = joined(pushed, this.#push(chunk.subarray(at, at + INPUT_BYTES), readStarted, now));
    }
    return pushed;
  }

  /** As `#do`, without a closure for each network chunk. Without `now` the bytes came just now. */
  #push(slice: Uint8Array, readStarted: number, now?: number): PushOutput {
    const engine = this.#engine;
    if (!engine) return "";
    try {
      place(slice);
      this.#taken += slice.length;
      // Bytes that came just now came no sooner than the read began.
      engine.call(PUSH, slice.length, readStarted, now ?? readStarted, 0);
      if (now !== undefined || tokens() === 2) return this.#pushed(engine);
      const late = sameClock();
      const pushed = this.#pushed(engine, late);
      if (this.outcome) return pushed;
      // No bytes more, but the time until now.
      engine.call(PUSH, 0, readStarted, late);
      return joined(pushed, this.#pushed(engine));
    } catch (thrown) {
      this.#settle(this.#salvaged(engine), thrown);
      return "";
    }
  }

  /** Ends the decoder with its body; `why` is the host's message, where it gave one. */
  end(reason: EndReason, now: number, why = ""): PushOutput {
    this.#recorder?.noteEnd(reason, now, why);
    return this.#do((engine) => {
      engine.call(END, put(why), reason, now);
      return this.#pushed(engine);
    });
  }

  /** Checks the time while a read has been pending since `readStarted`. */
  tick(readStarted: number, now: number): PushOutput {
    this.#recorder?.note(["tick", readStarted, now]);
    return this.#do((engine) => {
      engine.call(TICK, 0, readStarted, now);
      return this.#pushed(engine);
    });
  }

  /** When to `tick`, if a read has been pending since `readStarted`; Infinity for never. */
  deadline(readStarted: number): number {
    return Math.min(readStarted + this.#patience, this.#due);
  }

  #noteDeadline(): void {
    const told = due();
    this.#patience = told[0] as number;
    this.#due = told[1] as number;
  }

  /** Frees the engine's memory, which happens by itself at the end. */
  free(): void {
    this.#engine?.free();
    this.#engine = undefined;
  }

  /** Takes the engine's output; at the end, the outcome too, with when it `ended` if the engine was not told. */
  #pushed(engine: Part, ended?: number): PushOutput {
    this.#noteDeadline();
    this.repeatedBytes = repeated();
    const isDecided = says();
    let pushed: PushOutput = this.#shape ? this.#shape() : output();
    const seen = tokens();
    this.#isFlowing = seen === 2 && !this.speaks && !this.#recorder;
    if (!this.hasToken && (seen > 0 || this.#taken > MOST_HELD)) {
      this.hasToken = true;
      if (!this.isDocument) this.onToken?.();
    }
    if (this.#held !== undefined) {
      pushed = joined(this.#held, pushed);
      const isHeld = !this.hasToken && !isDecided;
      this.#held = isHeld ? pushed : undefined;
      if (isHeld) pushed = "";
    }
    if (isDecided) {
      const outcome = this.#report(engine, ended);
      if (this.isDocument && outcome.status === "complete") {
        engine.call(COMPLETION);
        this.completion = objectOf(output());
        if (!this.completion) Object.assign(outcome, { status: "error", error: NO_OBJECT });
      }
      this.#settle(outcome, outcome.error);
    }
    return pushed;
  }

  #settle(outcome: Outcome, error: unknown): void {
    if (error) outcome.error = withOutcome(toError(error), outcome);
    outcome.resumed = 0;
    this.repeatedBytes = 0;
    this.outcome = outcome;
    this.free();
  }

  /** Does something in the engine, while there is an engine. A failure of the engine itself is an outcome too. */
  #do(work: (engine: Part) => PushOutput): PushOutput {
    const engine = this.#engine;
    if (!engine) return "";
    try {
      return work(engine);
    } catch (thrown) {
      this.#settle(this.#salvaged(engine), thrown);
      return "";
    }
  }

  /** The outcome of a decoder whose engine failed, with all that had arrived if that can still be read. */
  #salvaged(engine: Part): Outcome {
    try {
      engine.call(END, 0, LOST, clock());
      return { ...told(engine, 0), status: "error" } as Outcome;
    } catch (thrown) {
      return outcomeOf(toError(thrown));
    }
  }
}

/** The error for an answer that the engine understood and a caller could not: a list, or JSON that the host does not take. */
const NO_OBJECT: ErrorDescriptor = {
  name: "ProtocolError",
  message: "The answer is not one JSON object, as a completion is. Check the base URL, and the model.",
  code: "not_an_object",
};

function objectOf(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
