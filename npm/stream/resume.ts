/**
 * An answer that a gateway keeps: when its connection is lost, the rest is fetched from after the last event that came.
 *
 * It works on bytes below the decoder, which sees one unbroken body: only whole events are passed on, so that the half of one
 * that was cut is dropped, and comes again whole. The gateway numbers them by `id`, and ends each with two line feeds.
 */
import type { EngineCall } from "../engine/boundary.ts";

/** A stream on a gateway. */
export interface Kept {
  /** What `resume` takes. */
  id: string;
  /** How often its rest was fetched after its connection was lost. */
  readonly resumed: number;
  /** Ends it there. */
  stop(): Promise<void>;
}

/** Asks the gateway for what comes after an event (with nothing, for all of it), or to stop. */
export type Ask = (method: "GET" | "DELETE", last?: string) => Promise<Response>;

/** Hears what happens, by the names of hooks. */
export type Told = (hook: "onResume" | "onResumed", what: object) => void;

/** The body of a kept answer, and what can be done with it beside reading. */
export interface KeptBody {
  body: ReadableStream<Uint8Array>;
  kept: Kept;
}

/** How long, in milliseconds, a gateway may take to answer one who comes back. */
const RECONNECTING = 10_000;

/** A call for what comes after an event of a kept stream. */
export function again(call: EngineCall, id: string, last?: string): EngineCall {
  const headers = { ...(call.headers as object), ...(last !== undefined && { "last-event-id": last }) };
  const patience = { timeout: { headers: RECONNECTING }, maxRetries: 0, now: performance.now() };
  return { ...call, headers, ...patience, path: `/streams/${id}` };
}

/** Makes one body of a kept answer, however often its connection is lost. */
export function keep(response: Response, id: string, ask: Ask, told: Told): KeptBody {
  const stop = async () => {
    await (await ask("DELETE")).body?.cancel();
  };
  const unbroken = new UnbrokenBody(response, ask, told);
  const kept: Kept = {
    id,
    stop,
    get resumed() {
      return unbroken.resumed;
    },
  };
  return { body: unbroken.stream, kept };
}

const STATE_HEADER = "x-chatwire-stream-state";

/** Milliseconds between attempts, doubled each time. The first is made at once. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

const LF = 10;
const NOTHING = new Uint8Array(0);

class UnbrokenBody {
  resumed = 0;
  readonly #ask: Ask;
  readonly #told: Told;
  /** What is read now. It is not touched before somebody reads. */
  #response: Response | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #held: Uint8Array = NOTHING;
  #last: string | undefined;
  /** The last of what passed ended the stream. */
  #isDone = false;
  #isLeft = false;
  #pause = 0;
  #wake: () => void = () => {};
  readonly stream: ReadableStream<Uint8Array>;

  /** @param ask rejects with an error that has a `status` when it is in vain to ask once more */
  constructor(response: Response, ask: Ask, told: Told) {
    this.#response = response;
    this.#ask = ask;
    this.#told = told;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#pull(controller),
        cancel: async (reason) => {
          this.#isLeft = true;
          this.#wake();
          await this.#reader?.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!this.#isLeft) {
      let bytes: Uint8Array | undefined;
      let failure: unknown;
      try {
        this.#reader ??= this.#response?.body?.getReader();
        bytes = (await this.#reader?.read())?.value;
      } catch (error) {
        failure = error;
      }
      const passed = bytes ? this.#wholeEvents(bytes) : NOTHING;
      if (passed.length > 0) return controller.enqueue(passed);
      if (bytes) continue;
      // A stream that has ended there ends here as it ended there.
      const isOver = failure === undefined && this.#response?.headers.get(STATE_HEADER) === "ended";
      if (this.#isDone || isOver) return controller.close();
      const refusal = await this.#reconnect();
      if (refusal) return failure === undefined ? controller.close() : controller.error(failure);
    }
  }

  /** Comes back as soon as there is a way. Gives the gateway's refusal, if there is one. */
  async #reconnect(): Promise<unknown> {
    this.#reader?.cancel().catch(() => {});
    this.#reader = undefined;
    this.#held = NOTHING;
    for (let attempt = 1; !this.#isLeft; attempt++) {
      this.#told("onResume", { attempt, delay: this.#pause });
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, this.#pause);
      });
      this.#pause = Math.min(Math.max(this.#pause * 2, FIRST_PAUSE), LONGEST_PAUSE);
      if (this.#isLeft) break;
      try {
        this.#response = await this.#ask("GET", this.#last);
        this.resumed++;
        this.#told("onResumed", { attempt });
        return undefined;
      } catch (error) {
        const { status } = error as { status?: number };
        if (status !== undefined && status < 500 && status !== 408 && status !== 429) return error;
      }
    }
    return undefined;
  }

  #wholeEvents(bytes: Uint8Array): Uint8Array {
    this.#pause = 0;
    let all = bytes;
    if (this.#held.length > 0) {
      all = new Uint8Array(this.#held.length + bytes.length);
      all.set(this.#held);
      all.set(bytes, this.#held.length);
    }
    let end = all.lastIndexOf(LF);
    while (end > 0 && all[end - 1] !== LF) end = all.lastIndexOf(LF, end - 1);
    if (end <= 0) {
      this.#held = all.slice();
      return NOTHING;
    }
    this.#held = all.slice(end + 1);
    const whole = all.subarray(0, end + 1);
    // The last event's number, and whether it is the last at all.
    const tail = new TextDecoder().decode(whole.subarray(-64));
    this.#last = /\nid: (\d+)\n\n$/.exec(tail)?.[1] ?? this.#last;
    this.#isDone = /(?:^|\n)data: \[DONE\]\n/.test(tail);
    return whole;
  }
}
