/**
 * Each thing that the client keeps outside its engine, grown by a hostile server: docs/reliability.md lists all that is kept, with its bound.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { OpenAI } from "chatwire/openai";
import { Stream } from "chatwire/openai/streaming";
import { clientOf, DONE, encode, event, failureOf, hello, says, until } from "./serving.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A response that gives what `part` says for each read, until it says nothing, and what was read of it. */
function endless(part: (read: number) => Uint8Array | undefined) {
  const seen = { bytes: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // As from a network: each read takes a turn of the event loop.
        await new Promise(setImmediate);
        const bytes = part(seen.bytes);
        if (!bytes) return controller.close();
        seen.bytes += bytes.length;
        controller.enqueue(bytes);
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { seen, response: new Response(body, { headers: { "content-type": "text/event-stream" } }) };
}

const silent = event({ id: "1", choices: [{ index: 0, delta: { role: "assistant" }, finish_reason: null }] });
const silence = encode(silent.repeat(Math.ceil((32 * KIB) / silent.length)));

for (const [how, first] of Object.entries({
  chunks: async (stream) => (await stream[Symbol.asyncIterator]().next()).value,
  toReadableStream: async (stream) => (await stream.toReadableStream().getReader().read()).value,
  tee: async (stream) => (await stream.tee()[0][Symbol.asyncIterator]().next()).value,
} satisfies Record<
  string,
  (stream: ReturnType<ReturnType<typeof clientOf>["chat"]["completions"]["stream"]>) => Promise<unknown>
>)) {
  test(`a_stream_without_a_token_is_held_back_for_no_more_than_a_mebibyte_by_${how}`, async () => {
    const { seen, response } = endless(() => silence);
    const stream = clientOf(async () => response, { maxRetries: 2 }).chat.completions.stream(hello);
    assert.ok(await first(stream), "something is handed out");
    assert.ok(seen.bytes < 2 * MIB, `${seen.bytes} bytes`);
    stream.abort();
    await until(() => seen.cancelled);
  });
}

test("a_recording_of_a_stream_that_goes_on_keeps_no_more_than_64_MiB_and_says_so", async () => {
  const comment = encode(`: ${"x".repeat(MIB)}\n`);
  for (const count of [10, 70]) {
    let sent = 0;
    const { response } = endless(() => {
      sent++;
      return sent <= count ? comment : sent === count + 1 ? encode(says("Hello", "stop") + DONE) : undefined;
    });
    const stream = clientOf(async () => response).chat.completions.stream(hello, { record: true });
    assert.equal((await stream.outcome()).text, "Hello");
    if (count < 64) assert.ok((await stream.recording()).length > count * MIB);
    else assert.match((await failureOf(stream.recording())).message, /longer than the 64 MiB/);
  }
});

const params = { ...hello, messages: [...hello.messages] };
const openaiOf = (response: Response) =>
  new OpenAI({ apiKey: "k", baseURL: "https://bounds.test/v1", maxRetries: 0, fetch: (async () => response) as never });

test("text_under_unknown_names_is_not_gathered_by_openai_without_end", async () => {
  const piece = encode(event({ id: "1", choices: [{ index: 0, delta: { thoughts: "x".repeat(MIB) } }] }));
  const { seen, response } = endless((bytes) => (bytes < 100 * MIB ? piece : undefined));
  const stream = openaiOf(response).chat.completions.stream(params);
  assert.match((await failureOf(stream.done())).message, /more than 67108864 characters/);
  await until(() => seen.cancelled);
});

test("a_branch_of_openai_that_nobody_reads_keeps_a_number_of_items", async () => {
  const few = encode(silent.repeat(1000));
  const { response } = endless((bytes) => (bytes < 80 * few.length ? few : undefined));
  const stream = await openaiOf(response).chat.completions.create({ ...params, stream: true });
  const [read, unread] = stream.tee();
  let count = 0;
  const all = (async () => {
    for await (const _ of read) count++;
  })();
  await all.catch(() => {}); // cut off, since it has no end
  assert.equal(count, 80_000);
  const items = unread[Symbol.asyncIterator]();
  assert.match((await failureOf(items.next())).message, /more than 65536 items behind/);
  assert.deepEqual(await items.next(), { done: true, value: undefined });
});

test("one_line_of_JSON_without_an_end_is_refused", async () => {
  const piece = new Uint8Array(MIB).fill(97);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent++ < 64) controller.enqueue(piece);
      else controller.close();
    },
  });
  const stream = Stream.fromReadableStream(body, new AbortController());
  assert.match((await failureOf(stream[Symbol.asyncIterator]().next())).message, /longer than 16777216/);
  assert.ok(sent < 20, `${sent} MiB`);
});

/** A process of its own, whose heap is too small for what a server sends, and which ends well if little of it is kept. */
function runsIn(heap: number, script: string): void {
  const flags = [`--max-old-space-size=${heap}`, "--input-type=module", "--eval", script];
  const { status, stderr } = spawnSync(process.execPath, flags, {
    encoding: "utf8",
    cwd: new URL("../..", import.meta.url),
  });
  assert.equal(status, 0, stderr.slice(0, 2000));
}

test("of_a_durable_stream_that_goes_on_neither_places_nor_requests_are_kept", () => {
  runsIn(
    64,
    `
    import { Chatwire } from "chatwire";
    let polls = 0;
    const text = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\\n\\n';
    const fetch = async () => {
      const offset = String(++polls) + "x".repeat(128 * 1024);
      const headers = { "content-type": "text/event-stream", "stream-next-offset": offset };
      if (polls >= 400) headers["stream-closed"] = "true";
      return new Response(polls > 400 ? "" : text, { headers });
    };
    const client = new Chatwire({ baseURL: "https://durable.test/v1", resume: "durable-streams", fetch });
    const outcome = await client.chat.completions.resume("abc").outcome();
    if (outcome.text.length !== 400) throw new Error(outcome.status + ": " + outcome.text.length);
    `,
  );
});

test("a_response_of_a_durable_stream_in_JSON_is_read_to_16_MiB", async () => {
  const piece = new Uint8Array(MIB).fill(32);
  const { seen, response } = endless(() => piece);
  const headers = { "content-type": "application/json", "stream-next-offset": "1" };
  const answer = async () => new Response(response.body, { headers });
  const resumed = clientOf(answer, {
    resume: "durable-streams",
    timeout: { firstToken: 700, idle: 700 },
  }).chat.completions.resume("abc");
  const outcome = await resumed.outcome();
  assert.notEqual(outcome.status, "complete");
  assert.ok(seen.bytes < 20 * MIB, `${seen.bytes} bytes`);
});

test("an_answer_to_warmUp_is_not_read_to_its_end", async () => {
  const { seen, response } = endless(() => silence);
  await clientOf(async () => response).warmUp();
  await until(() => seen.cancelled);
  assert.ok(seen.bytes < MIB, `${seen.bytes} bytes`);
});
