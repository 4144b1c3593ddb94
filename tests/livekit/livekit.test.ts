/**
 * `chatwire/livekit` with the real `@livekit/agents`, on the emulator.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  APIConnectionError,
  APIError,
  APIStatusError,
  APITimeoutError,
  initializeLogger,
  llm,
  ToolContext,
  tool,
  voice,
} from "@livekit/agents";
import { Chatwire, ChatwireError, type ClientOptions } from "chatwire";
import { createEmulator, type EmulatorOptions } from "chatwire/emulator";
import { LLM, type LLMOptions } from "chatwire/livekit";
import { z } from "zod";
import { DONE, event, says, serve } from "../npm/serving.ts";

type LLMError = Parameters<Parameters<typeof llm.LLM.prototype.on<"error">>[1]>[0];

initializeLogger({ pretty: false, level: "silent" });

/** A model on an emulator of its own, and what the emulator was asked. */
function emulated(trouble?: EmulatorOptions["trouble"], options: Partial<LLMOptions> & Partial<ClientOptions> = {}) {
  const emulator = createEmulator({ ...(trouble && { trouble }) });
  const asked: Record<string, unknown>[] = [];
  const fetch: ClientOptions["fetch"] = async (url, init) => {
    if (init.body !== undefined) asked.push(JSON.parse(init.body));
    return emulator.fetch(url, init);
  };
  const { timeout, ...own } = options;
  const client = { provider: "electron" as const, apiKey: "k", fetch, ...(timeout && { timeout }) };
  return { model: new LLM({ client, model: "electron", ...own }), emulator, asked };
}

/** A model whose server sends these events. */
function answered(events: readonly string[], options: Partial<LLMOptions> = {}): LLM {
  const fetch = async () => serve(events).response;
  return new LLM({ client: { baseURL: "https://voice.test/v1", fetch }, model: "m", ...options });
}

function question(text: string): llm.ChatContext {
  const context = llm.ChatContext.empty();
  context.addMessage({ role: "user", content: text });
  return context;
}

const once = { maxRetry: 0, retryIntervalMs: 1, timeoutMs: 10_000 };

async function chunksOf(stream: llm.LLMStream): Promise<llm.ChatChunk[]> {
  const chunks: llm.ChatChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
const spoken = (chunks: readonly llm.ChatChunk[]) => chunks.flatMap(({ delta }) => delta?.content ?? []);

/** The error that a model tells of a call, and how often it told one. */
async function failureOf(model: LLM, call: Partial<Parameters<LLM["chat"]>[0]> = {}) {
  const told: LLMError[] = [];
  model.on("error", (error) => told.push(error));
  const chunks = await chunksOf(model.chat({ chatCtx: question("Echo: One. Two."), connOptions: once, ...call }));
  assert.equal(told.length, 1, "one error is told");
  const { error, recoverable } = told[0] as LLMError;
  assert.equal(recoverable, false);
  return { error: error as Error & { retryable?: boolean; statusCode?: number }, chunks };
}

const weather = tool({
  name: "get_weather",
  description: "The weather of a city",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `31 degrees in ${city}`,
});

describe("an answer", () => {
  it("comes in whole sentences, and they are the text", async () => {
    const text = "It is 3.5 km to Dr. Rao. Turn left! Then go on.";
    const { model } = emulated();
    const chunks = await chunksOf(model.chat({ chatCtx: question(`Echo: ${text}`) }));
    assert.deepEqual(spoken(chunks), ["It is 3.5 km to Dr. Rao.", " Turn left!", " Then go on."]);
    assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
    const { usage } = chunks.at(-1) as llm.ChatChunk;
    assert.ok(usage && usage.promptTokens > 0 && usage.completionTokens > 0);
    assert.equal(usage.totalTokens, usage.promptTokens + usage.completionTokens);
  });

  it("comes as it arrives when sentences are not wanted, and by the caller's options when they are", async () => {
    const pieces = ["One ", "two. ", "**Three**", " four."].map((text) => says(text));
    const end = [says("", "stop"), DONE];
    const call = { chatCtx: question("Hello") };
    const asIs = spoken(await chunksOf(answered([...pieces, ...end], { sentences: false }).chat(call)));
    assert.deepEqual(asIs, ["One ", "two. ", "**Three**", " four."]);
    const plain = answered([...pieces, ...end], { sentences: { stripMarkdown: true } });
    assert.deepEqual(spoken(await chunksOf(plain.chat(call))), ["One two.", " Three four."]);
  });

  it("never speaks reasoning, wherever it is", async () => {
    const reasoned = [
      event({ id: "1", choices: [{ index: 0, delta: { reasoning_content: "I must hide this." } }] }),
      event({ id: "1", choices: [{ index: 0, delta: { reasoning: "And this." } }] }),
      says("<think>Secret.</thi"),
      says("nk>Hello there."),
      says("", "stop"),
      DONE,
    ];
    for (const sentences of [true, false]) {
      const text = spoken(await chunksOf(answered(reasoned, { sentences }).chat({ chatCtx: question("Hi") })));
      assert.equal(text.join("").trim(), "Hello there.");
    }
  });

  it("of a model that refuses is spoken too", async () => {
    const refusal = event({ id: "1", choices: [{ index: 0, delta: { refusal: "I cannot help with that." } }] });
    const text = spoken(await chunksOf(answered([refusal, says("", "stop"), DONE]).chat({ chatCtx: question("Hi") })));
    assert.deepEqual(text, ["I cannot help with that."]);
  });

  it("is stopped upstream when it is interrupted", async () => {
    const { model, emulator } = emulated("tps=20");
    const stream = model.chat({ chatCtx: question("Write 500 words"), connOptions: once });
    await stream.next();
    stream.close();
    while (emulator.ledger.open > 0) await new Promise(setImmediate);
    assert.deepEqual(
      emulator.ledger.records.map(({ aborted }) => aborted),
      [true],
    );
  });
});

describe("tools", () => {
  it("are sent with their schemas, called once the answer is whole, and answered", async () => {
    const { model, asked } = emulated();
    const chatCtx = question("What is the weather in Pune?");
    const toolCtx = new ToolContext([weather]);
    const { toolCalls } = await model
      .chat({ chatCtx, toolCtx, toolChoice: "required", parallelToolCalls: false })
      .collect();
    const [call] = toolCalls as [llm.FunctionCall];
    assert.deepEqual([toolCalls.length, call.name, JSON.parse(call.args)], [1, "get_weather", { city: "Pune" }]);
    const [sent] = asked as [{ tools: { function: object }[]; tool_choice: string; parallel_tool_calls: boolean }];
    assert.deepEqual([sent.tool_choice, sent.parallel_tool_calls], ["required", false]);
    assert.deepEqual(sent.tools[0]?.function, {
      name: "get_weather",
      description: "The weather of a city",
      parameters: {
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
        additionalProperties: false,
      },
    });

    const output = "31 degrees";
    chatCtx.insert([
      call,
      llm.FunctionCallOutput.create({ callId: call.callId, name: call.name, output, isError: false }),
    ]);
    const { text } = await model.chat({ chatCtx, toolCtx }).collect();
    assert.match(text, /31 degrees/);
    const roles = (asked[1] as { messages: { role: string }[] }).messages.map(({ role }) => role);
    assert.deepEqual(roles, ["user", "assistant", "tool"]);
  });

  it("keep what the server wants to see again", async () => {
    const extra_content = { google: { thought_signature: "s-1" } };
    const call = { index: 0, id: "c1", type: "function", function: { name: "get_weather", arguments: "{}" } };
    const events = [
      event({ id: "1", choices: [{ index: 0, delta: { tool_calls: [{ ...call, extra_content }] } }] }),
      says("", "tool_calls"),
      DONE,
    ];
    const { toolCalls } = await answered(events)
      .chat({ chatCtx: question("Hi"), toolCtx: new ToolContext([weather]) })
      .collect();
    assert.deepEqual([toolCalls[0]?.extra, toolCalls[0]?.thoughtSignature], [extra_content, "s-1"]);
  });

  it("without a schema take nothing", async () => {
    const { model, asked } = emulated();
    const bare = tool({ name: "hang_up", description: "Ends the call", execute: async () => "done" });
    await model.chat({ chatCtx: question("Hello"), toolCtx: new ToolContext([bare]) }).collect();
    const [sent] = asked as [{ tools: { function: { parameters: { type: string } } }[] }];
    assert.equal(sent.tools[0]?.function.parameters.type, "object");
  });

  it("are not called when their arguments were cut short", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "get_weather", arguments: '{"city":"Pu' } };
    const events = [
      event({ id: "1", choices: [{ index: 0, delta: { tool_calls: [call] } }] }),
      says("", "length"),
      DONE,
    ];
    const { error, chunks } = await failureOf(answered(events));
    assert.ok(error instanceof APIError);
    assert.match(error.message, /get_weather were cut short \(length\)/);
    assert.deepEqual(chunks, []);
  });

  it("whose arguments are not JSON are LiveKit's to mend, where the answer is whole", async () => {
    const call = {
      index: 0,
      id: "c1",
      type: "function",
      function: { name: "get_weather", arguments: '{city: "Pune"}' },
    };
    const events = [
      event({ id: "1", choices: [{ index: 0, delta: { tool_calls: [call] } }] }),
      says("", "tool_calls"),
      DONE,
    ];
    const chunks = await chunksOf(answered(events).chat({ chatCtx: question("Hello") }));
    const calls = chunks.flatMap(({ delta }) => delta?.toolCalls ?? []);
    assert.deepEqual(
      calls.map(({ name, args }) => [name, args]),
      [["get_weather", '{city: "Pune"}']],
    );
    const answers = [events, [says("31 degrees.", "stop"), DONE]];
    const fetch: ClientOptions["fetch"] = async (_, { method }) =>
      serve(method === "POST" ? (answers.shift() ?? []) : []).response;
    const model = new LLM({ client: { baseURL: "https://voice.test/v1", fetch }, model: "m" });
    const session = new voice.AgentSession({ llm: model });
    await session.start({ agent: new voice.Agent({ instructions: "Be brief.", tools: [weather] }) });
    const run = session.run({ userInput: "What is the weather in Pune?" });
    await run.wait();
    const [output] = run.events.flatMap((one) => (one.type === "function_call_output" ? [one.item.output] : []));
    assert.match(String(output), /31 degrees in Pune/);
    await session.close();
  });

  it("run in an agent's session", async () => {
    const { model } = emulated();
    const session = new voice.AgentSession({ llm: model });
    await session.start({ agent: new voice.Agent({ instructions: "Be brief.", tools: [weather] }) });
    const run = session.run({ userInput: "What is the weather in Pune?" });
    await run.wait();
    const said = run.events.map(({ type }) => type);
    assert.deepEqual(said, ["function_call", "function_call_output", "message"]);
    await session.close();
  });
});

describe("errors are LiveKit's own, told once", () => {
  it("a refusal has its status, body and request id", async () => {
    const { model } = emulated("status=401");
    const { error } = await failureOf(model);
    assert.ok(error instanceof APIStatusError);
    assert.equal(error.statusCode, 401);
    assert.equal(error.retryable, false);
    assert.match(String(error.requestId), /^req_/);
    assert.ok(error.body && Object.keys(error.body).length > 0);
    assert.ok(error.cause instanceof ChatwireError);
  });

  it("is tried again as often as the session allows, by the client", async () => {
    const { model, emulator } = emulated("status=503");
    const connOptions = { maxRetry: 2, retryIntervalMs: 1, timeoutMs: 10_000 };
    const { error } = await failureOf(model, { connOptions });
    assert.ok(error instanceof APIStatusError);
    assert.equal(emulator.ledger.requests, 3);
    const { model: mended } = emulated("status=503; times=1");
    const { text } = await mended.chat({ chatCtx: question("Echo: Hello."), connOptions }).collect();
    assert.equal(text, "Hello.");
  });

  it("LiveKit's own fallback asks the next model", async () => {
    const { model: down, emulator } = emulated("status=503");
    const { model } = emulated();
    const adapter = new llm.FallbackAdapter({ llms: [down, model], maxRetryPerLLM: 0 });
    const { text } = await adapter.chat({ chatCtx: question("Echo: Hello."), connOptions: once }).collect();
    assert.equal(text, "Hello.");
    assert.ok(emulator.ledger.requests >= 1);
    await adapter.aclose();
  });

  it("no connection", async () => {
    const { error } = await failureOf(emulated("refuse").model);
    assert.ok(error instanceof APIConnectionError && !(error instanceof APITimeoutError));
  });

  it("headers that do not come within the session's timeout", async () => {
    const { error } = await failureOf(emulated("slow-headers=60000").model, {
      connOptions: { ...once, timeoutMs: 20 },
    });
    assert.ok(error instanceof APITimeoutError);
  });

  it("an answer that stalls, or breaks off, after all that came", async () => {
    const stalled = await failureOf(emulated("stall=900", { timeout: { idle: 50 } }).model);
    assert.ok(stalled.error instanceof APITimeoutError, String(stalled.error));
    const fetch = async () => serve([says("One. Two")]).response;
    const broken = new LLM({ client: { baseURL: "https://voice.test/v1", fetch }, model: "m" });
    const { error, chunks } = await failureOf(broken);
    assert.ok(error instanceof APIConnectionError);
    assert.equal((error.cause as Error).name, "TruncatedError");
    assert.deepEqual(spoken(chunks).join(""), "One. Two");
  });

  it("a request that makes no sense is not sent", async () => {
    const { model, emulator } = emulated();
    const { error } = await failureOf(model, { extraKwargs: { temperature: 7 } });
    assert.ok(error instanceof APIError);
    assert.equal((error.cause as Error).name, "InvalidRequestError");
    assert.equal(emulator.ledger.requests, 0);
  });
});

describe("the model", () => {
  it("is warmed up without a completion", async () => {
    const { model, emulator, asked } = emulated();
    model.prewarm();
    while (emulator.ledger.requests === 0 || emulator.ledger.open > 0) await new Promise(setImmediate);
    assert.deepEqual(asked, []);
    assert.equal(emulator.ledger.tokens.total, 0);
    await model.aclose();
  });

  it("says who it is, and takes a client as it is", () => {
    const client = new Chatwire({ provider: "electron", apiKey: "k" });
    const model = new LLM({ client, model: "electron" });
    assert.deepEqual([model.label(), model.model, model.provider], ["chatwire.LLM", "electron", "chatwire"]);
    assert.equal(new LLM({ client: { provider: "electron", apiKey: "k" }, model: "e" }).provider, "electron");
  });

  it("needs a name", () => {
    for (const options of [{ client: {} }, { client: {}, model: "" }, undefined]) {
      assert.throws(() => new LLM(options as never), { name: "ChatwireError", message: /has no model/ });
    }
  });
});
