/**
 * The shape of what the emulator sends: chunks and completions that agree, usage, limits of length, pace, abort.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createEmulator } from "../../npm/emulator/index.ts";
import { added, ask, chunks, complete, HUB, says, testClock } from "./emulator-ask.ts";

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Get current weather for a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const voice = { role: "system", content: "You are a phone agent. Briefly acknowledge out loud before using any tool." };

test("a stream is a role, one delta a token, a finish reason and [DONE]", async () => {
  const all = await chunks(createEmulator(), says("Echo: one two, three"));
  assert.deepEqual(
    all.map((chunk) => chunk.choices[0]?.delta),
    [
      { role: "assistant", content: "" },
      { content: "one" },
      { content: " two" },
      { content: "," },
      { content: " three" },
      {},
    ],
  );
  assert.deepEqual(
    all.map((chunk) => chunk.choices[0]?.finish_reason),
    [null, null, null, null, null, "stop"],
  );
  assert.equal(new Set(all.map((chunk) => chunk.id)).size, 1);
  assert.ok(all.every((chunk) => chunk.object === "chat.completion.chunk" && chunk.model === "electron"));
  assert.ok(
    all.every((chunk) => !("usage" in chunk)),
    "usage is not sent unasked",
  );
});

test("include_usage adds a last chunk without choices, and null before it", async () => {
  const emulator = createEmulator();
  const all = await chunks(emulator, { ...says("Echo: one two"), stream_options: { include_usage: true } });
  const last = all.pop();
  assert.ok(all.every((chunk) => chunk.usage === null));
  assert.deepEqual(last?.choices, []);
  assert.equal(last?.usage?.completion_tokens, 2);
  assert.deepEqual(last?.usage, emulator.ledger.records[0]?.usage);
});

const REQUESTS: [name: string, body: object, url?: string][] = [
  ["a story", says("Tell me a story")],
  ["emoji", says("Show me emoji")],
  ["Tamil", says("கதை சொல்")],
  ["one tool", { ...says("What's the weather in Mumbai?"), tools: [weather] }],
  [
    "two calls with a filler",
    { messages: [voice, { role: "user", content: "What's the weather in Mumbai and Pune?" }], tools: [weather] },
  ],
  ["stop", { ...says("Tell me a story"), stop: ["dark", "key"] }],
  ["a limit", { ...says("Tell me a story"), max_tokens: 7 }],
  ["a limit inside arguments", { ...says("What's the weather in Mumbai?"), tools: [weather], max_tokens: 3 }],
  ["JSON mode", { ...says("Tell me a story"), response_format: { type: "json_object" } }],
  ["reasoning", { ...says("2 + 2"), model: "deepseek-r1" }, HUB],
  ["legacy reasoning", { ...says("2 + 2"), model: "deepseek-r1", reasoning_content_compat: true }, HUB],
  ["thinking tags", { ...says("2 + 2"), model: "deepseek-r1" }, "http://x/v1thinking/chat/completions"],
  ["three choices", { ...says("Surprise me"), model: "gpt-4o", n: 3 }, HUB],
];

test("a stream adds up to the completion of the same request", async (t) => {
  for (const [name, body, url] of REQUESTS) {
    await t.test(name, async () => {
      const asked = url === undefined ? {} : { url };
      const completion = await complete(createEmulator({ seed: 5 }), body, asked);
      const all = await chunks(
        createEmulator({ seed: 5 }),
        { ...body, stream_options: { include_usage: true } },
        asked,
      );
      for (const choice of completion.choices) {
        assert.deepEqual(added(all, choice.index), { message: choice.message, finish: choice.finish_reason });
      }
      assert.deepEqual(all.at(-1)?.usage, completion.usage);
      const { prompt_tokens, completion_tokens, total_tokens } = completion.usage;
      assert.equal(prompt_tokens + completion_tokens, total_tokens);
    });
  }
});

test("stop ends the text before the earliest stop sequence, across tokens", async () => {
  const emulator = createEmulator();
  const answer = async (stop: unknown): Promise<string | null | undefined> =>
    (await complete(emulator, { ...says("Echo: alpha beta gamma"), stop })).choices[0]?.message.content;
  assert.equal(await answer("ta ga"), "alpha be");
  assert.equal(await answer(["gamma", "beta"]), "alpha ");
  assert.equal(await answer(["", "delta"]), "alpha beta gamma");
});

test("max_tokens ends the answer with length, and is no reason when it just suffices", async () => {
  const emulator = createEmulator();
  const cut = await complete(emulator, { ...says("Count to 50"), max_tokens: 10 });
  assert.equal(cut.choices[0]?.finish_reason, "length");
  assert.equal(cut.usage.completion_tokens, 10);
  const whole = await complete(emulator, { ...says("Echo: one two"), max_tokens: 2 });
  assert.equal(whole.choices[0]?.finish_reason, "stop");
});

test("logprobs come with each token, as many alternatives as asked", async () => {
  const body = { ...says("Echo: one two"), logprobs: true, top_logprobs: 3 };
  const { choices } = await complete(createEmulator(), body);
  const content = choices[0]?.logprobs?.content ?? [];
  assert.deepEqual(
    content.map((each) => each.token),
    ["one", " two"],
  );
  for (const each of content) {
    assert.equal(each.top_logprobs.length, 3);
    assert.equal(each.top_logprobs[0]?.token, each.token);
    assert.ok(each.logprob <= 0 && each.top_logprobs.every((top) => top.logprob <= each.logprob));
  }
  const streamed = (await chunks(createEmulator(), body)).flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
  assert.deepEqual(
    streamed.map((each) => each.token),
    ["one", " two"],
  );
  assert.equal((await complete(createEmulator(), says("Hello"))).choices[0]?.logprobs, undefined);
});

test("the same seed and requests give the same bytes, another seed others", async () => {
  const run = async (seed: number): Promise<string[]> => {
    const emulator = createEmulator({ seed, clock: testClock(), tokensPerSecond: 10 });
    const texts: string[] = [];
    for (const question of ["Surprise me", "Surprise me", "Tell me a fun fact"]) {
      texts.push(await (await ask(emulator, { ...says(question), stream: true })).text());
    }
    return texts;
  };
  assert.deepEqual(await run(1), await run(1));
  assert.notDeepEqual(await run(1), await run(2));
});

test("reset brings back the first answer", async () => {
  const emulator = createEmulator({ clock: testClock() });
  const first = await complete(emulator, says("Surprise me"));
  emulator.reset();
  assert.equal(emulator.ledger.requests, 0);
  assert.deepEqual(await complete(emulator, says("Surprise me")), first);
});

test("a seed in the request repeats the text whatever came before", async () => {
  const emulator = createEmulator();
  const texts = new Set<unknown>();
  for (let i = 0; i < 8; i++) {
    texts.add((await complete(emulator, { ...says("Surprise me"), seed: 11 })).choices[0]?.message.content);
  }
  assert.equal(texts.size, 1);
});

test("ids differ between requests", async () => {
  const emulator = createEmulator();
  const [one, two] = [await complete(emulator, {}), await complete(emulator, {})];
  assert.notEqual(one.id, two.id);
});

test("tokens keep the pace that was set, on average", async () => {
  const clock = testClock();
  const emulator = createEmulator({ clock, timeToFirstToken: 200, tokensPerSecond: 50 });
  const started = clock.time;
  const response = await ask(emulator, { ...says("Write 1000 words"), stream: true });
  const arrivals: number[] = [];
  for await (const _event of response.body ?? []) arrivals.push(clock.time - started);
  const [first = 0] = arrivals;
  assert.ok(first >= 180 && first <= 220, `first token after ${first} ms`);
  const rate = (arrivals.length / ((arrivals.at(-1) ?? 0) - first)) * 1000;
  assert.ok(rate > 45 && rate < 55, `${rate} tokens per second`);
});

test("a completion takes as long as its stream would", async () => {
  const clock = testClock();
  const emulator = createEmulator({ clock, timeToFirstToken: 200, tokensPerSecond: 50 });
  const started = clock.time;
  await complete(emulator, says("Echo: one two three four five six"));
  assert.equal(clock.time - started, 200 + 5 * 20);
});

test("nothing is generated ahead of the reader", async () => {
  const emulator = createEmulator();
  const response = await ask(emulator, { ...says("Count to 1000"), stream: true });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.read();
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(emulator.ledger.records[0]?.usage?.completion_tokens, 1);
  await reader?.cancel();
});

test("aborting in mid-stream errors the body with the reason and keeps the account", async () => {
  const emulator = createEmulator({ tokensPerSecond: 5 });
  const left = new AbortController();
  const response = await ask(emulator, { ...says("Count to 1000"), stream: true }, { signal: left.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.read();
  const pending = reader?.read();
  const reason = new Error("enough");
  left.abort(reason);
  await assert.rejects(async () => pending, reason);
  const [record] = emulator.ledger.records;
  assert.equal(record?.aborted, true);
  assert.equal(record?.usage?.completion_tokens, 1);
  assert.equal(emulator.ledger.open, 0);
  assert.equal(getEventListeners(left.signal, "abort").length, 0);
});

test("aborting before, and while a completion is generated, rejects with the reason", async () => {
  const emulator = createEmulator({ timeToFirstToken: 3_600_000 });
  const left = new AbortController();
  const pending = ask(emulator, {}, { signal: left.signal });
  left.abort("a string");
  await assert.rejects(pending, (reason) => reason === "a string");
  assert.equal(emulator.ledger.records[0]?.aborted, true);
  assert.equal(emulator.ledger.records[0]?.status, 0);
  await assert.rejects(ask(emulator, {}, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(emulator.ledger.requests, 1, "what was never sent never arrived");
});

test("cancelling the body is leaving; reading it to the end is not", async () => {
  const emulator = createEmulator();
  const signal = new AbortController().signal;
  const response = await ask(emulator, { ...says("Count to 100"), stream: true }, { signal });
  await response.body?.cancel();
  assert.equal(emulator.ledger.records[0]?.aborted, true);
  await (await ask(emulator, { ...says("Count to 100"), stream: true }, { signal })).text();
  assert.equal(emulator.ledger.records[1]?.aborted, false);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a reader that stops at [DONE] got everything", async () => {
  const emulator = createEmulator();
  const response = await ask(emulator, { ...says("Echo: hi"), stream: true });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; !text.includes("[DONE]"); ) text += decoder.decode((await reader?.read())?.value);
  assert.equal(emulator.ledger.open, 0);
  assert.equal(emulator.ledger.records[0]?.aborted, false);
});

test("the ledger adds up, tells of each end, and holds neither key nor message", async () => {
  const ended: number[] = [];
  const emulator = createEmulator({ onEnd: (record) => ended.push(record.status) });
  await complete(emulator, says("Echo: my secret"), { key: "sk-hidden" });
  await ask(emulator, { n: 5 }, { key: "sk-hidden" });
  await chunks(emulator, says("Echo: my secret"), { key: "sk-hidden" });
  const { ledger } = emulator;
  assert.deepEqual(ended, [200, 400, 200]);
  assert.equal(ledger.requests, 3);
  assert.equal(ledger.tokens.completion, 4);
  assert.equal(ledger.tokens.total, ledger.tokens.prompt + ledger.tokens.completion);
  assert.doesNotMatch(JSON.stringify(ledger.records), /sk-hidden|secret/);
  ledger.reset();
  assert.equal(ledger.tokens.total, 0);
});
