/** The usage record of each request, whichever side leaves at whatever time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, CHAT, chat, randomFrom, says, setUp, streamOf, until, withEmulator } from "./setting.ts";

/** Reads `bytes` bytes, then leaves: by letting go of the body, or as a server sees a closed connection. */
async function readAndLeave(
  answer: Response,
  bytes: number,
  controller: AbortController | undefined,
): Promise<boolean> {
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  for (let length = 0; length < bytes; ) {
    const { done, value } = await reader.read();
    if (done) return true;
    length += value.length;
  }
  if (controller) controller.abort();
  else await reader.cancel();
  return false;
}

test("drained_usage_is_the_ledger's_wherever_the_caller_leaves", async () => {
  const { fetch, recorded, emulator } = withEmulator({ onDisconnect: "drain" });
  const random = randomFrom(20);
  const runs = 400;
  let left = 0;
  for (let run = 0; run < runs; run++) {
    const pieces = [5, 50, 300][run % 3];
    const isStream = run % 5 !== 4;
    const controller = run % 2 ? new AbortController() : undefined;
    const text = `Tell me about number ${run} [emulator: pieces=${pieces}]`;
    const params = { stream: isStream, max_tokens: 40, ...(controller && { signal: controller.signal }) };
    const answer = await fetch(CHAT, chat(text, params));
    if (!(await readAndLeave(answer, random(4000), controller))) left++;
  }
  const records = await recorded(runs);
  const sum = (field: "promptTokens" | "completionTokens" | "tokens" | "cached") =>
    records.reduce((total, record) => total + (record[field] ?? Number.NaN), 0);
  const { prompt, completion, total, cached } = emulator.ledger.tokens;
  assert.ok(left > runs / 3, `${left} left early`);
  assert.deepEqual(
    [sum("promptTokens"), sum("completionTokens"), sum("tokens"), sum("cached")],
    [prompt, completion, total, cached],
  );
  for (const record of records) {
    const own = emulator.ledger.records.find(({ requestId }) => requestId === record.upstreamRequestId);
    assert.equal(record.tokens, own?.usage?.total_tokens);
    assert.deepEqual([record.outcome, record.estimated], ["complete", false]);
  }
  assert.equal(records.filter(({ disconnected }) => disconnected).length, left);
  assert.equal(records.length, runs);
});

test("a_caller_who_leaves_before_the_headers_is_drained_too", async () => {
  const { fetch, recorded, emulator } = withEmulator({}, { timeToFirstToken: 20 });
  const controller = new AbortController();
  const pending = fetch(
    CHAT,
    chat("Tell me a story [emulator: slow-headers=20]", { stream: true, signal: controller.signal }),
  );
  await until(() => emulator.ledger.requests === 1);
  controller.abort();
  await pending;
  const [record] = await recorded(1);
  assert.deepEqual([record?.outcome, record?.disconnected, record?.estimated], ["complete", true, false]);
  assert.equal(record?.tokens, emulator.ledger.tokens.total);
});

test("abort_stops_the_provider_and_estimates", async () => {
  const { fetch, recorded, emulator } = withEmulator({ onDisconnect: "abort" }, { tokensPerSecond: 500 });
  for (const isSignal of [true, false]) {
    const controller = isSignal ? new AbortController() : undefined;
    const params = { stream: true, ...(controller && { signal: controller.signal }) };
    const answer = await fetch(CHAT, chat("Tell me a long story", params));
    await readAndLeave(answer, 2000, controller);
  }
  const records = await recorded(2);
  await until(() => emulator.ledger.open === 0);
  for (const record of records) {
    assert.deepEqual([record.outcome, record.disconnected, record.estimated], ["aborted", true, true]);
    assert.ok((record.completionTokens ?? 0) > 0 && (record.promptTokens ?? 0) > 0);
  }
  assert.deepEqual(
    emulator.ledger.records.map(({ aborted }) => aborted),
    [true, true],
  );
});

test("abort_before_the_headers_is_charged_for_the_prompt_that_was_sent", async () => {
  const { fetch, recorded, emulator } = withEmulator({ onDisconnect: "abort" });
  const controller = new AbortController();
  const prompt = "word ".repeat(1000);
  const pending = fetch(CHAT, chat(`${prompt} [emulator: slow-headers=60000]`, { signal: controller.signal }));
  await until(() => emulator.ledger.requests === 1);
  controller.abort();
  await pending;
  const [record] = await recorded(1);
  assert.deepEqual([record?.outcome, record?.disconnected, record?.estimated], ["aborted", true, true]);
  assert.deepEqual([record?.provider, record?.completionTokens], ["upstream", 0]);
  assert.ok((record?.promptTokens ?? 0) > 500 && (record?.cost ?? 0) > 0, JSON.stringify(record));
});

test("a_record_says_all_there_is_to_bill", async () => {
  const { fetch, recorded } = withEmulator();
  const before = Date.now();
  await bytesOf(
    await fetch(CHAT, chat("Echo: one two three", { stream: true, headers: { "x-request-id": "trace-1" } })),
  );
  const [record] = await recorded(1);
  const { recordId, upstreamRequestId, startedAt, timing, cost, promptTokens, tokens, ...rest } =
    record ?? assert.fail();
  assert.deepEqual(rest, {
    requestId: "trace-1",
    caller: "anonymous",
    model: "electron",
    provider: "upstream",
    upstreamModel: "electron",
    status: 200,
    outcome: "complete",
    disconnected: false,
    cached: 0,
    completionTokens: 3,
    estimated: false,
  });
  assert.match(recordId, /^[\w-]{36}$/);
  assert.match(upstreamRequestId ?? "", /^req_/);
  assert.ok(startedAt >= before && startedAt <= Date.now());
  assert.ok((timing.firstToken ?? -1) >= (timing.firstByte ?? 0) && (timing.total ?? -1) >= (timing.firstToken ?? 0));
  assert.equal(tokens, (promptTokens ?? 0) + 3);
  assert.ok((cost ?? 0) > 0);
});

test("cached_tokens_are_told_apart", async () => {
  const { fetch, recorded } = withEmulator();
  const question = `${"The same long beginning. ".repeat(40)}Echo: hi`;
  for (let time = 0; time < 2; time++) await bytesOf(await fetch(CHAT, chat(question, { stream: true })));
  const [first, second] = await recorded(2);
  assert.equal(first?.cached, 0);
  assert.ok((second?.cached ?? 0) > 0 && (second?.cost ?? 1) < (first?.cost ?? 0));
});

test("usage_that_never_came_is_estimated", async () => {
  const { fetch, recorded } = setUp(async () =>
    streamOf([says("one two three"), says("", "stop"), "data: [DONE]\n\n"]),
  );
  await bytesOf(await fetch(CHAT, chat("hi", { stream: true })));
  const [record] = await recorded(1);
  assert.deepEqual([record?.outcome, record?.estimated, record?.completionTokens], ["complete", true, 3]);
});

test("onUsage_that_fails_is_called_again_with_the_same_record_and_ends_nothing", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const given: string[] = [];
  const { fetch } = withEmulator({
    onUsage: ({ recordId }) => {
      given.push(recordId);
      if (given.length < 3) throw new RangeError("the message of the caller");
    },
  });
  await bytesOf(await fetch(CHAT, chat("Echo: hi", { stream: true })));
  for (let second = 0; second < 30; second++) {
    t.mock.timers.tick(1000);
    await new Promise(setImmediate);
  }
  assert.deepEqual([given.length, new Set(given).size], [3, 1]);
  assert.match(String(logged.mock.calls[0]?.arguments.join(" ")), /onUsage failed .* RangeError$/);
});

test("a_worker_is_kept_alive_until_the_record_is_out", async () => {
  const { gateway } = await import("chatwire/edge");
  const { createEmulator } = await import("chatwire/emulator");
  let isWritten = false;
  const app = gateway({
    providers: { upstream: { provider: "electron", apiKey: "any", fetch: createEmulator().fetch } },
    onUsage: async () => {
      await new Promise(setImmediate);
      isWritten = true;
    },
  });
  const kept: Promise<unknown>[] = [];
  const context = { waitUntil: (promise: Promise<unknown>) => void kept.push(promise) };
  const answer = await app.fetch(new Request(`http://localhost${CHAT}`, chat("hi", { stream: true })), {}, context);
  assert.equal(kept.length, 1);
  await answer.body?.cancel();
  assert.equal(isWritten, false);
  await kept[0];
  assert.equal(isWritten, true);
});
