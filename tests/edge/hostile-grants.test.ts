/** Grants and options that say something else than their author meant: each is an error, and never less of a limit. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type GatewayOptions, gateway } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { CHAT, chat, errorOf, withEmulator } from "./setting.ts";

describe("what authorize gives", () => {
  for (const [what, grant] of [
    ["models as a text", { caller: "me", models: "electron" }],
    ["a cap below 1", { caller: "me", maxTokens: -1 }],
    ["a cap that is a text", { caller: "me", maxTokens: "5" }],
    ["a cap that is no number", { caller: "me", maxTokens: Number.NaN }],
    ["an empty caller", { caller: "" }],
    ["a caller with a line break", { caller: "me\nchatwire/edge: all is well" }],
    ["a caller with a return", { caller: "me\r" }],
    ["a caller with a null", { caller: "me\0" }],
    ["a caller with a line separator", { caller: "me\u2028" }],
    ["a caller with half a character", { caller: "me\ud800" }],
    ["a caller without an end", { caller: "m".repeat(257) }],
    ["a tag with a line break", { caller: "me", tags: { unit: "a\nb" } }],
    ["a tag's name with a line break", { caller: "me", tags: { "unit\n": "a" } }],
    ["a tag without an end", { caller: "me", tags: { unit: "a".repeat(257) } }],
    ["tags without end", { caller: "me", tags: Object.fromEntries([...Array(33).keys()].map((n) => [`t${n}`, "a"])) }],
    ["tools as a text", { caller: "me", tools: "no" }],
    ["a plan of nothing", { caller: "me", plan: { requestsPerMinute: 0 } }],
    ["a plan with a misspelt limit", { caller: "me", plan: { requestPerMinute: 5 } }],
    ["a member that is not known", { caller: "me", maxToken: 5 }],
    ["readsUsage as a number", { caller: "me", readsUsage: 1 }],
    ["a policy with a misspelt list", { caller: "me", parameters: { allowed: ["x"] } }],
  ] as [string, object][]) {
    it(`is checked: ${what}`, async (context) => {
      const logged = context.mock.method(console, "error", () => {});
      const { fetch, emulator } = withEmulator({ authorize: () => grant as never });
      for (const [path, init] of [
        [CHAT, chat("hi")],
        ["/v1/models", {}],
      ] as const) {
        const answer = await fetch(path, init);
        assert.deepEqual([answer.status, (await errorOf(answer)).code], [500, "gateway_misconfigured"]);
      }
      assert.match(String(logged.mock.calls[0]?.arguments.join(" ")), /malformed grant: .*authorize's grant/);
      assert.equal(emulator.ledger.requests, 0);
    });
  }
});

describe("options that are not known", () => {
  const fetch = createEmulator().fetch;
  const upstream = { provider: "electron", apiKey: "any", fetch };
  const base = { providers: { upstream } };
  for (const [what, options] of [
    ["at the top", { ...base, limit: { maxTokens: 5 } }],
    ["in limits", { ...base, limits: { maxToken: 5 } }],
    ["in a provider", { providers: { upstream: { ...upstream, maxRetry: 0 } } }],
    ["in a provider that is not the first", { providers: { upstream, other: { ...upstream, fallback: [] } } }],
    ["in a route", { ...base, models: { a: { to: "upstream/electron", maxToken: 5 } } }],
    [
      "in a token",
      { ...base, public: true, token: { secret: "x".repeat(32), origins: ["https://a.example.com"], expires: 5 } },
    ],
    ["in parameters", { ...base, parameters: { allowed: [] } }],
    ["in a plan", { ...base, limits: { caller: { requestPerMinute: 1 } } }],
    ["in prices", { providers: { upstream: { ...upstream, prices: { input: 1, output: 1, cached: 1 } } } }],
  ] as [string, object][]) {
    it(`are errors: ${what}`, async (context) => {
      const logged = context.mock.method(console, "error", () => {});
      const app = gateway(options as GatewayOptions);
      assert.equal((await app.fetch(new Request("http://localhost/healthz"))).status, 500);
      assert.match(String(logged.mock.calls[0]?.arguments.join(" ")), /has no option "|must be a number/);
    });
  }
});
