/**
 * A stream's life: who reads it, how it is left, what is let go, and what time it is given.
 */
import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import {
  APIConnectionTimeoutError,
  APIUserAbortError,
  ChatStream,
  Chatwire,
  ChatwireError,
  StalledError,
  TruncatedError,
} from "chatwire";
import { alive, calls } from "./engine-memory.ts";
import { clientOf, collect, DONE, encode, event, failureOf, gate, hello, says, serve, until } from "./serving.ts";

const open = (parts: string[], after: "end" | "silence" = "end") => {
  const served = serve(parts, { after });
  return { served, stream: clientOf(served).chat.completions.stream(hello) };
};
const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("text_stream_gives_one_string_per_network_chunk_and_never_an_empty_one", async () => {
  const { stream } = open([says("a"), ": keep-alive\n\n", says("b") + says("c"), says("", "stop"), DONE]);
  assert.deepEqual(await collect(stream.textStream), ["a", "bc"]);
});

test("a_connection_that_breaks_keeps_the_hosts_own_error_as_cause", async () => {
  const broke = new TypeError("terminated", { cause: Object.assign(new Error("reset"), { code: "ECONNRESET" }) });
  const stream = clientOf(serve([says("a"), { error: broke }])).chat.completions.stream(hello);
  const error = await failureOf(collect(stream.textStream));
  assert.ok(error instanceof TruncatedError);
  assert.equal(error.cause, broke);
});

test("a_read_is_one_call_of_the_engine", async () => {
  const callsFor = async (reads: number) => {
    const before = calls.count;
    await collect(open([...Array.from({ length: reads }, () => says("a")), says("", "stop"), DONE]).stream.textStream);
    return calls.count - before;
  };
  assert.equal((await callsFor(110)) - (await callsFor(10)), 100);
});

test("chunks_are_the_servers_own_json", async () => {
  const first = { choices: null, x_unknown: { deep: [1, "é"] } };
  const { stream } = open([`data: ${JSON.stringify(first)}\n\n${says("a", "stop")}`, DONE]);
  const chunks = await collect(stream);
  assert.deepEqual(chunks[0], first);
  assert.equal(chunks.length, 2);
});

test("a_read_larger_than_the_engines_buffer_is_whole_in_one_string", async () => {
  const long = "héllo 😀 ".repeat(30_000);
  const half = says(long);
  const { stream } = open([half + half, says("", "stop"), DONE]);
  const [text, ...rest] = await collect(stream.textStream);
  assert.equal(text, long + long);
  assert.deepEqual(rest, []);
});

test("chunks_of_a_large_read_come_in_order", async () => {
  const many = Array.from({ length: 2000 }, (_, n) => says(`${n} `)).join("");
  const { stream } = open([many + says("", "stop") + DONE]);
  const texts = (await collect(stream)).map((chunk) => chunk.choices[0]?.delta.content);
  assert.deepEqual(
    texts.slice(0, -1),
    Array.from({ length: 2000 }, (_, n) => `${n} `),
  );
});

test("next_called_many_times_at_once_answers_in_order", async () => {
  const { stream } = open([says("a") + says("b"), says("c"), ":\n\n", says("d", "stop"), DONE]);
  const iterator = stream[Symbol.asyncIterator]();
  const first = Array.from({ length: 3 }, () => iterator.next());
  const early = await first[0];
  const rest = [...first.slice(1), ...Array.from({ length: 4 }, () => iterator.next())];
  const texts = (await Promise.all([early, ...rest])).map((result) => result?.value?.choices[0]?.delta.content);
  assert.deepEqual(texts, ["a", "b", "c", "d", undefined, undefined, undefined]);
});

test("done_ends_the_stream_though_the_connection_stays_open", async () => {
  const { served, stream } = open([says("a", "stop"), DONE], "silence");
  assert.deepEqual(await collect(stream.textStream), ["a"]);
  assert.equal((await stream.outcome()).status, "complete");
  await until(() => served.cancelled);
});

test("done_without_its_blank_line_does_not_keep_the_caller_waiting", async () => {
  const { served, stream } = open([says("a", "stop"), "data: [DONE]\n"], "silence");
  assert.deepEqual(await collect(stream.textStream), ["a"]);
  const { status, repairs } = await stream.outcome();
  assert.deepEqual([status, repairs.map(({ code }) => code)], ["complete", ["framing.unfinished_event"]]);
  await until(() => served.cancelled);
});

test("a_stream_that_ends_well_leaves_its_connection_to_the_next", async () => {
  let connections = 0;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(says("a"));
    setImmediate(() => {
      response.write(says("b", "stop") + DONE);
      setImmediate(() => response.end());
    });
  });
  server.on("connection", () => connections++);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const client = new Chatwire({ baseURL: `http://127.0.0.1:${port}/v1` });
  for (let call = 0; call < 5; call++) {
    const ended = once(server, "request").then(([, response]) => once(response, "close"));
    assert.equal(await client.chat.completions.stream(hello).finalContent(), "ab");
    await ended;
  }
  server.closeAllConnections();
  server.close();
  assert.ok(connections <= 2, `${connections} connections`);
});

test("outcome_reads_the_stream_when_nobody_else_does", async () => {
  const { stream } = open([says("a"), says("b", "stop"), DONE]);
  const outcome = await stream.outcome();
  assert.equal(outcome.text, "ab");
  assert.equal(await stream.finalContent(), "ab");
  assert.equal((await stream.finalMessage()).role, "assistant");
  assert.equal((await stream.finalChatCompletion()).choices[0]?.message.content, "ab");
  assert.equal(await stream.outcome(), outcome);
});

test("a_loop_after_outcome_has_read_is_refused_by_name", async () => {
  const { stream } = open([says("a", "stop"), DONE]);
  await stream.outcome();
  for (const loop of [() => collect(stream), () => collect(stream.textStream), () => collect(stream.events)]) {
    await assert.rejects(loop, (error) => error instanceof ChatwireError && /reader/.test(error.message));
  }
});

test("outcome_waits_for_an_iterator_taken_in_the_same_turn", async () => {
  const { stream } = open([says("a"), says("b", "stop"), DONE]);
  const outcome = stream.outcome();
  const texts = collect(stream.textStream);
  assert.deepEqual(await texts, ["a", "b"]);
  assert.equal((await outcome).text, "ab");
});

test("an_iterator_is_taken_once", async () => {
  const { stream } = open([says("a", "stop"), DONE]);
  const first = collect(stream);
  assert.throws(() => stream[Symbol.asyncIterator](), ChatwireError);
  assert.equal((await first).length, 1);
});

test("leaving_a_loop_early_cancels_the_request", async () => {
  for (const kind of ["chunks", "textStream", "events"] as const) {
    const served = serve([says("a") + says("b"), says("c")], { after: "silence" });
    let sent: AbortSignal | undefined;
    const client = clientOf(async (_url, init) => {
      sent = init.signal;
      return served.response;
    });
    const stream = await client.chat.completions.create({ ...hello, stream: true });
    for await (const _ of kind === "chunks" ? stream : stream[kind]) break;
    assert.equal(served.cancelled, true, kind);
    assert.equal(sent?.aborted, true, kind);
    const outcome = await stream.outcome();
    assert.deepEqual([outcome.status, outcome.text], ["aborted", "ab"], kind);
  }
});

test("an_error_thrown_in_the_loop_body_cancels_the_request_and_is_the_error", async () => {
  const { served, stream } = open([says("a")], "silence");
  const loop = async () => {
    for await (const _ of stream) throw new RangeError("mine");
  };
  await assert.rejects(loop, RangeError);
  assert.equal(served.cancelled, true);
});

test("abort_ends_iteration_silently_and_rejects_the_finals", async () => {
  const { served, stream } = open([says("a")], "silence");
  const texts: string[] = [];
  for await (const text of stream.textStream) {
    texts.push(text);
    setImmediate(() => stream.abort());
  }
  assert.deepEqual(texts, ["a"]);
  assert.equal(served.cancelled, true);
  const outcome = await stream.outcome();
  assert.deepEqual([outcome.status, outcome.text], ["aborted", "a"]);
  for (const final of ["finalChatCompletion", "finalMessage", "finalContent", "totalUsage"] as const) {
    await assert.rejects(stream[final](), (error) => error instanceof APIUserAbortError && error.outcome === outcome);
  }
});

test("the_controller_aborts_like_abort_does", async () => {
  const { stream } = open([says("a")], "silence");
  setImmediate(() => stream.controller.abort());
  await collect(stream);
  assert.equal((await stream.outcome()).status, "aborted");
});

test("await_using_leaves_the_stream_at_the_end_of_the_block", async () => {
  const { served, stream } = open([says("a")], "silence");
  {
    await using answer = stream;
    await answer.textStream[Symbol.asyncIterator]().next();
  }
  assert.equal(served.cancelled, true);
  assert.equal((await stream.outcome()).status, "aborted");
});

test("a_callers_signal_aborts_before_during_and_after", async () => {
  const before = AbortSignal.abort("a string for a reason");
  const refused = clientOf(async () => assert.fail("it was sent")).chat.completions;
  await assert.rejects(refused.create(hello, { signal: before }), APIUserAbortError);
  assert.equal((await refused.stream(hello, { signal: before }).outcome()).status, "aborted");

  const opening = new AbortController();
  const called = gate();
  const deaf = clientOf(() => {
    called.open();
    return new Promise(() => {});
  });
  const pending = deaf.chat.completions.create(hello, { signal: opening.signal });
  await Promise.race([called.promise, pending.then(() => assert.fail("it was answered"))]);
  opening.abort("enough");
  const error = await failureOf(pending);
  assert.ok(error instanceof APIUserAbortError);
  assert.equal(error.cause, "enough");

  const during = new AbortController();
  const served = serve([says("a")], { after: "silence" });
  const stream = await clientOf(served).chat.completions.create({ ...hello, stream: true }, { signal: during.signal });
  const texts: string[] = [];
  for await (const text of stream.textStream) {
    texts.push(text);
    setImmediate(() => during.abort());
  }
  assert.deepEqual(texts, ["a"]);
  assert.equal(served.cancelled, true);

  const after = new AbortController();
  const done = clientOf(serve([says("a", "stop"), DONE])).chat.completions.stream(hello, { signal: after.signal });
  assert.equal(await done.finalContent(), "a");
  after.abort();
  done.abort();
  assert.equal((await done.outcome()).status, "complete");
});

test("an_aborted_json_completion_rejects_with_what_had_arrived", async () => {
  const controller = new AbortController();
  const served = serve(['{"choices":['], { after: "silence", headers: { "content-type": "application/json" } });
  const pending = clientOf(served).chat.completions.create(hello, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  const error = await failureOf(pending);
  assert.ok(error instanceof APIUserAbortError);
  assert.equal(error.outcome?.status, "aborted");
  assert.equal(served.cancelled, true);
});

test("json_lines_stream_as_they_come_and_are_truncated_where_they_are_cut_or_reset", async () => {
  const headers = { "content-type": "application/x-ndjson" };
  const line = (content: string, finish: string | null = null) => says(content, finish).slice(6, -1);
  const first = await clientOf(serve([line("a")], { after: "silence", headers })).chat.completions.create({
    ...hello,
    stream: true,
  });
  const { value } = await first[Symbol.asyncIterator]().next();
  assert.equal(value?.choices[0]?.delta.content, "a");
  first.controller.abort();

  for (const [rest, status, text] of [
    [[line("b", "stop")], "complete", "ab"],
    [[line("b").slice(0, 20)], "truncated", "a"],
    [[], "truncated", "a"],
    [[{ error: new TypeError("reset") }], "truncated", "a"],
  ] as const) {
    const served = serve([line("a"), ...rest], { headers });
    const outcome = await clientOf(served).chat.completions.stream(hello).outcome();
    assert.deepEqual([outcome.status, outcome.text], [status, text]);
  }
});

test("an_error_thrown_from_a_stream_carries_its_outcome_out_of_sight", async () => {
  const { stream } = open([says("half an ans")]);
  const error = await failureOf(collect(stream));
  assert.ok(error instanceof TruncatedError);
  assert.equal(error.name, "TruncatedError");
  assert.equal(error.outcome?.text, "half an ans");
  assert.equal(Object.keys(error).includes("outcome"), false);
  assert.equal(error.outcome, await stream.outcome());
  assert.equal(await failureOf(stream.finalMessage()), error);
  assert.equal(JSON.stringify(error).includes("half an ans"), false);
});

test("items_before_an_error_are_given_before_it_is_thrown_and_it_is_thrown_once", async () => {
  const { stream } = open([says("a") + says("b") + event({ error: { message: "out of luck" } })]);
  const iterator = stream.textStream[Symbol.asyncIterator]();
  assert.deepEqual(await iterator.next(), { done: false, value: "ab" });
  await assert.rejects(iterator.next(), /out of luck/);
  assert.deepEqual(await iterator.next(), { done: true, value: undefined });
});

test("silence_stalls_while_a_read_is_pending", async () => {
  const served = serve([says("a")], { after: "silence" });
  const client = clientOf(served, { timeout: { idle: 30 } });
  const stream = client.chat.completions.stream(hello);
  const error = await failureOf(collect(stream.textStream));
  assert.ok(error instanceof StalledError);
  assert.deepEqual([error.outcome?.status, error.outcome?.text], ["stalled", "a"]);
  assert.equal(served.cancelled, true);
});

test("each_timeout_has_its_error", async () => {
  const never = clientOf(() => new Promise(() => {}), { timeout: { headers: 20 } }).chat.completions;
  await assert.rejects(never.create(hello), APIConnectionTimeoutError);
  await assert.rejects(collect(never.stream(hello)), APIConnectionTimeoutError);

  const json = { "content-type": "application/json" };
  const half = () =>
    clientOf(serve(['{"choices":'], { after: "silence", headers: json }), { timeout: { total: 40 } }).chat.completions;
  const error = await failureOf(half().create(hello));
  assert.ok(error instanceof StalledError);
  assert.equal(error.outcome?.status, "stalled");

  const { completions } = clientOf(serve([says("a")], { after: "silence" })).chat;
  const stream = await completions.create({ ...hello, stream: true }, { timeout: { total: 40 } });
  await assert.rejects(collect(stream), StalledError);
});

test("keep_alives_are_not_progress", async () => {
  let cancelled = false;
  const body = new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (!cancelled) controller.enqueue(encode(": still here\n\n"));
    },
    cancel() {
      cancelled = true;
    },
  });
  const client = clientOf(async () => new Response(body), { timeout: { firstToken: 40 } });
  await assert.rejects(collect(client.chat.completions.stream(hello)), StalledError);
  assert.equal(cancelled, true);
});

test("a_slow_consumer_is_not_a_stall", async () => {
  const served = serve([says("a"), says("b"), says("c", "stop"), DONE]);
  const stream = clientOf(served, { timeout: { idle: 20, firstToken: 20 } }).chat.completions.stream(hello);
  const texts: string[] = [];
  for await (const text of stream.textStream) {
    texts.push(text);
    await new Promise((resolve) => setTimeout(resolve, 45)); // longer than the timeouts: this is what is tested
  }
  assert.deepEqual(texts, ["a", "b", "c"]);
});

test("the_end_leaves_no_listener_timer_or_engine_memory", async () => {
  const before = timers();
  const { signal } = new AbortController();
  const endings: [string[], "end" | "silence", (stream: ChatStream) => Promise<unknown>][] = [
    [[says("a", "stop"), DONE], "silence", (stream) => collect(stream)],
    [[says("a")], "end", (stream) => failureOf(collect(stream.textStream))],
    [[says("a")], "silence", (stream) => stream.events[Symbol.asyncIterator]().return?.() as Promise<unknown>],
    [[says("a")], "silence", (stream) => Promise.all([stream.outcome(), stream.abort()])],
    [[], "silence", (stream) => stream[Symbol.asyncDispose]()],
  ];
  for (const [parts, after, end] of endings) {
    const stream = await clientOf(serve(parts, { after })).chat.completions.create(
      { ...hello, stream: true },
      { signal },
    );
    await end(stream);
    assert.equal(getEventListeners(signal, "abort").length, 0);
    assert.equal(alive.size, 0);
    await until(() => timers() === before);
  }
  await clientOf(async () =>
    Response.json({ choices: [{ index: 0, message: { content: "a" }, finish_reason: "stop" }] }),
  ).chat.completions.create(hello, { signal });
  await failureOf(clientOf(async () => Promise.reject(new TypeError("no"))).chat.completions.create(hello, { signal }));
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(alive.size, 0);
  assert.equal(timers(), before);
});

test("to_readable_stream_is_the_servers_bytes_and_keeps_the_accounts", async () => {
  const parts = [": hi\n\n", says("a"), says("b", "stop"), DONE];
  const { stream } = open([...parts]);
  const bytes = stream.toReadableStream();
  assert.throws(() => stream[Symbol.asyncIterator](), ChatwireError);
  assert.equal(await new Response(bytes).text(), parts.join(""));
  assert.equal((await stream.outcome()).text, "ab");
});

test("to_readable_stream_errors_where_iteration_would_throw", async () => {
  const { stream } = open([says("a")]);
  const error = await failureOf(new Response(stream.toReadableStream()).text());
  assert.ok(error instanceof TruncatedError);
});

test("cancelling_a_readable_stream_cancels_the_request", async () => {
  const { served, stream } = open([says("a")], "silence");
  const reader = stream.toReadableStream().getReader();
  await reader.read();
  await reader.cancel();
  assert.equal(served.cancelled, true);
  assert.equal((await stream.outcome()).status, "aborted");
});

test("from_readable_stream_reads_bytes_of_ones_own", async () => {
  const body = serve([says("a"), says("b", "stop"), DONE]).response.body as ReadableStream<Uint8Array>;
  const stream = ChatStream.fromReadableStream(body);
  assert.deepEqual(await collect(stream.textStream), ["a", "b"]);
  assert.throws(() => ChatStream.fromReadableStream("data: [DONE]" as never), ChatwireError);
});

test("frames_are_fresh_views_and_the_last_has_everything", async () => {
  const tick = { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: "{}" } }] };
  const { stream } = open([
    ...Array.from({ length: 50 }, (_, at) => says(`${at} `)),
    event({ choices: [{ index: 0, delta: tick, finish_reason: null }] }),
    event({ choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] }),
    DONE,
  ]);
  const frames = await collect(stream.frames());
  assert.ok(frames.length < 50, "one a frame, not one an event");
  assert.equal(new Set(frames).size, frames.length);
  const outcome = await stream.outcome();
  const { text, reasoning, toolCalls } = outcome;
  assert.deepEqual(frames.at(-1), { text, reasoning, toolCalls });
  assert.deepEqual(toolCalls, [{ id: "c", name: "f", arguments: "{}", complete: true }]);
});

test("an_iterator_taken_early_and_read_late_gives_all_of_it", async () => {
  const { body } = serve([says("a", "stop"), DONE]).response;
  const texts = ChatStream.fromReadableStream(body as ReadableStream<Uint8Array>).textStream[Symbol.asyncIterator]();
  await new Promise(setImmediate); // it is open by now
  assert.deepEqual(await texts.next(), { done: false, value: "a" });
});

test("frames_follow_the_hosts_frames", async () => {
  const callbacks: (() => void)[] = [];
  Object.assign(globalThis, {
    requestAnimationFrame: (callback: () => void) => callbacks.push(callback),
    cancelAnimationFrame: () => {},
  });
  try {
    const more = gate();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(encode(says("a")));
        await more.promise;
        controller.enqueue(encode(says("b", "stop") + DONE));
      },
    });
    const frames = ChatStream.fromReadableStream(body).frames();
    const first = frames.next();
    await until(() => callbacks.length > 0);
    callbacks[0]?.();
    assert.equal((await first).value?.text, "a");
    const second = frames.next();
    more.open();
    assert.equal((await second).value?.text, "ab");
    assert.equal((await frames.next()).done, true);
  } finally {
    for (const name of ["requestAnimationFrame", "cancelAnimationFrame"]) Reflect.deleteProperty(globalThis, name);
  }
});

test("leaving_the_frames_cancels_and_an_error_comes_after_the_last_frame", async () => {
  const left = open([says("a")], "silence");
  for await (const { text } of left.stream.frames()) {
    assert.equal(text, "a");
    break;
  }
  assert.equal(left.served.cancelled, true);

  const { stream } = open([says("half")]);
  const texts: string[] = [];
  const error = await failureOf(
    (async () => {
      for await (const { text } of stream.frames()) texts.push(text);
    })(),
  );
  assert.ok(error instanceof TruncatedError);
  assert.equal(texts.at(-1), "half");
});

test("a_stream_of_a_body_is_left_by_its_controller_whenever_that_is_asked_for", async () => {
  alive.clear(); // those that other tests have left
  for (const when of ["before it is open", "in a read"] as const) {
    const { response } = serve([says("a")], { after: "silence" });
    const stream = ChatStream.fromReadableStream(response.body as ReadableStream<Uint8Array>);
    const texts: string[] = [];
    const read = (async () => {
      for await (const text of stream.textStream) texts.push(text);
    })();
    if (when === "in a read") await until(() => texts.length > 0);
    stream.controller.abort();
    await read;
    assert.equal((await stream.outcome()).status, "aborted", when);
    assert.equal(stream.controller.signal.aborted, true);
  }
  const { response } = serve([says("a")], { after: "silence" });
  const left = ChatStream.fromReadableStream(response.body as ReadableStream<Uint8Array>);
  left.abort();
  assert.equal((await left.outcome()).status, "aborted");
  assert.equal(left.controller.signal.aborted, true);
  await until(() => alive.size === 0);
});

test("what_could_ask_again_is_let_go_of_with_the_first_token", async () => {
  alive.clear();
  const { stream } = open([": nothing yet\n\n", says("a")], "silence");
  const seen: number[] = [];
  for await (const _ of stream.textStream) {
    seen.push(alive.size);
    break;
  }
  // The decoder alone; the client's own part lives on.
  assert.deepEqual(seen, [1]);
  await stream.outcome();
});

for (const [name, reads, status, total] of [
  ["ends_when_its_last_read_did", ["a", "b", DONE], "complete", 120],
  ["waits_no_longer_for_keep_alives_than_it_may", ["a", "b", ":\n\n", ":\n\n", ":\n\n", DONE], "stalled", 200],
  [
    "waits_for_keep_alives_as_long_as_it_may",
    ["a", "b", ":\n\n", ":\n\n", "c", ":\n\n", ":\n\n", DONE],
    "complete",
    320,
  ],
] as const) {
  test(`an_answer_that_goes_on_${name}`, async ({ mock }) => {
    let now = performance.now();
    mock.method(performance, "now", () => now);
    let at = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          // Each read takes 40 ms, and no time is between two.
          now += 40;
          const read = reads[at++] as string;
          controller.enqueue(encode(read.length === 1 ? says(read) : read));
        },
      },
      { highWaterMark: 0 },
    );
    const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
    const client = clientOf(async () => response, { timeout: { idle: 50, keepAlive: 100 } });
    const outcome = await client.chat.completions.stream(hello).outcome();
    assert.deepEqual([outcome.status, outcome.timing.total, outcome.timing.firstToken], [status, total, 40]);
  });
}
