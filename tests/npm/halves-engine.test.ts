/**
 * The engine in two halves: whatever a stream brings, the first half never calls what is in the rest, and with the rest it
 * goes on as the whole engine does. The streams are those of `tests/fixtures`.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CHUNKS,
  CONNECTION,
  DECODER,
  END,
  type Engine,
  type EngineModule,
  EVENTS,
  NONE,
  OUTCOME,
  type OutputKind,
  PUSH,
  SET_OUTPUT,
  STEP,
  TEXT,
  WAITING,
} from "../../npm/engine/boundary.ts";

const wasm = new URL("../../dist/wasm/", import.meta.url);
const compiled = (name: string) => new WebAssembly.Module(readFileSync(new URL(name, wasm)));
const modules = {
  whole: compiled("chatwire.wasm"),
  first: compiled("chatwire-first.wasm"),
  rest: compiled("chatwire-rest.wasm"),
};

const fixtures = join(import.meta.dirname, "..", "fixtures");
const chunk = (choice: string) =>
  `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,${choice}}]}\n\n`;

/** What a line of a fixture stands for; tests/stream_dialects.rs has the list. */
function bytesOf(line: string): Buffer {
  const rest = line.slice(1).replace(/^ /, "");
  const unescaped = () =>
    Buffer.from(
      [
        ...Buffer.from(rest)
          .toString("latin1")
          .matchAll(/\\x(..)|\\(.)|([^\\])/gs),
      ]
        .map(([, hex, short, plain]) => {
          if (hex) return String.fromCharCode(Number.parseInt(hex, 16));
          return plain ?? { n: "\n", r: "\r" }[short as string] ?? short;
        })
        .join(""),
      "latin1",
    );
  const kinds: Record<string, () => string | Buffer> = {
    "|": () => `${rest}\n`,
    "!": unescaped,
    "*": () => `data: ${rest}\n\n`,
    "+": () => chunk(`"delta":${rest},"finish_reason":null`),
    ".": () => chunk(`"delta":{},"finish_reason":"${rest}"`),
    $: () => "data: [DONE]\n\n",
    "?": () => "",
  };
  return Buffer.from((kinds[line[0] as string] ?? assert.fail(line))() as string);
}

const cases = readdirSync(fixtures)
  .filter((file) => file.endsWith(".txt"))
  .flatMap((file) => readFileSync(join(fixtures, file), "utf8").split(/^== /m).slice(1))
  .map((text) => {
    const [name = "", ...lines] = text.split("\n");
    const own = lines.slice(0, lines.indexOf("--")).filter((line) => line !== "" && !line.startsWith("#"));
    const options = own.filter((line) => line.startsWith("?")).join(" ");
    return { name, options, stream: Buffer.concat(own.map(bytesOf)) };
  });

let loaded = 0;

/** An engine of its own, in halves or whole, and what puts the rest in its place. */
async function engine(isWhole: boolean) {
  const glue: EngineModule = await import(new URL(`chatwire.js?${loaded++}`, wasm).href);
  const exports = glue.initSync({ module: isWhole ? modules.whole : modules.first });
  glue.setAway(!isWhole);
  const complete = () => {
    new WebAssembly.Instance(modules.rest, { e: exports as unknown as WebAssembly.ModuleImports });
    glue.setAway(false);
  };
  const put = (bytes: Uint8Array) => {
    const at = glue.inputPointer(bytes.length);
    new Uint8Array(exports.memory.buffer).set(bytes, at);
    return bytes.length;
  };
  const report = () => new Uint32Array(exports.memory.buffer, glue.reportPointer(), 2) as unknown as [number, number];
  const output = (length = report()[1]) =>
    Buffer.from(new Uint8Array(exports.memory.buffer, report()[0], length)).toString("utf8");
  return { glue, put, output, complete };
}

interface Run {
  output: string[];
  outcome: unknown;
  /** It needed the rest. */
  hasWaited: boolean;
}

async function run(
  { options, stream }: (typeof cases)[number],
  kind: OutputKind,
  size: number,
  isWhole: boolean,
): Promise<Run> {
  const { glue, put, output, complete } = await engine(isWhole);
  const document = /\bdocument\b/.test(options);
  const decoder = glue.Engine.make(DECODER, put(Buffer.from(JSON.stringify({ document, promptTokens: 1 })))) as Engine;
  const out: string[] = [];
  let hasWaited = false;
  let isOver = false;
  const take = (given: number, again: () => number): void => {
    const isWaiting = given >= WAITING;
    const n = isWaiting ? given - WAITING : given;
    const text = output(n < 0 ? ~n : n);
    if (text !== "" && text !== "[]") out.push(text);
    isOver ||= n < 0;
    if (!isWaiting) return;
    assert.ok(!hasWaited, "it waits once");
    hasWaited = true;
    complete();
    take(again(), () => assert.fail("it waits once"));
  };
  const push = (bytes: Uint8Array) => decoder.call(PUSH, put(bytes), 0, 0, 0);
  const resume = () => push(new Uint8Array(0));
  if (decoder.call(SET_OUTPUT, kind) > 0) take(WAITING, resume);
  for (let at = 0; at < stream.length && !isOver; at += size) take(push(stream.subarray(at, at + size)), resume);
  const reason = /end=lost/.test(options) ? 1 : /end=aborted/.test(options) ? 2 : 0;
  const end = () => decoder.call(END, 0, reason, 0, 0);
  if (!isOver) take(end(), end);
  const outcome = JSON.parse(output(decoder.call(OUTCOME, 0, 0)));
  return { output: out, outcome, hasWaited };
}

test("every_dialect_is_read_by_halves_as_by_the_whole", async () => {
  assert.ok(cases.length > 50, "the fixtures are there");
  let waited = 0;
  for (const one of cases) {
    for (const kind of [TEXT, CHUNKS, EVENTS] as const) {
      // Events need the rest from their start.
      for (const size of kind === EVENTS ? [1024] : [7, one.stream.length || 1]) {
        const whole = await run(one, kind, size, true);
        const halves = await run(one, kind, size, false);
        const what = `${one.name}: output ${kind} in reads of ${size}`;
        assert.deepEqual(halves.outcome, whole.outcome, what);
        if (kind === TEXT) assert.equal(halves.output.join(""), whole.output.join(""), what);
        if (kind !== EVENTS && halves.hasWaited) waited++;
      }
    }
  }
  assert.ok(waited > 0);
});

test("text_alone_needs_no_rest", async () => {
  const stream = Buffer.from(
    ["Hel", "lo", "", " <b>", "`x`"].map((text) => chunk(`"delta":${JSON.stringify({ content: text })}`)).join("") +
      chunk(`"delta":{},"finish_reason":"stop"`) +
      `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n`,
  );
  for (const kind of [NONE, TEXT, CHUNKS] as const) {
    for (const size of [1, 50, stream.length]) {
      const { hasWaited, outcome } = await run({ name: "", options: "", stream }, kind, size, false);
      assert.deepEqual([hasWaited, (outcome as { status: string }).status], [false, "complete"]);
    }
  }
});

/** Values that some option, field or event may have, or should not. */
const values = [
  ...[null, true, false, 0, 1, 2.5, -1, 1e9, 204, 401, "", "a", "a b", "true", "/v1", "//v1", "https://own.test/v1"],
  ...[
    "https://api.openai.com/v1",
    "electron",
    "strict",
    "detect",
    [],
    ["a"],
    {},
    { a: "b" },
    { A: null },
    { "a b": "\n" },
  ],
  ...[
    { headers: 1, total: 5 },
    { concurrent: 1 },
    { input: 1, output: 2 },
    { baseURL: "https://own.test", name: "own" },
  ],
];
const turn = { role: "user", content: "Hello" };
const bodies = [
  ...[
    undefined,
    {},
    { messages: [turn] },
    { messages: [turn], model: "m" },
    { messages: [] },
    { messages: [turn, {}] },
  ],
  ...[{ messages: [{ ...turn, name: "a" }] }, { messages: [{ ...turn, role: "tool" }] }, { messages: [turn], n: 2 }],
];
const events = [
  ...[
    {},
    { key: "a-key" },
    { key: "a key" },
    { key: 1 },
    { failed: "" },
    { body: "{}" },
    { timedOut: true },
    { aborted: true },
  ],
  ...[200, 204, 299, 300, 401, 429, 500, "200", null].map((status) => ({ status, requestId: "r", headers: [] })),
  { status: 200, requestId: null, headers: [["retry-after", "1"]] },
];
const settings = ["provider", "baseURL", "endpoint", "apiKey", "page", "location", "maxRetries", "timeout", "limits"];
settings.push("validate", "decoding", "prices", "defaultHeaders", "defaultQuery", "dangerouslyAllowBrowser");
const wishes = [
  "path",
  "headers",
  "query",
  "timeout",
  "maxRetries",
  "decoding",
  "accumulate",
  "sentences",
  "stream",
  "now",
];
wishes.push("attempts");

test("whatever_is_asked_of_it_an_opening_by_the_first_half_goes_as_by_the_whole", async () => {
  let state = 1;
  const any = <T>(list: readonly T[]): T => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return list[Math.floor((state / 2 ** 32) * list.length)] as T;
  };
  const [first, whole] = [await engine(false), await engine(true)];
  /** What both engines say; nothing where the first half says that it needs the rest. */
  const both = (ask: (one: typeof first, which: number) => string): string | undefined => {
    const said = ask(first, 0);
    if (said.includes('"rest":true')) return undefined;
    assert.equal(said, ask(whole, 1));
    return said;
  };
  const counts = { made: 0, opened: 0, sent: 0, answered: 0 };
  for (let round = 0; round < 20_000; round++) {
    const options: Record<string, unknown> = { baseURL: "https://server.test/v1" };
    const call: Record<string, unknown> = { path: "/chat/completions", stream: true, now: 5 };
    for (let left = any([0, 0, 1, 1, 2]); left > 0; left--) options[any(settings)] = any(values);
    for (let left = any([0, 0, 1, 2]); left > 0; left--) call[any(wishes)] = any(values);
    const body = any(bodies);
    const text = JSON.stringify(call) + (body ? JSON.stringify(body) : "");
    const parts: (Engine | undefined)[] = [];
    const made = both(({ glue, put, output }, which) => {
      parts[which] = glue.Engine.make(CONNECTION, put(Buffer.from(JSON.stringify(options))));
      return parts[which] ? "made" : output();
    });
    if (made !== "made") continue;
    counts.made++;
    const openings: Engine[] = [];
    const opened = both(({ put }, which) => {
      const opening = parts[which]?.open(put(Buffer.from(text)));
      if (opening) openings[which] = opening;
      return opening ? "opened" : '"rest":true';
    });
    if (opened) counts.opened++;
    const script = any([
      [{}, events[8]],
      [{}, { key: "a-key" }, events[8]],
      [any(events), any(events), any(events)],
    ]);
    for (const event of opened ? script : []) {
      const said = both(({ put, output }, which) => {
        const length = put(Buffer.from(JSON.stringify(event)));
        return output(openings[which]?.call(STEP, length, 10, 1e12, 0.5) ?? 0);
      });
      if (said?.includes('"send"')) counts.sent++;
      if (said?.includes('"open"')) counts.answered++;
      if (!said || said.includes('"open"')) break;
    }
    for (const one of [...openings, ...parts]) one?.free();
  }
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 1000, `${what}: ${count}`);
});
