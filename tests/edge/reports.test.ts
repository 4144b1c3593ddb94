/** Reports to callers and operators: headers of limits, usage by tags and in pages, what runs now, and the page that shows it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Authorize, GatewayOptions, LimitsReport, UsageReport } from "chatwire/edge";
import { limiterObjects, streamObjects } from "./objects.ts";
import { bytesOf, CHAT, chat, errorOf, setUp, until, withEmulator } from "./setting.ts";

const as = (caller: string, more: Record<string, string> = {}) => ({ authorization: caller, ...more });

/** Callers are named by their header; `boss` reads everything, and callers have the tag that follows their name. */
const authorize: Authorize = (request) => {
  const [caller = "", unit] = decodeURIComponent(request.headers.get("authorization") ?? "").split("/");
  return caller ? { caller, readsUsage: caller === "boss", ...(unit && { tags: { unit, plan: "p" } }) } : null;
};

function setting(options: Partial<GatewayOptions> = {}, settings = {}) {
  const objects = limiterObjects();
  return { ...withEmulator({ limiter: objects.namespace, authorize, ...options }, settings), objects };
}

const PRICES = { input: 1, output: 1 };

describe("headers of limits", () => {
  it("say the limit, what is left and when it is whole again, of requests, tokens and money", async () => {
    const { fetch } = setting({
      limits: { caller: { requestsPerMinute: 3, tokensPerMinute: 1000, costPerDay: 0.5, costTotal: 100 } },
    });
    const answer = await fetch(CHAT, chat("hi", { max_tokens: 10, headers: as("alice") }));
    assert.equal(answer.status, 200);
    const { headers } = answer;
    await bytesOf(answer);
    assert.deepEqual(
      ["limit", "remaining", "reset"].map((what) => headers.get(`x-ratelimit-${what}-requests`)),
      ["3", "2", "1m0s"],
    );
    assert.equal(headers.get("x-ratelimit-limit-tokens"), "1000");
    const left = Number(headers.get("x-ratelimit-remaining-tokens"));
    assert.ok(left >= 900 && left < 1000, `${left}`);
    assert.equal(headers.get("x-ratelimit-reset-tokens"), "1m0s");
    assert.equal(headers.get("x-chatwire-budget-limit"), "0.5");
    assert.ok(Number(headers.get("x-chatwire-budget-remaining")) < 0.5);
    assert.match(headers.get("x-chatwire-budget-reset") ?? "", /^(\d+h)?(\d+m)?\d+m?s$/);
  });

  it("are in a refusal, too", async () => {
    const { fetch } = setting({ limits: { caller: { requestsPerMinute: 1 } } });
    await bytesOf(await fetch(CHAT, chat("hi", { headers: as("alice") })));
    const refused = await fetch(CHAT, chat("hi", { headers: as("alice") }));
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("x-ratelimit-remaining-requests"), "0");
    assert.match(refused.headers.get("x-ratelimit-reset-requests") ?? "", /^(1m0s|\d+s|\d+ms)$/);
  });

  it("are those of the kept stream", async () => {
    const { fetch } = setting({
      limits: { caller: { requestsPerMinute: 5 } },
      streams: streamObjects().namespace,
      onDisconnect: "durable",
    });
    const answer = await fetch(CHAT, chat("hi", { stream: true, headers: as("alice") }));
    assert.equal(answer.headers.get("x-ratelimit-limit-requests"), "5");
    await bytesOf(answer);
  });
});

describe("the usage report", () => {
  /** Asks once each, and waits until all of it is counted. */
  async function used(fetch: (path: string, init?: RequestInit) => Promise<Response>, callers: readonly string[]) {
    for (const caller of callers) await bytesOf(await fetch(CHAT, chat("hi", { headers: as(caller) })));
    const report = async (query = "", caller = "boss") => {
      const answer = await fetch(`/v1/usage${query}`, { headers: as(caller) });
      return (await answer.json()) as UsageReport;
    };
    let requests = 0;
    while (requests < callers.length) {
      await new Promise(setImmediate);
      requests = (await report()).data.reduce((sum, row) => sum + row.requests, 0);
    }
    return report;
  }

  it("is by tags, and only of those that are asked for", async () => {
    const { fetch } = setting();
    const report = await used(fetch, ["alice/a", "alice/b", "bob/a", "bob", "alice/a"]);
    const lines = (usage: UsageReport) =>
      usage.data.map(({ caller, tags, requests }) => [caller, tags?.unit, requests]);
    assert.deepEqual(lines(await report()), [
      ["alice", "a", 2],
      ["alice", "b", 1],
      ["bob", undefined, 1],
      ["bob", "a", 1],
    ]);
    assert.deepEqual(lines(await report("?tag=unit:a")), [
      ["alice", "a", 2],
      ["bob", "a", 1],
    ]);
    assert.deepEqual(lines(await report("?tag=unit:a&tag=plan:p&caller=bob")), [["bob", "a", 1]]);
    // No part of a name or a value, and nothing that only looks like a tag.
    for (const query of ["?tag=unit:", "?tag=nit:a", '?tag=unit:a","plan:p', "?tag=plan:a"]) {
      assert.deepEqual(lines(await report(query)), [], query);
    }
    assert.deepEqual(lines(await report("?tag=unit:a", "alice")), [["alice", "a", 2]]);
  });

  it("comes in pages, each row once, in one order", async () => {
    const { fetch } = setting();
    const callers = ["b", "a", "é", "\u{1F600}", "\uffee", "a/x", "a/y"].map((name) => encodeURIComponent(name));
    const report = await used(fetch, callers);
    const whole = await report();
    assert.deepEqual([whole.data.length, whole.has_more, whole.next], [callers.length, false, null]);
    for (const limit of [1, 2, 3, 7, 8]) {
      const rows: unknown[] = [];
      let page = await report(`?limit=${limit}`);
      for (;;) {
        rows.push(...page.data);
        assert.ok(page.data.length <= limit);
        assert.equal(page.has_more, page.next !== null);
        if (page.next === null) break;
        page = await report(`?limit=${limit}&after=${page.next}`);
      }
      assert.deepEqual(rows, whole.data, `${limit} rows`);
    }
  });

  it("refuses pages and tags that are none", async () => {
    const { fetch } = setting();
    for (const query of [
      "limit=0",
      "limit=x",
      "limit=10001",
      "limit=-1",
      "after=x",
      "after=bnVsbA",
      "tag=unit",
      "tag=:",
    ]) {
      const answer = await fetch(`/v1/usage?${query}`, { headers: as("boss") });
      assert.deepEqual([answer.status, (await errorOf(answer)).code], [400, "invalid_value"], query);
    }
  });

  it("has the usage of every key of a provider", async () => {
    const emulated = withEmulator();
    const { emulator } = emulated;
    const { fetch } = setting({
      providers: {
        upstream: {
          provider: { baseURL: "https://api.example.com/waves/v1", prices: PRICES },
          keys: ["sk-one", "sk-two", "sk-three"],
          maxRetries: 0,
          fetch: emulator.fetch as NonNullable<GatewayOptions["providers"][string]["fetch"]>,
        },
      },
      limits: { providers: { upstream: { concurrent: 1 } } },
    });
    const asked = Array.from({ length: 3 }, async () =>
      bytesOf(await fetch(CHAT, chat("hi", { headers: as("alice") }))),
    );
    await Promise.all(asked);
    const report = await used(fetch, ["alice"]);
    let requests = 0;
    while (requests < 4) {
      await new Promise(setImmediate);
      requests = (await report()).data.reduce((sum, row) => sum + row.requests, 0);
    }
    assert.equal(requests, 4);
  });
});

describe("what runs now", () => {
  it("is told with the limits, to operators of all and to callers of their own", async () => {
    const { fetch, emulator } = setting(
      {
        admin: true,
        models: { fast: "upstream/electron" },
        limits: { caller: { concurrent: 2, requestsPerMinute: 10 } },
      },
      { tokensPerSecond: 20 },
    );
    const running = await fetch(CHAT, chat("Count to 500", { model: "fast", stream: true, headers: as("alice/a") }));
    await until(() => emulator.ledger.open === 1);
    const report = async (caller: string, query = "") =>
      (await (await fetch(`/v1/limits${query}`, { headers: as(caller) })).json()) as LimitsReport;
    const { data } = await report("boss");
    assert.deepEqual(
      data.map(({ kind, name, live, waiting }) => [kind, name, live.length, waiting]),
      [
        ["provider", "upstream", 1, 0],
        ["caller", "alice", 1, 0],
      ],
    );
    const [one] = data[0]?.live ?? [];
    assert.deepEqual([one?.caller, one?.model], ["alice", "fast"]);
    assert.deepEqual(data[1]?.left.requests, { limit: 10, left: 9, reset: data[1]?.left.requests?.reset });
    const own = await report("bob");
    assert.deepEqual(
      own.data.map(({ kind, name, live }) => [kind, name, live.length]),
      [["caller", "bob", 0]],
    );
    assert.deepEqual(await report("bob", "?caller=alice"), own);
    assert.equal((await report("boss", "?caller=alice")).data.at(-1)?.live.length, 1);
    await running.body?.cancel();
    assert.equal((await fetch("/v1/limits")).status, 401);
    assert.equal((await withEmulator({ authorize }).fetch("/v1/limits", { headers: as("boss") })).status, 404);
  });

  it("is known without plans only where it is asked for", async () => {
    for (const admin of [true, false]) {
      const { fetch, objects } = setting({ admin });
      await bytesOf(await fetch(CHAT, chat("hi", { headers: as("alice") })));
      await until(() => objects.asked.some(({ op }) => op === "settle"));
      assert.equal(
        objects.asked.some(({ op }) => op === "admit"),
        admin,
      );
    }
  });
});

describe("the operators' page", () => {
  it("is there where it is asked for, with nothing in it and nothing allowed to it but the gateway", async () => {
    const { fetch } = setting({ admin: true });
    for (const [path, type] of [
      ["/admin", "text/html"],
      ["/admin/", "text/html"],
      ["/admin/page.js", "text/javascript"],
      ["/admin/page.css", "text/css"],
    ] as const) {
      const answer = await fetch(path);
      assert.equal(answer.status, 200, path);
      assert.ok(answer.headers.get("content-type")?.startsWith(type));
      const policy = answer.headers.get("content-security-policy") ?? "";
      for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"]) {
        assert.ok(policy.includes(part), part);
      }
      assert.doesNotMatch(policy, /unsafe|\*|https?:/);
      assert.ok((await answer.text()).length < 6000, `${path} is small`);
    }
    assert.equal((await fetch("/admin", { method: "POST" })).status, 405);
    assert.equal((await setting().fetch("/admin")).status, 404);
  });

  it("needs what it shows", async (context) => {
    const logged = context.mock.method(console, "error", () => {});
    const incomplete: Partial<GatewayOptions>[] = [
      { admin: true, authorize },
      { admin: true, limiter: limiterObjects().namespace, public: true },
    ];
    for (const options of incomplete) assert.equal((await withEmulator(options).fetch("/admin")).status, 500);
    assert.match(String(logged.mock.calls[0]?.arguments), /admin needs limiter/);
  });
});

describe("a trace", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (const onDisconnect of ["drain", "abort", "durable"] as const) {
    it(`goes through to the provider, ${onDisconnect}`, async () => {
      const seen: (string | null)[] = [];
      const own = withEmulator();
      const { fetch } = setUp(
        async (url, init) => {
          seen.push(init.headers.get("traceparent"), init.headers.get("tracestate"));
          return own.emulator.fetch(url, init as RequestInit);
        },
        { authorize, onDisconnect, ...(onDisconnect === "durable" && { streams: streamObjects().namespace }) },
      );
      const headers = as("alice", { traceparent, tracestate: "a=1" });
      await bytesOf(await fetch(CHAT, chat("hi", { stream: true, headers })));
      assert.deepEqual(seen, [traceparent, "a=1"]);
    });
  }
});
