/**
 * The functions that a gateway's owner gives: `authorize`, hooks, `onUsage`, keys, `fetch`, the options themselves. Each throws, rejects
 * and gives odd values, by turns; those that are waited for also never settle. The caller gets an answer that
 * says nothing of the owner's error, the next caller is answered, and no rejection is left to the host.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type GatewayOptions, gateway } from "chatwire/edge";
import { CHAT, chat, DONE, KEY, says, streamOf } from "./setting.ts";

const SECRET = "the owner's own words";
const thrown = () => new Error(SECRET);
const circular: Record<string, unknown> = {};
circular.self = circular;
const values: Record<string, unknown> = {
  null: null,
  zero: 0,
  text: "text",
  "a BigInt": 1n,
  "a symbol": Symbol("odd"),
  "a list": [1],
  "an empty object": {},
  "a circle": circular,
  "an object whose members throw": new Proxy(
    {},
    {
      get() {
        throw thrown();
      },
      ownKeys() {
        throw thrown();
      },
    },
  ),
};
const odds: Record<string, () => never> = {
  throws: () => {
    throw thrown();
  },
  "throws undefined": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(thrown()) as never,
  "rejects with null": () => Promise.reject(null) as never,
  ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`gives ${name}`, () => value as never])),
};

const answered = async () => streamOf([says("Hello", "stop"), DONE]);
const upstream = { baseURL: "https://owner.test/v1", apiKey: KEY, maxRetries: 0, fetch: answered };
type Options = Partial<GatewayOptions>;

/** The options with a function that is odd once. */
const places: Record<string, (odd: () => never) => Options> = {
  authorize: (odd) => ({ authorize: odd }),
  "hooks.before": (odd) => ({ hooks: { before: odd } }),
  "hooks.after": (odd) => ({ hooks: { after: odd } }),
  onUsage: (odd) => ({ onUsage: odd }),
  "a provider's apiKey": (odd) => ({ providers: { upstream: { ...upstream, apiKey: odd } } }),
  "a provider's fetch": (odd) => ({ providers: { upstream: { ...upstream, fetch: odd } } }),
};

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const ask = (app: ReturnType<typeof gateway>, params = {}) =>
  app.fetch(new Request(`http://localhost${CHAT}`, chat("hi", { model: "m", ...params })));

test("whatever_a_function_of_the_owner_does_the_caller_is_answered_and_so_is_the_next", async (context) => {
  context.mock.method(console, "error", () => {});
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const wrong: string[] = [];
  for (const [place, optionsOf] of Object.entries(places)) {
    for (const [how, odd] of Object.entries(odds)) {
      for (const stream of [true, false]) {
        const name = `${place} ${how}, ${stream ? "a stream" : "whole"}`;
        let isFirst = true;
        const { hooks, authorize, onUsage, providers } = optionsOf(odd);
        const once = <F extends (...given: never[]) => unknown>(given: F | undefined, after: F): F =>
          ((...args: never[]) => {
            if (!isFirst || !given) return after(...args);
            return given(...args);
          }) as F;
        const provider = (providers?.upstream ?? upstream) as typeof upstream;
        const app = gateway({
          providers: {
            upstream: {
              ...provider,
              apiKey: typeof provider.apiKey === "function" ? once(provider.apiKey as never, () => KEY) : KEY,
              fetch: once(provider.fetch, answered),
            } as never,
          },
          authorize: once(authorize, () => ({ caller: "c" })) as never,
          hooks: {
            before: once(hooks?.before, () => undefined) as never,
            after: once(hooks?.after as never, (answer: never) => answer) as never,
          },
          onUsage: once(onUsage, () => {}) as never,
        });
        const read = async () => {
          const response = await ask(app, { stream });
          return { status: response.status, text: await response.text().catch(() => "broken off") };
        };
        const first = await Promise.race([read(), pause(15_000)]);
        isFirst = false;
        if (!first) wrong.push(`${name}: does not settle`);
        else if (first.text.includes(SECRET)) wrong.push(`${name}: tells the owner's error`);
        else if (first.status === 200 && !/Hello|broken off|error|^$|DONE/.test(first.text)) {
          wrong.push(`${name}: gives ${first.text}`);
        }
        const second = await Promise.race([read(), pause(15_000)]);
        if (!second?.text.includes("Hello")) wrong.push(`${name}: the next caller gets ${second?.text}`);
      }
    }
  }
  await pause(50);
  process.off("unhandledRejection", note);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});

test("a_hook_that_gives_no_parameters_sends_nothing", async (context) => {
  context.mock.method(console, "error", () => {});
  for (const changed of ["text", 1, true, ["a"], Symbol("odd")]) {
    const app = gateway({
      providers: { upstream: { ...upstream, fetch: async () => assert.fail("it was sent") } },
      public: true,
      hooks: { before: () => changed as never },
    });
    assert.equal((await ask(app)).status, 500, String(changed));
  }
});

test("a_function_of_the_owner_that_never_settles_holds_nobody_for_longer_than_30_seconds", async (context) => {
  context.mock.method(console, "error", () => {});
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const never = () => new Promise<never>(() => {});
  for (const [options, status] of [
    [{ authorize: never }, 503],
    [{ hooks: { before: never } }, 500],
  ] as const) {
    const app = gateway({ providers: { upstream }, ...options });
    const answers: Response[] = [];
    void ask(app).then((response) => answers.push(response));
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
    assert.equal(answers.length, 0, "it is waited for");
    while (answers.length === 0) {
      context.mock.timers.tick(10_000);
      await new Promise(setImmediate);
    }
    assert.equal(answers[0]?.status, status);
  }
});

test("a_record_that_onUsage_never_takes_is_offered_four_times_and_given_up", async (context) => {
  const lines: string[] = [];
  context.mock.method(console, "error", (...words: unknown[]) => lines.push(words.join(" ")));
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const never = () => new Promise<never>(() => {});
  for (const onDisconnect of ["drain", "abort"] as const) {
    for (const stream of [true, false]) {
      // Taken at last: only the first calls do not settle.
      for (const takenAt of [Number.POSITIVE_INFINITY, 2]) {
        const told: string[] = [];
        const waited: Promise<unknown>[] = [];
        const app = gateway({
          providers: { upstream },
          public: true,
          onDisconnect,
          onUsage: ({ recordId }) => (told.push(recordId) < takenAt ? never() : undefined),
        });
        const request = new Request(`http://localhost${CHAT}`, chat("hi", { model: "m", stream }));
        const worker = { waitUntil: (promise: Promise<unknown>) => waited.push(promise) };
        const response = await app.fetch(request, {}, worker as never);
        assert.match(await response.text(), /Hello/, "the caller does not wait for it");
        let isOver = false;
        void Promise.all(waited).then(() => {
          isOver = true;
        });
        let ms = 0;
        for (; !isOver && ms < 200_000; ms += 500) {
          context.mock.timers.tick(500);
          for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
        }
        const name = `${onDisconnect}, ${stream ? "a stream" : "whole"}, taken at ${takenAt}`;
        assert.ok(isOver && ms <= 140_000, `${name}: ${ms} ms`);
        const calls = Math.min(takenAt, 4);
        assert.deepEqual([told.length, new Set(told).size], [calls, 1], name);
        const ours = lines.splice(0);
        const failed = ours.filter((line) => line.includes(`onUsage failed for record ${told[0]}: TimeoutError`));
        assert.equal(failed.length, takenAt === 2 ? 1 : 4, `${name}: ${ours}`);
        assert.equal(
          ours.filter((line) => line.includes(`${told[0]} is given up`)).length,
          takenAt === 2 ? 0 : 1,
          name,
        );
      }
    }
  }
});
