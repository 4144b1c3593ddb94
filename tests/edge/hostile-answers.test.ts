/** Providers whose answers never end, go on after their end, or are no answers: nobody waits for them, and nobody pays for more. */
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
  encode,
  errorOf,
  event,
  KEY,
  says,
  setUp,
  streamOf,
  until,
  usageEvent,
} from "./setting.ts";

let hosts = 0;

function before(
  answer: () => Response | Promise<Response>,
  options: Partial<GatewayOptions> = {},
  settings: object = {},
) {
  const baseURL = `https://answers-${++hosts}.example.com/v1`;
  const upstream = { baseURL, apiKey: KEY, maxRetries: 0, fetch: async () => answer(), ...settings };
  return setUp(async () => answer(), { providers: { upstream: upstream as never }, ...options });
}

/** A body that says this and then nothing, and is never over. */
function silentAfter(text: string, init: ResponseInit) {
  const seen = { isCancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encode(text)),
    cancel: () => {
      seen.isCancelled = true;
    },
  });
  return { seen, response: new Response(body, init) };
}

/** A body that never ends, and of which `read.bytes` have been read. */
function endless(text: string, init: ResponseInit) {
  const read = { bytes: 0 };
  const piece = encode("x".repeat(65_536));
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const bytes = read.bytes === 0 ? encode(text) : piece.slice();
        read.bytes += bytes.length;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
  return { read, response: new Response(body, init) };
}

const json = { "content-type": "application/json" };
const paths = [
  [CHAT, {}],
  ["/v1/responses", { input: "a", messages: null }],
] as const;

describe("a refusal", () => {
  for (const [status, headers, expected] of [
    [400, {}, 400],
    [429, { "retry-after": "60" }, 429],
    [429, {}, 429],
    [500, {}, 502],
  ] as const) {
    it(`whose words do not come is not waited for (${status})`, async (context) => {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      for (const [path, params] of paths) {
        const { seen, response } = silentAfter('{"error":{"message":"', { status, headers: { ...json, ...headers } });
        const { fetch } = before(() => response);
        let told = 0;
        void fetch(path, chat("hi", params)).then((answer) => {
          told = answer.status;
        });
        await until(() => {
          context.mock.timers.tick(1000);
          return told !== 0;
        });
        assert.deepEqual([told, seen.isCancelled], [expected, true], path);
      }
    });
    it(`without an end is read for so long (${status})`, async () => {
      for (const [path, params] of paths) {
        const { read, response } = endless('{"error":{"message":"', { status, headers: { ...json, ...headers } });
        const { fetch } = before(() => response);
        assert.equal((await fetch(path, chat("hi", params))).status, expected);
        assert.ok(read.bytes < 300_000, String(read.bytes));
      }
    });
  }
  it("is not believed a wait of a year", async () => {
    const later = new Date(Date.now() + 365 * 24 * 3600_000).toUTCString();
    for (const [status, said, told] of [
      [500, "31536000", "86400"],
      [503, "999999999999", "86400"],
      [500, later, null],
      [500, "-5", null],
      [500, "1e9", null],
      [500, "Infinity", null],
      [429, "31536000", "60"],
      [429, later, "60"],
      [429, "-5", null],
    ] as const) {
      const { fetch } = before(() => Response.json({ error: "no" }, { status, headers: { "retry-after": said } }));
      assert.equal((await fetch(CHAT, chat("hi"))).headers.get("retry-after"), told, said);
    }
  });
});

describe("an answer in JSON", () => {
  it("that does not say in time what it is gives way, and gives its place back", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    for (const text of [" ", '{"id":"c', '{"id":"c","object":"chat.completion",']) {
      const objects = limiterObjects();
      const { seen, response } = silentAfter(text, { headers: json });
      const limits = { caller: { concurrent: 1 } };
      const options = { limiter: objects.namespace, limits, authorize: () => ({ caller: "me" }) };
      const { fetch, records } = before(() => response, options);
      let told: Response | undefined;
      void fetch(CHAT, chat("hi")).then((answer) => {
        told = answer;
      });
      await until(() => {
        context.mock.timers.tick(10_000);
        return told !== undefined && records.length === 1 && objects.asked.some(({ op }) => op === "settle");
      });
      assert.deepEqual([told?.status, seen.isCancelled], [504, true]);
      assert.ok((records[0]?.promptTokens ?? 0) > 0, "the prompt was sent");
    }
  });
  it("without an end is not kept without end", async () => {
    for (const [text, isAnswer] of [
      ['{"id":"', false],
      ['{"choices":[{"message":{"content":"', true],
    ] as const) {
      const { read, response } = endless(text, { headers: json });
      const { fetch, recorded } = before(() => response);
      const answer = await fetch(CHAT, chat("hi"));
      if (isAnswer) await assert.rejects(bytesOf(answer));
      else assert.equal(answer.status, 502);
      assert.ok(read.bytes < 20_000_000);
      assert.equal((await recorded(1))[0]?.outcome, isAnswer ? "truncated" : "error");
    }
  });
});

describe("an event stream", () => {
  const more = says("more");
  for (const [what, reads] of [
    ["in the same read", [says("a", "stop") + usageEvent + DONE + more]],
    ["in another read", [says("a", "stop") + usageEvent + DONE, more, more]],
    ["in pieces", [says("a", "stop") + usageEvent, DONE.slice(0, -1), `\n${more}`]],
    ["after returns", [(says("a", "stop") + usageEvent + DONE + more).replaceAll("\n", "\r\n")]],
    ["as words", [says("a", "stop") + usageEvent, `${DONE}more at 10.0.0.7\n\n`]],
  ] as const) {
    it(`is over with [DONE]: what follows is not passed, and not paid for (${what})`, async () => {
      const { fetch, recorded } = before(() => streamOf(reads));
      const text = asText(await bytesOf(await fetch(CHAT, chat("hi", { stream: true }))));
      assert.match(text, /"a"[\s\S]*\[DONE\]\s+$/);
      assert.doesNotMatch(text, /more/);
      const [record] = await recorded(1);
      assert.deepEqual([record?.outcome, record?.tokens], ["complete", 7]);
    });
  }
  for (const [what, usages, expected] of [
    [
      "that shrinks",
      [
        { prompt_tokens: 30, completion_tokens: 40, total_tokens: 70 },
        { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      ],
      7,
    ],
    ["whose sum is less than its parts", [{ prompt_tokens: 3, completion_tokens: 4, total_tokens: 0 }], 7],
    ["in words", ["7 tokens", { prompt_tokens: "3", completion_tokens: 4, total_tokens: 7 }], null],
  ] as const) {
    it(`has usage ${what}`, async () => {
      const reads = [says("a", "stop"), ...usages.map((usage) => event({ choices: [], usage })), DONE];
      const { fetch, recorded } = before(() => streamOf(reads));
      await bytesOf(await fetch(CHAT, chat("hi", { stream: true })));
      const [record] = await recorded(1);
      const { tokens = null } = record ?? {};
      if (expected === null) assert.ok(tokens !== null && tokens > 0 && tokens < 100, String(tokens));
      else assert.equal(tokens, expected);
    });
  }
});

describe("a list of models", () => {
  it("is one, and holds no key and no inner address", async () => {
    const data = [
      { id: "m", object: "model", owned_by: "x", api_base: "http://10.0.0.7/v1", litellm_params: { api_key: KEY } },
      { id: "0123456789abcdef0123456789abcdef" },
      ...["m", null, 5, { id: 5 }, {}],
    ];
    const { fetch } = before(() => Response.json({ object: "list", data, debug: KEY }));
    const answer = await fetch("/v1/models");
    const text = await answer.text();
    assert.doesNotMatch(text, /10\.0|sk-secret/);
    const ids = (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
    assert.deepEqual(ids, ["m", "0123456789abcdef0123456789abcdef"]);
    for (const wrong of [
      () => Response.json({ detail: "at 10.0.0.7" }),
      () => Response.json({ data: null }),
      () => new Response("<html>"),
    ]) {
      const { fetch: ask } = before(wrong);
      for (const path of ["/v1/models", "/v1/models/m"]) {
        const refused = await ask(path);
        assert.deepEqual([refused.status, (await errorOf(refused)).code], [502, "upstream_failed"]);
      }
    }
  });
});

describe("headers of a provider", () => {
  it("do not pass, but for those that are named", async () => {
    const headers = {
      ...{ "set-cookie": "a=b", location: "http://10.0.0.7/", server: "vllm", "x-api-key": KEY, link: "<http://a>" },
      ...{
        "content-encoding": "identity",
        "transfer-encoding": "chunked",
        connection: "keep-alive",
        "keep-alive": "5",
      },
      ...{ "content-length": "9", "access-control-allow-origin": "*", "x-powered-by": "x", "x-request-id": "up-1" },
      ...{ "cache-control": "public, max-age=900", "content-security-policy": "default-src *", refresh: "0" },
    };
    const passed = [
      "cache-control",
      "content-security-policy",
      "content-type",
      "x-accel-buffering",
      "x-content-type-options",
      "x-request-id",
      "x-upstream-request-id",
    ];
    for (const stream of [true, false]) {
      const message = { role: "assistant", content: "hi" };
      const { fetch } = before(() =>
        stream
          ? new Response(says("a", "stop") + DONE, { headers: { ...headers, "content-type": "text/event-stream" } })
          : Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] }, { headers }),
      );
      const answer = await fetch(CHAT, chat("hi", { stream }));
      await bytesOf(answer);
      assert.deepEqual(
        [...answer.headers.keys()],
        passed.filter((name) => stream || name !== "x-accel-buffering"),
      );
      assert.match(answer.headers.get("cache-control") ?? "", /no-store/);
    }
  });
});
