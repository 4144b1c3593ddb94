/**
 * Answers of other dialects in the hands of programs for `openai`: runs call each tool once with what the model has said, formats read
 * the answer, and no shape of an answer ends in an error of JavaScript's.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "chatwire/openai";
import { ChatCompletionStream } from "chatwire/openai/lib/ChatCompletionStream";

const messages = [{ role: "user" as const, content: "Hello" }];
const choice = (delta: unknown, finish_reason: string | null = null) => ({ index: 0, delta, finish_reason });
const chunk = (...choices: unknown[]) => ({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices,
});
const piece = (call: object) => chunk(choice({ tool_calls: [call] }));
const end = (reason = "tool_calls") => chunk(choice({}, reason));
const whole = (message: object | undefined, more: object = {}) => ({
  ...chunk({ index: 0, ...(message && { message }), finish_reason: "stop", ...more }),
  object: "chat.completion",
});
const sse = (events: readonly unknown[]) =>
  new Response(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`, {
    headers: { "content-type": "text/event-stream" },
  });

/** A client whose server gives these answers, one after the other; those that are lists are streams. */
function clientOf(...answers: unknown[]): {
  client: OpenAI;
  asked: { messages: OpenAI.ChatCompletionMessageParam[] }[];
} {
  const asked: { messages: OpenAI.ChatCompletionMessageParam[] }[] = [];
  const fetch = async (_: unknown, init?: RequestInit) => {
    asked.push(JSON.parse(String(init?.body)));
    const answer = answers[asked.length - 1];
    return Array.isArray(answer) ? sse(answer) : Response.json(answer);
  };
  const base = { apiKey: "sk-own", baseURL: "https://mended.test/v1", maxRetries: 0 };
  return { client: new OpenAI({ ...base, fetch: fetch as typeof globalThis.fetch }), asked };
}

const call = (name: string, args: unknown, more: object = {}) => ({
  index: 0,
  id: "t",
  function: { name, arguments: args },
  ...more,
});

/** Streams of calls that their chunks do not add up to, and the calls that are meant. */
const CALLS: Record<string, [events: unknown[], calls: string[]]> = {
  "one id for two functions": [
    [piece(call("f", '{"a":1}')), piece(call("g", '{"a":2}')), end()],
    ["f 1", "g 2"],
  ],
  "one id for two calls of one function": [
    [piece(call("f", '{"a":1}')), piece(call("f", '{"a":2}')), end()],
    ["f 1", "f 2"],
  ],
  "two calls with one id": [
    [piece(call("f", '{"a":1}')), piece({ ...call("g", '{"a":2}'), index: 1 }), end()],
    ["f 1", "g 2"],
  ],
  "arguments that come again": [
    [piece(call("f", '{"a"')), piece({ index: 0, function: { arguments: ":1}" } }), piece(call("f", '{"a":1}')), end()],
    ["f 1"],
  ],
  "all so far in each delta": [
    [piece(call("f", '{"a"')), piece(call("f", '{"a":')), piece(call("f", '{"a":1}')), end()],
    ["f 1"],
  ],
  "a new id with each delta": [
    [
      piece(call("f", '{"a"')),
      piece({ index: 0, id: "u", function: { arguments: ":1" } }),
      piece({ index: 0, id: "v", function: { arguments: "}" } }),
      end(),
    ],
    ["f 1"],
  ],
  "a tail under the next index": [
    [piece(call("f", "")), piece({ index: 1, function: { arguments: '{"a":1}' } }), end()],
    ["f 1"],
  ],
  "an index as text": [[piece({ ...call("f", '{"a":1}'), index: "0" }), end()], ["f 1"]],
  "an index from 1": [[piece({ ...call("f", '{"a":1}'), index: 1 }), end()], ["f 1"]],
  "a flat call": [[piece({ index: 0, id: "t", name: "f", arguments: '{"a":1}' }), end()], ["f 1"]],
  "a call in the finishing chunk": [[chunk(choice({ tool_calls: [call("f", '{"a":1}')] }, "tool_calls"))], ["f 1"]],
  "null for all members later": [
    [
      piece(call("f", '{"a"')),
      chunk(
        choice({
          role: null,
          content: null,
          refusal: null,
          function_call: null,
          tool_calls: [{ index: 0, id: null, type: null, function: { name: null, arguments: ":1}" } }],
        }),
      ),
      piece({ index: 0, function: null }),
      chunk(choice({ tool_calls: [null] })),
      chunk(null),
      chunk(choice(null)),
      end(),
    ],
    ["f 1"],
  ],
  "calls as text": [[chunk(choice({ tool_calls: JSON.stringify([call("f", '{"a":1}')]) })), end()], ["f 1"]],
  "calls as an object": [[chunk(choice({ tool_calls: call("f", '{"a":1}') })), end()], ["f 1"]],
  "arguments as an object": [[piece(call("f", { a: 1 })), end()], ["f 1"]],
  "arguments encoded twice": [[piece(call("f", JSON.stringify('{"a":1}'))), end()], ["f 1"]],
  "a comma too many": [[piece(call("f", '{"a":1,}')), end()], ["f 1"]],
  "marks in a name": [[piece(call("functions.f<|channel|>commentary", '{"a":1}')), end()], ["f 1"]],
};

/** Tools that note how they were called. */
function toolsOf(ran: string[]) {
  return ["f", "g"].map((name) => ({
    type: "function" as const,
    function: {
      name,
      description: name,
      parameters: { type: "object" as const, properties: { a: { type: "number" as const } } },
      parse: JSON.parse as (text: string) => { a: number },
      function: ({ a }: { a: number }) => {
        ran.push(`${name} ${a}`);
        return String(a);
      },
    },
  }));
}

/** Each call has an id of its own and one answer. */
function isValid(conversation: readonly OpenAI.ChatCompletionMessageParam[]): void {
  const ids = conversation
    .flatMap((message) => (message.role === "assistant" && message.tool_calls) || [])
    .map(({ id }) => id);
  const answered = conversation.flatMap((message) => (message.role === "tool" ? [message.tool_call_id] : []));
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(answered.toSorted(), ids.toSorted());
}

for (const [name, [events, calls]] of Object.entries(CALLS)) {
  test(`a run calls each tool once: ${name}`, async () => {
    const ran: string[] = [];
    const { client, asked } = clientOf(events, [chunk(choice({ role: "assistant", content: "Done" })), end("stop")]);
    const run = client.chat.completions.runTools({ model: "m", messages, stream: true, tools: toolsOf(ran) });
    const told: string[] = [];
    run.on("tool_calls.function.arguments.done", ({ name, arguments: text }) =>
      told.push(`${name} ${JSON.parse(text).a}`),
    );
    assert.equal(await run.finalContent(), "Done");
    assert.deepEqual(ran, calls);
    isValid(asked.at(-1)?.messages ?? []);
    assert.deepEqual([...new Set(told)], calls);
  });
}

test("a_run_of_whole_answers_calls_each_tool_once_too", async () => {
  const f = { type: "function", ...call("f", JSON.stringify('{"a":1}')) };
  const g = { type: "function", ...call("g", { a: 2 }) };
  for (const message of [
    { role: "assistant", content: null, tool_calls: [f, g] },
    { role: "assistant", tool_calls: JSON.stringify([f, g]) },
  ]) {
    const ran: string[] = [];
    const { client, asked } = clientOf(whole(message), whole({ role: "assistant", content: "<think>so</think>Done" }));
    const run = client.chat.completions.runTools({ model: "m", messages, tools: toolsOf(ran) });
    assert.equal(await run.finalContent(), "Done");
    assert.deepEqual(ran, ["f 1", "g 2"]);
    isValid(asked.at(-1)?.messages ?? []);
  }
});

test("an_old_function_call_stays_one", async () => {
  const events = [
    chunk(choice({ role: "assistant", content: null, function_call: { name: "f", arguments: "" } })),
    chunk(choice({ function_call: { arguments: '"{\\"a\\":1}"' } })),
    end("function_call"),
  ];
  const { client } = clientOf(events);
  const completion = await client.chat.completions.stream({ model: "m", messages }).finalChatCompletion();
  const { message, finish_reason } = completion.choices[0] as (typeof completion.choices)[0];
  assert.deepEqual(message.function_call, { name: "f", arguments: '{"a":1}' });
  assert.equal(message.tool_calls, undefined);
  assert.equal(finish_reason, "function_call");
});

test("a_format_reads_the_answer_behind_thinking_and_of_old_completions", async () => {
  const response_format = { type: "json_schema" as const, json_schema: { name: "a", schema: {} } };
  const answers = [
    whole({ role: "assistant", content: '<think>so</think>{"a":1}' }),
    whole({ role: "assistant", content: [{ type: "text", text: '{"a":1}' }] }),
    whole(undefined, { text: '{"a":1}' }),
  ];
  for (const answer of answers) {
    const { client } = clientOf(answer);
    const { choices } = await client.chat.completions.parse({ model: "m", messages, response_format });
    assert.deepEqual(choices[0]?.message.parsed, { a: 1 });
  }
  const { client } = clientOf([
    chunk(choice({ content: "<think>so" })),
    chunk(choice({ content: '</think>{"a":1}' })),
    end("stop"),
  ]);
  const completion = await client.chat.completions
    .stream({ model: "m", messages, response_format })
    .finalChatCompletion();
  assert.deepEqual(completion.choices[0]?.message.parsed, { a: 1 });
});

test("a_choice_of_an_old_completion_has_a_message", async () => {
  const { client } = clientOf(whole(undefined, { text: "Hi" }));
  const { choices } = await client.chat.completions.create({ model: "m", messages });
  assert.equal(choices[0]?.message.content, "Hi");
  assert.equal(choices[0]?.message.role, "assistant");
});

test("a_page_behind_the_stream_reads_the_same", async () => {
  const { client } = clientOf(CALLS["one id for two functions"]?.[0]);
  const stream = client.chat.completions.stream({ model: "m", messages });
  const there = ChatCompletionStream.fromReadableStream(stream.toReadableStream());
  const { choices } = await there.finalChatCompletion();
  const calls = choices[0]?.message.tool_calls?.map((one) => one.type === "function" && one.function.arguments);
  assert.deepEqual(calls, ['{"a":1}', '{"a":2}']);
});

test("members_that_are_of_another_kind_than_their_names_end_in_no_error_of_the_host", async () => {
  for (const odd of [
    { logprobs: { content: 5 } },
    { logprobs: "x" },
    { delta: { content: "Hi", audio: "x" } },
    { delta: { content: "Hi", audio: 5, role: 7 } },
    { delta: { content: ["Hi"] } },
    { delta: { content: "Hi", function_call: 5 } },
    { delta: { content: "Hi", function_call: "f" } },
    { delta: { content: "Hi", tool_calls: 5 } },
    { delta: { content: "Hi", tool_calls: [5, "x", [], null] } },
    { delta: { content: "Hi", tool_calls: [{ index: 0, function: "f", custom: 3 }] } },
    { index: null, delta: { content: "Hi" } },
    { index: "0", delta: { content: "Hi" } },
    { index: 1e9, delta: { content: "Hi" } },
  ]) {
    const first = chunk({ index: 0, delta: { content: "Hi" }, finish_reason: null, ...odd });
    for (const events of [
      [first, end("stop")],
      [chunk(null), chunk("x", 5), { ...chunk(), choices: 5 }, { ...chunk(), choices: "x" }, first, end("stop")],
    ]) {
      const { client } = clientOf(events);
      const content = await client.chat.completions.stream({ model: "m", messages }).finalContent();
      assert.equal(content, "Hi", JSON.stringify(odd));
    }
  }
});
