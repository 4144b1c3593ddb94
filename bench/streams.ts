/**
 * The streams of the benchmark, as bytes, and the reads they are cut into. The same bytes in every run: randomness
 * has a seed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One stream. */
export interface Stream {
  name: string;
  /** The peculiarity of the stream. */
  about: string;
  bytes: Uint8Array<ArrayBuffer>;
  /** Its events, `[DONE]` included. */
  events: number;
  /** Each event differs from the one before in more than one string. */
  isUnpredictable: boolean;
}

/** Numbers from 0 to 1, always the same. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const english =
  " the| of| and| a| to| in| is| you| that| it| he| was| for| on| are| as| with| his| they| I| at| be| this| have| from|" +
  ' or| one| had| by| words|,|.|\n\n| not| stream|ing| token|s| every| service|\'s| answer| "quoted"| number| 42|:';
const hindi = "न|म|स्|ते| आ|प| कै|से| हैं|।| मैं| ठी|क| हूँ|,| धन्य|वा|द| बहु|त| अच्छा| लगा";

interface Shape {
  name: string;
  about: string;
  isUnpredictable: boolean;
  seed: number;
  words: string;
  /** The event for the piece at `at` of `count`. */
  chunk(piece: string, at: number, count: number, draw: () => number): object;
  /** The finish reason of the last chunk with a choice. */
  finish?: string;
}

const head = {
  id: "chatcmpl-7f3a9c51e2b84d06",
  object: "chat.completion.chunk",
  created: 1_760_000_000,
  model: "electron",
};
const choice = (delta: object) => [{ index: 0, delta, logprobs: null, finish_reason: null }];
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

const shapes: Shape[] = [
  {
    name: "electron",
    about: "Electron-shaped: small English tokens, nothing else changes from event to event",
    isUnpredictable: false,
    seed: 1,
    words: english,
    chunk: (content) => ({ ...head, choices: choice({ content }) }),
  },
  {
    name: "obfuscation",
    about: "the same, with a random `obfuscation` of random length in every chunk",
    isUnpredictable: true,
    seed: 2,
    words: english,
    chunk(content, _at, _count, draw) {
      let obfuscation = "";
      for (let left = 1 + Math.floor(draw() * 15); left > 0; left--) obfuscation += letters[Math.floor(draw() * 62)];
      return { ...head, choices: choice({ content }), obfuscation };
    },
  },
  {
    name: "reasoning",
    about: "three quarters reasoning, then text; `created` and a growing `usage` change in every chunk",
    isUnpredictable: true,
    seed: 3,
    words: english,
    chunk: (piece, at, count) => ({
      ...head,
      created: head.created + (at >> 5),
      choices: choice(at < count * 0.75 ? { content: null, reasoning: piece } : { content: piece }),
      usage: { prompt_tokens: 31, completion_tokens: at + 1, total_tokens: 32 + at },
    }),
  },
  {
    name: "tools",
    about: "a filler sentence, then the arguments of one tool call in small pieces",
    isUnpredictable: false,
    seed: 4,
    words: english,
    finish: "tool_calls",
    chunk(piece, at, count) {
      if (at < 12) return { ...head, choices: choice({ content: piece }) };
      const call = { index: 0, id: "call_a1b2c3", type: "function", function: { name: "write", arguments: "" } };
      if (at === 12) return { ...head, choices: choice({ tool_calls: [call] }) };
      const inside = JSON.stringify(piece).slice(1, -1);
      const text = at === 13 ? '{"text":"' : at === count - 1 ? '"}' : inside;
      return { ...head, choices: choice({ tool_calls: [{ index: 0, function: { arguments: text } }] }) };
    },
  },
  {
    name: "devanagari",
    about: "small Devanagari tokens, as UTF-8",
    isUnpredictable: false,
    seed: 5,
    words: hindi,
    chunk: (content) => ({ ...head, choices: choice({ content }) }),
  },
];

const encoder = new TextEncoder();

function stream(about: Omit<Stream, "bytes" | "events">, data: string[]): Stream {
  const { name, about: text, isUnpredictable } = about;
  return {
    name,
    about: text,
    isUnpredictable,
    bytes: encoder.encode(data.map((line) => `data: ${line}\n\n`).join("")),
    events: data.length,
  };
}

function made(shape: Shape, events: number): Stream {
  const words = shape.words.split("|");
  const draw = random(shape.seed);
  const count = events - 4; // a first, a finishing and a counting chunk, and [DONE]
  const data = [JSON.stringify({ ...head, choices: choice({ role: "assistant", content: "" }) })];
  for (let at = 0; at < count; at++) {
    const word = words[Math.floor(draw() * words.length)] ?? "";
    data.push(JSON.stringify(shape.chunk(word, at, count, draw)));
  }
  const usage = { prompt_tokens: 31, completion_tokens: count, total_tokens: 31 + count };
  data.push(
    JSON.stringify({
      ...head,
      choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: shape.finish ?? "stop" }],
    }),
    JSON.stringify({ ...head, choices: [], usage }),
    "[DONE]",
  );
  return stream(shape, data);
}

/** Recordings shorter than this tell of opening a stream, not of reading one. */
const ENOUGH_EVENTS = 30;
const recordings = join(import.meta.dirname, "../../shared/wire/recorded");

/**
 * A recording made longer: what is between its first three and its last three events comes again until there are
 * enough, so that the cost of an event is not that of opening the stream.
 */
function recorded(file: string, events: number): Stream | undefined {
  const lines = readFileSync(join(recordings, file), "utf8").split("\n");
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice("data: ".length));
  if (data.length < ENOUGH_EVENTS) return undefined;
  const [first, middle, last] = [data.slice(0, 3), data.slice(3, -4), data.slice(-4)];
  const grown = [...first];
  while (grown.length + last.length < events) grown.push(...middle.slice(0, events - last.length - grown.length));
  const name = file.replace(/(\.\d+)?\.sse$/, "");
  return stream({ name, about: "a recording, its middle repeated", isUnpredictable: true }, [...grown, ...last]);
}

/** All streams, of this many events each; with the recordings where they are. */
export function streams(events: number): Stream[] {
  const files = existsSync(recordings) ? readdirSync(recordings).sort() : [];
  const found = files.filter((file) => file.endsWith(".sse")).map((file) => recorded(file, events));
  return [...shapes.map((shape) => made(shape, events)), ...found.filter((each) => each !== undefined)];
}

/** The Electron-shaped stream alone. */
export function electron(events: number): Stream {
  return made(shapes[0] as Shape, events);
}
