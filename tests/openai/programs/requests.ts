/** Requests by what they ask for: each feature of Chat Completions as its guide shows it, sent as it is and answered with what goes with it. */
import type OpenAI from "openai";
import { z } from "zod";
import type { Program, Programs } from "../compare.ts";
import { call, chunk, completion, end, model, start, usageChunk } from "../said.ts";
import type { Answer } from "./../server.ts";

type Message = OpenAI.ChatCompletionMessageParam;
const user = (content: unknown): Message => ({ role: "user", content }) as Message;
const says = (content: string, more: object = {}, choice: object = {}): Answer => ({
  json: completion({ content }, more, choice),
});

/** Asks, and prints all of the answer; the same streamed, where there are chunks. */
const asks = (params: object, answer: Answer, events?: unknown[]): Program => {
  return async ({ client, answers, print }) => {
    answers(answer, ...(events ? [{ events }, { events }] : []));
    const { completions } = client().chat;
    const body = { model, messages: [user("Hello")], ...params } as OpenAI.ChatCompletionCreateParamsNonStreaming;
    print(await completions.create(body));
    if (!events) return;
    for await (const one of await completions.create({ ...body, stream: true })) print(one);
    const stream = completions.stream(body as never);
    const final = await stream.finalChatCompletion();
    print(final, await stream.finalMessage(), await stream.totalUsage());
  };
};

const picture = { type: "image_url", image_url: { url: "https://example.com/cat.png", detail: "low" } };
const inline = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
const sound = { type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } };
const file = { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } };
const pieces = (...deltas: object[]) => [start, ...deltas.map((delta) => chunk(delta)), end("stop")];
const answers = pieces({ content: "A " }, { content: "cat." });
const parameters = {
  type: "object",
  properties: { a: { type: "number" } },
  required: ["a"],
  additionalProperties: false,
};
const tool = (name: string, more: object = {}) => ({ type: "function", function: { name, parameters, ...more } });
const piece = (index: number, more: object) => ({ tool_calls: [{ index, ...more }] });
const logprob = (token: string) => ({
  token,
  logprob: -0.1,
  bytes: [104],
  top_logprobs: [{ token, logprob: -0.1, bytes: null }],
});

export const requests: Programs = {
  "an image by its address": asks(
    { messages: [user([{ type: "text", text: "What?" }, picture])] },
    says("A cat."),
    answers,
  ),
  "an image in the message": asks({ messages: [user([inline, { type: "text", text: "And this?" }])] }, says("A dog.")),
  "several images": asks({ messages: [user([picture, inline, picture])] }, says("Three.")),
  "sound in the message": asks({ messages: [user([sound])], modalities: ["text"] }, says("Hello.")),
  "a file in the message": asks(
    { messages: [user([file, { type: "file", file: { file_id: "file-1" } }])] },
    says("A page."),
  ),
  "sound in the answer": asks(
    { modalities: ["text", "audio"], audio: { voice: "alloy", format: "wav" } },
    { json: completion({ content: null, audio: { id: "audio_1", data: "UklG", transcript: "Hi", expires_at: 1 } }) },
    pieces(
      { audio: { id: "audio_1", transcript: "H" } },
      { audio: { data: "UklG" } },
      { audio: { transcript: "i", expires_at: 1 } },
    ),
  ),
  "sound of an earlier answer": asks(
    {
      messages: [user("Hi"), { role: "assistant", audio: { id: "audio_1" } }, user("And?")],
      modalities: ["text", "audio"],
    },
    says("Yes."),
  ),
  "a developer's message": asks({ messages: [{ role: "developer", content: "Be brief." }, user("Hi")] }, says("Hi.")),
  "a system message in parts": asks(
    {
      messages: [
        {
          role: "system",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
          ],
        },
        user("Hi"),
      ],
    },
    says("Hi."),
  ),
  "names of the speakers": asks({ messages: [{ role: "user", content: "Hi", name: "Ann" }] }, says("Hi, Ann.")),
  "a predicted output": asks(
    { prediction: { type: "content", content: "const a = 1;" } },
    says("const a = 2;", {
      usage: {
        prompt_tokens: 9,
        completion_tokens: 5,
        total_tokens: 14,
        completion_tokens_details: { accepted_prediction_tokens: 3, rejected_prediction_tokens: 1 },
      },
    }),
  ),
  "a search of the web": asks(
    {
      web_search_options: {
        search_context_size: "low",
        user_location: { type: "approximate", approximate: { city: "Rome" } },
      },
    },
    {
      json: completion({
        content: "News.",
        annotations: [
          { type: "url_citation", url_citation: { start_index: 0, end_index: 4, title: "T", url: "https://e.com" } },
        ],
      }),
    },
    pieces(
      { content: "News." },
      { annotations: [{ type: "url_citation", url_citation: { start_index: 0, end_index: 4, title: "T", url: "u" } }] },
    ),
  ),
  "stored, with metadata": asks(
    { store: true, metadata: { topic: "demo", empty: "" } },
    says("Kept.", { metadata: { topic: "demo" } }),
  ),
  "how to reason": asks(
    { reasoning_effort: "minimal", verbosity: "low", max_completion_tokens: 10 },
    says("Hm.", {
      usage: {
        prompt_tokens: 1,
        completion_tokens: 9,
        total_tokens: 10,
        completion_tokens_details: { reasoning_tokens: 8 },
      },
    }),
  ),
  sampling: asks(
    { temperature: 0, top_p: 0.1, presence_penalty: -2, frequency_penalty: 2, seed: 0, logit_bias: { "50256": -100 } },
    says("Same.", { system_fingerprint: "fp_1" }),
    answers,
  ),
  "stop sequences": asks({ stop: ["\n", "END"] }, says("a")),
  "a stop sequence": asks({ stop: "\n", max_tokens: 3 }, says("a", {}, { finish_reason: "length" }), [
    start,
    chunk({ content: "a" }),
    end("length"),
  ]),
  "who asks": asks(
    { user: "u-1", safety_identifier: "s-1", prompt_cache_key: "c-1", service_tier: "flex" },
    says("a", { service_tier: "flex" }),
  ),
  "several answers": asks(
    { n: 2 },
    {
      json: completion(
        { content: "a" },
        {
          choices: [0, 1].map((index) => ({
            index,
            message: { role: "assistant", content: `${index}`, refusal: null },
            finish_reason: "stop",
            logprobs: null,
          })),
        },
      ),
    },
    [0, 1].flatMap((index) => [
      chunk({ role: "assistant", content: "", refusal: null }, { index }),
      chunk({ content: `${index}` }, { index }),
      chunk({}, { index, finish_reason: "stop" }),
    ]),
  ),
  logprobs: asks(
    { logprobs: true, top_logprobs: 1 },
    says("h", {}, { logprobs: { content: [logprob("h")], refusal: null } }),
    [
      start,
      chunk({ content: "h" }, { logprobs: { content: [logprob("h")], refusal: null } }),
      chunk({ content: "i" }, { logprobs: { content: [logprob("i")], refusal: null } }),
      end("stop"),
    ],
  ),
  "usage of a stream": asks({ stream_options: undefined }, says("a"), [...answers, usageChunk]),
  "JSON of any shape": asks(
    { response_format: { type: "json_object" } },
    says('{"a":1}'),
    pieces({ content: '{"a"' }, { content: ":1}" }),
  ),
  "text as a format": asks({ response_format: { type: "text" } }, says("a")),
  "JSON of a schema": asks(
    { response_format: { type: "json_schema", json_schema: { name: "a", strict: true, schema: parameters } } },
    says('{"a":1}'),
    pieces({ content: '{"a":' }, { content: "1}" }),
  ),
  "a tool": asks(
    { tools: [tool("add", { description: "Adds", strict: true })], tool_choice: "auto" },
    { json: completion({ tool_calls: [call("add", { a: 1 })] }) },
    [
      start,
      chunk(piece(0, { id: "call_1", type: "function", function: { name: "add", arguments: "" } })),
      chunk(piece(0, { function: { arguments: '{"a"' } })),
      chunk(piece(0, { function: { arguments: ":1}" } })),
      end("tool_calls"),
    ],
  ),
  "several tools at once": asks(
    { tools: [tool("add"), tool("sub")], parallel_tool_calls: true },
    { json: completion({ tool_calls: [call("add", { a: 1 }), call("sub", { a: 2 })] }) },
    [
      start,
      chunk(piece(0, { id: "call_1", type: "function", function: { name: "add", arguments: "{}" } })),
      chunk(piece(1, { id: "call_2", type: "function", function: { name: "sub", arguments: "{" } })),
      chunk(piece(1, { function: { arguments: "}" } })),
      end("tool_calls"),
    ],
  ),
  "a tool without parameters": asks(
    {
      tools: [{ type: "function", function: { name: "now" } }],
      tool_choice: { type: "function", function: { name: "now" } },
    },
    { json: completion({ tool_calls: [call("now", "{}")] }, {}, { finish_reason: "stop" }) },
    [
      start,
      chunk(piece(0, { id: "call_1", type: "function", function: { name: "now", arguments: "{}" } })),
      end("stop"),
    ],
  ),
  "a choice among tools": asks(
    {
      tools: [tool("add")],
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "add" } }] },
      },
    },
    says("No."),
  ),
  "no tool": asks({ tools: [tool("add")], tool_choice: "none" }, says("No.")),
  "a tool's answer": asks(
    {
      messages: [
        user("1+1?"),
        { role: "assistant", content: null, tool_calls: [call("add", { a: 1 })] },
        { role: "tool", tool_call_id: "call_add", content: "2" },
        { role: "tool", tool_call_id: "call_other", content: [{ type: "text", text: "3" }] },
      ],
    },
    says("2"),
    answers,
  ),
  "a custom tool": asks(
    { tools: [{ type: "custom", custom: { name: "sql", description: "Runs", format: { type: "text" } } }] },
    {
      json: completion({ tool_calls: [{ id: "call_1", type: "custom", custom: { name: "sql", input: "SELECT 1" } }] }),
    },
  ),
  "a custom tool with a grammar": asks(
    {
      tools: [
        {
          type: "custom",
          custom: { name: "math", format: { type: "grammar", grammar: { syntax: "lark", definition: "start: /1/" } } },
        },
      ],
      tool_choice: { type: "custom", custom: { name: "math" } },
    },
    { json: completion({ tool_calls: [{ id: "call_1", type: "custom", custom: { name: "math", input: "1" } }] }) },
  ),
  "functions, as they were": asks(
    { functions: [{ name: "add", parameters }], function_call: { name: "add" } },
    {
      json: completion(
        { content: null, function_call: { name: "add", arguments: '{"a":1}' } },
        {},
        { finish_reason: "function_call" },
      ),
    },
    [
      start,
      chunk({ function_call: { name: "add", arguments: "" } }),
      chunk({ function_call: { arguments: '{"a":1}' } }),
      end("function_call"),
    ],
  ),
  "a function's answer, as it was": asks(
    {
      messages: [
        user("1?"),
        { role: "assistant", content: null, function_call: { name: "add", arguments: "{}" } },
        { role: "function", name: "add", content: "1" },
      ],
    },
    says("1"),
  ),
  "a refusal": asks(
    {},
    { json: completion({ refusal: "I will not." }) },
    pieces({ refusal: "I will" }, { refusal: " not." }),
  ),
  "a filtered answer": asks({}, says("a", {}, { finish_reason: "content_filter" }), [
    start,
    chunk({ content: "a" }),
    end("content_filter"),
  ]),
  "content filters of Azure": asks(
    {},
    says(
      "a",
      { prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] },
      { content_filter_results: { hate: { filtered: false } } },
    ),
  ),
  moderation: asks(
    { moderation: { model: "omni-moderation-latest" } },
    says("a", {
      moderation: {
        input: { type: "error", code: "c", message: "m" },
        output: { type: "error", code: "c", message: "m" },
      },
    }),
  ),
  "reasoning of DeepSeek": asks({}, { json: completion({ content: "2", reasoning_content: "1+1" }) }),
  "fields of OpenRouter": asks(
    { models: ["a", "b"], provider: { order: ["x"] }, transforms: ["middle-out"], usage: { include: true } },
    {
      json: completion(
        { content: "a", reasoning: "r", reasoning_details: [{ type: "t" }] },
        { provider: "X", usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2, cost: 0.1 } },
      ),
    },
  ),
  "fields of vLLM": asks(
    { guided_json: parameters, top_k: 5, chat_template_kwargs: { enable_thinking: false } },
    says("a", { prompt_logprobs: null, kv_transfer_params: null }),
  ),
  "an assistant's turn to continue": asks(
    { messages: [user("Hi"), { role: "assistant", content: "Hel" }] },
    says("lo"),
    answers,
  ),
  "no messages": asks({ messages: [] }, says("a")),
  "parameters in their order": async ({ client, answers, print }) => {
    let body = "";
    answers(says("a"));
    const fetch = async (url: string, init: RequestInit) => {
      body = String(init.body);
      return globalThis.fetch(url, init);
    };
    const params = {
      stream: false,
      temperature: 1,
      messages: [user("Hi")],
      model,
      z: 1,
      a: { c: 1, b: [1.0, 1e21, -0] },
    };
    await client({ fetch: fetch as never }).chat.completions.create(params as never);
    print(body);
  },
  "parse with zod": async ({ client, answers, print, lib }) => {
    answers(says('{"steps":[{"text":"a"}],"kind":"x","note":null}'));
    const Answer = z.object({
      steps: z.array(z.object({ text: z.string() })),
      kind: z.enum(["x", "y"]),
      note: z.string().nullable(),
    });
    const answer = await client().chat.completions.parse({
      model,
      messages: [user("Hi")],
      response_format: lib.zod.zodResponseFormat(Answer, "answer"),
    });
    print(answer.choices[0]?.message.parsed, answer.choices[0]?.message.content);
  },
  "parse of several answers": async ({ client, answers, print, lib }) => {
    const choice = (index: number) => ({
      index,
      message: { role: "assistant", content: `{"a":${index}}`, refusal: null },
      finish_reason: "stop",
      logprobs: null,
    });
    answers({ json: completion({}, { choices: [choice(0), choice(1)] }) });
    const { choices } = await client().chat.completions.parse({
      model,
      n: 2,
      messages: [user("Hi")],
      response_format: lib.zod.zodResponseFormat(z.object({ a: z.number() }), "a"),
    });
    print(choices.map(({ message }) => message.parsed));
  },
  "parse with a refusal": async ({ client, answers, print, lib }) => {
    answers({ json: completion({ refusal: "No." }) });
    const { choices } = await client().chat.completions.parse({
      model,
      messages: [user("Hi")],
      response_format: lib.zod.zodResponseFormat(z.object({ a: z.number() }), "a"),
    });
    print(choices[0]?.message);
  },
};
