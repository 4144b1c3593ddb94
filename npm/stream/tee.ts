/**
 * One stream read by two: its bytes, handed to both as each asks for them, with a bound on how far apart they get.
 */
import { StreamError, withOutcome } from "../errors.ts";
import type { Outcome } from "../types.ts";
import type { Session } from "./session.ts";
import type { Source } from "./source.ts";

/** How far, in bytes, one branch may fall behind the other. */
const MAX_BEHIND = 4 * 1024 * 1024;

/** How long, in milliseconds, the faster branch waits for the slower one before it goes ahead. */
const PATIENCE = 1000;

/** One side of a tee. */
interface Branch {
  body: ReadableStream<Uint8Array>;
  /** The outcome of the branch, from its own and that of the whole. */
  verdict: (own: Outcome, whole: Outcome | undefined) => Outcome;
}

/** The source of each branch, and its way to leave before the stream is open. */
type Opening = [source: Promise<Source>, controller: AbortController];

/** The two sources of one stream, whose body is `whole`. */
export function teeOf(whole: ReadableStream<Uint8Array>, session: Session, maxBehind?: number): [Opening, Opening] {
  const openingOf = ({ body, verdict }: Branch): Opening => {
    const controller = new AbortController();
    // Once the body is read, its reader cancels it.
    controller.signal.addEventListener("abort", () => body.locked || body.cancel());
    const source = async (): Promise<Source> => {
      await session.opened;
      const decoder = { ...session.source?.decoder, timeouts: {} };
      return { body, decoder, verdict: (own) => verdict(own, session.outcome) };
    };
    return [source(), controller];
  };
  const [one, other] = teeBody(whole, maxBehind);
  return [openingOf(one), openingOf(other)];
}

/** One read of the source, made once the first branch asks for it, and the place of the next. */
interface Link {
  read?: Promise<ReadableStreamReadResult<Uint8Array>>;
  next?: Link;
}

/**
 * Two bodies of one. Both move at the pace of the slower one while it is read at all; one that is not read falls behind,
 * and is cut off at `maxBehind` bytes. The source is cancelled once both are.
 */
function teeBody(source: ReadableStream<Uint8Array>, maxBehind = MAX_BEHIND): [Branch, Branch] {
  const reader = source.getReader();
  const first: Link = {};
  const sides: [Side, Side] = [new Side(first), new Side(first)];

  const pull = async (side: Side, other: Side, controller: ReadableStreamDefaultController<Uint8Array>) => {
    side.move();
    const link = side.at;
    if (!link.read) await other.caughtUp(side);
    if (side.hasLeft) return;
    link.read ??= reader.read();
    try {
      const { done, value } = await link.read;
      if (side.hasLeft) return;
      if (done) return controller.close();
      link.next ??= {};
      side.at = link.next;
      side.taken += value.length;
      side.move();
      controller.enqueue(value);
      if (side.taken - other.taken > maxBehind && other.at.next !== side.at) other.cutOff(side.taken, maxBehind);
    } catch (error) {
      if (!side.hasLeft) controller.error(error);
    }
  };
  const cancel = async (side: Side, other: Side, reason: unknown) => {
    side.leave();
    if (other.hasLeft) await reader.cancel(reason);
  };
  const branch = (side: Side, other: Side): Branch => ({
    body: new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          side.controller = controller;
        },
        pull: (controller) => pull(side, other, controller),
        cancel: (reason) => cancel(side, other, reason),
      },
      { highWaterMark: 0 },
    ),
    verdict: (own, whole) => verdict(own, side.failure, whole),
  });
  return [branch(sides[0], sides[1]), branch(sides[1], sides[0])];
}

/** The outcome of a branch: its own, unless it was cut off, or broke because the whole did. */
function verdict(own: Outcome, failure: StreamError | undefined, whole: Outcome | undefined): Outcome {
  if (failure) {
    const outcome: Outcome = { ...own, status: "error", error: failure };
    withOutcome(failure, outcome);
    return outcome;
  }
  if (own.status === "truncated" && whole) return whole;
  // Another answer may have taken the place of the first.
  if (whole) Object.assign(own, { attempts: whole.attempts, requestId: whole.requestId });
  return own;
}

/** Where one side stands. */
class Side {
  controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  failure: StreamError | undefined;
  hasLeft = false;
  /** The next read of this side. */
  at: Link;
  /** How many bytes it was given. */
  taken = 0;
  /** This side has not asked for anything in a while, and the other does not wait for it until it does. */
  #isAway = false;
  #moved: () => void = () => {};

  constructor(at: Link) {
    this.at = at;
  }

  /** This side was read from, so that the other side need not wait, or knows to wait on. */
  move(): void {
    this.#isAway = false;
    this.#moved();
  }

  leave(): void {
    this.hasLeft = true;
    this.at = {}; // drops the reads that it has not taken
    this.#moved();
  }

  cutOff(ahead: number, maxBehind: number): void {
    if (this.hasLeft) return;
    this.failure = new StreamError(
      `This branch of a tee fell ${ahead - this.taken} bytes behind the other, past the limit of ${maxBehind}. Read both at once, or raise maxBehind.`,
      { code: "limit.behind" },
    );
    this.controller?.error(this.failure);
    this.leave();
  }

  /**
   * Resolves once this side has read all that the other has, has left, or has not been read for a while, and once the other
   * has left. Each turn of the loop waits for a read or a timer, so that it never spins.
   */
  async caughtUp(other: Side): Promise<void> {
    while (this.at !== other.at && !this.hasLeft && !this.#isAway && !other.hasLeft) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          this.#isAway = true;
          resolve();
        }, PATIENCE);
        this.#moved = () => {
          clearTimeout(timer);
          resolve();
        };
        other.#moved = this.#moved;
      });
    }
  }
}
