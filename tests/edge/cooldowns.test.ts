/** The cooldown after a provider's 429: for which model and key, and for how long. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { bytesOf, CHAT, chat, setUp } from "./setting.ts";

let hosts = 0;

/** A provider that refuses one model for so long, and answers all others. */
function refusing(refused: string, retryAfter: string, options: Partial<GatewayOptions> = {}, settings: object = {}) {
  const asked: string[] = [];
  let isOpen = false;
  const fetch = async (_url: string, { method, body }: { method: string; body?: string }) => {
    if (method === "GET") return Response.json({ object: "list", data: [{ id: "a", object: "model" }] });
    const { model } = JSON.parse(body ?? "{}");
    asked.push(model);
    if (model === refused && !isOpen) {
      const error = { message: "slow down" };
      return Response.json({ error }, { status: 429, headers: { "retry-after": retryAfter } });
    }
    const message = { role: "assistant", content: model };
    return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] });
  };
  const upstream = { baseURL: `https://cooling-${++hosts}.example.com/v1`, apiKey: "k", fetch, ...settings };
  const setting = setUp(fetch as never, { providers: { upstream: upstream as never }, ...options });
  const ask = async (model: string) => {
    const answer = await setting.fetch(CHAT, chat("hi", { model }));
    await bytesOf(answer);
    return answer;
  };
  return {
    ...setting,
    asked,
    ask,
    open: () => {
      isOpen = true;
    },
  };
}

describe("a 429 that says to wait for a day", () => {
  it("shuts its model, and neither the others nor the list of models", async () => {
    const { ask, fetch, asked } = refusing("a", "86400");
    assert.equal((await ask("a")).status, 429);
    assert.equal((await ask("b")).status, 200);
    assert.equal((await fetch("/v1/models")).status, 200);
    assert.deepEqual(asked, ["a", "b"]);
  });
  it("does not shut another model of the same key that a request falls back to", async () => {
    const { ask, asked } = refusing("a", "86400", { models: { m: ["upstream/a", "upstream/b"] } });
    for (let time = 0; time < 2; time++) assert.equal((await ask("m")).status, 200);
    assert.deepEqual(asked.filter((model) => model === "b").length, 2);
  });
  it("is believed for a minute, and then tried again", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { ask, open, asked } = refusing("a", "86400");
    const refused = await ask("a");
    assert.ok(Number(refused.headers.get("retry-after")) <= 60, String(refused.headers.get("retry-after")));
    const again = await ask("a");
    assert.deepEqual([again.status, asked.length], [429, 1], "nothing is sent meanwhile");
    open();
    context.mock.timers.tick(61_000);
    assert.equal((await ask("a")).status, 200);
  });
  it("is believed for no longer where the clock is put back a day", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { ask, open } = refusing("a", "86400");
    await ask("a");
    open();
    context.mock.timers.setTime(Date.now() - 86_400_000);
    const refused = await ask("a");
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get("retry-after")) <= 60, String(refused.headers.get("retry-after")));
    context.mock.timers.tick(61_000);
    assert.equal((await ask("a")).status, 200);
  });
  it("is believed for as long as the provider's settings say", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { ask, open } = refusing("a", "86400", {}, { cooldown: 600_000 });
    await ask("a");
    open();
    context.mock.timers.tick(61_000);
    assert.equal((await ask("a")).status, 429);
    context.mock.timers.tick(540_000);
    assert.equal((await ask("a")).status, 200);
    const none = refusing("a", "86400", {}, { cooldown: false });
    await none.ask("a");
    none.open();
    assert.equal((await none.ask("a")).status, 200);
  });
});

describe("a short cooldown", () => {
  it("makes nobody wait in silence", async () => {
    const { ask, asked } = refusing("a", "20");
    const started = performance.now();
    const statuses = [];
    for (let time = 0; time < 3; time++) {
      const answer = await ask("a");
      statuses.push([answer.status, Number(answer.headers.get("retry-after")) > 0]);
    }
    assert.ok(performance.now() - started < 3000, `${performance.now() - started} ms`);
    assert.deepEqual(statuses, Array(3).fill([429, true]));
    assert.equal(asked.length, 1);
  });
});
