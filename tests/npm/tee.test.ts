/**
 * A stream read by two: how far apart they get, how each leaves, and that nobody waits for what does not come.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatwireError, StalledError, StreamError, TruncatedError } from "chatwire";
import { clientOf, collect, DONE, failureOf, gate, hello, says, serve } from "./serving.ts";

const open = (parts: string[], after: "end" | "silence" = "end") => {
  const served = serve(parts, { after });
  return { served, stream: clientOf(served).chat.completions.stream(hello) };
};

test("both_branches_of_a_tee_have_it_all_each_in_its_own_way", async () => {
  const { stream } = open([says("a"), says("b"), says("c", "stop"), DONE]);
  const [one, two] = stream.tee();
  assert.throws(() => stream[Symbol.asyncIterator](), ChatwireError);
  const [texts, chunks] = await Promise.all([collect(one.textStream), collect(two)]);
  assert.deepEqual(texts, ["a", "b", "c"]);
  assert.equal(chunks.length, 3);
  for (const each of [stream, one, two]) assert.equal((await each.outcome()).text, "abc");
});

test("a_tee_reads_no_faster_than_its_slower_branch", async () => {
  const { served, stream } = open(Array.from({ length: 100 }, (_, at) => says(`${at} `)));
  const [fast, slow] = stream.tee();
  const ahead = fast.textStream[Symbol.asyncIterator]();
  const behind = slow.textStream[Symbol.asyncIterator]();
  await Promise.all([ahead.next(), behind.next()]);
  const reads = served.reads;
  const next = ahead.next();
  const afterwards = ahead.next();
  await next;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(served.reads, reads + 1);
  await behind.next();
  await afterwards;
  assert.equal(served.reads, reads + 2);
  await Promise.all([ahead.return?.(), behind.return?.()]);
  assert.equal(served.cancelled, true);
});

test("a_branch_that_nobody_reads_is_cut_off_by_name_and_the_other_goes_on", async () => {
  const parts = [...Array.from({ length: 20 }, () => says("x".repeat(1000))), says("", "stop"), DONE];
  const { stream } = open(parts);
  const [read, unread] = stream.tee({ maxBehind: 5000 });
  assert.equal((await collect(read.textStream)).join("").length, 20_000);
  const error = await failureOf(collect(unread));
  assert.ok(error instanceof StreamError && error instanceof ChatwireError);
  assert.match(error.message, /fell .* behind/);
  assert.equal(error.code, "limit.behind");
  const outcome = await unread.outcome();
  assert.equal(outcome.status, "error");
  assert.equal(outcome.error, error);
});

test("a_tee_ends_as_its_stream_does", async () => {
  const stalled = clientOf(serve([says("a")], { after: "silence" }), { timeout: { idle: 30 } }).chat.completions.stream(
    hello,
  );
  const [one, two] = stalled.tee();
  const errors = await Promise.all([failureOf(collect(one)), failureOf(collect(two.textStream))]);
  for (const error of errors) assert.ok(error instanceof StalledError);

  const { stream, served } = open([says("a")], "silence");
  const [left, other] = stream.tee();
  setImmediate(() => stream.abort());
  await Promise.all([collect(left), collect(other.textStream)]);
  assert.equal((await other.outcome()).status, "aborted");
  assert.equal(served.cancelled, true);
});

test("leaving_one_branch_of_a_tee_leaves_the_other_alone", async () => {
  const { served, stream } = open([says("a"), says("b"), says("c", "stop"), DONE]);
  const [one, two] = stream.tee();
  const all = collect(two.textStream);
  for await (const _ of one) break;
  assert.deepEqual(await all, ["a", "b", "c"]);
  assert.equal((await one.outcome()).status, "aborted");
  assert.equal((await stream.outcome()).status, "complete");
  assert.ok(served.reads >= 4);
});

test("a_branch_that_is_aborted_while_it_waits_ends_though_the_other_has", async () => {
  const { stream } = open([says("a"), says("b", "stop"), DONE]);
  const [one, two] = stream.tee();
  const aborted = one.textStream[Symbol.asyncIterator]();
  await aborted.next();
  const waits = aborted.next(); // for the other
  one.abort();
  assert.equal((await waits).done, true);
  assert.deepEqual(await collect(two.textStream), ["a", "b"]);
  assert.equal((await one.outcome()).status, "aborted");
});

test("a_branch_aborted_in_each_turn_leaves_the_other_whole", async () => {
  for (let at = 0; at < 8; at++) {
    const { stream } = open([says("a"), says("b", "stop"), DONE]);
    const [one, two] = stream.tee();
    const all = collect(two.textStream);
    const left = collect(one.textStream);
    for (let turn = 0; turn < at; turn++) await new Promise(setImmediate);
    one.abort();
    await left;
    assert.deepEqual((await all).join(""), "ab");
  }
});

test("a_branch_read_to_its_end_costs_nothing_while_the_other_is_read_late_or_never", async () => {
  const { stream } = open([says("a"), says("b"), says("c", "stop"), DONE]);
  const [early, late] = stream.tee();
  assert.equal((await collect(early.textStream)).join(""), "abc");
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 500_000, `${user + system} µs of CPU in 1.5 s of waiting`);
  assert.equal((await collect(late.textStream)).join(""), "abc");
});

test("a_tee_that_is_left_before_its_headers_is_aborted_at_once", async () => {
  const stream = clientOf(() => new Promise(() => {})).chat.completions.stream(hello);
  const [one, two] = stream.tee();
  one.abort();
  assert.equal((await one.outcome()).status, "aborted");
  two.abort();
  assert.equal((await two.outcome()).status, "aborted");
  assert.equal((await stream.outcome()).status, "aborted");
});

test("a_body_cut_in_mid_event_ends_a_tee_and_a_readable_stream_by_name", async () => {
  const parts = [says("a"), 'data: {"choices":[{"index":0,"delta":{"content":"b"}'];
  const failure = await failureOf(new Response(open(parts).stream.toReadableStream()).text());
  assert.ok(failure instanceof TruncatedError);
  for (const error of await Promise.all(
    open(parts)
      .stream.tee()
      .map((branch) => failureOf(collect(branch))),
  )) {
    assert.ok(error instanceof TruncatedError);
  }
  // A last event without its blank line is complete.
  const unended = [says("a", "stop"), "data: [DONE]"];
  assert.equal(await new Response(open(unended).stream.toReadableStream()).text(), unended.join(""));
});

test("a_readable_stream_reads_on_where_time_brought_a_sentence_and_no_bytes", async () => {
  const more = gate();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encode = (text: string) => new TextEncoder().encode(text);
  writer.write(encode(says("It is 3.")));
  more.promise.then(async () => {
    await writer.write(encode(says(" There.", "stop") + DONE));
    await writer.close();
  });
  const client = clientOf(async () => new Response(readable, { headers: { "content-type": "text/event-stream" } }));
  const stream = client.chat.completions.stream(hello, { sentences: { quietMs: 20 } });
  const text = new Response(stream.toReadableStream()).text();
  setTimeout(more.open, 100);
  assert.ok((await text).endsWith(DONE));
});
