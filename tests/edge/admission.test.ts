/** Admission: the callers that are let in, the parameters that they may send, and the facts that they are not told. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { before, describe, it, test } from "node:test";
import { bearerTokens, gateway, jwt } from "chatwire/edge";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { bytesOf, CHAT, chat, errorOf, KEY, setUp, withEmulator } from "./setting.ts";

const REMOTE = "https://gateway.example.com";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("without authorize", () => {
  const { fetch } = withEmulator();
  for (const host of ["localhost", "127.0.0.1:8787", "[::1]:80"]) {
    it(`answers ${host}`, async () => {
      assert.equal((await fetch(`http://${host}/healthz`)).status, 200);
      assert.equal((await fetch(`http://${host}/v1/models`)).status, 200);
    });
  }
  for (const host of ["gateway.example.com", "localhost.example.com", "192.168.0.7", "0.0.0.0"]) {
    it(`refuses ${host} everything`, async () => {
      for (const [path, init] of [["/healthz"], ["/v1/models"], [CHAT, chat("hi")], ["/elsewhere"]] as const) {
        const answer = await fetch(`http://${host}${path}`, init);
        assert.equal(answer.status, 403);
        assert.equal((await errorOf(answer)).code, "host_not_allowed");
      }
    });
  }
  it("believes the Host before the address", async () => {
    assert.equal((await fetch("http://localhost/v1/models", { headers: { host: "rebound.example.com" } })).status, 403);
  });
  it("answers everybody when told to", async () => {
    const open = withEmulator({ public: true });
    assert.equal((await open.fetch(`${REMOTE}${CHAT}`, chat("hi"))).status, 200);
  });
});

describe("bearerTokens", () => {
  const { fetch, recorded } = withEmulator({
    authorize: bearerTokens({ "of-alice": "alice", "of-kiosk": { caller: "kiosk", models: ["small"], maxTokens: 5 } }),
    models: { large: "upstream/electron", small: "upstream/electron" },
  });
  it("says who called", async () => {
    await bytesOf(await fetch(`${REMOTE}${CHAT}`, chat("hi", { model: "large", headers: bearer("of-alice") })));
    assert.equal((await recorded(1))[0]?.caller, "alice");
  });
  for (const token of ["", "of-alic", "of-alicee", "Of-alice", "of-alice of-alice", "undefined"]) {
    it(`refuses ${JSON.stringify(token)}`, async () => {
      for (const [path, init] of [
        ["/v1/models", {}],
        [CHAT, chat("hi")],
      ] as const) {
        const answer = await fetch(`${REMOTE}${path}`, { ...init, headers: bearer(token) });
        assert.equal(answer.status, 401);
        assert.equal(answer.headers.get("www-authenticate"), "Bearer");
        assert.ok(!(await answer.text()).includes("of-alice"));
      }
    });
  }
  it("refuses another scheme", async () => {
    const headers = { authorization: "Basic of-alice" };
    assert.equal((await fetch(`${REMOTE}/v1/models`, { headers })).status, 401);
  });
  it("lets each use their own models", async () => {
    const list = await (await fetch(`${REMOTE}/v1/models`, { headers: bearer("of-kiosk") })).json();
    assert.deepEqual(
      list.data.map(({ id }: { id: string }) => id),
      ["small"],
    );
    const answer = await fetch(`${REMOTE}${CHAT}`, chat("hi", { model: "large", headers: bearer("of-kiosk") }));
    assert.equal(answer.status, 404);
    const { code, message } = await errorOf(answer);
    assert.equal(code, "model_not_found");
    assert.match(message, /small/);
    assert.doesNotMatch(message, /large/);
  });
  it("answers /healthz to everybody", async () => {
    assert.equal((await fetch(`${REMOTE}/healthz`)).status, 200);
  });
  it("names the caller of a list by the token's hash", async () => {
    const one = withEmulator({ authorize: bearerTokens(["first", "second"]) });
    await bytesOf(await one.fetch(`${REMOTE}${CHAT}`, chat("hi", { headers: bearer("second") })));
    assert.equal((await one.recorded(1))[0]?.caller, "token:16367aac"); // sha256("second")
  });
  it("is not made of nothing", () => {
    for (const tokens of [[], [""], [undefined], { undefined: "alice" }]) {
      assert.throws(() => bearerTokens(tokens as string[]), /bearerTokens has no token/);
    }
  });
});

describe("authorize of one's own", () => {
  it("sees the request without its body, and the environment", async () => {
    let seen: unknown;
    const { createEmulator } = await import("chatwire/emulator");
    const app = gateway({
      providers: { upstream: { provider: "electron", apiKey: "any", fetch: createEmulator().fetch } },
      authorize: async (request, env) => {
        seen = [request.method, request.headers.get("x-own"), await request.text(), env.NAME];
        return { caller: "somebody" };
      },
    });
    const answer = await app.fetch(new Request(REMOTE + CHAT, chat("hi", { headers: { "x-own": "1" } })), {
      NAME: "value",
    });
    assert.equal(answer.status, 200);
    assert.deepEqual(seen, ["POST", "1", "", "value"]);
  });
  it("lets nobody in when it fails", async (t) => {
    const log = t.mock.method(console, "error", () => {});
    const { fetch, emulator } = withEmulator({
      authorize: () => {
        throw new Error("the database at 10.0.0.7 refused the password hunter2");
      },
    });
    const answer = await fetch(CHAT, chat("hi"));
    assert.equal(answer.status, 503);
    assert.doesNotMatch(await answer.text(), /hunter2|10\.0/);
    assert.doesNotMatch(String(log.mock.calls[0]?.arguments), /hunter2/);
    assert.equal(emulator.ledger.requests, 0);
  });
  for (const given of [null, undefined, true, "alice", {}]) {
    it(`lets nobody in for ${JSON.stringify(given)}`, async () => {
      const { fetch } = withEmulator({ authorize: () => given as never });
      assert.equal((await fetch(CHAT, chat("hi"))).status, 401);
    });
  }
});

describe("jwt", () => {
  const secret = "a secret of at least thirty-two characters";
  const bytes = new TextEncoder().encode(secret);
  const issuer = "https://login.example.com";
  const audience = "chat";
  const sign = (claims: object, { exp = "1h", alg = "HS256", key = bytes as Uint8Array | CryptoKey, kid = "" } = {}) =>
    new SignJWT({ iss: issuer, aud: audience, sub: "alice", ...claims })
      .setProtectedHeader({ alg, ...(kid && { kid }) })
      .setExpirationTime(exp)
      .sign(key);
  const { fetch, recorded } = withEmulator({ authorize: jwt({ secret, issuer, audience }) });
  const ask = async (token: string) => {
    const answer = await fetch(REMOTE + CHAT, chat("hi", { headers: bearer(token) }));
    await bytesOf(answer);
    return answer.status;
  };

  it("lets the subject in", async () => {
    assert.equal(await ask(await sign({})), 200);
    assert.equal((await recorded(1))[0]?.caller, "alice");
  });
  it("refuses what is expired, forged, or for others", async () => {
    const good = await sign({});
    const [header, payload, signature] = good.split(".");
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
    const other = new TextEncoder().encode("another secret of thirty-two characters!!");
    for (const [what, token] of Object.entries({
      expired: await sign({}, { exp: "-1m" }),
      forged: await sign({}, { key: other }),
      changed: `${header}.${Buffer.from('{"sub":"bob"}').toString("base64url")}.${signature}`,
      unsigned: none,
      "wrong issuer": await sign({ iss: "https://evil.example.com" }),
      "wrong audience": await sign({ aud: "mail" }),
      "not yet": await sign({ nbf: Math.floor(Date.now() / 1000) + 600 }),
      nameless: await sign({ sub: undefined }),
      "for ever": await new SignJWT({ iss: issuer, aud: audience, sub: "a" })
        .setProtectedHeader({ alg: "HS256" })
        .sign(bytes),
      nonsense: "a.b.c",
    })) {
      assert.equal(await ask(token), 401, what);
    }
  });
  it("needs to know who signs, and for whom", () => {
    assert.throws(() => jwt({ secret, issuer: "", audience }), /issuer and audience/);
    assert.throws(() => jwt({ secret: "short", issuer, audience }), /32 characters/);
    assert.throws(() => jwt({ issuer, audience }), /either jwks or secret/);
    for (const tolerance of [-1, Number.NaN])
      assert.throws(() => jwt({ secret, issuer, audience, tolerance }), /tolerance/);
  });
  it("finds the keys where they are published", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    let status = 200;
    const keys = [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }];
    const server = createServer((_, response) => response.writeHead(status).end(JSON.stringify({ keys })));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const jwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
      const signed = await sign({}, { alg: "ES256", key: privateKey, kid: "one" });
      const remote = () => withEmulator({ authorize: jwt({ jwks, issuer, audience }) }).fetch;
      const ask = async (fetch: ReturnType<typeof remote>, token: string) =>
        (await fetch(REMOTE + CHAT, chat("hi", { headers: bearer(token) }))).status;
      const found = remote();
      assert.equal(await ask(found, signed), 200);
      assert.equal(await ask(found, await sign({}, { kid: "one" })), 401, "signed with what is public");
      status = 500;
      const logged = console.error;
      console.error = () => {};
      assert.equal(await ask(remote(), signed), 503, "nobody knows");
      console.error = logged;
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
  it("asks whom the claims stand for", async () => {
    const grant = (claims: { role?: unknown; sub?: string }) =>
      claims.role === "writer" ? { caller: claims.sub ?? "", maxTokens: 1 } : null;
    const roles = withEmulator({ authorize: jwt({ secret, issuer, audience, grant }) });
    const ask = async (role: string) =>
      roles.fetch(REMOTE + CHAT, chat("Tell me a story", { headers: bearer(await sign({ role })) }));
    assert.equal((await ask("reader")).status, 401);
    assert.equal((await (await ask("writer")).json()).usage.completion_tokens, 1);
  });
});

describe("page tokens", () => {
  const page = "https://chat.example.com";
  const token = { secret: "x".repeat(32), origins: [page], models: ["small", "tiny"], maxTokens: 3, expiresIn: 60 };
  const options = {
    authorize: bearerTokens({ "of-server": { caller: "server", models: ["small", "large"] } }),
    models: { small: "upstream/electron", tiny: "upstream/electron", large: "upstream/electron" },
    token,
  };
  const { fetch, recorded } = withEmulator(options);
  const issue = async (from = fetch) => from(`${REMOTE}/v1/token`, { method: "POST", headers: bearer("of-server") });
  const use = (given: string, headers: Record<string, string> = { origin: page }, params = {}) =>
    fetch(
      REMOTE + CHAT,
      chat("Tell me a story", { model: "small", ...params, headers: { ...bearer(given), ...headers } }),
    );
  let issued: { token: string; expires_in: number; expires_at: number; models: string[]; max_tokens: number };
  before(async () => {
    issued = await (await issue()).json();
  });

  it("are given to those whom authorize knows, for no more than they may", () => {
    const { token: _, expires_at, ...rest } = issued;
    assert.deepEqual(rest, { token_type: "Bearer", expires_in: 60, models: ["small"], max_tokens: 3 });
    assert.ok(Math.abs(expires_at - Date.now() / 1000 - 60) < 5);
  });
  it("open what they are for, within their cap", async () => {
    const answer = await use(issued.token);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("access-control-allow-origin"), page);
    assert.equal((await answer.json()).usage.completion_tokens, 3);
    assert.equal((await recorded(1))[0]?.caller, "server");
    const more = await use(issued.token, { origin: page }, { max_tokens: 1000 });
    assert.equal((await more.json()).usage.completion_tokens, 3);
  });
  it("open no other model", async () => {
    for (const model of ["large", "tiny", "electron"]) {
      assert.equal((await use(issued.token, { origin: page }, { model })).status, 404);
    }
  });
  it("are for pages of their origin", async () => {
    for (const headers of [
      { origin: "https://evil.example.com" },
      { origin: "null" },
      {},
      { origin: `${page}.evil.com` },
    ]) {
      const answer = await use(issued.token, headers as Record<string, string>);
      assert.equal(answer.status, 403);
      assert.equal((await errorOf(answer)).code, "origin_not_allowed");
    }
  });
  it("cannot be forged, changed or renewed", async () => {
    const stranger = withEmulator({ ...options, token: { ...token, secret: "y".repeat(32) } });
    const { token: foreign } = await (await issue(stranger.fetch)).json();
    const [header, payload, signature] = issued.token.split(".");
    const claims = JSON.parse(Buffer.from(payload ?? "", "base64url").toString());
    const changed = Buffer.from(JSON.stringify({ ...claims, max_tokens: 1e6 })).toString("base64url");
    for (const given of [foreign, `${header}.${changed}.${signature}`, "cwp_", "cwp_a.b.c", issued.token.slice(4)]) {
      assert.equal((await use(given)).status, 401);
    }
    const headers = { ...bearer(issued.token), origin: page };
    assert.equal((await fetch(`${REMOTE}/v1/token`, { method: "POST", headers })).status, 401);
  });
  it("expire", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    assert.equal((await use(issued.token)).status, 200);
    t.mock.timers.tick(61_000);
    assert.equal((await use(issued.token)).status, 401);
  });
  it("are given to nobody else, and not at all where they are not configured", async () => {
    assert.equal((await fetch(`${REMOTE}/v1/token`, { method: "POST" })).status, 401);
    const { fetch: without } = withEmulator();
    assert.equal((await without("/v1/token", { method: "POST" })).status, 404);
  });
});

describe("pages of other sites", () => {
  const page = "https://chat.example.com";
  const { fetch } = withEmulator({ cors: [page] });
  it("may call when they are listed", async () => {
    const headers = {
      origin: page,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    const asked = await fetch(CHAT, { method: "OPTIONS", headers });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get("access-control-allow-origin"), page);
    assert.equal(asked.headers.get("access-control-allow-headers"), "authorization");
    for (const [init, status] of [
      [chat("hi", { headers: { origin: page } }), 200],
      [{ method: "POST", headers: { origin: page } }, 400],
    ] as const) {
      const answer = await fetch(CHAT, init);
      assert.equal(answer.status, status);
      assert.equal(answer.headers.get("access-control-allow-origin"), page);
      assert.match(answer.headers.get("vary") ?? "", /origin/);
    }
  });
  it("are refused before anything is sent when they are not", async () => {
    const { fetch, emulator } = withEmulator({ cors: [page] });
    for (const headers of [
      { origin: "https://evil.example.com" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
    ]) {
      for (const method of ["POST", "OPTIONS"]) {
        const init = { ...chat("hi", { headers }), method };
        const answer = await fetch(CHAT, method === "POST" ? init : { method, headers: headers as HeadersInit });
        assert.equal(answer.status, 403);
        assert.equal(answer.headers.get("access-control-allow-origin"), null);
      }
    }
    assert.equal(emulator.ledger.requests, 0);
  });
  it("need not be listed when the gateway serves them", async () => {
    assert.equal(
      (await fetch(CHAT, chat("hi", { headers: { origin: "http://localhost", "sec-fetch-site": "same-origin" } })))
        .status,
      200,
    );
  });
});

describe("a body", () => {
  const { fetch, emulator } = withEmulator({ maxBodyBytes: 1000 });
  const post = (body: BodyInit, headers = {}) =>
    fetch(CHAT, { method: "POST", body, headers, duplex: "half" } as RequestInit);

  it("may be as long as allowed, and not a byte longer, whatever it says of its length", async () => {
    const start = '{"messages":[{"role":"user","content":"';
    const fill = (length: number) => `${start}${"x".repeat(length - start.length - 4)}"}]}`;
    assert.equal((await post(fill(1000))).status, 200);
    const streamed = () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          for (const piece of fill(1001).match(/.{1,100}/g) ?? []) controller.enqueue(new TextEncoder().encode(piece));
          controller.close();
        },
      });
    for (const answer of [
      await post(fill(1001)),
      await post(streamed()),
      await post(streamed(), { "content-length": "5" }),
    ]) {
      assert.equal(answer.status, 413);
      assert.match((await errorOf(answer)).message, /1000 bytes/);
    }
  });
  it("is a JSON object", async () => {
    const before = emulator.ledger.requests;
    for (const body of [
      "",
      "{",
      "null",
      "[]",
      '"text"',
      "1",
      '{"messages":',
      new Uint8Array([0x7b, 0xff, 0x7d]),
      "<html>",
    ]) {
      const answer = await post(body);
      assert.equal(answer.status, 400);
      assert.equal((await errorOf(answer)).code, "invalid_json");
    }
    assert.equal(emulator.ledger.requests, before);
  });
  it("is refused for what the provider documents as rejected, by field", async () => {
    const answer = await fetch(CHAT, chat("hi", { temperature: 9 }));
    assert.equal(answer.status, 400);
    assert.equal((await errorOf(answer)).param, "temperature");
  });
});

describe("headers", () => {
  it("do not pass to the provider, but for the request's id", async () => {
    let sent: Headers | undefined;
    const { fetch } = setUp(async (_url, { headers }) => {
      sent = headers;
      return Response.json({ choices: [] });
    });
    const headers = {
      cookie: "session=1",
      "x-forwarded-host": "evil.example.com",
      "x-emulator": "status=500",
      "openai-organization": "mine",
      "x-request-id": "trace:1.a-b_c",
      authorization: "Bearer of-the-caller",
    };
    const answer = await fetch(CHAT, chat("hi", { headers }));
    assert.deepEqual(Object.fromEntries(sent ?? []), {
      accept: "application/json",
      authorization: `Bearer ${KEY}`,
      "content-type": "application/json",
      "x-request-id": "trace:1.a-b_c",
    });
    assert.equal(answer.headers.get("x-request-id"), "trace:1.a-b_c");
  });
  for (const id of ["a b", "a;b", '"><script>', "é", "x".repeat(129), "a,b", "$jndi"]) {
    it(`replace a request's id such as ${id.slice(0, 10)}`, async () => {
      const { fetch } = withEmulator();
      const answer = await fetch("/healthz", { headers: { "x-request-id": id } });
      assert.match(answer.headers.get("x-request-id") ?? "", /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    });
  }
  it("of the provider do not pass to the caller, but for its id", async () => {
    const { fetch } = setUp(async () =>
      Response.json(
        { choices: [] },
        {
          headers: {
            "x-request-id": "up-1",
            "set-cookie": "session=1",
            server: "internal/1.0",
            "openai-organization": "ours",
            "x-ratelimit-remaining-requests": "7",
            "access-control-allow-origin": "*",
            location: "http://10.0.0.7/",
          },
        },
      ),
    );
    const answer = await fetch(CHAT, chat("hi", { headers: { "x-request-id": "mine" } }));
    assert.deepEqual(Object.fromEntries(answer.headers), {
      "cache-control": "no-store, no-transform",
      "content-security-policy": "default-src 'none'; sandbox",
      "content-type": "application/json",
      "x-content-type-options": "nosniff",
      "x-request-id": "mine",
      "x-upstream-request-id": "up-1",
    });
  });
});

describe("a provider's failure", () => {
  const refusal =
    (status: number, message: string, headers = {}) =>
    () =>
      Promise.resolve(Response.json({ error: { message, type: "t", code: "c", param: "p" } }, { status, headers }));

  it("about the key is not the caller's, and quotes nothing", async () => {
    for (const status of [401, 403]) {
      const { fetch } = setUp(refusal(status, `Incorrect API key provided: sk-sec***ider, or ${KEY}`));
      const answer = await fetch(CHAT, chat("hi"));
      assert.equal(answer.status, 502);
      assert.equal(answer.headers.get("x-should-retry"), "false");
      const text = await answer.text();
      assert.match(text, /provider_key_refused/);
      assert.doesNotMatch(text, /sk-/);
    }
  });
  it("about the request passes, without keys and addresses", async () => {
    const said = `Bad: ${KEY} sk-abc***def at http://10.1.2.3:8080/x, llm.svc:80, localhost:11434, vllm.corp.internal`;
    const { fetch } = setUp(refusal(400, said));
    const answer = await fetch(CHAT, chat("hi"));
    assert.equal(answer.status, 400);
    const { message, code, param } = await errorOf(answer);
    assert.deepEqual([code, param], ["c", "p"]);
    assert.match(message, /^Bad: /);
    assert.doesNotMatch(message, /sk-|10\.1|localhost|svc|internal/);
  });
  it("of its own says nothing of it", async () => {
    const { fetch } = setUp(refusal(500, "panic at db.internal:5432"));
    const answer = await fetch(CHAT, chat("hi"));
    assert.equal(answer.status, 502);
    assert.doesNotMatch(await answer.text(), /panic|internal/);
  });
  it("that is a limit says when to come back", async () => {
    const { fetch } = setUp(refusal(429, "Too many.", { "retry-after": "7" }));
    const answer = await fetch(CHAT, chat("hi"));
    assert.equal(answer.status, 429);
    assert.equal(answer.headers.get("retry-after"), "7");
    assert.equal((await errorOf(answer)).type, "rate_limit_error");
  });
  it("to be there says nothing of where", async () => {
    const { fetch } = setUp(async () => {
      throw new TypeError("connect ECONNREFUSED 10.0.0.7:443");
    });
    const answer = await fetch(CHAT, chat("hi"));
    assert.equal(answer.status, 502);
    assert.doesNotMatch(await answer.text(), /10\.0|ECONN/);
  });
  it("that is a redirect is not followed", async () => {
    const urls: string[] = [];
    const { fetch } = setUp(async (url: string, init: { redirect?: string }) => {
      urls.push(url);
      assert.equal(init.redirect, "manual");
      return new Response(null, { status: 307, headers: { location: "http://10.0.0.7/" } });
    });
    const answer = await fetch(CHAT, chat("hi"));
    assert.equal(answer.status, 502);
    assert.doesNotMatch(await answer.text(), /10\.0/);
    assert.deepEqual(urls, ["https://api.smallest.ai/waves/v1/chat/completions"]);
  });
});

test("what_is_not_served_says_what_is", async () => {
  const { fetch } = withEmulator();
  for (const [method, path, status] of [
    ["GET", "/", 404],
    ["POST", "/v1/images/generations", 404],
    ["GET", "/v1/embeddings", 405],
    ["GET", CHAT, 405],
    ["POST", "/v1/models", 405],
    ["DELETE", CHAT, 405],
  ] as const) {
    assert.equal((await fetch(path, { method })).status, status, `${method} ${path}`);
  }
});
