/**
 * Readers of products and of kept streams: none hangs, none loses what came, none holds more than its limit.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder, type Chatwire, type Outcome } from "chatwire";
import { toAGUI } from "chatwire/ag-ui";
import { createChatwire, toUIMessageStream } from "chatwire/ai-sdk";
import { OpenAI } from "chatwire/openai";
import { clientOf, DONE, event, hello, says, serve } from "./serving.ts";

const never = () => new Promise<never>(() => {});
const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } };
const asks = () =>
  serve([
    event({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...call }] }, finish_reason: "tool_calls" }] }),
    DONE,
  ]).response;
const openaiOf = (fetch: () => Promise<Response>) =>
  new OpenAI({
    apiKey: "k",
    baseURL: "https://readers.test/v1",
    maxRetries: 0,
    fetch: fetch as never,
    logLevel: "off",
  });
const params = { model: "m", messages: [{ role: "user" as const, content: "Hello!" }] };

/** Settles with the promise, or fails by name in place of hanging the run. */
async function soon<T>(promise: PromiseLike<T> | T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it did not settle")), 20_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
async function until(isSo: () => boolean): Promise<void> {
  for (let left = 400; !isSo() && left > 0; left--) await new Promise((resolve) => setTimeout(resolve, 25));
}

test("a_hedged_call_to_a_silent_server_stalls_by_its_timeouts", async () => {
  const silent = () => serve([], { after: "silence" });
  const first = silent();
  const client = clientOf(async () => first.response, { timeout: { firstToken: 40 }, limits: { concurrent: 1 } });
  const outcome = await soon(
    client.chat.completions.stream(hello, { hedge: 5, timeout: { firstToken: 40, total: 400 } }).outcome(),
  );
  assert.equal(outcome.status, "stalled");
  await until(() => first.cancelled);
  assert.equal(first.cancelled, true);
});

for (const [name, broken] of Object.entries({
  whose_reader_cannot_be_had: {
    getReader() {
      throw new TypeError("no reader");
    },
  },
  whose_reads_throw: {
    read() {
      throw new TypeError("no read");
    },
  },
  whose_reads_reject: { read: () => Promise.reject(new TypeError("no read")) },
})) {
  test(`a_hedged_call_lets_go_of_a_body_${name}`, async () => {
    let cancelled = 0;
    const cancel = async () => {
      cancelled++;
    };
    const reader = { releaseLock() {}, cancel, ...broken };
    const body = { cancel, getReader: () => reader, ...broken };
    const answer = { ok: true, status: 200, headers: new Headers({ "content-type": "text/event-stream" }), body };
    const client = clientOf(async () => answer as unknown as Response, { limits: { concurrent: 1 } });
    for (let call = 0; call < 2; call++) {
      const outcome = await soon(client.chat.completions.stream(hello, { hedge: 5000 }).outcome());
      assert.equal(outcome.status, "truncated");
    }
    await until(() => cancelled >= 2);
    assert.ok(cancelled >= 2, "both bodies are let go of");
  });
}

test("a_response_that_comes_after_its_call_was_over_is_let_go_of", async () => {
  const served = serve([says("Hello")], { after: "silence" });
  const client = clientOf(
    // A host that does not heed its signal.
    () => new Promise<Response>((resolve) => setTimeout(() => resolve(served.response), 80)),
    { timeout: { headers: 30 }, maxRetries: 0 },
  );
  const outcome = await soon(client.chat.completions.stream(hello).outcome());
  assert.equal(outcome.error?.name, "APIConnectionTimeoutError");
  await until(() => served.cancelled);
  assert.equal(served.cancelled, true);
});

for (const [name, read] of Object.entries({
  toAGUI: (stream: Parameters<typeof toUIMessageStream>[0]) => toAGUI(stream),
  toUIMessageStream: (stream: Parameters<typeof toUIMessageStream>[0]) =>
    toUIMessageStream(stream) as unknown as AsyncIterable<{ delta?: string }>,
})) {
  test(`${name}_is_the_reader_from_the_turn_in_which_it_is_called`, async () => {
    const stream = clientOf(serve([says("Hel"), says("lo"), DONE])).chat.completions.stream(hello);
    const items = read(stream) as AsyncIterable<{ delta?: string }>;
    const ended: Promise<Outcome> = stream.outcome();
    let text = "";
    for await (const { delta } of items) text += delta ?? "";
    assert.equal(text, "Hello");
    assert.equal((await ended).text, "Hello");
    assert.throws(() => read(stream), /already has its one reader/);
  });
}

test("events_of_ag_ui_are_left_at_once_before_the_first_and_while_one_is_waited_for", async () => {
  for (const steps of [0, 3]) {
    const client = clientOf(async () => serve([says("Hel")], { after: "silence" }).response);
    for (const source of [
      client.chat.completions.stream(hello),
      client.chat.completions.runTools({ ...hello, tools: [] }),
    ]) {
      const events = toAGUI(source);
      for (let step = 0; step < steps; step++) await soon(events.next());
      const waiting = steps > 0 ? events.next() : undefined;
      await soon(events.return());
      await soon(waiting);
      assert.equal((await soon(source.outcome())).status, "aborted");
    }
  }
});

/** A client whose server says that it keeps its streams, as a gateway does; there is nothing to come back to. */
function keeping(body: ReadableStream<Uint8Array> | string, type = "text/event-stream"): Chatwire {
  const headers = { "content-type": type, "x-chatwire-stream": "abc" };
  let asked = 0;
  const gone = () => Response.json({ error: { message: "There is no such stream." } }, { status: 404 });
  return clientOf(async () => (asked++ === 0 ? new Response(body, { headers }) : gone()), { maxRetries: 0 });
}

test("an_endless_event_of_a_kept_stream_is_refused_at_the_limit", async () => {
  const piece = new Uint8Array(1024 * 1024).fill(97);
  let sent = 0;
  let isLeft = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        sent++;
        sent < 64 ? controller.enqueue(piece) : controller.close();
      },
      cancel() {
        isLeft = true;
      },
    },
    { highWaterMark: 0 },
  );
  const outcome = await soon(keeping(body).chat.completions.stream(hello).outcome());
  assert.match(outcome.error?.message ?? "", /maxEventBytes/);
  assert.ok(isLeft && sent < 24, `${sent} MiB`);
});

test("the_end_of_a_kept_stream_is_read_as_that_of_any_other", async () => {
  const document = JSON.stringify({
    id: "1",
    choices: [{ index: 0, message: { content: "Hello" }, finish_reason: "stop" }],
  });
  const bodies = {
    "an event without its blank line": [says("Hel") + says("lo").trimEnd(), "text/event-stream"],
    "a done without its line": [`${says("Hello")}data: [DONE]`, "text/event-stream"],
    "half an event": [`${says("Hello")}data: {"choices":[{"ind`, "text/event-stream"],
    "a document": [document, "application/json"],
    "JSON lines": [`${document}\n`, "application/x-ndjson"],
  } as const;
  for (const [name, [body, type]] of Object.entries(bodies)) {
    const plain = new ChatDecoder({});
    plain.push(new TextEncoder().encode(body));
    const { status, text } = plain.end("closed");
    const kept = await soon(keeping(body, type).chat.completions.stream(hello).outcome());
    assert.deepEqual([kept.status, kept.text], [status, text], name);
  }
});

test("leaving_a_stream_of_durable_streams_lets_go_of_the_body_that_is_read", async () => {
  for (const type of ["text/event-stream", "application/json"]) {
    let isLeft = false;
    const body = new ReadableStream<Uint8Array>({
      cancel() {
        isLeft = true;
      },
    });
    const headers = { "content-type": type, "stream-next-offset": "1" };
    const client = clientOf(async () => new Response(body, { headers }), { resume: "durable-streams" });
    const stream = client.chat.completions.resume("abc");
    const ended = stream.outcome();
    await new Promise((resolve) => setTimeout(resolve, 50));
    stream.abort();
    assert.equal((await soon(ended)).status, "aborted");
    await until(() => isLeft);
    assert.equal(isLeft, true, type);
  }
});

test("a_server_of_durable_streams_without_news_is_not_asked_without_end", async () => {
  let asked = 0;
  const client = clientOf(
    async () => {
      asked++;
      return new Response("", { headers: { "content-type": "text/event-stream", "stream-next-offset": "1" } });
    },
    { resume: "durable-streams", timeout: { firstToken: 700, idle: 700 } },
  );
  const outcome = await soon(client.chat.completions.resume("abc").outcome());
  assert.equal(outcome.status, "stalled");
  assert.ok(asked < 30, `asked ${asked} times`);
});

test("a_promise_of_an_event_of_openai_rejects_when_the_run_ends_without_it", async () => {
  const stream = openaiOf(async () => serve([says("Hello", "stop"), DONE]).response).chat.completions.stream(params);
  const refused = stream.emitted("refusal.done");
  assert.equal(await soon(stream.finalContent()), "Hello");
  await assert.rejects(soon(refused), /ended without the event "refusal.done"/);
  await assert.rejects(soon(stream.emitted("content")), /ended without/);
  await soon(stream.emitted("end"));
});

test("an_aborted_run_of_openai_does_not_wait_for_a_function_that_never_settles", async () => {
  const own = { name: "f", parameters: {} };
  const runs = {
    function: [{ ...own, function: never }, {}],
    parse: [{ ...own, function: () => "1", parse: never }, {}],
    afterCompletion: [{ ...own, function: () => "1" }, { afterCompletion: never }],
  } as const;
  for (const [name, [fn, options]] of Object.entries(runs)) {
    const tools = [{ type: "function" as const, function: fn }];
    const run = openaiOf(async () => asks()).chat.completions.runTools({ ...params, tools } as never, options);
    setTimeout(() => run.abort(), 30);
    await assert.rejects(soon(run.done()), { message: /aborted/ }, name);
  }
});

test("streams_of_openai_that_read_bytes_are_left_at_once", async () => {
  const stream = await openaiOf(async () => serve([says("Hello"), DONE]).response).chat.completions.create({
    ...params,
    stream: true,
  });
  const { fromReadableStream, fromSSEResponse } = stream.constructor as unknown as {
    fromReadableStream(body: ReadableStream, controller: AbortController): AsyncIterable<unknown>;
    fromSSEResponse(response: Response, controller: AbortController): AsyncIterable<unknown>;
  };
  stream.controller.abort();
  for (const isBegun of [false, true]) {
    for (const read of [
      (body: ReadableStream, controller: AbortController) =>
        fromReadableStream.call(stream.constructor, body, controller),
      (body: ReadableStream, controller: AbortController) =>
        fromSSEResponse.call(stream.constructor, new Response(body), controller),
    ]) {
      let isLeft = false;
      const body = new ReadableStream({
        cancel() {
          isLeft = true;
        },
      });
      const controller = new AbortController();
      const items = read(body, controller)[Symbol.asyncIterator]();
      const waiting = isBegun ? items.next() : undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
      await soon(items.return?.());
      await soon(waiting);
      await until(() => isLeft);
      assert.ok(isLeft && controller.signal.aborted);
    }
  }
});

test("an_answer_of_openai_that_is_no_completion_ends_by_name_and_within_a_limit", async () => {
  const json = { "content-type": "application/json" };
  const lost = serve(['{"data":[', { error: new Error("reset") }], { headers: json });
  const failed = await openaiOf(async () => lost.response)
    .models.list()
    .then(undefined, (error) => error);
  assert.ok(failed instanceof OpenAI.APIConnectionError, String(failed));
  const piece = new Uint8Array(1024 * 1024).fill(32);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent++ < 200 ? controller.enqueue(piece.slice()) : controller.close();
    },
  });
  const large = await openaiOf(async () => new Response(body, { headers: json }))
    .get("/files")
    .then(undefined, (error) => error);
  assert.match(String(large.message), /more than \d+ bytes/);
  assert.ok(sent < 100, `${sent} MiB`);
});

test("callers_functions_that_reject_or_never_settle_are_no_failure_of_the_call", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const whole = JSON.stringify({ id: "1", choices: [{ index: 0, message: { content: "{}" }, finish_reason: "stop" }] });
  const answer = async () => new Response(whole, { headers: { "content-type": "application/json" } });
  const failing = (): never => Promise.reject(new Error("the caller's own")) as never;
  const throwing = (): never => {
    throw new Error("the caller's own");
  };
  for (const own of [failing, throwing]) {
    const [result] = await soon(clientOf(answer).chat.completions.batch([hello], { onProgress: own }));
    assert.equal(result?.status, "fulfilled");
    const model = createChatwire({ client: clientOf(answer), onUsage: own })("m");
    const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello!" }] }];
    assert.equal((await soon(model.doGenerate({ prompt }))).content.length, 1);
    const logger = { debug: own, info: own, warn: own, error: own };
    const settings = { apiKey: "k", baseURL: "https://readers.test/v1", logLevel: "debug" as const, logger };
    const logging = new OpenAI({ ...settings, fetch: answer as never });
    assert.equal((await soon(logging.chat.completions.create(params))).choices.length, 1);
  }
  const jsonSchema = { input: () => ({ type: "object" }), output: () => ({ type: "object" }) };
  const schema = { "~standard": { version: 1, vendor: "own", validate: never, jsonSchema } } as const;
  const controller = new AbortController();
  const { signal } = controller;
  const parsing = clientOf(answer).chat.completions.parse({ ...hello, response_format: schema }, { signal });
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(soon(parsing), { name: "APIUserAbortError" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off("unhandledRejection", note);
  assert.deepEqual(unhandled, []);
});
