/**
 * The AI SDK's own functions on chatwire's models, against the emulator.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateText, isStepCount, jsonSchema, Output, streamText, tool } from "ai";
import { Chatwire } from "chatwire";
import { createChatwire } from "chatwire/ai-sdk";
import { createEmulator } from "chatwire/emulator";
import { answering, streamOf } from "./wire.ts";

const emulated = (options: Parameters<typeof createEmulator>[0] = {}) =>
  createChatwire({ provider: "electron", apiKey: "k", fetch: createEmulator(options).fetch });

const city = jsonSchema<{ city: string }>({
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
});

describe("the AI SDK on chatwire", () => {
  it("streamText streams, and knows usage and cost", async () => {
    const result = streamText({ model: emulated()(), prompt: "Why is the sky blue?" });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    assert.ok(text.length > 0);
    assert.equal(await result.text, text);
    assert.equal(await result.finishReason, "stop");
    assert.ok(((await result.usage).inputTokens ?? 0) > 0);
    const own = (await result.finalStep).providerMetadata?.chatwire;
    assert.ok(typeof own?.cost === "number" && own.cost > 0);
  });

  it("generateText answers whole", async () => {
    const { text, usage, finishReason } = await generateText({ model: emulated()("electron"), prompt: "Hello" });
    assert.ok(text.length > 0);
    assert.equal(finishReason, "stop");
    assert.ok((usage.outputTokens ?? 0) > 0);
  });

  it("tools run in a loop, streamed and whole", async () => {
    const asked: string[] = [];
    const weather = tool({
      description: "The weather in a city",
      inputSchema: city,
      execute: async ({ city }) => {
        asked.push(city);
        return { celsius: 31 };
      },
    });
    const settings = {
      tools: { weather },
      stopWhen: isStepCount(3),
      prompt: "What is the weather in Pune? Use the weather tool.",
    };
    const whole = await generateText({ model: emulated()(), ...settings });
    const streamed = streamText({ model: emulated()(), ...settings });
    await streamed.consumeStream();
    assert.equal(asked.length, 2);
    assert.equal((await streamed.steps).length, whole.steps.length);
    assert.ok((await streamed.text).length > 0);
  });

  it("a call whose arguments are no JSON is repaired by the AI SDK, or told to the model", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: "{city: Pune}" } };
    const calling = answering(streamOf([{ tool_calls: [call] }], "tool_calls"));
    const saying = answering(streamOf([{ content: "31 degrees." }]));
    const asked: string[] = [];
    const weather = tool({
      inputSchema: city,
      execute: async ({ city }) => {
        asked.push(city);
        return { celsius: 31 };
      },
    });
    const repaired = { type: "tool-call" as const, toolCallId: "c1", toolName: "weather", input: '{"city":"Pune"}' };
    for (const repairToolCall of [async () => repaired, undefined]) {
      let number = 0;
      const fetch = (async (...given: Parameters<typeof globalThis.fetch>) =>
        number++ === 0 ? calling.fetch(...given) : saying.fetch(...given)) as typeof globalThis.fetch;
      const result = streamText({
        model: createChatwire({ baseURL: "https://a.example/v1", apiKey: null, fetch: fetch as never })("m"),
        tools: { weather },
        stopWhen: isStepCount(3),
        prompt: "What is the weather in Pune?",
        ...(repairToolCall && { repairToolCall }),
      });
      await result.consumeStream();
      assert.equal(await result.text, "31 degrees.");
      const messages = (saying.asked.at(-1)?.body.messages ?? []) as {
        tool_calls?: { function: { arguments: string } }[];
        content: string;
      }[];
      assert.equal(messages.at(-1)?.content.includes("31"), repairToolCall !== undefined);
      for (const { tool_calls = [] } of messages)
        for (const { function: called } of tool_calls) assert.doesNotThrow(() => JSON.parse(called.arguments));
    }
    assert.deepEqual(asked, ["Pune"]);
  });

  it("structured output fits its schema", async () => {
    const { fetch, asked } = answering(
      JSON.stringify({ choices: [{ message: { content: '{"city":"Pune"}' }, finish_reason: "stop" }] }),
    );
    const { output } = await generateText({
      model: createChatwire({ baseURL: "https://a.example/v1", apiKey: null, fetch: fetch as never })("m"),
      output: Output.object({ schema: city }),
      prompt: "Name a city as JSON.",
    });
    assert.deepEqual(output, { city: "Pune" });
    assert.match(JSON.stringify(asked[0]?.body.response_format), /"type":"json_schema".*city/);
  });

  it("a fallback answers where the first client cannot", async () => {
    const fallback = new Chatwire({ provider: "electron", apiKey: "k", fetch: createEmulator().fetch });
    const down = async () => new Response("down", { status: 503 });
    const model = createChatwire({
      baseURL: "https://down.example/v1",
      apiKey: null,
      maxRetries: 0,
      fetch: down,
      fallback: [{ client: fallback, model: "electron" }],
    })("m");
    const result = await generateText({ model, prompt: "Hello" });
    assert.ok(result.text.length > 0);
    const attempts = result.finalStep.providerMetadata?.chatwire?.attempts as { provider: string }[];
    assert.equal(attempts.at(-1)?.provider, "electron");
    assert.equal(attempts.length, 2);
  });

  it("an abort is an abort, and an answer that breaks off is not an end", async () => {
    const controller = new AbortController();
    let aborted = false;
    const slow = emulated({ timeToFirstToken: 5, tokensPerSecond: 20 });
    const result = streamText({
      model: slow(),
      prompt: "Why is the sky blue?",
      abortSignal: controller.signal,
      onAbort: () => {
        aborted = true;
      },
    });
    for await (const part of result.stream) if (part.type === "text-delta") controller.abort();
    assert.equal(aborted, true);

    const { fetch } = answering(streamOf([{ content: "Once upon" }], null));
    const cut = streamText({
      model: createChatwire({ baseURL: "https://a.example/v1", apiKey: null, fetch: fetch as never })("m"),
      prompt: "Hello",
    });
    await cut.consumeStream();
    assert.equal(await cut.finishReason, "interrupted");
    assert.equal(await cut.text, "Once upon");
  });
});
