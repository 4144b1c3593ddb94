/** Keys of callers that are made, listed, limited and revoked while the gateway runs; tokens of pages for end users. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bearerTokens, type CallerKey, type GatewayOptions } from "chatwire/edge";
import { manageKeys } from "../../npm/key-command.ts";
import { keysObject, limiterObjects } from "./objects.ts";
import { bytesOf, CHAT, chat, errorOf, withEmulator } from "./setting.ts";

const bearer = (token: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${token}`, ...more });
const page = "https://chat.example.com";

function setting(options: Partial<GatewayOptions> = {}) {
  const own = withEmulator({
    authorize: bearerTokens({
      "of-admin": { caller: "admin", managesKeys: true },
      "of-team": { caller: "team", models: ["small", "large"], maxTokens: 50, plan: { requestsPerMinute: 100 } },
    }),
    models: { small: "upstream/electron", large: "upstream/electron" },
    keys: keysObject().namespace,
    limiter: limiterObjects().namespace,
    token: { secret: "x".repeat(32), origins: [page], expiresIn: 600 },
    ...options,
  });
  const manage = async (method: string, path: string, body?: object, token = "of-admin") => {
    const init = { method, headers: bearer(token), ...(body && { body: JSON.stringify(body) }) };
    return own.fetch(`/v1/keys${path}`, init);
  };
  const create = async (body: object): Promise<CallerKey & { key: string }> => (await manage("POST", "", body)).json();
  const ask = (token: string, params = {}, headers: Record<string, string> = {}) =>
    own.fetch(CHAT, chat("Tell me a story", { model: "small", ...params, headers: bearer(token, headers) }));
  const token = async (
    body?: object,
    maker = "of-team",
  ): Promise<{ token: string; id: string; expires_in: number; models: string[] }> => {
    const init = { method: "POST", headers: bearer(maker), ...(body && { body: JSON.stringify(body) }) };
    return (await own.fetch("/v1/token", init)).json();
  };
  return { ...own, manage, create, ask, token };
}

describe("keys of callers", () => {
  it("open what they are made for, until they are revoked", async () => {
    const { create, ask, manage, recorded } = setting();
    const { key, id, hint, grant } = await create({
      caller: "app",
      models: ["small"],
      maxTokens: 3,
      tags: { team: "a" },
    });
    assert.match(key, /^cwk_[\w-]{40,}$/);
    assert.ok(key.startsWith(hint.slice(0, -1)));
    assert.deepEqual(grant, { caller: "app", models: ["small"], maxTokens: 3, tags: { team: "a" } });
    const answer = await ask(key);
    assert.equal((await answer.json()).usage.completion_tokens, 3);
    const [record] = await recorded(1);
    assert.deepEqual([record?.caller, record?.tags], ["app", { team: "a" }]);
    assert.equal((await ask(key, { model: "large" })).status, 404);
    assert.equal((await manage("DELETE", `/${id}`)).status, 200);
    assert.equal((await ask(key)).status, 401);
  });
  it("are limited anew without being made anew", async () => {
    const { create, ask, manage } = setting();
    const { key, id } = await create({ caller: "app", maxTokens: 3 });
    assert.equal((await manage("PATCH", `/${id}`, { caller: "app", maxTokens: 2 })).status, 200);
    assert.equal((await (await ask(key)).json()).usage.completion_tokens, 2);
  });
  it("expire", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { create, ask } = setting({ keys: keysObject(() => Date.now()).namespace });
    const { key } = await create({ caller: "app", expiresIn: 60 });
    assert.equal((await ask(key)).status, 200);
    context.mock.timers.tick(61_000);
    assert.equal((await ask(key)).status, 401);
  });
  it("are listed in pages, and never shown again", async () => {
    const { create, manage } = setting();
    const made = [];
    for (const caller of ["a", "b", "c"]) made.push(await create({ caller }));
    const first = await (await manage("GET", "?limit=2")).json();
    assert.deepEqual([first.data.length, first.has_more], [2, true]);
    const rest = await (await manage("GET", `?limit=2&after=${first.data[1].id}`)).json();
    assert.deepEqual([rest.data.length, rest.has_more], [1, false]);
    const text = JSON.stringify([first, rest]);
    for (const { key, id } of made) {
      assert.ok(text.includes(id));
      assert.ok(!text.includes(key));
    }
  });
  it("are managed by those who may, with grants that make sense", async () => {
    const { manage, create, fetch } = setting();
    const { key } = await create({ caller: "app" });
    for (const [token, status] of [
      ["of-team", 403],
      [key, 403],
      ["nobody", 401],
    ] as const) {
      assert.equal((await manage("GET", "", undefined, token)).status, status);
      assert.equal((await manage("POST", "", { caller: "x" }, token)).status, status);
    }
    for (const body of [
      {},
      { caller: "" },
      { caller: "x", model: "small" },
      { caller: "x", managesKeys: true },
      { caller: "x", expiresIn: -1 },
    ]) {
      const refused = await manage("POST", "", body);
      const { code, message } = await errorOf(refused);
      assert.deepEqual([refused.status, code], [400, "invalid_value"], JSON.stringify(body));
      assert.doesNotMatch(message, /gateway's options/, "the caller's body is at fault");
    }
    assert.equal((await manage("DELETE", "/none")).status, 404);
    assert.equal((await fetch("/v1/keys", { method: "PUT", headers: bearer("of-admin") })).status, 405);
    const without = withEmulator({ authorize: () => ({ caller: "admin", managesKeys: true }) });
    assert.equal((await without.fetch("/v1/keys")).status, 404);
  });
});

describe("a page's token for an end user", () => {
  it("is of a user whose name cannot be taken for another maker's user", async () => {
    const { token, ask, recorded } = setting();
    for (const user of ["a/ann", "a%2Fann", "ann"]) {
      const answer = await ask((await token({ user })).token, { max_tokens: 1 }, { origin: page });
      await bytesOf(answer);
    }
    const callers = (await recorded(3)).map(({ caller }) => caller);
    assert.deepEqual(callers.sort(), ["team/a%252Fann", "team/a%2Fann", "team/ann"]);
  });
  it("has a user whose name is short and of one line", async () => {
    const { fetch } = setting();
    for (const user of ["a\nb", "a".repeat(257), "\ud800", ""]) {
      const init = { method: "POST", headers: bearer("of-team"), body: JSON.stringify({ user }) };
      assert.equal((await fetch("/v1/token", init)).status, 400);
    }
  });
  it("is that user's own, and allows no more than its maker may", async () => {
    const { token, ask, recorded } = setting();
    const { token: given, models } = await token({ user: "ann", models: ["small", "other"], maxTokens: 4 });
    assert.deepEqual(models, ["small"]);
    assert.equal((await (await ask(given, {}, { origin: page })).json()).usage.completion_tokens, 4);
    assert.equal((await recorded(1))[0]?.caller, "team/ann");
    assert.equal((await ask(given, { model: "large" }, { origin: page })).status, 404);
    const { token: greedy } = await token({ user: "ann", maxTokens: 5000 });
    assert.equal(
      (await (await ask(greedy, { max_tokens: 5000 }, { origin: page })).json()).usage.completion_tokens,
      50,
    );
  });
  it("has a plan of its own, each limit no higher than its maker's", async () => {
    const { token, ask } = setting();
    const { token: given } = await token({ user: "ann", plan: { requestsPerMinute: 1 } });
    assert.equal((await ask(given, {}, { origin: page })).status, 200);
    assert.equal((await ask(given, {}, { origin: page })).status, 429);
    const { token: other } = await token({ user: "bob", plan: { requestsPerMinute: 1 } });
    assert.equal((await ask(other, {}, { origin: page })).status, 200);
  });
  it("lasts no longer than asked, allowed, or its maker's own", async () => {
    const { token } = setting();
    assert.equal((await token()).expires_in, 600);
    assert.equal((await token({ expiresIn: 60 })).expires_in, 60);
    assert.equal((await token({ expiresIn: 9999 })).expires_in, 600);
    const expiring = setting({ authorize: () => ({ caller: "team", expiresAt: Date.now() + 30_000 }) });
    assert.ok((await expiring.token()).expires_in <= 30);
  });
  it("is revoked by itself, or with all of its user's", async () => {
    const { token, ask, fetch } = setting();
    const revoke = async (body: object) =>
      (await fetch("/v1/token/revoke", { method: "POST", headers: bearer("of-team"), body: JSON.stringify(body) }))
        .status;
    const [one, two, other] = [
      await token({ user: "ann" }),
      await token({ user: "ann" }),
      await token({ user: "bob" }),
    ];
    const statuses = async () =>
      Promise.all(
        [one, two, other].map(async (own) => {
          const answer = await ask(own.token, {}, { origin: page });
          await bytesOf(answer);
          return answer.status;
        }),
      );
    assert.deepEqual(await statuses(), [200, 200, 200]);
    assert.equal(await revoke({ id: one.id }), 200);
    assert.deepEqual(await statuses(), [401, 200, 200]);
    assert.equal(await revoke({ user: "ann" }), 200);
    assert.deepEqual(await statuses(), [401, 401, 200]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(
      (await ask((await token({ user: "ann" })).token, {}, { origin: page })).status,
      200,
      "a new one opens again",
    );
    assert.equal(await revoke({}), 400);
  });
  it("opens nothing once the key that it was made with is revoked", async () => {
    const { create, manage, token, ask } = setting();
    const { key, id } = await create({ caller: "app" });
    const other = await create({ caller: "app" });
    const made = [await token({ user: "ann" }, key), await token(undefined, key)];
    const kept = await token({ user: "ann" }, other.key);
    const status = async ({ token: own }: { token: string }) => (await ask(own, {}, { origin: page })).status;
    assert.deepEqual(await Promise.all([...made, kept].map(status)), [200, 200, 200]);
    assert.equal((await manage("DELETE", `/${id}`)).status, 200);
    assert.deepEqual(await Promise.all([...made, kept].map(status)), [401, 401, 200]);
  });
  it("opens nothing once the key that it was made with has expired, or is another caller's", async (context) => {
    context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const { create, manage, token, ask } = setting({ keys: keysObject(() => Date.now()).namespace });
    const status = async ({ token: own }: { token: string }) => (await ask(own, {}, { origin: page })).status;
    const [first, second] = [await create({ caller: "app" }), await create({ caller: "app" })];
    const [one, two] = [await token({}, first.key), await token({}, second.key)];
    await manage("PATCH", `/${first.id}`, { caller: "app", expiresIn: 60 });
    await manage("PATCH", `/${second.id}`, { caller: "other" });
    assert.deepEqual([await status(one), await status(two)], [200, 401]);
    context.mock.timers.tick(61_000);
    assert.equal(await status(one), 401);
  });
  it("allows no more than the key that it was made with does now", async () => {
    const { create, manage, token, ask, recorded } = setting();
    const { key, id } = await create({ caller: "app", models: ["small", "large"], maxTokens: 9, tags: { unit: "a" } });
    const given = await token({ user: "ann" }, key);
    const used = async (params = {}) => {
      const answer = await ask(given.token, params, { origin: page });
      return answer.status === 200 ? (await answer.json()).usage.completion_tokens : answer.status;
    };
    assert.deepEqual([await used(), await used({ model: "large" })], [9, 9]);
    const tools = [{ type: "function", function: { name: "f" } }];
    const narrow = { caller: "app", models: ["small"], maxTokens: 2, tools: false, tags: { unit: "b" } };
    await manage("PATCH", `/${id}`, { ...narrow, plan: { requestsPerMinute: 1 } });
    assert.deepEqual([await used({ model: "large" }), await used({ tools }), await used()], [404, 400, 2]);
    assert.equal(await used(), 429, "the new plan");
    assert.deepEqual((await recorded(3))[2]?.tags, { unit: "b" });
    await manage("PATCH", `/${id}`, { caller: "app", maxTokens: 20 });
    assert.equal(await used(), 9, "no more than it was made with");
  });
  it("opens nothing, made with a key, where the gateway knows of no keys", async () => {
    const { create, token } = setting();
    const given = await token({}, (await create({ caller: "app" })).key);
    const plain = setting({ authorize: () => ({ caller: "team" }) });
    const without = withEmulator({
      authorize: bearerTokens(["a"]),
      token: { secret: "x".repeat(32), origins: [page], expiresIn: 600 },
    });
    const sent = (own: string) => chat("hi", { headers: bearer(own, { origin: page }) });
    assert.equal((await without.fetch(CHAT, sent(given.token))).status, 401);
    assert.equal((await without.fetch(CHAT, sent((await plain.token()).token))).status, 200);
  });
  it("is asked for with what makes sense", async () => {
    const { fetch } = setting();
    for (const body of [{ users: "ann" }, { user: 5 }, { plan: { costPerDay: -1 } }, { models: "small" }]) {
      const init = { method: "POST", headers: bearer("of-team"), body: JSON.stringify(body) };
      const refused = await fetch("/v1/token", init);
      assert.equal(refused.status, 400, JSON.stringify(body));
      assert.doesNotMatch((await errorOf(refused)).message, /gateway's options/);
    }
  });
});

describe("npx chatwire keys", () => {
  it("makes, lists, limits and revokes", async () => {
    const { fetch, ask } = setting();
    const send = ((url: string, init: RequestInit) => fetch(url, init)) as typeof globalThis.fetch;
    const lines: string[] = [];
    const run = async (action: string, id?: string, grant: Record<string, unknown> = {}) => {
      lines.length = 0;
      const command = { action, id, gateway: "http://localhost/v1/", token: "of-admin", grant };
      await manageKeys(command, (line) => lines.push(line), send);
      return lines.map((line) => JSON.parse(line));
    };
    const [made] = await run("create", undefined, { caller: "app", maxTokens: 3 });
    assert.equal((await ask(made.key)).status, 200);
    const [changed] = await run("limit", made.id, { caller: "app", maxTokens: 2 });
    assert.equal(changed.grant.maxTokens, 2);
    for (let more = 0; more < 120; more++) await run("create", undefined, { caller: "more" });
    assert.equal((await run("list")).length, 121);
    assert.ok(!lines.join().includes(made.key));
    await run("revoke", made.id);
    assert.equal((await ask(made.key)).status, 401);
    await assert.rejects(run("create", undefined, { caller: "" }), /refused \(400\)/);
    await assert.rejects(run("revoke"), /takes the id of a key/);
    await assert.rejects(run("destroy"), /one of list, create, limit, revoke/);
  });
});
