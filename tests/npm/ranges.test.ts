/**
 * Ranges of options: each range that the reference names is the one that the code enforces, and each option that is a number has
 * a range.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ChatDecoder, Chatwire, type ClientOptions, EventStreamDecoder, type RequestOptions } from "chatwire";
import { DONE, failureOf, hello, says } from "./serving.ts";

const reference = join(import.meta.dirname, "../../docs/api");

/** The fields of an interface that are numbers, each with its range. */
function numbersOf(page: string, name: string): Map<string, string> {
  const section = readFileSync(join(reference, page), "utf8").split(`\n## ${name}\n`)[1]?.split("\n## ")[0];
  assert.ok(section, name);
  const [head = [], , ...rows] = section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const numbers = rows.filter((row) => /`(?:[^`]*\| )?number\b/.test(row[head.indexOf("Type")] ?? ""));
  return new Map(
    numbers.map((row) => [(row[0] ?? "").replace(/[`?]/g, ""), (row[head.indexOf("Range")] ?? "").replaceAll(",", "")]),
  );
}

/** Values at both edges of a range, and past them. */
function edgesOf(range: string): { inside: number[]; outside: number[] } {
  const step = range.includes("whole number") ? 1 : 0.001;
  const both = range.match(/(-?\d+) to (-?\d+)/);
  if (both) {
    const [min, max] = [Number(both[1]), Number(both[2])];
    return { inside: [min, max], outside: [min - step, max + 1] };
  }
  const above = range.match(/more than (\d+)(?:.* at most (\d+))?/);
  if (above) {
    const [min, max] = [Number(above[1]), above[2] && Number(above[2])];
    return { inside: [min + 1, max || 1e6], outside: [min, min - 1, ...(max ? [max + 1] : [])] };
  }
  const least = range.match(/at least (\d+)|^(\d+) or more(?! \()/);
  assert.ok(least, `a range that this test can read, not "${range}"`);
  const min = Number(least[1] ?? least[2]);
  return { inside: [min, min + 1], outside: [min - 1] };
}

/** Whether an action is refused, and the error names the option. */
async function isRefused(name: string, action: () => unknown): Promise<boolean> {
  try {
    await action();
    return false;
  } catch (error) {
    assert.match(
      JSON.stringify([String(error), (error as { details?: unknown }).details]),
      new RegExp(`\\b${name}\\b`),
    );
    return true;
  }
}

const answer = async () =>
  new Response(`${says("Hello")}${DONE}`, { headers: { "content-type": "text/event-stream" } });
const client = (options: ClientOptions) => new Chatwire({ baseURL: "http://own.test/v1", fetch: answer, ...options });
const stream = async (options: ClientOptions, call: RequestOptions = {}) => {
  const answered = await client(options).chat.completions.create({ ...hello, stream: true }, call);
  await answered.finalContent();
};
const run = (options: object, timeout?: number) => {
  const tool = { name: "look", execute: () => "seen", ...(timeout === undefined ? {} : { timeout }) };
  return client({})
    .chat.completions.runTools({ ...hello, tools: [tool] }, options)
    .finalContent();
};

/** How to set each option that is a number. */
const OPTIONS: [page: string, name: string, set: (path: string, value: number) => Promise<unknown>][] = [
  [
    "client.md",
    "ClientOptions",
    (path, value) => {
      // A limit in time that runs out is an error of another name; those of a minute and more do not.
      return stream({ [path]: path === "timeout" || path === "hedge" ? roomy(value) : value });
    },
  ],
  ["client.md", "PlanLimits", (path, value) => stream({ limits: { [path]: value } })],
  ["client.md", "Timeouts", (path, value) => stream({ timeout: { [path]: roomy(value) } })],
  ["client.md", "Prices", (path, value) => stream({ prices: { input: 1, output: 1, [path]: value } })],
  ["calls.md", "RequestOptions", (path, value) => stream({}, { [path]: roomy(value) })],
  ["calls.md", "SentenceOptions", (path, value) => stream({}, { sentences: { [path]: value } })],
  ["calls.md", "BatchOptions", (path, value) => client({}).chat.completions.batch([], { [path]: value })],
  ["tools.md", "ToolRunOptions", (path, value) => run({ [path]: roomy(value) })],
  ["tools.md", "ToolShape", (_, value) => run({}, roomy(value))],
  [
    "decoders.md",
    "DecoderOptions",
    async (path, value) => {
      const [outer = "", inner] = path.split(".");
      new ChatDecoder({ [outer]: inner ? { [inner]: value } : value }).free();
    },
  ],
  ["decoders.md", "EventStreamDecoderOptions", async (path, value) => new EventStreamDecoder({ [path]: value }).free()],
];

/** A value within a range of times, long enough that it does not run out in a test. */
const roomy = (value: number) => (value === 1 ? 60_000 : value);

test("each_range_of_the_reference_is_the_one_that_is_enforced", async () => {
  for (const [page, name, set] of OPTIONS) {
    const numbers = numbersOf(page, name);
    assert.ok(numbers.size > 0, name);
    for (const [path, range] of numbers) {
      // A point in time may be any number; a pause that is negative is none.
      if (path === "started" || path === "quietMs") continue;
      const option = path.split(".").at(-1) as string;
      const { inside, outside } = edgesOf(range);
      for (const value of inside) {
        assert.equal(
          await isRefused(option, () => set(path, value)),
          false,
          `${name}.${path}: ${value} is in ${range}`,
        );
      }
      for (const value of [...outside, Number.NaN]) {
        assert.equal(
          await isRefused(option, () => set(path, value)),
          true,
          `${name}.${path}: ${value} is not in ${range}`,
        );
      }
    }
  }
});

/** Where numbers have no range that is enforced: the emulator takes any. */
const WITHOUT_RANGES = ["emulator.md"];

test("each_option_of_the_reference_has_a_default_and_each_number_a_range", () => {
  for (const page of readdirSync(reference)) {
    const text = readFileSync(join(reference, page), "utf8");
    for (const section of text.split("\n## ").slice(1)) {
      const lines = section.split("\n").filter((line) => line.startsWith("|"));
      const [head = [], , ...rows] = lines.map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));
      const [defaults, ranges] = [head.indexOf("Default"), head.indexOf("Range")];
      // The fields of requests and answers have columns of their own.
      if (defaults < 0 || head.includes("Services")) continue;
      for (const row of rows) {
        const place = `${page}: ${section.split("\n")[0]}.${row[1]}`;
        if (row[1]?.endsWith("?`")) assert.notEqual(row[defaults], "", place);
        const isNumber = /`(?:[^`]*\| )?number\b/.test(row[2] ?? "");
        if (isNumber && !WITHOUT_RANGES.includes(page)) assert.notEqual(row[ranges], "", place);
      }
    }
  }
});

test("the_defaults_of_the_reference_are_those_of_the_engine", async () => {
  const constant = (file: string, pattern: RegExp) => {
    const found = readFileSync(join(import.meta.dirname, "../..", file), "utf8").match(pattern)?.[1];
    assert.ok(found, `${file}: ${pattern}`);
    return Number(found.replaceAll("_", "").replace(/\.0$/, ""));
  };
  const defaultOf = (page: string, name: string, field: string) => {
    const text = readFileSync(join(reference, page), "utf8").split(`\n## ${name}\n`)[1]?.split("\n## ")[0] ?? "";
    const row = text.split("\n").find((line) => line.startsWith(`| \`${field}?\``)) ?? "";
    const cell = row.split(/(?<!\\)\|/).at(-2) ?? "";
    return Number(cell.replaceAll(",", "").match(/\d+/)?.[0]);
  };
  const timeouts = "src/policy/timeouts.rs";
  const sentences = "src/stream/sentences/options.rs";
  const known: [number, number][] = [
    [
      defaultOf("client.md", "ClientOptions", "maxRetries"),
      constant("src/policy/retry.rs", /DEFAULT_RETRIES: u32 = (\d+)/),
    ],
    [defaultOf("client.md", "Timeouts", "idle"), constant(timeouts, /IDLE_MS: f64 = ([\d_.]+)/)],
    [defaultOf("client.md", "Timeouts", "headers"), constant(timeouts, /WHOLE_ANSWER_MS: f64 = ([\d_.]+)/)],
    [defaultOf("calls.md", "SentenceOptions", "minLength"), constant(sentences, /min_length: (\d+)/)],
    [defaultOf("calls.md", "SentenceOptions", "maxLength"), constant(sentences, /max_length: (\d+)/)],
    [defaultOf("calls.md", "SentenceOptions", "quietMs"), constant(sentences, /quiet: Some\(([\d.]+)\)/)],
    [defaultOf("tools.md", "ToolRunOptions", "maxSteps"), constant("npm/tools/loop.ts", /MAX_STEPS = (\d+)/)],
    [defaultOf("tools.md", "ToolRunOptions", "concurrency"), constant("npm/tools/loop.ts", /CONCURRENCY = (\d+)/)],
    [defaultOf("calls.md", "BatchOptions", "concurrency"), constant("npm/request/batch.ts", /CONCURRENCY = (\d+)/)],
    [defaultOf("calls.md", "BatchOptions", "maxWait"), constant("npm/request/batch.ts", /MAX_WAIT = ([\d_]+)/)],
    [defaultOf("edge.md", "GatewayLimits", "queue"), constant("npm/edge/configuration.ts", /QUEUE = (\d+)/)],
    [
      defaultOf("edge.md", "GatewayLimits", "writeTimeout"),
      constant("npm/edge/configuration.ts", /WRITE_TIMEOUT = ([\d_]+)/),
    ],
  ];
  for (const [told, enforced] of known) assert.equal(told, enforced, JSON.stringify(known));
});

test("options_that_make_no_sense_are_refused_before_a_request", async () => {
  let sent = 0;
  const fetch = async () => {
    sent++;
    return await answer();
  };
  const own = new Chatwire({ baseURL: "http://own.test/v1", fetch });
  const tools = [{ name: "look", execute: () => "seen" }];
  for (const options of [{ maxSteps: 0 }, { concurrency: 0 }, { toolTimeout: 0 }, { toolTimeout: 2 ** 31 }]) {
    const error = await failureOf(own.chat.completions.runTools({ ...hello, tools }, options).finalContent());
    assert.equal(error.name, "InvalidRequestError", JSON.stringify(options));
  }
  assert.equal(sent, 0);
});
