/** Errors, and how a program sees them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, Program, Programs } from "../compare.ts";
import { chunk, completion, hello, pieces, refuses, says, silentFetch, streams } from "../said.ts";

/** A refusal with this status. */
const refused =
  (status: number, error: object = {}, headers: Record<string, string> = {}): Program =>
  async ({ client, answers, printResult }) => {
    answers(refuses(status, error, headers));
    await printResult(client().chat.completions.create(hello));
  };

const readAll = async ({ client, print, printError }: Context, options: object = {}) => {
  try {
    const stream = await client().chat.completions.create({ ...hello, stream: true }, options);
    for await (const one of stream) print(one.choices[0]?.delta.content);
    print("over");
  } catch (error) {
    printError(error);
  }
};

export const errors: Programs = {
  "400": refused(400, { code: "invalid_value", param: "temperature" }),
  "401": refused(401, { code: "invalid_api_key", type: "invalid_request_error" }),
  "403": refused(403),
  "404": refused(404, { code: "model_not_found" }),
  "409": refused(409),
  "413": refused(413),
  "422": refused(422),
  "429": refused(429, { type: "tokens", code: "rate_limit_exceeded" }, { "retry-after": "0" }),
  "500": refused(500, { type: "server_error" }),
  "503": refused(503),
  "418": refused(418),
  "a refusal whose message is an object": refused(400, { message: { detail: ["x"] } }),
  "a refusal of a stream": async (context) => {
    context.answers(refuses(400, { param: "stream" }));
    await readAll(context);
  },
  "a refusal that is text": async ({ client, answers, printResult }) => {
    answers({ status: 502, text: "Bad gateway" });
    await printResult(client().chat.completions.create(hello));
  },
  "a refusal without a body": async ({ client, answers, printResult }) => {
    answers({ status: 500, text: "" });
    await printResult(client().chat.completions.create(hello));
  },
  "a refusal of other JSON": async ({ client, answers, printResult }) => {
    answers({ status: 400, json: { message: "no error key", code: 7 } });
    await printResult(client().chat.completions.create(hello));
  },
  "a refusal whose error is a text": async ({ client, answers, printResult }) => {
    answers({ status: 400, json: { error: "just words" } });
    await printResult(client().chat.completions.create(hello));
  },
  "asResponse of a refusal": async ({ client, answers, printResult }) => {
    answers(refuses(404));
    await printResult(client().chat.completions.create(hello).asResponse());
  },
  "withResponse of a refusal": async ({ client, answers, printResult }) => {
    answers(refuses(401));
    await printResult(client().chat.completions.create(hello).withResponse());
  },
  "headers of an error": async ({ client, answers, print, lib }) => {
    answers(refuses(429, {}, { "x-ratelimit-remaining-requests": "0", "retry-after": "0" }));
    const error = await client()
      .chat.completions.create(hello)
      .catch((thrown) => thrown);
    if (!(error instanceof lib.main.RateLimitError)) throw error;
    print(error.headers.get("x-ratelimit-remaining-requests"), error.requestID);
  },
  "a whole answer that stops": {
    differs: "the timeout of a whole answer",
    program: async ({ client, answers, printResult, run }) => {
      const headers = { "content-type": "application/json" };
      answers({ events: ['{"id":'], after: "silence", headers });
      await printResult(client({ timeout: 300, maxRetries: 1 }).chat.completions.create(hello));
      await printResult(client({ timeout: 300 }).get("/x"));
      if (run.asked.length < 3) throw new Error("it was not asked for again");
    },
  },
  "80 calls that fail at once": {
    differs: "80 calls that fail at once",
    program: async ({ client, answers, print, run }) => {
      answers(refuses(500));
      const openai = client({ maxRetries: 2 });
      await Promise.allSettled(Array.from({ length: 80 }, () => openai.chat.completions.create(hello)));
      print(run.asked.length > 200 ? "all asked thrice" : "fewer");
    },
  },
  "a whole answer that says nothing": {
    differs: "a whole answer that says nothing",
    program: async ({ client, answers, printResult }) => {
      answers({ json: completion({ content: null }, {}, { finish_reason: null }) });
      await printResult(client().chat.completions.create(hello));
    },
  },
  "overrides in a subclass": {
    differs: "overrides in a subclass",
    program: async ({ lib, baseURL, answers, print, printResult }) => {
      class Own extends lib.main.OpenAI {}
      Object.assign(Own.prototype, { makeStatusError: () => print("makeStatusError") });
      answers(refuses(400));
      await printResult(new Own({ apiKey: "k", baseURL, maxRetries: 0 }).chat.completions.create(hello));
    },
  },
  "an iterator that nobody reads": {
    differs: "an iterator that nobody reads",
    program: async ({ client, answers, print }) => {
      answers(streams("a"));
      const stream = await client().chat.completions.create({ ...hello, stream: true });
      stream[Symbol.asyncIterator]();
      for await (const one of stream) print(one.choices[0]?.delta.content);
    },
  },
  "timeout: undefined": {
    differs: "`timeout: undefined` of a call",
    program: async ({ client, answers, printResult }) => {
      answers(says("Hi"));
      await printResult(client().chat.completions.create(hello, { timeout: undefined } as object));
    },
  },
  "a timeout longer than a timer can hold": {
    differs: "a `timeout` above 2147483647",
    program: async ({ client, answers, printResult }) => {
      answers({ ...says("Hi"), wait: 100 });
      await printResult(client({ timeout: 2 ** 31 }).chat.completions.create(hello));
    },
  },
  "a server that is not there": async ({ client, print, printError, lib }) => {
    try {
      await client({ baseURL: "http://127.0.0.1:1/v1" }).chat.completions.create(hello);
    } catch (error) {
      printError(error);
      const { cause } = error as { cause?: { cause?: { code?: string } } };
      print(cause?.cause?.code, error instanceof lib.main.OpenAI.APIConnectionError);
    }
  },
  "a connection that breaks": async ({ client, answers, printError, print }) => {
    answers({ reset: true });
    try {
      await client().chat.completions.create(hello);
    } catch (error) {
      printError(error);
      print((error as { cause?: { cause?: { code?: string } } }).cause?.cause?.code);
    }
  },
  "a fetch that throws": async ({ client, print, printError }) => {
    const fetch = async () => {
      throw Object.assign(new TypeError("no network"), { code: "ENETDOWN" });
    };
    try {
      await client({ fetch }).chat.completions.create(hello);
    } catch (error) {
      printError(error);
      const { cause } = error as { cause?: { code?: string; message?: string } };
      print(cause?.code, cause?.message);
    }
  },
  "a timeout": async ({ client, printResult, lib, print }) => {
    const { fetch, asked } = silentFetch(1);
    const promise = client({ timeout: 250, fetch }).chat.completions.create(hello);
    await printResult(promise);
    await promise.catch((error) => print(error instanceof lib.main.OpenAI.APIConnectionTimeoutError, asked()));
  },
  "a timeout is tried again": async ({ client, print }) => {
    const { fetch, asked } = silentFetch(2, () => Response.json(completion({ content: "Hi" })));
    const answer = await client({ timeout: 250, maxRetries: 2, fetch }).chat.completions.create(hello);
    print(answer.choices[0]?.message.content, asked());
  },
  "a timeout of one call": async ({ client, print, printResult }) => {
    const { fetch, asked } = silentFetch(1);
    await printResult(client({ fetch }).chat.completions.create(hello, { timeout: 250 }));
    print(asked());
  },
  "a timeout ends with the headers": async ({ client, print }) => {
    const events = [...pieces("a", "b", "c").map((one) => `data: ${JSON.stringify(one)}\n\n`), "data: [DONE]\n\n"];
    const body = new ReadableStream({
      async pull(controller) {
        await sleep(80);
        const event = events.shift();
        if (event === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(event));
      },
    });
    const { fetch } = silentFetch(0, () => new Response(body, { headers: { "content-type": "text/event-stream" } }));
    const stream = await client({ fetch, timeout: 250 }).chat.completions.create({ ...hello, stream: true });
    for await (const one of stream) print(one.choices[0]?.delta);
  },
  "a timeout of a stream": async ({ client, print, printResult }) => {
    const { fetch, asked } = silentFetch(1);
    await printResult(client({ fetch, timeout: 250 }).chat.completions.create({ ...hello, stream: true }));
    print(asked());
  },
  "retries until it works": async ({ client, answers, print, run }) => {
    answers(refuses(500, {}, { "retry-after-ms": "1" }), refuses(429, {}, { "retry-after-ms": "1" }), says("Hi"));
    const answer = await client({ maxRetries: 2 }).chat.completions.create(hello);
    print(answer.choices[0]?.message.content, run.asked.length);
  },
  "retries run out": async ({ client, answers, printResult }) => {
    answers(refuses(503, {}, { "retry-after-ms": "1" }));
    await printResult(client({ maxRetries: 1 }).chat.completions.create(hello));
  },
  "retries of one call": async ({ client, answers, printResult, run, print }) => {
    answers(refuses(500, {}, { "retry-after-ms": "1" }));
    await printResult(client({ maxRetries: 0 }).chat.completions.create(hello, { maxRetries: 3 }));
    print(run.asked.length);
  },
  "a broken connection is tried again": async ({ client, answers, print }) => {
    answers({ reset: true }, says("Hi"));
    print((await client({ maxRetries: 1 }).chat.completions.create(hello)).choices[0]?.message.content);
  },
  "a refusal is not tried again": async ({ client, answers, printResult, run, print }) => {
    answers(refuses(400));
    await printResult(client({ maxRetries: 3 }).chat.completions.create(hello));
    print(run.asked.length);
  },
  "x-should-retry": async ({ client, answers, printResult, run, print }) => {
    const wait = { "retry-after-ms": "1" };
    answers(refuses(400, {}, { ...wait, "x-should-retry": "true" }), refuses(500, {}, { "x-should-retry": "false" }));
    await printResult(client({ maxRetries: 3 }).chat.completions.create(hello));
    print(run.asked.length);
  },
  "no retries, no waiting": async ({ client, answers, printResult, run, print }) => {
    answers(refuses(429, {}, { "retry-after": "30" }), says("Hi"));
    const openai = client();
    const started = performance.now();
    await printResult(openai.chat.completions.create(hello));
    await printResult(openai.chat.completions.create({ ...hello, model: "another" }));
    print(performance.now() - started < 3000, run.asked.length);
  },
  "aborted before it began": async ({ client, answers, printResult, run, print }) => {
    answers(says("Hi"));
    await printResult(client().chat.completions.create(hello, { signal: AbortSignal.abort() }));
    print(run.asked.length);
  },
  "aborted while it waits": async ({ client, answers, printResult }) => {
    const controller = new AbortController();
    answers(() => {
      controller.abort();
      return { wait: Number.POSITIVE_INFINITY };
    });
    await printResult(client().chat.completions.create(hello, { signal: controller.signal }));
  },
  "aborted between retries": async ({ client, answers, printResult, run, print }) => {
    const controller = new AbortController();
    answers(() => {
      setTimeout(() => controller.abort(), 50);
      return refuses(500, {}, { "retry-after": "20" });
    });
    await printResult(client({ maxRetries: 5 }).chat.completions.create(hello, { signal: controller.signal }));
    print(run.asked.length);
  },
  "an error within a stream": async (context) => {
    const error = { message: "The server had an error", type: "server_error", param: null, code: null };
    context.answers({ events: [...pieces("a").slice(0, 2), { error }] });
    await readAll(context);
  },
  "an error before the first token, with retries": {
    program: async ({ client, answers, print, printError, run }) => {
      answers(
        { events: [{ error: { message: "Overloaded", type: "server_error", code: null, param: null } }] },
        streams("a"),
      );
      try {
        const stream = await client({ maxRetries: 1 }).chat.completions.create({ ...hello, stream: true });
        for await (const one of stream) print(one.choices[0]?.delta.content);
      } catch (error) {
        printError(error);
      }
      print(run.asked.length);
    },
    differs: "an error before the first token",
  },
  "an error within a stream whose code is a status": async (context) => {
    context.answers({ events: [...pieces("a").slice(0, 2), { error: { message: "boom", code: 502 } }] });
    await readAll(context);
  },
  "an error within a stream whose code is a status, by stream()": async ({ client, answers, printResult }) => {
    answers({ events: [...pieces("a").slice(0, 2), { error: { message: "slow down", code: 429, type: "tokens" } }] });
    await printResult(client().chat.completions.stream(hello).done());
  },
  "an error as the first event whose code is a status": async (context) => {
    context.answers({ events: [{ error: { message: "boom", code: 503 } }] });
    await readAll(context);
  },
  "a fetch that ran out of time": async ({ client, printResult }) => {
    const reasons = [
      new Error("connect ETIMEDOUT: timed out"),
      new TypeError("fetch failed", { cause: new Error("Headers Timeout Error") }),
      Object.assign(new Error("stopped"), { name: "AbortError" }),
      new TypeError("fetch failed", { cause: new Error("other side closed") }),
    ];
    for (const reason of reasons) {
      await printResult(client({ fetch: () => Promise.reject(reason) }).chat.completions.create(hello));
    }
  },
  "an error as JSON": async ({ client, answers, print }) => {
    answers(refuses(404, { code: "model_not_found" }));
    const error = await client()
      .chat.completions.create(hello)
      .catch((thrown) => thrown);
    print(JSON.stringify({ ...error, headers: undefined }));
  },
  "an error event": async (context) => {
    const data = JSON.stringify({ error: { message: "Overloaded", type: "overloaded_error", code: "busy" } });
    context.answers({ events: [...pieces("a").slice(0, 2), `event: error\ndata: ${data}\n\n`] });
    await readAll(context);
  },
  "a stream that is cut": {
    program: async (context) => {
      context.answers({ events: pieces("a", "b").slice(0, 3), after: "end" });
      await readAll(context);
    },
    differs: "a stream that is cut",
  },
  "a stream whose connection breaks": {
    program: async (context) => {
      context.answers({ events: pieces("a", "b").slice(0, 3), after: "break" });
      await readAll(context);
    },
    differs: "a stream whose connection breaks",
  },
  "a stream with something that is not JSON": {
    program: async (context) => {
      context.answers({ events: [chunk({ content: "a" }), "data: {oops\n\n", chunk({}, { finish_reason: "stop" })] });
      await readAll(context);
    },
    differs: "JSON that cannot be read",
  },
  "an answer that is not JSON": {
    program: async ({ client, answers, printResult }) => {
      answers({ text: "<html>Welcome</html>", headers: { "content-type": "text/html" } });
      await printResult(client().chat.completions.create(hello));
    },
    differs: "an answer that is not a completion",
  },
  "an error with status 200": {
    program: async ({ client, answers, printResult }) => {
      answers({ json: { error: { message: "Not really", code: 42 } } });
      await printResult(client().chat.completions.create(hello));
    },
    differs: "an error with status 200",
  },
  "the error classes by hand": ({ lib, print, printError }) => {
    const { APIError, RateLimitError, APIConnectionError, APIConnectionTimeoutError, APIUserAbortError } = lib.main;
    const headers = new Headers({ "x-request-id": "req_9" });
    const body = { message: "slow down", code: "c", param: "p", type: "t" };
    printError(new RateLimitError(429, body, undefined, headers));
    printError(new APIError(undefined, undefined, "words", undefined));
    printError(new APIError(500, undefined, undefined, headers));
    printError(APIError.generate(404, { error: body }, undefined, headers));
    printError(APIError.generate(599, { error: body }, undefined, headers));
    printError(APIError.generate(undefined, body, "lost", undefined));
    printError(new APIConnectionError({ message: "gone", cause: new Error("why") }));
    printError(new APIConnectionTimeoutError());
    printError(new APIUserAbortError({ message: "left" }));
    print((new APIConnectionError({ cause: new Error("why") }).cause as Error).message);
  },
  "errors of the error path": ({ lib, printError, print }) => {
    printError(new lib.error.LengthFinishReasonError());
    printError(new lib.error.ContentFilterFinishReasonError());
    print(lib.error.APIError === lib.main.OpenAI.APIError, lib.main.default === lib.main.OpenAI);
  },
  "what is thrown is an instance of the classes on the class": async ({ client, answers, lib, print }) => {
    const { OpenAI } = lib.main;
    for (const [status, Class] of [
      [400, OpenAI.BadRequestError],
      [401, OpenAI.AuthenticationError],
      [403, OpenAI.PermissionDeniedError],
      [404, OpenAI.NotFoundError],
      [409, OpenAI.ConflictError],
      [422, OpenAI.UnprocessableEntityError],
      [429, OpenAI.RateLimitError],
      [500, OpenAI.InternalServerError],
    ] as const) {
      answers(refuses(status));
      const error = await client()
        .chat.completions.create(hello)
        .catch((thrown) => thrown);
      print(status, error instanceof Class, error instanceof Error, error.constructor === Class);
    }
  },
  "an answer cut short of its JSON": {
    program: async ({ client, answers, printResult }) => {
      const text = JSON.stringify(completion({ content: "Hi" }));
      answers({ text: text.slice(0, 60), headers: { "content-type": "application/json" } });
      await printResult(client().chat.completions.create(hello));
    },
    differs: "an answer that is not a completion",
  },
  "a stream without a finish reason, but done": async (context) => {
    context.answers({ events: pieces("a", "b").slice(0, 3) });
    await readAll(context);
  },
  "a good stream after a bad one": async (context) => {
    context.answers(refuses(500), streams("a"));
    await readAll(context);
    await readAll(context);
  },
};
