/**
 * The functions that a caller gives: hooks, keys, tools, schemas, inputs. Each throws, rejects, never settles and returns odd values,
 * by turns. The call settles all the same, with an error of the package or none; the place within the limits is given back; the next
 * call is as good as ever; and no rejection is left to the host.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatStream, Chatwire, ChatwireError, type ClientOptions, type ToolRunParams } from "chatwire";
import { DONE, encode, event, hello, says } from "./serving.ts";

/** A caller's function gone wrong, whatever it is given. */
type Odd = () => never;
const circular: Record<string, unknown> = {};
circular.self = circular;
const values: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  zero: 0,
  NaN: Number.NaN,
  "a BigInt": 1n,
  "empty text": "",
  text: "text",
  "a symbol": Symbol("odd"),
  "a function": () => {},
  "an empty object": {},
  "a circle": circular,
  "a list of holes": new Array(3),
  "an error": new Error("returned"),
  "a thenable that throws": {
    // biome-ignore lint/suspicious/noThenProperty: that is the case
    then() {
      throw new Error("then");
    },
  },
  "a thenable that is silent": {
    // biome-ignore lint/suspicious/noThenProperty: that is the case
    then() {},
  },
  "an object whose members throw": new Proxy(
    {},
    {
      get() {
        throw new Error("get");
      },
    },
  ),
  "a toJSON that throws": {
    toJSON() {
      throw new Error("toJSON");
    },
  },
};
const odds: Record<string, Odd> = {
  throws: () => {
    throw new Error("thrown");
  },
  "throws undefined": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("rejected")) as never,
  "rejects with null": () => Promise.reject(null) as never,
  "never settles": () => new Promise(() => {}) as never,
  ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`gives ${name}`, () => value as never])),
};

const TIMEOUT = { headers: 300, firstToken: 300, idle: 300, keepAlive: 300, total: 1000 };
const good = [says("Hello"), says("", "stop"), DONE].join("");
const called = [
  event({
    ...{ id: "c", object: "chat.completion.chunk", created: 1, model: "m" },
    choices: [
      {
        index: 0,
        delta: { tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "f", arguments: "{}" } }] },
        finish_reason: "tool_calls",
      },
    ],
  }),
  DONE,
].join("");

const streamed = (body: string) => new Response(body, { headers: { "content-type": "text/event-stream" } });

/** A client whose server calls the tool `f` first, where it is given tools, and says Hello then. */
function clientOf(options: ClientOptions = {}): Chatwire {
  return new Chatwire({
    baseURL: `https://functions-${Math.random()}.test/v1`,
    maxRetries: 1,
    timeout: TIMEOUT,
    limits: { concurrent: 1 },
    fetch: async (_, init) => {
      const { tools, messages } = JSON.parse(String(init.body)) as { tools?: unknown; messages: { role: string }[] };
      if (!tools || messages.some(({ role }) => role === "tool")) return streamed(good);
      return streamed(called);
    },
    ...options,
  });
}

const hooks = ["onRequest", "onResponse", "onRetry", "onWait", "onOutcome", "onContents"] as const;
const tool = { name: "f", parameters: { type: "object" }, execute: () => "1" };
const run = (client: Chatwire, params: object, signal: AbortSignal) =>
  client.chat.completions.runTools({ ...hello, tools: [tool], ...params } as ToolRunParams, { signal, maxSteps: 3 });
const shaped = (validate: Odd, more = {}) => ({
  "~standard": { version: 1 as const, vendor: "own", validate, jsonSchema: { input: () => ({ type: "object" }) } },
  ...more,
});

/** The places where functions are given, each with a call that uses it. */
const places: Record<string, (odd: Odd, signal: AbortSignal) => [Chatwire, Promise<unknown>]> = {
  ...Object.fromEntries(
    hooks.map((hook) => [
      hook,
      (odd: Odd) => {
        let refusals = 1;
        const fetch = async () => {
          if (hook === "onRetry" && refusals-- > 0) return new Response("", { status: 503 });
          return streamed(good);
        };
        const client = clientOf({ hooks: { [hook]: odd }, fetch });
        return [client, client.chat.completions.stream(hello).outcome()] as [Chatwire, Promise<unknown>];
      },
    ]),
  ),
  apiKey: (odd) => {
    let isFirst = true;
    const apiKey = () => {
      if (!isFirst) return "k";
      isFirst = false;
      return odd() as string;
    };
    const client = clientOf({ apiKey, maxRetries: 0 });
    return [client, client.chat.completions.create(hello)];
  },
  fetch: (odd) => {
    let isFirst = true;
    const fetch = async () => {
      if (!isFirst) return streamed(good);
      isFirst = false;
      return odd() as Response;
    };
    const client = clientOf({ fetch, maxRetries: 0 });
    return [client, client.chat.completions.create(hello)];
  },
  execute: (odd, signal) => {
    const client = clientOf();
    return [client, run(client, { tools: [{ ...tool, execute: odd }] }, signal).outcome()];
  },
  "a tool's schema": (odd, signal) => {
    const client = clientOf();
    return [client, run(client, { tools: [{ ...tool, parameters: shaped(odd) }] }, signal).outcome()];
  },
  ...Object.fromEntries(
    ["approve", "prepareStep", "stopWhen"].map((name) => [
      name,
      (odd: Odd, signal: AbortSignal) => {
        const client = clientOf();
        const own = client.chat.completions.runTools({ ...hello, tools: [tool] } as ToolRunParams, {
          signal,
          maxSteps: 3,
          [name]: odd,
        });
        return [client, own.outcome()] as [Chatwire, Promise<unknown>];
      },
    ]),
  ),
  "the schema of parse": (odd, signal) => {
    const client = clientOf({ fetch: async () => streamed([says('{"a":1}'), says("", "stop"), DONE].join("")) });
    return [
      client,
      client.chat.completions.parse(
        { ...hello, response_format: shaped(odd) as never },
        { signal },
      ) as Promise<unknown>,
    ];
  },
  onProgress: (odd) => {
    const client = clientOf();
    return [client, client.chat.completions.batch([hello, hello], { onProgress: odd as () => void })];
  },
  "a reader's bytes": (odd) => {
    const client = clientOf();
    let isFirst = true;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        controller.enqueue(isFirst ? encode(says("a")) : ((await odd()) as Uint8Array));
        isFirst = false;
      },
    });
    return [client, ChatStream.fromReadableStream(body, { timeouts: { idle: 300, total: 1000 } } as never).outcome()];
  },
  "the loop of a reader": (odd) => {
    const client = clientOf();
    const read = async () => {
      for await (const _ of client.chat.completions.stream(hello)) await Promise.race([odd(), pause(50)]);
    };
    // The reader's own errors are its own.
    return [client, read().catch(() => {})];
  },
};

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const LATE = Symbol("late");
const IN_TIME = 15_000;

/** The faults of one case; none where all is well. */
async function faultsOf(place: string, how: string): Promise<string[]> {
  const controller = new AbortController();
  // Nothing else ends the wait for a function of the caller's own that never settles.
  const giveUp = setTimeout(() => controller.abort(), 1500);
  const wrong: string[] = [];
  let client: Chatwire | undefined;
  let settled: unknown = LATE;
  try {
    const [own, done] = (places[place] as (typeof places)[string])(odds[how] as Odd, controller.signal);
    client = own;
    settled = await Promise.race([done.then(() => undefined), pause(IN_TIME).then(() => LATE)]);
  } catch (error) {
    settled = error;
  }
  clearTimeout(giveUp);
  if (settled === LATE) wrong.push("does not settle");
  else if (settled !== undefined && !(settled instanceof ChatwireError)) wrong.push(`ends in ${describe(settled)}`);
  if (client) {
    const next = client.chat.completions.stream(hello, { timeout: { total: 9000 } }).outcome();
    const again = await Promise.race([next, pause(IN_TIME).then(() => LATE)]);
    if (again === LATE) wrong.push("a place is not given back");
    else if (!/^(Hello|\{"a":1\})$/.test((again as { text: string }).text)) wrong.push("the next call is not answered");
  }
  return wrong.map((fault) => `${place} ${how}: ${fault}`);
}

function describe(error: unknown): string {
  try {
    return String((error as Error)?.stack ?? error);
  } catch {
    return "an odd value";
  }
}

test("whatever_a_function_of_the_caller_does_the_call_settles_and_the_next_is_answered", async () => {
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(describe(error));
  process.on("unhandledRejection", note);
  const cases = Object.keys(places).flatMap((place) => Object.keys(odds).map((how) => [place, how] as const));
  const wrong: string[] = [];
  const worker = async () => {
    for (let one = cases.shift(); one; one = cases.shift()) wrong.push(...(await faultsOf(...one)));
  };
  await Promise.all(Array.from({ length: 30 }, worker));
  await pause(100);
  process.off("unhandledRejection", note);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});

test("the_answer_is_not_lost_where_its_check_fails_and_the_error_names_the_function", async () => {
  const client = clientOf({ fetch: async () => streamed([says('{"a":1}'), says("", "stop"), DONE].join("")) });
  for (const how of ["throws", "throws undefined", "rejects", "gives null", "gives text"]) {
    const asked = client.chat.completions.parse({ ...hello, response_format: shaped(odds[how] as Odd) as never });
    const error = (await asked.then(undefined, (error) => error)) as ChatwireError;
    assert.match(error.message, /^The schema's check failed: /, how);
    assert.equal(error.outcome?.text, '{"a":1}', how);
  }
});

test("a_function_that_gives_nothing_has_not_approved_a_call", async () => {
  for (const nothing of [undefined, null, 0, "", false, {}]) {
    let ran = 0;
    const client = clientOf();
    const run = client.chat.completions.runTools(
      { ...hello, tools: [{ ...tool, execute: () => String(++ran) }] } as ToolRunParams,
      { approve: (() => nothing) as never, maxSteps: 3 },
    );
    await run.outcome();
    assert.equal(ran, 0, String(nothing));
  }
});
