/**
 * Plan limits, ElectronHub's cooldown, and prefix caching: none waits in real time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEmulator } from "../../npm/emulator/index.ts";
import { ask, complete, HUB, says, testClock } from "./emulator-ask.ts";

test("there are no limits unless asked", async () => {
  const emulator = createEmulator();
  for (let i = 0; i < 30; i++) assert.equal((await ask(emulator, { stream: true })).status, 200);
});

test("the standard plan allows ten requests in any minute, per key", async () => {
  const clock = testClock();
  const emulator = createEmulator({ limits: "standard", clock });
  for (let i = 0; i < 10; i++) {
    assert.equal((await ask(emulator, {})).status, 200);
    clock.time += 1000;
  }
  const refused = await ask(emulator, {});
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "50", "the first of the ten leaves the window in 50 seconds");
  assert.equal((await ask(emulator, {}, { key: "another" })).status, 200);

  clock.time += 49_999;
  assert.equal((await ask(emulator, {})).status, 429);
  clock.time += 1;
  assert.equal((await ask(emulator, {})).status, 200, "the window slides");
  assert.equal((await ask(emulator, {})).status, 429);
});

test("answers under way are capped, and a place is free when one ends, is cancelled or refused", async () => {
  const emulator = createEmulator({ limits: { requestsPerMinute: 1000, concurrent: 2 } });
  const left = new AbortController();
  const stream = { ...says("Count to 100"), stream: true };
  const one = await ask(emulator, stream);
  await ask(emulator, stream, { signal: left.signal });
  const full = await ask(emulator, stream);
  assert.equal(full.status, 429);
  assert.equal(full.headers.get("retry-after"), "1");

  await one.text();
  assert.equal((await ask(emulator, { n: 2 })).status, 400);
  const again = await ask(emulator, stream);
  assert.equal(again.status, 200);
  left.abort();
  await again.body?.cancel();
  assert.equal((await ask(emulator, stream)).status, 200);
  assert.equal((await ask(emulator, stream)).status, 200);
  assert.equal((await ask(emulator, stream)).status, 429);
});

test("the enterprise plan allows 200 a minute and 20 at once", async () => {
  const emulator = createEmulator({ limits: "enterprise", clock: testClock() });
  const statuses: number[] = [];
  for (let i = 0; i < 21; i++) statuses.push((await ask(emulator, { stream: true })).status);
  assert.deepEqual(statuses, [...Array<number>(20).fill(200), 429]);
  emulator.reset();
  const many: number[] = [];
  for (let i = 0; i < 201; i++) many.push((await ask(emulator, {})).status);
  assert.deepEqual(many, [...Array<number>(200).fill(200), 429]);
});

test("ElectronHub counts down in its headers, then cools off for 180 seconds", async () => {
  const clock = testClock();
  const emulator = createEmulator({ cooldown: { requestsPerMinute: 3 }, clock });
  const send = (body: object = {}): Promise<Response> => ask(emulator, { model: "gpt-4o", ...body }, { url: HUB });
  const remaining: (string | null)[] = [];
  for (const body of [{}, { temperature: 9 }, {}]) {
    const response = await send(body);
    assert.equal(response.headers.get("x-ratelimit-limit"), "3");
    remaining.push(response.headers.get("x-ratelimit-remaining"));
  }
  assert.deepEqual(remaining, ["2", "1", "0"], "a failed call counts");

  const refused = await send();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "180");
  assert.equal(refused.headers.get("x-ratelimit-reset"), String((clock.time + 180_000) / 1000));
  clock.time += 179_000;
  assert.equal((await send()).headers.get("retry-after"), "1");
  clock.time += 1000;
  assert.equal((await send()).status, 200);
});

test("calls during the cooldown count towards the next", async () => {
  const clock = testClock();
  const emulator = createEmulator({ cooldown: { requestsPerMinute: 2, cooldown: 60_000 }, clock });
  const send = (): Promise<Response> => ask(emulator, { model: "gpt-4o" }, { url: HUB });
  for (let i = 0; i < 3; i++) await send();
  clock.time += 59_000;
  for (let i = 0; i < 3; i++) assert.equal((await send()).status, 429);
  clock.time += 2000;
  assert.equal((await send()).status, 429, "hammering starts it again");
});

test("cached tokens are the prefix an earlier prompt of the same key had", async () => {
  const emulator = createEmulator();
  const system = { role: "system", content: "You are a helpful assistant who answers in one sentence. ".repeat(20) };
  const cached = async (messages: object[], key = "one"): Promise<[cached: number, prompt: number]> => {
    const { usage } = await complete(emulator, { messages }, { key });
    return [usage.prompt_tokens_details?.cached_tokens ?? -1, usage.prompt_tokens];
  };
  const first = [system, { role: "user", content: "Why is the sky blue?" }];
  const [none, size] = await cached(first);
  assert.equal(none, 0);
  const [again] = await cached(first);
  assert.ok(again > size - 20 && again < size, `${again} of ${size}`);

  const turn = [...first, { role: "assistant", content: "Because." }, { role: "user", content: "And the sea?" }];
  const [grown] = await cached(turn);
  assert.ok(grown >= again && grown <= size);
  assert.equal(grown % 16, 0);
  assert.equal((await cached([{ role: "system", content: "Other" }, ...first]))[0], 0, "a suffix is no prefix");
  assert.equal((await cached(first, "two"))[0], 0, "keys do not share");
});
