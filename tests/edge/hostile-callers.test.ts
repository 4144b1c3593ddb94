/** Callers who want more than they may have: other models, longer answers, free prompts, somebody else's turn. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type GatewayOptions, gateway } from "chatwire/edge";
import { reservationOf } from "../../npm/edge/reservation.ts";
import { limiterObjects, streamObjects } from "./objects.ts";
import { bytesOf, CHAT, chat, errorOf, KEY, says, setUp, streamOf, until, withEmulator } from "./setting.ts";

type Body = Record<string, unknown>;
const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
const completion = {
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage,
};

/** A gateway, and the bodies that reach its provider. */
function listening(
  options: Partial<GatewayOptions> = {},
  provider: object = { baseURL: "https://llm.example.com/v1" },
) {
  const bodies: Body[] = [];
  const texts: string[] = [];
  const send = async (_url: string, { body }: { body?: string }) => {
    texts.push(body ?? "");
    bodies.push(JSON.parse(body ?? "{}"));
    return Response.json(completion);
  };
  const upstream = { apiKey: KEY, maxRetries: 0, ...provider, fetch: send };
  return { ...setUp(send, { providers: { upstream }, ...options }), bodies, texts };
}

const mockTime = ({ mock }: TestContext) => {
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: Date.UTC(2026, 0, 31, 12) });
  mock.method(performance, "now", () => Date.now());
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  };
  return async (ms: number) => {
    await turns();
    for (let left = ms; left > 0; left -= 1000) {
      mock.timers.tick(Math.min(1000, left));
      await turns();
    }
  };
};

describe("a cap on the answer's tokens", () => {
  const wishes: Body[] = [
    {},
    { max_tokens: 1000 },
    { max_completion_tokens: 1000 },
    { max_tokens: 1000, max_completion_tokens: 1000 },
    { max_tokens: null, max_completion_tokens: 1000 },
  ];
  for (const [name, provider, fields] of [
    ["any server", { baseURL: "https://llm.example.com/v1" }, ["max_completion_tokens", "max_tokens"]],
    ["OpenAI", { provider: "openai" }, ["max_completion_tokens"]],
    ["Azure", { baseURL: "https://mine.openai.azure.com/openai/v1" }, ["max_completion_tokens"]],
    ["Electron", { provider: "electron" }, ["max_tokens"]],
    ["ElectronHub", { provider: "electronhub" }, ["max_tokens"]],
    ["a strict server", { baseURL: "https://strict.example.com/v1", lengthFields: ["max_tokens"] }, ["max_tokens"]],
  ] as [string, object, string[]][]) {
    it(`is written into every parameter that ${name} goes by`, async () => {
      const { fetch, bodies } = listening({ limits: { maxTokens: 5 } }, provider);
      for (const wish of wishes) await bytesOf(await fetch(CHAT, chat("hi", wish)));
      for (const body of bodies) {
        const sent = Object.fromEntries(Object.entries(body).filter(([field]) => /tokens/.test(field)));
        assert.deepEqual(sent, Object.fromEntries(fields.map((field) => [field, 5])));
      }
      assert.equal(bodies.length, wishes.length);
    });
  }
  it("gives way to a lower wish, in whichever parameter it comes", async () => {
    const { fetch, bodies } = listening({ limits: { maxTokens: 50 } });
    for (const wish of [
      { max_completion_tokens: 3 },
      { max_tokens: 900, max_completion_tokens: 3 },
      { max_tokens: 3 },
    ]) {
      await bytesOf(await fetch(CHAT, chat("hi", wish)));
    }
    for (const { max_tokens, max_completion_tokens } of bodies)
      assert.deepEqual([max_tokens, max_completion_tokens], [3, 3]);
  });
  it("is that of the place that is asked, also after a fallback", async () => {
    const sent: [string, Body][] = [];
    const provider = (name: string, status: number) => ({
      apiKey: KEY,
      maxRetries: 0,
      fetch: async (_url: string, { body }: { body?: string }) => {
        sent.push([name, JSON.parse(body ?? "{}")]);
        return status === 200 ? Response.json(completion) : Response.json({}, { status });
      },
    });
    const { fetch } = setUp(async () => new Response(), {
      providers: {
        first: { provider: "openai", ...provider("first", 503) },
        second: { baseURL: "https://llama.example.com/v1", ...provider("second", 200) },
      },
      models: { m: ["first/gpt", "second/llama"] },
      limits: { maxTokens: 5 },
    });
    assert.equal((await fetch(CHAT, chat("hi", { model: "m", max_completion_tokens: 2041 }))).status, 200);
    assert.deepEqual(
      sent.map(([name, { model, max_tokens, max_completion_tokens }]) => [
        name,
        model,
        max_tokens,
        max_completion_tokens,
      ]),
      [
        ["first", "gpt", undefined, 5],
        ["second", "llama", 5, 5],
      ],
    );
  });
  it("holds for parameters that a policy lets pass", async () => {
    const { fetch, bodies } = listening({ limits: { maxTokens: 5 }, parameters: { allow: "any" } });
    await bytesOf(await fetch(CHAT, chat("hi", { n_predict: 4000, max_new_tokens: 4000 })));
    assert.deepEqual(
      [bodies[0]?.n_predict, bodies[0]?.max_new_tokens, bodies[0]?.max_tokens],
      [undefined, undefined, 5],
    );
    const endless = await fetch(CHAT, chat("hi", { n_predict: -1 }));
    assert.deepEqual([endless.status, (await errorOf(endless)).param], [400, "n_predict"]);
  });
});

describe("parameters that choose a model, a price, a tool or an address", () => {
  const hostile: Body = {
    ...{
      fallbacks: ["dear"],
      models: ["dear"],
      route: "fallback",
      provider: { order: ["dear"] },
      plugins: [{ id: "web" }],
    },
    ...{ service_tier: "priority", extra_body: { model: "dear" }, mcp_servers: [{ url: "http://10.0.0.1" }] },
    ...{
      search_parameters: { mode: "on" },
      enable_search: true,
      api_base: "http://10.0.0.1",
      base_url: "http://10.0.0.1",
    },
    ...{ web_search_options: {}, web_search: true, transforms: ["middle-out"], preset: "dear", deployment: "dear" },
    ...{ best_of: 20, num_retries: 9, api_key: "x", custom_llm_provider: "openai", mock_response: "x", tags: ["x"] },
    ...{
      store: true,
      background: true,
      n_predict: 9,
      max_new_tokens: 9,
      ignore_eos: true,
      guided_json: {},
      cache_prompt: true,
    },
  };
  it("do not pass, by name", async () => {
    const { fetch, bodies } = listening({ models: ["m-1"] });
    for (const [name, value] of Object.entries(hostile)) {
      const answer = await fetch(CHAT, chat("hi", { model: "m-1", [name]: value }));
      assert.equal(answer.status, 400, name);
      const { code, param, message } = await errorOf(answer);
      assert.deepEqual([code, param], ["parameter_not_allowed", name]);
      assert.match(message, /parameters/);
    }
    assert.deepEqual(bodies, []);
  });
  it("pass where a policy of the gateway, a route or a grant allows them", async () => {
    const allow = { allow: ["service_tier"] };
    for (const options of [
      { parameters: allow },
      { parameters: { allow: "any" as const } },
      { models: { "m-1": { to: "upstream/m-1", parameters: allow } } },
      { authorize: () => ({ caller: "me", parameters: allow }) },
    ]) {
      const { fetch, bodies } = listening(options);
      assert.equal((await fetch(CHAT, chat("hi", { model: "m-1", service_tier: "flex" }))).status, 200);
      assert.equal(bodies[0]?.service_tier, "flex");
    }
  });
  it("are denied, forced and set by policies; what one of them denies is denied", async () => {
    const { fetch, bodies } = listening({
      parameters: { deny: ["logprobs"], defaults: { temperature: 0.2 }, force: { user: "gateway" } },
      models: { "m-1": { to: "upstream/m-1", parameters: { force: { top_k: 1 } } } },
      authorize: () => ({ caller: "me", parameters: { allow: "any", defaults: { seed: 7 } } }),
    });
    assert.equal((await fetch(CHAT, chat("hi", { model: "m-1", logprobs: true }))).status, 400);
    await bytesOf(await fetch(CHAT, chat("hi", { model: "m-1", user: "me", top_k: 40, seed: 1 })));
    const { temperature, user, top_k, seed } = bodies[0] ?? {};
    assert.deepEqual([temperature, user, top_k, seed], [0.2, "gateway", 1, 1]);
  });
  it("are not let in as tools that run at the provider", async () => {
    const own = { type: "function", function: { name: "f" } };
    const foreign = [
      { type: "mcp", server_url: "http://10.0.0.1" },
      { type: "web_search" },
      { type: "code_interpreter" },
    ];
    const { fetch, bodies } = listening();
    for (const tool of foreign) {
      const answer = await fetch(CHAT, chat("hi", { tools: [own, tool] }));
      assert.deepEqual([answer.status, (await errorOf(answer)).param], [400, "tools"]);
    }
    assert.equal(
      (await fetch(CHAT, chat("hi", { tools: [own, { type: "custom", custom: { name: "c" } }] }))).status,
      200,
    );
    assert.equal(bodies.length, 1);
    const open = listening({ parameters: { allow: ["tools.web_search"] } });
    assert.equal((await open.fetch(CHAT, chat("hi", { tools: [{ type: "web_search" }] }))).status, 200);
    assert.equal((await open.fetch(CHAT, chat("hi", { tools: [foreign[0]] }))).status, 400);
  });
  it("are not smuggled in as a second member of the same name, or a prototype", async () => {
    const { fetch, texts } = listening({ limits: { maxTokens: 5 } });
    const messages = '"messages":[{"role":"user","content":"hi"}]';
    for (const body of [
      `{${messages},"max_tokens":3,"max_tokens":900}`,
      `{${messages},"max_tokens":900,"max_tokens":3,"seed":12345678901234567890}`,
      `{${messages},"__proto__":{"service_tier":"priority"}}`,
    ]) {
      await fetch(CHAT, { method: "POST", body });
    }
    for (const text of texts) {
      assert.equal(text.match(/"max_tokens"/g)?.length, 1, text);
      assert.doesNotMatch(text, /900|service_tier/);
    }
  });
});

describe("a caller who leaves before the headers", () => {
  const prompt = "word ".repeat(10_000);
  const prices = { input: 100, output: 100 };

  for (const onDisconnect of ["abort", "durable"] as const) {
    it(`is charged for the prompt that was sent (${onDisconnect})`, async () => {
      const objects = limiterObjects();
      const streams = streamObjects();
      const never: (() => void)[] = [];
      const send = (_url: string, { signal }: { signal?: AbortSignal }) =>
        new Promise<Response>((resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
          never.push(() => resolve(streamOf([says("hi", "stop"), "data: [DONE]\n\n"])));
        });
      const setting = setUp(send as never, {
        providers: {
          upstream: { baseURL: "https://llm.example.com/v1", apiKey: KEY, maxRetries: 0, prices, fetch: send as never },
        },
        authorize: () => ({ caller: "mallory" }),
        limiter: objects.namespace,
        limits: { caller: { costPerDay: 0.01 } },
        streams: streams.namespace,
        onDisconnect,
      });
      const statuses: number[] = [];
      for (let time = 0; time < 5; time++) {
        const controller = new AbortController();
        const asked = setting.fetch(CHAT, chat(prompt, { stream: true, signal: controller.signal }));
        const before = never.length;
        let isAnswered = false;
        const answered = () => {
          isAnswered = true;
        };
        asked.then(answered, answered);
        await until(() => isAnswered || never.length > before);
        controller.abort();
        if (onDisconnect === "durable") never[time]?.();
        statuses.push((await asked).status);
        if (time === 0) await setting.recorded(1);
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      }
      const [record] = setting.records;
      assert.equal(setting.records.length, 1, "only the first was sent");
      assert.ok((record?.promptTokens ?? 0) > 5000 && (record?.cost ?? 0) > 0.5, JSON.stringify(record));
      assert.deepEqual(statuses.slice(1), [429, 429, 429, 429]);
    });
  }
});

describe("a budget", () => {
  const prices = { input: 1, output: 1 };
  const provider = { baseURL: "https://llm.example.com/v1", prices };
  const spending = (tokens: number) => ({
    ...completion,
    usage: { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens },
  });
  const setting = (plan: object, answer: () => Promise<Response>) => {
    const objects = limiterObjects();
    const upstream = { ...provider, apiKey: KEY, maxRetries: 0, fetch: answer };
    const own = setUp(answer, {
      providers: { upstream },
      authorize: () => ({ caller: "me" }),
      limiter: objects.namespace,
      limits: { caller: plan },
    });
    return { ...own, ask: (params = {}) => own.fetch(CHAT, chat("hi", params)) };
  };

  it("is reserved while requests run", async () => {
    const open: (() => void)[] = [];
    const { ask } = setting(
      { costPerDay: 0.01 },
      () => new Promise((resolve) => open.push(() => resolve(Response.json(completion)))),
    );
    const asked = Array.from({ length: 10 }, () => ask({ max_tokens: 4000 }));
    await until(() => open.length === 2);
    const refused = await Promise.all(asked.slice(2));
    assert.deepEqual(
      refused.map(({ status }) => status),
      Array(8).fill(429),
    );
    for (const end of open) end();
    assert.deepEqual(
      (await Promise.all(asked.slice(0, 2))).map(({ status }) => status),
      [200, 200],
    );
  });
  for (const [limit, wait] of [
    ["costPerDay", 12 * 3600],
    ["costPerMonth", 12 * 3600],
    ["costTotal", undefined],
  ] as const) {
    it(`of ${limit} lasts as long as it says`, async (context) => {
      const pass = mockTime(context);
      const { ask } = setting({ [limit]: 1 }, async () => Response.json(spending(1e6)));
      await bytesOf(await ask());
      await pass(1000);
      const refused = await ask();
      assert.equal(refused.status, 429);
      if (wait) assert.ok(Math.abs(Number(refused.headers.get("retry-after")) - wait) <= 5);
      context.mock.timers.setTime(Date.UTC(2026, 1, 1, 1));
      assert.equal((await ask()).status, wait ? 200 : 429);
    });
  }
});

describe("prices", () => {
  const flat = { input: 1, output: 1 };
  const provider = { baseURL: "https://llm.example.com/v1", apiKey: KEY };
  const { namespace: limiter } = limiterObjects();
  const start = async (options: object) => {
    const app = gateway({ limiter, limits: { caller: { costPerDay: 1 } }, ...options } as GatewayOptions);
    return (await app.fetch(new Request("http://localhost/healthz"))).status;
  };
  it("are by model or on a route, and a budget without one is refused at the start", async (context) => {
    const logged = context.mock.method(console, "error", () => {});
    const priced = { upstream: { ...provider, prices: { "m-1": flat } } };
    for (const [options, status] of [
      [{ providers: { upstream: provider } }, 500],
      [{ providers: priced }, 500],
      [{ providers: { upstream: { ...provider, prices: { "*": flat } } } }, 200],
      [{ providers: { upstream: { ...provider, prices: flat } } }, 200],
      [{ providers: priced, models: ["m-1"] }, 200],
      [{ providers: priced, models: ["m-1", "m-2"] }, 500],
      [{ providers: priced, models: { a: "upstream/m-1", b: ["upstream/m-1", "upstream/m-2"] } }, 500],
      [{ providers: priced, models: { a: "upstream/m-1", b: { to: "upstream/m-2", prices: flat } } }, 200],
    ] as const) {
      assert.equal(await start(options), status, JSON.stringify(options));
    }
    assert.match(String(logged.mock.calls.at(-1)?.arguments.join(" ")), /upstream\/m-2 has none/);
  });
  it("are those of the model that answered", async () => {
    const prices = { "m-1": { input: 1000, output: 0 }, "m-2": { input: 2000, output: 0 } };
    const { fetch, recorded } = listening({}, { baseURL: "https://llm.example.com/v1", prices });
    for (const model of ["m-1", "m-2", "m-3"]) await bytesOf(await fetch(CHAT, chat("hi", { model })));
    const records = await recorded(3);
    assert.deepEqual(
      records.map(({ cost }) => cost),
      [0.003, 0.006, null],
    );
  });
  it("of a grant's budget are needed, too", async (context) => {
    context.mock.method(console, "error", () => {});
    const { fetch, bodies } = listening({ limiter, authorize: () => ({ caller: "me", plan: { costTotal: 1 } }) });
    assert.equal((await fetch(CHAT, chat("hi"))).status, 500);
    assert.deepEqual(bodies, []);
  });
});

describe("a caller with many requests", () => {
  it("does not keep others from their turn", async () => {
    const objects = limiterObjects();
    const served: string[] = [];
    const open: (() => void)[] = [];
    const send = (_url: string, { body }: { body?: string }) =>
      new Promise<Response>((resolve) => {
        served.push(JSON.parse(body ?? "{}").user);
        open.push(() => resolve(Response.json(completion)));
      });
    const { fetch } = setUp(send as never, {
      authorize: ({ headers }) => ({ caller: headers.get("authorization") ?? "" }),
      limiter: objects.namespace,
      limits: { providers: { upstream: { concurrent: 1 } }, wait: 30_000, queue: 5 },
    });
    const ask = async (user: string) => {
      const answer = await fetch(CHAT, chat("hi", { user, headers: { authorization: user } }));
      await answer.text();
      return answer;
    };
    const asked: Promise<Response>[] = [];
    const admitted = () => objects.asked.filter(({ op }) => op === "admit").length;
    for (const user of ["m0", ...Array.from({ length: 9 }, () => "mallory"), "alice", "bob"]) {
      const before = admitted();
      asked.push(ask(user));
      await until(() => admitted() > before);
    }
    const refused = (await Promise.all(asked.slice(6, 10))).map(({ status }) => status);
    assert.deepEqual(refused, [429, 429, 429, 429], "a queue of one caller has its length");
    for (let turn = 0; turn < 8; turn++) {
      await until(() => open.length > turn);
      open[turn]?.();
    }
    await Promise.all(asked);
    assert.deepEqual(served, ["m0", "mallory", "alice", "bob", "mallory", "mallory", "mallory", "mallory"]);
  });
  it("who reads nothing counts as gone after a while", async (context) => {
    const pass = mockTime(context);
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode(says("word "))),
      cancel: () => {
        isCancelled = true;
      },
    });
    const answer = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
    const { fetch, records } = setUp(answer, { onDisconnect: "abort", limits: { writeTimeout: 5000 } });
    await fetch(CHAT, chat("hi", { stream: true }));
    await pass(4000);
    assert.equal(isCancelled, false);
    await pass(2000);
    assert.equal(isCancelled, true);
    assert.deepEqual([records.length, records[0]?.disconnected], [1, true]);
  });
  it("has its answer broken off after the longest time", async (context) => {
    const pass = mockTime(context);
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        controller.enqueue(new TextEncoder().encode(says("word ")));
      },
    });
    const answer = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
    const { fetch, records } = setUp(answer, { limits: { answerTimeout: 10_000 } });
    const read = bytesOf(await fetch(CHAT, chat("hi", { stream: true }))).then(
      () => "ended",
      () => "broke off",
    );
    await pass(9000);
    assert.equal(records.length, 0);
    await pass(2000);
    assert.deepEqual([await read, records[0]?.outcome], ["broke off", "stalled"]);
  });
});

describe("what is reserved", () => {
  const image = { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(4_000_000)}` } };
  const asking = (content: unknown, rest: Body = {}) =>
    reservationOf({ messages: [{ role: "user", content }], ...rest }, []).tokens;
  it("does not count an image by its base64", () => assert.ok(asking([image]) < 3000));
  it("does not count a recording by its base64", () => {
    assert.ok(asking([{ type: "input_audio", input_audio: { data: "A".repeat(4_000_000), format: "wav" } }]) < 3000);
  });
  it("counts tools and schemas", () => {
    const description = "x".repeat(40_000);
    const plain = asking("hi");
    assert.ok(asking("hi", { tools: [{ type: "function", function: { name: "f", description } }] }) > plain + 9000);
    assert.ok(asking("hi", { functions: [{ name: "f", description }] }) > plain + 9000);
    assert.ok(asking("hi", { response_format: { type: "json_schema", json_schema: { description } } }) > plain + 9000);
  });
  it("is the higher of two wishes, for all answers", () => {
    const most = asking("hi", { max_tokens: 10, max_completion_tokens: 500, n: 3 });
    assert.ok(most >= 1500 && most < 1600);
  });
  it("weighs a request that was sent and not answered by its prompt", async () => {
    const objects = limiterObjects();
    let sent = 0;
    const send = async () => {
      if (++sent === 1) throw new TypeError("fetch failed");
      return Response.json(completion);
    };
    const { fetch } = setUp(send, {
      authorize: () => ({ caller: "me" }),
      limiter: objects.namespace,
      limits: { providers: { upstream: { tokensPerMinute: 1000 } } },
    });
    assert.equal((await fetch(CHAT, chat("hi", { max_tokens: 900 }))).status, 502);
    await until(() => objects.asked.some(({ op }) => op === "settle"));
    assert.equal((await fetch(CHAT, chat("hi", { max_tokens: 900 }))).status, 200);
  });
});

describe("a request", () => {
  it("keeps its numbers", async () => {
    const { fetch, texts } = listening();
    const schema =
      '{"maximum":9223372036854775807,"minimum":-9223372036854775808,"multipleOf":0.1234567890123456789,"const":1e400}';
    const content = '"a 9223372036854775807 \\" 9223372036854775807 \\\\"';
    const tool = `{"type":"function","function":{"name":"f","parameters":${schema}}}`;
    const body = `{"messages":[{"role":"user","content":${content}}],"seed":9223372036854775807,"tools":[${tool}],"temperature":1.0}`;
    assert.equal((await fetch(CHAT, { method: "POST", body })).status, 200);
    assert.ok(texts[0]?.includes(schema), texts[0]);
    assert.ok(texts[0]?.includes(content));
    assert.ok(texts[0]?.includes('"seed":9223372036854775807'));
  });
  it("names a model in one short line, also where every name will do", async () => {
    const { fetch, bodies } = listening();
    for (const model of ["m\n", "m\r\nx: y", "m\0", "m".repeat(257), "\ud800", 5, ["m"], { id: "m" }]) {
      for (const path of [CHAT, "/v1/embeddings"]) {
        const answer = await fetch(path, chat("hi", { model, input: "a", ...(path !== CHAT && { messages: null }) }));
        assert.deepEqual([answer.status, (await errorOf(answer)).param], [400, "model"], JSON.stringify(model));
      }
    }
    assert.deepEqual(bodies, []);
  });
  it("says stream with a boolean", async () => {
    const { fetch, bodies } = listening();
    for (const stream of ["true", 1, "yes", {}, []]) {
      const answer = await fetch(CHAT, chat("hi", { stream }));
      assert.deepEqual([answer.status, (await errorOf(answer)).param], [400, "stream"]);
    }
    for (const stream_options of ["x", 1, []]) {
      assert.equal((await fetch(CHAT, chat("hi", { stream: true, stream_options }))).status, 400);
    }
    assert.deepEqual(bodies, []);
  });
  it("may end in a slash, and ask for one model", async () => {
    const { fetch } = withEmulator({ models: { electron: "upstream/electron", "vendor/small": "upstream/electron" } });
    assert.equal((await fetch(`${CHAT}/`, chat("hi"))).status, 200);
    assert.equal((await fetch("/v1/models/")).status, 200);
    for (const [path, status] of [
      ["/v1/models/electron", 200],
      ["/v1/models/electron/", 200],
      ["/v1/models/vendor/small", 200],
      ["/v1/models/vendor%2Fsmall", 200],
      ["/v1/models/none", 404],
    ] as const) {
      const answer = await fetch(path);
      assert.equal(answer.status, status, path);
      if (status === 200) assert.equal(((await answer.json()) as { object: string }).object, "model");
    }
  });
});
