/**
 * The dialects of tests/fixtures, read through `chatwire/openai`: the finals and the last snapshot of `stream()` are the engine's own
 * outcome, and none of them ends in an error of JavaScript's.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { ChatDecoder, init, type Outcome } from "chatwire";
import OpenAI from "chatwire/openai";

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

/** The outcome of the engine, which knows of no client. */
function outcomeOf({ body, n }: Case): Outcome {
  const decoder = new ChatDecoder({ n });
  decoder.push(body);
  return decoder.end();
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
