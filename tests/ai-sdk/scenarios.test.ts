/**
 * The situations that a provider for compatible servers has to be right in, each as bytes of a server or as a call of the
 * AI SDK, given to chatwire and to `@ai-sdk/openai-compatible`, and compared part by part.
 *
 * A difference is named in `DIFFERENCES`, with its reason, and is all that is allowed: what is left of the other's parts
 * after the differences were applied to them has to be ours exactly. docs/from-ai-sdk.md lists them.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  answering,
  type CallOptions,
  chatwire,
  compatible,
  hello,
  type Model,
  type Part,
  partsOf,
  streamOf,
} from "./wire.ts";

const details = {
  prompt_tokens: 18,
  completion_tokens: 439,
  total_tokens: 457,
  prompt_tokens_details: { cached_tokens: 5 },
  completion_tokens_details: { reasoning_tokens: 10, accepted_prediction_tokens: 15, rejected_prediction_tokens: 5 },
};
const usage = { prompt_tokens: 4, completion_tokens: 30, total_tokens: 34 };
const call = (index: number, id: string, name: string, args: string, more = {}) => ({
  tool_calls: [{ index, id, type: "function", function: { name, arguments: args }, ...more }],
});
const rest = (index: number, args: string) => ({ tool_calls: [{ index, function: { arguments: args } }] });

const STREAMS: Record<string, string> = {
  "text in deltas, the first of them empty": streamOf(
    [{ role: "assistant", content: "" }, { content: "Hello" }, { content: ", " }, { content: "World!" }],
    "stop",
    usage,
  ),
  "reasoning in reasoning_content, then text": streamOf(
    [{ reasoning_content: "Let me " }, { reasoning_content: "see." }, { content: "Four." }],
    "stop",
    details,
  ),
  "reasoning in reasoning, then text": streamOf([{ reasoning: "Let me see." }, { content: "Four." }], "stop", usage),
  "reasoning, then a call": streamOf(
    [{ reasoning_content: "I ask." }, call(0, "c1", "weather", '{"city":"Pune"}')],
    "tool_calls",
    usage,
  ),
  "reasoning, text and a call": streamOf(
    [
      { reasoning_content: "I ask." },
      { content: "One moment." },
      call(0, "c1", "weather", '{"ci'),
      rest(0, 'ty":"Pune"}'),
    ],
    "tool_calls",
    usage,
  ),
  "a call whose arguments come in deltas": streamOf(
    [call(0, "c1", "weather", ""), rest(0, '{"'), rest(0, "city"), rest(0, '":"Pune"'), rest(0, "}")],
    "tool_calls",
    usage,
  ),
  "a call whose first delta has arguments": streamOf(
    [call(0, "c1", "weather", '{"'), rest(0, 'city":"Pune"}')],
    "tool_calls",
    usage,
  ),
  "a call in one delta": streamOf([call(0, "c1", "weather", '{"city":"Pune"}')], "tool_calls", usage),
  "an empty delta after a call is whole": streamOf(
    [call(0, "c1", "weather", '{"city":"Pune"}'), rest(0, "")],
    "tool_calls",
    usage,
  ),
  "a call without arguments": streamOf([call(0, "c1", "weather", "")], "tool_calls", usage),
  "two calls, one after the other": streamOf(
    [call(0, "c1", "a", '{"x":'), rest(0, "1}"), call(1, "c2", "b", '{"y":'), rest(1, "2}")],
    "tool_calls",
    usage,
  ),
  "two calls, their deltas in turns": streamOf(
    [call(0, "c1", "a", '{"x"'), call(1, "c2", "b", '{"y"'), rest(0, ":1}"), rest(1, ":2}")],
    "tool_calls",
    usage,
  ),
  "text between two calls": streamOf(
    [call(0, "c1", "a", '{"x":1}'), { content: "And then." }, call(1, "c2", "b", '{"y":2}')],
    "tool_calls",
    usage,
  ),
  "a call that begins at index 1": streamOf(
    [call(1, "c1", "weather", '{"city"'), rest(1, ':"Pune"}')],
    "tool_calls",
    usage,
  ),
  "an empty list of calls with each delta": streamOf(
    [
      { content: "Hel", tool_calls: [] },
      { content: "lo", tool_calls: [] },
    ],
    "stop",
    usage,
  ),
  "a first chunk without a choice, id or model": `data: ${JSON.stringify({ id: "", object: "", created: 0, model: "", choices: [], prompt_filter_results: [] })}\n\n${streamOf([{ content: "Hi" }], "stop", usage)}`,
  "a finish reason of length": streamOf([{ content: "Once upon" }], "length", usage),
  "a finish reason of content_filter": streamOf([{ content: "I" }], "content_filter", usage),
  "a finish reason that nobody knows": streamOf([{ content: "Hi" }], "eos", usage),
  "all counts of usage": streamOf([{ content: "Hi" }], "stop", details),
  "usage without details": streamOf([{ content: "Hi" }], "stop", usage),
  "usage with some details": streamOf([{ content: "Hi" }], "stop", {
    ...usage,
    prompt_tokens_details: { cached_tokens: 2 },
  }),
  "usage with the last choice": streamOf([{ content: "Hi" }], "stop").replace(
    '"finish_reason":"stop"}]',
    `"finish_reason":"stop"}],"usage":${JSON.stringify(usage)}`,
  ),
  "no usage at all": streamOf([{ content: "Hi" }], "stop"),
  "an error in place of an answer":
    'data: {"error":{"message":"Overloaded","type":"server_error","param":null,"code":null}}\n\ndata: [DONE]\n\n',
  "an error after text": `${streamOf([{ content: "Hal" }], null)}data: {"error":{"message":"Overloaded","code":503}}\n\ndata: [DONE]\n\n`,
  "an event that is no JSON": "data: {unparsable}\n\ndata: [DONE]\n\n",
  "a body that ends without a finish reason": streamOf([{ content: "Once upon" }], null),
  "a null for content": streamOf([{ content: null, reasoning_content: null }, { content: "Hi" }], "stop", usage),
  "the signature of a thought with a call": streamOf(
    [call(0, "c1", "weather", "{}", { extra_content: { google: { thought_signature: "sig" } } })],
    "tool_calls",
    usage,
  ),
};

/** Allowed differences: what each makes of the other provider's parts, and why ours is otherwise. */
const DIFFERENCES: { why: string; apply: (parts: Part[]) => Part[] }[] = [
  {
    why: "a block ends where another begins, so that blocks never overlap",
    apply(parts) {
      const moved = [...parts];
      for (const end of parts.filter(({ type }) => type === "text-end" || type === "reasoning-end")) {
        const from = moved.indexOf(end);
        const id = (end as { id: string }).id;
        const last = moved.findLastIndex(
          (part) => /-(start|delta)$/.test(part.type) && (part as { id: string }).id === id,
        );
        moved.splice(from, 1);
        moved.splice(last + 1, 0, end);
      }
      return moved;
    },
  },
  {
    why: "a delta says something",
    apply: (parts) => parts.filter((part) => !("delta" in part && part.delta === "")),
  },
  {
    why: "calls are handed over once the answer is whole: none of them runs for an answer that breaks off",
    apply(parts) {
      const calls = parts.filter(({ type }) => type === "tool-call");
      const others = parts.filter(({ type }) => type !== "tool-call");
      const at = others.findIndex(({ type }) => type === "finish");
      return [...others.slice(0, at), ...calls, ...others.slice(at)];
    },
  },
  {
    why: "a call without arguments has an empty object, which parses",
    apply: (parts) =>
      parts.map((part) => (part.type === "tool-call" && part.input === "" ? { ...part, input: "{}" } : part)),
  },
  {
    why: "a count that the server did not name is undefined, not 0",
    apply: (parts) => parts.map((part) => (part.type === "finish" ? { ...part, usage: named(part.usage) } : part)),
  },
  {
    why: "an error is an APICallError, with the status and chatwire's own error as its cause",
    apply: (parts) =>
      parts.map((part) => {
        if (part.type !== "error" || !part.error || part.error instanceof Error) return part;
        const { message } = part.error as { message: string };
        return { ...part, error: Object.assign(new Error(message), { name: "AI_APICallError" }) };
      }),
  },
];

type Usage = Extract<Part, { type: "finish" }>["usage"];

/** Usage without the counts that the server did not name. */
function named({ inputTokens, outputTokens, raw }: Usage): Usage {
  const { prompt_tokens_details: prompt, completion_tokens_details: completion } = (raw ?? {}) as Record<
    string,
    object
  >;
  return {
    inputTokens: { ...inputTokens, cacheRead: prompt && "cached_tokens" in prompt ? inputTokens.cacheRead : undefined },
    outputTokens: {
      ...outputTokens,
      reasoning: completion && "reasoning_tokens" in completion ? outputTokens.reasoning : undefined,
    },
    ...(raw && { raw }),
  };
}

/** Differences of one situation each: what becomes of it, and why. */
const OWN: Record<string, { why: string; change: (parts: Part[]) => Part[] }> = {
  "no usage at all": {
    why: "tokens that nobody counted are estimated, and said to be",
    change: (parts) =>
      withFinish(parts, {
        usage: { inputTokens: { total: 8, noCache: 8 }, outputTokens: { total: 1, text: 1 } },
      }),
  },
  "an error after text": {
    why: "the text that came first is counted",
    change: (parts) =>
      withFinish(parts, {
        usage: { inputTokens: { total: 8, noCache: 8 }, outputTokens: { total: 1, text: 1 } },
      }),
  },
  "a body that ends without a finish reason": {
    why: "an answer that breaks off is interrupted, with what it used; its metadata has the error",
    change: (parts) =>
      withFinish(
        parts.filter(({ type }) => type !== "error"),
        {
          finishReason: { unified: "interrupted", raw: "truncated" },
          usage: { inputTokens: { total: 8, noCache: 8 }, outputTokens: { total: 2, text: 2 } },
        },
      ),
  },
  "an event that is no JSON": {
    why: "one malformed event is left out; an answer with nothing in it is interrupted, and its metadata says why",
    change: (parts) =>
      withFinish(
        parts.filter(({ type }) => type !== "error"),
        { finishReason: { unified: "interrupted", raw: "empty_answer" } },
      ),
  },
};

function withFinish(parts: Part[], change: object): Part[] {
  return parts.map((part) => (part.type === "finish" ? ({ ...part, ...change } as Part) : part));
}

/**
 * The members of a part that are compared: blocks by their number, errors by name and message, and no metadata, which has
 * the provider's name.
 */
function plain(parts: readonly Part[]): object[] {
  const blocks = new Map<string, number>();
  return parts.map((part) => {
    const { providerMetadata: _, ...own } = part as Part & { providerMetadata?: unknown };
    if (own.type === "error") {
      const { name, message } = own.error as Error;
      return { type: "error", name, message };
    }
    if (own.type === "finish") {
      const { inputTokens, outputTokens } = own.usage;
      return JSON.parse(JSON.stringify({ ...own, usage: { inputTokens, outputTokens } }));
    }
    if (/^(text|reasoning)-/.test(own.type)) {
      const { id } = own as { id: string };
      const kind = `${own.type.split("-")[0]}/${id}`;
      if (!blocks.has(kind)) blocks.set(kind, blocks.size);
      return { ...own, id: blocks.get(kind) };
    }
    return JSON.parse(JSON.stringify(own));
  });
}

const other = (fetch: typeof globalThis.fetch) => compatible(fetch)("m") as unknown as Model;

describe("streams, part by part", () => {
  for (const [name, body] of Object.entries(STREAMS)) {
    it(`${name}${OWN[name] ? `: ${OWN[name].why}` : ""}`, async () => {
      const [ours, theirs] = await Promise.all([
        partsOf(chatwire(answering(body).fetch)("m")),
        partsOf(other(answering(body).fetch)),
      ]);
      let allowed = DIFFERENCES.reduce((parts, { apply }) => apply(parts), theirs);
      allowed = OWN[name]?.change(allowed) ?? allowed;
      assert.deepEqual(plain(ours), plain(allowed));
    });
  }

  it("a raw chunk may come after the parts made of it; both have all of them, in their order", async () => {
    const body = STREAMS["a call whose first delta has arguments"] as string;
    const of = async (model: Model) => {
      const parts = await partsOf(model, { ...hello, includeRawChunks: true });
      return parts.flatMap((part) => (part.type === "raw" ? [part.rawValue] : []));
    };
    const theirs = await of(other(answering(body).fetch));
    assert.equal(theirs.length, 4);
    assert.deepEqual(await of(chatwire(answering(body).fetch)("m")), theirs);
  });

  it("counts of predicted tokens are in the metadata of both", async () => {
    const body = STREAMS["all counts of usage"] as string;
    const metadata = (parts: Part[]) => parts.find((part) => part.type === "finish")?.providerMetadata;
    const predicted = { acceptedPredictionTokens: 15, rejectedPredictionTokens: 5 };
    const theirs = metadata(await partsOf(other(answering(body).fetch)))?.compatible;
    const ours = metadata(await partsOf(chatwire(answering(body).fetch)("m")))?.chatwire;
    assert.deepEqual(theirs, predicted);
    assert.deepEqual({ ...ours, ...predicted }, ours);
  });

  it("the signature of a thought goes back with its call in both", async () => {
    const body = STREAMS["the signature of a thought with a call"] as string;
    const metadata = (parts: Part[]) => parts.find((part) => part.type === "tool-call")?.providerMetadata;
    assert.match(JSON.stringify(metadata(await partsOf(other(answering(body).fetch)))), /"sig"/);
    assert.match(JSON.stringify(metadata(await partsOf(chatwire(answering(body).fetch)("m")))), /"sig"/);
  });
});

const completion = (message: object, more: object = {}, finish_reason = "stop") =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_711_115_037,
    model: "m-1",
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
    usage,
    ...more,
  });
const tool_calls = [{ id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Pune"}' } }];

const WHOLE: Record<string, string> = {
  text: completion({ content: "Hello, World!" }),
  "reasoning in reasoning_content": completion({ content: "Four.", reasoning_content: "Let me see." }),
  "reasoning in reasoning": completion({ content: "Four.", reasoning: "Let me see." }),
  "a call": completion({ content: null, tool_calls }, {}, "tool_calls"),
  "a call, text and reasoning": completion(
    { content: "Hm.", reasoning_content: "I ask.", tool_calls },
    {},
    "tool_calls",
  ),
  "thinking among the parts of the content, as Mistral sends it": completion({
    content: [
      { type: "thinking", thinking: [{ type: "text", text: "Two and two." }] },
      { type: "text", text: "Four." },
    ],
  }),
  "an empty list of calls": completion({ content: "Hi", tool_calls: [] }),
  "an empty text": completion({ content: "" }, {}, "length"),
  "all counts of usage": completion({ content: "Hi" }, { usage: details }),
  "a finish reason that nobody knows": completion({ content: "Hi" }, {}, "eos"),
  "no id, model or time": completion({ content: "Hi" }, { id: undefined, model: undefined, created: undefined }),
};

/** Repairs of whole answers, which are warnings here: the other reads the same and says nothing of it. */
const REPAIRED: Record<string, string[]> = {
  "thinking among the parts of the content, as Mistral sends it": ["chunk.content_parts"],
};

describe("answers that come whole", () => {
  for (const [name, body] of Object.entries(WHOLE)) {
    it(name, async () => {
      const headers = { "content-type": "application/json", "x-served-by": "test" };
      const of = async (model: Model) => {
        const { content, finishReason, usage, response, warnings } = await model.doGenerate(hello);
        const { inputTokens, outputTokens } = named(usage);
        const { id, modelId, timestamp } = response ?? {};
        const parts = content.map(({ providerMetadata: _, ...part }) => part);
        const served = response?.headers?.["x-served-by"];
        const told = { id, modelId, timestamp, served, body: response?.body };
        const warned = warnings.map((warning) => (warning.type === "compatibility" ? warning.feature : warning));
        return JSON.parse(JSON.stringify({ parts, finishReason, inputTokens, outputTokens, told, warned }));
      };
      const ours = await of(chatwire(answering(body, { headers }).fetch)("m"));
      const theirs = await of(other(answering(body, { headers }).fetch));
      theirs.warned.push(...(REPAIRED[name] ?? []));
      // Content has no order in the AI SDK: reasoning comes first here, as it does in a stream.
      const sorted = (result: { parts: { type: string }[] }) => ({
        ...result,
        parts: result.parts.toSorted((a, b) => a.type.localeCompare(b.type)),
      });
      assert.deepEqual(sorted(ours), sorted(theirs));
    });
  }
});

const schema = { type: "object" as const, properties: { city: { type: "string" as const } } };
const tools: CallOptions["tools"] = [
  { type: "function", name: "weather", description: "The weather", inputSchema: schema },
];

/** Calls of the AI SDK, and how the body that chatwire sends differs, where it does. */
const CALLS: Record<string, { call: Partial<CallOptions>; differs?: { why: string; by: object } }> = {
  "a question": { call: {} },
  "every number there is": {
    call: { maxOutputTokens: 5, temperature: 0.5, topP: 0.9, seed: 7, presencePenalty: 0.1, frequencyPenalty: 0.2 },
  },
  "words to stop at": { call: { stopSequences: ["END"] } },
  "tools, and the model's choice": { call: { tools, toolChoice: { type: "auto" } } },
  "tools, one of them wanted": { call: { tools, toolChoice: { type: "tool", toolName: "weather" } } },
  "tools that have to be used": { call: { tools, toolChoice: { type: "required" } } },
  "JSON of any shape": { call: { responseFormat: { type: "json" } } },
  "JSON of a shape": { call: { responseFormat: { type: "json", schema, name: "place", description: "A place" } } },
  "a level of reasoning": { call: { reasoning: "low" } },
  "a system message, an image and a turn": {
    call: {
      prompt: [
        { role: "system", content: "Be short." },
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "file", mediaType: "image/png", data: { type: "data", data: "AQID" } },
          ],
        },
        { role: "assistant", content: [{ type: "text", text: "Seen." }] },
        { role: "user", content: [{ type: "text", text: "And?" }] },
      ],
    },
  },
  "a call and its result": {
    call: {
      prompt: [
        ...hello.prompt,
        {
          role: "assistant",
          content: [{ type: "tool-call", toolCallId: "c1", toolName: "weather", input: { city: "Pune" } }],
        },
        {
          role: "tool",
          content: [
            { type: "tool-result", toolCallId: "c1", toolName: "weather", output: { type: "json", value: { c: 31 } } },
          ],
        },
      ],
    },
  },
};

describe("what is sent", () => {
  for (const [name, { call, differs }] of Object.entries(CALLS)) {
    it(`${name}${differs ? `: ${differs.why}` : ""}`, async () => {
      const of = async (model: (fetch: typeof globalThis.fetch) => Model) => {
        const { fetch, asked } = answering(streamOf([{ content: "Hi" }]));
        await partsOf(model(fetch), { ...hello, ...call });
        return asked[0]?.body as object;
      };
      const ours = await of((fetch) => chatwire(fetch)("m"));
      const theirs = await of(other);
      assert.deepEqual(ours, { ...theirs, ...differs?.by });
    });
  }
});
