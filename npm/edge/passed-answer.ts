/**
 * An answer that is passed through, read far enough to know whether it is whole, and which of its words are the provider's. Its
 * bytes are left alone, but for keys and inner addresses in errors.
 */
import { joined } from "./bytes.ts";
import { EventFilter } from "./event-filter.ts";

/** The event of a stream after which nothing comes. Inside a JSON string its quotes would be escaped. */
const OVER = /^data: ?\[DONE\]|"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed|cancelled)|error)"/m;
const FAILED = /"type"\s*:\s*"(?:response\.failed|error)"|^data: ?\{\s*"error"\s*:\s*[^n\s]/m;
const FINISHED = /"finish_reason"\s*:\s*"/;
/** An error in JSON is no longer than this. */
const MAX_ERROR_BYTES = 64 * 1024;
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();

export class PassedAnswer {
  readonly #isStream: boolean;
  readonly #filter: EventFilter;
  /** A JSON answer so far, while it may be an error. */
  #held: Uint8Array[] | undefined = [];
  #heldBytes = 0;
  /** Nothing more comes. */
  isOver = false;
  #isFailed = false;
  #isFinished = false;

  constructor(isStream: boolean, secrets: readonly string[]) {
    this.#isStream = isStream;
    this.#filter = new EventFilter({ secrets, isPassedThrough: true });
  }

  /**
   * Takes a read and gives the bytes that may pass.
   * @throws {ProtocolError} an event is too long
   */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#isStream) return this.#seen(this.#filter.push(bytes));
    if (!this.#held) return bytes;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    return this.#heldBytes > MAX_ERROR_BYTES ? this.#release() : NOTHING;
  }

  /** The body is over: what is left of it. */
  end(): Uint8Array {
    if (this.#isStream) {
      const last = this.#filter.end();
      return isWhole(last) ? this.#seen(last) : last;
    }
    const rest = this.#release();
    try {
      return this.#filter.whole(rest);
    } catch {
      // The rest is no JSON.
      return rest;
    }
  }

  /** How a body ended that was closed; `text` is all of one that is no stream, `undefined` where it is too long to be kept. */
  outcome(text: string | undefined): "complete" | "truncated" | "error" {
    if (this.#isStream) return this.#isFailed ? "error" : this.isOver || this.#isFinished ? "complete" : "truncated";
    try {
      if (text !== undefined) JSON.parse(text);
      return "complete";
    } catch {
      return "truncated";
    }
  }

  #release(): Uint8Array {
    const held = joined(...(this.#held ?? []));
    this.#held = undefined;
    return held;
  }

  #seen(events: Uint8Array): Uint8Array {
    if (events.length === 0) return events;
    const text = decoder.decode(events);
    if (OVER.test(text)) this.isOver = true;
    if (FAILED.test(text)) this.#isFailed = true;
    if (FINISHED.test(text)) this.#isFinished = true;
    return events;
  }
}

/** Whether the last event of a stream, which has no blank line after it, has its end. */
function isWhole(event: Uint8Array): boolean {
  const [, data = ""] = /^data: ?(.*)$/m.exec(decoder.decode(event)) ?? [];
  try {
    return data.trim() === "[DONE]" || JSON.parse(data) !== undefined;
  } catch {
    return false;
  }
}
