/**
 * An answer on its way from provider to caller: each read is passed on at once, the next is made when the caller takes it,
 * and a decoder reads the same bytes on the side. It keeps one read at most, and nothing is copied.
 */
import { ChatDecoder, type DecoderOptions, type Outcome } from "chatwire";
import { type Inlet, outletOf } from "./ends.ts";
import type { UsageFilter } from "./usage-filter.ts";

/** How long a provider's connection may stay open after the last event, in milliseconds. */
const LINGER = 1000;
/** How long an answer is read whose caller has left. Workers get 30 seconds, in which the record must be out, too. */
const DRAIN = 25_000;
/** How long a provider may say nothing at all. */
const IDLE = 120_000;

const NOTHING = new Uint8Array(0);

/** An answer, and what to do with it. */
export interface Passage {
  inlet: Inlet;
  /** What has been read of it already. */
  first: Uint8Array | undefined;
  decoder: DecoderOptions & { prompt: () => string };
  /** Takes out what the caller did not ask for. */
  filter: UsageFilter | undefined;
  onDisconnect: "drain" | "abort";
  /** The caller's. */
  signal: AbortSignal;
  /** Milliseconds the provider may be silent; `false` for ever. */
  idle?: number | false | undefined;
}

/** How an answer went. */
export interface Ending {
  /** `null` when the bytes could not be read on the side; they were passed on all the same. */
  outcome: Outcome | null;
  /** The caller left before the end. */
  disconnected: boolean;
  /** The provider fell silent. */
  stalled: boolean;
}

/** Starts to pass an answer on. `ended` never rejects. */
export function forward(passage: Passage): { body: ReadableStream<Uint8Array>; ended: Promise<Ending> } {
  const { inlet, filter, onDisconnect, signal, idle = IDLE } = passage;
  let isGone = false;
  let isOver = false;
  let reason: "closed" | "lost" | "aborted" = "closed";
  let isStalled = false;
  let patience = idle === false ? Number.POSITIVE_INFINITY : idle;
  let readingSince = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let draining: ReturnType<typeof setTimeout> | undefined;

  const leave = () => {
    if (isGone || isOver) return;
    isGone = true;
    outlet.abandon();
    const giveUp = () => {
      reason = "aborted";
      inlet.cancel();
    };
    if (onDisconnect === "abort") giveUp();
    else draining = setTimeout(giveUp, DRAIN);
  };
  const outlet = outletOf(leave);
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave);

  /** Ends a read that nothing comes of. A caller who does not read is no reason to. */
  const watch = () => {
    const wait = readingSince === 0 ? patience : readingSince + patience - performance.now();
    if (wait > 0) {
      timer = wait === Number.POSITIVE_INFINITY ? undefined : setTimeout(watch, wait);
      // In Node, an answer that nobody reads is no reason to keep the program running.
      (timer as { unref?: () => void } | undefined)?.unref?.();
    } else {
      if (!decoder?.ended) {
        isStalled = true;
        reason = "lost";
      }
      inlet.cancel();
    }
  };

  let decoder = start(passage.decoder);
  const account = (bytes: Uint8Array) => {
    try {
      decoder?.push(bytes);
    } catch {
      decoder = undefined;
    }
  };

  const run = async (): Promise<Ending> => {
    let bytes = passage.first;
    let isLingering = false;
    watch();
    try {
      for (;;) {
        if (!bytes) {
          readingSince = performance.now();
          bytes = await inlet.next();
          readingSince = 0;
          if (!bytes) break;
        }
        const passed = isGone || !filter ? bytes : filter.push(bytes);
        const isTaken = isGone || passed.length === 0 ? undefined : outlet.pass(passed);
        account(bytes);
        bytes = undefined;
        if (isTaken) await isTaken;
        if (!decoder?.ended) continue;
        if (isGone) break;
        if (!isLingering) {
          isLingering = true;
          clearTimeout(timer);
          patience = LINGER;
          watch();
        }
      }
    } catch {
      if (reason === "closed") reason = "lost";
    }
    isOver = true;
    clearTimeout(timer);
    clearTimeout(draining);
    signal.removeEventListener("abort", leave);
    inlet.cancel();
    if (!isGone) {
      const rest = filter?.end() ?? NOTHING;
      if (rest.length > 0) void outlet.pass(rest);
      if (reason === "closed" || decoder?.ended) outlet.close();
      else outlet.fail(new TypeError("The provider's answer broke off."));
    }
    return { outcome: decoder?.end(reason) ?? null, disconnected: isGone, stalled: isStalled };
  };
  return { body: outlet.body, ended: run() };
}

/** Accounting that cannot begin does not keep the answer back. */
function start(options: DecoderOptions): ChatDecoder<"none"> | undefined {
  try {
    return new ChatDecoder({ ...options, output: "none" });
  } catch (error) {
    console.error("chatwire/edge: an answer cannot be counted:", (error as Error).message);
    return undefined;
  }
}
