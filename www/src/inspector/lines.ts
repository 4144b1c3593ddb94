/**
 * The lines of the wire, as they came, and what the engine made of each: a decoder of its own reads along, event by
 * event.
 */
import { ChatDecoder, type ChatEvent, type FetchInit } from "chatwire";
import { number } from "../page/numbers.ts";
import type { WireListener } from "../sources/tap.ts";

/** The kinds by which a line is coloured. */
export type Kind = "sent" | "text" | "tool" | "usage" | "repair" | "lost" | "end" | "plain";

/** One line. */
export interface Line {
  /** Milliseconds since the question. */
  at: number;
  raw: string;
  became: string;
  kind: Kind;
}

/** A moment to mark in the chart. */
export interface Mark {
  at: number;
  name: string;
  kind: Kind;
}

/** So many lines are kept; the oldest go. */
const MOST_LINES = 2000;
/** A line is kept up to here, in UTF-16 units. */
const LONGEST = 4000;
/** An event up to here is read along, in UTF-16 units: a longer one would hold up the page a second time. */
const MOST_READ = 250_000;

export class WireLog implements WireListener {
  readonly lines: Line[] = [];
  readonly marks: Mark[] = [];
  /** When how many pieces had come. */
  readonly points: [at: number, pieces: number][] = [];
  /** When the connection was lost, and when it was there again. */
  readonly gaps: [from: number, to: number | null][] = [];
  /** How many lines have gone. */
  dropped = 0;
  #generation = 0;
  #started = performance.now();
  #pieces = 0;
  #text = new TextDecoder();
  #rest = "";
  /** A CR at the end, which may be half of a line end. */
  #cr = "";
  #event: { line: Line; raw: string }[] = [];
  #decoder: ChatDecoder | undefined;
  #isStream = false;
  #isGood = false;
  #isOver = false;
  readonly #onChange: () => void;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** The same for one stream alone: with the next question it is heard no more. */
  forOne(): WireListener & { ended(status: string): void; isHeard(): boolean } {
    this.clear();
    const generation = this.#generation;
    const heard =
      <Args extends unknown[]>(run: (...args: Args) => void) =>
      (...args: Args) => {
        if (generation === this.#generation) run(...args);
      };
    return {
      request: heard((url, init) => this.request(url, init)),
      response: heard((status, headers) => this.response(status, headers)),
      bytes: heard((bytes) => this.bytes(bytes)),
      closed: heard((reason) => this.closed(reason)),
      ended: heard((status) => this.ended(status)),
      isHeard: () => generation === this.#generation,
    };
  }

  /** Everything from the beginning: a new question. */
  clear(): void {
    this.#generation++;
    for (const list of [this.lines, this.marks, this.points, this.gaps, this.#event]) list.length = 0;
    this.#started = performance.now();
    this.#pieces = 0;
    this.dropped = 0;
    this.#decoder = undefined;
    this.#isOver = false;
    this.replayedAt = undefined;
    this.#onChange();
  }

  request(url: string, { method, headers }: FetchInit): void {
    const last = headers.get("last-event-id");
    const path = new URL(url, "https://nowhere.invalid").pathname;
    this.#add(`→ ${method} ${path}`, last === null ? "request" : `resume from ${last}`, "sent");
    if (last !== null) return;
    this.#decoder = undefined;
    this.#isOver = false;
  }

  response(status: number, headers: Headers): void {
    const type = headers.get("content-type") ?? "no type";
    this.#isStream = type.startsWith("text/event-stream");
    this.#isGood = status < 300;
    this.#text = new TextDecoder();
    this.#rest = "";
    this.#cr = "";
    const wait = headers.get("retry-after");
    const became = status < 300 ? "answer" : wait ? `refused, wait ${wait} s` : "refused";
    this.#add(`← ${status} ${type}`, became, status < 300 ? "sent" : "repair");
    const gap = this.gaps.at(-1);
    if (gap && gap[1] === null && status < 300) {
      gap[1] = this.#now();
      this.points.push([gap[1], this.#pieces]);
    }
    if (status < 300) this.#decoder ??= new ChatDecoder({ output: "events", sentences: true });
  }

  bytes(bytes: Uint8Array): void {
    if (this.points.length === 0) this.#mark("byte", "plain");
    const text = this.#cr + this.#text.decode(bytes, { stream: true });
    this.#cr = text.endsWith("\r") ? "\r" : "";
    // Of a long line that comes in many reads, each read is looked at once.
    const lines = text.slice(0, text.length - this.#cr.length).split(/\r\n|\n|\r/);
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    this.points.push([this.#now(), this.#pieces]);
    this.#onChange();
  }

  closed(reason?: string): void {
    if (this.#rest || this.#cr) this.#line(this.#rest);
    this.#rest = "";
    this.#cr = "";
    // A refusal is no answer.
    if (!this.#isStream && this.#isGood && this.#event.length > 0) this.#read();
    if (this.#isStream) {
      for (const { line } of this.#event)
        if (line.became === "") Object.assign(line, { became: "unfinished", kind: "lost" });
    }
    this.#event = [];
    if (this.#isOver) return;
    if (reason) this.#add(`— ${reason} —`, "lost", "lost");
    else this.#add("— closed by the server —", "end of the body", "end");
    if (reason && reason !== "left by the reader") {
      this.points.push([this.#now(), this.#pieces]);
      this.gaps.push([this.#now(), null]);
    }
  }

  /** The answer is over. */
  ended(status: string): void {
    const gap = this.gaps.at(-1);
    if (gap) gap[1] ??= this.#now();
    this.#mark("end", "end");
    this.#add("", `outcome: ${status}`, status === "complete" ? "end" : "lost");
  }

  #line(raw: string): void {
    if (!this.#isStream) {
      this.#event.push({ line: this.#add(raw, "", "plain"), raw });
      return;
    }
    if (raw === "") {
      if (this.#event.length > 0) this.#read();
      this.#event = [];
      return;
    }
    const became = raw.startsWith(":") ? "ignored" : raw.startsWith("id:") ? "position" : "";
    this.#event.push({ line: this.#add(raw, became, "plain"), raw });
  }

  /** Lets the decoder read the event, and notes at its data what became of it. */
  #read(): void {
    const data = this.#event.find(({ raw }) => raw.startsWith("data"));
    const { line } = data ?? (this.#isStream ? undefined : this.#event[0]) ?? {};
    if (!line || !this.#decoder || this.#isOver) return;
    if (this.#event.reduce((sum, { raw }) => sum + raw.length, 0) > MOST_READ) {
      line.became = "too long to be read here, too";
      return;
    }
    const text = `${this.#event.map(({ raw }) => raw).join("\n")}\n\n`;
    let events: ChatEvent[] = [];
    try {
      events = this.#decoder.push(new TextEncoder().encode(text));
      if (this.#decoder.ended) this.#isOver = true;
    } catch {
      // A decoder that was ended reads no more.
    }
    const names = new Set<string>();
    for (const event of events) {
      names.add(event.type === "repair" ? `repair: ${event.code}` : event.type);
      this.#count(event);
    }
    line.became = [...names].join(" + ") || (this.#isOver ? "end of the stream" : "opens");
    line.kind = kindOf(events, this.#isOver);
  }

  #count(event: ChatEvent): void {
    const { type } = event;
    if (type === "text" || type === "reasoning" || type === "tool_call.delta" || type === "refusal") {
      if (this.#pieces++ === 0) this.#mark("token", "text");
    }
    if (type === "sentence" && !this.marks.some(({ name }) => name === "sentence")) this.#mark("sentence", "plain");
    if (type === "repair") this.#mark("repair", "repair");
  }

  #mark(name: string, kind: Kind): void {
    this.marks.push({ at: this.#now(), name, kind });
  }

  #add(raw: string, became: string, kind: Kind): Line {
    const rest = raw.length > LONGEST ? ` … (${number(raw.length - LONGEST)} more characters)` : "";
    const line = { at: this.#now(), raw: raw.slice(0, LONGEST) + rest, became, kind };
    this.lines.push(line);
    if (this.lines.length > MOST_LINES) {
      this.lines.shift();
      this.dropped++;
    }
    this.#onChange();
    return line;
  }

  /** Lines that follow came at this time, in milliseconds since the question: they are read from a recording. */
  replayedAt: number | undefined;

  #now(): number {
    return this.replayedAt ?? performance.now() - this.#started;
  }
}

function kindOf(events: readonly ChatEvent[], isOver: boolean): Kind {
  const types = new Set(events.map(({ type }) => type));
  if (types.has("repair")) return "repair";
  if (isOver) return "end";
  if (types.has("usage")) return "usage";
  if ([...types].some((type) => type.startsWith("tool_call") || type === "filler")) return "tool";
  return types.size > 0 ? "text" : "plain";
}
