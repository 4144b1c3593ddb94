/** How programs handle promises, errors, clients and responses: habits that hold for any library, seen in issues and examples. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Programs } from "../compare.ts";
import { completion, hello, messages, model, refuses, says, silentFetch, streams } from "../said.ts";

/** A response as tests of programs make it. */
const answered = (json: unknown, init: ResponseInit = {}) =>
  new Response(JSON.stringify(json), { headers: { "content-type": "application/json" }, ...init });

export const habits: Programs = {
  "a call that nobody awaits is sent": async ({ client, answers, run, print }) => {
    answers(says("Hi"));
    const pending = client().chat.completions.create(hello);
    while (run.asked.length === 0) await sleep(5);
    print(run.asked.length, pending instanceof Promise, (await pending).choices[0]?.message.content);
  },
  "Promise.all, race and allSettled": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const { completions } = client().chat;
    const ids = (all: { id: string }[]) => all.map(({ id }) => id);
    print(ids(await Promise.all([completions.create(hello), completions.create(hello)])));
    print((await Promise.race([completions.create(hello), sleep(10_000, undefined, { ref: false })]))?.id);
    const [settled] = await Promise.allSettled([completions.create(hello)]);
    print(settled?.status);
  },
  "an APIPromise by its class": async ({ lib, client, answers, print }) => {
    answers(says("Hi"));
    const pending = client().chat.completions.create(hello);
    print(pending instanceof lib.main.APIPromise, pending.constructor.name, Object.prototype.toString.call(pending));
    await pending;
  },
  _thenUnwrap: async ({ client, answers, print }) => {
    answers(says("Hi"));
    const pending = client()
      .chat.completions.create(hello)
      ._thenUnwrap(({ choices }) => ({ text: choices[0]?.message.content }));
    print(await pending, (await pending.withResponse()).data, (await pending)._request_id);
  },
  "_thenUnwrap of a text": async ({ client, answers, print, printResult }) => {
    answers(says("Hi"));
    const { completions } = client().chat;
    print(await completions.create(hello)._thenUnwrap((one) => one.choices[0]?.message.content));
    await printResult(
      completions.create(hello)._thenUnwrap(() => {
        throw new Error("of the program");
      }),
    );
  },
  "the response, then the answer": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const pending = client().chat.completions.create(hello);
    const response = await pending.asResponse();
    print(response.status, response.bodyUsed, (await pending).id, response.bodyUsed);
  },
  "the response's own json": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const response = await client().chat.completions.create(hello).asResponse();
    print(((await response.json()) as { id: string }).id, response.headers.get("x-request-id"));
  },
  "a response that is cloned": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const response = await client().chat.completions.create(hello).asResponse();
    print((await response.clone().text()).length === (await response.text()).length);
  },
  "rate limits of the headers": async ({ client, answers, print }) => {
    answers({ ...says("Hi"), headers: { "x-ratelimit-remaining-requests": "59" } });
    const { response } = await client().chat.completions.create(hello).withResponse();
    print(response.headers.get("x-ratelimit-remaining-requests"), response.ok, response.status);
  },
  "what an answer is made of": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const answer = await client().chat.completions.create(hello);
    print(Object.keys(answer), JSON.stringify(answer), answer._request_id, { ...answer });
    print(structuredClone(answer), Object.getPrototypeOf(answer) === Object.prototype);
  },
  "what an error is made of": async ({ client, answers, print }) => {
    answers(refuses(429, { code: "rate_limit_exceeded", type: "requests" }, { "retry-after": "0" }));
    const error = await client()
      .chat.completions.create(hello)
      .catch((thrown) => thrown);
    const { headers, ...rest } = JSON.parse(JSON.stringify(error));
    print(Object.keys(error), rest, typeof headers);
    print(error.constructor.name, error.message, error.headers.get("retry-after"), error.error, error.requestID);
    print(error.stack.split("\n")[0].endsWith(error.message), error.cause, String(error).endsWith(error.message));
  },
  "the class of an error": async ({ lib, client, answers, print }) => {
    for (const status of [400, 401, 403, 404, 408, 409, 413, 418, 422, 429, 500, 503]) {
      answers(refuses(status));
      const error = await client()
        .chat.completions.create(hello)
        .catch((thrown) => thrown);
      const { OpenAI } = lib.main;
      print(
        status,
        error.constructor.name,
        error instanceof OpenAI.APIError,
        error.constructor === OpenAI.NotFoundError,
      );
    }
  },
  "an error in a switch": async ({ lib, client, answers, print }) => {
    answers(refuses(401, { code: "invalid_api_key" }));
    const { APIError, AuthenticationError } = lib.main;
    try {
      await client().chat.completions.create(hello);
    } catch (error) {
      if (!(error instanceof APIError)) throw error;
      print(error.status, error.code, error instanceof AuthenticationError, error.name.length > 0);
    }
  },
  "errors made by hand": ({ lib, print }) => {
    const { APIError, APIConnectionError, RateLimitError, OpenAIError, APIUserAbortError } = lib.main;
    const body = { message: "no", code: "c", param: "p", type: "t" };
    const headers = new Headers({ "x-request-id": "r" });
    const error = new RateLimitError(429, body, undefined, headers);
    print(error.message, error.status, error.code, error.param, error.type, error.requestID, error.error);
    for (const [status, of] of [
      [500, {}],
      [undefined, {}],
      [404, undefined],
      [400, "words"],
      [429, { error: body }],
    ] as const) {
      const made = APIError.generate(status, of as never, "said", headers);
      print(made.constructor.name, made.message, made.status, made.code, made.error);
    }
    print(new APIConnectionError({ cause: new Error("why") }).message, new APIUserAbortError().message);
    print(new OpenAIError("words").message, new APIConnectionError({ message: "own" }).message);
    class Own extends APIError {}
    print(new Own(400, body, undefined, headers) instanceof APIError, new Own(400, body, undefined, headers).message);
  },
  "the cause of a connection error": async ({ client, answers, print }) => {
    answers({ reset: true });
    const error = await client()
      .chat.completions.create(hello)
      .catch((thrown) => thrown);
    print(error.constructor.name, error.message, error.status, error.headers, error.cause?.constructor.name);
    print(error.cause?.message, error.cause?.cause?.code);
  },
  "a create that a test replaces": async ({ client, print }) => {
    const openai = client();
    const answer = completion({ content: '{"a":1}' });
    openai.chat.completions.create = (async () => answer) as never;
    print(((await openai.chat.completions.create(hello)) as unknown) === answer);
  },
  "a create that a wrapper calls": async ({ client, answers, print }) => {
    answers(says('{"a":1}'), streams("He", "y"));
    const openai = client();
    const create = openai.chat.completions.create.bind(openai.chat.completions);
    openai.chat.completions.create = ((...args: Parameters<typeof create>) => {
      print("wrapped", (args[0] as { stream?: boolean }).stream);
      return create(...args);
    }) as never;
    print((await openai.chat.completions.parse(hello)).choices[0]?.message.parsed);
    print(await openai.chat.completions.stream(hello).finalContent());
  },
  "a client behind a Proxy": async ({ client, answers, print }) => {
    answers(says("Hi"), says("Ho"), streams("a", "b"), { json: { object: "list", data: [{ id: "m" }] } });
    const seen: string[] = [];
    const wrap = (target: object, path: string): never =>
      new Proxy(target, {
        get(object, key, receiver) {
          const value = Reflect.get(object, key, receiver);
          const name = `${path}.${String(key)}`;
          if (typeof value === "function") {
            return (...args: unknown[]) => {
              if (!name.includes("_")) seen.push(name);
              return (value as (...all: unknown[]) => unknown).apply(object, args);
            };
          }
          return typeof value === "object" && value !== null && !String(key).startsWith("_")
            ? wrap(value, name)
            : value;
        },
      }) as never;
    const openai = wrap(client(), "client") as ReturnType<typeof client>;
    print((await openai.chat.completions.create(hello)).choices[0]?.message.content);
    print((await openai.chat.completions.create(hello).withResponse()).data.choices[0]?.message.content);
    for await (const one of await openai.chat.completions.create({ ...hello, stream: true })) {
      print(one.choices[0]?.delta.content);
    }
    for await (const { id } of openai.models.list()) print(id);
    print(seen);
  },
  "a fetch that a test gives": async ({ client, print }) => {
    const asked: unknown[] = [];
    const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
      const headers = new Headers(init.headers);
      asked.push(typeof url, String(init.method).toUpperCase(), init.body, headers.get("authorization"));
      asked.push(headers.get("content-type"), init.signal instanceof AbortSignal);
      return answered(completion({ content: "Hi" }));
    };
    const openai = client({ fetch: fetch as never });
    print((await openai.chat.completions.create(hello)).choices[0]?.message.content, asked);
  },
  "a fetch that refuses, then answers": async ({ client, print }) => {
    let turn = 0;
    const fetch = async () =>
      turn++ === 0
        ? answered({ error: { message: "later" } }, { status: 503, headers: { "retry-after-ms": "1" } })
        : answered(completion({ content: "Hi" }));
    const openai = client({ fetch: fetch as never, maxRetries: 1 });
    print((await openai.chat.completions.create(hello)).choices[0]?.message.content, turn);
  },
  "a fetch that streams": async ({ client, print }) => {
    const lines = ["a", "b"].map(
      (content) => `data: ${JSON.stringify({ id: "1", choices: [{ index: 0, delta: { content } }] })}\n\n`,
    );
    const fetch = async () =>
      new Response([...lines, "data: [DONE]\n\n"].join(""), { headers: { "content-type": "text/event-stream" } });
    const stream = await client({ fetch: fetch as never }).chat.completions.create({ ...hello, stream: true });
    for await (const one of stream) print(one);
  },
  "a fetch that rejects with a text": async ({ client, printResult }) => {
    const openai = client({ fetch: (() => Promise.reject("no words")) as never });
    await printResult(openai.chat.completions.create(hello));
  },
  "a fetch that gives an answer of another kind of JSON": async ({ client, print }) => {
    const fetch = async () =>
      answered(completion({ content: "Hi" }), { headers: { "content-type": "application/vnd.api+json" } });
    print((await client({ fetch: fetch as never }).chat.completions.create(hello)).choices[0]?.message.content);
  },
  "null and nothing for options": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const { completions } = client().chat;
    print((await completions.create(hello, undefined)).id, (await completions.create(hello, null as never)).id);
    print((await completions.create(hello, { headers: null, signal: null, query: null } as never)).id);
  },
  "undefined for each option of a client": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const nothing = {
      organization: undefined,
      project: undefined,
      timeout: undefined,
      maxRetries: undefined,
      defaultHeaders: undefined,
      defaultQuery: undefined,
      fetch: undefined,
      fetchOptions: undefined,
      logger: undefined,
      logLevel: undefined,
      dangerouslyAllowBrowser: undefined,
    };
    const openai = client(nothing as never);
    print(openai.timeout, openai.maxRetries, openai.logLevel, (await openai.chat.completions.create(hello)).id);
  },
  "a timeout of 0": async ({ client, print, printResult }) => {
    const { fetch, asked } = silentFetch(1);
    await printResult(client({ fetch }).chat.completions.create(hello, { timeout: 0 }));
    print(asked());
  },
  "AbortSignal.timeout": async ({ client, printResult }) => {
    const { fetch } = silentFetch(1);
    await printResult(client({ fetch }).chat.completions.create(hello, { signal: AbortSignal.timeout(30) }));
  },
  "AbortSignal.any": async ({ client, printResult }) => {
    const { fetch } = silentFetch(1);
    const own = new AbortController();
    setTimeout(() => own.abort(), 20);
    const signal = AbortSignal.any([own.signal, new AbortController().signal]);
    await printResult(client({ fetch }).chat.completions.create(hello, { signal }));
  },
  "one signal for many calls": async ({ client, print }) => {
    const { fetch, asked } = silentFetch(3);
    const controller = new AbortController();
    const { signal } = controller;
    const all = [1, 2, 3].map(() => client({ fetch }).chat.completions.create(hello, { signal }));
    const settled = Promise.allSettled(all);
    while (asked() < 3) await sleep(5);
    controller.abort();
    for (const { status } of await settled) print(status);
  },
  "waits that a server gives": async ({ client, answers, print }) => {
    for (const headers of [{ "retry-after-ms": "5" }, { "retry-after": "0" }, { "retry-after": "0.01" }]) {
      answers(refuses(429, {}, headers as never), says("Hi"));
      print((await client({ maxRetries: 2 }).chat.completions.create(hello)).id);
    }
  },
  "a client within a class": async ({ client, answers, print }) => {
    answers(says("Hi"));
    class Service {
      readonly #openai = client();
      ask = async (content: string) => {
        const { choices } = await this.#openai.chat.completions.create({
          model,
          messages: [{ role: "user", content }],
        });
        return choices[0]?.message?.content ?? "";
      };
    }
    print(await new Service().ask("Hello"));
  },
  "a class of one's own with other defaults": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    class Own extends lib.main.OpenAI {
      constructor() {
        super({ apiKey: "own", baseURL });
      }
      protected override defaultQuery() {
        return { "api-version": "1" };
      }
      ask() {
        return this.chat.completions.create(hello);
      }
    }
    const own = new Own();
    print((await own.ask()).id, own instanceof lib.main.OpenAI, own.constructor.name);
  },
  "statics of the class": ({ lib, print }) => {
    const { OpenAI } = lib.main;
    print(OpenAI.DEFAULT_TIMEOUT, OpenAI.OpenAI === OpenAI, (lib.main as { default?: unknown }).default === OpenAI);
    print(OpenAI.APIError === lib.main.APIError, OpenAI.APIError === lib.error.APIError, OpenAI.name);
    print(typeof OpenAI.Chat, typeof OpenAI.Models, typeof OpenAI.Page, typeof OpenAI.CursorPage);
  },
  "a create that instrumentation puts into the prototype": async ({ lib, client, answers, print }) => {
    const { prototype } = lib.main.OpenAI.Chat.Completions;
    const { create } = prototype;
    const seen: unknown[] = [];
    prototype.create = function (this: typeof prototype, ...args: unknown[]) {
      if (args[1] === "mark") seen.push((args[0] as { model: string }).model);
      return (create as (...all: unknown[]) => never).apply(this, args[1] === "mark" ? [args[0]] : args);
    } as never;
    try {
      answers(says("Hi"));
      print((await client().chat.completions.create(hello, "mark" as never)).id, seen);
    } finally {
      prototype.create = create;
    }
    const { OpenAI } = lib.main as unknown as { OpenAI: Record<string, { prototype: Record<string, unknown> }> };
    for (const name of ["Embeddings", "Responses", "Completions", "Images", "Moderations"]) {
      print(typeof OpenAI[name], typeof OpenAI[name]?.prototype[name === "Images" ? "generate" : "create"]);
    }
  },
  "an iterator that instrumentation puts into a stream": async ({ client, answers, print }) => {
    answers(streams("Hi", "there"));
    const stream = await client().chat.completions.create({ model, messages, stream: true });
    const patched = stream as unknown as { iterator: () => AsyncIterator<{ id: string }> };
    const { iterator } = patched;
    let seen = 0;
    patched.iterator = function (this: unknown) {
      const items = iterator.call(this);
      const next = async () => {
        const item = await items.next();
        if (!item.done) seen++;
        return item;
      };
      return { ...items, next };
    };
    let read = 0;
    for await (const _ of stream) read++;
    print(Object.keys(stream), read > 0, seen === read);
  },
  "a class that prepares calls and requests": async ({ lib, baseURL, answers, print, printResult }) => {
    class Signing extends lib.main.OpenAI {
      protected override async prepareOptions(options: {
        path: string;
        headers?: unknown;
        query?: unknown;
        body?: unknown;
      }) {
        print("options", options.path, options.body !== undefined);
        options.headers = { ...(options.headers as object), "x-prepared": "yes" };
        options.query = { ...(options.query as object), prepared: 1 };
        if (options.body) options.body = { ...options.body, user: "me" };
      }
      protected override async prepareRequest(
        request: RequestInit,
        { url, options }: { url: string; options: object },
      ) {
        print("request", url, request.method?.toUpperCase(), (options as { path: string }).path);
        (request.headers as Headers).set("x-signed", String(String(request.body ?? "").length));
      }
    }
    const signing = new Signing({ apiKey: "k", baseURL, maxRetries: 0 });
    answers(says("Hi"), streams("a", "b"), { json: { some: "JSON" } }, refuses(400));
    await printResult(signing.chat.completions.create(hello, { headers: { "x-own": "1" } }));
    print(await signing.chat.completions.stream(hello).finalContent());
    await printResult(signing.get("/some"));
    await printResult(signing.chat.completions.create(hello));
    print((await signing.models.list().asResponse()).status);
  },
  "preparing again for a retry": async ({ lib, baseURL, answers, print, printResult }) => {
    let signed = 0;
    class Signing extends lib.main.OpenAI {
      protected override async prepareRequest(request: RequestInit) {
        (request.headers as Headers).set("x-signed", String(++signed));
      }
    }
    answers(refuses(500, {}, { "retry-after-ms": "1" }), says("Hi"));
    await printResult(new Signing({ apiKey: "k", baseURL, maxRetries: 1 }).chat.completions.create(hello));
    print(signed);
  },
  "preparing that fails": async ({ lib, baseURL, answers, print }) => {
    answers(says("Hi"));
    const fail = async () => {
      throw new RangeError("not prepared");
    };
    for (const name of ["prepareOptions", "prepareRequest"]) {
      const signing = new lib.main.OpenAI({ apiKey: "k", baseURL, maxRetries: 2 });
      Object.assign(signing, { [name]: fail });
      const thrown = await signing.chat.completions.create(hello).catch((error) => error);
      print(name, thrown instanceof RangeError, thrown.message);
      const streamed = await signing.chat.completions
        .stream(hello)
        .done()
        .catch((error) => error);
      print(name, streamed instanceof lib.main.OpenAIError, streamed.message);
    }
  },
  "two clients side by side": async ({ client, answers }) => {
    answers(says("Hi"));
    const [one, other] = [client({ apiKey: "one" }), client({ apiKey: "other", organization: "org" })];
    await one.chat.completions.create(hello);
    await other.chat.completions.create(hello);
    await one.chat.completions.create(hello);
  },
  "withOptions for one call": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const openai = client({ defaultHeaders: { "x-one": "1" }, defaultQuery: { q: "1" } });
    const changed = openai.withOptions({ maxRetries: 3, timeout: 5000, defaultHeaders: { "x-two": "2" } });
    await changed.chat.completions.create(hello);
    await openai.chat.completions.create(hello);
    print(changed.maxRetries, changed.timeout, openai.maxRetries, changed.apiKey === openai.apiKey);
  },
  "headers taken away for one call": async ({ client, answers }) => {
    answers(says("Hi"));
    const openai = client({ defaultHeaders: { "x-one": "1", "X-Two": "2" }, organization: "org" });
    await openai.chat.completions.create(hello, { headers: { "X-ONE": null, "OpenAI-Organization": null } });
  },
  "another key for one call": async ({ client, answers }) => {
    answers(says("Hi"));
    await client().chat.completions.create(hello, { headers: { Authorization: "Bearer other" } });
  },
  "a helicone proxy": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const openai = client({ defaultHeaders: { "X-Helicone-Auth": "Bearer h", "X-Helicone-Cache-Enabled": "true" } });
    const { response } = await openai.chat.completions
      .create(hello, { headers: { "X-Helicone-User-Id": "u" } })
      .withResponse();
    print(response.status);
  },
  "pages as JSON, and their requests": async ({ client, answers, print }) => {
    answers({ json: { object: "list", data: [{ id: "one" }], has_more: true, more: 1 } });
    const page = await client().chat.completions.list(
      { limit: 1, metadata: { a: "b" } },
      { headers: { "x-own": "1" } },
    );
    const { path, method, query } = page.nextPageRequestOptions() ?? {};
    print(Object.keys(page).sort(), path, method, query, page.data, page.has_more);
    const models = await client().models.list();
    print(Object.keys(models).sort(), models.nextPageRequestOptions(), models.hasNextPage(), models.object);
    const { options, ...rest } = JSON.parse(JSON.stringify(models));
    print(options.path, options.method, rest);
  },
  "a list of one's own": async ({ lib, client, answers, print }) => {
    answers(
      { json: { object: "list", data: [{ id: "one" }], has_more: true } },
      { json: { object: "list", data: [{ id: "two" }], has_more: false } },
    );
    const { CursorPage } = lib.main.OpenAI as unknown as { CursorPage: never };
    const list = client().getAPIList("/things", CursorPage, { query: { limit: 1 } }) as AsyncIterable<unknown>;
    for await (const one of list) print(one);
  },
  "models by their odd names": async ({ client, answers, print }) => {
    answers({ json: { id: "x" } });
    for (const name of ["ft:gpt-4o:org::id", "a b", "a/b", "models/gemini-2.5", "ü", "a?b#c", "100%"]) {
      print((await client().models.retrieve(name)).id);
    }
    await client().models.delete("ft:x");
  },
  "a body with a BigInt": {
    differs: "a body that is no JSON",
    program: async ({ client, answers, printResult }) => {
      answers(says("Hi"));
      const made = Promise.resolve({ ...hello, extra: 1n } as never);
      await printResult(made.then((body) => client().chat.completions.create(body)));
    },
  },
  "a body with dates, maps and classes": async ({ client, answers, print }) => {
    answers(says("Hi"));
    class Own {
      a = 1;
      toJSON() {
        return { own: true };
      }
    }
    const extra = { at: new Date(0), map: new Map([[1, 2]]), own: new Own(), no: undefined, nan: Number.NaN, fn() {} };
    print((await client().chat.completions.create({ ...hello, extra, list: [undefined, () => 1] } as never)).id);
  },
  "texts of every kind": async ({ client, answers, print }) => {
    const content = 'é 漢字 😀 \u0000 \u2028 "quoted" \\ \n \u{10ffff}';
    answers(says(content), streams(content));
    const answer = await client().chat.completions.create({ model, messages: [{ role: "user", content }] });
    print(JSON.stringify(answer.choices[0]?.message.content));
    for await (const one of await client().chat.completions.create({ model, messages, stream: true })) {
      print(JSON.stringify(one.choices[0]?.delta.content));
    }
  },
  "half a character": {
    differs: "half a character",
    program: async ({ client, answers, print }) => {
      answers(says("Hi"));
      const content = "\ud83d".repeat(2);
      print((await client().chat.completions.create({ model, messages: [{ role: "user", content }] })).id);
    },
  },
};
