/**
 * `chatwire/ai-sdk` as a language model: the parts that its answers come to. sent.test.ts is about its requests.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { APICallError, NoSuchModelError } from "ai";
import { ChatStream, Chatwire, ChatwireError } from "chatwire";
import { type CallUsage, ChatwireTransport, createChatwire } from "chatwire/ai-sdk";
import { answering, chatwire, hello, type Part, partsOf, streamOf, summary } from "./wire.ts";

const usage = {
  prompt_tokens: 10,
  completion_tokens: 7,
  total_tokens: 17,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const last = <T>(list: readonly T[]): T => list.at(-1) as T;
const ofType = <T extends Part["type"]>(parts: readonly Part[], type: T) =>
  parts.filter((part): part is Extract<Part, { type: T }> => part.type === type);

describe("a stream", () => {
  it("has reasoning, text, calls and the end in blocks, in order", async () => {
    const deltas = [
      { reasoning_content: "Hm" },
      { reasoning_content: "." },
      { content: "One " },
      { content: "moment." },
      { tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"city":' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '"Pune"}' } }] },
    ];
    const { fetch } = answering(streamOf(deltas, "tool_calls", usage));
    const parts = await partsOf(chatwire(fetch)("m"));
    const types = parts.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1]);
    assert.deepEqual(types, [
      "stream-start",
      "response-metadata",
      "reasoning-start",
      "reasoning-delta",
      "reasoning-end",
      "text-start",
      "text-delta",
      "text-end",
      "tool-input-start",
      "tool-input-delta",
      "tool-input-end",
      "tool-call",
      "finish",
    ]);
    assert.deepEqual(summary(parts), {
      text: "One moment.",
      reasoning: "Hm.",
      calls: [{ name: "weather", input: { city: "Pune" } }],
      finish: "tool-calls",
      input: 10,
      output: 7,
      cached: 4,
      reasoned: 2,
    });
    assert.deepEqual(last(ofType(parts, "finish")).usage.inputTokens, {
      total: 10,
      noCache: 6,
      cacheRead: 4,
      cacheWrite: undefined,
    });
    assert.deepEqual(last(ofType(parts, "response-metadata")).modelId, "m-1");
  });

  it("that breaks off is interrupted, and a call that is cut short is not run", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"ci' } };
    const { fetch } = answering(streamOf([{ content: "Hal" }, { tool_calls: [call] }], null));
    const parts = await partsOf(chatwire(fetch)("m"));
    const { finishReason, providerMetadata } = last(ofType(parts, "finish"));
    assert.equal(finishReason.unified, "interrupted");
    assert.equal(providerMetadata?.chatwire?.status, "truncated");
    assert.deepEqual(ofType(parts, "tool-call"), []);
    assert.equal(summary(parts).text, "Hal");
  });

  it("that is whole hands over a call whose arguments are no JSON, for the AI SDK to repair; one cut short it does not", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: "{city}" } };
    const handedOver = async (finish: string) => {
      const streamed = await partsOf(chatwire(answering(streamOf([{ tool_calls: [call] }], finish)).fetch)("m"));
      const message = { role: "assistant", content: null, tool_calls: [call] };
      const whole = JSON.stringify({ choices: [{ index: 0, message, finish_reason: finish }] });
      const { content } = await chatwire(answering(whole).fetch)("m").doGenerate(hello);
      const inputs = [ofType(streamed, "tool-call"), content].map((parts) =>
        parts.flatMap((part) => (part.type === "tool-call" ? [part.input] : [])),
      );
      assert.deepEqual(inputs[0], inputs[1]);
      return inputs[0];
    };
    assert.deepEqual(await handedOver("tool_calls"), ["{city}"]);
    assert.deepEqual(await handedOver("stop"), ["{city}"]);
    for (const finish of ["length", "content_filter"]) assert.deepEqual(await handedOver(finish), []);
  });

  it("that fails on the way has an error part and all that came before", async () => {
    const body = `${streamOf([{ content: "Hal" }], null)}data: {"error":{"message":"Overloaded","code":503}}\n\n`;
    const { fetch } = answering(body);
    const parts = await partsOf(chatwire(fetch)("m"));
    const [failed] = ofType(parts, "error");
    assert.ok(APICallError.isInstance(failed?.error));
    assert.match(String(failed?.error), /Overloaded/);
    assert.equal(summary(parts).text, "Hal");
    assert.equal(summary(parts).finish, "error");
  });

  it("whose accounts the engine cannot give any more errors as the AI SDK knows errors", async (t) => {
    const failure = new ChatwireError("The engine failed.");
    t.mock.method(ChatStream.prototype, "outcome", async () => Promise.reject(failure));
    const { fetch } = answering(streamOf([{ content: "Hi" }]));
    await assert.rejects(partsOf(chatwire(fetch)("m")), (error) => {
      assert.ok(APICallError.isInstance(error), String(error));
      assert.equal(error.cause, failure);
      assert.equal(error.url, "https://models.example/v1/chat/completions");
      return true;
    });
  });

  it("says its cost, its repairs and who was asked", async () => {
    const body = streamOf([{ content: "Hi" }], "stop", usage).replace("data: [DONE]", "data: [done]");
    const { fetch } = answering(body);
    const model = createChatwire({
      baseURL: "https://models.example/v1",
      apiKey: null,
      fetch: fetch as never,
      prices: { input: 1, cachedInput: 0.5, output: 2 },
    })("m");
    const own = last(ofType(await partsOf(model), "finish")).providerMetadata?.chatwire as Record<string, unknown>;
    assert.equal(own.cost, (6 * 1 + 4 * 0.5 + 7 * 2) / 1e6);
    assert.deepEqual(
      (own.repairs as { code: string }[]).map(({ code }) => code),
      ["end.padded_done"],
    );
    assert.equal((own.attempts as unknown[]).length, 1);
  });

  it("keeps what has to go back with the turn: signatures of calls, details of reasoning", async () => {
    const signed = { extra_content: { google: { thought_signature: "sig" } } };
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: "{}" }, ...signed };
    const details = [{ type: "reasoning.text", text: "Hm", index: 0, signature: "abc" }];
    const { fetch } = answering(streamOf([{ reasoning_details: details, tool_calls: [call] }], "tool_calls"));
    const [made] = ofType(await partsOf(chatwire(fetch)("m")), "tool-call");
    const own = made?.providerMetadata?.chatwire as Record<string, unknown>;
    assert.deepEqual(own.call, signed);
    assert.ok("reasoning_details" in (own.message as object));
  });

  it("has citations as sources and raw chunks on request", async () => {
    const note = { type: "url_citation", url_citation: { url: "https://b.example", title: "B" } };
    const body = streamOf([{ content: "Hi" }, { annotations: [note] }]).replace(
      '"model":"m-1"',
      '"model":"m-1","citations":["https://a.example"]',
    );
    const { fetch } = answering(body);
    const parts = await partsOf(chatwire(fetch)("m"), { ...hello, includeRawChunks: true });
    assert.deepEqual(
      ofType(parts, "source").map((source) => source.sourceType === "url" && [source.url, source.title]),
      [
        ["https://a.example", undefined],
        ["https://b.example", "B"],
      ],
    );
    assert.equal(ofType(parts, "raw").length, 3);
  });
});

describe("leaving, and what it used", () => {
  it("an aborted call errors with the reason, and its usage reaches the callback", async () => {
    const used: CallUsage[] = [];
    const controller = new AbortController();
    let upstream: AbortSignal | null | undefined;
    const fetch = async (_: unknown, init?: RequestInit) => {
      upstream = init?.signal;
      const body = new ReadableStream({
        start: (stream) => stream.enqueue(new TextEncoder().encode(streamOf([{ content: "Once upon a time" }], null))),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    };
    const model = chatwire(fetch as never, { onUsage: (usage) => used.push(usage) })("m");
    const { stream } = await model.doStream({ ...hello, abortSignal: controller.signal });
    const reader = stream.getReader();
    let part = await reader.read();
    while (part.value?.type !== "text-delta") part = await reader.read();
    controller.abort();
    await assert.rejects(
      async () => {
        while (!(await reader.read()).done);
      },
      { name: "AbortError" },
    );
    assert.equal(upstream?.aborted, true);
    assert.equal(used.length, 1);
    assert.equal(used[0]?.status, "aborted");
    assert.equal(used[0]?.usage?.estimated, true);
  });

  for (const way of ["doGenerate", "doStream"] as const) {
    it(`${way} that is aborted before its answer, or refused, reaches the callback once`, async () => {
      const used: CallUsage[] = [];
      const controller = new AbortController();
      const silent = (_: unknown, init?: RequestInit) =>
        new Promise<Response>((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
          setTimeout(() => controller.abort(), 5);
        });
      const onUsage = (usage: CallUsage) => used.push(usage);
      const left = chatwire(silent as never, { onUsage })("m")[way]({ ...hello, abortSignal: controller.signal });
      await assert.rejects(async () => left, { name: "AbortError" });
      const { timing: _, ...aborted } = used[0] as CallUsage;
      const nothing = { modelId: "m", usage: null, cost: null, repairs: [] };
      assert.equal(used.length, 1);
      assert.deepEqual({ ...aborted, attempts: [] }, { ...nothing, status: "aborted", attempts: [], requestId: null });

      const { fetch } = answering('{"error":{"message":"Not in your plan"}}', {
        status: 403,
        headers: { "content-type": "application/json", "x-request-id": "req-9" },
      });
      await assert.rejects(async () => chatwire(fetch, { onUsage })("m")[way](hello), { name: "AI_APICallError" });
      const { timing: __, attempts, ...refused } = used[1] as CallUsage;
      assert.equal(used.length, 2);
      assert.deepEqual(refused, { ...nothing, status: "error", requestId: "req-9" });
      assert.equal(attempts[0]?.status, 403);
    });
  }

  it("cancelling the stream ends the request", async () => {
    let upstream: AbortSignal | null | undefined;
    const fetch = async (_: unknown, init?: RequestInit) => {
      upstream = init?.signal;
      return new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
    };
    const { stream } = await chatwire(fetch as never)("m").doStream(hello);
    await stream.cancel();
    assert.equal(upstream?.aborted, true);
  });

  it("an observer that throws loses nothing", async () => {
    const { fetch } = answering(streamOf([{ content: "Hi" }]));
    const onUsage = () => {
      throw new Error("not today");
    };
    assert.equal(summary(await partsOf(chatwire(fetch, { onUsage })("m"))).text, "Hi");
  });
});

describe("an answer that comes whole", () => {
  const completion = {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "m-1",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "<think>Hm.</think>Hi",
          tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: { city: "Pune" } } }],
        },
        finish_reason: "stop",
      },
    ],
    usage,
  };

  it("is normalised like a stream, with repairs as warnings", async () => {
    const { fetch } = answering(JSON.stringify(completion));
    const result = await chatwire(fetch)("m").doGenerate(hello);
    assert.deepEqual(
      result.content.map((part) => [part.type, "text" in part ? part.text : "input" in part ? part.input : ""]),
      [
        ["reasoning", "Hm."],
        ["text", "Hi"],
        ["tool-call", '{"city":"Pune"}'],
      ],
    );
    assert.equal(result.finishReason.unified, "tool-calls");
    assert.equal(result.usage.inputTokens.total, 10);
    assert.ok(
      result.warnings.some((warning) => "feature" in warning && warning.feature === "tool_call.arguments_not_text"),
    );
    assert.equal(result.response?.modelId, "m-1");
    assert.equal(result.response?.headers?.["x-request-id"], "req-1");
  });

  it("that is refused throws what the AI SDK knows, once", async () => {
    const { fetch, asked } = answering('{"error":{"message":"No such plan","code":"no_plan"}}', { status: 403 });
    const error = await Promise.resolve(chatwire(fetch)("m").doGenerate(hello)).catch((thrown) => thrown);
    assert.ok(APICallError.isInstance(error));
    assert.equal(error.statusCode, 403);
    assert.equal(error.isRetryable, false);
    assert.match(error.message, /No such plan/);
    assert.match(error.responseBody ?? "", /no_plan/);
    assert.equal(asked.length, 1);
  });
});

describe("the provider", () => {
  it("takes a client, has its totals, and a name", async () => {
    const { fetch } = answering(streamOf([{ content: "Hi" }], "stop", usage));
    const client = new Chatwire({ baseURL: "https://models.example/v1", fetch: fetch as never });
    const provider = createChatwire({ client, name: "house" });
    assert.equal(provider("m").provider, "house");
    await partsOf(createChatwire(client).languageModel("m"));
    assert.equal(client.usage.total_tokens, 17);
  });

  it("refuses options that are none, and a client of another copy of the package, by name", async () => {
    const { Chatwire: Other } = await import("chatwire/js");
    const other = new Other({ provider: "electron", apiKey: "k" }) as never;
    for (const options of [null, "electron", other, { client: other }, { client: {} }]) {
      assert.throws(() => createChatwire(options as never), ChatwireError);
    }
    for (const options of [other, { client: other }])
      assert.throws(() => createChatwire(options as never), /copy of chatwire/);
    assert.throws(() => new ChatwireTransport({ client: other, model: "m" }), /copy of chatwire/);
  });

  it("names what is missing", () => {
    const provider = createChatwire({ baseURL: "https://models.example/v1" });
    assert.throws(
      () => provider(""),
      (error) => NoSuchModelError.isInstance(error),
    );
    assert.throws(
      () => provider.embeddingModel("e"),
      (error) => NoSuchModelError.isInstance(error),
    );
  });
});
