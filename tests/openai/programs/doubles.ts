/** Servers and stand-ins that are not what they should be: mocks of tests, odd bodies, wrong kinds, keys with a line break. */
import { Readable } from "node:stream";
import type { Context, Program, Programs } from "../compare.ts";
import { chunk, completion, end, hello, model, pieces, refuses, says, start, streams } from "../said.ts";
import type { Answer } from "../server.ts";

const text = JSON.stringify(completion({ content: "Hi" }));
const lines = pieces("a", "b")
  .map((one) => `data: ${JSON.stringify(one)}\n\n`)
  .join("");

/** Asks once with this `fetch`. */
const mocked =
  (make: () => unknown, params: object = {}): Program =>
  async ({ client, print, printError }) => {
    const openai = client({ fetch: (async () => make()) as never });
    try {
      const answer: unknown = await openai.chat.completions.create({ ...hello, ...params } as never);
      if (!("stream" in params)) return print(answer);
      for await (const one of answer as AsyncIterable<unknown>) print(one);
    } catch (error) {
      printError(error);
    }
  };
/** Asks once, and prints the answer or the error. */
const answered =
  (answer: Answer, params: object = {}, options: object = {}): Program =>
  async ({ client, answers, print, printError }) => {
    answers(answer);
    try {
      const given: unknown = await client(options).chat.completions.create({ ...hello, ...params } as never);
      if (!("stream" in params)) return print(given);
      for await (const one of given as AsyncIterable<unknown>) print(one);
    } catch (error) {
      printError(error);
    }
  };
const error = (json: unknown, status = 400): Program => answered({ status, json });
const stream = { stream: true };
const within = (...events: unknown[]): Program =>
  answered({ events: [start, chunk({ content: "a" }), ...events] }, stream);
const keyed =
  (options: object): Program =>
  async ({ client, answers, printResult, print }: Context) => {
    answers(says("Hi"));
    try {
      await printResult(
        client(options as never)
          .chat.completions.create(hello)
          .then(({ id }) => id),
      );
    } catch (thrown) {
      print("at once", (thrown as Error).constructor.name);
    }
  };

export const doubles: Programs = {
  "a mock: Response.json": mocked(() => Response.json(completion({ content: "Hi" }))),
  "a mock: a Response without a kind": {
    differs: "an answer that is not a completion",
    program: mocked(() => new Response(text)),
  },
  "a mock: an object": mocked(() => ({
    ok: true,
    status: 200,
    headers: new Headers({ "content-type": "application/json" }),
    json: async () => JSON.parse(text),
    text: async () => text,
  })),
  "a mock: an object that refuses": mocked(() => ({
    ok: false,
    status: 401,
    headers: new Headers({ "content-type": "application/json" }),
    json: async () => ({ error: { message: "no" } }),
    text: async () => '{"error":{"message":"no"}}',
  })),
  "a mock: a stream of one piece": mocked(
    () => new Response(`${lines}data: [DONE]\n\n`, { headers: { "content-type": "text/event-stream" } }),
    stream,
  ),
  "a mock: a stream without a kind": mocked(() => new Response(`${lines}data: [DONE]\n\n`), stream),
  "a mock: a stream byte by byte": mocked(() => {
    const bytes = new TextEncoder().encode(`${lines}data: [DONE]\n\n`);
    const body = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }, stream),
  "a mock: a body of Node": mocked(
    () => ({
      ok: true,
      status: 200,
      headers: new Headers({ "content-type": "text/event-stream" }),
      body: Readable.from([Buffer.from(lines.slice(0, 50)), Buffer.from(`${lines.slice(50)}data: [DONE]\n\n`)]),
    }),
    stream,
  ),
  "a mock: a refusal": mocked(() => Response.json({ error: { message: "no", code: "c" } }, { status: 400 })),
  "a mock: nothing": { differs: "a `fetch` that gives nothing", program: mocked(() => undefined) },
  "a refusal: FastAPI's": error({ detail: "Not authenticated" }, 403),
  "a refusal: FastAPI's list": error({ detail: [{ loc: ["body"], msg: "field required", type: "missing" }] }, 422),
  "a refusal: a message alone": error({ message: "no such model" }, 404),
  "a refusal: a text as the error": error({ error: "Unauthorized" }, 401),
  "a refusal: a list": {
    differs: "the text of a refusal",
    program: error([{ error: { message: "in a list", code: 400, status: "INVALID_ARGUMENT" } }]),
  },
  "a refusal: a number as the code": error({ error: { message: "no", code: 400, status: "INVALID" } }),
  "a refusal: vLLM's": error({ object: "error", message: "too long", type: "BadRequestError", param: null, code: 400 }),
  "a refusal: Azure's": error({
    error: { code: "content_filter", message: "filtered", innererror: { code: "X" }, status: 400 },
  }),
  "a refusal: null": error(null, 500),
  "a refusal: an empty object": error({}, 502),
  "a refusal: a long page": {
    differs: "the text of a refusal",
    program: answered({
      status: 502,
      text: "<html><title>Bad gateway</title></html>",
      headers: { "content-type": "text/html" },
    }),
  },
  "a refusal: no body of JSON": answered({ status: 500, text: "", headers: { "content-type": "application/json" } }),
  "a refusal: half of JSON": {
    differs: "the text of a refusal",
    program: answered({
      status: 500,
      text: '{"error":{"mess',
      headers: { "content-type": "application/json" },
    }),
  },
  "a refusal of a stream: JSON": answered(refuses(400, { code: "c" }), stream),
  "a refusal of a stream: events": {
    differs: "the text of a refusal",
    program: answered(
      { status: 400, text: 'data: {"error":{"message":"no"}}\n\n', headers: { "content-type": "text/event-stream" } },
      stream,
    ),
  },
  "an error within: a text": within({ error: "broke" }),
  "an error within: an object": within({ error: { message: "broke", type: "t", param: "p", code: "c" } }),
  "an error within: a status as its code": within({ error: { message: "broke", code: 429 } }),
  "an error within: its event": within('event: error\ndata: {"error":{"message":"broke"}}\n\n'),
  "an error within: beside choices": within({ ...chunk({}), error: { message: "broke", code: "c" } }),
  "an error within: metadata": within({
    error: { message: "broke", code: 502, metadata: { provider_name: "X" } },
    id: "g",
    choices: [],
  }),
  "a completion where a stream was asked for": {
    differs: "an answer of another kind",
    program: answered(says("Hi"), stream),
  },
  "JSON lines where a stream was asked for": {
    differs: "an answer of another kind",
    program: answered(
      {
        text: `${pieces("a")
          .map((one) => JSON.stringify(one))
          .join("\n")}\n`,
        headers: { "content-type": "application/x-ndjson" },
      },
      stream,
    ),
  },
  "a stream where a completion was asked for": {
    differs: "an answer of another kind",
    program: answered(streams("a", "b")),
  },
  "a stream that goes on after its end": answered(
    { events: [...pieces("a"), "data: [DONE]\n\n", chunk({ content: "b" })] },
    stream,
  ),
  "a stream with a line of text": answered(
    { events: [start, ": OPENROUTER PROCESSING\n\n", chunk({ content: "a" }), end("stop")] },
    stream,
  ),
  "a stream with empty choices": answered(
    { events: [start, { id: "x", choices: [] }, chunk({ content: "a" }), end("stop")] },
    stream,
  ),
  "a stream of one event": answered(
    { events: [chunk({ role: "assistant", content: "all" }, { finish_reason: "stop" })] },
    stream,
  ),
  "a key with a line break": keyed({ apiKey: "sk-a\n" }),
  "a key with letters no header has": { differs: "a key that is none", program: keyed({ apiKey: "sk-ключ" }) },
  "an empty key": keyed({ apiKey: "" }),
  "a key with blanks": { differs: "blanks before a key", program: keyed({ apiKey: " sk-a " }) },
  "a header with letters no header has": keyed({ defaultHeaders: { "x-own": "é" } }),
  "a number as a header": keyed({ defaultHeaders: { "x-own": 1 } }),
  "an empty organization": keyed({ organization: "", project: "" }),
  "null for the organization": keyed({ organization: null, project: null }),
  "an address that is none": keyed({ baseURL: "not an address" }),
  "an address without a protocol": {
    differs: "an address that is none",
    program: keyed({ baseURL: "localhost:1/v1" }),
  },
  "a redirect": async ({ client, answers, print, baseURL }) => {
    answers({ status: 307, text: "", headers: { location: `${baseURL}/elsewhere` } }, says("Hi"));
    print((await client().chat.completions.create(hello)).id);
  },
  "a redirect that is not followed": async ({ client, answers, printResult, baseURL }) => {
    answers({ status: 307, text: "", headers: { location: `${baseURL}/elsewhere` } });
    await printResult(client({ fetchOptions: { redirect: "manual" } }).chat.completions.create(hello));
  },
  "a logger with a state of its own": async ({ client, answers, print }) => {
    answers(says("Hi"));
    class Own {
      readonly said = new Set<string>();
      error = (): void => void this.said.add("error");
      warn(): void {
        this.said.add("warn");
      }
      info(): void {
        this.said.add("info");
      }
      debug(): void {
        this.said.add("debug");
      }
    }
    const logger = new Own();
    await client({ logger, logLevel: "info" }).chat.completions.create(hello);
    print([...logger.said]);
  },
  "a long conversation": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const messages = Array.from({ length: 500 }, (_, at) => ({
      role: at % 2 ? "assistant" : "user",
      content: `${at} `.repeat(50),
    }));
    print((await client().chat.completions.create({ model, messages } as never)).id);
  },
};
