/**
 * Recordings: the calls of a stream's decoder, with their times, to be made again.
 *
 * A file of JSON lines. The first says what it is and how the stream was read, each further one is a step: its kind, its
 * times on the clock of `performance.now()`, and the bytes of a read, as text where they are UTF-8, else in base64. The last
 * says that the recording is whole. Loaded on demand.
 */

import type { DecoderOptions } from "../decoders.ts";
import { ABORTED, CLOSED, type EndReason, type EngineDecoderOptions, LOST } from "../engine/boundary.ts";
import type { BodyDecoder } from "../engine/decoder.ts";
import type { PushOutput } from "../engine/push-output.ts";
import { ChatwireError } from "../errors.ts";
import type { SentHeaders } from "../request/opening.ts";
import type { Outcome } from "../types.ts";
import type { BodyReading, Ended, Read, Source } from "./source.ts";

const FORMAT = "recording";
const VERSION = 1;

/** The most bytes of a recording, 64 MiB, as of an answer's text: a server may send comments without end. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Bytes that a step counts for, beside those of its read. */
const STEP_BYTES = 128;

/** One call of a decoder. In the file, the bytes follow a `read`. */
export type Step =
  | ["read", readStarted: number, now: number]
  | ["tick", readStarted: number, now: number]
  | ["closed" | "aborted", now: number]
  | ["lost", now: number, why?: string];

/** Notes the steps of one stream. */
export class Recorder {
  readonly #options: EngineDecoderOptions;
  readonly #headers: SentHeaders;
  readonly #steps: Step[] = [];
  readonly #reads: Uint8Array[] = [];
  #kept = 0;

  /** @param headers of the request: keys, and whatever else must not get out; a server may have sent them back */
  constructor({ prompt: _, ...options }: EngineDecoderOptions, headers: SentHeaders) {
    this.#options = options;
    this.#headers = headers;
  }

  note(step: Step, bytes?: Uint8Array): void {
    this.#kept += STEP_BYTES + (bytes?.length ?? 0);
    if (this.#isTooLong) {
      this.#steps.length = 0;
      this.#reads.length = 0;
      return;
    }
    this.#steps.push(step);
    if (bytes) this.#reads.push(bytes.slice());
  }

  noteEnd(reason: EndReason, now: number, why: string): void {
    if (reason === LOST) this.note(["lost", now, why]);
    else this.note([reason === CLOSED ? "closed" : "aborted", now]);
  }

  /** Nothing is kept of a stream that is longer than a recording may be. */
  get #isTooLong(): boolean {
    return this.#kept > MOST_BYTES;
  }

  /**
   * The file.
   * @throws {ChatwireError} the stream was longer than a recording may be
   */
  finish({ usage }: Outcome): string {
    if (this.#isTooLong) {
      throw new ChatwireError(
        "This stream is longer than the 64 MiB of a recording, so nothing of it was kept. Record a shorter answer.",
      );
    }
    // The estimate was made from the request, which the recording does not hold.
    const promptTokens = usage?.estimated ? { promptTokens: usage.prompt_tokens } : {};
    const options = { ...this.#options, ...promptTokens };
    const reads = blotted(this.#reads, secretsOf(this.#headers));
    const lines: unknown[] = [{ chatwire: FORMAT, version: VERSION, options }];
    let at = 0;
    for (const step of this.#steps) lines.push(step[0] === "read" ? [...step, ...written(reads[at++])] : step);
    lines.push(["end"]);
    return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
  }
}

/** The values of all headers but those that say what is in a body; of a key with its scheme, the key as well. */
function secretsOf(headers: SentHeaders): string[] {
  const isPlain = (name: string) => /^(accept|content-type)$/i.test(name);
  return headers.flatMap(([name, value]) => (isPlain(name) || !value ? [] : [value, value.replace(/^\S+ /, "")]));
}

/** The same reads with an asterisk for each byte of a secret, also of one that lies in two of them. */
function blotted(reads: readonly Uint8Array[], secrets: readonly string[]): Uint8Array[] {
  const all = new Uint8Array(reads.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  const copies = reads.map((read) => {
    all.set(read, at);
    at += read.length;
    return all.subarray(at - read.length, at);
  });
  for (const secret of secrets) {
    const bytes = new TextEncoder().encode(secret);
    // A text so short is no key, and blotting it out would garble the answer.
    if (bytes.length < 8) continue;
    for (let from = 0; from >= 0; ) {
      from = all.indexOf(bytes[0] as number, from);
      if (from < 0) break;
      if (bytes.every((byte, offset) => all[from + offset] === byte)) all.fill(42, from, from + bytes.length);
      from++;
    }
  }
  return copies;
}

/** Bytes as text, if that gives the same bytes again. */
function written(bytes: Uint8Array = new Uint8Array()): [string] | [string, "base64"] {
  try {
    return [new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)];
  } catch {
    return [btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")), "base64"];
  }
}

/** A stream of what was recorded. */
export async function replay(
  file: string | Blob | Uint8Array | ArrayBuffer,
  options: DecoderOptions = {},
): Promise<Source> {
  const { options: recorded, steps } = parse(await textOf(file));
  const decoder = { ...recorded, ...(options as EngineDecoderOptions) };
  return { body: null, decoder, reading: (...given) => new Replay(steps, ...given) };
}

async function textOf(file: string | Blob | Uint8Array | ArrayBuffer): Promise<string> {
  if (typeof file === "string") return file;
  if (file instanceof Blob) return file.text();
  if (file instanceof ArrayBuffer || ArrayBuffer.isView(file)) return new TextDecoder().decode(file);
  throw new ChatwireError("fromRecording takes what recording() gave: its text, or the bytes or Blob of its file.");
}

/** A step, with the bytes of a read. */
type Recorded = { step: Step; bytes?: Uint8Array };

function parse(text: string): { options: EngineDecoderOptions; steps: Recorded[] } {
  const [first = "", ...lines] = text.replace(/\s+$/, "").split("\n");
  const head = jsonOf(first) as { chatwire?: unknown; version?: unknown; options?: unknown } | undefined;
  if (head?.chatwire !== FORMAT)
    throw new ChatwireError("This is no recording of chatwire: its first line is not that of one.");
  if (head.version !== VERSION) {
    throw new ChatwireError(
      `This recording is of version ${JSON.stringify(head.version)}, and this chatwire reads version ${VERSION}: use the chatwire that wrote it.`,
    );
  }
  if (typeof head.options !== "object" || head.options === null) throw damaged(1);
  const steps = lines.map((line, at) => {
    const step = jsonOf(line);
    const isEnd = Array.isArray(step) && step[0] === "end" && step.length === 1;
    const recorded = isEnd ? undefined : stepOf(step);
    if (isEnd ? at < lines.length - 1 : !recorded) throw damaged(at + 2);
    return recorded;
  });
  if (steps.length === 0 || steps.at(-1)) {
    throw new ChatwireError(
      "This recording is cut off: its last line is missing. Record again, or read the whole file.",
    );
  }
  return { options: head.options, steps: steps.filter((step) => step !== undefined) };
}

function damaged(line: number): ChatwireError {
  return new ChatwireError(`This recording is damaged in line ${line}.`);
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function stepOf(value: unknown): Recorded | undefined {
  if (!Array.isArray(value)) return undefined;
  const [kind, ...rest] = value;
  const areTimes = (times: unknown[]) => times.every((time) => typeof time === "number");
  switch (kind) {
    case "read": {
      const bytes = bytesOf(rest[2], rest[3]);
      return areTimes([rest[0], rest[1]]) && bytes ? { step: ["read", rest[0], rest[1]], bytes } : undefined;
    }
    case "tick":
      return areTimes([rest[0], rest[1]]) ? { step: ["tick", rest[0], rest[1]] } : undefined;
    case "closed":
    case "aborted":
      return areTimes([rest[0]]) ? { step: [kind, rest[0]] } : undefined;
    case "lost":
      return areTimes([rest[0]]) ? { step: ["lost", rest[0], String(rest[1] ?? "")] } : undefined;
    default:
      return undefined;
  }
}

function bytesOf(text: unknown, encoding: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  if (encoding === undefined) return new TextEncoder().encode(text);
  try {
    return encoding === "base64" ? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)) : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a recording as `Reading` reads a body. */
class Replay implements BodyReading {
  readonly #decoder: BodyDecoder;
  readonly #steps: readonly Recorded[];
  readonly #signal: AbortSignal;
  readonly #ended: Ended;
  #at = 0;
  #now = 0;

  constructor(steps: readonly Recorded[], decoder: BodyDecoder, signal: AbortSignal, ended: Ended) {
    this.#decoder = decoder;
    this.#steps = steps;
    this.#signal = signal;
    this.#ended = ended;
    signal.addEventListener("abort", this.#abort);
    if (signal.aborted) this.#abort();
  }

  read(): Promise<Read> {
    const recorded = this.#steps[this.#at];
    return Promise.resolve(recorded ? { done: false, value: recorded.bytes ?? new Uint8Array() } : { done: true });
  }

  taken(): PushOutput {
    const recorded = this.#steps[this.#at++];
    return this.#after(recorded ? this.#do(recorded) : this.#decoder.end(CLOSED, this.#now));
  }

  #do({ step, bytes = new Uint8Array() }: Recorded): PushOutput {
    this.#now = (step[0] === "read" || step[0] === "tick" ? step[2] : step[1]) as number;
    switch (step[0]) {
      case "read":
        return this.#decoder.push(bytes, step[1], step[2]);
      case "tick":
        return this.#decoder.tick(step[1], step[2]);
      case "lost":
        return this.#decoder.end(LOST, step[1], step[2]);
      case "aborted":
        return this.#decoder.end(ABORTED, step[1]);
      default:
        return this.#decoder.end(CLOSED, step[1]);
    }
  }

  lost(): PushOutput {
    return this.taken();
  }

  readonly #abort = (): void => {
    if (!this.#decoder.outcome) this.#after(this.#decoder.end(ABORTED, this.#now));
  };

  takeUnread(): PushOutput {
    return "";
  }

  #after(pushed: PushOutput): PushOutput {
    if (this.#decoder.outcome) {
      this.#signal.removeEventListener("abort", this.#abort);
      this.#ended(this.#decoder.outcome);
    }
    return pushed;
  }
}
