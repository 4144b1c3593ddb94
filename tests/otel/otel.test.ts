/**
 * `chatwire/otel` with OpenTelemetry's own exporters: one span a call, whatever became of it, and its metrics.
 *
 * Long because all cases read the same exporters: OpenTelemetry takes one provider of each kind for a process.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SamplingDecision,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Chatwire, type ClientOptions, tool } from "chatwire";
import { gateway, type UsageRecord } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { telemetry, traced, usageTelemetry } from "chatwire/otel";
import { DONE, event, hello, says, serve } from "../npm/serving.ts";

const spans = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
trace.setGlobalTracerProvider(provider);
const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e9 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

beforeEach(async () => {
  spans.reset();
  await reader.forceFlush();
  exporter.reset();
});

const usage = {
  prompt_tokens: 10,
  completion_tokens: 7,
  total_tokens: 17,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const good = [says("Hi"), says("", "stop"), event({ id: "c", model: "m-1", choices: [], usage }), DONE];

const clientOf = (fetch: ClientOptions["fetch"], more: ClientOptions = {}) =>
  new Chatwire({
    baseURL: "https://models.example:8443/v1",
    apiKey: null,
    hooks: telemetry(),
    fetch,
    ...more,
  } as ClientOptions);

const asking = (path: string, params: object) =>
  new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(params),
  });

async function measured(): Promise<Record<string, number>> {
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  return Object.fromEntries(
    all.map(({ descriptor, dataPoints }) => {
      const [point] = dataPoints;
      const value = point?.value as number | { count: number };
      return [descriptor.name, typeof value === "number" ? value : value.count];
    }),
  );
}

/** All points of a metric of inference. */
async function allOf(name: string): Promise<{ attributes: Record<string, unknown>; value: unknown }[]> {
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  return all
    .filter(({ descriptor }) => descriptor.name === name)
    .flatMap(({ dataPoints }): { attributes: Record<string, unknown>; value: unknown }[] => dataPoints);
}

/** The operations that a metric was recorded of, and its value for each. */
async function pointsOf(name: string): Promise<unknown[][]> {
  const points = await allOf(`gen_ai.client.inference.${name}`);
  return points.map(({ attributes, value }) => [attributes["gen_ai.operation.name"], value]);
}

describe("a call", () => {
  it("is one span, with what the conventions ask for", async () => {
    const client = clientOf(async () => serve(good).response);
    await client.chat.completions.stream({ ...hello, temperature: 0.5, max_tokens: 9, n: 2 }).outcome();
    const [span, ...more] = spans.getFinishedSpans();
    assert.ok(span);
    assert.deepEqual(more, []);
    assert.equal(span.name, "chat m");
    assert.equal(span.kind, SpanKind.CLIENT);
    const { "gen_ai.response.time_to_first_chunk": first, ...attributes } = span.attributes;
    assert.ok(typeof first === "number" && first >= 0);
    assert.deepEqual(attributes, {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "models.example",
      "gen_ai.request.model": "m",
      "gen_ai.request.temperature": 0.5,
      "gen_ai.request.max_tokens": 9,
      "gen_ai.request.choice.count": 2,
      "gen_ai.request.stream": true,
      "server.address": "models.example",
      "server.port": 8443,
      "gen_ai.response.id": "chatcmpl-1",
      "gen_ai.response.model": "m",
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.usage.input_tokens": 10,
      "gen_ai.usage.output_tokens": 7,
      "gen_ai.usage.cache_read.input_tokens": 4,
      "gen_ai.usage.reasoning.output_tokens": 2,
      "chatwire.status": "complete",
      "chatwire.attempts": 1,
    });
    const { "gen_ai.client.inference.time_per_output_chunk": _, ...counted } = await measured();
    assert.deepEqual(counted, {
      "gen_ai.client.inference.duration": 1,
      "gen_ai.client.inference.time_to_first_chunk": 1,
      "gen_ai.client.inference.usage.input_tokens": 10,
      "gen_ai.client.inference.usage.output_tokens": 7,
      "gen_ai.client.inference.usage.cache_read.input_tokens": 4,
      "gen_ai.client.inference.usage.reasoning.output_tokens": 2,
    });
  });

  it("has its retries and its fallback in the same span", async () => {
    const hooks = telemetry();
    const other = new Chatwire({
      baseURL: "https://other.example/v1",
      apiKey: null,
      hooks,
      fetch: async () => serve(good).response,
    });
    const client = clientOf(async () => new Response("down", { status: 503, headers: { "retry-after-ms": "1" } }), {
      hooks,
      maxRetries: 1,
      fallback: [{ client: other, model: "m-2" }],
    });
    await client.chat.completions.stream(hello).outcome();
    const [span, ...more] = spans.getFinishedSpans();
    assert.ok(span);
    assert.deepEqual(more, []);
    assert.ok(span.events.some(({ name }) => name === "chatwire.retry"));
    assert.equal(span.attributes["server.address"], "other.example");
    assert.equal(span.attributes["chatwire.attempts"], 3);
    assert.equal(span.status.code, SpanStatusCode.UNSET);
  });

  it("has the way to its fallback as an event, also without a retry", async () => {
    const hooks = telemetry();
    const other = clientOf(async () => serve(good).response, { hooks, baseURL: "https://other.example/v1" });
    const down = async () => new Response("down", { status: 503 });
    const client = clientOf(down, { hooks, maxRetries: 0, fallback: [{ client: other, model: "m-2" }] });
    await client.chat.completions.stream(hello).outcome();
    const [span] = spans.getFinishedSpans();
    const told = (span?.events ?? []).filter(({ name }) => name === "chatwire.fallback");
    assert.deepEqual(
      told.map(({ attributes }) => attributes),
      [{ provider: "other.example", model: "m-2" }],
    );
    spans.reset();
    let asked = 0;
    const again = clientOf(
      async () =>
        asked++ === 0 ? new Response("", { status: 503, headers: { "retry-after-ms": "1" } }) : serve(good).response,
      { hooks, maxRetries: 1 },
    );
    await again.chat.completions.stream(hello).outcome();
    assert.deepEqual(
      spans
        .getFinishedSpans()[0]
        ?.events.map(({ name }) => name)
        .filter((name) => name !== "chatwire.wait"),
      ["chatwire.retry"],
    );
  });

  it("that breaks off, fails or is refused says its kind of error; one that was left says none", async () => {
    const typesOf = async (client: Chatwire, leave = false) => {
      spans.reset();
      const stream = client.chat.completions.stream(hello);
      if (leave) stream.abort();
      await stream.outcome();
      const [span] = spans.getFinishedSpans();
      return [span?.attributes["error.type"], span?.status.code];
    };
    const cut = clientOf(async () => serve([says("Once")]).response);
    assert.equal((await typesOf(cut))[1], SpanStatusCode.ERROR);
    const refused = clientOf(async () => new Response("", { status: 403 }));
    assert.deepEqual(await typesOf(refused), ["PermissionDeniedError", SpanStatusCode.ERROR]);
    const silent = clientOf(async () => serve([], { after: "silence" }).response);
    assert.deepEqual(await typesOf(silent, true), [undefined, SpanStatusCode.UNSET]);
  });

  it("says that it streams, by whatever method, and where it does not says nothing", async () => {
    const whole = () => Response.json({ id: "c", model: "m", choices: [{ index: 0, message: { content: "Hi" } }] });
    const streamed = clientOf(async () => serve(good).response).chat.completions;
    const plain = clientOf(async () => whole()).chat.completions;
    const refused = clientOf(async () => new Response("", { status: 403 })).chat.completions;
    await streamed.stream(hello).outcome();
    for await (const _ of await streamed.create({ ...hello, stream: true }));
    await streamed.resume("s1").outcome();
    await refused.stream(hello).outcome();
    await plain.create(hello);
    await plain.create({ ...hello, user: ',"stream":true}' });
    assert.deepEqual(
      spans.getFinishedSpans().map(({ attributes }) => attributes["gen_ai.request.stream"]),
      [true, true, true, true, undefined, undefined],
    );
  });

  it("that comes whole has no first chunk, and no chunks after it", async () => {
    const choices = [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }];
    const client = clientOf(async () => Response.json({ id: "c", model: "m-1", choices, usage }));
    await client.chat.completions.create(hello);
    const { attributes } = spans.getFinishedSpans()[0] ?? assert.fail("no span");
    assert.equal(attributes["gen_ai.response.time_to_first_chunk"], undefined);
    const names = Object.keys(await measured()).map((name) => name.replace("gen_ai.client.inference.", ""));
    assert.deepEqual(
      names.filter((name) => !name.startsWith("usage.")),
      ["duration"],
    );
  });

  it("has metrics with the conventions' attributes and buckets", async () => {
    await clientOf(async () => serve(good).response)
      .chat.completions.stream(hello)
      .outcome();
    await clientOf(async () => new Response("", { status: 403 }))
      .chat.completions.stream(hello)
      .outcome();
    const server = { "server.address": "models.example", "server.port": 8443 };
    const named = { "gen_ai.provider.name": "models.example", "gen_ai.request.model": "m" };
    const common = { "gen_ai.operation.name": "chat", ...named, ...server };
    const answered = { ...common, "gen_ai.response.model": "m" };
    const of = async (name: string) => allOf(`gen_ai.client.inference.${name}`);
    const durations = await of("duration");
    assert.deepEqual(
      durations.map(({ attributes }) => attributes),
      [answered, { ...common, "error.type": "PermissionDeniedError" }],
    );
    const [tokens, ...more] = await of("usage.input_tokens");
    assert.deepEqual([tokens?.attributes, more], [{ ...answered, "gen_ai.token.modality": "unknown" }, []]);
    const limits = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    for (const { value } of [...durations, ...(await of("time_to_first_chunk"))])
      assert.deepEqual((value as { buckets: { boundaries: number[] } }).buckets.boundaries, limits);
  });

  it("begins with all that a sampler may ask for", async () => {
    const seen: unknown[] = [];
    const sampling = new BasicTracerProvider({
      sampler: {
        shouldSample: (_context, _id, name, _kind, attributes) => {
          seen.push([name, attributes]);
          return { decision: SamplingDecision.NOT_RECORD };
        },
        toString: () => "seeing",
      },
    });
    trace.disable();
    trace.setGlobalTracerProvider(sampling);
    try {
      await clientOf(async () => serve(good).response)
        .chat.completions.stream(hello)
        .outcome();
    } finally {
      trace.disable();
      trace.setGlobalTracerProvider(provider);
    }
    const [[name, attributes]] = seen as [[string, object]];
    assert.equal(name, "chat m");
    assert.deepEqual(attributes, {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "models.example",
      "gen_ai.request.model": "m",
      "gen_ai.request.stream": true,
      "server.address": "models.example",
      "server.port": 8443,
    });
  });

  it("that reads a kept answer again counts none of its tokens a second time", async () => {
    await clientOf(async () => serve(good).response)
      .chat.completions.resume("s1")
      .outcome();
    const { name, attributes } = spans.getFinishedSpans()[0] ?? assert.fail("no span");
    assert.deepEqual([name, attributes["gen_ai.operation.name"]], ["fetch_response", "fetch_response"]);
    assert.equal(attributes["gen_ai.response.id"], "chatcmpl-1");
    const told = [...Object.keys(attributes), ...Object.keys(await measured())];
    assert.deepEqual(
      told.filter((name) => /usage|cost/.test(name)),
      [],
    );
  });

  it("has the reason for its end, and an error where it broke off", async () => {
    const reasonsOf = async (...parts: string[]) => {
      spans.reset();
      await clientOf(async () => serve(parts).response)
        .chat.completions.stream(hello)
        .outcome();
      return spans.getFinishedSpans()[0]?.attributes["gen_ai.response.finish_reasons"];
    };
    assert.deepEqual(await reasonsOf(says("Hi", "length"), DONE), ["length"]);
    assert.deepEqual(await reasonsOf(says("Hi")), ["error"]);
    assert.equal(await reasonsOf(), undefined);
  });

  it("has the other texts of a request with its contents, and not without", async () => {
    const params = { ...hello, reasoning_effort: "low", response_format: { type: "json_object" } } as const;
    for (const contents of [true, false]) {
      for (const stop of ["END", ["END", "STOP"]]) {
        spans.reset();
        const client = clientOf(async () => serve(good).response, { hooks: telemetry({ contents }) });
        await client.chat.completions.stream({ ...params, stop }).outcome();
        const { attributes } = spans.getFinishedSpans()[0] ?? assert.fail("no span");
        const names = ["request.stop_sequences", "request.reasoning.level", "output.type"];
        assert.deepEqual(
          names.map((name) => attributes[`gen_ai.${name}`]),
          contents ? [[stop].flat(), "low", "json"] : [undefined, undefined, undefined],
        );
      }
    }
  });

  it("has the tokens that were written to a cache", async () => {
    const written = { ...usage, prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 3 } };
    const answer = [says("Hi", "stop"), event({ id: "c", model: "m-1", choices: [], usage: written }), DONE];
    await clientOf(async () => serve(answer).response)
      .chat.completions.stream(hello)
      .outcome();
    assert.equal(spans.getFinishedSpans()[0]?.attributes["gen_ai.usage.cache_write.input_tokens"], 3);
    assert.equal((await measured())["gen_ai.client.inference.usage.cache_write.input_tokens"], 3);
  });

  it("has its contents where they were asked for, by the conventions", async () => {
    const messages = [
      { role: "system" as const, content: "Be brief." },
      {
        role: "user" as const,
        content: [
          { type: "text" as const, text: "What is this?" },
          { type: "image_url" as const, image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "image_url" as const, image_url: { url: "https://pictures.example/1.png" } },
        ],
      },
      {
        role: "assistant" as const,
        content: null,
        tool_calls: [{ id: "c1", type: "function" as const, function: { name: "look", arguments: '{"at":1}' } }],
      },
      { role: "tool" as const, tool_call_id: "c1", content: "a bird" },
    ];
    const delta = {
      reasoning_content: "Hm.",
      tool_calls: [{ index: 0, id: "c2", type: "function", function: { name: "look", arguments: '{"at":2}' } }],
    };
    const answer = [
      event({ id: "c", model: "m-1", choices: [{ index: 0, delta }] }),
      says("A bird.", "tool_calls"),
      DONE,
    ];
    const tools = [{ type: "function" as const, function: { name: "look", parameters: { type: "object" } } }];
    const client = clientOf(async () => serve(answer).response, { hooks: telemetry({ contents: true }) });
    for (const stream of [true, false]) {
      spans.reset();
      if (stream) await client.chat.completions.stream({ model: "m", messages, tools }).outcome();
      else await client.chat.completions.create({ model: "m", messages, tools });
      const { attributes } = spans.getFinishedSpans()[0] ?? assert.fail("no span");
      const said = (name: string) => JSON.parse(String(attributes[name]));
      assert.deepEqual(said("gen_ai.input.messages"), [
        { role: "system", parts: [{ type: "text", content: "Be brief." }] },
        {
          role: "user",
          parts: [
            { type: "text", content: "What is this?" },
            { type: "blob", modality: "image", mime_type: "image/png", content: "AAAA" },
            { type: "uri", modality: "image", uri: "https://pictures.example/1.png" },
          ],
        },
        { role: "assistant", parts: [{ type: "tool_call", id: "c1", name: "look", arguments: { at: 1 } }] },
        { role: "tool", parts: [{ type: "tool_call_response", id: "c1", response: "a bird" }] },
      ]);
      assert.deepEqual(said("gen_ai.output.messages"), [
        {
          role: "assistant",
          parts: [
            { type: "reasoning", content: "Hm." },
            { type: "text", content: "A bird." },
            { type: "tool_call", id: "c2", name: "look", arguments: { at: 2 } },
          ],
          finish_reason: "tool_calls",
        },
      ]);
      assert.deepEqual(said("gen_ai.tool.definitions"), [
        { type: "function", name: "look", parameters: { type: "object" } },
      ]);
    }
  });

  it("has its question where no answer came, and what came of an answer that broke off", async () => {
    const hooks = telemetry({ contents: true });
    const refused = clientOf(async () => new Response('{"error":{"message":"no"}}', { status: 400 }), { hooks });
    await refused.chat.completions.stream(hello).outcome();
    const broken = clientOf(async () => serve([says("Hal")]).response, { hooks });
    await broken.chat.completions.stream(hello).outcome();
    const [first, second] = spans.getFinishedSpans().map(({ attributes }) => attributes);
    assert.match(String(first?.["gen_ai.input.messages"]), /"role":"user"/);
    assert.equal(first?.["gen_ai.output.messages"], undefined);
    assert.deepEqual(JSON.parse(String(second?.["gen_ai.output.messages"])), [
      { role: "assistant", parts: [{ type: "text", content: "Hal" }], finish_reason: "error" },
    ]);
  });

  it("has a tool's arguments and result where they were asked for", async () => {
    const look = tool({ name: "look", execute: async ({ at }: { at: number }) => ({ bird: at }) });
    for (const contents of [false, true]) {
      spans.reset();
      const { signal } = new AbortController();
      await traced(look, { contents }).execute({ at: 2 }, { signal } as never);
      const { attributes } = spans.getFinishedSpans()[0] ?? assert.fail("no span");
      assert.equal(attributes["gen_ai.tool.call.arguments"], contents ? '{"at":2}' : undefined);
      assert.equal(attributes["gen_ai.tool.call.result"], contents ? '{"bird":2}' : undefined);
    }
  });

  it("has no contents, no key and no address's query in it", async () => {
    const client = clientOf(async () => serve([says("a-secret-answer"), ...good]).response, {
      apiKey: "sk-secret-key",
      defaultQuery: { token: "secret-query" },
    });
    const messages = [{ role: "user" as const, content: "a-secret-question" }];
    await client.chat.completions.stream({ model: "m", messages, user: "secret-user" }).outcome();
    const [span] = spans.getFinishedSpans();
    assert.doesNotMatch(JSON.stringify([span?.name, span?.attributes, span?.events]), /secret/);
  });

  it("that never ends is ended once ten thousand others have begun", () => {
    const hooks = telemetry();
    const begin = (call: number) =>
      hooks.onRequest?.({
        ...{ call: `call-${call}`, operation: "chat", parameters: {}, attempt: 1, method: "POST", headers: {} },
        ...{ url: "https://models.example/v1/chat/completions", model: `m-${call}`, provider: "own" },
      } as never);
    for (let call = 0; call < 10_000; call++) begin(call);
    assert.deepEqual(spans.getFinishedSpans().length, 0);
    begin(10_000);
    assert.deepEqual(
      spans.getFinishedSpans().map(({ name }) => name),
      ["chat m-0"],
    );
  });
  it("is not lost to an exporter that throws", async () => {
    const hooks = telemetry();
    const throwing = {
      ...hooks,
      onRequest: () => {
        throw new Error("no collector");
      },
    };
    const client = clientOf(async () => serve(good).response, { hooks: throwing });
    assert.equal(await client.chat.completions.stream(hello).finalContent(), "Hi");
  });
});

describe("around a call", () => {
  it("tools are spans of their own", async () => {
    const weather = traced(
      tool({
        name: "get_weather",
        description: "The weather in a city",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        execute: async () => "31 degrees",
      }),
    );
    const client = new Chatwire({
      provider: "electron",
      apiKey: "k",
      hooks: telemetry(),
      fetch: createEmulator().fetch,
    });
    const question = { role: "user" as const, content: "What is the weather in Pune? Use the weather tool." };
    await client.chat.completions
      .runTools({ model: "electron", messages: [question], tools: [weather] })
      .finalContent();
    const names = spans.getFinishedSpans().map(({ name }) => name);
    assert.deepEqual(names, ["chat electron", "execute_tool get_weather", "chat electron"]);
    const { "gen_ai.tool.call.id": id, ...attributes } = spans.getFinishedSpans()[1]?.attributes ?? {};
    assert.match(String(id), /./);
    assert.deepEqual(attributes, {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "get_weather",
      "gen_ai.tool.type": "function",
      "gen_ai.tool.description": "The weather in a city",
    });
    assert.equal((await measured())["gen_ai.execute_tool.duration"], 1);
  });

  it("the gateway's calls are spans too", async () => {
    const app = gateway({
      public: true,
      onUsage: usageTelemetry(),
      providers: { electron: { provider: "electron", apiKey: "k", fetch: createEmulator().fetch } },
    });
    const response = await app.fetch(asking("/v1/chat/completions", { ...hello, model: "electron", stream: true }), {});
    assert.match(await response.text(), /\[DONE\]/);
    while (spans.getFinishedSpans().length === 0) await new Promise(setImmediate);
    const [span] = spans.getFinishedSpans();
    assert.equal(span?.name, "chat electron");
    assert.ok(Number(span?.attributes["gen_ai.usage.output_tokens"]) > 0);
  });

  it("the gateway's other APIs are operations of their own, and its cached answers are none", async () => {
    const records: UsageRecord[] = [];
    const observe = usageTelemetry();
    const counts = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
    const fetch = async (url: string | URL | Request) => {
      const { pathname } = new URL(url instanceof Request ? url.url : url);
      if (pathname.endsWith("/responses"))
        return Response.json({ id: "r", model: "m", output: [], usage: { input_tokens: 5, output_tokens: 2 } });
      const message = { role: "assistant", content: "Hi" };
      const choices = [{ index: 0, message, finish_reason: "stop" }];
      return Response.json({
        id: "c",
        model: "m",
        ...(!pathname.endsWith("/embeddings") && { choices }),
        usage: counts,
      });
    };
    const app = gateway({
      public: true,
      cache: { ttl: 60, shared: true },
      onUsage: (record) => {
        observe(record);
        records.push(record);
      },
      providers: { own: { baseURL: "https://operations.example/v1", apiKey: "k", fetch } },
    });
    const chat = "/v1/chat/completions";
    for (const path of [chat, chat, "/v1/completions", "/v1/embeddings", "/v1/responses"]) {
      const said =
        path === chat ? { messages: hello.messages } : path === "/v1/completions" ? { prompt: "a" } : { input: "a" };
      const before = records.length;
      const response = await app.fetch(asking(path, { model: "m", ...said }), {});
      assert.equal(response.status, 200, await response.text());
      while (records.length === before) await new Promise(setImmediate);
    }
    assert.deepEqual(
      records.map(({ saved }) => saved !== undefined),
      [false, true, false, false, false],
    );
    const operations = ["chat", "text_completion", "embeddings", "generate_content"];
    assert.deepEqual(
      spans.getFinishedSpans().map(({ name, attributes }) => [name, attributes["gen_ai.operation.name"]]),
      operations.map((operation) => [`${operation} m`, operation]),
    );
    assert.deepEqual(
      await pointsOf("usage.input_tokens"),
      operations.map((operation) => [operation, 5]),
    );
    assert.deepEqual(
      (await pointsOf("duration")).map(([operation]) => operation),
      operations,
    );
  });
});

/** A processor that throws, at the place that is named. */
const throwing = (at: "onStart" | "onEnd") => {
  let calls = 0;
  const fail = () => {
    calls++;
    throw new Error("no collector");
  };
  const none = () => {};
  const processor = {
    ...{ onStart: at === "onStart" ? fail : none, onEnd: at === "onEnd" ? fail : none },
    ...{ forceFlush: async () => {}, shutdown: async () => {} },
  };
  return { processor, calls: () => calls };
};

for (const at of ["onStart", "onEnd"] as const) {
  describe(`a processor that throws in ${at}`, () => {
    let calls: () => number;
    before(() => {
      const broken = throwing(at);
      calls = broken.calls;
      trace.disable();
      trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [broken.processor] }));
    });
    after(() => {
      trace.disable();
      trace.setGlobalTracerProvider(provider);
    });

    it("changes no answer, and the call is measured once", async () => {
      const earlier = calls();
      const client = clientOf(async () => serve(good).response);
      assert.equal(await client.chat.completions.stream(hello).finalContent(), "Hi");
      assert.equal((await client.chat.completions.create(hello)).choices[0]?.message.content, "Hi");
      assert.equal(calls() - earlier, 2);
      assert.equal((await measured())["gen_ai.client.inference.duration"], 2);
    });

    it("changes neither a tool's result nor its exception, and it runs once", async () => {
      const earlier = calls();
      const own = new RangeError("the tool's own");
      let runs = 0;
      const execute = async ({ bad }: { bad: boolean }) => {
        runs++;
        if (bad) throw own;
        return "a result";
      };
      for (const contents of [false, true]) {
        runs = 0;
        const look = traced(tool({ name: "look", execute }), { contents });
        const { signal } = new AbortController();
        assert.equal(await look.execute({ bad: false }, { signal } as never), "a result");
        await assert.rejects(async () => look.execute({ bad: true }, { signal } as never), own);
        assert.equal(runs, 2);
      }
      assert.equal(calls() - earlier, 4);
    });

    it("makes no gateway tell its record again", async () => {
      const earlier = calls();
      const observe = usageTelemetry();
      let told = 0;
      let ended = () => {};
      const settled = new Promise<void>((resolve) => {
        ended = resolve;
      });
      const app = gateway({
        public: true,
        onUsage: (record) => {
          told++;
          observe(record);
          ended();
        },
        providers: { electron: { provider: "electron", apiKey: "k", fetch: createEmulator().fetch } },
      });
      await (await app.fetch(asking("/v1/chat/completions", { ...hello, model: "electron" }), {})).text();
      await settled;
      assert.equal(told, 1);
      assert.equal(calls() - earlier, 1);
      assert.equal((await measured())["gen_ai.client.inference.duration"], 1);
    });
  });
}
