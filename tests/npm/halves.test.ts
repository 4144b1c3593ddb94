/**
 * The engine in two halves, through a client as a page has it: what needs the second half loads it, once, and then goes as it
 * does with the whole engine. Each page has an engine of its own.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { test } from "node:test";
import * as whole from "chatwire";
import { DONE, event, hello, says, serve, until } from "./serving.ts";

type Package = Pick<typeof whole, "Chatwire" | "init">;

const entry = new URL("../../dist/entry/default.js", import.meta.url).href;
const hostFetch = globalThis.fetch;
const network = { isDown: false, isStuck: false, loaded: [] as string[] };
let pages = 0;

// Whatever a module with a query imports has that query too, and is another module than without.
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const query = context.parentURL?.match(/\?page=\d+$/);
    return query ? { ...found, url: found.url + query[0] } : found;
  },
});

globalThis.fetch = async (input, init) => {
  if (!(input instanceof URL && input.protocol === "file:")) return hostFetch(input, init);
  network.loaded.push(input.pathname.replace(/.*chatwire-/, ""));
  if (network.isDown) throw new TypeError("Failed to fetch");
  if (network.isStuck) return new Promise(() => {});
  return new Response(readFileSync(input), { headers: { "content-type": "application/wasm" } });
};

/** The package as a page has it, with nothing loaded. */
async function page(): Promise<Package> {
  Object.assign(network, { isDown: false, isStuck: false, loaded: [] });
  return (await import(`${entry}?page=${++pages}`)) as Package;
}

const FIRST = ["first.wasm"];
const BOTH = ["first.wasm", "rest.wasm"];
const good = () => serve([says("Hel"), says("lo", "stop"), DONE]).response;
const refused = (status: number, headers = {}) => Response.json({ error: { message: "No." } }, { status, headers });

interface Case {
  /** The server's answers, one after the other. */
  answers?: (() => Response)[];
  client?: object;
  params?: object;
  call?: whole.RequestOptions;
}

const described = (error: Error) => ({ ...error, name: error.name, message: error.message });

/** All that can be seen of a stream. */
async function seenOf({ Chatwire }: Package, { answers = [good], client = {}, params, call }: Case): Promise<object> {
  const told: unknown[] = [];
  const sent: unknown[] = [];
  const note = (hook: string) => (what: object) => void told.push([hook, JSON.parse(JSON.stringify(what))]);
  const hooks = { onRequest: note("request"), onResponse: note("response"), onRetry: note("retry") };
  const fetch = async (url: unknown, { headers, body, method }: RequestInit = {}) => {
    sent.push([String(url), method, [...(headers as Headers)], body]);
    return (answers[sent.length - 1] as () => Response)();
  };
  try {
    const one = new Chatwire({ baseURL: "https://halves.test/v1", maxRetries: 0, fetch, hooks, ...client });
    const { timing: _, error, ...rest } = await one.chat.completions.stream({ ...hello, ...params }, call).outcome();
    // Where the engine is there already, a client that cannot be is not made.
    if (error && sent.length === 0) throw error;
    return { told, sent, rest, usage: one.usage, error: error && described(error) };
  } catch (error) {
    return { told, sent, error: described(error as Error) };
  }
}

const plain: Record<string, Case> = {
  "nothing but messages": { params: { model: undefined } },
  "a length and a temperature": {
    params: { max_tokens: 5, temperature: 0.5, stream_options: { include_usage: true } },
  },
  "headers and a query": {
    client: { defaultHeaders: { "x-page": "1" }, defaultQuery: { a: "1" } },
    call: { headers: { "X-Token": "abc", accept: null }, query: { b: "2" } },
  },
  "retries that are not needed": { client: { maxRetries: 3 }, call: { maxRetries: 1 } },
  "no key": { client: { apiKey: null } },
  "a key": { client: { apiKey: "a-key-for-tests" } },
  "a key that is asked for": { client: { apiKey: async () => "a-key-for-tests" } },
  "a key that is asked for and cannot be": { client: { apiKey: () => "" } },
  "a key that is not given": {
    client: {
      apiKey: () => {
        throw new Error("It is lost.");
      },
    },
  },
  "a key that comes back": {
    answers: [() => serve([says("Hi", "stop"), DONE], { headers: { "x-request-id": "a-key-for-tests" } }).response],
    client: { apiKey: "a-key-for-tests" },
  },
  "an address with a port": { client: { baseURL: "http://localhost:8080" } },
  "a refusal": { answers: [() => refused(401)] },
  "a server that fails once": {
    answers: [() => refused(500, { "retry-after-ms": "1" }), good],
    client: { maxRetries: 1 },
  },
  "a lost network": {
    answers: [
      () => {
        throw new TypeError("Failed to fetch");
      },
    ],
  },
  "what is no response": { answers: [() => ({}) as Response] },
};

const odd: Record<string, Case> = {
  "a server that never answers": {
    answers: [() => new Promise(() => {}) as unknown as Response],
    call: { timeout: { headers: 5 } },
  },
  "a provider by name": { client: { provider: "electron", baseURL: undefined, apiKey: "a-key-for-tests" } },
  "a provider of one's own": { client: { provider: { baseURL: "https://own.test/v1", name: "own" } } },
  "an address with a slash at its end": { client: { baseURL: "https://halves.test/v1/" } },
  "an address that is none": { client: { baseURL: "nowhere" } },
  "no address": { client: { baseURL: undefined } },
  "a key that cannot be": { client: { apiKey: "a key" } },
  "a key that is none": { client: { apiKey: 5 } },
  "a key for all to see": { client: { baseURL: "https://api.openai.com/v1", apiKey: "a-key-for-tests" } },
  "a limit": { client: { limits: { concurrent: 1 } } },
  prices: { client: { prices: { input: 1, output: 2 } } },
  "strict judging": { client: { validate: "strict" }, params: { model: undefined } },
  "retries that cannot be": { client: { maxRetries: -1 } },
  "a header that cannot be": { client: { defaultHeaders: { "x-\n": "1" } } },
  "a header of a call that cannot be": { call: { headers: { "x-a": "a\nb" } } },
  "a header that is not plain": { call: { headers: { "x-a": "ü" } } },
  "a query that cannot be": { call: { query: { a: {} } as never } },
  "a total timeout": { call: { timeout: 60_000 } },
  "sentences that cannot be": { call: { sentences: { minLength: 0 } } },
  tools: { params: { tools: [{ type: "function", function: { name: "f" } }] } },
  "a picture": { params: { messages: [{ role: "user", content: [{ type: "text", text: "What is it?" }] }] } },
  "no messages": { params: { messages: [] } },
  "a request that is none": { params: { messages: "Hello" } },
};

for (const [kind, cases, halves] of [
  ["first_half", plain, FIRST],
  ["rest", odd, BOTH],
] as const) {
  for (const [name, one] of Object.entries(cases)) {
    test(`${name.replaceAll(" ", "_")}_needs_the_${kind}`, async () => {
      const ours = await page();
      const seen = await seenOf(ours, one);
      assert.deepEqual(network.loaded.sort(), halves);
      assert.deepEqual(seen, await seenOf(whole, one));
    });
  }
}

test("a_page_of_a_path_and_messages_needs_the_first_half", async (t) => {
  const { Chatwire } = await page();
  Object.assign(globalThis, { location: { href: "https://page.test:8443/chat/?q=a/b#c" } });
  t.after(() => Reflect.deleteProperty(globalThis, "location"));
  const asked: unknown[] = [];
  const client = new Chatwire({
    baseURL: "/v1",
    fetch: async (url) => {
      asked.push(url);
      return good();
    },
  });
  t.mock.method(console, "warn", () => {});
  const stream = client.chat.completions.stream({ messages: [{ role: "user", content: "Hello" }] });
  let text = "";
  for await (const piece of stream.textStream) text += piece;
  assert.deepEqual([text, asked], ["Hello", ["https://page.test:8443/v1/chat/completions"]]);
  assert.deepEqual(network.loaded, FIRST);
});

test("leaving_before_the_answer_is_an_abort", async () => {
  const { Chatwire } = await page();
  const fetch = () => new Promise<Response>(() => {});
  const stream = new Chatwire({ baseURL: "https://halves.test/v1", fetch }).chat.completions.stream(hello);
  await new Promise(setImmediate);
  stream.abort();
  assert.equal((await stream.outcome()).status, "aborted");
  assert.deepEqual(network.loaded, FIRST);
});

test("two_calls_at_once_load_the_rest_once", async () => {
  const ours = await page();
  await Promise.all([seenOf(ours, odd.prices as Case), seenOf(ours, odd.tools as Case)]);
  assert.deepEqual(network.loaded.sort(), BOTH);
});

test("what_is_known_to_need_both_halves_fetches_them_side_by_side", async () => {
  for (const one of ["a provider by name", "a total timeout", "prices"]) {
    const ours = await page();
    const seen = seenOf(ours, odd[one] as Case);
    assert.deepEqual(network.loaded.sort(), BOTH, one);
    await seen;
  }
});

test("a_whole_answer_is_read_with_the_rest", async () => {
  const { Chatwire } = await page();
  const choices = [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }];
  const fetch = async () => Response.json({ id: "1", object: "chat.completion", created: 1, model: "m", choices });
  const client = new Chatwire({ baseURL: "https://halves.test/v1", fetch });
  assert.equal((await client.chat.completions.create(hello)).choices[0]?.message.content, "Hello");
  assert.deepEqual(network.loaded.sort(), BOTH);
});

test("without_the_rest_what_needs_it_fails_by_name_and_may_be_tried_again", async () => {
  const ours = await page();
  await seenOf(ours, {});
  network.isDown = true;
  const tried = async (one: Case) => {
    const { error, sent } = (await seenOf(ours, one)) as { error: Error; sent: unknown[] };
    return { name: error.name, message: error.message, sent: sent.length };
  };
  const tools = await tried(odd.tools as Case);
  assert.deepEqual([tools.name, tools.sent], ["ChatwireError", 0]);
  assert.match(tools.message, /rest\.wasm/);
  // What is plain goes on, failures too; and all of it does when the network is back.
  assert.equal(((await seenOf(ours, {})) as { rest: whole.Outcome }).rest.text, "Hello");
  assert.equal((await tried(plain["a lost network"] as Case)).name, "APIConnectionError");
  network.isDown = false;
  assert.equal(((await seenOf(ours, odd.tools as Case)) as { rest: whole.Outcome }).rest.text, "Hello");
});

const toolCall = event({
  choices: [
    {
      index: 0,
      delta: { tool_calls: [{ index: 0, id: "t", type: "function", function: { name: "f", arguments: "{}" } }] },
      finish_reason: null,
    },
  ],
});

test("a_stream_that_needs_the_rest_in_vain_ends_with_what_has_arrived", async () => {
  const ours = await page();
  await seenOf(ours, {});
  network.isDown = true;
  const answers = [() => serve([says("Hello"), toolCall, DONE]).response];
  const { rest, error } = (await seenOf(ours, { answers })) as { rest: whole.Outcome; error: Error };
  assert.deepEqual([rest.status, rest.text, rest.toolCalls, error.name], ["truncated", "Hello", [], "TruncatedError"]);
  assert.match(error.message, /rest\.wasm/);
  network.isDown = false;
  const whole = (await seenOf(ours, { answers })) as { rest: whole.Outcome };
  assert.deepEqual([whole.rest.status, whole.rest.toolCalls.length], ["complete", 1]);
});

test("waiting_for_the_rest_is_waiting_and_has_an_end", async (t) => {
  const ours = await page();
  await seenOf(ours, {});
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = performance.now();
  t.mock.method(performance, "now", () => now);
  network.isStuck = true;
  const ended = seenOf(ours, { answers: [() => serve([says("Hello"), toolCall, DONE]).response] });
  await until(() => network.loaded.length === 2);
  now += 600_000;
  t.mock.timers.tick(600_000);
  const { rest } = (await ended) as { rest: whole.Outcome };
  assert.deepEqual([rest.status, rest.text], ["stalled", "Hello"]);
});
