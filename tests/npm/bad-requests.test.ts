/**
 * Bad input of the request side, through a whole client: settings that are absurd, keys that do not come, waits that are
 * none, and error bodies without end. A clear error or a safe default each time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { APIError, Chatwire, ChatwireError, type ClientOptions, InvalidRequestError, RateLimitError } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, encode, failureOf, hello } from "./serving.ts";

/** The engine's memory, once it is loaded. */
async function memory(): Promise<WebAssembly.Memory> {
  const engine = await import(new URL("../../dist/entry/engine.js", import.meta.url).href);
  return engine.engineMemory();
}

const SECRET = "sk-bad-requests-0123456789";
const completion = {
  id: "1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "fine" }, finish_reason: "stop" }],
};

/** The error of a client that may fail where it is made or where it is first used; nothing may be sent. */
const refusal = (options: object): Promise<Error> =>
  failureOf(
    (async () => {
      const fetch = async () => assert.fail("it was sent");
      const client = new Chatwire({ baseURL: "https://bad.test/v1", fetch, ...options } as ClientOptions);
      await client.chat.completions.create(hello);
    })(),
  );

const ABSURD = [-1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, "5", {}, true];

test("absurd_prices_are_named", async () => {
  for (const price of [...ABSURD, null]) {
    for (const prices of [
      { input: price, output: 1 },
      { input: 1, output: price },
      { input: 1, output: 1, cachedInput: price },
    ]) {
      if (prices.cachedInput === null) continue; // as good as left out
      for (const options of [
        { prices },
        { baseURL: undefined, provider: { baseURL: "https://bad.test/v1", prices } },
      ]) {
        const error = await refusal(options);
        assert.ok(error instanceof ChatwireError && /prices/.test(error.message), `${String(price)}: ${error}`);
      }
    }
  }
});

test("absurd_limits_are_named", async () => {
  for (const number of [...ABSURD, 0, 1.5]) {
    for (const limits of [{ requestsPerMinute: number }, { concurrent: number }]) {
      const error = await refusal({ limits });
      assert.ok(error instanceof ChatwireError && /limits/.test(error.message), `${String(number)}: ${error}`);
    }
  }
  for (const limits of ["platinum", 5, [], true]) {
    const error = await refusal({ limits });
    assert.ok(error instanceof ChatwireError && /limits/.test(error.message), `${String(limits)}: ${error}`);
  }
});

test("absurd_timeouts_are_named_by_client_and_call", async () => {
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  for (const ms of [...ABSURD.filter((value) => typeof value !== "object"), 0]) {
    for (const timeout of [ms, { headers: ms }, { firstToken: ms }, { idle: ms }, { total: ms }]) {
      for (const failure of [refusal({ timeout }), failureOf(completions.create(hello, { timeout } as never))]) {
        const error = await failure;
        assert.ok(
          error instanceof ChatwireError && /timeout/.test(error.message),
          `${JSON.stringify(timeout)}: ${error}`,
        );
      }
    }
  }
});

test("no_header_can_be_injected", async () => {
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  for (const value of ["1\r\nx-evil: 1", "1\n", "1\r", "1\0", "\u0007", "1\u007f"]) {
    for (const headers of [{ "x-a": value }, { [`x-a${value}`]: "1" }]) {
      for (const failure of [refusal({ defaultHeaders: headers }), failureOf(completions.create(hello, { headers }))]) {
        const error = await failure;
        assert.ok(
          error instanceof ChatwireError && /x-a|header/i.test(error.message),
          `${JSON.stringify(headers)}: ${error}`,
        );
        assert.doesNotMatch(error.message, /evil/);
      }
    }
  }
});

test("a_base_url_with_credentials_query_or_fragment_is_named_and_not_quoted", async () => {
  for (const [base, hint] of [
    [`https://me:${SECRET}@server.test/v1`, /password|credentials/],
    [`https://${SECRET}@server.test/v1`, /password|credentials/],
    [`https://server.test/v1?key=${SECRET}`, /query/],
    [`https://server.test/v1#${SECRET}`, /fragment/],
  ] as const) {
    for (const options of [{ baseURL: base }, { baseURL: undefined, provider: { baseURL: base } }]) {
      const error = await refusal(options);
      assert.ok(error instanceof ChatwireError, base);
      assert.match(error.message, /baseURL/);
      assert.match(error.message, hint);
      assert.doesNotMatch(error.message, new RegExp(SECRET));
    }
  }
});

test("a_key_function_that_fails_is_named_and_nothing_is_sent", async () => {
  const functions: [string, () => unknown][] = [
    ["rejects", () => Promise.reject(new Error("vault is closed"))],
    ["rejects with nothing", () => Promise.reject()],
    [
      "throws",
      () => {
        throw new Error("vault is closed");
      },
    ],
    ["gives nothing", () => undefined],
    ["gives null", async () => null],
    ["gives a number", async () => 5],
    ["gives an empty key", async () => ""],
    ["gives a key with a line break", async () => `${SECRET}\r\nx-evil: 1`],
  ];
  for (const [what, apiKey] of functions) {
    const error = await refusal({ apiKey });
    assert.ok(error instanceof ChatwireError, `${what}: ${error}`);
    assert.match(error.message, /apiKey/, what);
    assert.doesNotMatch(error.message, /sk-bad|evil/, what);
  }
});

test("a_key_function_that_never_answers_ends_with_the_abort", async () => {
  const controller = new AbortController();
  const client = clientOf(async () => assert.fail("it was sent"), { apiKey: () => new Promise(() => {}) });
  const failure = failureOf(client.chat.completions.create(hello, { signal: controller.signal }));
  controller.abort();
  assert.equal((await failure).name, "APIUserAbortError");
});

test("a_retry_after_that_is_none_is_retried_and_one_beyond_the_budget_fails_at_once", async () => {
  const past = new Date(Date.now() - 3_600_000).toUTCString();
  // All at once: each waits for its backoff.
  const none = ["-1", "1e9", "soon", past, "", "0"].map(async (value) => {
    let calls = 0;
    const answer = async () =>
      ++calls === 1
        ? new Response(null, { status: 429, headers: { "retry-after": value } })
        : Response.json(completion);
    const answered = await clientOf(answer, { maxRetries: 1 }).chat.completions.create(hello);
    assert.deepEqual([calls, answered.choices[0]?.message.content], [2, "fine"], `"${value}"`);
  });
  await Promise.all(none);
  for (const value of ["1000000000", "Fri, 31 Dec 9999 23:59:59 GMT"]) {
    let calls = 0;
    const answer = async () => {
      calls++;
      return new Response(null, { status: 429, headers: { "retry-after": value } });
    };
    const error = await failureOf(clientOf(answer, { maxRetries: 2 }).chat.completions.create(hello));
    assert.ok(error instanceof RateLimitError && error.retryAt, value);
    assert.equal(calls, 1, value);
    assert.ok(error.retryAt - Date.now() <= 86_400_000, "a day at most");
  }
});

test("an_error_body_of_a_hundred_megabytes_is_read_no_further_than_needed", async () => {
  const MEGABYTE = 1024 * 1024;
  const start = encode('{"error":{"message":"the server is sorry');
  for (const chunk of [16 * 1024, MEGABYTE]) {
    let given = 0;
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const bytes = new Uint8Array(chunk).fill(97);
          if (given === 0) bytes.set(start);
          given += chunk;
          controller.enqueue(bytes);
          if (given >= 100 * MEGABYTE) controller.close();
        },
        cancel() {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const error = await failureOf(
      clientOf(async () => new Response(body, { status: 400 })).chat.completions.create(hello),
    );
    assert.equal(error.name, "BadRequestError");
    assert.ok(error.message.length < 2000, `${error.message.length}`);
    assert.ok(cancelled && given <= 2 * MEGABYTE, `${given} bytes were read`);
  }
});

test("an_error_body_in_one_piece_of_a_hundred_megabytes_does_not_grow_the_engine_by_as_much", async () => {
  const body = new Uint8Array(100 * 1024 * 1024).fill(97);
  const before = (await memory()).buffer.byteLength;
  const response = { status: 400, headers: new Headers(), body: new Response(body).body };
  const error = await failureOf(clientOf(async () => response as never).chat.completions.create(hello));
  assert.equal(error.name, "BadRequestError");
  assert.ok(error.message.length < 2100, `${error.message.length}`);
  const grown = (await memory()).buffer.byteLength - before;
  assert.ok(grown < 16 * 1024 * 1024, `${grown} bytes`);
});

test("the_servers_rate_limits_are_in_the_errors_headers_and_beside_a_good_answer", async () => {
  const { fetch } = createEmulator({ cooldown: { requestsPerMinute: 1 } });
  const client = new Chatwire({
    provider: "electronhub",
    apiKey: SECRET,
    fetch: fetch as never,
    maxRetries: 0,
  });
  const params = { model: "gpt-4o", messages: hello.messages };
  const { response } = await client.chat.completions.create(params).withResponse();
  assert.deepEqual(
    [response.headers.get("x-ratelimit-limit"), response.headers.get("x-ratelimit-remaining")],
    ["1", "0"],
  );
  const error = await failureOf(client.chat.completions.create(params));
  assert.ok(error instanceof RateLimitError && error instanceof APIError);
  assert.equal(error.headers?.get("x-ratelimit-limit"), "1");
  assert.equal(error.headers?.get("x-ratelimit-remaining"), "0");
  assert.ok(Number(error.headers?.get("x-ratelimit-reset")) > 0);
  const outcome = await client.chat.completions.stream(params).outcome();
  // Nothing is sent during the cooldown: the breaker knows when it ends.
  assert.ok(outcome.error instanceof RateLimitError && outcome.error.retryAt);
  assert.ok(error.retryAt && Math.abs(outcome.error.retryAt - error.retryAt) < 2000);
  assert.ok(!(error instanceof InvalidRequestError));
});
