/**
 * The dialects of tests/fixtures, and their relatives, read through `chatwire/openai`: the finals and the last snapshot of `stream()`
 * are the engine's own outcome, its deltas add up to what the engine emits, and none of them ends in an error of JavaScript's. The
 * chunks of streams as OpenAI's are those that `openai` gives.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { ChatDecoder, type ChatEvent, init, type Outcome } from "chatwire";
import OpenAI from "chatwire/openai";
import OpenAIPackage from "openai";

const fixtures = join(import.meta.dirname, "../fixtures");
const messages = [{ role: "user" as const, content: "Hello" }];

interface Case {
  name: string;
  body: Buffer;
  n: number;
}

const chunk = (choice: string) =>
  `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,${choice}}]}\n\n`;

/** The bytes of one line of a fixture. Its format is described in tests/stream_dialects.rs. */
function bytesOf(line: string): Buffer {
  const [kind, rest] = [line[0], line.slice(1).replace(/^ /, "")];
  if (kind === "+") return Buffer.from(chunk(`"delta":${rest},"finish_reason":null`));
  if (kind === ".") return Buffer.from(chunk(`"delta":{},"finish_reason":"${rest}"`));
  if (kind === "*") return Buffer.from(`data: ${rest}\n\n`);
  if (kind === "|") return Buffer.from(`${rest}\n`);
  if (kind === "$") return Buffer.from("data: [DONE]\n\n");
  const escapes: Record<string, string> = { n: "\n", r: "\r" };
  const escaped = rest.replace(/\\(?:x(..)|(.))/g, (_, code, letter) =>
    code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[letter] ?? letter),
  );
  return Buffer.from(escaped, /\\x/.test(rest) ? "latin1" : "utf8");
}

function casesOf(file: string): Case[] {
  const [, ...cases] = readFileSync(join(fixtures, file), "utf8").split(/^== /m);
  return cases.flatMap((text) => {
    const [head = ""] = text.split(/^--$/m);
    const [name = "", ...lines] = head.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const options = lines.filter((line) => line.startsWith("?")).join(" ");
    // A stream is what is asked for here, by a client that stays.
    if (/document|end=/.test(options)) return [];
    const body = Buffer.concat(lines.filter((line) => !line.startsWith("?")).map(bytesOf));
    return { name: `${file}: ${name}`, body, n: Number(/n=(\d+)/.exec(options)?.[1] ?? 1) };
  });
}

const cases = readdirSync(fixtures)
  .filter((name) => name.endsWith(".txt"))
  .flatMap(casesOf);

/** The same stream with a chunk for each character of its texts; none where it is something else than chunks in JSON. */
function inCharacters({ name, body, n }: Case): Case[] {
  const text = body.toString();
  const events = text.split("\n\n").filter((event) => event !== "");
  const pieces = events.flatMap((event) => {
    const chunk = jsonOf(event);
    const delta = chunk?.choices?.[0]?.delta;
    if (typeof delta?.content !== "string" || chunk?.choices?.[0]?.finish_reason) return [event];
    return [...delta.content].map((letter) => {
      delta.content = letter;
      return `data: ${JSON.stringify(chunk)}`;
    });
  });
  if (pieces.length <= events.length || !/^(data: \{.*\n\n)+/.test(text)) return [];
  return [{ name: `${name}, by character`, body: Buffer.from(`${pieces.join("\n\n")}\n\n`), n }];
}

function jsonOf(event: string) {
  try {
    return JSON.parse(event.replace(/^data: /, ""));
  } catch {
    return undefined;
  }
}

const relatives = cases.flatMap(inCharacters);

/** The outcome of the engine, which knows of no client. */
function outcomeOf({ body, n }: Case): Outcome {
  const decoder = new ChatDecoder({ n });
  decoder.push(body);
  return decoder.end();
}

/** The texts that are emitted, by choice and name. */
class Texts {
  readonly texts: Record<string, string> = {};

  add(choice: number, name: string, text: unknown): void {
    if (typeof text !== "string" || text === "") return;
    const key = `${choice} ${name}`;
    this.texts[key] = (this.texts[key] ?? "") + text;
  }

  /** An event of the engine. A call that is told as whole brings what its deltas had not brought, as far as they were right. */
  addEvent(event: ChatEvent): void {
    if (event.type === "text") this.add(event.choice, "content", event.text);
    else if (event.type === "reasoning" || event.type === "refusal") this.add(event.choice, event.type, event.text);
    else if (event.type === "tool_call.delta") this.add(event.choice, `call ${event.index}`, event.arguments);
    else if (event.type === "tool_call.done") {
      const name = `call ${event.index}`;
      const told = this.texts[`${event.choice} ${name}`] ?? "";
      if (event.arguments.startsWith(told)) this.add(event.choice, name, event.arguments.slice(told.length));
    }
  }

  addChunk({ choices }: OpenAI.ChatCompletionChunk): void {
    for (const { index, delta } of choices ?? []) {
      const { content, refusal, tool_calls, function_call, ...others } = delta ?? {};
      this.add(index, "content", content);
      this.add(index, "refusal", refusal);
      for (const name of REASONING) this.add(index, "reasoning", (others as Record<string, unknown>)[name]);
      this.add(index, "call 0", function_call?.arguments);
      for (const call of tool_calls ?? []) {
        this.add(index, `call ${call.index}`, call.function?.arguments ?? call.custom?.input);
      }
    }
  }
}

const REASONING = [
  "reasoning",
  "reasoning_content",
  "reasoning_text",
  "thinking",
  "thinking_content",
  "reasoningContent",
  "thought",
];

/** The texts that the engine emits. */
function emitted({ body, n }: Case): Record<string, string> {
  const decoder = new ChatDecoder({ n, partial: false });
  const texts = new Texts();
  for (const event of decoder.push(body)) texts.addEvent(event);
  decoder.end();
  for (const event of decoder.rest()) texts.addEvent(event);
  return texts.texts;
}

function clientOf({ body }: Case): OpenAI {
  const type =
    body[0] === "{".charCodeAt(0) || body[0] === "[".charCodeAt(0) ? "application/json" : "text/event-stream";
  const fetch = async () => new Response(new Uint8Array(body), { headers: { "content-type": type } });
  return new OpenAI({ apiKey: "sk-own", baseURL: "https://dialects.test/v1", maxRetries: 0, fetch });
}

/** The parts of a message that all dialects have; made-up ids are looked at on their own. */
function said(message: Record<string, unknown> | undefined): object {
  const { content, refusal, tool_calls, function_call } = (message ?? {}) as {
    content?: string | null;
    refusal?: string | null;
    tool_calls?: { function?: { name: string; arguments: string }; custom?: { name: string; input: string } }[];
    function_call?: { name: string; arguments: string };
  };
  const calls = (tool_calls ?? []).map(({ function: called, custom }) => [
    called?.name ?? custom?.name,
    called?.arguments ?? custom?.input,
  ]);
  if (function_call) calls.push([function_call.name, function_call.arguments]);
  return { content: content || null, refusal: refusal || null, calls };
}

before(() => init());

test("a_stream_through_the_entry_of_openai_ends_in_the_outcome_of_the_engine", async () => {
  assert.ok(cases.length > 400, `${cases.length} cases`);
  let complete = 0;
  for (const one of cases) {
    const outcome = outcomeOf(one);
    const stream = clientOf(one).chat.completions.stream({ model: "m", messages, n: one.n });
    const calls: string[] = [];
    stream.on("tool_calls.function.arguments.done", ({ name, arguments: text }) => calls.push(`${name} ${text}`));
    if (outcome.status !== "complete") {
      await assert.rejects(stream.finalChatCompletion(), (error) => {
        assert(error instanceof OpenAI.OpenAIError, one.name);
        const { cause } = error as { cause?: unknown };
        assert(!(cause instanceof TypeError || cause instanceof SyntaxError), `${one.name}: ${String(error)}`);
        return true;
      });
      continue;
    }
    complete++;
    const completion = await stream.finalChatCompletion().catch((error) => assert.fail(`${one.name}: ${error}`));
    for (const choice of outcome.completion?.choices ?? []) {
      const own = completion.choices.find(({ index }) => index === choice.index);
      assert.deepEqual(
        said(own?.message as unknown as Record<string, unknown>),
        said(choice.message as unknown as Record<string, unknown>),
        one.name,
      );
      const ids = (own?.message.tool_calls ?? []).map(({ id }) => id);
      assert.equal(new Set(ids).size, ids.length, `${one.name}: each call has an id of its own`);
    }
    // Each call is told as whole once, with its last arguments.
    const functions = completion.choices.flatMap(({ message }) => message.tool_calls ?? []);
    const whole = functions.flatMap((call) =>
      call.type === "function" ? [`${call.function.name} ${call.function.arguments}`] : [],
    );
    for (const call of whole) assert.ok(calls.includes(call), `${one.name}: ${call} of ${calls.join(" | ")}`);
  }
  assert.ok(complete > 250, `${complete} answers are complete`);
});

test("the_deltas_of_a_stream_add_up_to_what_the_engine_emits", async () => {
  assert.ok(relatives.length > 80, `${relatives.length} relatives`);
  const wrong: string[] = [];
  for (const one of [...cases, ...relatives]) {
    const { status, repairs } = outcomeOf(one);
    const stream = clientOf(one).chat.completions.stream({ model: "m", messages, n: one.n });
    const [chunks, looped] = [new Texts(), new Texts()];
    let content = "";
    stream.on("chunk", (chunk) => chunks.addChunk(chunk));
    stream.on("content", (delta) => {
      content += delta;
    });
    try {
      for await (const chunk of stream) looped.addChunk(chunk);
    } catch (error) {
      if (status === "complete") wrong.push(`${one.name}: ${error}`);
    }
    const engine = emitted(one);
    // Like `openai`, the entry throws a chunk that has an error, and gives its text in the error's outcome.
    if (one.name === "error.txt: an error within the last chunk") continue;
    // Reasoning that has parts of its own stays in them.
    const isInParts = one.body.includes("reasoning_details");
    for (const name of Object.keys({ ...engine, ...chunks.texts })) {
      if (isInParts && name.endsWith("reasoning")) continue;
      if (engine[name] !== chunks.texts[name])
        wrong.push(`${one.name}: ${name}: ${chunks.texts[name]} for ${engine[name]}`);
    }
    assert.deepEqual(looped.texts, chunks.texts, one.name);
    // Text that turned out to be thinking was handed out before.
    if (repairs.some(({ code }) => code === "reasoning.reclassified")) continue;
    const isOne = Object.keys(chunks.texts).every((name) => name.startsWith("0 "));
    if (isOne && content !== (chunks.texts["0 content"] ?? "")) wrong.push(`${one.name}: ${content}`);
    if (status !== "complete") continue;
    const completion = await stream.finalChatCompletion().catch((error) => wrong.push(`${one.name}: ${error}`));
    if (typeof completion === "number") continue;
    for (const { index, message } of completion.choices) {
      const told = chunks.texts[`${index} content`] ?? "";
      if (told !== (message.content ?? "")) wrong.push(`${one.name}: ${told} for ${message.content}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("a_stream_of_create_gives_chunks_as_the_server_sent_them", async () => {
  let tried = 0;
  for (const one of cases) {
    const said = (event: string) => event !== "" && event !== "data: [DONE]";
    const events = one.body.toString().split("\n\n").filter(said);
    const sent = events.map((event) => (event.startsWith("data: {") ? jsonOf(event) : undefined));
    // Each is JSON, and none is an error or an object in which a chunk is.
    if (
      outcomeOf(one).status !== "complete" ||
      sent.length === 0 ||
      !sent.every((chunk) => Array.isArray(chunk?.choices))
    )
      continue;
    tried++;
    const stream = await clientOf(one).chat.completions.create({ model: "m", messages, n: one.n, stream: true });
    const got: unknown[] = [];
    for await (const chunk of stream) got.push(chunk);
    for (const { choices } of sent)
      for (const choice of choices) if (typeof choice === "object" && choice) choice.finish_reason ??= null;
    assert.deepEqual(got, sent, one.name);
  }
  assert.ok(tried > 150, `${tried} streams`);
});

const recorded = new URL("../../../shared/wire/recorded/", import.meta.url);

test("the_chunks_of_recorded_streams_are_those_of_openai", {
  skip: existsSync(recorded) ? false : "the recordings are not here",
}, async () => {
  for (const name of readdirSync(recorded)) {
    // Content in parts, and a call with the index 1 alone, are put right.
    if (/^(mistral-reasoning|anthropic-fallback)/.test(name)) continue;
    const one = { name, body: readFileSync(new URL(name, recorded)), n: 1 };
    const settings = { apiKey: "sk-own", baseURL: "https://dialects.test/v1", maxRetries: 0 };
    const fetch = async () =>
      new Response(new Uint8Array(one.body), { headers: { "content-type": "text/event-stream" } });
    const [own, theirs]: unknown[][] = [[], []];
    const asked = { model: "m", messages };
    for await (const chunk of clientOf(one).chat.completions.stream(asked)) own?.push(chunk);
    // Of some of these its `stream()` makes an error, though it has handed all of the chunks out.
    const streamed = await new OpenAIPackage({ ...settings, fetch }).chat.completions.create({
      ...asked,
      stream: true,
    });
    for await (const chunk of streamed) theirs?.push(chunk);
    assert.deepEqual(own, theirs, name);
  }
});
