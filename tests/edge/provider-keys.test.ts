/** Several keys for one provider, and the APIs that are passed through. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { limiterObjects } from "./objects.ts";
import {
  asText,
  bytesOf,
  CHAT,
  chat,
  DONE,
  errorOf,
  event,
  says,
  setUp,
  streamOf,
  until,
  usageEvent,
} from "./setting.ts";

let hosts = 0;
const answered = () => streamOf([says("a", "stop"), usageEvent, DONE]);

/** A provider with several keys, which answers each as the test says. */
function keyed(
  keys: NonNullable<GatewayOptions["providers"][string]["keys"]>,
  answer: (key: string) => Response | Promise<Response>,
  options: Partial<GatewayOptions> = {},
) {
  const asked: string[] = [];
  const fetch = async (_: string, { headers }: { headers: Headers }) => {
    const key = headers.get("authorization")?.slice("Bearer ".length) ?? "";
    asked.push(key);
    return answer(key);
  };
  const upstream = { baseURL: `https://keyed-${++hosts}.example.com/v1`, maxRetries: 0, keys, fetch };
  const setting = setUp(fetch as never, { providers: { upstream: upstream as never }, ...options });
  return { ...setting, asked, ask: (params = {}) => setting.fetch(CHAT, chat("hi", { stream: true, ...params })) };
}

describe("several keys of a provider", () => {
  it("are used by how busy they are, and by weight", async () => {
    const open: (() => void)[] = [];
    const { ask, asked } = keyed(
      [{ apiKey: "a", weight: 2 }, "b"],
      () => new Promise((resolve) => open.push(() => resolve(answered()))),
    );
    const answers = Array.from({ length: 6 }, () => ask());
    await until(() => open.length === 6);
    assert.deepEqual([asked.filter((key) => key === "a").length, asked.filter((key) => key === "b").length], [4, 2]);
    for (const end of open) end();
    await Promise.all(answers.map(async (answer) => bytesOf(await answer)));
  });
  for (const status of [401, 402, 403, 429, 500]) {
    it(`make way for each other at a ${status}`, async () => {
      const { ask, asked } = keyed(["a", "b"], (key) => (key === "a" ? Response.json({}, { status }) : answered()));
      assert.match(asText(await bytesOf(await ask())), /"a"/);
      assert.deepEqual(asked, ["a", "b"]);
    });
  }
  it("have a plan each", async () => {
    const { ask, asked } = keyed(["a", "b"], answered, {
      limiter: limiterObjects().namespace,
      limits: { providers: { upstream: { requestsPerMinute: 1 } } },
    });
    for (let time = 0; time < 2; time++) await bytesOf(await ask());
    assert.deepEqual([...asked].sort(), ["a", "b"]);
    assert.equal((await ask()).status, 429);
  });
});

describe("an API that is passed through", () => {
  const embedding =
    '{"object":"list","data":[{"embedding":[0.1]}],"model":"e-1","usage":{"prompt_tokens":5,"total_tokens":5}}';
  const responses = [
    `event: response.created\n${event({ type: "response.created", response: { usage: null } })}`,
    `event: response.completed\n${event({ type: "response.completed", response: { usage: { input_tokens: 6, output_tokens: 7, input_tokens_details: { cached_tokens: 2 } } } })}`,
  ];
  const passing = (answer: () => Response, options: Partial<GatewayOptions> = {}) => {
    const sent: { path: string; method: string; body: string; key: string | null; trace: string | null }[] = [];
    const fetch = async (url: string, init: { method: string; body?: string; headers: Headers }) => {
      const { pathname: path } = new URL(url);
      const { method, body = "", headers } = init;
      sent.push({ path, method, body, key: headers.get("authorization"), trace: headers.get("traceparent") });
      return answer();
    };
    const upstream = {
      baseURL: `https://passed-${++hosts}.example.com/v1`,
      apiKey: "k",
      prices: { input: 1e3, output: 1e3 },
      fetch,
    };
    return { ...setUp(fetch as never, { providers: { upstream: upstream as never }, ...options }), sent };
  };
  const post = (body: object, headers = {}) => ({ method: "POST", headers, body: JSON.stringify(body) });

  it("gives the provider's bytes, and a record", async () => {
    const { fetch, sent, recorded } = passing(
      () => new Response(embedding, { headers: { "content-type": "application/json" } }),
    );
    const traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    const answer = await fetch("/v1/embeddings", post({ model: "e-1", input: "hello" }, { traceparent }));
    assert.equal(await answer.text(), embedding);
    assert.deepEqual(sent, [
      {
        path: "/v1/embeddings",
        method: "POST",
        body: '{"model":"e-1","input":"hello"}',
        key: "Bearer k",
        trace: traceparent,
      },
    ]);
    const [record] = await recorded(1);
    assert.deepEqual(
      [
        record?.endpoint,
        record?.promptTokens,
        record?.completionTokens,
        record?.cost,
        record?.estimated,
        record?.outcome,
      ],
      ["/v1/embeddings", 5, 0, 0.005, false, "complete"],
    );
  });
  it("streams, and reads the usage of either API", async () => {
    const { fetch, recorded } = passing(() => streamOf(responses));
    const answer = await fetch("/v1/responses", post({ model: "r-1", input: "hello", stream: true }));
    assert.equal(asText(await bytesOf(answer)), responses.join(""));
    const completions = passing(() =>
      streamOf([
        event({ choices: [{ text: "a" }] }),
        event({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 1 } }),
        DONE,
      ]),
    );
    await bytesOf(await completions.fetch("/v1/completions", post({ model: "c-1", prompt: "a", stream: true })));
    const [first, second] = [(await recorded(1))[0], (await completions.recorded(1))[0]];
    assert.deepEqual([first?.promptTokens, first?.completionTokens, first?.cached], [6, 7, 2]);
    assert.deepEqual([second?.promptTokens, second?.completionTokens, second?.cached], [2, 1, null]);
  });
  it("is estimated where nothing says what it used", async () => {
    const { fetch, recorded } = passing(() => Response.json({ data: [] }));
    await bytesOf(await fetch("/v1/embeddings", post({ model: "e-1", input: "x".repeat(400) })));
    const [record] = await recorded(1);
    assert.deepEqual([record?.promptTokens, record?.estimated], [100, true]);
  });
  it("has the gateway's models, caps, parameters and limits", async () => {
    const { fetch, sent } = passing(() => Response.json({ usage: { prompt_tokens: 1, completion_tokens: 1 } }), {
      models: { mine: "upstream/theirs" },
      limits: { maxTokens: 5, caller: { requestsPerMinute: 2 } },
      limiter: limiterObjects().namespace,
    });
    assert.equal((await fetch("/v1/completions", post({ model: "other", prompt: "a" }))).status, 404);
    const refused = await fetch("/v1/responses", post({ model: "mine", input: "a", tools: [{ type: "mcp" }] }));
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [400, "parameter_not_allowed"]);
    assert.equal(
      (await fetch("/v1/embeddings", post({ model: "mine", input: "a", api_base: "http://10.0.0.1" }))).status,
      400,
    );
    const answer = await fetch("/v1/completions", post({ model: "mine", prompt: "a", max_tokens: 900 }));
    assert.equal(answer.headers.get("x-ratelimit-remaining-requests"), "1");
    await bytesOf(answer);
    await bytesOf(await fetch("/v1/responses", post({ model: "mine", input: "a" })));
    assert.equal((await fetch("/v1/embeddings", post({ model: "mine", input: "a" }))).status, 429);
    assert.deepEqual(
      sent.map(({ body }) => JSON.parse(body)),
      [
        { model: "theirs", prompt: "a", max_tokens: 5 },
        { model: "theirs", input: "a", max_output_tokens: 5 },
      ],
    );
  });
  it("says what is not served", async () => {
    const { fetch } = passing(() => Response.json({}));
    for (const path of ["/v1/images/generations", "/v1/audio/speech", "/v1/files", "/v1/assistants"]) {
      const answer = await fetch(path, post({}));
      assert.equal(answer.status, 404);
      assert.match((await errorOf(answer)).message, /images, audio, files/);
    }
  });
  it("passes an error on, and the provider's refusal of a key not", async () => {
    const { fetch } = passing(() => Response.json({ error: { message: "bad input" } }, { status: 400 }));
    const answer = await fetch("/v1/embeddings", post({ model: "e-1", input: "a" }));
    assert.deepEqual([answer.status, (await errorOf(answer)).message], [400, "bad input"]);
    const refused = passing(() => Response.json({ error: { message: "Incorrect key sk-abc" } }, { status: 401 }));
    assert.equal((await refused.fetch("/v1/embeddings", post({ model: "e-1", input: "a" }))).status, 502);
  });
});
