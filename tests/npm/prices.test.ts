/**
 * The cost of a call: by the server's own word, by the caller's prices, and by the list of common models.
 */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { Chatwire, type ClientOptions } from "chatwire";
// @ts-expect-error: a script, without types
import { readList, renewed, written } from "../../scripts/prices.mjs";
import { DONE, event, failureOf, says, serve } from "./serving.ts";

/** Modules with prices that were loaded so far. */
const loaded: string[] = [];
registerHooks({
  load(url, context, next) {
    // The bundle for Node has them in a file of their own.
    if (/\/dist\/(prices\/|entry\/prices-)/.test(url)) loaded.push(url);
    return next(url, context);
  },
});

const MILLION = 1_000_000;
const used = { prompt_tokens: MILLION, completion_tokens: MILLION, total_tokens: 2 * MILLION };
const small = { prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000 };

/** A client whose server counts so many tokens. */
function clientThatUses(usage: object, options: ClientOptions): Chatwire {
  const fetch = async () => serve([says("Hi", "stop"), event({ id: "1", choices: [], usage }), DONE]).response;
  return new Chatwire({ apiKey: "k", fetch, maxRetries: 0, ...options });
}

async function costOf(usage: object, options: ClientOptions, model: string): Promise<number | null> {
  const client = clientThatUses(usage, options);
  const messages = [{ role: "user" as const, content: "Hi" }];
  const { cost } = await client.chat.completions.stream({ model, messages }).outcome();
  assert.equal(client.usage.cost, cost, "the totals say the same");
  return cost;
}

test("nothing_of_the_list_is_loaded_for_a_server_that_is_not_on_it", async () => {
  assert.equal(await costOf(used, { baseURL: "https://gateway.test/v1" }, "gpt-5"), null);
  assert.equal(await costOf(small, { provider: "electron" }, "electron"), (1000 * 0.4 + 1000 * 1.6) / MILLION);
  const flat = { provider: "openai" as const, prices: { input: 1, output: 2 } };
  assert.equal(await costOf(used, flat, "gpt-5"), 3);
  assert.deepEqual(loaded, []);
});

test("common_models_have_a_cost_at_their_own_service_and_nowhere_else", async () => {
  assert.equal(await costOf(used, { provider: "openai" }, "gpt-5"), 11.25);
  assert.notDeepEqual(loaded, [], "the list was loaded for it");
  assert.equal(await costOf(used, { provider: "openai" }, "gpt-5-mini-2025-08-07"), 2.25);
  assert.equal(await costOf(used, { baseURL: "https://api.anthropic.com/v1" }, "claude-haiku-4-5-20251001"), 6);
  assert.equal(
    await costOf(used, { provider: { baseURL: "https://api.groq.com/openai/v1" } }, "openai/gpt-oss-20b"),
    0.375,
  );
  assert.equal(await costOf(used, { provider: "openai" }, "gpt-99"), null);
  assert.equal(await costOf(used, { provider: "openai" }, "constructor"), null);
  const moved = { provider: "openai" as const, baseURL: "https://gateway.test/v1" };
  assert.equal(await costOf(used, moved, "gpt-5"), null);
  assert.equal(await costOf(used, { baseURL: "https://api.openai.com.test/v1" }, "gpt-5"), null);
});

test("cached_tokens_cost_what_the_list_says_and_the_saving_is_counted", async () => {
  const usage = { ...used, prompt_tokens_details: { cached_tokens: MILLION } };
  const client = clientThatUses(usage, { provider: "openai" });
  const messages = [{ role: "user" as const, content: "Hi" }];
  const { cost } = await client.chat.completions.stream({ model: "gpt-5", messages }).outcome();
  assert.deepEqual([cost, client.usage.saved], [10.125, 1.125]);
});

test("a_prompt_that_is_longer_than_the_price_holds_for_costs_null", async () => {
  assert.equal(await costOf({ ...small, prompt_tokens: 270_001 }, { provider: "openai" }, "gpt-5.4"), null);
  const most = (270_000 * 2.5 + 1000 * 15) / MILLION;
  assert.equal(await costOf({ ...small, prompt_tokens: 270_000 }, { provider: "openai" }, "gpt-5.4"), most);
  const own = { baseURL: "https://own.test/v1", prices: { input: 1, output: 1, upTo: 999 } };
  assert.equal(await costOf(small, own, "m"), null);
});

test("prices_of_ones_own_override_the_list_by_model", async () => {
  const prices = { "gpt-5": { input: 1, output: 1 }, mine: { input: 2, output: 2 } };
  const options = { provider: "openai" as const, prices };
  assert.equal(await costOf(used, options, "gpt-5"), 2);
  assert.equal(await costOf(used, options, "mine-2026-01-01"), 4);
  assert.equal(await costOf(used, options, "gpt-5-mini"), 2.25);
  const rest = { baseURL: "https://own.test/v1", prices: { ...prices, "*": { input: 0, output: 0 } } };
  assert.equal(await costOf(used, rest, "anything"), 0);
});

test("a_cost_that_the_server_names_counts_before_any_price", async () => {
  const usage = { ...used, cost: 0.5 };
  assert.equal(await costOf(usage, { provider: "openai" }, "gpt-5"), 0.5);
  assert.equal(await costOf(usage, { provider: "openai", prices: { "gpt-5": { input: 9, output: 9 } } }, "gpt-5"), 0.5);
});

test("a_fallback_costs_what_its_own_model_costs", async () => {
  const other = clientThatUses(used, { provider: "openai" });
  const fetch = async () => new Response("{}", { status: 503 });
  const client = new Chatwire({
    baseURL: "https://first.test/v1",
    maxRetries: 0,
    fetch,
    prices: { m: { input: 100, output: 100 } },
    fallback: [{ client: other, model: "gpt-5" }],
  });
  const messages = [{ role: "user" as const, content: "Hi" }];
  const { cost } = await client.chat.completions.stream({ model: "m", messages }).outcome();
  assert.deepEqual([cost, other.usage.cost], [11.25, 11.25]);
});

test("prices_that_cannot_be_meant_are_refused_by_name", async () => {
  for (const price of [{ input: -1, output: 1 }, { input: 1 }, { input: 1, output: Number.NaN }]) {
    const client = clientThatUses(used, { baseURL: "https://own.test/v1", prices: { m: price as never } });
    const error = await failureOf(
      client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "" }] }),
    );
    assert.equal(error.name, "InvalidRequestError", JSON.stringify(price));
  }
  assert.throws(() => clientThatUses(used, { baseURL: "https://own.test/v1", prices: {} as never }), {
    name: "InvalidRequestError",
  });
});

test("every_price_of_the_list_has_a_source_and_a_day", async () => {
  const { prices } = await import("chatwire/prices");
  const all = Object.values(prices).flatMap((models) => Object.entries(models));
  assert.ok(all.length >= 20);
  for (const [model, { input, cachedInput, output, read, source, confirmed }] of all) {
    assert.ok(cachedInput <= input && input <= output, model);
    assert.match(read, /^20\d\d-\d\d-\d\d$/, model);
    assert.match(source, /^https:\/\//, model);
    assert.equal(typeof confirmed, "boolean", model);
  }
});

test("the_list_is_renewed_from_a_file", async () => {
  const list = await readList();
  assert.deepEqual(await readList(written(list)), list, "the list that is written is the list that was read");
  const models = {
    "gpt-5": { cost: { input: 1.25, output: 10, cache_read: 0.125 } },
    "gpt-5.5": { cost: { input: 4, output: 20, cache_read: 0.4, tiers: [{ input: 8, tier: { size: 300_000 } }] } },
    "gpt-6": { cost: { input: 7, output: 70, context_over_200k: { input: 14 } } },
    "gpt-5-nano": { cost: { input: 0.05, output: 0.4 } },
    o3: {},
  };
  const { list: next, said } = renewed(list, { openai: { models } }, "2027-01-31", [
    "api.openai.com/gpt-6",
    "x.test/m",
  ]);
  const { "gpt-5": same, "gpt-5.5": changed, "gpt-6": added, "gpt-5-nano": again, o3 } = next["api.openai.com"];
  const source = "https://models.dev/api.json";
  const read = "2027-01-31";
  assert.deepEqual(same, { input: 1.25, cachedInput: 0.125, output: 10, read, source, confirmed: true });
  const cheaper = { input: 4, cachedInput: 0.4, output: 20, upTo: 300_000, read, source, confirmed: false };
  assert.deepEqual(changed, cheaper);
  assert.deepEqual(added, { input: 7, cachedInput: 7, output: 70, upTo: 200_000, read, source, confirmed: false });
  assert.equal(again.confirmed, true, "two sources say so now");
  assert.deepEqual(o3, list["api.openai.com"].o3);
  assert.ok(
    said.some((line: string) => line.includes("gpt-5.5: 5 / 0.5 / 30 up to 272000 → 4 / 0.4 / 20 up to 300000")),
  );
  assert.ok(said.some((line: string) => line.includes("x.test: no such service")));
  assert.ok(said.some((line: string) => /o3: not in the file, stays as it was on/.test(line)));
});
