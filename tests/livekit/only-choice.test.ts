/**
 * The only choice of an answer is choice 0 for whoever reads it, also through the products made of the package: the AI SDK, AG-UI,
 * LiveKit and the interface of `openai`. The test is here because LiveKit needs a setup of its own.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initializeLogger, llm } from "@livekit/agents";
import { Chatwire } from "chatwire";
import { toAGUI } from "chatwire/ag-ui";
import { createChatwire, toUIMessageStream } from "chatwire/ai-sdk";
import { LLM } from "chatwire/livekit";
import { OpenAI } from "chatwire/openai";
import { DONE, event } from "../npm/serving.ts";

initializeLogger({ pretty: false, level: "silent" });

const chunk = (index: number, delta: object, finish_reason: string | null = null) =>
  event({
    id: "c1",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index, delta, finish_reason }],
  });
const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Pune"}' } };
const role = { role: "assistant", content: "" };
const message = {
  role: "assistant",
  content: "Hello",
  tool_calls: [{ id: call.id, type: call.type, function: call.function }],
};

/** The bodies of one answer, `Hello` and a call, whose choice has another index than 0. */
const answers: Record<string, string> = {
  "index 1": [
    ...[chunk(1, role), chunk(1, { content: "Hel" }), chunk(1, { content: "lo" }), chunk(1, { tool_calls: [call] })],
    ...[chunk(1, {}, "tool_calls"), DONE],
  ].join(""),
  "index 3, without a role": [
    ...[chunk(3, { content: "Hello" }), chunk(3, { tool_calls: [call] }, "tool_calls"), DONE],
  ].join(""),
  "a role under index 0": [
    ...[chunk(0, role), chunk(1, { content: "Hello" }), chunk(1, { tool_calls: [call] }, "tool_calls"), DONE],
  ].join(""),
  "an end under an index of its own": [
    ...[chunk(0, role), chunk(0, { content: "Hello" }), chunk(0, { tool_calls: [call] })],
    ...[chunk(1, {}, "tool_calls"), DONE],
  ].join(""),
  "an index of 200": [
    ...[
      chunk(200, role),
      chunk(200, { content: "Hello" }),
      chunk(200, { tool_calls: [call] }),
      chunk(200, {}, "tool_calls"),
    ],
    DONE,
  ].join(""),
  "an index that counts the chunks": [
    ...[chunk(0, role), chunk(1, { content: "Hel" }), chunk(2, { content: "lo" }), chunk(3, { tool_calls: [call] })],
    ...[chunk(4, {}, "tool_calls"), DONE],
  ].join(""),
  "an index that counts the chunks without a role, past 128": [
    ...Array.from({ length: 140 }, (_, index) =>
      chunk(index, index < 5 ? { content: "Hello"[index] } : { reasoning: "x" }),
    ),
    ...[chunk(140, { tool_calls: [call] }, "tool_calls"), DONE],
  ].join(""),
  "whole, index 2": JSON.stringify({
    ...{ id: "x", object: "chat.completion", created: 1, model: "m" },
    choices: [{ index: 2, message, finish_reason: "tool_calls" }],
  }),
};

async function listed<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** The text, names of tools and arguments that each reader finds in an answer. */
type Reader = (at: { client: Chatwire; openai: OpenAI }) => Promise<{ text: string; calls: [string, string][] }>;
const messages = [{ role: "user" as const, content: "Hello" }];
const asked = { model: "m", messages };
const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello" }] }];
const callsOf = (calls: readonly object[] | null | undefined) =>
  ((calls ?? []) as (typeof call)[]).map(({ function: { name, arguments: text } }): [string, string] => [name, text]);

const readers: Record<string, Reader> = {
  async "a client"({ client }) {
    const { text, toolCalls } = await client.chat.completions.stream(asked).outcome();
    return { text, calls: toolCalls.map(({ name, arguments: args }) => [name, args]) };
  },
  async "the AI SDK, whole"({ client }) {
    const { content } = await createChatwire({ client })("m").doGenerate({ prompt });
    const texts = content.flatMap((part) => (part.type === "text" ? [part.text] : []));
    const calls = content.flatMap((part): [string, string][] =>
      part.type === "tool-call" ? [[part.toolName, part.input]] : [],
    );
    return { text: texts.join(""), calls };
  },
  async "the AI SDK, a stream"({ client }) {
    const { stream } = await createChatwire({ client })("m").doStream({ prompt });
    const parts = await listed(stream);
    const texts = parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : []));
    const calls = parts.flatMap((part): [string, string][] =>
      part.type === "tool-call" ? [[part.toolName, part.input]] : [],
    );
    return { text: texts.join(""), calls };
  },
  async "messages of its interface"({ client }) {
    const parts = await listed(toUIMessageStream(client.chat.completions.stream(asked)));
    const texts = parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : []));
    const calls = parts.flatMap((part): [string, string][] =>
      part.type === "tool-input-available" ? [[part.toolName, JSON.stringify(part.input)]] : [],
    );
    return { text: texts.join(""), calls };
  },
  async "AG-UI"({ client }) {
    const events = await listed(toAGUI(client.chat.completions.stream(asked)));
    const texts = events.flatMap((one) => (one.type === "TEXT_MESSAGE_CONTENT" ? [one.delta] : []));
    const names = events.flatMap((one) => (one.type === "TOOL_CALL_START" ? [one.toolCallName] : []));
    const args = events.flatMap((one) => (one.type === "TOOL_CALL_ARGS" ? [one.delta] : [])).join("");
    return { text: texts.join(""), calls: names.map((name) => [name, args]) };
  },
  async LiveKit({ client }) {
    const chatCtx = llm.ChatContext.empty();
    chatCtx.addMessage({ role: "user", content: "Hello" });
    const connOptions = { maxRetry: 0, retryIntervalMs: 1, timeoutMs: 10_000 };
    const chunks = await listed(new LLM({ client, model: "m" }).chat({ chatCtx, connOptions }));
    const calls = chunks.flatMap(({ delta }) => delta?.toolCalls ?? []);
    return {
      text: chunks.flatMap(({ delta }) => delta?.content ?? []).join(""),
      calls: calls.map(({ name, args }) => [name, args]),
    };
  },
  async "openai, create"({ openai }) {
    const said = (await openai.chat.completions.create(asked)).choices[0]?.message;
    return { text: said?.content ?? "", calls: callsOf(said?.tool_calls) };
  },
  async "openai, stream()"({ openai }) {
    const told: string[] = [];
    const stream = openai.chat.completions.stream(asked).on("content", (text) => told.push(text));
    const said = await stream.finalMessage();
    assert.equal(told.join(""), said.content, "the events tell the text");
    assert.deepEqual(
      (await stream.finalChatCompletion()).choices.map(({ index }) => index),
      [0],
    );
    return { text: (await stream.finalContent()) ?? "", calls: callsOf(said.tool_calls) };
  },
  async "openai, a run of tools"({ openai }) {
    const run: [string, string][] = [];
    const weather = (args: string) => `${run.push(["weather", args])}`;
    const tools = [
      {
        type: "function" as const,
        function: { name: "weather", description: "The weather", parameters: {}, function: weather },
      },
    ];
    const runner = openai.chat.completions.runTools({ ...asked, stream: true, tools }, { maxChatCompletions: 1 });
    return { text: (await runner.finalContent()) ?? "", calls: run };
  },
};

describe("the only choice of an answer is choice 0", () => {
  for (const [answer, body] of Object.entries(answers)) {
    for (const [reader, read] of Object.entries(readers)) {
      it(`${reader}: ${answer}`, async () => {
        const type = body.startsWith("{") ? "application/json" : "text/event-stream";
        const fetch = async () => new Response(body, { headers: { "content-type": type } });
        const settings = { baseURL: "https://models.example/v1", maxRetries: 0 };
        const client = new Chatwire({ ...settings, apiKey: null, fetch });
        const openai = new OpenAI({ ...settings, apiKey: "k", fetch });
        assert.deepEqual(await read({ client, openai }), {
          text: "Hello",
          calls: [["weather", '{"city":"Pune"}']],
        });
      });
    }
  }

  it("two choices that were asked for keep their numbers", async () => {
    const body = [chunk(1, { content: "one" }, "stop"), chunk(0, { content: "nought" }, "stop"), DONE].join("");
    const fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
    const openai = new OpenAI({ baseURL: "https://models.example/v1", apiKey: "k", maxRetries: 0, fetch });
    const { choices } = await openai.chat.completions.stream({ ...asked, n: 2 }).finalChatCompletion();
    assert.deepEqual(
      choices.map(({ index, message }) => [index, message.content]),
      [
        [0, "nought"],
        [1, "one"],
      ],
    );
  });
});
