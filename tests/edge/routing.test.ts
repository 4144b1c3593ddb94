/** Where requests go, and what of them is changed on the way. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type GatewayOptions, gateway } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { bytesOf, CHAT, chat, errorOf, KEY, setUp, withEmulator } from "./setting.ts";

type Sent = { host: string; body: Record<string, unknown> };
let gateways = 0;

/** Two providers that say yes or answer with a status, and what they were sent. */
function twoProviders(statuses: Record<string, number>, options: Partial<GatewayOptions>) {
  const sent: Sent[] = [];
  const names = new Map<string, string>();
  const provider = (name: string) => {
    // A host of its own, so that no cooldown is shared.
    const host = `${name}-${++gateways}.example.com`;
    names.set(host, name);
    return {
      baseURL: `https://${host}/v1`,
      apiKey: KEY,
      maxRetries: 0,
      fetch: async (url: string, { body }: { body?: string }) => {
        const { host } = new URL(url);
        sent.push({ host: names.get(host) ?? "", body: JSON.parse(body ?? "null") });
        const status = statuses[name] ?? 200;
        if (status !== 200) return Response.json({ error: { message: "no" } }, { status });
        const message = { role: "assistant", content: name };
        return Response.json({
          choices: [{ index: 0, message, finish_reason: "stop" }],
          usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        });
      },
    };
  };
  const setting = setUp(async () => new Response(), {
    providers: { one: provider("one"), two: { ...provider("two"), prices: { input: 1, output: 1 } } },
    ...options,
  });
  return { ...setting, sent };
}

describe("models", () => {
  const models = {
    fast: "one/m-1",
    smart: ["two/vendor/m-2", "one/m-3"],
    capped: { to: "one/m-1", params: { seed: 4 } },
  };

  it("have names of the gateway's own, and go where these lead", async () => {
    const { fetch, sent, recorded } = twoProviders({}, { models });
    for (const model of ["fast", "smart", undefined]) await bytesOf(await fetch(CHAT, chat("hi", { model })));
    assert.deepEqual(
      sent.map(({ host, body }) => [host, body.model]),
      [
        ["one", "m-1"],
        ["two", "vendor/m-2"],
        ["one", "m-1"],
      ],
    );
    const records = (await recorded(3)).map(({ model, provider, upstreamModel, cost }) => [
      model,
      provider,
      upstreamModel,
      cost,
    ]);
    assert.deepEqual(records, [
      ["fast", "one", "m-1", null],
      ["smart", "two", "vendor/m-2", 0.000002],
      ["fast", "one", "m-1", null],
    ]);
  });
  it("that are not listed are not there", async () => {
    const { fetch, sent } = twoProviders({}, { models });
    for (const model of ["m-1", "one/m-1", "", "FAST", "__proto__", "constructor", 7, {}, ["fast"]]) {
      const { status } = await fetch(CHAT, chat("hi", { model }));
      assert.equal(status, typeof model === "string" ? 404 : 400, JSON.stringify(model));
    }
    assert.deepEqual(sent, []);
  });
  it("are listed by these names", async () => {
    const { fetch } = twoProviders({}, { models });
    const { object, data } = await (await fetch("/v1/models")).json();
    assert.equal(object, "list");
    assert.deepEqual(
      data.map(({ id }: { id: string }) => id),
      ["fast", "smart", "capped"],
    );
  });
  it("may be those of the first provider", async () => {
    const { fetch, sent } = twoProviders({}, { models: ["m-1"] });
    assert.equal((await fetch(CHAT, chat("hi", { model: "m-1" }))).status, 200);
    assert.equal((await fetch(CHAT, chat("hi", { model: "m-2" }))).status, 404);
    assert.deepEqual(
      sent.map(({ host, body }) => [host, body.model]),
      [["one", "m-1"]],
    );
  });
  it("set what they say, whatever the caller sent", async () => {
    const { fetch, sent } = twoProviders({}, { models });
    await fetch(CHAT, chat("hi", { model: "capped", seed: 9, top_k: 3 }));
    assert.deepEqual([sent[0]?.body.seed, sent[0]?.body.top_k], [4, 3]);
  });
  for (const status of [500, 503]) {
    it(`go to the next place when the first answers ${status}, and the record says who answered`, async () => {
      const { fetch, sent, recorded } = twoProviders({ two: status }, { models });
      const answer = await fetch(CHAT, chat("hi", { model: "smart" }));
      assert.equal((await answer.json()).choices[0].message.content, "one");
      assert.deepEqual(
        sent.map(({ host, body }) => [host, body.model]),
        [
          ["two", "vendor/m-2"],
          ["one", "m-3"],
        ],
      );
      const [record] = await recorded(1);
      assert.deepEqual([record?.model, record?.provider, record?.upstreamModel], ["smart", "one", "m-3"]);
    });
  }
  it("do not go to the next place for what is the request's own fault", async () => {
    const { fetch, sent } = twoProviders({ two: 400 }, { models });
    assert.equal((await fetch(CHAT, chat("hi", { model: "smart" }))).status, 400);
    assert.equal(sent.length, 1);
  });
});

describe("limits", () => {
  it("lower what is wished for, and are there without a wish", async () => {
    const { fetch, emulator } = withEmulator({ limits: { maxTokens: 5 } });
    for (const wish of [
      {},
      { max_tokens: 1000 },
      { max_tokens: 3 },
      { max_tokens: null },
      { max_completion_tokens: 1000 },
    ]) {
      await bytesOf(await fetch(CHAT, chat("Tell me a story", wish)));
    }
    assert.deepEqual(
      emulator.ledger.records.map(({ usage }) => usage?.completion_tokens),
      [5, 5, 3, 5, 5],
    );
  });
  it("are the narrowest of all that apply", async () => {
    const { fetch, emulator } = withEmulator({
      limits: { maxTokens: 9 },
      models: { a: { to: "upstream/electron", maxTokens: 4 }, b: { to: "upstream/electron", maxTokens: 400 } },
      authorize: () => ({ caller: "me", maxTokens: 7 }),
    });
    for (const model of ["a", "b"]) await bytesOf(await fetch(CHAT, chat("Tell me a story", { model })));
    assert.deepEqual(
      emulator.ledger.records.map(({ usage }) => usage?.completion_tokens),
      [4, 7],
    );
  });
  it("cannot be talked round", async () => {
    const { fetch, sent } = twoProviders({}, { limits: { maxTokens: 5 } });
    for (const wish of [
      { max_tokens: "1000" },
      { max_tokens: -1 },
      { max_tokens: 0 },
      { max_completion_tokens: [9] },
      { n: 50 },
      { n: "9" },
    ]) {
      const answer = await fetch(CHAT, chat("hi", wish));
      assert.equal(answer.status, 400, JSON.stringify(wish));
      assert.equal((await errorOf(answer)).param, Object.keys(wish)[0]);
    }
    assert.equal(sent.length, 0);
    await fetch(CHAT, {
      method: "POST",
      body: '{"messages":[{"role":"user","content":"hi"}],"max_tokens":3,"max_tokens":900}',
    });
    assert.equal(sent[0]?.body.max_tokens, 5);
  });
  it("turn tools off", async () => {
    const { fetch, sent } = twoProviders({}, { limits: { tools: false } });
    const tools = [{ type: "function", function: { name: "f" } }];
    for (const wish of [{ tools }, { functions: [{ name: "f" }] }, { tool_choice: "auto" }, { web_search: true }]) {
      assert.equal((await errorOf(await fetch(CHAT, chat("hi", wish)))).code, "tools_not_allowed");
    }
    assert.deepEqual(sent, []);
    assert.equal((await fetch(CHAT, chat("hi", { tools: [], tool_choice: "none" }))).status, 200);
  });
});

describe("options", () => {
  const fetch = createEmulator().fetch;
  const providers = { upstream: { provider: "electron" as const, apiKey: "any", fetch } };
  const ask = (app: ReturnType<typeof gateway>, env?: object) =>
    app.fetch(new Request("http://localhost/healthz"), env);

  it("are asked once for each environment", async () => {
    const seen: unknown[] = [];
    const app = gateway((env: { NAME: string }) => {
      seen.push(env.NAME);
      return { providers };
    });
    const [a, b] = [{ NAME: "a" }, { NAME: "b" }];
    for (const env of [a, a, b, a]) assert.equal((await ask(app, env)).status, 200);
    assert.deepEqual(seen, ["a", "b"]);
  });

  for (const [what, options, reason] of [
    ["no provider", { providers: {} }, /at least one/],
    ["no key", { providers: { hub: { provider: "electronhub" } } }, /apiKey/],
    ["a model that leads nowhere", { providers, models: { a: "other/x" } }, /models\.a/],
    ["an empty route", { providers, models: { a: [] } }, /models\.a/],
    ["an origin with a path", { providers, cors: ["https://a.example.com/"] }, /cors/],
    [
      "a short secret",
      { providers, public: true, token: { secret: "short", origins: ["https://a.example.com"] } },
      /32/,
    ],
    [
      "tokens without authorize",
      { providers, token: { secret: "x".repeat(32), origins: ["https://a.example.com"] } },
      /authorize/,
    ],
    ["a mode there is not", { providers, onDisconnect: "never" as "drain" }, /onDisconnect/],
    ["a limit of nothing", { providers, limits: { maxTokens: 0 } }, /maxTokens/],
  ] as [string, GatewayOptions, RegExp][]) {
    it(`with ${what} are explained in the log, and to nobody else`, async (t) => {
      const log = t.mock.method(console, "error", () => {});
      const answer = await ask(gateway(options));
      assert.equal(answer.status, 500);
      assert.equal((await errorOf(answer)).code, "gateway_misconfigured");
      assert.match(String(log.mock.calls[0]?.arguments.join(" ")), reason);
    });
  }
});
