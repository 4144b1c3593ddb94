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

/**
 * Makes one body of a kept answer, however often its connection is lost.
 * @param idle milliseconds of silence after which the reader gives up, where they are known
 */
export function keep(response: Response, id: string, ask: Ask, told: Told, idle?: number | false): KeptBody {
  const stop = async () => {
    await (await ask("DELETE")).body?.cancel();
  };
  const unbroken = new UnbrokenBody(response, ask, told, idle || Number.POSITIVE_INFINITY);
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

/** Milliseconds after which a gateway says something, if only a comment; two in a row that do not come mean a lost connection. */
const HEARTBEAT = 15_000;
const LONGEST_SILENCE = 2 * HEARTBEAT + 2000;

const LF = 10;
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

/** What a host says when a connection may have been lost, or can be had again. */
type Signals = Pick<typeof globalThis, "addEventListener" | "removeEventListener">;

class UnbrokenBody {
  resumed = 0;
  readonly #ask: Ask;
  readonly #told: Told;
  /** Milliseconds of silence after which the connection counts as lost. */
  readonly #silence: number;
  /** What is read now. It is not touched before somebody reads. */
  #response: Response | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #held: Uint8Array = NOTHING;
  #last: string | undefined;
  /** The last of what passed ended the stream. */
  #isDone = false;
  /** The response under way has brought an event. */
  #hasBrought = false;
  #isLeft = false;
  #pause = 0;
  /** Ends what is waited for: a pause, or a read of a connection that is lost. */
  #wake: () => void = () => {};
  readonly stream: ReadableStream<Uint8Array>;

  /**
   * @param ask rejects with an error that has a `status` when it is in vain to ask once more
   * @param idle milliseconds of silence after which the reader gives up: one reconnection is tried before
   */
  constructor(response: Response, ask: Ask, told: Told, idle = Number.POSITIVE_INFINITY) {
    this.#response = response;
    this.#ask = ask;
    this.#told = told;
    this.#silence = Math.min(LONGEST_SILENCE, idle / 2);
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: () => this.#listen(true),
        pull: async (controller) => {
          await this.#pull(controller);
        },
        cancel: async (reason) => {
          this.#leave();
          await this.#reader?.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  #leave(): void {
    this.#isLeft = true;
    this.#listen(false);
    this.#wake();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!this.#isLeft) {
      let bytes: Uint8Array | undefined;
      let failure: unknown;
      try {
        bytes = await this.#read();
      } catch (error) {
        failure = error;
      }
      const passed = bytes ? this.#wholeEvents(bytes) : NOTHING;
      if (passed.length > 0) return controller.enqueue(passed);
      if (bytes) continue;
      if (this.#isDone) return this.#end(() => controller.close());
      // What has ended there ends here as it ended there, once nothing more comes of it.
      const state = this.#hasBrought ? undefined : this.#response?.headers.get(STATE_HEADER);
      if (state === "ended" && failure === undefined) return this.#end(() => controller.close());
      if (state === "cut") return this.#end(() => controller.error(failure ?? new TypeError("The stream was cut.")));
      const refusal = await this.#reconnect();
      if (refusal) {
        return this.#end(() => (failure === undefined ? controller.close() : controller.error(failure)));
      }
    }
  }

  #end(finish: () => void): void {
    this.#listen(false);
    finish();
  }

  /** The next bytes; fails where the connection is silent for too long, or the host says that it may be lost. */
  async #read(): Promise<Uint8Array | undefined> {
    this.#reader ??= this.#response?.body?.getReader();
    const reader = this.#reader;
    if (!reader) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const lost = new Promise<never>((_, reject) => {
      const giveUp = () => reject(new TypeError("The connection is silent."));
      this.#wake = giveUp;
      if (this.#silence < Number.POSITIVE_INFINITY) timer = setTimeout(giveUp, this.#silence);
    });
    try {
      return (await Promise.race([reader.read(), lost])).value;
    } finally {
      clearTimeout(timer);
      this.#wake = () => {};
    }
  }

  /** Comes back as soon as there is a way. Gives the gateway's refusal, if there is one. */
  async #reconnect(): Promise<unknown> {
    this.#reader?.cancel().catch(() => {});
    this.#reader = undefined;
    this.#held = NOTHING;
    this.#hasBrought = false;
    for (let attempt = 1; !this.#isLeft; attempt++) {
      this.#told("onResume", { attempt, delay: this.#pause });
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, this.#pause);
      });
      this.#wake = () => {};
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

  // ---- What the host knows of its connection -------------------------------------------------------------------------

  /** A page that is shown again, or online again, does not wait to find out that its connection is gone. */
  readonly #onSignal = (event: Event) => {
    const { document } = globalThis as { document?: { visibilityState?: string } };
    if (event.type === "visibilitychange" && document?.visibilityState !== "visible") return;
    // The first showing of a page is no return to it.
    if (event.type === "pageshow" && !(event as PageTransitionEvent).persisted) return;
    this.#pause = 0;
    this.#wake();
  };

  #listen(isListening: boolean): void {
    const listen = (target: Partial<Signals> | undefined, ...types: string[]) => {
      const change = isListening ? target?.addEventListener : target?.removeEventListener;
      for (const type of types) change?.call(target, type, this.#onSignal as EventListener);
    };
    listen(globalThis as Partial<Signals>, "online", "pageshow");
    listen((globalThis as { document?: Partial<Signals> }).document, "visibilitychange");
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
    // The number of the last event, which comments may follow, and whether the answer ends with it.
    const text = decoder.decode(whole);
    const numbers = /\nid: (\d+)\n\n(?:(?::[^\n]*\n)+\n)*$/.exec(text);
    if (numbers) {
      this.#last = numbers[1];
      this.#hasBrought = true;
    }
    this.#isDone ||= /(?:^|\n)data: \[DONE\]\n/.test(text.slice(-128));
    return whole;
  }
}
