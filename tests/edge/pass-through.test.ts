/** Attacks of hostile callers and providers by way of the APIs that are passed through. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { limiterObjects } from "./objects.ts";
import { asText, bytesOf, DONE, encode, errorOf, event, mockTime, setUp, streamOf, until } from "./setting.ts";

let hosts = 0;

function passing(answer: () => Response | Promise<Response>, options: Partial<GatewayOptions> = {}) {
  const sent: Record<string, unknown>[] = [];
  const headers: Headers[] = [];
  const fetch = async (_url: string, init: { body?: string; headers: Headers }) => {
    sent.push(JSON.parse(init.body ?? "{}"));
    headers.push(init.headers);
    return answer();
  };
  const upstream = {
    baseURL: `https://passing-${++hosts}.example.com/v1`,
    apiKey: "k",
    maxRetries: 0,
    prices: { input: 1e3, output: 1e3 },
    fetch,
  };
  const own = setUp(fetch as never, { providers: { upstream: upstream as never }, ...options });
  const ask = (path: string, body: object, signal?: AbortSignal) =>
    own.fetch(`/v1/${path}`, { method: "POST", body: JSON.stringify(body), ...(signal && { signal }) });
  return { ...own, ask, sent, headers };
}
const asked = (path: string) => (path === "completions" ? { prompt: "a" } : { input: "a" });
const used = () => Response.json({ usage: { input_tokens: 1, output_tokens: 1 } });

/** A stream that says this and then nothing. */
function silentAfter(text: string) {
  const seen = { isCancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encode(text)),
    cancel: () => {
      seen.isCancelled = true;
    },
  });
  return { seen, response: new Response(body, { headers: { "content-type": "text/event-stream" } }) };
}

describe("what a provider has stored under the gateway's key", () => {
  const message = { role: "user", content: "a" };
  const naming: [string, object][] = [
    ["previous_response_id", { previous_response_id: "resp_of_another" }],
    ["conversation", { conversation: "conv_of_another" }],
    ["conversation", { conversation: { id: "conv_of_another" } }],
    ["store", { store: true }],
    ["store", { store: "false" }],
    ["prompt", { prompt: { id: "pmpt_of_another" } }],
    ["background", { background: true }],
    ["input", { input: [message, { type: "item_reference", id: "msg_of_another" }] }],
    ["input", { input: [message, { id: "msg_of_another" }] }],
    ["input", { input: [message, { type: null, id: "msg_of_another" }] }],
    ["tools", { input: [message, { type: "tool_search_output", tools: [{ type: "mcp", server_url: "http://a" }] }] }],
  ];
  for (const [param, body] of naming) {
    it(`is named by no caller: ${JSON.stringify(body)}`, async () => {
      const { ask, sent } = passing(used);
      const answer = await ask("responses", { model: "m", input: "a", ...body });
      const error = await errorOf(answer);
      assert.deepEqual([answer.status, error.code, error.param], [400, "parameter_not_allowed", param]);
      assert.doesNotMatch(error.message, /another/);
      assert.equal(sent.length, 0);
    });
  }
  it("is named where the configuration allows it, and nothing is in the way of those who name nothing", async () => {
    const allow = ["previous_response_id", "store", "conversation", "input.item_reference"];
    const { ask, sent } = passing(used, { parameters: { allow } });
    const input = [message, { type: "item_reference", id: "msg_1" }];
    const stored = { model: "m", input, previous_response_id: "resp_1", store: true, conversation: "conv_1" };
    const own = {
      model: "m",
      store: false,
      previous_response_id: null,
      input: [
        message,
        { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "e" },
        { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "c", output: "1" },
      ],
    };
    await bytesOf(await ask("responses", stored));
    const strict = passing(used);
    assert.equal((await strict.ask("responses", own)).status, 200);
    assert.deepEqual([sent[0]?.previous_response_id, sent[0]?.input, strict.sent[0]], ["resp_1", input, own]);
  });
});

describe("an API that is passed through, with a cap", () => {
  it("answers no more prompts than there may be answers", async () => {
    const { ask, sent } = passing(used, { limits: { maxTokens: 5, choices: 4 } });
    for (const [status, body] of [
      [400, { prompt: ["a", "b", "c", "d", "e"] }],
      [400, { prompt: ["a", "b"], n: 3 }],
      [400, { prompt: [[1], [2], [3]], n: 2 }],
      [200, { prompt: ["a", "b"], n: 2 }],
      [200, { prompt: [1, 2, 3, 4, 5, 6] }],
    ] as const) {
      assert.equal((await ask("completions", { model: "m", ...body })).status, status, JSON.stringify(body));
    }
    assert.equal(sent.length, 2);
  });
  it("has it in each answer, whatever the request leaves out", async () => {
    const { ask, sent } = passing(used, { limits: { maxTokens: 5 } });
    for (const [path, body, field] of [
      ["completions", {}, "max_tokens"],
      ["completions", { prompt: null }, "max_tokens"],
      ["completions", { prompt: "a", max_tokens: null }, "max_tokens"],
      ["completions", { prompt: "a", max_tokens: 50 }, "max_tokens"],
      ["responses", {}, "max_output_tokens"],
      ["responses", { input: "a", max_output_tokens: 50 }, "max_output_tokens"],
    ] as const) {
      await bytesOf(await ask(path, { model: "m", ...body }));
      assert.equal(sent.at(-1)?.[field], 5, `${path} ${JSON.stringify(body)}`);
    }
  });
  it("has its budget reserved for the answer that is wished for", async () => {
    let answer: (response: Response) => void = () => {};
    const { ask, sent } = passing(
      () =>
        new Promise<Response>((resolve) => {
          answer = resolve;
        }),
      { limits: { caller: { costPerDay: 3 } }, limiter: limiterObjects().namespace },
    );
    const body = { model: "m", input: "a", max_output_tokens: 2000 };
    const first = ask("responses", body);
    await until(() => sent.length === 1);
    assert.equal((await ask("responses", body)).status, 429);
    answer(used());
    assert.equal((await first).status, 200);
  });
});

describe("a hostile provider behind an API that is passed through", () => {
  for (const usage of [
    { input_tokens: -5, output_tokens: 1 },
    { input_tokens: 1, output_tokens: 1e308 },
    { input_tokens: "1", output_tokens: 1 },
    { input_tokens: 1, output_tokens: 1, input_tokens_details: { cached_tokens: 7 } },
    {},
    5,
  ]) {
    it(`is not believed impossible usage: ${JSON.stringify(usage)}`, async () => {
      const { ask, recorded } = passing(() => Response.json({ usage }));
      await bytesOf(await ask("responses", { model: "m", input: "x".repeat(400) }));
      const [record] = await recorded(1);
      assert.deepEqual([record?.promptTokens, record?.estimated, Number(record?.cost) > 0], [100, true, true]);
    });
  }
  it("is asked for uncompressed where it is a stream", async () => {
    const { ask, headers } = passing(used);
    for (const stream of [true, false]) await bytesOf(await ask("responses", { model: "m", input: "a", stream }));
    assert.deepEqual(
      headers.map((own) => own.get("accept-encoding")),
      ["identity", null],
    );
  });
  it("has the usage of a long answer read, whose last event repeats it", async () => {
    const response = { output: "x".repeat(300_000), usage: { input_tokens: 6, output_tokens: 7 } };
    const text = event({ type: "response.completed", response });
    const { ask, recorded } = passing(() => new Response(text, { headers: { "content-type": "text/event-stream" } }));
    const answer = await ask("responses", { model: "m", input: "a", stream: true });
    assert.equal(asText(await bytesOf(answer)), text);
    const [record] = await recorded(1);
    assert.deepEqual([record?.promptTokens, record?.completionTokens, record?.estimated], [6, 7, false]);
  });
  const delta = event({ type: "response.output_text.delta", delta: 'a "type":"response.completed" at 10.0.0.7' });
  const usage = { input_tokens: 1, output_tokens: 2 };
  const completed = event({ type: "response.completed", response: { error: null, usage } });
  const failed = event({ type: "response.failed", response: { error: { code: "x", message: "at 10.0.0.7" }, usage } });
  for (const [path, what, reads, outcome] of [
    ["responses", "a stream that ends early", [delta], "truncated"],
    ["responses", "a stream of nothing", [], "truncated"],
    ["responses", "a stream that is cut in its last event", [delta, completed.slice(0, 40)], "truncated"],
    ["responses", "a stream that is whole", [delta, `event: response.completed\n${completed}`], "complete"],
    [
      "responses",
      "an answer that is at its cap",
      [delta, event({ type: "response.incomplete", response: { usage } })],
      "complete",
    ],
    ["responses", "an answer that failed", [delta, failed], "error"],
    ["responses", "an error", [delta, event({ type: "error", message: "at 10.0.0.7" })], "error"],
    [
      "completions",
      "a stream that ends early",
      [event({ choices: [{ index: 0, text: "a", finish_reason: null }] })],
      "truncated",
    ],
    [
      "completions",
      "a stream without a mark of its end",
      [event({ choices: [{ index: 0, text: "a", finish_reason: "stop" }] })],
      "complete",
    ],
    [
      "completions",
      "a stream that is whole",
      [event({ choices: [{ index: 0, text: "a" }] }), "data: [DONE]\n\n"],
      "complete",
    ],
    ["completions", "an error", [event({ error: { message: "at 10.0.0.7" } })], "error"],
  ] as const) {
    it(`is taken for what it is: ${path}, ${what}`, async () => {
      const { ask, recorded } = passing(() => streamOf(reads));
      const answer = await ask(path, { model: "m", ...asked(path), stream: true });
      const text = bytesOf(answer).then(asText);
      if (outcome === "truncated") await assert.rejects(text);
      else assert.doesNotMatch((await text).replaceAll(delta, ""), /10\.0/);
      assert.equal((await recorded(1))[0]?.outcome, outcome);
    });
  }
  it("takes its time, and the record says how much", async () => {
    for (const path of ["responses", "completions", "embeddings"]) {
      const { ask, recorded } = passing(used);
      await bytesOf(await ask(path, { model: "m", ...asked(path) }));
      const { firstByte, firstToken, total } = (await recorded(1))[0]?.timing ?? assert.fail("no record");
      assert.equal(firstToken, null);
      assert.ok(firstByte !== null && total !== null && firstByte >= 0 && total >= firstByte, `${firstByte} ${total}`);
    }
    const { ask, recorded } = passing(() => new Response(null, { status: 503 }));
    await ask("embeddings", { model: "m", input: "a" });
    assert.deepEqual((await recorded(1))[0]?.timing, { firstByte: null, firstToken: null, total: null });
  });
  it("is over after its last event, also when the connection stays open", async () => {
    const { response } = silentAfter(delta + completed);
    const { ask, recorded } = passing(() => response);
    const answer = await ask("responses", { model: "m", input: "a", stream: true });
    assert.equal(asText(await bytesOf(answer)), delta + completed);
    assert.deepEqual(
      (await recorded(1)).map((record) => [record.outcome, record.completionTokens]),
      [["complete", 2]],
    );
  });
  it("is over with JSON that is whole", async () => {
    for (const [text, outcome] of [
      [JSON.stringify({ object: "response", output: [], error: null, usage }), "complete"],
      ['{"object":"response","output":[{"text":"abc', "truncated"],
    ] as const) {
      const { ask, recorded } = passing(() => streamOf([text], "application/json"));
      const read = bytesOf(await ask("responses", { model: "m", input: "a" })).then(asText);
      if (outcome === "complete") assert.equal(await read, text);
      else await assert.rejects(read);
      assert.equal((await recorded(1))[0]?.outcome, outcome);
    }
  });
  it("sends no key and no inner address outside of an answer's own words", async () => {
    const message = "failed at http://10.0.0.7/ with sk-proj-abcdefgh12345678 again";
    const own = event({ type: "response.output_text.delta", delta: message });
    for (const [path, reads, type] of [
      ["responses", [failed, own, event({ type: "error", message })], "text/event-stream"],
      ["responses", [own, event({ type: "response.failed", response: { error: { message } } })], "text/event-stream"],
      ["responses", [`event: error\n${event({ error: { message } })}`, own], "text/event-stream"],
      ["responses", [own, `: ${message}\n\ndata: ${message}\n\n`, event({ detail: message })], "text/event-stream"],
      ["responses", [own + event({ type: "response.failed", response: { error: { message } } })], "text/event-stream"],
      ["responses", [JSON.stringify({ object: "response", output: [], error: { message } })], "application/json"],
      ["responses", [JSON.stringify({ title: message, status: 500 })], "application/problem+json"],
      ["embeddings", [JSON.stringify({ error: { message } })], "application/json"],
      ["embeddings", [JSON.stringify({ detail: message })], "application/json"],
      ["completions", [event({ choices: [], error: { message } })], "text/event-stream"],
    ] as const) {
      const { ask } = passing(() => streamOf(reads, type));
      const answer = await ask(path, { model: "m", ...asked(path), stream: type === "text/event-stream" });
      const text = await answer.text().catch(() => "");
      assert.doesNotMatch(text.replaceAll(own, ""), /10\.0\.0|sk-proj/, `${path} ${reads}`);
    }
    const { ask } = passing(() => streamOf([own, failed]));
    const text = asText(await bytesOf(await ask("responses", { model: "m", input: "a", stream: true })));
    assert.ok(text.startsWith(own), "the model's words are left alone");
  });
  it("sends a page, which is no answer", async () => {
    const { ask, recorded } = passing(() => streamOf(["<html>"], "text/html; charset=utf-8"));
    const answer = await ask("embeddings", { model: "m", input: "a" });
    assert.deepEqual([answer.status, (await errorOf(answer)).code], [502, "upstream_not_an_answer"]);
    assert.deepEqual(
      (await recorded(1)).map((record) => [record.outcome, record.provider]),
      [["error", null]],
    );
  });
  for (const status of [204, 205, 302, 304]) {
    it(`answers with ${status}, which is no answer`, async () => {
      const { ask, recorded } = passing(() => new Response(null, { status, headers: { location: "http://a.local" } }));
      const answer = await ask("responses", { model: "m", input: "a" });
      assert.deepEqual([answer.status, (await errorOf(answer)).type], [502, "server_error"]);
      assert.equal((await recorded(1))[0]?.outcome, "error");
    });
  }
  it("falls silent: the answer breaks off and is recorded", async (context) => {
    const pass = mockTime(context);
    const { seen, response } = silentAfter("data: {}\n\n");
    const { ask, records } = passing(() => response);
    const answer = await ask("responses", { model: "m", input: "a", stream: true });
    const reader = answer.body?.getReader();
    await reader?.read();
    const broken = assert.rejects(async () => {
      // Comments come first.
      while (!(await reader?.read())?.done);
    });
    for (let turn = 0; turn < 100 && records.length === 0; turn++) await pass(5000);
    await broken;
    assert.deepEqual([records[0]?.outcome, seen.isCancelled], ["stalled", true]);
  });
});

describe("a caller of an API that is passed through", () => {
  for (const [path, first, last] of [
    ["responses", event({ type: "response.created" }), event({ type: "response.completed", response: {} })],
    ["completions", event({ choices: [{ index: 0, text: "a" }] }), "data: [DONE]\n\n"],
  ] as const) {
    it(`has the silence of a stream broken by comments, between whole events: ${path}`, async (context) => {
      const pass = mockTime(context);
      let write: (text: string) => void = () => {};
      let close: () => void = () => {};
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          write = (text) => controller.enqueue(encode(text));
          close = () => controller.close();
        },
      });
      const { ask, records } = passing(() => new Response(body, { headers: { "content-type": "text/event-stream" } }));
      const answer = await ask(path, { model: "m", ...asked(path), stream: true });
      let text = "";
      const read = (async () => {
        for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) text += asText(bytes);
      })();
      write(first.slice(0, 20));
      await pass(31_000);
      const comment = ": keep-alive\n\n";
      assert.equal(text, comment.repeat(2));
      write(first.slice(20));
      await pass(14_000);
      assert.equal(text, comment.repeat(2) + first);
      await pass(2000);
      assert.equal(text, comment.repeat(2) + first + comment);
      write(last);
      close();
      await read;
      assert.equal(text, comment.repeat(2) + first + comment + last);
      await until(() => records.length === 1);
      assert.deepEqual([records[0]?.outcome, records[0]?.disconnected], ["complete", false]);
    });
  }
  it("has no comment in an answer that is no stream", async (context) => {
    const pass = mockTime(context);
    let write: (text: string) => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        write = (text) => {
          controller.enqueue(encode(text));
          controller.close();
        };
      },
    });
    const { ask } = passing(() => new Response(body, { headers: { "content-type": "application/json" } }));
    const text = ask("embeddings", { model: "m", input: "a" }).then(bytesOf).then(asText);
    await pass(40_000);
    write('{"data":[]}');
    await pass(10);
    assert.equal(await text, '{"data":[]}');
  });
  it("who leaves a silent provider has it let go of at once where the gateway aborts", async () => {
    const { seen, response } = silentAfter("data: {}\n\n");
    const { ask, recorded } = passing(() => response, { onDisconnect: "abort" });
    const caller = new AbortController();
    const answer = await ask("responses", { model: "m", input: "a", stream: true }, caller.signal);
    await answer.body?.getReader().read();
    caller.abort();
    const [record] = await recorded(1);
    assert.deepEqual([record?.outcome, record?.disconnected, seen.isCancelled], ["aborted", true, true]);
  });
  for (const onDisconnect of ["abort", "drain"] as const) {
    it(`who lets go of the answer without reading it is recorded (${onDisconnect})`, async () => {
      const { ask, recorded } = passing(used, { onDisconnect });
      const answer = await ask("responses", { model: "m", input: "a" });
      await answer.body?.cancel();
      const [record] = await recorded(1);
      assert.equal(record?.disconnected, true);
    });
  }
  it("who reads nothing counts as gone after a while", async (context) => {
    const pass = mockTime(context);
    const { ask, records } = passing(used, { onDisconnect: "abort" });
    await ask("responses", { model: "m", input: "a" });
    await pass(65_000);
    assert.deepEqual([records[0]?.outcome, records[0]?.disconnected], ["aborted", true]);
  });
});

describe("a provider's bytes that are of a class of Node's", () => {
  it("are the reader's own, who may detach them, and are counted all the same", async () => {
    const usage = { usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } };
    const text = event({ choices: [{ text: "a", finish_reason: "stop" }], ...usage }) + DONE;
    const { ask, recorded } = passing(() => streamOf([Buffer.from(encode(text).buffer)]));
    const answer = await ask("completions", { prompt: "a", stream: true });
    for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>) {
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    }
    const [record] = await recorded(1);
    assert.deepEqual([record?.tokens, record?.outcome], [7, "complete"]);
  });
});
