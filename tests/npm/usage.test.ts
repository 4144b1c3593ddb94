/**
 * The usage of an answer: the server's count, or an estimate that says so, whichever way the stream ended.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ChatDecoder, Chatwire, type ClientOptions, type Outcome } from "chatwire";
import { createEmulator, type EmulatorOptions } from "chatwire/emulator";
import { clientOf, DONE, encode, event, failureOf, hello, says, serve } from "./serving.ts";

const STORY = "Echo: The quick brown fox jumps over the lazy dog, and then it sleeps in the warm afternoon sun.";
const ask = (content: string) => ({ model: "electron", messages: [{ role: "user" as const, content }] });

function electron(options: EmulatorOptions = {}, settings: ClientOptions = {}) {
  const emulator = createEmulator({ seed: 7, ...options });
  const fetch = emulator.fetch as NonNullable<ClientOptions["fetch"]>;
  return { emulator, client: new Chatwire({ provider: "electron", apiKey: "any", fetch, maxRetries: 0, ...settings }) };
}

/** Electron's prices, in USD per token. */
const priceOf = ({ prompt_tokens, completion_tokens }: { prompt_tokens: number; completion_tokens: number }) =>
  (prompt_tokens * 0.4 + completion_tokens * 1.6) / 1e6;

function assertEstimate({ usage, cost }: Outcome): NonNullable<Outcome["usage"]> {
  assert.ok(usage?.estimated, JSON.stringify(usage));
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.ok(Math.abs((cost ?? 0) - priceOf(usage)) < 1e-12, `${cost}`);
  return usage;
}

test("a_stream_that_does_not_say_what_it_used_is_estimated", async () => {
  const { client, emulator } = electron();
  const outcome = await client.chat.completions.stream(ask(STORY)).outcome();
  const usage = assertEstimate(outcome);
  const counted = emulator.ledger.records[0]?.usage;
  // The emulator's tokens are its own; a third is what two tokenizers differ by.
  for (const kind of ["prompt_tokens", "completion_tokens"] as const) {
    const ratio = usage[kind] / (counted?.[kind] ?? 0);
    assert.ok(ratio > 0.66 && ratio < 1.5, `${kind}: ${usage[kind]} for ${counted?.[kind]}`);
  }
  const { estimated, uncounted, requests, total_tokens, cost } = client.usage;
  assert.deepEqual([requests, estimated, uncounted, total_tokens], [1, 1, 0, usage.total_tokens]);
  assert.ok(Math.abs((cost ?? 0) - priceOf(usage)) < 1e-12);
});

test("what_the_server_counted_is_not_estimated", async () => {
  const { client, emulator } = electron();
  const streamed = { ...ask(STORY), stream_options: { include_usage: true } };
  const { usage } = await client.chat.completions.stream(streamed).outcome();
  assert.equal(usage?.estimated, false);
  assert.equal(usage?.total_tokens, emulator.ledger.records[0]?.usage?.total_tokens);
  assert.equal(client.usage.estimated, 0);
});

test("leaving_mid_stream_costs_what_had_arrived", async () => {
  const { client, emulator } = electron({ trouble: "pieces=400" });
  const stream = client.chat.completions.stream({ ...ask(STORY), stream_options: { include_usage: true } });
  let heard = "";
  for await (const text of stream.textStream) {
    heard += text;
    if (heard.length > 20) break;
  }
  const outcome = await stream.outcome();
  assert.equal(outcome.status, "aborted");
  const { prompt_tokens, completion_tokens } = assertEstimate(outcome);
  assert.ok(prompt_tokens > 10);
  assert.ok(completion_tokens > 2 && completion_tokens < 20, `${completion_tokens}`);
  assert.ok(emulator.ledger.records[0]?.aborted);
  assert.equal(client.usage.estimated, 1);
});

for (const [trouble, status, settings] of [
  ["cut=900", "truncated", {}],
  ["reset=900", "truncated", {}],
  ["stall=900", "stalled", { timeout: { idle: 20 } }],
  ["in-band-error", "error", {}],
] as const) {
  test(`a_stream_that_is_${status}_by_${trouble.replace(/=.*/, "")}_is_estimated`, async () => {
    const { client } = electron({ trouble }, settings);
    const outcome = await client.chat.completions.stream(ask(STORY)).outcome();
    assert.equal(outcome.status, status);
    const usage = assertEstimate(outcome);
    assert.ok(usage.prompt_tokens > 10 && usage.completion_tokens > 0);
    assert.deepEqual([client.usage.estimated, client.usage.total_tokens], [1, usage.total_tokens]);
  });
}

test("a_prompt_is_billed_also_when_its_answer_is_not_waited_for", async () => {
  const client = clientOf(serve([], { after: "silence" }), { prices: { input: 1, output: 1 } });
  const stream = await client.chat.completions.create({ ...hello, stream: true });
  const ended = stream.outcome();
  stream.abort();
  const { status, usage, cost } = await ended;
  assert.equal(status, "aborted");
  assert.ok(usage?.estimated && usage.prompt_tokens > 0);
  assert.equal(usage.completion_tokens, 0);
  assert.equal(cost, usage.prompt_tokens / 1e6);
});

test("what_never_was_an_answer_used_nothing_that_is_known", async () => {
  for (const parts of [["<html>no</html>"], [event({ error: { message: "overloaded" } })], []]) {
    const client = clientOf(serve(parts), { prices: { input: 1, output: 1 } });
    const { usage, cost } = await client.chat.completions.stream(hello).outcome();
    assert.deepEqual([usage, cost], [null, null]);
    assert.deepEqual([client.usage.estimated, client.usage.cost], [0, null]);
  }
});

test("without_prices_an_estimate_costs_null", async () => {
  const { usage, cost } = await clientOf(serve([says("a", "stop"), DONE]))
    .chat.completions.stream(hello)
    .outcome();
  assert.deepEqual([usage?.estimated, cost], [true, null]);
});

test("reasoning_refusals_and_tool_calls_are_counted", async () => {
  const delta = (delta: object, finish_reason: string | null = null) =>
    event({ choices: [{ index: 0, delta, finish_reason }] });
  const used = async (...parts: string[]) => {
    const { usage } = await clientOf(serve([...parts, DONE]))
      .chat.completions.stream(hello)
      .outcome();
    return usage?.completion_tokens ?? 0;
  };
  const end = delta({}, "stop");
  const plain = await used(says("one two three"), end);
  assert.equal(plain, 3);
  const call = {
    index: 0,
    id: "call_1",
    type: "function",
    function: { name: "look_up", arguments: '{"city":"Pune"}' },
  };
  assert.equal(await used(delta({ reasoning_content: "four five" }), says("one two three"), end), plain + 2);
  assert.equal(await used(delta({ refusal: "no, thanks" }), end), 3);
  assert.ok((await used(says("one two three"), delta({ tool_calls: [call] }), end)) > plain + 5);
});

test("every_choice_is_counted", async () => {
  const choice = (index: number) => ({ index, delta: { content: "one two" }, finish_reason: "stop" });
  const served = serve([event({ choices: [choice(0), choice(1)] }), DONE]);
  const { usage } = await clientOf(served)
    .chat.completions.stream({ ...hello, n: 2 })
    .outcome();
  assert.equal(usage?.completion_tokens, 4);
});

test("an_answer_that_is_not_kept_is_not_estimated", async () => {
  const client = clientOf(serve([says("a", "stop"), DONE]));
  const { usage } = await client.chat.completions.stream(hello, { accumulate: false }).outcome();
  assert.equal(usage, null);
  assert.deepEqual([client.usage.requests, client.usage.uncounted], [1, 1]);
});

test("a_whole_answer_without_usage_is_estimated_in_the_totals_and_left_as_it_is", async () => {
  const body = { choices: [{ index: 0, message: { role: "assistant", content: "one two" }, finish_reason: "stop" }] };
  const client = clientOf(async () => Response.json(body));
  assert.deepEqual(await client.chat.completions.create(hello), body);
  assert.deepEqual([client.usage.completion_tokens, client.usage.estimated], [2, 1]);
});

test("the_tools_of_a_request_are_part_of_its_prompt", async () => {
  const tools = [
    { type: "function" as const, function: { name: "look_up", description: "Looks up a city by its name." } },
  ];
  const used = async (params: object) => {
    const client = clientOf(serve([says("a", "stop"), DONE]));
    return (await client.chat.completions.stream({ ...hello, ...params }).outcome()).usage?.prompt_tokens ?? 0;
  };
  assert.ok((await used({ tools })) > (await used({})) + 5);
});

test("a_decoder_alone_does_not_know_the_prompt", () => {
  const decoder = new ChatDecoder({});
  decoder.push(encode(says("a", "stop") + DONE));
  assert.equal(decoder.end("closed").usage, null);
});

const recorded = new URL("../../../shared/wire/recorded/", import.meta.url);

/** A recorded stream that does not say what it used. */
function withoutUsage(stream: string): string {
  const events = stream.split("\n").filter((line) => line.startsWith("data: {"));
  const kept = events.flatMap((line) => {
    const chunk = JSON.parse(line.slice(6), (name, value) => (name === "usage" ? undefined : value));
    return chunk.choices?.length > 0 ? [event(chunk)] : [];
  });
  return kept.join("") + DONE;
}

test("the_estimate_is_near_on_recorded_streams", {
  skip: existsSync(recorded) ? false : "the recorded streams are not there",
}, async (context) => {
  let long = 0;
  for (const file of readdirSync(recorded).filter((name) => name.endsWith(".sse"))) {
    const stream = readFileSync(new URL(file, recorded), "utf8");
    const outcomeOf = (text: string) =>
      clientOf(serve([text]))
        .chat.completions.stream(hello)
        .outcome();
    const counted = (await outcomeOf(stream)).usage;
    const { usage, text, reasoning } = await outcomeOf(withoutUsage(stream));
    assert.ok(usage?.estimated, file);
    if (!counted?.completion_tokens || counted.estimated) continue;
    const error = 100 * (usage.completion_tokens / counted.completion_tokens - 1);
    const told = `${file}: ${counted.completion_tokens} counted, ${usage.completion_tokens} estimated, ${error.toFixed(1)} %`;
    context.diagnostic(told);
    // Short answers say little: the recordings were shortened, and some servers hide their reasoning.
    if (text.length + reasoning.length <= 400) continue;
    long++;
    assert.ok(Math.abs(error) <= 5, told);
  }
  assert.ok(long > 0);
});

test("an_aborted_call_that_never_opened_used_nothing", async () => {
  const client = clientOf(() => new Promise<Response>(() => {}));
  const controller = new AbortController();
  const failed = failureOf(client.chat.completions.create(hello, { signal: controller.signal }));
  controller.abort();
  await failed;
  assert.equal(client.usage.requests, 0);
});

test("cost_runs_while_the_answer_streams_and_ends_as_the_server_says", async () => {
  const { client } = electron({ trouble: "pieces=400" });
  const stream = client.chat.completions.stream({ ...ask(STORY), stream_options: { include_usage: true } });
  assert.deepEqual([stream.usage, stream.cost], [null, null], "nothing has been sent yet");
  const costs: number[] = [];
  for await (const _ of stream.textStream) {
    if (!stream.usage?.estimated) continue;
    assert.ok(Math.abs((stream.cost ?? 0) - priceOf(stream.usage)) < 1e-12);
    costs.push(stream.cost ?? 0);
  }
  assert.ok(costs.length > 2, `${costs}`);
  assert.ok(
    costs.every((cost, at) => at === 0 || cost >= (costs[at - 1] as number)),
    `${costs}`,
  );
  assert.ok((costs.at(-1) as number) > (costs[0] as number));
  const outcome = await stream.outcome();
  assert.deepEqual([stream.usage, stream.cost], [outcome.usage, outcome.cost]);
  assert.equal(stream.usage?.estimated, false);
});
