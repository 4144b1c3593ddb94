/**
 * Same for all, from Rust to JavaScript: the streams of tests/grammar, read by the crate and by the package, whole and cut anywhere,
 * have one outcome, and chunks and events are those of the crate. tests/same_for_all.rs has the variables that choose the streams.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ChatDecoder, ChatStream, type DecoderOptions, EventStreamDecoder, init, type Outcome } from "chatwire";

const root = join(import.meta.dirname, "../..");
const setting = (name: string, value: number) => Number(process.env[`SAME_FOR_ALL_${name}`] ?? value);
const seed = setting("SEED", 1);
const seconds = setting("SECONDS", 0);
/** How many streams the crate writes at once: the fixtures as they are, and as many others. */
const AT_ONCE = setting("COUNT", 1100);

/** A stream, and what the crate makes of it. */
interface Made {
  number: number;
  madeOf: string;
  bytes: string;
  document: boolean;
  n: number | null;
  reasoning: DecoderOptions["reasoning"];
  returnsReasoning: boolean;
  strict: boolean;
  end: "closed" | "lost" | "aborted";
  outcome: string;
  events: string;
  chunks: string;
}

/** Streams from this number on, made and read by the crate. */
function streams(from: number): Made[] {
  const folder = mkdtempSync(join(tmpdir(), "same-for-all-"));
  const file = join(folder, "streams");
  const env = {
    ...process.env,
    SAME_FOR_ALL_FILE: file,
    SAME_FOR_ALL_SEED: String(seed),
    SAME_FOR_ALL_FROM: String(from),
    SAME_FOR_ALL_COUNT: String(AT_ONCE),
    SAME_FOR_ALL_SECONDS: "3600",
  };
  try {
    const words = ["test", "--quiet", "--test", "same_for_all", "streams_for_javascript", "--", "--ignored"];
    execFileSync("cargo", words, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Made);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An outcome but for its times, with the parts of its error that both sides have. */
function plain(outcome: Outcome): object {
  const { timing: _, resumed: _none, error, ...rest } = { ...outcome } as Outcome;
  const { name, message, code = null } = (error ?? {}) as { name?: string; message?: string; code?: string | null };
  return { ...rest, error: error ? { name, message, code } : null };
}

/** Pieces of the bytes, of lengths that the number of the stream decides. */
function pieces(bytes: Uint8Array, number: number): Uint8Array[] {
  let state = number + 1;
  const below = (bound: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * bound);
  };
  const longest = [2, 40, 400][below(3)] as number;
  const found = [];
  for (let at = 0; at < bytes.length; at += (found.at(-1) as Uint8Array).length) {
    found.push(bytes.subarray(at, at + 1 + below(longest)));
  }
  return found;
}

function bodyOf(parts: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

async function check(made: Made): Promise<void> {
  const bytes = new Uint8Array(Buffer.from(made.bytes, "hex"));
  const cut = pieces(bytes, made.number);
  // Ids that are made up depend on when the stream began; the last two are options of the client's own calls.
  const options = {
    ...(made.n === null ? {} : { n: made.n }),
    reasoning: made.reasoning,
    decoding: made.strict ? "strict" : "tolerant",
    partial: false,
    started: 0,
    returnsReasoning: made.returnsReasoning,
    document: made.document,
  } as DecoderOptions;
  const expected = plain(JSON.parse(made.outcome) as Outcome);
  const read = <Kind extends "events" | "chunks" | "text" | "none">(output: Kind, parts: Uint8Array[]) => {
    const decoder = new ChatDecoder({ ...options, output });
    const given = parts.map((part) => decoder.push(part));
    const outcome = decoder.end(made.end);
    assert.deepEqual(plain(outcome), expected, `${output} in ${parts.length} pieces: the outcome`);
    return [...given, decoder.rest()].flat() as unknown[];
  };
  assert.deepEqual(read("events", [bytes]), JSON.parse(made.events), "the events");
  const chunks = JSON.parse(made.chunks);
  assert.deepEqual(read("chunks", [bytes]), chunks, "the chunks");
  assert.deepEqual(read("chunks", cut), chunks, "the chunks, cut");
  const text = read("text", [bytes]).join("");
  assert.equal(read("text", cut).join(""), text, "the text, cut");
  read("events", cut);
  read("none", cut);
  if (made.end === "closed") {
    const stream = ChatStream.fromReadableStream(bodyOf(cut), options);
    assert.deepEqual(plain(await stream.outcome()), expected, "the outcome of a ChatStream");
    const again = ChatStream.fromReadableStream(bodyOf(cut), options);
    const found: unknown[] = [];
    try {
      for await (const chunk of again) found.push(chunk);
    } catch {
      // The outcome has the error.
    }
    assert.deepEqual(found, chunks, "the chunks of a ChatStream");
    assert.deepEqual(plain(await again.outcome()), expected, "the outcome of a ChatStream that was iterated");
  }
  const [whole, parts] = [[bytes], cut].map((parts) => {
    const framing = new EventStreamDecoder();
    const events = parts.flatMap((part) => framing.feed(part));
    return [...events, ...framing.end()];
  });
  assert.deepEqual(parts, whole, "the events of an EventStreamDecoder, cut");
}

test("JavaScript_reads_a_stream_as_Rust_does", async (context) => {
  await init();
  const until = Date.now() + seconds * 1000;
  let from = setting("FROM", 0);
  do {
    for (const made of streams(from)) {
      try {
        await check(made);
      } catch (cause) {
        const body = Buffer.from(made.bytes, "hex").toString();
        const words = `SAME_FOR_ALL_SEED=${seed} SAME_FOR_ALL_FROM=${made.number} SAME_FOR_ALL_COUNT=1`;
        throw new Error(`${words}, made of ${made.madeOf}: ${(cause as Error).message}\n${body}`, { cause });
      }
    }
    from += AT_ONCE;
  } while (Date.now() < until);
  context.diagnostic(`streams up to ${from} of seed ${seed}, none wrong`);
});
