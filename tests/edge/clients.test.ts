/** Clients that others wrote, through the gateway in workerd: text, tools, JSON, errors and abort. */
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { after, before, beforeEach, describe, it } from "node:test";
import { promisify } from "node:util";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { LLMock } from "@copilotkit/aimock";
import { generateText, jsonSchema, streamText, type ToolSet, tool } from "ai";
import { Chatwire } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import OpenAI from "openai";
import { serve } from "../../npm/emulator/serve.ts";
import type { RunningWorker } from "../../worker/workerd.ts";
import { openRecordSink, start, TOKEN } from "./running.ts";
import { CHAT, chat, until } from "./setting.ts";

const emulator = createEmulator({ tokensPerSecond: 2000 });
let upstream: Awaited<ReturnType<typeof serve>>;
let sink: Awaited<ReturnType<typeof openRecordSink>>;
let worker: RunningWorker;
let baseURL = "";

before(async () => {
  upstream = await serve(emulator);
  sink = await openRecordSink();
  worker = await start(upstream.url, sink.url, "abort");
  baseURL = new URL("/v1", worker.url).href;
});
after(async () => {
  await worker?.stop();
  await upstream?.close();
  sink?.close();
});
beforeEach(() => {
  sink.records.length = 0;
});

const ask = (content: string) => ({ model: "electron", messages: [{ role: "user" as const, content }] });
const parameters = {
  type: "object" as const,
  properties: { city: { type: "string" as const } },
  required: ["city"],
};
const weather = {
  type: "function" as const,
  function: { name: "get_weather", description: "Weather of a city", parameters },
};

describe("openai", { timeout: 60_000 }, () => {
  let client: OpenAI;
  before(() => {
    client = new OpenAI({ baseURL, apiKey: TOKEN, maxRetries: 0 });
  });

  it("streams text without usage it did not ask for", async () => {
    const { data: stream, response } = await client.chat.completions
      .create({ ...ask("Echo: नमस्ते 👋🏽"), stream: true })
      .withResponse();
    let text = "";
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      assert.ok(!chunk.usage && chunk.choices.length === 1);
    }
    assert.equal(text, "नमस्ते 👋🏽");
    assert.match(response.headers.get("x-request-id") ?? "", /^[\da-f]{8}-/);
    assert.equal((await sink.recorded(1))[0]?.outcome, "complete");
  });
  it("gets the usage it asks for, and the one that is recorded is the same", async () => {
    const stream = await client.chat.completions.create({
      ...ask("Tell me a story"),
      stream: true,
      stream_options: { include_usage: true },
    });
    let total: number | undefined;
    for await (const { usage } of stream) total = usage?.total_tokens ?? total;
    assert.ok(total);
    assert.equal((await sink.recorded(1))[0]?.tokens, total);
  });
  it("calls tools", async () => {
    const run = client.chat.completions.stream({ ...ask("What's the weather in Mumbai?"), tools: [weather] });
    const [call] = (await run.finalMessage()).tool_calls ?? [];
    assert.ok(call?.type === "function");
    assert.deepEqual([call.function.name, call.function.arguments], ["get_weather", '{"city":"Mumbai"}']);
  });
  it("gets JSON", async () => {
    const { choices } = await client.chat.completions.create({
      ...ask('Echo: {"a": 1}'),
      response_format: { type: "json_object" },
    });
    assert.deepEqual(JSON.parse(choices[0]?.message.content ?? ""), { a: 1 });
  });
  it("knows the errors by their classes", async () => {
    const trouble = (status: number) => client.chat.completions.create(ask(`hi [emulator: status=${status}]`));
    await assert.rejects(trouble(400), OpenAI.BadRequestError);
    await assert.rejects(trouble(429), OpenAI.RateLimitError);
    await assert.rejects(trouble(401), OpenAI.InternalServerError);
    await assert.rejects(client.chat.completions.create({ ...ask("hi"), model: "other" }), OpenAI.NotFoundError);
    const stranger = new OpenAI({ baseURL, apiKey: "wrong", maxRetries: 0 });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  });
  it("lists the models", async () => {
    assert.deepEqual(
      (await client.models.list()).data.map(({ id }) => id),
      ["electron", "single"],
    );
  });
  it("aborts, and the provider stops", async () => {
    const stream = await client.chat.completions.create({ ...ask("Tell me a story [emulator: tps=20]"), stream: true });
    for await (const _ of stream) break;
    const [record] = await sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.disconnected, record?.estimated], ["aborted", true, true]);
    // The provider may notice a moment later.
    await until(() => emulator.ledger.open === 0);
    assert.equal(emulator.ledger.records.at(-1)?.aborted, true);
  });
});

describe("ai", { timeout: 60_000 }, () => {
  let model: ReturnType<ReturnType<typeof createOpenAICompatible>>;
  before(() => {
    model = createOpenAICompatible({ name: "gateway", baseURL, apiKey: TOKEN })("electron");
  });

  it("streams text", async () => {
    const { textStream } = streamText({ model, prompt: "Echo: one two three" });
    let text = "";
    for await (const piece of textStream) text += piece;
    assert.equal(text, "one two three");
  });
  it("calls tools", async () => {
    const tools = {
      get_weather: tool({ description: "Weather of a city", inputSchema: jsonSchema<{ city: string }>(parameters) }),
    };
    const { toolCalls } = await generateText({
      model,
      prompt: "What's the weather in Mumbai?",
      // Its own types disagree with exactOptionalPropertyTypes.
      tools: tools as unknown as ToolSet,
    });
    assert.deepEqual(
      toolCalls.map(({ toolName, input }) => [toolName, input]),
      [["get_weather", { city: "Mumbai" }]],
    );
  });
  it("gets JSON", async () => {
    const { text } = await generateText({
      model,
      prompt: 'Echo: {"a": 1}',
      providerOptions: { gateway: { response_format: { type: "json_object" } } },
    });
    assert.deepEqual(JSON.parse(text), { a: 1 });
  });
  it("reads the errors", async () => {
    await assert.rejects(
      generateText({ model, prompt: "hi [emulator: status=400]", maxRetries: 0 }),
      (error: { statusCode?: number; message: string }) => error.statusCode === 400 && error.message.length > 5,
    );
  });
  it("aborts, and the provider stops", async () => {
    const controller = new AbortController();
    const { textStream } = streamText({
      model,
      prompt: "Tell me a story [emulator: tps=20]",
      abortSignal: controller.signal,
      onError() {},
    });
    const reader = textStream.getReader();
    await reader.read();
    controller.abort();
    assert.equal((await sink.recorded(1))[0]?.outcome, "aborted");
  });
});

describe("Chatwire itself", { timeout: 60_000 }, () => {
  it("streams", async () => {
    const stream = new Chatwire({ baseURL, apiKey: TOKEN }).chat.completions.stream(ask("Echo: hi"));
    const { status, text, repairs, requestId } = await stream.outcome();
    assert.deepEqual([status, text, repairs], ["complete", "hi", []]);
    assert.equal(requestId, (await sink.recorded(1))[0]?.requestId);
  });
});

const hasCurl = spawnSync("curl", ["--version"]).status === 0;
describe("curl", { timeout: 60_000, skip: hasCurl ? false : "curl is not installed" }, () => {
  const curl = async (...args: string[]) =>
    (await promisify(execFile)("curl", ["-sN", "-H", `Authorization: Bearer ${TOKEN}`, ...args])).stdout;
  it("streams", async () => {
    const text = await curl(`${worker.url.origin}${CHAT}`, "-d", chat("Echo: hi", { stream: true }).body as string);
    assert.match(text, /"content":"hi"[\s\S]*data: \[DONE\]\n\n$/);
  });
  it("calls tools", async () => {
    const body = chat("What's the weather in Mumbai?", { tools: [weather] }).body as string;
    const { choices } = JSON.parse(await curl(`${worker.url.origin}${CHAT}`, "-d", body));
    assert.equal(choices[0].message.tool_calls[0].function.arguments, '{"city":"Mumbai"}');
  });
  it("gets JSON", async () => {
    const body = chat('Echo: {"a": 1}', { response_format: { type: "json_object" } }).body as string;
    const { choices } = JSON.parse(await curl(`${worker.url.origin}${CHAT}`, "-d", body));
    assert.deepEqual(JSON.parse(choices[0].message.content), { a: 1 });
  });
  it("is told what is wrong", async () => {
    assert.equal(JSON.parse(await curl(`${worker.url.origin}${CHAT}`, "-d", "{")).error.code, "invalid_json");
  });
  it("is killed, and the provider stops", async () => {
    const body = chat("Tell me a story [emulator: tps=20]", { stream: true }).body as string;
    const authorization = `Authorization: Bearer ${TOKEN}`;
    const killed = spawn("curl", ["-sN", "-H", authorization, `${worker.url.origin}${CHAT}`, "-d", body]);
    await once(killed.stdout, "data");
    killed.kill("SIGKILL");
    const [record] = await sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.disconnected], ["aborted", true]);
    await until(() => emulator.ledger.open === 0);
  });
});

describe("a provider that others wrote", { timeout: 60_000 }, () => {
  const server = new LLMock({ port: 0 });
  let own: RunningWorker;
  before(async () => {
    await server.start();
    own = await start(server.baseUrl, sink.url, "drain");
  });
  after(async () => {
    await own?.stop();
    await server.stop();
  });
  const client = () => new OpenAI({ baseURL: new URL("/v1", own.url).href, apiKey: TOKEN, maxRetries: 0 });

  it("streams text, and is counted", async () => {
    const usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };
    server.onMessage("story", { content: "Once upon a time.", usage }, { chunkSize: 3 });
    assert.equal(await client().chat.completions.stream(ask("a story")).finalContent(), "Once upon a time.");
    const [record] = await sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.tokens, record?.estimated], ["complete", 18, false]);
    assert.equal(server.getRequests()[0]?.path, "/waves/v1/chat/completions");
  });
  it("calls tools", async () => {
    server.onMessage(
      "weather",
      { toolCalls: [{ name: "get_weather", arguments: '{"city":"Pune"}' }] },
      { chunkSize: 4 },
    );
    const run = client().chat.completions.stream({ ...ask("the weather"), tools: [weather] });
    const [call] = (await run.finalMessage()).tool_calls ?? [];
    assert.ok(call?.type === "function");
    assert.equal(call.function.arguments, '{"city":"Pune"}');
  });
  it("answers whole", async () => {
    server.onMessage("json", { content: '{"a":1}' });
    const { choices } = await client().chat.completions.create(ask("json"));
    assert.equal(choices[0]?.message.content, '{"a":1}');
  });
  it("refuses", async () => {
    server.onMessage("bad", { error: { message: "no such thing" }, status: 400 });
    await assert.rejects(client().chat.completions.create(ask("bad")), /400 no such thing/);
  });
  it("is read to its usage when the caller leaves", async () => {
    const usage = { prompt_tokens: 5, completion_tokens: 40, total_tokens: 45 };
    server.onMessage("long", { content: "and so on ".repeat(40), usage }, { chunkSize: 10, latency: 2 });
    const stream = await client().chat.completions.create({ ...ask("long"), stream: true });
    for await (const _ of stream) break;
    const [record] = await sink.recorded(1);
    assert.deepEqual([record?.disconnected, record?.outcome, record?.tokens], [true, "complete", 45]);
  });
});
