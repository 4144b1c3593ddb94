/** Answers that are given again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { asText, bytesOf, CHAT, chat, withEmulator } from "./setting.ts";

describe("the cache", () => {
  const setting = (cache: GatewayOptions["cache"]) => {
    const own = withEmulator({
      ...(cache && { cache }),
      models: { electron: "upstream/electron", other: "upstream/electron" },
      authorize: ({ headers }) => ({ caller: headers.get("authorization") ?? "alice" }),
    });
    const ask = async (text: string, params = {}, headers = {}) => {
      const answer = await own.fetch(CHAT, chat(text, { ...params, headers }));
      return { text: asText(await bytesOf(answer)), isHit: answer.headers.get("x-chatwire-cache") === "hit", answer };
    };
    return { ...own, ask };
  };
  for (const stream of [true, false]) {
    it(`gives ${stream ? "a stream as a stream" : "a whole answer"} again, and says what that saved`, async () => {
      const { ask, emulator, recorded } = setting({ ttl: 60 });
      const first = await ask("Echo: one two", { stream });
      await recorded(1);
      const second = await ask("Echo: one two", { stream });
      assert.deepEqual([first.isHit, second.isHit, emulator.ledger.requests], [false, true, 1]);
      assert.equal(second.text, first.text);
      assert.equal(second.answer.headers.get("content-type"), first.answer.headers.get("content-type"));
      const [real, saved] = await recorded(2);
      assert.deepEqual([saved?.tokens, saved?.cost, saved?.saved], [0, 0, { tokens: real?.tokens, cost: real?.cost }]);
    });
  }
  it("is of the same request, the same caller, and for a time", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { ask, recorded } = setting({ ttl: 60 });
    await ask("Echo: one");
    await recorded(1);
    for (const [params, headers] of [
      [{ temperature: 0.1 }, {}],
      [{ model: "other" }, {}],
      [{ stream: true }, {}],
      [{}, { authorization: "bob" }],
      [{}, { "cache-control": "no-cache" }],
      [{}, { "cache-control": "no-store" }],
      [{}, { "cache-control": "max-age=0" }],
    ] as const) {
      assert.equal((await ask("Echo: one", params, headers)).isHit, false, JSON.stringify([params, headers]));
    }
    assert.equal((await ask("Echo: one")).isHit, true);
    context.mock.timers.setTime(Date.now() - 86_400_000);
    assert.equal((await ask("Echo: one")).isHit, false, "its age is not known");
    await recorded(10);
    assert.equal((await ask("Echo: one")).isHit, true);
    context.mock.timers.tick(61_000);
    assert.equal((await ask("Echo: one")).isHit, false);
  });
  it("is shared by callers, and for some models, where that is said", async () => {
    const { ask, recorded } = setting({ ttl: 60, shared: true, models: ["electron"] });
    await ask("Echo: one");
    await recorded(1);
    assert.equal((await ask("Echo: one", {}, { authorization: "bob" })).isHit, true);
    await ask("Echo: one", { model: "other" });
    await recorded(3);
    assert.equal((await ask("Echo: one", { model: "other" })).isHit, false);
  });
  it("keeps nothing that is not whole, and nothing at all by default", async () => {
    const { ask, recorded, fetch } = setting({ ttl: 60 });
    await assert.rejects(ask("Tell me a story [emulator: reset=600]", { stream: true }));
    await recorded(1);
    await assert.rejects(ask("Tell me a story [emulator: reset=600]", { stream: true }));
    const left = await fetch(CHAT, chat("Tell me a long story", { stream: true }));
    await left.body?.cancel();
    const none = setting(undefined);
    for (let time = 0; time < 2; time++) assert.equal((await none.ask("Echo: one")).isHit, false);
  });
});
