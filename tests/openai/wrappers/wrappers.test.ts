/**
 * Packages that are given a client of openai work with one of `chatwire/openai`: each the real one, on the emulator.
 *
 * Types are not compared: a type that asks for `openai`'s class takes no other (docs/from-openai.md).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEmulator } from "chatwire/emulator";
import OpenAI from "chatwire/openai";

const messages = [{ role: "user" as const, content: "Echo: hello there" }];
const weather = {
  name: "get_weather",
  description: "Current weather of a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

function openai(): OpenAI {
  const { fetch } = createEmulator({ models: ["electron", "gpt-4o"] });
  return new OpenAI({ apiKey: "sk-test", baseURL: "https://emulator.test/v1", fetch });
}

// The packages' types name openai's own class.
// biome-ignore lint/suspicious/noExplicitAny: a client for any of them
const client = (): any => openai();

test("LangSmith: wrapOpenAI", async () => {
  process.env.LANGSMITH_TRACING = "false";
  const { wrapOpenAI } = await import("langsmith/wrappers");
  const wrapped = wrapOpenAI(client());
  const whole = await wrapped.chat.completions.create({ model: "gpt-4o", messages });
  assert.match(whole.choices[0]?.message.content ?? "", /hello there/);
  let text = "";
  const stream = await wrapped.chat.completions.create({ model: "gpt-4o", messages, stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.match(text, /hello there/);
  const parsed = await wrapped.chat.completions.parse({ model: "gpt-4o", messages });
  assert.equal(parsed.choices[0]?.message.parsed, null);
});

test("LangSmith: a traced call", async () => {
  const { Client } = await import("langsmith");
  const { wrapOpenAI } = await import("langsmith/wrappers");
  const posted: string[] = [];
  const fetchImplementation = async (url: string | URL | Request, init?: RequestInit) => {
    posted.push(`${init?.method} ${new URL(String(url)).pathname}`);
    return new Response("{}", { headers: { "content-type": "application/json" } });
  };
  const tracing = new Client({
    apiUrl: "https://langsmith.test",
    apiKey: "ls",
    fetchImplementation,
    autoBatchTracing: false,
  });
  const wrapped = wrapOpenAI(client(), { client: tracing as never, tracingEnabled: true });
  const answer = await wrapped.chat.completions.create({ model: "gpt-4o", messages });
  assert.match(answer.choices[0]?.message.content ?? "", /hello there/);
  let text = "";
  for await (const chunk of await wrapped.chat.completions.create({ model: "gpt-4o", messages, stream: true })) {
    text += chunk.choices[0]?.delta.content ?? "";
  }
  assert.match(text, /hello there/);
  await tracing.awaitPendingTraceBatches();
  assert.ok(
    posted.some((one) => one.startsWith("POST")),
    "nothing was traced",
  );
});

test("Braintrust: wrapOpenAI", async () => {
  const { wrapOpenAI } = await import("braintrust");
  const wrapped = wrapOpenAI(client());
  const whole = await wrapped.chat.completions.create({ model: "gpt-4o", messages });
  assert.match(whole.choices[0]?.message.content ?? "", /hello there/);
  const { data, response } = await wrapped.chat.completions.create({ model: "gpt-4o", messages }).withResponse();
  assert.match(data.choices[0]?.message.content ?? "", /hello there/);
  assert.equal(response.status, 200);
  let text = "";
  const stream = await wrapped.chat.completions.create({ model: "gpt-4o", messages, stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.match(text, /hello there/);
  const emitter = wrapped.chat.completions.stream({ model: "gpt-4o", messages });
  assert.match((await emitter.finalContent()) ?? "", /hello there/);
  await assert.rejects(async () => wrapped.embeddings.create({ model: "m", input: "a" }), /`openai` package/);
});

test("LangChain: ChatOpenAI with a given client", async () => {
  const { ChatOpenAI, ChatOpenAICompletions } = await import("@langchain/openai");
  const model = new ChatOpenAICompletions({ model: "gpt-4o", apiKey: "sk-test" });
  Object.assign(model, { client: client() });
  const answer = await model.invoke("Echo: hello there");
  assert.match(String(answer.content), /hello there/);
  assert.ok((answer.usage_metadata?.total_tokens ?? 0) > 0);
  let text = "";
  for await (const chunk of await model.stream("Echo: hello there")) text += chunk.content;
  assert.match(text, /hello there/);
  const calling = await model
    .bindTools([{ type: "function", function: weather }])
    .invoke("What is the weather in Paris?");
  assert.equal(calling.tool_calls?.[0]?.name, "get_weather");
  const structured = model.withStructuredOutput(weather.parameters, { name: "place", method: "jsonSchema" });
  assert.equal(typeof (await structured.invoke("Which city? Paris")).city, "string");
  // The same by the name that programs use.
  const chat = new ChatOpenAI({ model: "gpt-4o", apiKey: "sk-test", useResponsesApi: false });
  Object.assign((chat as unknown as { completions: object }).completions, { client: client() });
  assert.match(String((await chat.invoke("Echo: hello there")).content), /hello there/);
});

test("LangChain: errors are sorted as openai's", async () => {
  const { ChatOpenAICompletions } = await import("@langchain/openai");
  const { fetch } = createEmulator({ models: ["gpt-4o"], trouble: "status=401" });
  const model = new ChatOpenAICompletions({ model: "gpt-4o", apiKey: "sk-test", maxRetries: 0 });
  Object.assign(model, { client: new OpenAI({ apiKey: "k", baseURL: "https://e.test/v1", fetch, maxRetries: 0 }) });
  await assert.rejects(model.invoke("hello"), (error: { status?: number }) => error.status === 401);
});

test("the Agents SDK: OpenAIChatCompletionsModel", async () => {
  const { Agent, Runner, setTracingDisabled, tool } = await import("@openai/agents-core");
  const { OpenAIChatCompletionsModel } = await import("@openai/agents-openai");
  const { z } = await import("zod");
  setTracingDisabled(true);
  const model = new OpenAIChatCompletionsModel(client(), "gpt-4o");
  const asked: string[] = [];
  const agent = new Agent({
    name: "assistant",
    instructions: "Be kind.",
    model,
    tools: [
      tool({
        name: weather.name,
        description: weather.description,
        parameters: z.object({ city: z.string() }),
        execute: async ({ city }) => {
          asked.push(city);
          return `Sunny in ${city}`;
        },
      }),
    ],
  });
  const runner = new Runner();
  const { finalOutput } = await runner.run(agent, "What is the weather in Paris?");
  assert.deepEqual(asked, ["Paris"]);
  assert.equal(typeof finalOutput, "string");
  const streamed = await runner.run(agent, "Echo: hello there", { stream: true });
  let text = "";
  for await (const piece of streamed.toTextStream()) text += piece;
  await streamed.completed;
  assert.match(text, /hello there/);
});

test("LiveKit: the LLM of its OpenAI plugin", async () => {
  const { initializeLogger, llm } = await import("@livekit/agents");
  const { LLM } = await import("@livekit/agents-plugin-openai");
  initializeLogger({ pretty: false, level: "silent" });
  const model = new LLM({ client: client(), model: "gpt-4o" });
  const chatCtx = llm.ChatContext.empty();
  chatCtx.addMessage({ role: "user", content: "Echo: hello there" });
  let text = "";
  for await (const chunk of model.chat({ chatCtx })) text += chunk.delta?.content ?? "";
  assert.match(text, /hello there/);
});

test("LiveKit: an error says its status", async () => {
  const { llm } = await import("@livekit/agents");
  const { LLM } = await import("@livekit/agents-plugin-openai");
  const { fetch } = createEmulator({ models: ["gpt-4o"], trouble: "status=400" });
  const given = new OpenAI({ apiKey: "k", baseURL: "https://e.test/v1", fetch, maxRetries: 0 });
  const model = new LLM({ client: given as never, model: "gpt-4o" });
  const seen: unknown[] = [];
  model.on("error" as never, ((event: { error: unknown }) => seen.push(event.error)) as never);
  const chatCtx = llm.ChatContext.empty();
  chatCtx.addMessage({ role: "user", content: "Hello" });
  const connOptions = { maxRetry: 0, retryIntervalMs: 1, timeoutMs: 2000 };
  const stream = model.chat({ chatCtx, connOptions });
  try {
    for await (const _ of stream);
  } catch (error) {
    seen.push(error);
  }
  // The plugin asks its own copy of openai what is an APIError, so that it takes the refusal for a lost connection.
  assert.match(String((seen.at(-1) as Error)?.message), /400/);
});

/** Asks whole and streamed. */
async function asks(openai: OpenAI): Promise<string[]> {
  const whole = await openai.chat.completions.create({ model: "gpt-4o", messages });
  let text = "";
  const stream = await openai.chat.completions.create({ model: "gpt-4o", messages, stream: true });
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  return [whole.choices[0]?.message.content ?? "", text];
}

test("Langfuse: observeOpenAI", async () => {
  const { observeOpenAI } = await import("@langfuse/openai");
  assert.deepEqual(await asks(observeOpenAI(client())), ["hello there", "hello there"]);
});

test("Instructor: an answer of a shape", async () => {
  const { default: Instructor } = await import("@instructor-ai/instructor");
  const { z } = await import("zod");
  const instructor = Instructor({ client: client(), mode: "MD_JSON" });
  const answer = await instructor.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content: 'Echo: {"name":"Ann"}' }],
    // Its types are those of zod 3.
    response_model: { name: "User", schema: z.object({ name: z.string() }) as never },
  });
  assert.equal((answer as { name?: string }).name, "Ann");
});

for (const name of ["@arizeai/openinference-instrumentation-openai", "@traceloop/instrumentation-openai"]) {
  test(`${name}: instrumentation of the class`, async () => {
    const { OpenAIInstrumentation } = await import(name);
    const { create } = OpenAI.Chat.Completions.prototype;
    new OpenAIInstrumentation().manuallyInstrument(OpenAI);
    try {
      assert.notEqual(OpenAI.Chat.Completions.prototype.create, create);
      assert.deepEqual(await asks(openai()), ["hello there", "hello there"]);
      const parsed = await openai().chat.completions.parse({ model: "gpt-4o", messages });
      assert.equal(parsed.choices[0]?.message.content, "hello there");
    } finally {
      OpenAI.Chat.Completions.prototype.create = create;
    }
  });
}
