/**
 * Against a server nobody here wrote: `@copilotkit/aimock`, over a real socket.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LLMock } from "@copilotkit/aimock";
import { APIError, Chatwire, InternalServerError, RateLimitError, tool } from "chatwire";
import { collect, failureOf } from "./serving.ts";

const mock = new LLMock({ port: 0 });
let client: Chatwire;

before(async () => {
  const city = (name: string) => ({
    id: `call_${name}`,
    name: "get_weather",
    arguments: JSON.stringify({ city: name }),
  });
  mock
    .onMessage("hello", { content: "Hello there, naïve 😀 नमस्ते!" })
    .onMessage("think", { content: "42.", reasoning: "Six times seven." })
    .on(
      { userMessage: "weather", hasToolResult: false },
      { content: "One moment.", toolCalls: [city("Paris"), city("Rome")] },
    )
    .on({ userMessage: "weather", hasToolResult: true }, { content: "Sunny in both." });
  await mock.start();
  client = new Chatwire({ baseURL: `${mock.url}/v1`, apiKey: "mock", maxRetries: 0 });
});
after(() => mock.stop());

const ask = (content: string) => ({ model: "gpt-4o", messages: [{ role: "user" as const, content }] });

test("text_whole_and_streamed_is_the_same_and_counted", async () => {
  const whole = await client.chat.completions.create(ask("hello"));
  assert.equal(whole.choices[0]?.message.content, "Hello there, naïve 😀 नमस्ते!");
  const stream = client.chat.completions.stream({ ...ask("hello"), stream_options: { include_usage: true } });
  assert.equal((await collect(stream.textStream)).join(""), whole.choices[0]?.message.content);
  const outcome = await stream.outcome();
  assert.equal(outcome.status, "complete");
  assert.deepEqual(outcome.repairs, []);
  assert.ok(outcome.usage && outcome.usage.completion_tokens > 0 && !outcome.usage.estimated);
  assert.ok(outcome.requestId);
});

test("reasoning_is_kept_apart", async () => {
  const outcome = await client.chat.completions.stream(ask("think")).outcome();
  assert.deepEqual([outcome.text, outcome.reasoning], ["42.", "Six times seven."]);
});

test("parallel_tools_run_to_an_answer", async () => {
  const cities: string[] = [];
  const weather = tool<{ city: string }>({
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    execute: ({ city }) => {
      cities.push(city);
      return { city, sky: "sunny" };
    },
  });
  const run = client.chat.completions.runTools({ ...ask("weather"), tools: [weather] });
  assert.equal(await run.finalContent(), "Sunny in both.");
  assert.deepEqual(cities, ["Paris", "Rome"]);
  const roles = (await run.outcome()).messages.map(({ role }) => role);
  assert.deepEqual(roles, ["user", "assistant", "tool", "tool", "assistant"]);
});

test("its_errors_are_classes_and_a_retry_gets_through", async () => {
  mock.nextRequestError(429, { message: "slow down", type: "rate_limit_error" });
  const limited = await failureOf(client.chat.completions.create(ask("hello")));
  assert.ok(limited instanceof RateLimitError);
  assert.match(limited.message, /slow down/);
  assert.ok(limited.requestID);

  mock.nextRequestError(503, { message: "busy" });
  await assert.rejects(collect(client.chat.completions.stream(ask("hello"))), InternalServerError);

  mock.nextRequestError(500, { message: "once" });
  const patient = new Chatwire({ baseURL: `${mock.url}/v1`, apiKey: "other", maxRetries: 1 });
  const outcome = await patient.chat.completions.stream(ask("hello")).outcome();
  assert.equal(outcome.status, "complete");
  assert.deepEqual(
    outcome.attempts.map(({ status }) => status),
    [500, 200],
  );
});

test("its_chaos_ends_in_a_named_outcome", async () => {
  for (const chaos of [{ malformedRate: 1 }, { disconnectRate: 1 }, { dropRate: 1 }]) {
    mock.setChaos(chaos);
    const what = JSON.stringify(chaos);
    const outcome = await client.chat.completions.stream(ask("hello")).outcome();
    assert.ok(["truncated", "error"].includes(outcome.status), `${what}: ${outcome.status}`);
    assert.ok(outcome.error && outcome.error.name !== "Error", what);
    await assert.rejects(client.chat.completions.create(ask("hello")), what);
  }
  mock.setChaos({ malformedRate: 0, disconnectRate: 0, dropRate: 0 });
  assert.equal(await client.chat.completions.stream(ask("hello")).finalContent(), "Hello there, naïve 😀 नमस्ते!");
});

test("what_it_does_not_know_is_an_api_error", async () => {
  const error = await failureOf(client.chat.completions.create(ask("something else entirely")));
  assert.ok(error instanceof APIError);
  assert.equal(error.status, 404);
});
