/** Settings of clients and calls, the environment, and Azure. */
import { z } from "zod";
import type { Programs } from "../compare.ts";
import { hello, model, refuses, says, streams } from "../said.ts";

/** Sets variables of the environment while something is made. */
function within<T>(variables: Record<string, string | undefined>, make: () => T): T {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(variables)) set(name, value);
  try {
    return make();
  } finally {
    for (const [name, value] of before) set(name, value);
  }
}

interface Elsewhere {
  embeddings: { create(params: object): Promise<unknown> };
}

export const options: Programs = {
  "the key, the organization and the project": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const openai = client({ apiKey: "sk-other", organization: "org-1", project: "proj-1" });
    await openai.chat.completions.create(hello);
    print(openai.apiKey, openai.organization, openai.project);
  },
  "the environment": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const variables = {
      OPENAI_API_KEY: "sk-env",
      OPENAI_BASE_URL: baseURL,
      OPENAI_ORG_ID: "org-env",
      OPENAI_PROJECT_ID: "proj-env",
    };
    const openai = within(variables, () => new lib.main.OpenAI());
    await openai.chat.completions.create(hello);
    print(openai.apiKey, openai.baseURL, openai.organization, openai.project);
  },
  "the key of the environment goes to the baseURL of the program": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const openai = within(
      { OPENAI_API_KEY: "sk-env", OPENAI_BASE_URL: undefined },
      () => new lib.main.OpenAI({ baseURL }),
    );
    print((await openai.chat.completions.create(hello)).id);
  },
  "headers of the environment": async ({ lib, answers, baseURL }) => {
    answers(says("Hi"));
    const variables = { OPENAI_CUSTOM_HEADERS: "X-One: a:b\nX-Two: 2\nnothing" };
    const settings = { apiKey: "k", baseURL, defaultHeaders: { "x-two": "own" } };
    await within(variables, () => new lib.main.OpenAI(settings)).chat.completions.create(hello);
  },
  "blank variables do not count": ({ lib, print }) => {
    const variables = { OPENAI_API_KEY: "  sk-env  ", OPENAI_BASE_URL: "  ", OPENAI_ORG_ID: undefined };
    const openai = within(variables, () => new lib.main.OpenAI());
    print(openai.apiKey, openai.baseURL, openai.organization);
  },
  "defaults of a client": ({ lib, print }) => {
    const variables = { OPENAI_BASE_URL: undefined, OPENAI_ORG_ID: undefined, OPENAI_PROJECT_ID: undefined };
    const { baseURL, timeout, maxRetries, organization, project, logLevel } = within(
      variables,
      () => new lib.main.OpenAI({ apiKey: "k" }),
    );
    print(baseURL, timeout, maxRetries, organization, project, logLevel, lib.main.OpenAI.DEFAULT_TIMEOUT);
  },
  "no key": {
    program: ({ lib, printError }) => {
      try {
        within({ OPENAI_API_KEY: undefined, OPENAI_ADMIN_KEY: undefined }, () => new lib.main.OpenAI());
      } catch (error) {
        printError(error);
      }
    },
    differs: "the message of a missing key",
  },
  "a function for the key": async ({ client, answers, print, run }) => {
    answers(refuses(500, {}, { "retry-after-ms": "1" }), says("Hi"));
    let turn = 0;
    const openai = client({ apiKey: async () => `sk-${++turn}`, maxRetries: 1 });
    await openai.chat.completions.create(hello);
    print(
      turn,
      run.asked.map(({ headers }) => headers.authorization),
    );
  },
  "a function for the key that fails": async ({ client, printError, print }) => {
    const apiKey = async () => {
      throw new Error("no token");
    };
    try {
      await client({ apiKey }).chat.completions.create(hello);
    } catch (error) {
      printError(error);
      print((error as { cause?: { message?: string } }).cause?.message);
    }
  },
  "a function for the key that gives nothing": async ({ client, printResult }) => {
    await printResult(client({ apiKey: async () => "" }).chat.completions.create(hello));
  },
  "a key that is changed": async ({ client, answers, print, run }) => {
    answers(says("Hi"));
    const openai = client();
    await openai.chat.completions.create(hello);
    openai.apiKey = "sk-new";
    await openai.chat.completions.create(hello);
    print(run.asked.map(({ headers }) => headers.authorization));
  },
  "a baseURL that is changed": async ({ client, answers, print, baseURL }) => {
    answers(says("Hi"));
    const openai = client({ baseURL: "http://127.0.0.1:1/v1" });
    openai.baseURL = baseURL;
    print((await openai.chat.completions.create(hello)).id);
  },
  "a baseURL with a slash at its end": async ({ client, answers, print, baseURL }) => {
    answers(says("Hi"));
    const openai = client({ baseURL: `${baseURL}/` });
    await openai.chat.completions.create(hello);
    print(openai.baseURL);
  },
  "a baseURL with a query": async ({ client, answers, print, baseURL }) => {
    answers(says("Hi"));
    print((await client({ baseURL: `${baseURL}?version=2` }).chat.completions.create(hello)).id);
  },
  "default headers and query": async ({ client, answers }) => {
    answers(says("Hi"));
    const openai = client({ defaultHeaders: { "X-One": "1", "X-Two": "2" }, defaultQuery: { a: "b", c: undefined } });
    await openai.chat.completions.create(hello);
  },
  "headers of a call": async ({ client, answers }) => {
    answers(says("Hi"));
    const openai = client({ defaultHeaders: { "X-One": "1", "X-Two": "2", "X-Three": "3" } });
    await openai.chat.completions.create(hello, { headers: { "X-One": "own", "x-two": null, "X-Three": undefined } });
  },
  "headers as Headers": async ({ client, answers }) => {
    answers(says("Hi"));
    const openai = client({ defaultHeaders: new Headers({ "X-One": "1" }) });
    await openai.chat.completions.create(hello, { headers: new Headers({ "X-Two": "2" }) });
  },
  "headers as pairs and lists": async ({ client, answers }) => {
    answers(says("Hi"));
    const openai = client({
      defaultHeaders: [
        ["X-One", "1"],
        ["X-One", "2"],
      ],
    });
    await openai.chat.completions.create(hello, { headers: { "X-Two": ["a", "b"] } });
  },
  "the key's header of one's own": async ({ client, answers }) => {
    answers(says("Hi"));
    await client().chat.completions.create(hello, { headers: { Authorization: "Token abc" } });
  },
  "no key's header": async ({ client, answers }) => {
    answers(says("Hi"));
    await client({ defaultHeaders: { Authorization: null, "x-api-key": "abc" } }).chat.completions.create(hello);
  },
  "the query of a call": async ({ client, answers }) => {
    answers(says("Hi"));
    await client({ defaultQuery: { a: "1" } }).chat.completions.create(hello, { query: { b: "2", c: ["x", "y"] } });
  },
  "another body": async ({ client, answers }) => {
    answers(says("Hi"));
    await client().chat.completions.create(hello, { body: { ...hello, extra: true } });
  },
  "a fetch of one's own": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const seen: unknown[] = [];
    const own: typeof fetch = async (url, init) => {
      seen.push(typeof url, init?.method, typeof init?.body, init?.signal instanceof AbortSignal);
      return fetch(url, init);
    };
    await client({ fetch: own }).chat.completions.create(hello);
    print(seen);
  },
  "options for fetch": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const seen: unknown[] = [];
    const own: typeof fetch = async (url, init) => {
      seen.push(init?.cache, init?.redirect, (init as { dispatcher?: unknown }).dispatcher);
      return fetch(url, { ...init, dispatcher: undefined } as RequestInit);
    };
    const openai = client({ fetch: own, fetchOptions: { cache: "no-store", redirect: "error" } });
    const dispatcher = "mine" as never;
    await openai.chat.completions.create(hello, { fetchOptions: { dispatcher, redirect: "follow" } });
    print(seen);
  },
  "an idempotency key": {
    program: async ({ client, answers }) => {
      answers(says("Hi"));
      await client().chat.completions.create(hello, { idempotencyKey: "once" });
    },
    differs: "`idempotencyKey` is sent",
  },
  withOptions: async ({ client, answers, print, lib }) => {
    answers(says("Hi"));
    const one = client({ organization: "org-1", defaultHeaders: { "X-One": "1" }, timeout: 1234 });
    const other = one.withOptions({ maxRetries: 7, apiKey: "sk-two", defaultQuery: { a: "b" } });
    await other.chat.completions.create(hello);
    print(other instanceof lib.main.OpenAI, other.maxRetries, other.timeout, other.apiKey, one.maxRetries, one.apiKey);
  },
  "withOptions keeps what was changed": async ({ client, print }) => {
    const one = client();
    one.timeout = 77;
    one.maxRetries = 5;
    const other = one.withOptions({});
    print(other.apiKey, other.timeout, other.maxRetries, other.baseURL === one.baseURL);
  },
  "a class of one's own": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    class Mine extends lib.main.OpenAI {
      constructor(options: object = {}) {
        super({ apiKey: "sk-mine", baseURL, ...options });
      }
    }
    const one = new Mine();
    print((await one.chat.completions.create(hello)).id, one.withOptions({ timeout: 5 }) instanceof Mine);
  },
  "numbers that make no sense": ({ client, printError }) => {
    for (const wrong of [{ maxRetries: -1 }, { maxRetries: 1.5 }]) {
      try {
        client(wrong);
        printError("accepted");
      } catch (error) {
        printError(error);
      }
    }
  },
  "a logger": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const said: string[] = [];
    const say = (level: string) => () => said.push(level);
    const logger = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
    for (const logLevel of ["off", "warn", "info"] as const) {
      await client({ logger, logLevel }).chat.completions.create(hello);
      print(logLevel, [...new Set(said)]);
    }
    await client({ logger, logLevel: "debug" }).chat.completions.create(hello);
    print(said.includes("debug"));
  },
  "an unknown log level": ({ client, print }) => {
    const said: unknown[] = [];
    const say = (message: string) => said.push(message);
    const logger = { debug: say, info: say, warn: say, error: say };
    print(client({ logger, logLevel: "loud" as never }).logLevel, said);
  },
  "get, post, put, patch and delete": async ({ client, answers, print }) => {
    answers({ json: { ok: true } });
    const openai = client();
    print(await openai.get("/things", { query: { a: 1, nested: { b: [2, 3] } } }));
    print(await openai.post("/things", { body: { a: [1] } }));
    print(await openai.put("/things/1", { body: { a: 2 } }));
    print(await openai.patch("/things/1", { body: { a: 3 } }));
    print(await openai.delete("/things/1"));
  },
  "answers of other kinds": async ({ client, answers, print }) => {
    answers(
      { status: 204, text: "" },
      { text: "words" },
      { text: "", headers: { "content-type": "application/json" } },
    );
    const openai = client();
    for (let turn = 0; turn < 3; turn++) print(await openai.get("/things"));
  },
  "the raw response of a get": async ({ client, answers, print }) => {
    answers({ json: { ok: true }, headers: { "x-own": "yes" } });
    const { data, response, request_id } = await client().get("/things").withResponse();
    print(data, response.headers.get("x-own"), request_id);
  },
  "a get that is refused": async ({ client, answers, printResult }) => {
    answers(refuses(404));
    await printResult(client().get("/nothing"));
  },
  "a whole URL as a path": async ({ client, answers, print, baseURL }) => {
    answers({ json: { ok: 1 } });
    print(await client({ baseURL: "http://127.0.0.1:1/v1" }).get(`${baseURL}/direct`));
  },
  buildURL: ({ client, print }) => {
    const openai = client({ defaultQuery: { d: "1" } });
    print(openai.buildURL("/a/b", { c: "x y", list: ["1", "2"], deep: { e: "f" } }));
  },
  "Azure by deployment": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"), streams("a"));
    const { AzureOpenAI } = lib.main;
    const azure = new AzureOpenAI({
      endpoint: `${baseURL}/`,
      apiKey: "azure-key",
      apiVersion: "2024-10-21",
      deployment: "mine",
    });
    await azure.chat.completions.create(hello);
    for await (const one of await azure.chat.completions.create({ ...hello, stream: true })) {
      print(one.choices[0]?.delta.content);
    }
    print(azure.baseURL, azure.apiVersion, azure.deploymentName);
  },
  "Azure: a redirect to another origin": async ({ lib, answers, printResult, baseURL, run }) => {
    const location = `${baseURL.replace("127.0.0.1", "localhost")}/openai/chat/completions`;
    answers({ status: 307, headers: { location }, json: {} }, says("Hi"));
    const redirect = { fetchOptions: { redirect: "follow" as const } };
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, apiKey: "k", apiVersion: "v", maxRetries: 0 });
    await printResult(azure.chat.completions.create(hello, redirect));
    if (run.asked.length !== 1) throw new Error("the key went to another origin");
  },
  "Azure: a redirect with a token": async ({ lib, answers, print, baseURL }) => {
    const location = `${baseURL.replace("127.0.0.1", "localhost")}/openai/chat/completions`;
    answers({ status: 307, headers: { location }, json: {} }, says("Hi"));
    const azureADTokenProvider = async () => "token";
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, azureADTokenProvider, apiVersion: "v", maxRetries: 0 });
    print((await azure.chat.completions.create(hello)).id);
  },
  "a redirect with an api-key of the program's own": {
    differs: "a redirect with `api-key`",
    program: async ({ client, answers, printResult, baseURL }) => {
      const location = `${baseURL.replace("127.0.0.1", "localhost")}/chat/completions`;
      answers({ status: 307, headers: { location }, json: {} }, says("Hi"));
      await printResult(client({ defaultHeaders: { "api-key": "k" } }).chat.completions.create(hello));
    },
  },
  "Azure by model": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, apiKey: "k", apiVersion: "v" });
    print((await azure.chat.completions.create({ ...hello, model: "gpt 4/o" })).id);
  },
  "Azure with a baseURL": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const azure = new lib.main.AzureOpenAI({ baseURL: `${baseURL}/deployments/d`, apiKey: "k", apiVersion: "v" });
    print((await azure.chat.completions.create({ ...hello, model })).id);
  },
  "Azure with a token": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const azureADTokenProvider = async () => "entra-token";
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, azureADTokenProvider, apiVersion: "v" });
    print((await azure.chat.completions.create(hello)).id);
  },
  "Azure by the environment": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const variables = {
      AZURE_OPENAI_API_KEY: "k-env",
      AZURE_OPENAI_ENDPOINT: baseURL,
      OPENAI_API_VERSION: "v-env",
      OPENAI_BASE_URL: undefined,
    };
    const azure = within(variables, () => new lib.main.AzureOpenAI());
    print((await azure.chat.completions.create(hello)).id, azure.apiVersion);
  },
  "Azure without what it needs": ({ lib, printError }) => {
    const { AzureOpenAI } = lib.main;
    const clear = {
      AZURE_OPENAI_API_KEY: undefined,
      AZURE_OPENAI_ENDPOINT: undefined,
      OPENAI_API_VERSION: undefined,
      OPENAI_BASE_URL: undefined,
    };
    const token = { azureADTokenProvider: async () => "t" };
    for (const settings of [
      {},
      { apiVersion: "v" },
      { apiVersion: "v", apiKey: "k" },
      { apiVersion: "v", apiKey: "k", ...token, endpoint: "http://x" },
      { apiVersion: "v", apiKey: "k", endpoint: "http://x", baseURL: "http://y" },
    ]) {
      try {
        within(clear, () => new AzureOpenAI(settings as object));
        printError("accepted");
      } catch (error) {
        printError(error);
      }
    }
  },
  "Azure withOptions": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, apiKey: "k", apiVersion: "v", deployment: "d" });
    const other = azure.withOptions({ apiVersion: "w", defaultHeaders: { "x-own": "1" } });
    await other.chat.completions.create(hello);
    print(other instanceof lib.main.AzureOpenAI, other.apiVersion, other.deploymentName);
  },
  "models, listed": async ({ client, answers, print }) => {
    const data = ["a", "b"].map((id) => ({ id, object: "model", created: 1, owned_by: "me" }));
    answers({ json: { object: "list", data } });
    const list = await client().models.list();
    print(list.data, list.object, list.hasNextPage());
    for await (const { id } of list) print(id);
    for await (const { id } of client().models.list()) print(id);
  },
  "a model": async ({ client, answers, print }) => {
    answers(
      { json: { id: "ft:a/b", object: "model", created: 1, owned_by: "me" } },
      { json: { id: "a", deleted: true } },
    );
    print(await client().models.retrieve("ft:a/b"));
    print(await client().models.delete("a"));
  },
  "a name that is no part of a path": {
    program: async ({ client, printError }) => {
      try {
        await client().models.retrieve("..");
      } catch (error) {
        printError(error);
      }
    },
    differs: "the message of a path parameter",
  },
  "stored completions": async ({ client, answers, print }) => {
    const stored = (id: string) => ({ id, object: "chat.completion", choices: [], metadata: { a: "b" } });
    answers(
      { json: stored("one") },
      { json: stored("one") },
      { json: { object: "list", data: [stored("one"), stored("two")], has_more: true } },
      { json: { object: "list", data: [stored("three")], has_more: false } },
      { json: { object: "list", data: [{ id: "m1", role: "user", content: "Hi" }], has_more: false } },
      { json: { id: "one", object: "chat.completion.deleted", deleted: true } },
    );
    const { completions } = client().chat;
    print(await completions.retrieve("one"));
    print(await completions.update("one", { metadata: { a: "b" } }));
    for await (const { id } of completions.list({ limit: 2, metadata: { a: "b" }, order: "desc" })) print(id);
    for await (const { id, role } of completions.messages.list("one", { limit: 5 })) print(id, role);
    print(await completions.delete("one"));
  },
  "options in the place of a list's query": async ({ client, answers, print }) => {
    answers({ json: { object: "list", data: [], has_more: false } });
    const { completions } = client().chat;
    const pages = [
      () => completions.list({ headers: { "x-own": "1" }, query: { limit: 3 } }),
      () => completions.messages.list("c1", { headers: { "x-own": "2" }, timeout: 60_000 }),
      () => completions.list(null, { headers: { "x-own": "3" } }),
      () => completions.list({ limit: 1, timeout: 60_000 } as object),
      () => completions.list({ timeout: 60_000 } as object, {}),
      () => completions.list({ fetchOptions: {} } as object),
    ];
    for (const page of pages) {
      try {
        print((await page()).data);
      } catch (error) {
        print(error instanceof TypeError);
      }
    }
  },
  "pages by hand": async ({ client, answers, print, printResult }) => {
    answers(
      { json: { object: "list", data: [{ id: "one" }], has_more: true } },
      { json: { object: "list", data: [{ id: "two" }], has_more: false } },
    );
    const page = await client().chat.completions.list({ limit: 1 });
    print(page.getPaginatedItems(), page.hasNextPage());
    const next = await page.getNextPage();
    print(next.data, next.has_more, next.hasNextPage());
    for await (const one of next.iterPages()) print(one.data.length);
    await printResult(
      (async () => (await next.getNextPage()).data)().catch((error) => error.constructor.name === "OpenAIError"),
    );
  },
  "what is not chat is an object": ({ client, print }) => {
    const openai = client() as unknown as Record<string, { create: unknown }>;
    for (const name of ["embeddings", "responses", "images", "files", "audio", "beta", "realtime", "fineTuning"]) {
      print(name, typeof openai[name]);
    }
    print(typeof openai.responses?.create, typeof openai.embeddings?.create);
  },
  "a timeout of a call that makes no sense": async ({ client, answers, printResult }) => {
    answers(says("Hi"));
    for (const timeout of [-1, -1.5, 1.5, Number.NaN, "5"]) {
      await printResult(
        Promise.resolve().then(() => client().chat.completions.create(hello, { timeout: timeout as number })),
      );
    }
  },
  "a number of retries of a call that makes no sense": {
    program: async ({ client, answers, printResult }) => {
      answers(says("Hi"));
      for (const maxRetries of [-1, 101]) {
        await printResult(client().chat.completions.create(hello, { maxRetries }));
      }
    },
    differs: "`maxRetries` of a call below 0 or above 100",
  },
  "what is not chat": {
    program: async ({ client, printResult }) => {
      await printResult((async () => (client() as unknown as Elsewhere).embeddings.create({ model, input: "a" }))());
    },
    differs: "what is not chat",
  },
  "helpers for what is not chat": {
    program: async ({ lib, printResult }) => {
      const { zodTextFormat, zodResponsesFunction, zodRealtimeFunction } = lib.zod;
      const { standardTextFormat, standardResponsesFunction } = lib.standard;
      const parameters = z.object({ a: z.string() });
      const helpers = [
        () => zodTextFormat(parameters, "a"),
        () => zodResponsesFunction({ name: "a", parameters }),
        () => zodRealtimeFunction({ name: "a", parameters }),
        () => standardTextFormat(parameters, "a"),
        () => standardResponsesFunction({ name: "a", parameters }),
        () => new lib.main.BedrockOpenAI({ apiKey: "sk", awsRegion: "us-east-1" }),
      ];
      for (const helper of helpers) await printResult((async () => typeof helper())());
    },
    differs: "what is not chat",
  },
};
