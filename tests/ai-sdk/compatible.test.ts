/**
 * The same bytes through chatwire's provider and through `@ai-sdk/openai-compatible`, part by part: a well-behaved server gives
 * the same, and what differs is listed here as an improvement.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { answering, chatwire, compatible, type Part, partsOf, streamOf, summary } from "./wire.ts";

const usage = { prompt_tokens: 18, completion_tokens: 439, total_tokens: 457 };
const call = (index: number, id: string, name: string, args: string) => ({
  tool_calls: [{ index, id, type: "function", function: { name, arguments: args } }],
});
const more = (index: number, args: string) => ({ tool_calls: [{ index, function: { arguments: args } }] });

/** Streams that both read alike. */
const ALIKE: Record<string, string> = {
  "text in pieces": streamOf(
    [{ role: "assistant", content: "" }, { content: "Hello" }, { content: ", World!" }],
    "stop",
    usage,
  ),
  "reasoning, then text": streamOf([{ reasoning_content: "Let me see." }, { content: "Four." }], "stop", usage),
  "reasoning in the other field": streamOf([{ reasoning: "Let me see." }, { content: "Four." }], "stop", usage),
  "reasoning before a call": streamOf(
    [{ reasoning_content: "I ask." }, call(0, "c1", "weather", '{"a":1}')],
    "tool_calls",
    usage,
  ),
  "a call in one piece": streamOf([call(0, "c1", "weather", '{"city":"Pune"}')], "tool_calls", usage),
  "a call in pieces": streamOf(
    [call(0, "c1", "weather", ""), more(0, '{"city"'), more(0, ':"Pune"}')],
    "tool_calls",
    usage,
  ),
  "two calls": streamOf([call(0, "c1", "a", '{"x":1}'), call(1, "c2", "b", '{"y":2}')], "tool_calls", usage),
  "two calls, interleaved": streamOf(
    [call(0, "c1", "a", '{"x"'), call(1, "c2", "b", '{"y"'), more(0, ":1}"), more(1, ":2}")],
    "tool_calls",
    usage,
  ),
  "text before a call": streamOf([{ content: "One moment." }, call(0, "c1", "weather", "{}")], "tool_calls", usage),
  "cut at the limit": streamOf([{ content: "Once upon" }], "length", usage),
  "held back by a filter": streamOf([{ content: "I" }], "content_filter", usage),
  "details of usage": streamOf([{ content: "Hi" }], "stop", {
    ...usage,
    prompt_tokens_details: { cached_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 10 },
  }),
};

/** Streams that chatwire reads otherwise, with what it gives and why that is better. */
const IMPROVED: Record<string, { body: string; want: object; why: string }> = {
  "cut without a finish reason": {
    body: streamOf([{ content: "Once upon" }], null),
    want: { text: "Once upon", finish: "interrupted" },
    why: "a lost connection is told apart from an end",
  },
  "a malformed chunk among good ones": {
    body: streamOf([{ content: "Hello" }, { content: " there" }], "stop", usage).replace(
      '{"content":" there"}',
      '{"content":" th',
    ),
    want: { text: "Hello", finish: "stop" },
    why: "one broken chunk does not end the answer in an error",
  },
  "think tags in the text": {
    body: streamOf([{ content: "<think>Hm.</thi" }, { content: "nk>Four." }], "stop", usage),
    want: { text: "Four.", reasoning: "Hm." },
    why: "reasoning is found wherever it is",
  },
  "stop beside a call": {
    body: streamOf([call(0, "c1", "weather", "{}")], "stop", usage),
    want: { finish: "tool-calls" },
    why: "the tools run",
  },
  "a null error in good chunks": {
    body: streamOf([{ content: "Hi" }], "stop", usage).replace('"object"', '"error":null,"object"'),
    want: { text: "Hi", finish: "stop" },
    why: "no error is no error",
  },
};

async function both(body: string): Promise<[Part[], Part[]]> {
  return Promise.all([
    partsOf(chatwire(answering(body).fetch)("m")),
    partsOf(compatible(answering(body).fetch)("m") as ReturnType<ReturnType<typeof chatwire>>),
  ]);
}

describe("beside @ai-sdk/openai-compatible", () => {
  for (const [name, body] of Object.entries(ALIKE)) {
    it(`${name}: the same`, async () => {
      const [ours, theirs] = await both(body);
      const { cached, reasoned, ...rest } = summary(theirs);
      // 0 there stands for what nobody said.
      assert.deepEqual(summary(ours), { ...rest, cached: cached || undefined, reasoned: reasoned || undefined });
    });
  }
  for (const [name, { body, want, why }] of Object.entries(IMPROVED)) {
    it(`${name}: ${why}`, async () => {
      const [ours, theirs] = await both(body);
      const pick = (parts: Part[]) => {
        const all = summary(parts) as Record<string, unknown>;
        const picked = Object.fromEntries(Object.keys(want).map((key) => [key, all[key]]));
        return { ...picked, errors: parts.filter(({ type }) => type === "error").length };
      };
      assert.deepEqual(pick(ours), { ...want, errors: 0 });
      assert.notDeepEqual(pick(theirs), { ...want, errors: 0 });
    });
  }
});

describe("recorded streams of ten servers", () => {
  const folder = new URL("../../../shared/wire/recorded/", import.meta.url);
  if (!existsSync(folder))
    it("the recordings are not here", { skip: "../shared/wire is not part of a clone" }, () => {});
  else
    for (const file of readdirSync(folder)) {
      it(`${file}: text, reasoning and calls are the same`, async () => {
        const [ours, theirs] = await both(readFileSync(new URL(file, folder), "utf8"));
        const { text, reasoning, calls } = summary(ours);
        const other = summary(theirs);
        // Their reader takes no thinking parts (Mistral) and no second reasoning field.
        if (file.startsWith("mistral-reasoning")) return assert.ok(reasoning.length > 0 && text.length > 0);
        return assert.deepEqual(
          { text, reasoning, calls },
          { text: other.text, reasoning: other.reasoning, calls: other.calls },
        );
      });
    }
});
