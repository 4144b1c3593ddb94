/**
 * One stream read by two: its bytes, handed to both as each asks for them, with a bound on how far apart they get.
 */
import { StreamError, withOutcome } from "../errors.ts";
import type { Outcome } from "../types.ts";
import type { Session, Source } from "./session.ts";

/** How far, in bytes, one branch may fall behind the other. */
const MAX_BEHIND = 4 * 1024 * 1024;

/** How long, in milliseconds, the faster branch waits for the slower one before it goes ahead. */
const PATIENCE = 1000;

/** One side of a tee. */
interface Branch {
  body: ReadableStream<Uint8Array>;
  /** How it ended, by how it saw that itself, and how the whole ended. */
  verdict: (own: Outcome, whole: Outcome | undefined) => Outcome;
}

/** The two sources of one stream, whose body is `whole`. */
export async function teeOf(
  whole: ReadableStream<Uint8Array>,
  session: Session,
  maxBehind?: number,
): Promise<[Source, Source]> {
  const [one, other] = teeBody(whole, maxBehind);
  await session.opened;
  const decoder = { ...session.source?.decoder, timeouts: {} };
  const sourceOf = ({ body, verdict }: Branch): Source => ({
    body,
    decoder,
    verdict: (own) => verdict(own, session.outcome),
  });
  return [sourceOf(one), sourceOf(other)];
}

/**
 * Two bodies of one. Both move at the pace of the slower one while it is read at all; one that is not read falls behind,
 * and is cut off at `maxBehind` bytes. The source is cancelled once both are.
 */
function teeBody(source: ReadableStream<Uint8Array>, maxBehind = MAX_BEHIND): [Branch, Branch] {
  const reader = source.getReader();
  const sides: [Side, Side] = [new Side(), new Side()];
  let reading: Promise<void> | undefined;

  const read = async () => {
    try {
      const { done, value } = await reader.read();
      for (const side of sides) side.give(done ? "end" : value, maxBehind);
    } catch (error) {
      for (const side of sides) side.give({ error }, maxBehind);
    } finally {
      reading = undefined;
    }
  };
  const pull = async (side: Side, other: Side) => {
    side.isAway = false;
    side.moved();
    while (side.isEmpty) {
      await other.caughtUp();
      if (!side.isEmpty) break;
      reading ??= read();
      await reading;
    }
    side.take();
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
        pull: () => pull(side, other),
        cancel: (reason) => cancel(side, other, reason),
      },
      { highWaterMark: 0 },
    ),
    verdict: (own, whole) => verdict(own, side.failure, whole),
  });
  return [branch(sides[0], sides[1]), branch(sides[1], sides[0])];
}

/** How a branch ended: as it saw itself, unless it was cut off, or broke because the whole did. */
function verdict(own: Outcome, failure: StreamError | undefined, whole: Outcome | undefined): Outcome {
  if (failure) {
    const outcome: Outcome = { ...own, status: "error", error: failure };
    withOutcome(failure, outcome);
    return outcome;
  }
  return own.status === "truncated" && whole ? whole : own;
}

type Item = Uint8Array | "end" | { error: unknown };

/** What one side has still to read. */
class Side {
  controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  failure: StreamError | undefined;
  hasLeft = false;
  /** It has not asked for anything in a while: nobody waits for it. */
  isAway = false;
  moved: () => void = () => {};
  #items: Item[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  give(item: Item, maxBehind: number): void {
    if (this.hasLeft) return;
    this.#items.push(item);
    if (!(item instanceof Uint8Array)) return;
    this.#bytes += item.length;
    if (this.#bytes <= maxBehind || this.#items.length === 1) return;
    this.failure = new StreamError(
      `This branch of a tee fell ${this.#bytes} bytes behind the other, more than the limit of ${maxBehind}. Read both at the same time, or raise maxBehind.`,
    );
    this.controller?.error(this.failure);
    this.leave();
  }

  take(): void {
    const item = this.#items.shift();
    if (item === undefined) return;
    if (item instanceof Uint8Array) {
      this.#bytes -= item.length;
      this.controller?.enqueue(item);
    } else if (item === "end") this.controller?.close();
    else this.controller?.error(item.error);
    this.moved();
  }

  leave(): void {
    this.hasLeft = true;
    this.#items = [];
    this.#bytes = 0;
    this.moved();
  }

  /** Resolves once this side has read what there is, has left, or has shown that nobody reads it. */
  async caughtUp(): Promise<void> {
    while (!this.isEmpty && !this.isAway) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          this.isAway = true;
          resolve();
        }, PATIENCE);
        this.moved = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
