/**
 * The emulator's answers: languages, tokens, tools, JSON, reasoning.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CORPUS } from "../../npm/emulator/corpus.ts";
import { countTokens, createEmulator, tokenize } from "../../npm/emulator/index.ts";
import { mentionsIn, valueFor } from "../../npm/emulator/schema.ts";
import { type Completion, complete, HUB, type Message, says } from "./emulator-ask.ts";

const emulator = createEmulator();
const content = async (body: object): Promise<string> =>
  (await complete(emulator, body)).choices[0]?.message.content ?? "";

test("an answer is in the script of the question, or in the language named", async (t) => {
  const cases: [question: string, script: RegExp][] = [
    ["मुझे एक कहानी सुनाओ", /\p{Script=Devanagari}/gu],
    ["ஒரு கதை சொல்லுங்கள்", /\p{Script=Tamil}/gu],
    ["একটা গল্প বলো", /\p{Script=Bengali}/gu],
    ["احك لي قصة", /\p{Script=Arabic}/gu],
    ["给我讲个故事", /\p{Script=Han}/gu],
    ["物語を聞かせてください", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
    ["Tell me a story", /\p{Script=Latin}/gu],
    ["Tell me a story in Hindi", /\p{Script=Devanagari}/gu],
    ["Say something in Japanese", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
    ["Какая погода?", /\p{Script=Latin}/gu],
  ];
  for (const [question, script] of cases) {
    await t.test(question, async () => {
      const answer = await content(says(question));
      const letters = answer.match(/\p{L}/gu)?.length ?? 0;
      assert.ok((answer.match(script)?.length ?? 0) > letters * 0.4, answer);
    });
  }
});

test("a demo sees Markdown, code, tables and emoji", async () => {
  assert.match(await content(says("Give me a recipe for chai")), /^1\. /m);
  assert.match(await content(says("Show me some code")), /```js\n[\s\S]+\n```/);
  assert.match(await content(says("Compare scripts in a table")), /^\|---\|/m);
  assert.match(await content(says("Use emoji")), /👩‍💻/u);
});

test("some requests are taken literally", async () => {
  assert.equal(await content(says("Echo:  two  spaces\nand a line 👍🏽")), " two  spaces\nand a line 👍🏽");
  assert.equal(await content(says("Count to 5")), "1, 2, 3, 4, 5");
  assert.equal(await content(says("What's 12 * 3?")), "12 * 3 = 36.");
  assert.equal(await content(says("1 / 0")), "That has no answer: nothing can be divided by zero.");
  assert.equal((await content(says("Write 300 words"))).split(" ").length, 300);
});

const LONE_SURROGATE = /\p{Surrogate}/u;

test("tokens join to the text and never cut a character", () => {
  const texts = [
    ...CORPUS.map((each) => each.text),
    "a\u0301e\u0301 \r\n\t x",
    "\ud83d alone \ude00",
    "",
    "1️⃣2️⃣ 🏴‍☠️🇮🇳!",
    "naïve café 12345 !!! ???",
  ];
  for (const text of texts) {
    const tokens = tokenize(text);
    assert.equal(tokens.join(""), text);
    for (const token of tokens.slice(1)) {
      assert.doesNotMatch(token, /^\p{M}/u, `a mark was cut off in ${JSON.stringify(text)}`);
    }
    if (!LONE_SURROGATE.test(text)) assert.ok(tokens.every((token) => !LONE_SURROGATE.test(token)));
  }
});

test("tokens cost about four characters in English and fewer elsewhere", () => {
  const perToken = (language: string): number => {
    const text = CORPUS.filter((each) => each.language === language)
      .map((each) => each.text)
      .join("\n");
    return [...text].length / countTokens(text);
  };
  assert.ok(perToken("en") > 3.5 && perToken("en") < 5, `en ${perToken("en")}`);
  for (const language of ["hi", "ta", "bn", "ar"]) {
    assert.ok(perToken(language) > 1.3 && perToken(language) < 3.5, `${language} ${perToken(language)}`);
  }
  for (const language of ["zh", "ja"]) assert.ok(perToken(language) < 1.5, `${language} ${perToken(language)}`);
});

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Get current weather for a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
      required: ["city"],
    },
  },
};
const booking = {
  type: "function",
  name: "book_table",
  description: "Book a restaurant table",
  parameters: {
    type: "object",
    properties: {
      restaurant: { type: "string" },
      guests: { type: "integer", minimum: 1, maximum: 12 },
      date: { type: "string", format: "date" },
    },
    required: ["restaurant", "guests", "date"],
  },
};

function calls(completion: Completion): [name: string, args: unknown][] {
  const made = completion.choices[0]?.message.tool_calls ?? [];
  return made.map(({ function: { name, arguments: text } }) => [name, JSON.parse(text)]);
}

test("a tool is called when the user's words fit it, with arguments from them", async () => {
  const tools = [weather, booking];
  const one = await complete(emulator, { ...says("What's the weather in Mumbai?"), tools });
  assert.deepEqual(calls(one), [["get_weather", { city: "Mumbai" }]]);
  assert.equal(one.choices[0]?.finish_reason, "tool_calls");
  assert.equal(one.choices[0]?.message.content, null);

  const unit = await complete(emulator, { ...says("Weather in New Delhi in fahrenheit please"), tools });
  assert.deepEqual(calls(unit), [["get_weather", { city: "New Delhi", unit: "fahrenheit" }]]);

  const flat = await complete(emulator, { ...says('Book a table at "Trishna" for 4 on 2026-03-08'), tools });
  assert.deepEqual(calls(flat), [["book_table", { restaurant: "Trishna", guests: 4, date: "2026-03-08" }]]);

  const hindi = await complete(emulator, { ...says("मुंबई में मौसम कैसा है?"), tools });
  assert.deepEqual(calls(hindi), [["get_weather", { city: "मुंबई" }]]);

  const none = await complete(emulator, { ...says("Tell me a story"), tools });
  assert.equal(none.choices[0]?.message.tool_calls, undefined);
  assert.equal(none.choices[0]?.finish_reason, "stop");
});

test("tool_choice decides", async () => {
  const ask = (tool_choice: unknown, question = "Hello!") =>
    complete(emulator, { ...says(question), tools: [weather, booking], tool_choice });
  assert.deepEqual(calls(await ask("none", "What's the weather in Mumbai?")), []);
  assert.equal(calls(await ask("required"))[0]?.[0], "get_weather");
  assert.equal(calls(await ask({ type: "function", function: { name: "book_table" } }))[0]?.[0], "book_table");
  assert.deepEqual(calls(await ask({ type: "function", function: { name: "unknown" } })), []);
});

test("parallel calls are made for several places unless forbidden", async () => {
  const body = { ...says("What's the weather in Mumbai, Pune and New Delhi?"), tools: [weather] };
  const made = calls(await complete(emulator, body)).map(([, args]) => args);
  assert.deepEqual(made, [{ city: "Mumbai" }, { city: "Pune" }, { city: "New Delhi" }]);
  assert.equal(calls(await complete(emulator, { ...body, parallel_tool_calls: false })).length, 1);
});

test("a voice agent's prompt gets a spoken filler beside the call, in the user's language", async () => {
  const system = {
    role: "system",
    content: "You are a friendly phone agent. Briefly acknowledge out loud before using any tool.",
  };
  const ask = async (question: string): Promise<Message | undefined> =>
    (await complete(emulator, { messages: [system, { role: "user", content: question }], tools: [weather] })).choices[0]
      ?.message;
  const english = await ask("What's the weather in Mumbai?");
  assert.match(english?.content ?? "", /^[A-Z].*\.$/);
  assert.equal(english?.tool_calls?.length, 1);
  assert.match((await ask("मुंबई में मौसम कैसा है?"))?.content ?? "", /\p{Script=Devanagari}/u);
  assert.equal((await ask("Tell me a story"))?.tool_calls, undefined);
});

test("the answer after tool results tells what they said, and calls no more", async () => {
  const first = await complete(emulator, { ...says("What's the weather in Mumbai and Pune?"), tools: [weather] });
  const assistant = first.choices[0]?.message as Message;
  const results = (assistant.tool_calls ?? []).map((call, index) => ({
    role: "tool",
    tool_call_id: call.id,
    content: index === 0 ? JSON.stringify({ temperature: 31, sky: "hazy" }) : "light rain",
  }));
  const messages = [{ role: "user", content: "What's the weather in Mumbai and Pune?" }, assistant, ...results];
  const second = await complete(emulator, { messages, tools: [weather] });
  const said = second.choices[0]?.message;
  assert.equal(said?.tool_calls, undefined);
  assert.match(said?.content ?? "", /get_weather: temperature 31, sky hazy/);
  assert.match(said?.content ?? "", /light rain/);
});

test("arguments follow the schema", () => {
  const said = mentionsIn("Send 3 mails to ada@example.org about Jaipur");
  const cases: [schema: object, value: unknown][] = [
    [
      { type: "object", properties: { to: { type: "string", format: "email" } }, required: ["to"] },
      { to: "ada@example.org" },
    ],
    [{ type: "integer", maximum: 2 }, 2],
    [{ const: 7 }, 7],
    [{ type: ["null", "number"] }, 3],
    [{ anyOf: [{ type: "null" }, { type: "boolean" }] }, true],
    [{ type: "array", items: { type: "string" }, minItems: 2 }, ["Jaipur", "Jaipur"]],
    [{ $ref: "#/$defs/n", $defs: { n: { enum: ["x"] } } }, "x"],
    [
      {
        allOf: [
          { properties: { a: { const: 1 } }, required: ["a"] },
          { properties: { b: { const: 2 } }, required: ["b"] },
        ],
      },
      { a: 1, b: 2 },
    ],
    [{ type: "string", maxLength: 3 }, "Jai"],
    [{ $ref: "#", type: "object" }, null],
    // A schema that contains itself: the lists and the choices of it end.
    [
      {
        properties: {
          a: { const: 1 },
          more: { type: "array", items: { $ref: "#" } },
          next: { anyOf: [{ $ref: "#" }, { type: "null" }] },
        },
        required: ["a", "more", "next"],
      },
      { a: 1, more: [], next: null },
    ],
    [
      {
        $ref: "#/$defs/n",
        $defs: {
          n: {
            type: "object",
            properties: { more: { type: "array", items: { $ref: "#/$defs/n" } } },
            required: ["more"],
          },
        },
      },
      { more: [] },
    ],
  ];
  for (const [schema, value] of cases) assert.deepEqual(valueFor(schema, said), value);
});

test("JSON mode answers in JSON, in the shape of an example when there is one", async () => {
  const json = async (body: object): Promise<unknown> =>
    JSON.parse(await content({ ...body, response_format: { type: "json_object" } }));
  const question = 'List three Indian state capitals as {"capitals": [...]}';
  const listed = (await json(says(question))) as { capitals: string[] };
  assert.equal(listed.capitals.length, 3);
  assert.deepEqual(await json(says('Echo: {"a": [1, {"b": null}]}')), { a: [1, { b: null }] });
  const free = (await json(says("Tell me a story"))) as { answer: string };
  assert.ok(free.answer.length > 50);
});

test("json_schema is followed where the service takes it", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, age: { type: "integer" } },
    required: ["name", "age"],
  };
  const body = {
    model: "gpt-4o",
    ...says("Meet Ravi, who is 41"),
    response_format: { type: "json_schema", json_schema: { name: "p", schema } },
  };
  const completion = await complete(emulator, body, { url: HUB });
  assert.deepEqual(JSON.parse(completion.choices[0]?.message.content ?? ""), { name: "Ravi", age: 41 });
});

const PLACES: [path: string, overrides: object, where: "reasoning" | "reasoning_content" | "tags" | "nowhere"][] = [
  ["v1", {}, "reasoning"],
  ["v1legacy", {}, "reasoning_content"],
  ["v1thinking", {}, "tags"],
  ["v1", { reasoning: { delta_field: "reasoning_content" } }, "reasoning_content"],
  ["v1legacy", { reasoning_delta_field: "reasoning" }, "reasoning"],
  ["v1thinking", { reasoning_content_compat: true }, "reasoning_content"],
  ["v1legacy", { reasoning_content_compat: false }, "reasoning_content"],
  ["v1thinking", { reasoning: { delta_field: "reasoning" }, reasoning_content_compat: true }, "reasoning"],
  ["v1", { reasoning: { exclude: true } }, "nowhere"],
  ["v1thinking", { reasoning: { exclude: true } }, "nowhere"],
  ["v1legacy", { model: "deepseek-r1:reasoning-exclude" }, "nowhere"],
  ["v1", { model: "o3", reasoning_effort: "none" }, "nowhere"],
  ["v1", { reasoning_effort: "none" }, "reasoning"], // only OpenAI-shaped models heed it
  ["v1", { model: "gpt-4o" }, "nowhere"],
];

test("ElectronHub's reasoning is where path and overrides put it, and is billed where it is hidden", async (t) => {
  for (const [path, overrides, where] of PLACES) {
    await t.test(`${path} ${JSON.stringify(overrides)}`, async () => {
      const body = { ...says("2 + 2"), model: "deepseek-r1", ...overrides };
      const { choices, usage, model } = await complete(emulator, body, { url: `http://x/${path}/chat/completions` });
      const message = choices[0]?.message as Message;
      assert.equal(Boolean(message.reasoning), where === "reasoning");
      assert.equal(Boolean(message.reasoning_content), where === "reasoning_content");
      assert.equal(/^<think>.+<\/think>2 \+ 2 = 4\.$/.test(message.content ?? ""), where === "tags");
      if (where !== "tags") assert.equal(message.content, "2 + 2 = 4.");
      assert.doesNotMatch(model, /exclude/);
      const thought = usage.completion_tokens_details?.reasoning_tokens ?? 0;
      assert.equal(thought > 0, body.model !== "gpt-4o");
      assert.equal(usage.completion_tokens, thought + countTokens("2 + 2 = 4."));
    });
  }
});

test("more effort is more reasoning, and it counts against max_tokens", async () => {
  const ask = (body: object) => complete(emulator, { ...says("2 + 2"), model: "deepseek-r1", ...body }, { url: HUB });
  const low = await ask({ reasoning_effort: "low" });
  const high = await ask({ reasoning: { effort: "high" } });
  assert.ok((high.choices[0]?.message.reasoning?.length ?? 0) > (low.choices[0]?.message.reasoning?.length ?? 0));
  const cut = await ask({ max_tokens: 4 });
  assert.equal(cut.choices[0]?.finish_reason, "length");
  assert.equal(cut.choices[0]?.message.content, "");
  assert.equal(cut.usage.completion_tokens, 4);
});
