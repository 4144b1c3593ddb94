/**
 * An answer that a server keeps: when its connection is lost, the rest is fetched from after the last event that came.
 *
 * This file works on bytes below the decoder, which sees one unbroken body: only whole events are passed on, so that the half
 * of one that was cut is dropped, and comes again whole. How the gateway of this package keeps streams is here; how others do,
 * in `resume-protocols.ts`.
 */

import { cancelBody } from "../discard.ts";
import {
  DEFAULT_MAX_EVENT_BYTES,
  type EngineCall,
  EVENT_STREAM,
  type EventStreamAnswer,
  FEED,
  IDLE_MS,
} from "../engine/boundary.ts";
import { clock } from "../engine/clock.ts";
import { make, output, type Part, place } from "../engine/engine.ts";
import { toError } from "../errors.ts";

/** A stream on a server that keeps it. */
export interface Kept {
  /** The id that `resume` takes. */
  id: string;
  /** How often its rest was fetched after its connection was lost. */
  readonly resumed: number;
  /** Ends the stream on the server. */
  stop(): Promise<void>;
}

/** A request about a kept stream, on top of the call that opened it. */
export interface KeptRequest {
  method?: "DELETE";
  path: string;
  query?: Readonly<Record<string, string>>;
  headers?: Readonly<Record<string, string>>;
  /** Milliseconds that the server may take for its headers. Default 10,000. */
  patience?: number;
}

/** Sends such a request. Rejects with an error that has a `status` where a retry is pointless. */
export type Ask = (request: KeptRequest) => Promise<Response>;

/** One stream as its server keeps it: by which requests its rest is had, and how far it has come. */
export interface KeptStream {
  readonly id: string;
  /** Milliseconds after which the server sends at least a comment; undefined where it promises none. */
  readonly heartbeat?: number;
  /**
   * These bytes pass to the reader, and so many whole events in them; `lastEventId` is the last of the response under way.
   * Gives whether there was an event that this server counts.
   */
  passed(pieces: readonly Uint8Array[], events: number, lastEventId: string): boolean;
  /** The request for what comes after them. */
  resumption(): KeptRequest;
  /** The request that ends it, where there is one. */
  stop?(): KeptRequest;
  /** The bytes that an answer to `resumption` brings, where they are not its body. */
  bodyOf?(response: Response, ask: Ask): ReadableStream<Uint8Array>;
  /** `ended`: once nothing more comes of this response, the stream is over; `cut`: the same, and it is not whole. */
  stateOf(response: Response): string | null;
}

/** How a kind of server keeps streams. */
export interface ResumeProtocol {
  /** Whether a text can be the id of a stream. */
  isId(id: string): boolean;
  /** Headers of a request whose stream is to have this id. */
  named?(id: string): Record<string, string>;
  /** Streams are kept only where the request names them, so that an id is made up where the caller chose none. */
  needsName?: boolean;
  /** The id of the stream in an answer; undefined where none is kept. */
  idIn(response: Response, chosen: string | undefined, baseURL: () => string): string | undefined;
  /** The stream with an id, from its beginning. */
  at(id: string): KeptStream;
}

const STATE_HEADER = "x-chatwire-stream-state";
const STREAM_HEADER = "x-chatwire-stream";

/** Milliseconds after which a gateway sends at least a comment; two missing ones in a row mean a lost connection. */
const HEARTBEAT = 15_000;

/** `chatwire/edge`: events are numbered by their `id`. */
export const GATEWAY: ResumeProtocol = {
  isId: (id) => /^[\w-]+$/.test(id),
  named: (id) => ({ [STREAM_HEADER]: id }),
  idIn: (response) => response.headers.get(STREAM_HEADER) ?? undefined,
  at(id) {
    const path = `/streams/${id}`;
    let last: string | undefined;
    return {
      id,
      heartbeat: HEARTBEAT,
      passed(_, events, lastEventId) {
        const isNumbered = events > 0 && /^\d+$/.test(lastEventId);
        if (isNumbered) last = lastEventId;
        return isNumbered;
      },
      resumption: () => ({ path, headers: last === undefined ? {} : { "last-event-id": last } }),
      stop: () => ({ method: "DELETE", path }),
      stateOf: ({ headers }) => headers.get(STATE_HEADER),
    };
  },
};

/** Called for each event, with the name of its hook. */
export type Told = (hook: "onResume" | "onResumed", what: object) => void;

/** The body of a kept answer, and what can be done with it beside reading. */
export interface KeptBody {
  body: ReadableStream<Uint8Array>;
  kept: Kept;
}

/** How long, in milliseconds, a server may take to answer a client that comes back. */
const RECONNECTING = 10_000;

/** A call as it is sent about the stream that it opened. */
export function about(call: EngineCall, { path, query, headers, patience = RECONNECTING }: KeptRequest): EngineCall {
  const own = {
    headers: { ...(call.headers as object), ...headers },
    query: { ...(call.query as object), ...query },
  };
  return { ...call, ...own, timeout: { headers: patience }, maxRetries: 0, now: clock(), path };
}

/**
 * Makes one body of a kept answer, however often its connection is lost.
 * @param idle milliseconds of silence after which the reader gives up
 */
export function keep(response: Response, stream: KeptStream, ask: Ask, told: Told, idle?: number | false): KeptBody {
  const unbroken = new UnbrokenBody(response, stream, ask, told, idle === false ? Number.POSITIVE_INFINITY : idle);
  const kept: Kept = {
    id: stream.id,
    async stop() {
      const request = stream.stop?.();
      if (request) cancelBody((await ask(request)).body);
    },
    get resumed() {
      return unbroken.resumed;
    },
  };
  return { body: unbroken.stream, kept };
}

/** Milliseconds between attempts, doubled each time. The first is made at once. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5000;

/** Milliseconds by which a heartbeat may be late. */
const LATENESS = 2000;

/** The events by which a host says when a connection may have been lost, or can be had again. */
type Signals = Pick<typeof globalThis, "addEventListener" | "removeEventListener">;

class UnbrokenBody {
  resumed = 0;
  readonly #kept: KeptStream;
  readonly #ask: Ask;
  readonly #told: Told;
  /** Milliseconds of silence after which the connection counts as lost. */
  readonly #silence: number;
  /** The response that is read now. Its body is not touched before the first read. */
  #response: Response | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Frames the response under way. */
  #framing: Part | undefined;
  /** The bytes of an event that is not whole yet. */
  #held: Uint8Array[] = [];
  /** The last event that passed has ended the stream. */
  #isDone = false;
  /** The response under way has brought an event. */
  #hasBrought = false;
  #isLeft = false;
  #pause = 0;
  /** Ends the wait under way: a pause, or a read of a connection that is lost. */
  #wake: () => void = () => {};
  readonly stream: ReadableStream<Uint8Array>;

  /** @param idle milliseconds of silence after which the reader gives up: one reconnection is tried before */
  constructor(response: Response, kept: KeptStream, ask: Ask, told: Told, idle = IDLE_MS) {
    this.#response = response;
    this.#kept = kept;
    this.#ask = ask;
    this.#told = told;
    const { heartbeat } = kept;
    this.#silence = Math.min(heartbeat === undefined ? idle : 2 * heartbeat + LATENESS, idle / 2);
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: () => this.#listen(true),
        pull: async (controller) => {
          await this.#pull(controller).catch((thrown) => {
            this.#end();
            throw thrown;
          });
        },
        cancel: (reason) => {
          this.#isLeft = true;
          this.#end(reason);
          this.#wake();
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
        bytes = await this.#read();
      } catch (error) {
        failure = error;
      }
      // An empty piece is passed on: its reader goes by the time, and may have no other turn to.
      const passed = bytes?.length ? this.#wholeEvents(bytes) : bytes ? [bytes] : [];
      for (const piece of passed) controller.enqueue(piece);
      if (passed.length > 0) return;
      if (bytes) continue;
      if (this.#isDone) {
        this.#end();
        return controller.close();
      }
      // A stream that has ended at the server ends here in the same way, once nothing more comes of it.
      const state = this.#hasBrought || !this.#response ? undefined : this.#kept.stateOf(this.#response);
      const isOver = failure === undefined && (state === "cut" || state === "ended");
      if (state === "cut") failure ??= new TypeError("The stream was cut.");
      // The decoder decides whether the rest is an event without its end.
      const rest = this.#held;
      if (isOver || (await this.#reconnect())) {
        this.#end();
        for (const piece of rest) controller.enqueue(piece);
        return failure === undefined ? controller.close() : controller.error(failure);
      }
    }
  }

  #end(reason?: unknown): void {
    this.#listen(false);
    this.#drop();
    cancelBody(this.#reader ?? this.#response?.body, reason);
  }

  /** The next bytes; fails where the connection is silent for too long, or the host says that it may be lost. */
  async #read(): Promise<Uint8Array | undefined> {
    if (!this.#reader && this.#response) {
      const body = this.#kept.bodyOf?.(this.#response, this.#ask) ?? this.#response.body;
      this.#reader = body?.getReader();
    }
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

  /** Reconnects as soon as the gateway answers. Gives its refusal, if there is one. */
  async #reconnect(): Promise<unknown> {
    cancelBody(this.#reader);
    this.#reader = undefined;
    this.#drop();
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
        this.#response = await this.#ask(this.#kept.resumption());
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

  // ---- The host's news of its connection -------------------------------------------------------------------------

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

  /** The bytes up to the last blank line that has come. Those behind it are held. */
  #wholeEvents(bytes: Uint8Array): Uint8Array[] {
    this.#framing ??= make(EVENT_STREAM, DEFAULT_MAX_EVENT_BYTES);
    place(bytes);
    this.#framing.call(FEED, bytes.length);
    const framed: Partial<EventStreamAnswer<{ data: string }>> = JSON.parse(output() || "{}");
    const { events = [], whole = 0, lastEventId = "", error } = framed;
    if (error) throw toError(error);
    const passed = whole > 0 ? [...this.#held.splice(0), bytes.subarray(0, whole)] : [];
    // A copy, because the next read may use the same memory.
    if (whole < bytes.length) this.#held.push(bytes.slice(whole));
    if (this.#kept.passed(passed, events.length, lastEventId)) {
      this.#hasBrought = true;
      // Only events reset the pause: a server that sends nothing but comments is not reconnected to at once.
      this.#pause = 0;
    }
    this.#isDone ||= events.at(-1)?.data === "[DONE]";
    return passed;
  }

  /** Forgets the event that the response under way has not ended. */
  #drop(): void {
    this.#framing?.free();
    this.#framing = undefined;
    this.#held = [];
  }
}
