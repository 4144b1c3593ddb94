/**
 * An option of another name is refused, wherever it stands: every object of options that the types have is tried with a slip of the
 * pen, and the error lists what the types list.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  ChatDecoder,
  ChatStream,
  ChatwireError,
  type ClientOptions,
  EventStreamDecoder,
  type Hooks,
  InvalidRequestError,
  type RequestOptions,
} from "chatwire";
import { telemetry } from "chatwire/otel";
import { clientOf, DONE, failureOf, hello, says, serve } from "./serving.ts";

const answering = (options: ClientOptions = {}) =>
  clientOf(async () => serve([says("a", "stop"), DONE]).response, options);
const other = answering();
const prices = { input: 1, output: 2 };

/** Makes a client with these options; where that is refused, the first call would be too. */
const client = (options: object) => answering(options as ClientOptions).usage;
const call = (options: object) => answering().chat.completions.create(hello, options as RequestOptions);
const decoder = (options: object) => new ChatDecoder(options as object).free();
const read = async (options: object) => {
  const { error } = await ChatStream.fromReadableStream(new Response("").body as never, options).outcome();
  if (error?.message.includes("is unknown")) throw error;
};

/** The objects by the names of their types, and each place where one may stand. */
const places: Record<string, ((options: object) => unknown)[]> = {
  ClientOptions: [client, (own) => answering().withOptions(own)],
  Timeouts: [(timeout) => client({ timeout }), (timeout) => call({ timeout })],
  PlanLimits: [(limits) => client({ limits })],
  Prices: [
    (own) => client({ prices: { ...prices, ...own } }),
    (own) =>
      answering({ prices: { a: prices, b: { ...prices, ...own } } }).chat.completions.create({ ...hello, model: "b" }),
    (own) => client({ provider: { baseURL: "https://a.test", prices: { ...prices, ...own } } }),
    (own) => decoder({ prices: { ...prices, ...own } }),
  ],
  CustomProvider: [(own) => client({ provider: { baseURL: "https://a.test", ...own } })],
  Hooks: [(hooks) => client({ hooks }), (hooks) => client({ hooks: { ...telemetry(), ...hooks } })],
  Fallback: [
    (own) => client({ fallback: [{ client: other, model: "a", ...own }] }),
    (own) =>
      client({
        fallback: [
          { client: other, model: "a" },
          { client: other, model: "b", ...own },
        ],
      }),
  ],
  RequestOptions: [
    call,
    (own) => answering().chat.completions.stream(hello, own).finalMessage(),
    (own) => answering().chat.completions.resume("a".repeat(32), own).finalMessage(),
    (own) => answering().models.list(own),
  ],
  Continuation: [(own) => call({ continueWith: [{ client: other, model: "a", ...own }] })],
  SentenceOptions: [
    (sentences) => call({ sentences }),
    (sentences) => decoder({ sentences }),
    (sentences) => read({ sentences }),
  ],
  BatchOptions: [(own) => answering().chat.completions.batch([hello], own)],
  ParseOptions: [(own) => answering().chat.completions.parse(hello, own)],
  ToolRunOptions: [
    (own) =>
      answering()
        .chat.completions.runTools({ ...hello, tools: [] }, own)
        .finalMessage(),
  ],
  WarmUpOptions: [(own) => answering().warmUp(own)],
  DecoderOptions: [decoder, read],
  EventStreamDecoderOptions: [(own) => new EventStreamDecoder(own).free()],
};

/** Objects that may have more, and why. */
const free: Record<string, string> = {
  ModelPrices: "its members are the names of models",
  FetchInit: "it is made here, for a caller's own fetch",
  ToolShape: "a tool may have members of its owner's",
  RunnableFunctionTool: "a tool may have members of its owner's",
  PreparedStep: "its members are sent, those of the server's own included",
  ToolRunParams: "its members are sent, those of the server's own included",
};

/** The types and their members, as the report of the public types has them. */
async function typesOf(): Promise<Map<string, string[]>> {
  const report = await readFile(new URL("../package/api/chatwire.txt", import.meta.url), "utf8");
  const found = [...report.matchAll(/^export interface (\w+)(?:<.*?>)?(?: extends (\w+))?.* \{\n([\s\S]*?)^\}/gm)];
  const own = new Map(found.map(([, name, base, body]) => [name as string, { base, body: body as string }]));
  const members = (name: string): string[] => {
    const { base, body = "" } = own.get(name) ?? {};
    const names = [...body.matchAll(/^ {4}(?:readonly )?(\w+)\??[:(]/gm)].map(([, member]) => member as string);
    return [...names, ...(base ? members(base) : [])];
  };
  return new Map([...own.keys()].map((name) => [name, members(name)]));
}

const attempt = (place: (options: object) => unknown, options: object) => failureOf((async () => place(options))());

for (const [name, where] of Object.entries(places)) {
  test(`an_unknown_member_of_${name}_is_refused_with_the_list_of_those_there_are`, async () => {
    const declared = (await typesOf()).get(name) ?? [];
    assert.ok(declared.length > 0, "the report has the type");
    for (const [at, place] of where.entries()) {
      // An object of hooks may keep counts and lists of its own, so only a function of an unknown name is refused.
      for (const value of name === "Hooks" ? [() => {}] : [1, "a", {}, () => {}]) {
        const error = await attempt(place, { nonsens: value });
        assert.ok(error instanceof ChatwireError, `${at}: ${error}`);
        const [, list = ""] = /there (?:are|is) (.*?),? and no other/.exec(error.message) ?? [];
        const listed = list.split(", ");
        assert.ok(error.message.includes("nonsens"), `${at}: ${error.message}`);
        assert.deepEqual(
          declared.filter((member) => !listed.includes(member)),
          [],
          `${at}: ${error.message}`,
        );
        // A recording has what the engine told its decoder, and an entry of `chatwire/prices` where its price is from.
        if (!/Decoder|Prices/.test(name)) assert.equal(listed.length, declared.length, `${at}: ${error.message}`);
        if (!(error instanceof InvalidRequestError)) continue;
        assert.equal(error.details[0]?.code, "unknown_option");
        assert.equal(error.details[0]?.path.at(-1), "nonsens");
      }
      const absent = async () => place({ nonsens: undefined });
      const said = await absent().then(
        () => "",
        (error: Error) => error.message,
      );
      assert.doesNotMatch(said, /nonsens/, `${at}: as if it were not there`);
    }
  });
}

test("every_object_of_options_of_the_types_is_tried_or_may_have_more", async () => {
  const isOfOptions =
    /(Options|Timeouts|Limits|Prices|Hooks|Fallback|Continuation|Provider|Shape|Tool|Step|Init|Params)$/;
  const isOfWire = /^ChatCompletion/;
  const names = [...(await typesOf()).keys()].filter((name) => isOfOptions.test(name) && !isOfWire.test(name));
  assert.deepEqual(
    names.filter((name) => !(name in places) && !(name in free)),
    [],
  );
  const limits = await attempt((own) => decoder({ limits: own }), { maxBytes: 1 });
  assert.match(limits.message, /maxBytes is unknown: there are maxEventBytes, .* and no others/);
});

test("an_unknown_option_is_named_before_the_problem_that_comes_of_it", async () => {
  for (const [options, hint] of [
    [{ baseURL: undefined, Provider: "openai" }, /^Provider: Provider is unknown: there are provider, .*\(and 1 more/],
    [{ timeout: { first_token: 1 } }, /^timeout.first_token: first_token is unknown: there are headers, firstToken/],
    [{ hooks: { onretry() {} } }, /^hooks.onretry: onretry is unknown: there are onRequest/],
  ] as const) {
    assert.match((await attempt(client, options)).message, hint);
  }
});

test("hooks_may_have_members_of_their_own_that_are_no_functions_and_of_a_class_any", async () => {
  await answering({ hooks: { lines: [], onOutcome() {} } as Hooks }).chat.completions.create(hello);
  class Log implements Hooks {
    lines: string[] = [];
    own = () => {};
    onOutcome(): void {
      this.lines.push("done");
    }
  }
  const hooks = new Log();
  await answering({ hooks }).chat.completions.create(hello);
  assert.deepEqual(hooks.lines, ["done"]);
});
