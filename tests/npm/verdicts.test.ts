/**
 * The client's verdict on a request beside the emulator's: two independent readings of the same pages have to agree.
 *
 * Random requests, most of them damaged in one or two places, go through a client and straight to the emulator. A seed
 * that fails is printed; `VERDICTS_SEED=n` runs it again.
 *
 * Left out, because the two differ there on purpose: a model Electron does not have (the client only wonders, there may be
 * a new one by then), a request without one (the client names Electron's), and the length of the context, which the client
 * can only estimate.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BadRequestError, Chatwire, InvalidRequestError } from "chatwire";
import { createEmulator } from "chatwire/emulator";

const REQUESTS = 3000;
const SEED = Number(process.env.VERDICTS_SEED ?? 20_260_115);

type Random = () => number;
type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Fields = Record<string, Json>;
type Provider = "electron" | "electronhub";

/** Mulberry32. */
function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const whole = (random: Random, below: number): number => Math.floor(random() * below);
const pick = <T>(random: Random, items: readonly T[]): T => items[whole(random, items.length)] as T;
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

/** A number within the bounds, often on one of them. */
const within = (random: Random, low: number, high: number): number =>
  pick(random, [low, high, (low + high) / 2, low + random() * (high - low)]);

const name = (random: Random): string => pick(random, ["get_weather", "look_up", "book", "f"]);
const words = (random: Random): string =>
  pick(random, ["Hello", "", "What is the weather in Mumbai?", "नमस्ते", "😀 ok"]);

function toolCall(random: Random): Fields {
  const args = pick(random, ["{}", '{"city":"Pune"}', "not JSON", ""]);
  return { id: `call_${whole(random, 9)}`, type: "function", function: { name: name(random), arguments: args } };
}

function message(random: Random): Fields {
  const role = pick(random, ["system", "user", "assistant", "tool"]);
  const made: Fields = { role, content: words(random) };
  if (role === "tool") made.tool_call_id = "call_1";
  if (role === "assistant" && random() < 0.5) {
    made.tool_calls = times(1 + whole(random, 2), () => toolCall(random));
    if (random() < 0.5) made.content = null;
    else if (random() < 0.3) delete made.content;
  }
  if (random() < 0.1) made.name = "someone";
  return made;
}

function tool(random: Random): Fields {
  const definition: Fields = { name: name(random) };
  if (random() < 0.6) definition.description = "what it does";
  if (random() < 0.6) definition.parameters = { type: "object", properties: { city: { type: "string" } } };
  return random() < 0.6 ? { type: "function", function: definition } : { type: "function", ...definition };
}

/** How a valid value of each optional field is made. */
const FIELDS: Record<Provider, Record<string, (random: Random) => Json>> = {
  electron: {
    temperature: (random) => within(random, 0, 2),
    top_p: (random) => within(random, 0, 1),
    max_tokens: (random) => pick(random, [1, 2, 500, 4096]),
    stream: (random) => random() < 0.5,
    stream_options: (random) => pick<Json>(random, [{}, { include_usage: true }, { include_usage: false, more: 1 }]),
    tools: (random) => times(whole(random, 3), () => tool(random)),
    tool_choice: (random) =>
      pick<Json>(random, ["auto", "required", "none", { type: "function", function: { name: name(random) } }]),
    response_format: (random) => pick<Json>(random, [{ type: "text" }, { type: "json_object" }, {}]),
    stop: (random) => pick<Json>(random, ["end", ["a", "b"], []]),
    seed: (random) => pick(random, [0, -7, 2 ** 40]),
    logit_bias: (random) => pick<Json>(random, [{}, { "50256": -100 }, { a: 0.5, b: 3 }]),
    logprobs: (random) => random() < 0.5,
    top_logprobs: (random) => whole(random, 21),
    presence_penalty: (random) => within(random, -2, 2),
    frequency_penalty: (random) => within(random, -2, 2),
    user: () => "somebody",
    n: (random) => pick<Json>(random, [1, 0, null, "2"]),
    best_of: () => 3,
    metadata: () => ({ any: ["thing", { at: "all" }] }),
  },
  electronhub: {
    temperature: (random) => within(random, 0, 2),
    top_p: (random) => within(random, 0, 1),
    top_k: (random) => pick(random, [0, 40, -1]),
    max_tokens: (random) => pick(random, [1, 16, 4096]),
    stream: (random) => random() < 0.5,
    tools: (random) => times(whole(random, 3), () => tool(random)),
    tool_choice: (random) => pick(random, ["auto", "none"]),
    frequency_penalty: (random) => within(random, -2, 2),
    presence_penalty: (random) => within(random, -2, 2),
    web_search: (random) => random() < 0.5,
    thinking: (random) => pick<Json>(random, [{}, { type: "enabled", budget_tokens: 512 }]),
    reasoning_effort: (random) => pick(random, ["none", "minimal", "low", "medium", "high", "xhigh"]),
    reasoning: (random) =>
      pick<Json>(random, [
        {},
        { effort: "low" },
        { exclude: true },
        { delta_field: "reasoning_content", effort: "high" },
      ]),
    reasoning_delta_field: (random) => pick(random, ["reasoning", "reasoning_content"]),
    reasoning_content_compat: (random) => random() < 0.5,
    response_format: () => ({ type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } }),
    prompt_logprobs: () => 1,
  },
};

function validRequest(random: Random, provider: Provider): Fields {
  const model = provider === "electron" ? "electron" : pick(random, ["gpt-4o", "deepseek-r1", "claude-sonnet-4-6"]);
  const request: Fields = { model, messages: times(1 + whole(random, 3), () => message(random)) };
  for (const [field, make] of Object.entries(FIELDS[provider])) {
    if (random() < 0.15) request[field] = make(random);
  }
  return request;
}

const junk = (random: Random): Json =>
  pick<Json>(random, [
    ...[null, true, false, 0, 1, -1, 0.5, 2, 2.000001, 1.5, -2, -2.1, 20, 21, 1e-9, "", "x", "auto", "function", "1"],
    ...[[], [null], [1], ["a", 2], {}, { a: null }, { type: "function" }, { type: "json_schema" }, { function: null }],
    ...[{ type: "function", function: {} }, { role: "user" }, { effort: "extreme" }, { include_usage: 1 }],
  ]);

/** Replaces or takes away one value somewhere, or adds one. */
function damage(random: Random, value: Json): Json {
  if (typeof value !== "object" || value === null || random() < 0.25) return junk(random);
  if (Array.isArray(value)) {
    if (value.length === 0) return [junk(random)];
    const at = whole(random, value.length);
    return value.map((item, index) => (index === at ? damage(random, item) : item));
  }
  const names = Object.keys(value);
  const chosen = names.length > 0 ? pick(random, names) : "added";
  const copy = { ...value };
  if (random() < 0.15) delete copy[chosen];
  else if (random() < 0.1)
    copy[pick(random, ["n", "prompt_logprobs", "type", "role", "content", "name"])] = junk(random);
  else copy[chosen] = damage(random, copy[chosen] as Json);
  return copy;
}

function requestOf(random: Random, provider: Provider): Json {
  let request: Json = validRequest(random, provider);
  for (let left = pick(random, [0, 1, 1, 1, 2]); left > 0; left--) request = damage(random, request);
  // See above for what is left out.
  if (provider === "electron" && typeof request === "object" && request !== null && !Array.isArray(request)) {
    if (request.model === undefined || typeof request.model === "string") request.model = "electron";
  }
  return request;
}

const URLS: Record<Provider, string> = {
  electron: "https://api.smallest.ai/waves/v1/chat/completions",
  electronhub: "https://api.electronhub.ai/v1/chat/completions",
};

/** The requests that it refuses, and the paths that it names. */
interface Verdict {
  refused: boolean;
  paths: string[];
}

const pathsOf = (details: unknown): string[] =>
  [...new Set((details as { path: string[] }[]).map(({ path }) => path.join(".")))].sort();

for (const provider of ["electron", "electronhub"] as const) {
  test(`client_and_emulator_agree_on_what_${provider}_refuses`, async () => {
    const random = randomOf(SEED);
    const { fetch } = createEmulator({ seed: 3 });
    let sent = 0;
    const client = new Chatwire({
      provider,
      apiKey: "any",
      maxRetries: 0,
      fetch: (url, init) => {
        sent++;
        return fetch(url, init as RequestInit);
      },
    });

    async function clientSays(request: Json): Promise<Verdict> {
      const before = sent;
      try {
        await client.chat.completions.create(request as never).asResponse();
      } catch (error) {
        if (error instanceof InvalidRequestError) {
          assert.equal(sent, before, "refused after sending");
          return { refused: true, paths: pathsOf(error.details) };
        }
        if (!(error instanceof BadRequestError)) throw error;
      }
      assert.equal(sent, before + 1);
      return { refused: false, paths: [] };
    }

    async function emulatorSays(request: Json): Promise<Verdict> {
      const init = { method: "POST", headers: { authorization: "Bearer any" }, body: JSON.stringify(request) };
      const response = await fetch(URLS[provider], init);
      if (response.status === 200) {
        await response.body?.cancel();
        return { refused: false, paths: [] };
      }
      const { error } = (await response.json()) as { error: { details?: unknown } };
      assert.equal(response.status, 400, JSON.stringify(error));
      return { refused: true, paths: pathsOf(error.details ?? []) };
    }

    let refused = 0;
    const differences: string[] = [];
    for (let number = 0; number < REQUESTS; number++) {
      const request = requestOf(random, provider);
      const [client, emulator] = [await clientSays(request), await emulatorSays(request)];
      refused += Number(emulator.refused);
      // Electron says where the fault is; its list is compared too.
      const isSame =
        client.refused === emulator.refused &&
        (emulator.paths.length === 0 || String(client.paths) === String(emulator.paths));
      if (!isSame) differences.push(JSON.stringify({ client, emulator, request }));
    }
    assert.ok(refused > REQUESTS / 10 && refused < REQUESTS * 0.9, `${refused} of ${REQUESTS} refused`);
    const shortest = differences.sort((a, b) => a.length - b.length).slice(0, 5);
    assert.equal(differences.length, 0, `${differences.length} differences, seed ${SEED}:\n${shortest.join("\n")}`);
  });
}
