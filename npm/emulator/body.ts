/**
 * A response body: when its bytes leave, how they are cut, and how it ends.
 *
 * The body is pulled: nothing is written ahead of the reader, so back-pressure costs nothing. A timer runs only while a read
 * waits, and is gone when the reader or the caller leaves.
 */
import type { StreamEvent } from "./stream.ts";
import type { Trouble } from "./trouble.ts";

/**
 * Time, as the emulator sees it.
 *
 * @example
 * let time = 0; // a test's clock: waiting is instant and exact
 * const clock: Clock = { now: () => time, sleep: async (ms) => { time += ms; } };
 */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The host's clock and timers. */
export const HOST_CLOCK: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(ms, 2 ** 31 - 1));
      signal.addEventListener("abort", end);
    }),
};

/** How fast tokens come. */
export interface Pace {
  clock: Clock;
  /** Milliseconds until the first token. */
  timeToFirstToken: number;
  /** Milliseconds from token to token, on average; 0 for no waiting. */
  interval: number;
  /** 0 <= n < 1, for jitter. */
  jitter(): number;
}

/** No waiting at all. */
export const INSTANT: Pace = { clock: HOST_CLOCK, timeToFirstToken: 0, interval: 0, jitter: () => 0 };

/** The events that a body tells its owner. */
export interface BodyObserver {
  /** So many more tokens have been generated. */
  tokens(count: number): void;
  /** The body is over; `left` when the caller left before its end. Called once. */
  ended(left: boolean): void;
}

/** `last`: the caller now has everything; what follows is only the end of the connection. */
interface Frame {
  frame: string | Uint8Array;
  last: boolean;
}

interface Bytes {
  bytes: Uint8Array<ArrayBuffer>;
  last: boolean;
}

/** Makes the body from its events. Aborting `signal` errors it with the signal's reason. */
export function createBody(
  events: Iterable<StreamEvent>,
  pace: Pace,
  trouble: Trouble,
  signal: AbortSignal | null,
  observer: BodyObserver,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const gone = new AbortController();
  const frames = paced(events, pace, observer, gone.signal);
  const source = pieces(damaged(encoded(frames, trouble), trouble, pace.clock, gone.signal), trouble);
  let complete = false;
  let over = false;

  function finish(left: boolean): void {
    if (complete) return;
    complete = true;
    observer.ended(left);
  }
  function end(left: boolean): void {
    over = true;
    gone.abort();
    finish(left);
  }

  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        if (!signal) return;
        const abort = (): void => {
          end(true);
          controller.error(signal.reason);
        };
        if (signal.aborted) return abort();
        signal.addEventListener("abort", abort);
        gone.signal.addEventListener("abort", () => signal.removeEventListener("abort", abort));
      },
      async pull(controller) {
        try {
          const { value, done } = await source.next();
          if (over) return;
          if (value) controller.enqueue(value.bytes);
          if (value?.last) finish(false);
          if (done || (value.last && !trouble.linger)) {
            end(false);
            controller.close();
          }
        } catch (error) {
          if (over) return;
          end(false);
          controller.error(error);
        }
      },
      cancel() {
        end(true);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Lets each event out when its tokens are due. */
async function* paced(
  events: Iterable<StreamEvent>,
  pace: Pace,
  observer: BodyObserver,
  gone: AbortSignal,
): AsyncGenerator<Frame> {
  const { clock } = pace;
  let due = clock.now() + pace.timeToFirstToken * (0.9 + 0.2 * pace.jitter());
  let ready: Frame | null = null;
  for (const event of events) {
    if (ready) yield ready;
    const wait = due - clock.now();
    if (wait > 0) await clock.sleep(wait, gone);
    if (gone.aborted) return;
    if (event.tokens > 0) {
      observer.tokens(event.tokens);
      // Between half and one and a half of the interval: uneven as a busy server, the same on average.
      due += event.tokens * pace.interval * (0.5 + pace.jitter());
    }
    ready = event.frame.length > 0 ? { frame: event.frame, last: false } : null;
  }
  if (ready) yield { ...ready, last: true };
}

/** Writes the lines with the line ends asked for. */
async function* encoded(frames: AsyncIterable<Frame>, trouble: Trouble): AsyncGenerator<Bytes, undefined> {
  const encoder = new TextEncoder();
  const lineEnd = trouble.crlf ? "\r\n" : trouble.cr ? "\r" : "\n";
  let prefix = trouble.bom ? "\ufeff" : "";
  for await (const { frame, last } of frames) {
    // An event holds no line end but those that frame it: JSON escapes the others.
    const bytes =
      typeof frame === "string" ? encoder.encode(prefix + frame.replaceAll("\n", lineEnd)) : new Uint8Array(frame);
    prefix = "";
    yield { bytes, last };
  }
}

/** Ends the body early, by what was asked for, and otherwise holds it open when that was. */
async function* damaged(
  source: AsyncIterable<Bytes>,
  trouble: Trouble,
  clock: Clock,
  gone: AbortSignal,
): AsyncGenerator<Bytes, undefined> {
  const limit = trouble.cut ?? trouble.reset ?? trouble.stall ?? Infinity;
  const wholeEvents = trouble.stall !== undefined && trouble.keepalive !== undefined;
  let sent = 0;
  for await (const { bytes, last } of source) {
    if (sent + bytes.length < limit) {
      sent += bytes.length;
      yield { bytes, last };
      continue;
    }
    const head = bytes.subarray(0, limit - sent);
    if (head.length > 0 && !(wholeEvents && head.length < bytes.length)) yield { bytes: head, last: false };
    if (trouble.cut !== undefined) return;
    if (trouble.reset !== undefined) throw new TypeError("terminated");
    yield* silence(trouble, clock, gone);
    return;
  }
  if (trouble.linger) await untilAborted(gone);
}

async function* silence(trouble: Trouble, clock: Clock, gone: AbortSignal): AsyncGenerator<Bytes, undefined> {
  if (trouble.keepalive === undefined) return untilAborted(gone);
  while (!gone.aborted) {
    await clock.sleep(trouble.keepalive, gone);
    if (!gone.aborted) yield { bytes: new TextEncoder().encode(": keep-alive\n\n"), last: false };
  }
}

function untilAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined));
  });
}

/** Cuts the bytes to the size asked for; an event may then span reads, and a read several events. */
async function* pieces(source: AsyncGenerator<Bytes, undefined>, trouble: Trouble): AsyncGenerator<Bytes, undefined> {
  const size = trouble.bytewise ? 1 : trouble.pieces;
  if (size === undefined) return yield* source;
  let kept = new Uint8Array();
  for await (const { bytes, last } of source) {
    const all = new Uint8Array(kept.length + bytes.length);
    all.set(kept);
    all.set(bytes, kept.length);
    let at = 0;
    for (; at + size < all.length || (last && at < all.length); at += size) {
      yield { bytes: all.slice(at, at + size), last: last && at + size >= all.length };
    }
    kept = all.slice(at);
  }
  if (kept.length > 0) yield { bytes: kept, last: false };
}
