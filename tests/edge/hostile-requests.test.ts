/** Requests that say the same thing twice, in numbers that are none, too slowly, or to somebody else's stream. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { promptTokensOf, reservationOf } from "../../npm/edge/reservation.ts";
import { limiterObjects, streamObjects } from "./objects.ts";
import {
  asText,
  bytesOf,
  CHAT,
  chat,
  DONE,
  errorOf,
  KEY,
  says,
  setUp,
  streamOf,
  until,
  withEmulator,
} from "./setting.ts";

type Body = Record<string, unknown>;

function listening(options: Partial<GatewayOptions> = {}) {
  const sent: { body: Body; headers: Headers }[] = [];
  const send = async (_: string, { body, headers }: { body?: string; headers: Headers }) => {
    sent.push({ body: JSON.parse(body ?? ""), headers });
    const message = { role: "assistant", content: "hi" };
    const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 };
    return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }], usage });
  };
  const upstream = { baseURL: "https://requests.example.com/v1", apiKey: KEY, maxRetries: 0, fetch: send };
  return { ...setUp(send, { providers: { upstream: upstream as never }, ...options }), sent };
}

describe("a number that is none", () => {
  for (const options of [{}, { limits: { maxTokens: 5 } }] as const) {
    it(`is refused as a count or a length (${JSON.stringify(options)})`, async () => {
      const { fetch, sent } = listening(options);
      for (const [param, values] of [
        ["n", ['"5"', "1.5", "1e400", "0", "-1", "[1]", "{}", "true", "1e30"]],
        ["max_tokens", ['"5"', "1e400", "-1e400", "[5]", "{}", "true"]],
        ["max_completion_tokens", ['"5"', "1e400", "[5]"]],
      ] as const) {
        for (const value of values) {
          const body = `{"model":"m","messages":[{"role":"user","content":"hi"}],"${param}":${value}}`;
          const answer = await fetch(CHAT, { method: "POST", body });
          assert.deepEqual([answer.status, (await errorOf(answer)).param], [400, param], body);
        }
      }
      for (const path of ["/v1/completions", "/v1/responses"]) {
        const param = path === "/v1/responses" ? "max_output_tokens" : "max_tokens";
        const body = `{"model":"m","${path === "/v1/responses" ? "input" : "prompt"}":"hi","${param}":1e400}`;
        assert.equal((await fetch(path, { method: "POST", body })).status, 400, path);
      }
      assert.deepEqual(sent, []);
    });
  }
});

describe("what is reserved for a request", () => {
  const long = "x".repeat(400_000);
  const base64 = `data:image/png;base64,${"A".repeat(4_000_000)}`;
  for (const [what, params] of [
    ["instructions", { input: "hi", instructions: long }],
    ["a text in an item", { input: [{ role: "user", content: long }] }],
    ["a text in a part", { input: [{ role: "user", content: [{ type: "input_text", text: long }] }] }],
    ["a tool's result", { input: [{ type: "function_call_output", call_id: "c", output: long }] }],
    [
      "a tool's result in parts",
      { input: [{ type: "function_call_output", output: [{ type: "input_text", text: long }] }] },
    ],
    ["a schema", { input: "hi", text: { format: { type: "json_schema", schema: { description: long } } } }],
    ["a prediction", { messages: [], prediction: { type: "content", content: long } }],
    ["a suffix", { prompt: "hi", suffix: long }],
    [
      "a text beside an image",
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" }, text: long }] }] },
    ],
    ["a prompt in tokens", { prompt: Array(100_000).fill(7) }],
    ["inputs in tokens", { input: [Array(50_000).fill(7), Array(50_000).fill(7)] }],
  ] as [string, Body][]) {
    it(`counts ${what}`, () => {
      const tokens = promptTokensOf(params);
      assert.ok(tokens >= 100_000 && tokens < 102_000, String(tokens));
    });
  }
  it("does not count attachments by their base64, in either API", () => {
    for (const params of [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: base64 } }] }] },
      { input: [{ role: "user", content: [{ type: "input_image", image_url: base64 }] }] },
      { input: [{ type: "function_call_output", call_id: "c", output: [{ type: "input_image", image_url: base64 }] }] },
      { input: [{ type: "image_generation_call", id: "i", result: base64 }] },
    ]) {
      assert.ok(promptTokensOf(params) < 3000, JSON.stringify(params).slice(0, 80));
    }
  });
  it("is finite", () => {
    const { tokens, cost } = reservationOf({ messages: [], max_tokens: Number.POSITIVE_INFINITY }, [
      { input: 1, output: 1 },
    ]);
    assert.ok(Number.isFinite(tokens) && Number.isFinite(cost));
  });
});

describe("a request that is made to be misread", () => {
  it("counts by the last of members of one name, however they are written", async () => {
    const { fetch, sent } = listening({ models: ["m", "n"], authorize: () => ({ caller: "me", models: ["m"] }) });
    const messages = '"messages":[{"role":"user","content":"hi"}]';
    for (const [status, body] of [
      [404, `{"model":"m",${messages},"model":"n"}`],
      [404, `{"model":"m",${messages},"m\\u006fdel":"n"}`],
      [200, `{"model":"n",${messages},"model":"m"}`],
      [400, `{"model":"m",${messages},"Model":"n"}`],
      [400, `{"model":"m",${messages},"model ":"n"}`],
      [400, `{"model":"m",${messages},"MAX_TOKENS":5}`],
      [400, `{"model":"m",${messages},"\\u017fervice_tier":"x"}`],
      [400, `{"model":"m",${messages},"__proto__":{"stream":true}}`],
      [400, `{"model":"m",${messages},"constructor":{}}`],
      [400, `{"model":"m",${messages}} {"model":"n"}`],
      [400, `[{"model":"m",${messages}}]`],
    ] as const) {
      const answer = await fetch(CHAT, { method: "POST", body });
      assert.equal(answer.status, status, body);
    }
    assert.deepEqual(
      sent.map(({ body }) => body.model),
      ["m"],
    );
  });
  it("is no JSON when it is compressed, or in another encoding", async () => {
    const { fetch, sent } = listening();
    const text = JSON.stringify({ messages: [{ role: "user", content: "hi" }] });
    const zipped = new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip")));
    for (const body of [await zipped.arrayBuffer(), Buffer.from(text, "utf16le")]) {
      const answer = await fetch(CHAT, { method: "POST", body, headers: { "content-encoding": "gzip" } });
      assert.deepEqual([answer.status, (await errorOf(answer)).code], [400, "invalid_json"]);
    }
    assert.deepEqual(sent, []);
  });
  it("goes nowhere by another path, method or header", async () => {
    const { fetch, sent } = listening({
      authorize: ({ headers }) => (headers.get("authorization") ? { caller: "me" } : null),
    });
    for (const path of [
      "/v1//chat/completions",
      "/V1/chat/completions",
      "/v1/chat/Completions",
      "/v1/chat%2Fcompletions",
      "//v1/chat/completions",
      "/v1/./chat/../embeddings/x",
      "/v1/chat/completions/x",
    ]) {
      assert.ok([401, 404].includes((await fetch(path, chat("hi"))).status), path);
    }
    for (const method of ["PUT", "PATCH", "DELETE", "GET", "HEAD"]) {
      assert.equal((await fetch(CHAT, { method })).status, 405, method);
    }
    const override = { "x-http-method-override": "DELETE", "x-original-url": CHAT, "x-rewrite-url": "/v1/keys" };
    assert.equal((await fetch("/v1/models", { headers: override })).status, 401);
    assert.equal((await fetch(`${CHAT}?_method=GET&model=n&api_key=x`, chat("hi"))).status, 401);
    assert.deepEqual(sent, []);
  });
  it("passes a trace that is one, and no other", async () => {
    const { fetch, sent } = listening();
    const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (const [traceparent, passed] of [
      [trace, trace],
      [`00-${"0".repeat(32)}-00f067aa0ba902b7-01`, null],
      [`00-4bf92f3577b34da6a3ce929d0e0e4736-${"0".repeat(16)}-01`, null],
      [`ff${trace.slice(2)}`, null],
      [trace.toUpperCase(), null],
      [`${trace}-x`, null],
      [`${trace}, ${trace}`, null],
    ] as const) {
      await bytesOf(await fetch(CHAT, chat("hi", { headers: { traceparent, tracestate: "a=b" } })));
      const { headers } = sent.at(-1) ?? {};
      assert.deepEqual(
        [headers?.get("traceparent"), headers?.get("tracestate")],
        [passed, passed && "a=b"],
        traceparent,
      );
    }
  });
  it("may begin with an empty read where its length is not stated", async () => {
    const { fetch, sent } = listening();
    const { body, ...init } = chat("hi");
    const pieces = ["", String(body)].map((piece) => new TextEncoder().encode(piece));
    const given = new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    });
    const answer = await fetch(CHAT, { ...init, body: given, duplex: "half" } as RequestInit);
    assert.deepEqual([answer.status, sent.length], [200, 1]);
  });

  it("has to arrive in time", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    let isCancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"messages":')),
      cancel: () => {
        isCancelled = true;
      },
    });
    const { fetch, sent } = listening();
    const answer = fetch(CHAT, { method: "POST", body, duplex: "half" } as RequestInit);
    let status = 0;
    void answer.then((response) => {
      status = response.status;
    });
    await until(() => {
      context.mock.timers.tick(5000);
      return status !== 0;
    });
    assert.deepEqual([status, isCancelled, sent.length], [408, true, 0]);
  });
  it("is reserved for by nothing when the hook makes no JSON of it", async (context) => {
    context.mock.method(console, "error", () => {});
    const objects = limiterObjects();
    const { fetch, sent } = listening({
      authorize: () => ({ caller: "me" }),
      limiter: objects.namespace,
      limits: { caller: { concurrent: 1 } },
      hooks: { before: (params) => ({ ...params, seed: 5n }) },
    });
    for (const [path, body] of [
      [CHAT, {}],
      ["/v1/embeddings", { input: "a", messages: null }],
    ] as const) {
      assert.equal((await fetch(path, chat("hi", body))).status, 500);
    }
    assert.deepEqual([sent.length, objects.asked.length], [0, 0]);
  });
});

describe("a kept stream", () => {
  it("is read from a number that it has, and from no other", async () => {
    const { fetch } = withEmulator({ onDisconnect: "durable", streams: streamObjects().namespace });
    const answer = await fetch(CHAT, chat("Echo: one two three", { stream: true }));
    const id = answer.headers.get("x-chatwire-stream") ?? "";
    const whole = asText(await bytesOf(answer));
    const from = async (last: string) => fetch(`/v1/streams/${id}`, { headers: { "last-event-id": last } });
    assert.equal(asText(await bytesOf(await from(""))), whole);
    for (const last of ["-1", "-5", "1.5", "0x1", "1e1", "Infinity", "NaN", "a", "9".repeat(400), "1, 2", "٣"]) {
      const refused = await from(encodeURIComponent(last) === last ? last : "x");
      assert.deepEqual([refused.status, (await errorOf(refused)).code], [400, "invalid_value"], last);
    }
    assert.equal(asText(await bytesOf(await from("0"))), whole.slice(whole.indexOf("\n\n") + 2));
  });
  it("that got no answer tells so to everybody who waits for it", async () => {
    let refuse: ((response: Response) => void) | undefined;
    const { fetch } = setUp(
      () =>
        new Promise((resolve) => {
          refuse = resolve;
        }),
      { onDisconnect: "durable", streams: streamObjects().namespace },
    );
    const headers = { "x-chatwire-stream": crypto.randomUUID() };
    const first = fetch(CHAT, chat("hi", { stream: true, headers }));
    await until(() => refuse !== undefined);
    let second: Response | undefined;
    await until(() => {
      void fetch(CHAT, chat("hi", { stream: true, headers })).then((response) => {
        second = response;
      });
      return second !== undefined;
    });
    refuse?.(Response.json({ error: { message: "too long" } }, { status: 400 }));
    assert.equal((await first).status, 400);
    assert.match(asText(await bytesOf(second as Response)), /too long/);
  });
  it("with the id of another caller's is one of its own", async () => {
    const streams = streamObjects();
    const { fetch } = setUp(async () => streamOf([says("secret of ann", "stop"), DONE]), {
      onDisconnect: "durable",
      streams: streams.namespace,
      authorize: ({ headers }) => ({ caller: headers.get("authorization") ?? "" }),
    });
    const id = "an-id-that-both-of-them-have-chosen";
    const as = (authorization: string) => ({ headers: { authorization, "x-chatwire-stream": id } });
    await bytesOf(await fetch(CHAT, chat("hi", { stream: true, ...as("ann") })));
    for (const name of ["bob", "ann:", ":ann", "ann ", "ANN"]) {
      const path = `/v1/streams/${id}`;
      assert.equal((await fetch(path, as(name))).status, name === "ann " ? 200 : 404, name);
      assert.equal((await fetch(path, { method: "DELETE", ...as(name) })).status, name === "ann " ? 200 : 404, name);
    }
    for (const other of [`${id}:ann`, `${id}%3Aann`, "../open", "%2e%2e%2fopen", "0".repeat(64), `${id}/..`]) {
      assert.equal((await fetch(`/v1/streams/${other}`, as("bob"))).status, 404, other);
    }
  });
});
