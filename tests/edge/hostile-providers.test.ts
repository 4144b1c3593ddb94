/**
 * Providers that break off, lie about numbers, refuse what others take, and say what callers must not read.
 * Long because each fault of a provider is a test of a few lines.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Chatwire } from "chatwire";
import { type GatewayOptions, gateway } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { EventFilter } from "../../npm/edge/event-filter.ts";
import { streamObjects } from "./objects.ts";
import {
  asText,
  bytesOf,
  CHAT,
  chat,
  cut,
  DONE,
  encode,
  errorOf,
  event,
  KEY,
  mockTime,
  randomFrom,
  says,
  setUp,
  streamOf,
  until,
  usageEvent,
} from "./setting.ts";

type Body = Record<string, unknown>;
type Answer = (body: Body, headers: Headers) => Response | Promise<Response>;
let hosts = 0;

/** A gateway before providers that answer as the test says, the first of which is asked first. */
function before(answers: Record<string, Answer>, options: Partial<GatewayOptions> = {}, settings: object = {}) {
  const asked: string[] = [];
  const providers = Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => {
      const fetch = async (_url: string, { body, headers }: { body?: string; headers: Headers }) => {
        asked.push(name);
        return answer(JSON.parse(body ?? "{}"), headers);
      };
      // A host of its own, so that no cooldown is shared.
      const baseURL = `https://${name}-${++hosts}.example.com/v1`;
      return [name, { baseURL, apiKey: KEY, maxRetries: 0, fetch, ...settings }];
    }),
  );
  const models = { m: Object.keys(answers).map((name) => `${name}/model`) };
  return { ...setUp(async () => new Response(), { providers: providers as never, models, ...options }), asked };
}

const ask = (params: Body = {}) => chat("hi", { model: "m", ...params });
const whole = () => streamOf([says("second"), says("", "stop"), usageEvent, DONE]);
const errored = (reads: (string | Uint8Array)[]) => {
  let at = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const read = reads[at++];
        if (read === undefined) controller.error(new TypeError("reset"));
        else controller.enqueue(typeof read === "string" ? encode(read) : read);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
};

describe("what fails inside a 200 before its first token", () => {
  const role = event({
    id: "c",
    choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }],
  });
  for (const [what, first] of [
    ["an error", () => streamOf([event({ error: { message: "no capacity", code: 503 } })])],
    ["an error after a role", () => streamOf([role, event({ error: { message: "no capacity" } })])],
    ["an event named error", () => streamOf([`event: error\n${event({ message: "no capacity" })}`, DONE])],
    ["nothing", () => streamOf([])],
    ["only a role", () => streamOf([role])],
    ["only comments", () => streamOf([": processing\n\n", ": processing\n\n"])],
    ["only [DONE]", () => streamOf([DONE])],
    ["a reset", () => errored([role])],
    ["a finish reason of a failure", () => streamOf([role, says("", "error"), DONE])],
    ["a finish reason of a failure at once", () => streamOf([says("", "MALFORMED_FUNCTION_CALL"), DONE])],
    ["no choices and a code", () => streamOf([event({ choices: null, base_resp: { status_code: 1002 } }), DONE])],
    ["a page", () => streamOf(["<html>"], "text/html")],
    ["an error as JSON", () => Response.json({ error: { message: "no capacity" } })],
    ["an error as FastAPI's JSON", () => Response.json({ detail: "no capacity" })],
    ["nothing as JSON", () => streamOf([""], "application/json")],
    ["an error as problem+json", () => Response.json({ title: "no capacity", status: 503 })],
    ["an object that is no completion", () => Response.json({ status: "queued", info: "no capacity" })],
    ["a 204", () => new Response(null, { status: 204 })],
    ["a 205", () => new Response(null, { status: 205 })],
  ] as [string, () => Response][]) {
    it(`is answered by the next provider: ${what}`, async () => {
      const { fetch, asked, recorded } = before({ one: first, two: whole });
      const answer = await fetch(CHAT, ask({ stream: true }));
      assert.equal(answer.status, 200);
      const text = asText(await bytesOf(answer));
      assert.match(text, /second/);
      assert.doesNotMatch(text, /capacity|error/);
      assert.deepEqual(asked, ["one", "two"]);
      const [record] = await recorded(1);
      assert.deepEqual([record?.provider, record?.outcome, record?.tokens], ["two", "complete", 7]);
    });
  }
  it("is not answered by the next provider once a token has come", async () => {
    const { fetch, asked } = before({ one: () => errored([says("first")]), two: whole });
    await assert.rejects(bytesOf(await fetch(CHAT, ask({ stream: true }))));
    assert.deepEqual(asked, ["one"]);
  });
  it("is answered by the next provider when it says nothing for too long, under heartbeats", async (context) => {
    const pass = mockTime(context);
    const silent = () => new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
    const { fetch, asked } = before({ one: silent, two: whole }, {}, { timeout: { firstToken: 40_000 } });
    let text = "";
    const read = fetch(CHAT, ask({ stream: true })).then(async ({ body }) => {
      for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) text += asText(bytes);
    });
    await pass(35_000);
    assert.match(text, /^(: keep-alive\n\n)+$/);
    await pass(10_000);
    await read;
    assert.match(text, /second[\s\S]*\[DONE\]/);
    assert.deepEqual(asked, ["one", "two"]);
  });
  it("is told in the stream where nobody is left", async (context) => {
    const pass = mockTime(context);
    const silent = () => new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
    const { fetch, recorded } = before({ one: silent, two: silent }, {}, { timeout: { firstToken: 20_000 } });
    const answer = fetch(CHAT, ask({ stream: true })).then(bytesOf);
    await pass(60_000);
    assert.match(asText(await answer), /data: {"error":{"message":"The provider did not answer in time/);
    assert.equal((await recorded(1))[0]?.outcome, "error");
  });
  for (const status of [204, 205]) {
    it(`is said to be nothing, and not that nobody was reached: ${status}`, async () => {
      const { fetch } = before({ one: () => new Response(null, { status }) });
      const answer = await fetch(CHAT, ask());
      assert.deepEqual([answer.status, (await errorOf(answer)).code], [502, "upstream_sent_nothing"]);
    });
  }
  it("is a 502 where there is no other provider and nothing was sent", async () => {
    const { fetch } = before({ one: () => streamOf([]), two: () => Response.json({ detail: "no capacity" }) });
    const answer = await fetch(CHAT, ask({ stream: true }));
    assert.deepEqual([answer.status, answer.headers.get("x-should-retry")], [502, "false"]);
    assert.equal((await errorOf(answer)).message, "no capacity");
  });
});

describe("an error", () => {
  it("says that the gateway has retried already", async () => {
    for (const status of [429, 500, 502, 503, 504, 404, 401]) {
      const { fetch } = before({ one: () => Response.json({ error: { message: "no" } }, { status }) });
      const answer = await fetch(CHAT, ask());
      assert.equal(answer.headers.get("x-should-retry"), "false", String(status));
    }
    const { fetch } = before({
      one: () => {
        throw new TypeError("fetch failed");
      },
    });
    assert.equal((await fetch(CHAT, ask())).headers.get("x-should-retry"), "false");
  });

  for (const [what, body] of [
    ["OpenAI", { error: { message: "context too long", code: "x" } }],
    ["FastAPI", { detail: "context too long" }],
    ["FastAPI's validation", { detail: [{ loc: ["body"], msg: "context too long", type: "value_error" }] }],
    ["TGI", { error: "context too long", error_type: "validation" }],
    ["Ollama", { error: "context too long" }],
    ["vLLM", { object: "error", message: "context too long", type: "BadRequestError", code: 400 }],
    ["Mistral", { message: "context too long", request_id: "r" }],
    ["Gemini", [{ error: { code: 400, message: "context too long", status: "INVALID_ARGUMENT" } }]],
    ["Azure", { error: { message: "context too long", innererror: { code: "x" } } }],
  ] as [string, object][]) {
    it(`keeps its words in the envelope of ${what}`, async () => {
      const { fetch } = before({ one: () => Response.json(body, { status: 400 }) });
      const answer = await fetch(CHAT, ask());
      assert.deepEqual([answer.status, (await errorOf(answer)).message], [400, "context too long"]);
    });
  }

  const secrets = [
    ...[
      "10.0.0.7",
      "db.internal:5432",
      "http://vllm-service:8000/v1",
      "vllm-0:8000",
      "[fd00::12:3]:8080",
      "localhost:11434",
    ],
    ...[KEY, "sk-proj-abcdefgh12345678", "Bearer eyJhbGciOi.x.y", "0123456789abcdef0123456789abcdef"],
  ];
  it("holds no key and no inner address, before an answer and inside it, however it is cut", async () => {
    const random = randomFrom(3);
    let turn = 0;
    for (const secret of secrets) {
      const message = `failed at ${secret} again`;
      const shapes = [
        event({ error: { message, type: "server_error" } }),
        event({ id: "c", choices: [], error: { message, metadata: { raw: message } } }),
        event({ detail: message }),
        event({ object: "error", message, code: 500 }),
        `event: error\n${event({ message })}`,
        event({ error: message }),
        event({ code: 500, msg: message }),
        event({ title: message, status: 500 }),
        event({ error_message: message }),
        event([{ error: { code: 500, message, status: "INTERNAL" } }]),
        event([{ detail: message }]),
        event({ status: "failed", info: message }),
        event({ type: "about:blank", title: "Oops", instance: message }),
        event({ id: "c", choices: [{ index: 0, delta: {}, error: { message }, finish_reason: "error" }] }),
        event(message),
        `data: ${message}\n\n`,
        `event: error\ndata: ${message}\ndata: ${message}\n\n`,
        `: ${message}\n\n`,
        `event: ${message}\ndata: {}\n\n`,
        `${message}\n\n`,
      ];
      for (const shape of shapes) {
        // Each shape in reads of each size, over all secrets.
        const most = [1, 7, 4000][turn++ % 3] ?? 1;
        const reads = [...cut(encode(says("a")), most, random), ...cut(encode(shape), most, random)];
        const { fetch } = before({ one: () => streamOf([...reads, DONE]) });
        const text = asText(await bytesOf(await fetch(CHAT, ask({ stream: true }))));
        assert.ok(!text.includes(secret), `${shape} in reads of ${most}`);
        assert.match(text, /failed at \[(address|key)\]/);
      }
      for (const status of [400, 422, 429]) {
        const { fetch } = before({ one: () => Response.json({ error: { message } }, { status }) });
        const text = await (await fetch(CHAT, ask())).text();
        assert.ok(!text.includes(secret), text);
      }
    }
  });
  it("holds neither in a 200 that is no completion, whatever its envelope", async () => {
    for (const secret of secrets) {
      const message = `failed at ${secret} again`;
      for (const [envelope, type] of [
        [{ title: message }, "application/problem+json"],
        [{ type: "about:blank", title: "Failed", status: 500, instance: message }, "application/problem+json"],
        [{ status: "error", data: message }],
        [{ error: null, choices: null, detail: message }],
        [{ object: "error", message }],
        [{ success: false, errors: [{ message }] }],
        [{ choices: [], error: { message } }],
        [{ choices: [{ index: 0, error: { message }, message: { content: "" }, finish_reason: "error" }] }],
      ] as [object, string?][]) {
        const { fetch } = before({
          one: () => Response.json(envelope, { headers: { "content-type": type ?? "application/json" } }),
        });
        const text = await (await fetch(CHAT, ask())).text();
        assert.ok(!text.includes(secret), text);
      }
    }
  });
  it("holds no key of the gateway, whatever the key looks like and wherever it stands", async () => {
    const apiKey = "correct horse battery";
    const says = (words: string) => ({
      choices: [{ index: 0, delta: { content: words }, message: { content: words }, finish_reason: "stop" }],
    });
    for (const answer of [
      () => Response.json({ error: { message: `no such key: ${apiKey}` } }, { status: 400 }),
      () => Response.json({ error: { message: "no", code: apiKey, param: apiKey } }, { status: 422 }),
      () => Response.json({ error: { message: `${"x".repeat(990)}${apiKey}` } }, { status: 429 }),
      () => Response.json({ title: apiKey }),
      () => Response.json({ ...says(`Your headers: Bearer ${apiKey}`), debug: { authorization: apiKey } }),
      () => streamOf([event({ ...says(`Your headers: ${apiKey}`), debug: apiKey }), DONE]),
      () => streamOf([event({ error: apiKey })]),
      () => streamOf([says.name, `: ${apiKey}\n\n`]),
    ] as (() => Response)[]) {
      for (const stream of [true, false]) {
        const { fetch } = before({ one: answer }, {}, { apiKey: () => apiKey });
        const text = await (await fetch(CHAT, ask({ stream }))).text();
        assert.doesNotMatch(text, /correct horse|battery/);
      }
    }
  });
  it("keeps the words that OpenRouter quotes", async () => {
    for (const raw of [JSON.stringify({ error: { message: "too long for 10.0.0.7" } }), "too long for 10.0.0.7"]) {
      const error = { message: "Provider returned error", code: 400, metadata: { raw, provider_name: "x" } };
      const { fetch } = before({ one: () => Response.json({ error }, { status: 400 }) });
      const { message } = await errorOf(await fetch(CHAT, ask()));
      assert.equal(message, "Provider returned error: too long for [address]");
    }
  });
  it("says when to come back, and nothing else in that place", async () => {
    for (const [said, passed] of [
      ["7", "7"],
      ["see http://10.0.0.7/", null],
    ] as const) {
      const headers = { "retry-after": said };
      const { fetch } = before({ one: () => Response.json({ error: "failed" }, { status: 500, headers }) });
      assert.equal((await fetch(CHAT, ask())).headers.get("retry-after"), passed);
    }
  });
  it("is no reason to change what a model says", () => {
    const said = says('the "error" at 10.0.0.7 says sk-proj-abcdefgh12345678: {"error": 1}');
    assert.equal(asText(new EventFilter().push(encode(said))), said);
    const failed = says("at 10.0.0.7", "error");
    assert.equal(asText(new EventFilter().push(encode(failed))), failed);
    for (const harmless of [
      ": OPENROUTER PROCESSING\n\n",
      "retry: 10000\nid: 12345\n\n",
      event({ choices: [], prompt_filter_results: [] }),
    ]) {
      assert.equal(asText(new EventFilter().push(encode(harmless))), harmless);
    }
  });
});

describe("numbers", () => {
  const usages = {
    negative: { prompt_tokens: -5, completion_tokens: 4, total_tokens: -1 },
    huge: { prompt_tokens: 3, completion_tokens: 1e308, total_tokens: 1e308 },
    fractional: { prompt_tokens: 3.5, completion_tokens: 4, total_tokens: 7.5 },
    "more cached than there is": {
      ...{ prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      prompt_tokens_details: { cached_tokens: 3000 },
    },
    "beyond all answers": { prompt_tokens: 3, completion_tokens: 4e15, total_tokens: 4e15 },
  };
  for (const [what, usage] of Object.entries(usages)) {
    it(`that are impossible are not believed: ${what}`, async () => {
      const prices = { input: 1, output: 1 };
      for (const stream of [true, false]) {
        const body = {
          choices: [{ index: 0, message: { role: "assistant", content: "four words of text" }, finish_reason: "stop" }],
        };
        const answer = () =>
          stream
            ? streamOf([says("four words of text", "stop"), event({ choices: [], usage }), DONE])
            : Response.json({ ...body, usage });
        const { fetch, recorded } = before({ one: answer }, {}, { prices });
        await bytesOf(await fetch(CHAT, ask({ stream })));
        const [record] = await recorded(1);
        const { promptTokens = null, completionTokens = null, tokens = null, cost = null } = record ?? {};
        for (const number of [promptTokens, completionTokens, tokens, cost]) {
          assert.ok(number !== null && number >= 0 && number < 100, JSON.stringify(record));
        }
        assert.equal(record?.estimated, true);
      }
    });
  }
  it("of a price that the provider names are not believed either", async () => {
    for (const cost of [-3, 1e308, "free"]) {
      const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, cost };
      const { fetch, recorded } = before({
        one: () => streamOf([says("a", "stop"), event({ choices: [], usage }), DONE]),
      });
      await bytesOf(await fetch(CHAT, ask({ stream: true })));
      const [record] = await recorded(1);
      assert.ok(record?.cost === null || (record?.cost ?? -1) >= 0, JSON.stringify(record));
      assert.ok((record?.cost ?? 0) < 1000);
    }
  });
  it("that nobody has said are null", async () => {
    const { fetch, recorded } = before({ one: whole });
    await bytesOf(await fetch(CHAT, ask({ stream: true })));
    assert.equal((await recorded(1))[0]?.cached, null);
  });
});

describe("stream_options", () => {
  const answer: Answer = (body) =>
    body.stream_options
      ? Response.json({ error: { message: "Unrecognized request argument: stream_options" } }, { status: 400 })
      : streamOf([says("a", "stop"), DONE]);
  it("are left out once a provider has refused them, and usage is estimated", async () => {
    const { fetch, asked, recorded } = before({ one: answer });
    for (let time = 0; time < 2; time++) {
      assert.match(asText(await bytesOf(await fetch(CHAT, ask({ stream: true })))), /"a"/);
    }
    assert.equal(asked.length, 3);
    assert.deepEqual(
      (await recorded(2)).map(({ estimated, outcome }) => [estimated, outcome]),
      Array(2).fill([true, "complete"]),
    );
  });
  it("are never sent where the provider's settings say so", async () => {
    const { fetch, asked } = before({ one: answer }, {}, { streamOptions: false });
    assert.equal((await fetch(CHAT, ask({ stream: true, stream_options: { include_usage: true } }))).status, 200);
    assert.equal(asked.length, 1);
  });
});

describe("x-request-id", () => {
  const seen = (settings: object, headers = {}) => {
    const ids: (string | null)[] = [];
    const answer: Answer = (_, sent) => {
      ids.push(sent.get("x-request-id"));
      return whole();
    };
    return { ...before({ one: answer }, {}, settings), ids, headers };
  };
  it("is a UUID", async () => {
    const { fetch, ids } = seen({});
    const answer = await fetch(CHAT, ask());
    assert.match(ids[0] ?? "", /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    assert.equal(answer.headers.get("x-request-id"), ids[0]);
  });
  it("can be switched off", async () => {
    const { fetch, ids } = seen({ requestId: false });
    await fetch(CHAT, ask({ headers: { "x-request-id": "mine" } }));
    assert.deepEqual(ids, [null]);
  });
});

describe("time", () => {
  /** A body that the test writes. */
  const written = () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (own) => {
        controller = own;
      },
    });
    const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
    return { response, write: (text: string) => controller?.enqueue(encode(text)) };
  };
  it("for the first token and between reads is the client's", async (context) => {
    const pass = mockTime(context);
    const { response, write } = written();
    const { fetch, records } = before({ one: () => response });
    const read = fetch(CHAT, ask({ stream: true }))
      .then(bytesOf)
      .then(asText, () => "broke off");
    await pass(200_000);
    assert.equal(records.length, 0, "a first token may take five minutes");
    write(says("late"));
    await pass(110_000);
    assert.equal(records.length, 0, "a read may take two");
    await pass(15_000);
    assert.deepEqual([await read, records[0]?.outcome], ["broke off", "stalled"]);
  });
  it("is not waited for behind an end in lines of JSON, the last of which no blank line ends", async (context) => {
    const pass = mockTime(context);
    const { response, write } = written();
    const { fetch, records } = before({ one: () => response });
    const read = fetch(CHAT, ask({ stream: true }))
      .then(bytesOf)
      .then(asText);
    await pass(0);
    const line = (event: string) => event.trimEnd().slice("data: ".length);
    write(`${line(says("a"))}\n`);
    await pass(1000);
    write(`${line(says("b", "stop"))}\n${line(usageEvent)}\n\n${line(DONE)}\n`);
    await pass(3000);
    assert.deepEqual([records[0]?.outcome, (records[0]?.timing?.total ?? 0) < 5000], ["complete", true]);
    assert.match(await read, /\[DONE\]/);
  });
  it("of silence is broken by comments, in events that are whole", async (context) => {
    const pass = mockTime(context);
    const { response, write } = written();
    const { fetch } = before({ one: () => response });
    const answer = await fetch(CHAT, ask({ stream: true }));
    assert.equal(answer.headers.get("x-accel-buffering"), "no");
    assert.match(answer.headers.get("cache-control") ?? "", /no-transform/);
    let text = "";
    const read = (async () => {
      for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>) {
        text += asText(bytes);
        // The bytes are the reader's own: also the next comment comes.
        structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      }
    })();
    write(says("a").slice(0, 30));
    await pass(16_000);
    assert.equal(text, ": keep-alive\n\n");
    write(says("a").slice(30) + says("b").slice(0, 9));
    await pass(31_000);
    assert.equal(text, `: keep-alive\n\n${says("a")}${": keep-alive\n\n".repeat(2)}`);
    write(says("b", "stop").slice(9) + usageEvent + DONE);
    await pass(2000);
    await read;
    assert.ok(text.endsWith(DONE));
  });
  for (const others of [{}, { two: whole }] as Record<string, Answer>[]) {
    const where = Object.keys(others).length > 0 ? "before the last provider" : "at the only provider";
    const timeout = { firstToken: 40_000, idle: 40_000, keepAlive: 100_000 };
    it(`with keep-alives is longer than silence without, and has an end: ${where}`, async (context) => {
      const pass = mockTime(context);
      const { response, write } = written();
      const { fetch, records, asked } = before({ one: () => response, ...others }, {}, { timeout });
      let text = "";
      const read = fetch(CHAT, ask({ stream: true }))
        .then(async ({ body }) => {
          for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) text += asText(bytes);
        })
        .catch(() => "broke off");
      const keepAlive = async (times: number) => {
        for (let sent = 0; sent < times; sent++) {
          await pass(20_000);
          write(": thinking\n\n");
        }
      };
      await keepAlive(4);
      write(says("at last"));
      await pass(1000);
      assert.match(text, /at last/);
      // So it is after the first token.
      await keepAlive(4);
      write(says("and on"));
      await pass(1000);
      assert.match(text, /and on/);
      assert.deepEqual([records.length, asked], [0, ["one"]]);
      await keepAlive(4);
      await pass(25_000);
      assert.deepEqual([await read, records[0]?.outcome], ["broke off", "stalled"]);
    });
    it(`with keep-alives alone ends at last: ${where}`, async (context) => {
      const pass = mockTime(context);
      const { response, write } = written();
      const { fetch, records, recorded } = before({ one: () => response, ...others }, {}, { timeout });
      const read = fetch(CHAT, ask({ stream: true }))
        .then(bytesOf)
        .then(asText, () => "broke off");
      for (let sent = 0; sent < 4; sent++) {
        await pass(20_000);
        write(": thinking\n\n");
      }
      assert.equal(records.length, 0);
      await pass(10_000);
      write(": thinking\n\n");
      await pass(15_000);
      assert.match(await read, where === "at the only provider" ? /broke off/ : /second/);
      const [record] = await recorded(1);
      assert.equal(record?.outcome, where === "at the only provider" ? "stalled" : "complete");
    });
  }
  it("after the last finish reason and the usage is short, and the end is said", async (context) => {
    const pass = mockTime(context);
    const { response, write } = written();
    const { fetch, records } = before({ one: () => response });
    write(says("a", "stop") + usageEvent);
    await pass(1000); // the clock begins at 0
    const read = fetch(CHAT, ask({ stream: true })).then(bytesOf);
    await pass(900);
    assert.equal(asText(await read), says("a", "stop") + DONE);
    assert.deepEqual(
      records.map(({ outcome, tokens }) => [outcome, tokens]),
      [["complete", 7]],
    );
  });
});

describe("an answer that the provider broke off", () => {
  const usageAlone = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } });
  const halves: [string, () => Response][] = [
    ["by a reset", () => errored([says("half")])],
    ["by closing it", () => streamOf([says("half")])],
    ["by closing it after the usage", () => streamOf([says("half"), usageAlone])],
    ["by closing it within an event", () => streamOf([says("half"), says("rest", "stop").slice(0, 60)])],
  ];
  for (const [how, half] of halves) {
    for (const onDisconnect of ["drain", "abort", "durable"] as const) {
      it(`breaks off for every client: ${how} (${onDisconnect})`, async () => {
        const streams = streamObjects();
        const options: Partial<GatewayOptions> = { onDisconnect, streams: streams.namespace };
        const { fetch, recorded, asked } = before({ one: half }, options);
        const own = "of-this-test-".padEnd(20, onDisconnect);
        const sent = ask({ stream: true, headers: { "x-chatwire-stream": own } });
        const answer = await fetch(CHAT, sent);
        await assert.rejects(bytesOf(answer));
        assert.equal((await recorded(1))[0]?.outcome, "truncated");
        if (!answer.headers.has("x-chatwire-stream")) return;
        const again = await fetch(`/v1/streams/${own}`);
        assert.equal(again.headers.get("x-chatwire-stream-state"), "cut");
        assert.match(asText(await bytesOf(again)), /half/);
        await assert.rejects(bytesOf(await fetch(CHAT, sent)), "the same request again is not told of a whole answer");
        assert.equal(asked.length, 1);
      });
    }
    for (const onDisconnect of ["drain", "durable"] as const) {
      it(`is truncated for a Chatwire client: ${how} (${onDisconnect})`, async () => {
        const streams = streamObjects();
        const { fetch } = before({ one: half }, { onDisconnect, streams: streams.namespace });
        const client = new Chatwire({
          baseURL: "http://localhost/v1",
          apiKey: null,
          maxRetries: 0,
          fetch: (url, init) => fetch(url, init as RequestInit),
        });
        for (let time = 0; time < 2; time++) {
          const outcome = await client.chat.completions
            .stream({ model: "m", messages: [{ role: "user", content: "hi" }] }, { resumeId: "chosen-by-the-test" })
            .outcome();
          assert.deepEqual([outcome.status, outcome.text], ["truncated", "half"]);
        }
      });
    }
  }
  it("breaks off where it is JSON", async () => {
    const { fetch, recorded } = before({
      one: () => streamOf(['{"choices":[{"index":0,"message":{"role":"assistant","content":"ha'], "application/json"),
    });
    await assert.rejects(bytesOf(await fetch(CHAT, ask())));
    assert.equal((await recorded(1))[0]?.outcome, "truncated");
  });
  it("is whole where it is JSON without an answer in it", async () => {
    for (const whole of ['{"choices":[]}', '{"choices":[{"index":0,"message":{"role":"assistant"}}]}']) {
      const { fetch } = before({ one: () => streamOf([whole], "application/json") });
      assert.equal(asText(await bytesOf(await fetch(CHAT, ask()))), whole);
    }
  });
  it("is whole where only [DONE], or only the finish reason, is missing", async () => {
    for (const reads of [[says("a", "stop")], [says("a"), DONE], [says("a", "stop"), usageEvent]]) {
      const { fetch, recorded } = before({ one: () => streamOf(reads) });
      await bytesOf(await fetch(CHAT, ask({ stream: true })));
      assert.equal((await recorded(1))[0]?.outcome, "complete");
    }
  });
});

describe("a gateway behind a gateway", () => {
  it("and a Chatwire client have exact usage, not an estimate", async () => {
    const emulator = createEmulator();
    const inner = gateway({ providers: { up: { provider: "electron", apiKey: "any", fetch: emulator.fetch } } });
    const toInner = (url: string, init: object) => inner.fetch(new Request(url, init));
    const { fetch, recorded } = setUp(toInner, {
      providers: { inner: { baseURL: "http://localhost/v1", apiKey: null, fetch: toInner } },
    });
    const client = new Chatwire({
      baseURL: "http://localhost/v1",
      apiKey: null,
      fetch: (url, init) => fetch(url, init as RequestInit),
    });
    const outcome = await client.chat.completions
      .stream({ model: "electron", messages: [{ role: "user", content: "Echo: one two three" }] })
      .outcome();
    const [record] = await recorded(1);
    const { total } = emulator.ledger.tokens;
    assert.deepEqual([record?.tokens, record?.estimated], [total, false]);
    assert.deepEqual([outcome.usage?.total_tokens, outcome.usage?.estimated], [total, false]);
  });
});

describe("a slot within a provider's limits", () => {
  it("is taken until the answer is over, and free then", async () => {
    let finish = () => {};
    const held = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          start(controller) {
            controller.enqueue(encode(says("a")));
            finish = () => {
              controller.enqueue(encode(says("", "stop") + usageEvent + DONE));
              controller.close();
            };
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    let answers = 0;
    const one = () => (answers++ === 0 ? held() : whole());
    const { fetch, asked } = before({ one }, {}, { limits: { concurrent: 1 } });
    const first = await fetch(CHAT, ask({ stream: true }));
    const second = fetch(CHAT, ask({ stream: true }));
    // Two more turns of the event loop than a request takes that waits for nothing.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(asked.length, 1, "the second has been asked while the first was under way");
    finish();
    assert.match(asText(await bytesOf(first)), /\[DONE\]/);
    assert.match(asText(await bytesOf(await second)), /second/);
    assert.equal(asked.length, 2);
  });

  it("is free after an answer that is none, one that is empty, and one whose caller leaves", async () => {
    const page = () => new Response("<html>", { headers: { "content-type": "text/html" } });
    for (const bad of [page, () => new Response(null, { status: 204 }), () => streamOf([says("a")])]) {
      let answers = 0;
      const one = () => (answers++ === 0 ? bad() : whole());
      const { fetch } = before({ one }, {}, { limits: { concurrent: 1 } });
      const first = await fetch(CHAT, ask({ stream: true }));
      await first.body?.cancel();
      assert.match(asText(await bytesOf(await fetch(CHAT, ask({ stream: true })))), /second/);
    }
  });

  it("is that of one request, though the provider is a gateway that keeps streams", async () => {
    const kept = { "x-chatwire-stream": "a".repeat(32), "x-chatwire-stream-state": "open" };
    const one = () => {
      const { body, headers } = whole();
      return new Response(body, { headers: { ...Object.fromEntries(headers), ...kept } });
    };
    const { fetch, asked } = before({ one });
    const answer = await fetch(CHAT, ask({ stream: true }));
    assert.match(asText(await bytesOf(answer)), /second/);
    assert.deepEqual(asked, ["one"]);
  });
});

describe("the first bytes of a JSON answer", () => {
  it("are looked at until they say what it is", async () => {
    const long = JSON.stringify({
      id: "x".repeat(500),
      choices: [{ index: 0, message: { role: "assistant", content: "ok" }, finish_reason: "stop" }],
    });
    for (const most of [1, 100, 5000]) {
      const { fetch } = before({ one: () => streamOf(cut(encode(long), most, randomFrom(2)), "application/json") });
      assert.equal(asText(await bytesOf(await fetch(CHAT, ask()))), long);
    }
    await until(() => true);
  });
});
