/**
 * The requests that the emulator refuses and those that it lets through, by the published pages.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEmulator } from "../../npm/emulator/index.ts";
import { ask, ELECTRON, type ErrorBody, HUB } from "./emulator-ask.ts";

const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
const user = { role: "user", content: "Hi" };
const nested = { type: "function", function: { name: "f", parameters: { type: "object" } } };

const REFUSED_BY_ELECTRON: [name: string, body: object, ...paths: string[]][] = [
  ["no model", { model: undefined }, "model"],
  ["a model that is no string", { model: 4 }, "model"],
  ["an unknown model", { model: "gpt-4o" }, "model"],
  ["no messages", { messages: undefined }, "messages"],
  ["messages that are no list", { messages: user }, "messages"],
  ["a message that is no object", { messages: ["Hi"] }, "messages.0"],
  ["a message without a role", { messages: [{ content: "Hi" }] }, "messages.0.role"],
  ["an unknown role", { messages: [{ role: "developer", content: "Hi" }] }, "messages.0.role"],
  ["content that is a number", { messages: [user, { role: "user", content: 1 }] }, "messages.1.content"],
  ["content in parts", { messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }] }, "messages.0.content"],
  ["null content from a user", { messages: [{ role: "user", content: null }] }, "messages.0.content"],
  ["no content from a user", { messages: [{ role: "user" }] }, "messages.0.content"],
  ["null content without tool calls", { messages: [{ role: "assistant", content: null }] }, "messages.0.content"],
  [
    "null content with an empty list of tool calls",
    { messages: [{ role: "assistant", content: null, tool_calls: [] }] },
    "messages.0.content",
  ],
  ["a tool message without tool_call_id", { messages: [{ role: "tool", content: "1" }] }, "messages.0.tool_call_id"],
  [
    "a tool_call_id that is a number",
    { messages: [{ role: "tool", content: "1", tool_call_id: 1 }] },
    "messages.0.tool_call_id",
  ],
  [
    "a tool call without an id",
    { messages: [{ role: "assistant", content: null, tool_calls: [{ ...call, id: undefined }] }] },
    "messages.0.tool_calls.0.id",
  ],
  [
    "a tool call of another type",
    { messages: [{ role: "assistant", content: null, tool_calls: [{ ...call, type: "custom" }] }] },
    "messages.0.tool_calls.0.type",
  ],
  [
    "tool call arguments as an object",
    {
      messages: [
        { role: "assistant", content: null, tool_calls: [{ ...call, function: { name: "f", arguments: {} } }] },
      ],
    },
    "messages.0.tool_calls.0.function.arguments",
  ],
  ["temperature below 0", { temperature: -0.01 }, "temperature"],
  ["temperature above 2", { temperature: 2.01 }, "temperature"],
  ["temperature as a string", { temperature: "1" }, "temperature"],
  ["temperature null", { temperature: null }, "temperature"],
  ["top_p below 0", { top_p: -1 }, "top_p"],
  ["top_p above 1", { top_p: 1.5 }, "top_p"],
  ["max_tokens 0", { max_tokens: 0 }, "max_tokens"],
  ["max_tokens with a fraction", { max_tokens: 1.5 }, "max_tokens"],
  ["stream as a string", { stream: "true" }, "stream"],
  ["stream_options as a list", { stream_options: [] }, "stream_options"],
  ["include_usage as a number", { stream_options: { include_usage: 1 } }, "stream_options.include_usage"],
  ["tools as an object", { tools: nested }, "tools"],
  ["a tool without a type", { tools: [{ function: { name: "f" } }] }, "tools.0.type"],
  ["a nested tool without a name", { tools: [{ type: "function", function: {} }] }, "tools.0.function.name"],
  ["a flat tool without a name", { tools: [{ type: "function" }] }, "tools.0.name"],
  ["parameters that are no object", { tools: [{ type: "function", name: "f", parameters: [] }] }, "tools.0.parameters"],
  ["an unknown tool_choice", { tool_choice: "any" }, "tool_choice"],
  ["a tool_choice without a function", { tool_choice: { type: "function" } }, "tool_choice.function"],
  ["a tool_choice without a name", { tool_choice: { type: "function", function: {} } }, "tool_choice.function.name"],
  ["response_format json_schema", { response_format: { type: "json_schema" } }, "response_format.type"],
  ["response_format as a string", { response_format: "json_object" }, "response_format"],
  ["stop as a number", { stop: 1 }, "stop"],
  ["stop with a number in the list", { stop: ["a", 1] }, "stop.1"],
  ["seed with a fraction", { seed: 0.5 }, "seed"],
  ["logit_bias as a list", { logit_bias: [1] }, "logit_bias"],
  ["logit_bias of strings", { logit_bias: { "50256": "-100" } }, "logit_bias.50256"],
  ["logprobs as a number", { logprobs: 1 }, "logprobs"],
  ["top_logprobs above 20", { top_logprobs: 21 }, "top_logprobs"],
  ["top_logprobs below 0", { top_logprobs: -1 }, "top_logprobs"],
  ["presence_penalty above 2", { presence_penalty: 2.1 }, "presence_penalty"],
  ["frequency_penalty below -2", { frequency_penalty: -2.1 }, "frequency_penalty"],
  ["user as a number", { user: 7 }, "user"],
  ["n above 1", { n: 2 }, "n"],
  ["prompt_logprobs", { prompt_logprobs: 1 }, "prompt_logprobs"],
  ["several things at once", { n: 3, top_p: 2, messages: [], stop: {} }, "top_p", "stop", "n"],
];

test("Electron refuses what its pages document, and says where", async (t) => {
  const emulator = createEmulator();
  for (const [name, body, ...paths] of REFUSED_BY_ELECTRON) {
    await t.test(name, async () => {
      const response = await ask(emulator, body);
      assert.equal(response.status, 400);
      const { error } = (await response.json()) as ErrorBody;
      assert.deepEqual(
        error.details?.map((each) => each.path.join(".")),
        paths,
      );
      assert.equal(error.type, "invalid_request_error");
      assert.equal(error.request_id, response.headers.get("x-request-id"));
      for (const detail of error.details ?? []) assert.ok(detail.code && detail.message);
    });
  }
});

const ACCEPTED_BY_ELECTRON: [name: string, body: object][] = [
  [
    "every range at its lower edge",
    { temperature: 0, top_p: 0, max_tokens: 1, top_logprobs: 0, presence_penalty: -2, frequency_penalty: -2 },
  ],
  [
    "every range at its upper edge",
    { temperature: 2, top_p: 1, top_logprobs: 20, presence_penalty: 2, frequency_penalty: 2 },
  ],
  ["n: 1", { n: 1 }],
  ["a nested tool", { tools: [nested] }],
  ["a flat tool", { tools: [{ type: "function", name: "f", description: "d", parameters: {} }] }],
  ["a forced tool", { tools: [nested], tool_choice: { type: "function", function: { name: "f" } } }],
  [
    "null content beside tool calls",
    {
      messages: [
        user,
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "c1", content: "1" },
      ],
    },
  ],
  ["no content beside tool calls", { messages: [user, { role: "assistant", tool_calls: [call] }] }],
  [
    "arguments that are not JSON",
    {
      messages: [
        { role: "assistant", content: "", tool_calls: [{ ...call, function: { name: "f", arguments: "oops" } }] },
      ],
    },
  ],
  ["an empty history", { messages: [] }],
  ["a list of stops", { stop: ["a", "b"] }],
  ["fields no page mentions", { top_k: 5, metadata: { a: 1 }, parallel_tool_calls: true, max_completion_tokens: 5 }],
];

test("Electron accepts everything else", async (t) => {
  const emulator = createEmulator();
  for (const [name, body] of ACCEPTED_BY_ELECTRON) {
    await t.test(name, async () => {
      const response = await ask(emulator, body);
      assert.equal(response.status, 200, await response.clone().text());
    });
  }
});

const JUDGED_BY_HUB: [name: string, body: object, path: string | null][] = [
  ["any model", { model: "mistral-large" }, null],
  ["content in parts", { messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }] }, null],
  ["any role", { messages: [{ role: "developer", content: "Hi" }] }, null],
  ["several choices", { n: 2 }, null],
  [
    "all its own fields",
    {
      top_k: 3,
      web_search: true,
      thinking: {},
      reasoning_effort: "xhigh",
      reasoning: { effort: "low", exclude: false, delta_field: "reasoning" },
      reasoning_delta_field: "reasoning_content",
      reasoning_content_compat: false,
    },
    null,
  ],
  ["no model", { model: undefined }, "model"],
  ["messages that are no list", { messages: "Hi" }, "messages"],
  ["temperature above 2", { temperature: 3 }, "temperature"],
  ["top_p below 0", { top_p: -1 }, "top_p"],
  ["top_k with a fraction", { top_k: 1.5 }, "top_k"],
  ["a penalty out of range", { frequency_penalty: 3 }, "frequency_penalty"],
  ["tool_choice required", { tool_choice: "required" }, "tool_choice"],
  ["web_search as a string", { web_search: "yes" }, "web_search"],
  ["an unknown effort", { reasoning_effort: "extreme" }, "reasoning_effort"],
  ["an unknown delta field", { reasoning: { delta_field: "thoughts" } }, "reasoning.delta_field"],
  ["exclude as a string", { reasoning: { exclude: "true" } }, "reasoning.exclude"],
  ["an unknown shorthand", { reasoning_delta_field: "x" }, "reasoning_delta_field"],
];

test("ElectronHub judges by its own page, in an envelope with a numeric code", async (t) => {
  const emulator = createEmulator();
  for (const [name, body, path] of JUDGED_BY_HUB) {
    await t.test(name, async () => {
      const response = await ask(emulator, { model: "gpt-4o", ...body }, { url: HUB });
      assert.equal(response.status, path === null ? 200 : 400, await response.clone().text());
      if (path === null) return;
      const { error } = (await response.json()) as ErrorBody;
      assert.equal(error.param, path);
      assert.equal(error.code, 400);
    });
  }
});

test("the context of 32,768 tokens holds prompt and answer together", async () => {
  const emulator = createEmulator();
  const long = (words: number): object => ({ messages: [{ role: "user", content: "a ".repeat(words) }] });
  const full = await ask(emulator, long(40_000));
  assert.equal(full.status, 400);
  assert.equal(((await full.json()) as ErrorBody).error.details?.[0]?.code, "context_length_exceeded");

  const usage = ((await (await ask(emulator, { max_tokens: 1 })).json()) as { usage: { prompt_tokens: number } }).usage;
  const room = 32_768 - usage.prompt_tokens;
  assert.equal((await ask(emulator, { max_tokens: room })).status, 200);
  assert.equal((await ask(emulator, { max_tokens: room + 1 })).status, 400);
});

test("a body that is not a JSON object is refused", async () => {
  const emulator = createEmulator();
  for (const body of ["", "{", "[]", "null", '"text"']) {
    const init = { method: "POST", headers: { authorization: "Bearer k" }, body };
    assert.equal((await emulator.fetch(ELECTRON, init)).status, 400, body);
  }
});

test("a key is needed, and may lack access", async () => {
  const open = createEmulator();
  const closed = createEmulator({ apiKeys: ["right"] });
  const status = async (emulator: typeof open, authorization?: string): Promise<number> => {
    const headers = authorization === undefined ? {} : { authorization };
    const body = JSON.stringify({ model: "electron", messages: [user] });
    return (await emulator.fetch(ELECTRON, { method: "POST", headers, body })).status;
  };
  assert.equal(await status(open), 401);
  assert.equal(await status(open, "Bearer "), 401);
  assert.equal(await status(open, "Basic abc"), 401);
  assert.equal(await status(open, "Bearer anything"), 200);
  assert.equal(await status(closed, "Bearer wrong"), 401);
  assert.equal(await status(closed, "Bearer right"), 200);
  assert.equal(await status(open, "Bearer no-access-key"), 403);
});

test("only the documented paths and methods are served, on any host", async () => {
  const emulator = createEmulator();
  const status = async (url: string, method = "POST"): Promise<number> => {
    const init = { method, headers: { authorization: "Bearer k" } };
    const body = method === "POST" ? { body: JSON.stringify({ model: "electron", messages: [user] }) } : {};
    const response = await emulator.fetch(url, { ...init, ...body });
    assert.ok(response.headers.get("x-request-id"), "every response has an X-Request-Id");
    return response.status;
  };
  for (const base of ["/waves/v1", "/v1", "/v1legacy", "/v1thinking"]) {
    assert.equal(await status(`http://any.host:1234${base}/chat/completions?q=1`), 200);
    assert.equal(await status(`${base}/chat/completions`), 200);
    assert.equal(await status(`http://x${base}/models`, "GET"), 200);
    assert.equal(await status(`http://x${base}/chat/completions`, "GET"), 405);
    assert.equal(await status(`http://x${base}/models`), 405);
  }
  for (const path of ["/", "/chat/completions", "/v2/chat/completions", "/waves/v1/completions", "/x/v1/models"]) {
    assert.equal(await status(`http://x${path}`), 404, path);
  }
});

test("a Request object is as good as its parts, and init wins", async () => {
  const emulator = createEmulator();
  const body = JSON.stringify({ model: "electron", messages: [user] });
  const request = new Request(ELECTRON, { method: "POST", headers: { authorization: "Bearer k" }, body });
  assert.equal((await emulator.fetch(request.clone())).status, 200);
  assert.equal((await emulator.fetch(request, { headers: {} })).status, 401);
});

test("the list of models is in OpenAI's shape", async () => {
  const emulator = createEmulator();
  const list = async (base: string): Promise<string[]> => {
    const response = await emulator.fetch(`http://x${base}/models`, { headers: { authorization: "Bearer k" } });
    const body = (await response.json()) as { object: string; data: { id: string; object: string }[] };
    assert.equal(body.object, "list");
    return body.data.map((each) => each.id);
  };
  assert.deepEqual(await list("/waves/v1"), ["electron"]);
  assert.ok((await list("/v1")).includes("deepseek-r1"));
});

test("whatever is sent is answered or refused, never thrown at the caller", async () => {
  const odd = [
    null,
    0,
    -5,
    1.5,
    "",
    "x",
    [],
    {},
    [null],
    [{}],
    { type: 5, function: null },
    { required: 3, allOf: [null] },
    1e12,
  ];
  const fields =
    "model messages stream stream_options max_tokens max_completion_tokens stop seed n logprobs top_logprobs tools tool_choice parallel_tool_calls response_format thinking reasoning_effort reasoning reasoning_delta_field temperature logit_bias user".split(
      " ",
    );
  const bodies: object[] = fields.flatMap((field) => odd.map((value) => ({ [field]: value })));
  for (const value of odd) {
    bodies.push({
      tool_choice: "required",
      tools: [{ type: "function", name: "f", parameters: { type: "object", properties: value, required: value } }],
    });
    bodies.push({ tools: [{ type: "function", name: "Hello", parameters: value }] });
    bodies.push({
      messages: [
        { role: "assistant", content: "", tool_calls: value },
        { role: "tool", tool_call_id: "x", content: "1" },
      ],
    });
    bodies.push({ messages: [{ role: value, content: value }], logprobs: true, top_logprobs: value });
    bodies.push({ response_format: { type: "json_schema", json_schema: value } });
    bodies.push({
      response_format: {
        type: "json_schema",
        json_schema: { schema: { items: value, type: "array", minItems: value, anyOf: value } },
      },
    });
  }
  const tree = {
    type: "object",
    properties: { a: { $ref: "#" }, b: { $ref: "#" }, c: { $ref: "#" } },
    required: ["a", "b", "c"],
  };
  bodies.push({ response_format: { type: "json_schema", json_schema: { schema: tree } } });
  const emulator = createEmulator();
  for (const body of bodies) {
    for (const url of [ELECTRON, HUB]) {
      const response = await ask(emulator, body, { url });
      const text = await response.text();
      assert.ok(response.status === 200 || response.status === 400, JSON.stringify(body));
      if (response.headers.get("content-type") === "application/json") JSON.parse(text);
    }
  }
  assert.equal(emulator.ledger.open, 0);
});
