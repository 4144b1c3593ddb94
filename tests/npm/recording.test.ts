/**
 * Recordings: they give the same stream again, keep secrets, and say what is wrong with a file that is none.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type ChatEvent, ChatStream, ChatwireError, type Outcome, ProtocolError } from "chatwire";
import { clientOf, collect, DONE, encode, event, failureOf, hello, says, serve } from "./serving.ts";

const KEY = "sk-recorded-0123456789";
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };

type Parts = Parameters<typeof serve>[0];

/** A stream as it was, and the recording of it. */
async function recorded(
  parts: Parts,
  options: object = {},
): Promise<{ events: ChatEvent[]; outcome: Outcome; file: string }> {
  const client = clientOf(serve(parts), { apiKey: KEY, prices: { input: 1, output: 2 } });
  const stream = client.chat.completions.stream(hello, { record: true, ...options });
  const events: ChatEvent[] = [];
  try {
    for await (const one of stream.events) events.push(one);
  } catch {
    // The outcome says it.
  }
  return { events, outcome: await stream.outcome(), file: await stream.recording() };
}

/** The same from its recording. */
async function replayed(file: Parameters<typeof ChatStream.fromRecording>[0]) {
  const stream = ChatStream.fromRecording(file);
  const events: ChatEvent[] = [];
  try {
    for await (const one of stream.events) events.push(one);
  } catch {
    // The outcome says it.
  }
  return { events, outcome: await stream.outcome() };
}

const tidy = ({ error, ...outcome }: Outcome) => ({ ...outcome, error: error && [error.name, error.message] });

const streams: Record<string, Parts> = {
  complete: [says("One. Two"), says("é", "stop"), event({ choices: [], usage }), DONE],
  "cut within characters": [...encode(says("né 👋🏽 नमस्ते", "stop") + DONE)].map((byte) => Uint8Array.of(byte)),
  "without usage": [says("One. Two", "stop"), DONE],
  truncated: [says("One. Tw")],
  lost: [says("One. Tw"), { error: new TypeError("terminated") }],
  "an error": [says("One."), event({ error: { message: "overloaded", code: 503 } })],
  "not UTF-8": [Uint8Array.from([...encode('data: {"choices":[{"delta":{"content":"'), 0xff, ...encode('"}}]}\n\n')])],
  "JSON for a stream": [JSON.stringify({ choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] })],
  "tool calls": [
    event({ choices: [{ delta: { tool_calls: [{ id: "t", function: { name: "f", arguments: '{"a":' } }] } }] }),
    event({
      choices: [{ delta: { tool_calls: [{ id: "t", function: { arguments: "1}" } }] }, finish_reason: "stop" }],
    }),
    DONE,
  ],
};

for (const [name, parts] of Object.entries(streams)) {
  test(`a_recorded_stream_is_the_same_again: ${name}`, async () => {
    const { file, events, outcome } = await recorded(parts, { sentences: {} });
    for (const form of [file, encode(file), new Blob([file]), encode(file).slice().buffer]) {
      const again = await replayed(form as string);
      assert.deepEqual(again.events, events);
      assert.deepEqual(tidy(again.outcome), tidy(outcome));
    }
  });
}

test("sentences_that_silence_completed_and_a_caller_who_left_are_in_it", async () => {
  const served = serve([says("It is 3.")], { after: "silence" });
  const stream = clientOf(served).chat.completions.stream(hello, { record: true, sentences: { quietMs: 5 } });
  const events: ChatEvent[] = [];
  for await (const one of stream.events) {
    events.push(one);
    if (one.type === "sentence") stream.abort();
  }
  const again = await replayed(await stream.recording());
  assert.deepEqual(again.events, events);
  assert.deepEqual(again.outcome.timing, (await stream.outcome()).timing);
  assert.equal(again.outcome.status, "aborted");
});

test("a_recording_can_be_read_differently", async () => {
  const { file } = await recorded([says("a"), DONE]);
  assert.equal((await ChatStream.fromRecording(file).outcome()).status, "complete");
  const strict = ChatStream.fromRecording(file, { decoding: "strict" });
  assert.ok((await failureOf(strict.finalContent())) instanceof ProtocolError);
  assert.deepEqual(await collect(ChatStream.fromRecording(file).textStream), ["a"]);
  const [one, two] = ChatStream.fromRecording(file).tee();
  assert.deepEqual(await Promise.all([one.finalContent(), two.finalContent()]), ["a", "a"]);
  const bytes = await new Response(ChatStream.fromRecording(file).toReadableStream()).text();
  assert.equal(bytes, says("a") + DONE);
  const left = ChatStream.fromRecording(file);
  left.abort();
  assert.equal((await left.outcome()).status, "aborted");
});

test("neither_the_request_nor_keys_are_in_it", async () => {
  const secret = "my-own-secret-header";
  const echo = encode(says(`Your key is ${KEY}, your header ${secret}.`));
  for (const parts of [[echo], [...echo].map((byte) => Uint8Array.of(byte))]) {
    for (const apiKey of [KEY, async () => KEY]) {
      const client = clientOf(serve([...parts, says("", "stop"), DONE]), {
        apiKey,
        defaultHeaders: { "x-mine": secret },
      });
      const params = { messages: [{ role: "user" as const, content: "PRIVATE question" }] };
      const stream = client.chat.completions.stream(params, { record: true });
      assert.match(String(await stream.finalContent()), /sk-recorded/);
      const file = await stream.recording();
      assert.doesNotMatch(file, /PRIVATE|authorization|x-mine/i);
      const { text } = await ChatStream.fromRecording(file).outcome();
      assert.equal(text, `Your key is ${"*".repeat(KEY.length)}, your header ${"*".repeat(secret.length)}.`);
    }
  }
});

test("what_was_not_recorded_says_so", async () => {
  const stream = clientOf(serve([says("a", "stop"), DONE])).chat.completions.stream(hello);
  assert.match((await failureOf(stream.recording())).message, /record: true/);
  const refused = clientOf(async () => new Response("", { status: 400 })).chat.completions.stream(hello, {
    record: true,
  });
  assert.match((await failureOf(refused.recording())).message, /record: true/);
});

/** Files that are no recordings, and what is said of them. */
async function wrongFiles(): Promise<[string, RegExp][]> {
  const { file } = await recorded([says("a"), says("b", "stop"), DONE]);
  const lines = file.trimEnd().split("\n");
  const without = (at: number) => lines.filter((_, line) => line !== at).join("\n");
  const changed = (at: number, line: string) => lines.map((own, each) => (each === at ? line : own)).join("\n");
  return [
    ["", /no recording of chatwire/],
    ["{}", /no recording of chatwire/],
    ["\u0000\u0001PNG", /no recording of chatwire/],
    [JSON.stringify({ log: { version: "1.2", creator: { name: "a browser" } } }), /no recording of chatwire/],
    [changed(0, '{"chatwire":"recording","version":2,"options":{}}'), /version 2/],
    [changed(0, '{"chatwire":"recording","version":1}'), /line 1/],
    [changed(2, lines[2]?.slice(0, 30) ?? ""), /line 3/],
    [changed(2, '["read",1,2,"!","base64"]'), /line 3/],
    [changed(2, '["read","1",2,"a"]'), /line 3/],
    [changed(2, '["write",1,2,"a"]'), /line 3/],
    [changed(2, "null"), /line 3/],
    [changed(2, '["end"]'), /line 3/],
    [without(lines.length - 1), /cut off/],
    [lines[0] ?? "", /cut off/],
    [file.slice(0, -4), /line \d/],
  ];
}

test("a_file_that_is_damaged_or_foreign_is_a_clear_error", async () => {
  for (const [file, message] of await wrongFiles()) {
    const stream = ChatStream.fromRecording(file);
    const error = await failureOf(collect(stream.events));
    assert.ok(error instanceof ChatwireError, file);
    assert.match(error.message, message);
    assert.equal((await stream.outcome()).error, error);
  }
  assert.match((await failureOf(ChatStream.fromRecording(5 as never).finalContent())).message, /fromRecording takes/);
});

const CLI = new URL("../../npm/cli.ts", import.meta.url).pathname;

async function replayCommand(...args: string[]): Promise<{ code: number | null; out: string; said: string }> {
  const child = spawn(process.execPath, [CLI, "replay", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, said] = ["", ""];
  child.stdout.on("data", (data: Buffer) => {
    out += data;
  });
  child.stderr.on("data", (data: Buffer) => {
    said += data;
  });
  const [code] = await once(child, "close");
  return { code, out, said };
}

test("the_command_shows_events_and_outcome", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "chatwire-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "answer.chatwire");
  for (const name of ["complete", "truncated"]) {
    const { file, events, outcome } = await recorded(streams[name] ?? []);
    writeFileSync(path, file);
    const { code, out } = await replayCommand(path);
    assert.equal(code, 0);
    const lines = out.split("\n");
    assert.deepEqual(
      lines.slice(0, events.length).map((line) => JSON.parse(line)),
      events,
    );
    const shown = JSON.parse(lines.slice(events.length).join("\n"));
    assert.deepEqual([shown.status, shown.text, shown.timing], [outcome.status, outcome.text, outcome.timing]);
    assert.equal(shown.error?.name, outcome.error?.name);
  }
  writeFileSync(path, "a letter to the editor\n");
  for (const [args, expected] of [
    [[path], /no recording of chatwire/],
    [[join(folder, "nothing")], /Cannot read/],
    [[], /one file/],
    [[path, path], /one file/],
    [["--speed", path], /--speed/],
  ] as const) {
    const { code, said } = await replayCommand(...args);
    assert.equal(code, 2);
    assert.match(said, expected);
    assert.doesNotMatch(said, /\n\s+at /, "no stack");
  }
});
