/** Code of the operator's before and after a completion, and the counters for Prometheus. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HookRequest, Refusal } from "chatwire/edge";
import { limiterObjects, streamObjects } from "./objects.ts";
import {
  asText,
  bytesOf,
  CHAT,
  chat,
  DONE,
  encode,
  errorOf,
  event,
  says,
  setUp,
  streamOf,
  until,
  usageEvent,
  withEmulator,
} from "./setting.ts";

describe("hooks.before", () => {
  it("changes a request, but not where it goes", async () => {
    const told: HookRequest[] = [];
    const { fetch, emulator, recorded } = withEmulator({
      models: { small: "upstream/electron" },
      hooks: {
        before: (params, request) => {
          told.push(request);
          return { ...params, max_tokens: 2, model: "other", stream: true };
        },
      },
    });
    const answer = await fetch(CHAT, chat("Tell me a story", { model: "small", headers: { "x-request-id": "mine" } }));
    assert.equal((await answer.json()).usage.completion_tokens, 2);
    assert.deepEqual(told, [{ caller: "anonymous", model: "small", requestId: "mine" }]);
    assert.equal((await recorded(1))[0]?.model, "small");
    assert.equal(emulator.ledger.requests, 1);
  });
  it("refuses in its own words, and fails in the gateway's", async (context) => {
    context.mock.method(console, "error", () => {});
    const { fetch, emulator } = withEmulator({
      hooks: {
        before: ({ user }) => {
          if (user === "mallory") throw new Refusal("This may not be asked.", { status: 403, code: "policy" });
          throw new TypeError("hunter2");
        },
      },
    });
    const refused = await fetch(CHAT, chat("hi", { user: "mallory" }));
    assert.deepEqual([refused.status, (await errorOf(refused)).message], [403, "This may not be asked."]);
    const failed = await fetch(CHAT, chat("hi"));
    assert.equal(failed.status, 500);
    assert.doesNotMatch(await failed.text(), /hunter2/);
    assert.equal(emulator.ledger.requests, 0);
  });
});

describe("hooks and the other APIs", () => {
  const paths = {
    "/v1/embeddings": { input: "a" },
    "/v1/completions": { prompt: "a" },
    "/v1/responses": { input: "a" },
  };
  const post = (params: object) => ({ method: "POST", body: JSON.stringify({ model: "m", ...params }) });

  it("are not a way past the hook before", async () => {
    const told: unknown[] = [];
    const { fetch, emulator } = withEmulator({
      hooks: {
        before: (params, { endpoint }) => {
          told.push([endpoint, params.prompt ?? params.input]);
          throw new Refusal("This may not be asked.", { status: 403, code: "policy" });
        },
      },
    });
    for (const [path, params] of Object.entries(paths)) {
      assert.equal((await fetch(path, post(params))).status, 403, path);
    }
    assert.deepEqual(
      told,
      Object.keys(paths).map((path) => [path, "a"]),
    );
    assert.equal(emulator.ledger.requests, 0);
  });

  it("are sent as the hook before changes them", async () => {
    const bodies: unknown[] = [];
    const { fetch } = setUp(
      async (_, { body }) => {
        bodies.push(JSON.parse(body ?? ""));
        return Response.json({ data: [] });
      },
      { hooks: { before: (params) => ({ ...params, user: "gateway", model: "other" }) } },
    );
    for (const [path, params] of Object.entries(paths)) await bytesOf(await fetch(path, post(params)));
    assert.deepEqual(
      bodies,
      Object.values(paths).map((params) => ({ model: "m", ...params, user: "gateway" })),
    );
  });

  it("are not a way past the hook after", async () => {
    const { fetch } = setUp(async () => Response.json({ data: [], choices: [{ text: "secret" }] }), {
      hooks: { after: () => null },
    });
    const statuses = await Promise.all(
      Object.entries(paths).map(async ([path, params]) => (await fetch(path, post(params))).status),
    );
    assert.deepEqual(statuses, [200, 404, 404]);
  });
});

describe("hooks.after", () => {
  const redact = (answer: Readonly<Record<string, unknown>>) =>
    JSON.parse(JSON.stringify(answer).replaceAll("secret", "[redacted]")) as Record<string, unknown>;
  for (const onDisconnect of ["drain", "durable"] as const) {
    for (const stream of [true, false]) {
      it(`redacts ${stream ? "each chunk of a stream" : "a whole answer"} (${onDisconnect}), and usage is the provider's`, async () => {
        const { fetch, recorded, emulator } = withEmulator({
          hooks: { after: redact },
          onDisconnect,
          streams: streamObjects().namespace,
        });
        const answer = await fetch(CHAT, chat("Echo: a secret and another", { stream }));
        const text = asText(await bytesOf(answer));
        assert.match(text, /\[redacted\]/);
        assert.doesNotMatch(text, /secret/);
        const [record] = await recorded(1);
        assert.deepEqual([record?.tokens, record?.outcome], [emulator.ledger.tokens.total, "complete"]);
      });
    }
  }
  it("gets nothing of a last event without a blank line for a caller who has left", async () => {
    const heard: string[] = [];
    const leaving = new AbortController();
    let say: (text: string) => void = () => {};
    let close: () => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        say = (text) => controller.enqueue(encode(text));
        close = () => controller.close();
      },
    });
    const answer = new Response(body, { headers: { "content-type": "text/event-stream" } });
    const after = (chunk: Readonly<Record<string, unknown>>) => {
      heard.push(JSON.stringify(chunk));
      return chunk;
    };
    const { fetch, recorded } = setUp(async () => answer, { hooks: { after } });
    const asked = fetch(CHAT, chat("hi", { stream: true, signal: leaving.signal }));
    say(says("a"));
    await until(() => heard.length === 1);
    await asked;
    leaving.abort();
    say(says("b", "stop").trimEnd());
    close();
    const [record] = await recorded(1);
    assert.deepEqual([heard.length, record?.disconnected], [1, true]);
  });
});

describe("a hooks.after that fails", () => {
  const [a, b] = [says("a"), says("b", "stop")];
  for (const [what, reads] of [
    ["with every chunk, one of which has no blank line yet", [`${a}${says("c").trimEnd()}`, `\n\n${b}`]],
    ["with a last chunk that has no blank line", [a, b.trimEnd()]],
  ] as const) {
    for (const onDisconnect of ["drain", "durable"] as const) {
      it(`${what} ends the answer as one that broke off, and is recorded (${onDisconnect})`, async (context) => {
        context.mock.method(console, "error", () => {});
        const { fetch, recorded } = setUp(async () => streamOf(reads), {
          hooks: {
            after: (chunk) => {
              if (reads[1] === b.trimEnd() && JSON.stringify(chunk).includes('"a"')) return chunk;
              throw new TypeError("hunter2");
            },
          },
          onDisconnect,
          streams: streamObjects().namespace,
        });
        const answer = await fetch(CHAT, chat("hi", { stream: true }));
        await assert.rejects(bytesOf(answer));
        const [record] = await recorded(1);
        assert.equal(record?.disconnected, false);
      });
    }
  }
});

describe("a hooks.after that fails with one read of the rest", () => {
  const rest =
    Array.from({ length: 10 }, (_, at) => says(`word ${at}`)).join("") + says("", "stop") + usageEvent + DONE;
  const whole = { id: "c", object: "chat.completion", choices: [{ index: 0, message: { content: "word 5" } }] };
  for (const [what, answer] of [
    ["a stream", () => streamOf([says("a"), rest])],
    ["a stream that ends without a blank line", () => streamOf([says("a"), says("word 5", "stop").trimEnd()])],
    ["a whole answer", () => Response.json(whole)],
  ] as const) {
    it(`ends ${what} as one that broke off: so it is recorded, and no cache keeps it`, async (context) => {
      context.mock.method(console, "error", () => {});
      let asked = 0;
      const { fetch, recorded } = setUp(
        async () => {
          asked++;
          return answer();
        },
        {
          cache: { ttl: 60 },
          hooks: {
            after: (chunk) => {
              if (JSON.stringify(chunk).includes("word 5")) throw new TypeError("no");
              return chunk;
            },
          },
        },
      );
      for (const times of [1, 2]) {
        await assert.rejects(bytesOf(await fetch(CHAT, chat("hi", { stream: what !== "a whole answer" }))));
        const records = await recorded(times);
        assert.deepEqual([records.at(-1)?.outcome, asked], ["truncated", times]);
      }
    });
  }
});

describe("a provider's words", () => {
  const redact = (answer: Readonly<Record<string, unknown>>) =>
    JSON.parse(JSON.stringify(answer).replaceAll("secret", "[redacted]")) as Record<string, unknown>;
  const chunk = { choices: [{ index: 0, delta: { content: "a secret" }, finish_reason: null }] };
  for (const [what, said] of [
    ["in a list", event([chunk, chunk])],
    ["that are no JSON", "data: a secret\n\n"],
    ["that are a text in JSON", event("a secret")],
    ["in a chunk that is cut off", 'data: {"choices":[{"delta":{"content":"a secret\n\n'],
    ["in a comment", ": a secret\n\n"],
    ["in a line that is no field", "a secret\n\n"],
    ["in the type of an event", `event: a secret\n${event(chunk)}`],
    ["in an error with an answer", event({ error: { message: "no" }, ...chunk })],
    ["in an error that quotes the answer", event({ error: { message: "no", failed_generation: "a secret" } })],
    ["in two members of one name", `data: {"choices":[{"delta":{"content":"a secret"}}],"choices":[]}\n\n`],
    ["in an object that is no chunk", event({ output: "a secret" })],
  ] as const) {
    it(`do not pass beside hooks.after: ${what}`, async () => {
      const { fetch } = setUp(async () => streamOf([says("begun"), said, says("", "stop"), DONE]), {
        hooks: { after: redact },
      });
      const text = asText(await bytesOf(await fetch(CHAT, chat("hi", { stream: true }))));
      assert.doesNotMatch(text, /secret/);
      assert.match(text, /begun[\s\S]*\[DONE\]/);
    });
  }
});

describe("GET /metrics", () => {
  const authorize = ({ headers }: Request) => {
    const caller = headers.get("authorization");
    return caller ? { caller, readsUsage: caller === "operator" } : null;
  };
  it("counts by caller and model, for those who may read everybody's usage", async () => {
    const objects = limiterObjects();
    const { fetch, recorded, records } = withEmulator({ authorize, limiter: objects.namespace });
    for (const caller of ["alice", "alice", 'b"ob']) {
      await bytesOf(await fetch(CHAT, chat("Echo: one two", { headers: { authorization: caller } })));
    }
    await recorded(3);
    await until(() => objects.asked.filter(({ op }) => op === "settle").length === 3);
    const headers = { authorization: "operator" };
    const answer = await fetch("/metrics", { headers });
    assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    assert.match(text, /^chatwire_requests_total\{caller="alice",model="electron"\} 2$/m);
    assert.match(text, /^chatwire_requests_total\{caller="b\\"ob",model="electron"\} 1$/m);
    const tokens = records
      .filter(({ caller }) => caller === "alice")
      .reduce((sum, one) => sum + (one.completionTokens ?? 0), 0);
    assert.ok(text.includes(`chatwire_completion_tokens_total{caller="alice",model="electron"} ${tokens}\n`));
    assert.equal((await fetch("/metrics", { headers: { authorization: "alice" } })).status, 403);
    assert.equal((await fetch("/metrics")).status, 401);
    assert.equal((await withEmulator().fetch("/metrics")).status, 404);
  });
});
