/**
 * Letting a model use tools, and answers of a given shape.
 *
 * Long because runs, their options and answers of a given shape share the tools and the scripted model at its top.
 */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import {
  APIError,
  APIUserAbortError,
  Chatwire,
  ChatwireError,
  type ClientOptions,
  InvalidRequestError,
  ProtocolError,
  type StandardSchema,
  type ToolRunEvent,
  TruncatedError,
  tool,
} from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, collect, DONE, event, failureOf, gate, hello, says, serve } from "./serving.ts";

interface Call {
  id: string;
  name: string;
  arguments: string;
}

/** A turn of the model that calls tools. */
function calls(...all: Call[]): string[] {
  const delta = {
    tool_calls: all.map(({ id, name, arguments: args }, index) => ({
      index,
      id,
      type: "function",
      function: { name, arguments: args },
    })),
  };
  const usage = {
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 15,
    prompt_tokens_details: { cached_tokens: 4 },
  };
  return [
    event({ choices: [{ index: 0, delta, finish_reason: null }] }),
    event({ choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }], usage }),
    DONE,
  ];
}

const answer = (text: string): string[] => [
  says(text, "stop"),
  event({ choices: [], usage: { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 } }),
  DONE,
];

/** A client whose server gives these turns, one per request; `sent` has what it was asked. */
function turns(...all: string[][]): {
  client: Chatwire;
  sent: { messages: { role: string; content?: unknown }[]; tools?: unknown[] }[];
} {
  const sent: { messages: { role: string; content?: unknown }[] }[] = [];
  const client = clientOf(async (_url, init) => {
    sent.push(JSON.parse(init.body ?? ""));
    return serve(all[sent.length - 1] ?? assert.fail("one turn too many")).response;
  });
  return { client, sent };
}

const add = tool<{ a: number; b: number }>({
  name: "add",
  description: "Adds two numbers",
  parameters: {
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number", maximum: 100 } },
    required: ["a", "b"],
    additionalProperties: false,
  },
  execute: ({ a, b }) => ({ sum: a + b }),
});
const call = (id: string, args: unknown, name = "add"): Call => ({ id, name, arguments: JSON.stringify(args) });
const results = (events: ToolRunEvent[]) => events.flatMap((found) => (found.type === "tool_result" ? [found] : []));

test("a_run_calls_tools_and_tells_the_model_until_it_answers", async () => {
  const { client, sent } = turns(calls(call("c1", { a: 1, b: 2 }), call("c2", { a: 3, b: 4 })), answer("3 and 7"));
  const run = client.chat.completions.runTools({ ...hello, tools: [add] });
  const events = await collect(run);
  assert.deepEqual(
    results(events).map(({ id, step, content, failed }) => [id, step, content, failed]),
    [
      ["c1", 0, '{"sum":3}', false],
      ["c2", 0, '{"sum":7}', false],
    ],
  );
  assert.deepEqual(
    events.flatMap((found) => (found.type === "text" ? [[found.step, found.text]] : [])),
    [[1, "3 and 7"]],
  );
  assert.deepEqual(
    sent[1]?.messages.map(({ role }) => role),
    ["user", "assistant", "tool", "tool"],
  );
  assert.equal(await run.finalContent(), "3 and 7");
  const outcome = await run.outcome();
  assert.equal(outcome.steps.length, 2);
  assert.equal(outcome.messages.at(-1)?.content, "3 and 7");
  assert.deepEqual(outcome.messages, run.messages);
  const usage = await run.totalUsage();
  assert.deepEqual(
    [usage?.prompt_tokens, usage?.completion_tokens, usage?.total_tokens, usage?.prompt_tokens_details?.cached_tokens],
    [30, 8, 38, 4],
  );
});

test("a_run_that_nobody_iterates_runs_by_itself", async () => {
  const { client } = turns(calls(call("c1", { a: 1, b: 2 })), answer("3"));
  const run = client.chat.completions.runTools({ ...hello, tools: [add] });
  assert.equal(await run.finalContent(), "3");
  await assert.rejects(collect(run), ChatwireError);
});

test("a_run_that_is_left_before_its_first_step_has_an_outcome", async () => {
  const { client, sent } = turns(answer("Hello"));
  const run = client.chat.completions.runTools({ ...hello, tools: [] });
  await run[Symbol.asyncIterator]().return(undefined);
  const { status, steps } = await run.outcome();
  assert.deepEqual([status, steps, sent], ["aborted", [], []]);
});

test("the_shape_of_openai_tools_works_too", async () => {
  const { client, sent } = turns(calls(call("c1", { city: "Paris" }, "getWeather")), answer("sunny"));
  const seen: unknown[] = [];
  async function getWeather(args: { city: string }) {
    seen.push(args);
    return "sunny";
  }
  const parameters = { type: "object", properties: { city: { type: "string" } } };
  const tools = [
    { type: "function" as const, function: { function: getWeather, parse: JSON.parse, description: "d", parameters } },
  ];
  await client.chat.completions.runTools({ ...hello, tools }).finalContent();
  assert.deepEqual(seen, [{ city: "Paris" }]);
  assert.deepEqual(sent[0]?.tools, [
    { type: "function", function: { name: "getWeather", description: "d", parameters } },
  ]);
});

test("what_goes_wrong_in_a_call_is_told_to_the_model", async () => {
  const throws = tool({ name: "throws", execute: () => Promise.reject(new RangeError("out of paper")) });
  const slow = tool({ name: "slow", timeout: 10, execute: () => new Promise(() => {}) });
  const loop: { itself?: unknown } = {};
  loop.itself = loop;
  const odd = tool({ name: "odd", execute: () => loop });
  const { client, sent } = turns(
    calls(
      call("c0", { a: "1", b: 200, c: 3 }),
      call("c1", {}, "nowhere"),
      { id: "c2", name: "add", arguments: '{"a":' },
      call("c3", {}, "throws"),
      call("c4", {}, "slow"),
      call("c5", {}, "odd"),
      { id: "c6", name: "throws", arguments: "" },
    ),
    answer("sorry"),
  );
  const run = client.chat.completions.runTools({ ...hello, tools: [add, throws, slow, odd] });
  const told = results(await collect(run)).sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.ok(told.every(({ failed }) => failed));
  for (const [at, words] of [
    /a: must be number; b: must be at most 100; c: is not known/,
    /nowhere/,
    /not complete/,
    /out of paper/,
    /10 ms/,
    /circular/,
    /out of paper/,
  ].entries()) {
    assert.match(told[at]?.content ?? "", words);
  }
  const sentBack = sent[1]?.messages.filter(({ role }) => role === "tool").map(({ content }) => content);
  assert.deepEqual(
    sentBack,
    told.map(({ content }) => content),
  );
});

test("no_more_tools_run_at_once_than_allowed", async () => {
  let running = 0;
  let most = 0;
  const gates = Array.from({ length: 5 }, () => gate());
  const work = tool<{ at: number }>({
    name: "work",
    parameters: { type: "object" },
    execute: async ({ at }) => {
      most = Math.max(most, ++running);
      for (const each of gates.slice(0, at + 1)) each.open();
      await gates[at]?.promise;
      await new Promise(setImmediate);
      running--;
    },
  });
  const { client } = turns(calls(...gates.map((_, at) => call(`c${at}`, { at }, "work"))), answer("done"));
  await client.chat.completions.runTools({ ...hello, tools: [work] }, { concurrency: 2 }).finalContent();
  assert.equal(most, 2);
});

test("a_call_runs_only_with_leave", async () => {
  const asked: unknown[] = [];
  const ran: unknown[] = [];
  const work = tool<{ n: number }>({
    name: "work",
    parameters: { type: "object" },
    execute: ({ n }) => void ran.push(n),
  });
  const { client, sent } = turns(calls(...[1, 2, 3].map((n) => call(`c${n}`, { n }, "work"))), answer("ok"));
  const approve = async (pending: { id: string; arguments: unknown }) => {
    asked.push(pending);
    return { c1: true, c2: false, c3: "the user said no" }[pending.id] ?? false;
  };
  await client.chat.completions.runTools({ ...hello, tools: [work] }, { approve }).finalContent();
  assert.deepEqual(ran, [1]);
  assert.deepEqual(asked[0], { id: "c1", name: "work", arguments: { n: 1 }, step: 0 });
  const told = sent[1]?.messages.slice(2).map(({ content }) => content) as string[];
  assert.match(told[0] ?? "", /nothing/);
  assert.match(told[1] ?? "", /not allowed/);
  assert.match(told[2] ?? "", /the user said no/);
});

test("a_run_has_a_step_limit", async () => {
  const again = () => calls(call("c", { a: 1, b: 1 }));
  const { client } = turns(again(), again(), again());
  const run = client.chat.completions.runTools({ ...hello, tools: [add] }, { maxSteps: 3 });
  const error = await failureOf(run.finalContent());
  assert.match(error.message, /3 turns.*maxSteps/);
  const outcome = await run.outcome();
  assert.deepEqual([outcome.status, outcome.steps.length, outcome.usage?.total_tokens], ["error", 3, 45]);
});

test("a_turn_that_breaks_ends_the_run_with_its_error", async () => {
  const { client } = turns(calls(call("c1", { a: 1, b: 2 })), [says("3 is")]);
  const run = client.chat.completions.runTools({ ...hello, tools: [add] });
  const error = await failureOf(collect(run));
  assert.ok(error instanceof TruncatedError);
  const outcome = await run.outcome();
  assert.deepEqual([outcome.status, outcome.text, outcome.steps.length], ["truncated", "3 is", 2]);
  await assert.rejects(run.finalMessage(), TruncatedError);
});

test("what_was_heard_of_a_runs_answer_is_its_turn", async () => {
  const two = [...calls(call("c1", { a: 1, b: 2 }))];
  // While the answer comes, and after its end.
  for (const when of ["during", "after"] as const) {
    const last = when === "during" ? [says("One two. Three four")] : answer("One two. Three four");
    const { client } = turns(two, last);
    const run = client.chat.completions.runTools({ ...hello, tools: [add] });
    for await (const found of run) if (found.type === "text" && when === "during") run.abort({ heard: 12 });
    if (when === "after") run.abort({ heard: 12 });
    const { status, message } = await run.outcome();
    assert.deepEqual([status, message?.content], [when === "during" ? "aborted" : "complete", "One two."], when);
    assert.deepEqual(
      run.messages.map(({ role, content }) => [role, content ?? null]).slice(-1),
      [when === "during" ? ["tool", '{"sum":3}'] : ["assistant", "One two."]],
      when,
    );
  }
});

test("a_filler_stays_whole_once_its_tools_run", async () => {
  const filler = [says("Let me look that up"), ...calls(call("c1", { a: 1, b: 2 }))];
  const { client } = turns(filler, answer("never"));
  const slow = tool({ name: "add", execute: () => new Promise(() => {}) });
  const run = client.chat.completions.runTools({ ...hello, tools: [slow] });
  for await (const found of run) if (found.type === "finish") setImmediate(() => run.abort({ heard: 3 }));
  assert.equal((await run.outcome()).status, "aborted");
  const [turn, result] = run.messages.slice(-2);
  assert.deepEqual([turn?.role, turn?.content, result?.role], ["assistant", "Let me look that up", "tool"]);
});

test("aborting_a_run_aborts_its_tools_and_ends_it_silently", async () => {
  for (const how of ["run", "signal", "break"] as const) {
    const outer = new AbortController();
    const started = gate<AbortSignal>();
    const hangs = tool({
      name: "hangs",
      execute: (_args, context) => {
        started.open(context.signal);
        return new Promise(() => {});
      },
    });
    const { client } = turns(calls(call("c1", {}, "hangs"), call("c2", { a: 1, b: 1 })), answer("never"));
    const run = client.chat.completions.runTools({ ...hello, tools: [hangs, add] }, { signal: outer.signal });
    const seen: string[] = [];
    for await (const found of run) {
      seen.push(found.type);
      if (found.type !== "tool_result" || found.id !== "c2") continue;
      if (how === "break") break;
      if (how === "run") run.abort();
      else outer.abort();
    }
    const outcome = await run.outcome();
    assert.equal(outcome.status, "aborted", how);
    assert.equal((await started.promise).aborted, true, how);
    await assert.rejects(run.finalContent(), APIUserAbortError, how);
    assert.equal(getEventListeners(outer.signal, "abort").length, 0, how);
  }
});

/** Every call of a conversation has its answer, and every answer its call, with no id twice. */
function assertValid(
  messages: readonly { role: string; tool_call_id?: string; tool_calls?: readonly { id: string }[] }[],
) {
  const seen = new Set<string>();
  let open: string[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      assert.ok(open.includes(message.tool_call_id ?? ""), `nobody called ${message.tool_call_id}`);
      open = open.filter((id) => id !== message.tool_call_id);
      continue;
    }
    assert.equal(open.length, 0, "calls without an answer");
    for (const { id } of message.tool_calls ?? []) {
      assert.ok(!seen.has(id), `${id} twice`);
      seen.add(id);
      open.push(id);
    }
  }
  assert.equal(open.length, 0, "calls without an answer at the end");
}

test("the_conversation_is_valid_however_a_run_is_left", async () => {
  for (const how of ["break", "abort", "throw", "return"] as const) {
    const hangs = tool({ name: "hangs", execute: () => new Promise(() => {}) });
    const { client } = turns(calls(call("c1", {}, "hangs"), call("c2", { a: 1, b: 1 }), call("c3", {}, "hangs")));
    const run = client.chat.completions.runTools({ ...hello, tools: [hangs, add] }, { concurrency: 2 });
    const read = (async () => {
      for await (const found of run) {
        if (found.type !== "tool_result") continue;
        if (how === "break") break;
        if (how === "abort") run.abort();
        if (how === "throw") throw new Error("mine");
        if (how === "return") return;
      }
    })();
    await read.catch((error) => assert.equal(error.message, "mine"));
    const { messages, status } = await run.outcome();
    assert.equal(status, "aborted", how);
    assertValid(messages);
    const told = messages.flatMap(({ role, content }) => (role === "tool" ? [String(content)] : []));
    assert.equal(told.length, 3, how);
    assert.equal(told[1], '{"sum":2}', how);
    assert.match(told[2] ?? "", /not run|aborted/, how);
  }
  const { client } = turns(calls(call("c1", { a: 1, b: 2 })), [says("3 is")]);
  const run = client.chat.completions.runTools({ ...hello, tools: [add] });
  await failureOf(collect(run));
  assertValid(run.messages);
});

test("of_a_run_that_is_left_results_that_exist_are_told_and_calls_that_were_begun_are_not_said_to_be_unrun", async () => {
  const quick = tool({ name: "quick", execute: () => "done" });
  const hangs = tool({
    name: "hangs",
    execute: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("my own words")));
      }),
  });
  for (const how of ["break", "abort", "throw"] as const) {
    const turn = calls(...["quick", "hangs", "quick", "quick", "hangs"].map((name, at) => call(`c${at}`, {}, name)));
    const { client } = turns(turn);
    const run = client.chat.completions.runTools({ ...hello, tools: [quick, hangs] }, { concurrency: 4 });
    const read = (async () => {
      for await (const found of run) {
        if (found.type !== "tool_result") continue;
        if (how === "break") break;
        if (how === "abort") run.abort();
        if (how === "throw") throw new Error("mine");
      }
    })();
    await read.catch((error) => assert.equal(error.message, "mine"));
    const { messages } = await run.outcome();
    assertValid(messages);
    const told = messages.flatMap(({ role, content }) => (role === "tool" ? [String(content)] : []));
    assert.deepEqual([told[0], told[2], told[3]], ["done", "done", "done"], how);
    assert.match(told[1] ?? "", /not run to its end/, how);
    assert.match(told[4] ?? "", /not run/, how);
  }
});

test("nobody_is_asked_for_leave_once_a_run_is_aborted", async () => {
  const asked: string[] = [];
  const { client } = turns(calls(call("c1", { a: 1, b: 1 }), call("c2", { a: 2, b: 2 })));
  const run = client.chat.completions.runTools(
    { ...hello, tools: [add] },
    {
      concurrency: 1,
      approve: ({ id }) => {
        asked.push(id);
        run.abort();
        return true;
      },
    },
  );
  const { status, messages } = await run.outcome();
  assert.deepEqual([status, asked], ["aborted", ["c1"]]);
  assertValid(messages);
  for (const { role, content } of messages) if (role === "tool") assert.match(String(content), /was not run:/);
});

test("a_message_that_is_added_too_late_for_a_turn_is_for_whoever_goes_on", async () => {
  for (const how of ["stopWhen", "abort", "break"] as const) {
    const { client } = turns(calls(call("c1", { a: 1, b: 1 })));
    const run = client.chat.completions.runTools({ ...hello, tools: [add] }, { stopWhen: () => how === "stopWhen" });
    for await (const found of run) {
      if (found.type !== "tool_result") continue;
      run.addMessage({ role: "user", content: "In German, please." });
      if (how === "abort") run.abort();
      if (how === "break") break;
    }
    const { messages } = await run.outcome();
    assert.deepEqual(
      messages.slice(-2).map(({ role, content }) => [role, content]),
      [
        ["tool", '{"sum":2}'],
        ["user", "In German, please."],
      ],
      how,
    );
    assertValid(messages);
  }
});

test("ids_that_begin_anew_with_each_turn_are_made_unique", async () => {
  const { client, sent } = turns(
    calls(call("call_0", { a: 1, b: 2 }), call("call_1", { a: 1, b: 1 })),
    calls(call("call_0", { a: 3, b: 4 })),
    calls(call("call_0", { a: 5, b: 6 })),
    answer("done"),
  );
  const run = client.chat.completions.runTools({ ...hello, tools: [add] });
  await run.finalContent();
  assertValid(run.messages);
  assert.deepEqual(
    sent[3]?.messages.flatMap((message) => (message.role === "tool" ? [message.content] : [])),
    ['{"sum":3}', '{"sum":2}', '{"sum":7}', '{"sum":11}'],
  );
});

test("a_forced_choice_forces_the_first_turn_only", async () => {
  const named = { type: "function", function: { name: "add" } } as const;
  const allowed = (mode: string) => ({ type: "allowed_tools", allowed_tools: { mode, tools: [named] } });
  for (const [choice, later] of [
    ["required", undefined],
    [named, undefined],
    ["auto", "auto"],
    ["none", "none"],
    [undefined, undefined],
    [allowed("required"), allowed("auto")],
  ] as const) {
    const { client, sent } = turns(calls(call("c", { a: 1, b: 2 })), answer("3"));
    await client.chat.completions.runTools({ ...hello, tools: [add], tool_choice: choice as never }).finalContent();
    const choices = sent.map((body) => (body as { tool_choice?: unknown }).tool_choice);
    assert.deepEqual(choices, [choice, later]);
  }
  const { client, sent } = turns(answer("hi"));
  const none = { tools: [], tool_choice: "required", parallel_tool_calls: false } as const;
  await client.chat.completions.runTools({ ...hello, ...none }).finalContent();
  assert.deepEqual(Object.keys(sent[0] ?? {}).sort(), ["messages", "model", "stream", "stream_options"]);
});

test("a_name_that_is_nearly_right_finds_its_tool_and_another_hears_what_there_is", async () => {
  const [getTime, getTime2] = ["get_time", "getTime"].map((name) => tool({ name, execute: () => name }));
  for (const [name, tools, expected] of [
    ["functions.add", [add], /^\{"sum"/],
    ["default_api:add", [add], /^\{"sum"/],
    ["mcp__math__add", [add], /^\{"sum"/],
    ["functions.add:0", [add], /^\{"sum"/],
    ["add:0", [add], /^\{"sum"/],
    ["math->add", [add], /^\{"sum"/],
    ["cancel_add", [add], /no tool named/],
    ["add.cancel", [add], /no tool named/],
    ["functions.get_time", [getTime, getTime2], /^get_time$/],
    ["ADD", [add], /^\{"sum"/],
    ["Add", [add], /^\{"sum"/],
    ["GetTime", [getTime, add], /^get_time$/],
    ["GET_TIME", [getTime, getTime2], /no tool named.*get_time, getTime/],
    ["getTime", [getTime, getTime2], /^getTime$/],
    ["subtract", [add], /no tool named "subtract"\. The tools are: add\./],
  ] as const) {
    const { client, sent } = turns(calls(call("c", { a: 1, b: 2 }, name)), answer("ok"));
    await client.chat.completions.runTools({ ...hello, tools: tools as never }).finalContent();
    assert.match(String(sent[1]?.messages.at(-1)?.content), expected, name);
  }
});

test("a_turn_goes_back_with_names_that_servers_take", async () => {
  for (const [name, expected] of [
    ["functions.add", "add"],
    ["Add", "add"],
    ["subtract", "subtract"],
    ["math.subtract two", "math_subtract_two"],
    ["", "unknown"],
  ] as const) {
    const { client, sent } = turns(calls(call("c", { a: 1, b: 2 }, name)), answer("ok"));
    await client.chat.completions.runTools({ ...hello, tools: [add] }).finalContent();
    const [, turn] = (sent[1]?.messages ?? []) as { tool_calls?: { function: { name: string } }[] }[];
    assert.equal(turn?.tool_calls?.[0]?.function.name, expected, name);
  }
});

test("a_turn_forces_no_tool_that_it_does_not_have", async () => {
  const other = tool({ name: "other", execute: () => 1 });
  const named = { type: "function", function: { name: "add" } } as const;
  for (const [choice, prepared] of [
    [named, { activeTools: ["other"] }],
    [undefined, { activeTools: ["other"], tool_choice: named }],
    [undefined, { activeTools: [], tool_choice: "required", parallel_tool_calls: false }],
  ] as const) {
    const { client, sent } = turns(answer("ok"));
    const params = { ...hello, tools: [add, other], ...(choice && { tool_choice: choice }) };
    await client.chat.completions.runTools(params, { prepareStep: () => prepared }).finalContent();
    const { tool_choice, parallel_tool_calls } = sent[0] as { tool_choice?: unknown; parallel_tool_calls?: unknown };
    assert.deepEqual([tool_choice, parallel_tool_calls], [undefined, undefined]);
  }
});

test("a_function_of_the_caller_that_throws_is_named", async () => {
  const cause = new Error("mine");
  const throws = () => {
    throw cause;
  };
  for (const name of ["prepareStep", "stopWhen"]) {
    const { client } = turns(calls(call("c", { a: 1, b: 2 })), answer("ok"));
    const run = client.chat.completions.runTools({ ...hello, tools: [add] }, { [name]: throws });
    const { error } = await run.outcome();
    assert.deepEqual([error?.message, error?.cause], [`${name} failed: mine`, cause]);
    assertValid(run.messages);
  }
});

test("whatever_a_tool_returns_says_something_to_the_model", async () => {
  class Hidden {
    #secret = 1;
    get length() {
      return this.#secret;
    }
  }
  for (const [value, expected] of [
    [new RangeError("too far"), "Error: too far"],
    [new Error(""), "Error: Error"],
    [undefined, "The tool ran and returned nothing."],
    [null, "null"],
    ["", ""],
    [{}, "{}"],
    [new Map([["a", new Set([1])]]), '{"a":[1]}'],
    [new Map(), "{}"],
    [{ failed: new TypeError("x") }, '{"failed":{"name":"TypeError","message":"x"}}'],
    [new Hidden(), "Error: The tool returned a Hidden, which JSON cannot represent."],
    [new WeakMap(), "Error: The tool returned a WeakMap, which JSON cannot represent."],
    [() => 1, "Error: The tool returned a function, which JSON cannot represent."],
    ["half \uD83D", "half \uFFFD"],
    [new Error("half \uD83D"), "Error: half \uFFFD"],
    [JSON.stringify({ a: "half \uD83D" }), '{"a":"half \uFFFD"}'],
    [String.raw`["\ud83d\ude00 \uD83D"]`, String.raw`["\ud83d\ude00 ${"\uFFFD"}"]`],
    ["the escape \\ud83d in words", "the escape \\ud83d in words"],
    [{ run() {} }, "Error: The tool returned a Object, which JSON cannot represent."],
    [{ toJSON: () => ({ a: 1 }) }, '{"a":1}'],
    [{ a: 1, run() {}, more: { run() {} } }, '{"a":1,"more":"[Object]"}'],
    [{ a: undefined }, "{}"],
    [{ "\uD83D": ["\uD83D", "\\ud83d", "\u{1F600}"] }, '{"\uFFFD":["\uFFFD","\\\\ud83d","\u{1F600}"]}'],
    [new Map([[{ id: 1 }, "a"]]), '[[{"id":1},"a"]]'],
    [new Uint8Array([1, 2]), "[1,2]"],
    [Number.NaN, '"NaN"'],
    [{ least: Number.NEGATIVE_INFINITY }, '{"least":"-Infinity"}'],
    [10n, '"10"'],
    [{ n: [10n], when: new Date(0) }, '{"n":["10"],"when":"1970-01-01T00:00:00.000Z"}'],
    [
      { later: Promise.resolve(1), hidden: new Hidden(), map: new Map(), none: {} },
      '{"later":"[Promise]","hidden":"[Hidden]","map":{},"none":{}}',
    ],
    [new Response("x"), "Error: The tool returned a Response, which JSON cannot represent."],
    [new Uint8Array(), "[]"],
    [Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    [(function* () {})(), "Error: The tool returned a object, which JSON cannot represent."],
    ["whole \u{1F600}", "whole \u{1F600}"],
  ] as const) {
    const gives = tool({ name: "gives", execute: () => value });
    const { client, sent } = turns(calls(call("c", {}, "gives")), answer("ok"));
    await client.chat.completions.runTools({ ...hello, tools: [gives] }).finalContent();
    assert.equal(sent[1]?.messages.at(-1)?.content, expected);
  }
});

test("whatever_a_tool_throws_says_something_to_the_model", async () => {
  for (const [thrown, expected] of [
    [{ message: "no such row", code: 5 }, "Error: no such row"],
    [{ code: 5 }, 'Error: {"code":5}'],
    [Object.assign(Object.create(null), { message: "bare" }), "Error: bare"],
    [Symbol("mine"), "Error: Symbol(mine)"],
    [new RangeError(), "Error: RangeError"],
    ["", "Error: no words"],
    [undefined, "Error: undefined"],
  ] as const) {
    const throws = tool({ name: "throws", execute: () => Promise.reject(thrown) });
    const { client, sent } = turns(calls(call("c", {}, "throws")), answer("ok"));
    await client.chat.completions.runTools({ ...hello, tools: [throws] }).finalContent();
    assert.equal(sent[1]?.messages.at(-1)?.content, expected);
  }
});

test("an_abort_settles_a_run_that_waits_for_leave_or_a_schema", async () => {
  const never = () => new Promise<never>(() => {});
  const schema: StandardSchema<unknown> = {
    "~standard": { version: 1, vendor: "test", validate: never, jsonSchema: { input: () => ({ type: "object" }) } },
  };
  const work = tool({ name: "work", execute: () => 1 });
  const checked = tool({ name: "work", parameters: schema, execute: () => 1 });
  for (const [tools, options] of [
    [[work], { approve: never }],
    [[checked], {}],
    [[work], { prepareStep: never }],
    [[work], { stopWhen: never }],
  ] as const) {
    const { client } = turns(calls(call("c", {}, "work")), answer("ok"));
    const run = client.chat.completions.runTools({ ...hello, tools }, options);
    const ended = collect(run);
    setTimeout(() => run.abort(), 20);
    await ended;
    const { status, messages } = await run.outcome();
    assert.equal(status, "aborted");
    assertValid(messages);
  }
});

test("a_run_stops_when_it_is_told_to", async () => {
  const again = () => calls(call("c", { a: 1, b: 1 }));
  for (const [stopWhen, steps] of [
    [({ steps }: { steps: unknown[] }) => steps.length === 2, 2],
    [[() => false, async () => true], 1],
  ] as const) {
    const { client } = turns(again(), again(), answer("never"));
    const run = client.chat.completions.runTools({ ...hello, tools: [add] }, { stopWhen });
    await collect(run);
    const outcome = await run.outcome();
    assert.deepEqual([outcome.status, outcome.steps.length], ["complete", steps]);
    assert.equal(outcome.messages.at(-1)?.role, "tool");
    assertValid(outcome.messages);
  }
});

test("a_step_is_prepared_in_the_words_of_the_ai_sdk_too", async () => {
  const ran: string[] = [];
  const other = tool({ name: "other", execute: () => ran.push("other") });
  const { client, sent } = turns(
    calls(call("c1", {}, "other")),
    calls(call("c2", { a: 1, b: 1 })),
    calls(call("c3", { a: 1, b: 1 })),
    answer("done"),
  );
  const run = client.chat.completions.runTools(
    { ...hello, tools: [add, other] },
    {
      prepareStep: ({ stepNumber, step }) => {
        assert.equal(stepNumber, step);
        if (stepNumber === 0) return { activeTools: ["add"], toolChoice: "required" };
        if (stepNumber === 1) return { toolChoice: { type: "tool", toolName: "add" } };
        return stepNumber === 2 ? { toolChoice: "none" } : undefined;
      },
    },
  );
  await run.finalContent();
  const named = { type: "function", function: { name: "add" } };
  assert.deepEqual(
    (sent as { tool_choice?: unknown }[]).map(({ tool_choice }) => tool_choice),
    ["required", named, "none", undefined],
  );
  assert.ok(!JSON.stringify(sent).includes("toolChoice"));
  // A tool that the turn did not have is not run.
  assert.deepEqual(ran, []);
  const told = sent[1]?.messages.find(({ role }) => role === "tool")?.content;
  assert.match(String(told), /no tool named "other"\. The tools are: add\./);
});

test("messages_are_a_valid_conversation_at_every_moment", async () => {
  const seen: string[] = [];
  let run: ReturnType<typeof client.chat.completions.runTools>;
  const look = () => {
    assertValid(run.messages);
    seen.push(run.messages.map(({ role }) => role).join(" "));
  };
  const looks = tool({ name: "looks", execute: look });
  const { client } = turns(calls(call("c1", {}, "looks"), call("c2", {}, "looks")), answer("done"));
  run = client.chat.completions.runTools({ ...hello, tools: [looks] }, { stopWhen: () => look() as unknown as false });
  for await (const _ of run) look();
  assert.deepEqual([...new Set(seen)], ["user", "user assistant tool tool"]);

  const { client: left } = turns(calls(call("c1", {}, "hangs")));
  const hangs = tool({ name: "hangs", execute: () => new Promise(() => {}) });
  run = left.chat.completions.runTools({ ...hello, tools: [hangs] });
  for await (const { type } of run) {
    if (type !== "tool_call.done") continue;
    setTimeout(() => {
      run.abort();
      look();
    });
  }
  look();
  assert.equal(seen.at(-1), "user assistant tool");
});

test("the_turns_of_a_run_are_kept_whatever_the_call_keeps", async () => {
  const [turn = "", ...rest] = calls(call("c1", { a: 1, b: 2 }));
  const { client, sent } = turns([says("I add. "), turn, ...rest], answer("3"));
  const run = client.chat.completions.runTools({ ...hello, tools: [add] }, { accumulate: false });
  assert.equal(await run.finalContent(), "3");
  assert.equal(sent[1]?.messages[1]?.content, "I add. ");
  assert.equal(run.messages.at(-1)?.content, "3");
});

test("a_step_can_be_prepared_and_a_message_added_while_it_runs", async () => {
  const other = tool({ name: "other", execute: () => 1 });
  const { client, sent } = turns(calls(call("c", { a: 1, b: 1 })), answer("two"), answer("zwei"));
  const seen: unknown[] = [];
  const run = client.chat.completions.runTools(
    { ...hello, tools: [add, other] },
    {
      prepareStep: async ({ step, steps, messages }) => {
        seen.push([step, steps.length, messages.length]);
        if (step === 0) return { activeTools: ["add"], temperature: 0 };
        return step === 1 ? { model: "better" } : undefined;
      },
    },
  );
  for await (const found of run) {
    if (found.type === "text" && found.step === 1) run.addMessage({ role: "user", content: "In German, please." });
  }
  assert.deepEqual(seen, [
    [0, 0, 1],
    [1, 1, 3],
    [2, 2, 5],
  ]);
  const bodies = sent as { model: string; temperature?: number; tools?: unknown[]; messages: { role: string }[] }[];
  assert.deepEqual(
    bodies.map(({ model, temperature, tools }) => [model, temperature, tools?.length]),
    [
      ["m", 0, 1],
      ["better", undefined, 2],
      ["m", undefined, 2],
    ],
  );
  assert.deepEqual(
    bodies[2]?.messages.map(({ role }) => role),
    ["user", "assistant", "tool", "assistant", "user"],
  );
  assert.equal(await run.finalContent(), "zwei");
  assert.throws(() => run.addMessage({ role: "user", content: "more" }), /over/);
});

test("a_turn_to_send_back_has_reasoning_only_where_the_provider_takes_it", async () => {
  const thought = event({ choices: [{ index: 0, delta: { reasoning_content: "hm" } }] });
  const turn = async (options: ClientOptions) => {
    const fetch = async () => serve([thought, says("yes", "stop"), DONE]).response;
    const client = new Chatwire({ apiKey: "k", fetch, ...options });
    const params = { model: "electron", messages: hello.messages };
    return (await client.chat.completions.stream(params).outcome()).message;
  };
  const [bare, full] = [
    { role: "assistant", content: "yes" },
    { role: "assistant", content: "yes", reasoning_content: "hm" },
  ];
  for (const [options, expected] of [
    [{ baseURL: "https://own.test/v1" }, full],
    [{ provider: { baseURL: "https://own.test/v1", takesReasoning: false } }, bare],
    [{ provider: "openai" }, bare],
    [{ provider: "electron" }, bare],
    [{ provider: "openai", baseURL: "https://deepseek.test/v1" }, full],
  ] as const) {
    assert.deepEqual(await turn(options), expected, JSON.stringify(options));
  }
});

test("the_turn_of_an_outcome_is_the_assistants_and_has_no_nulls", async () => {
  for (const role of ["model", "Assistant", null]) {
    const delta = { role, content: "Hi", annotations: null, name: null, custom_field: null };
    const { client } = turns([event({ choices: [{ index: 0, delta, finish_reason: "stop" }] }), DONE]);
    const { message, completion } = await client.chat.completions.stream(hello).outcome();
    assert.deepEqual(message, { role: "assistant", content: "Hi" });
    // The completion is as the server has it.
    assert.equal(completion?.choices[0]?.message.role, role ?? "assistant");
  }
});

test("the_turn_of_an_outcome_has_no_arguments_that_are_no_json", async () => {
  const { client } = turns(calls({ id: "c", name: "add", arguments: '{"a": 1, ' }));
  const { message, toolCalls } = await client.chat.completions.stream(hello).outcome();
  assert.equal(toolCalls[0]?.arguments, '{"a": 1, ');
  assert.equal(toolCalls[0]?.complete, false);
  const [sent] = (message?.tool_calls ?? []) as { function: { arguments: string } }[];
  assert.equal(sent?.function.arguments, "{}");
});

test("arguments_that_are_no_json_never_go_back", async () => {
  const { client, sent } = turns(calls({ id: "c", name: "add", arguments: '{"a": 1, ' }), answer("sorry"));
  await client.chat.completions.runTools({ ...hello, tools: [add] }).finalContent();
  const [, turn, result] = (sent[1]?.messages ?? []) as {
    tool_calls?: { function: { arguments: string } }[];
    content: string;
  }[];
  assert.equal(turn?.tool_calls?.[0]?.function.arguments, "{}");
  assert.match(result?.content ?? "", /not complete JSON: \{"a": 1, /);
});

test("arguments_that_are_no_object_never_go_back", async () => {
  for (const written of ["[1]", "5", '"x"', "true", " [ ]"]) {
    const { client, sent } = turns(calls({ id: "c", name: "add", arguments: written }), answer("sorry"));
    const run = client.chat.completions.runTools({ ...hello, tools: [add] });
    const outcome = await run.outcome();
    const [, turn, result] = (sent[1]?.messages ?? []) as unknown as {
      tool_calls: { function: { arguments: string } }[];
      content: string;
    }[];
    assert.equal(turn?.tool_calls[0]?.function.arguments, "{}", written);
    assert.match(result?.content ?? "", /must be object/, written);
    const of = outcome.steps[0]?.message as unknown as typeof turn;
    assert.equal(of?.tool_calls[0]?.function.arguments, "{}", written);
  }
});

test("half_a_surrogate_pair_is_sent_as_a_replacement_character", async () => {
  const { client, sent } = turns(answer("a"), answer("b"));
  const contents = ["half \uD83D", "\uDE00\uDE00", "whole \u{1F600}", "\\ud83d as text", "\\\uD83D"];
  for (const content of [contents.join("|"), [{ type: "text" as const, text: contents.join("|") }]]) {
    await client.chat.completions.stream({ ...hello, messages: [{ role: "user", content }] }).outcome();
  }
  const expected = ["half \uFFFD", "\uFFFD\uFFFD", "whole \u{1F600}", "\\ud83d as text", "\\\uFFFD"].join("|");
  assert.equal(sent[0]?.messages[0]?.content, expected);
  assert.deepEqual(sent[1]?.messages[0]?.content, [{ type: "text", text: expected }]);
  // So it is in the JSON of arguments, where whole pairs are escapes too; a user may write what he likes.
  const written = String.raw`{"a":"\ud83d \uD83D\uDE00 \\ud83d","\ude00":1}`;
  const tool_calls = [{ id: "c", type: "function" as const, function: { name: "f", arguments: written } }];
  const { client: calling, sent: called } = turns(answer("c"));
  const messages = [
    { role: "user" as const, content: written },
    { role: "assistant" as const, content: null, tool_calls },
    { role: "tool" as const, tool_call_id: "c", content: "1" },
  ];
  await calling.chat.completions.stream({ ...hello, messages }).outcome();
  const [said, turn] = (called[0]?.messages ?? []) as unknown as { content: string; tool_calls: typeof tool_calls }[];
  assert.equal(said?.content, written);
  assert.deepEqual(JSON.parse(turn?.tool_calls[0]?.function.arguments ?? ""), {
    a: "\uFFFD \u{1F600} \\ud83d",
    "\uFFFD": 1,
  });
  // So it is in what a fallback is sent beside.
  let told = "";
  const other = clientOf(async (_, { body }) => {
    told = body ?? "";
    return new Response("no", { status: 400 });
  });
  const fallback = [{ client: other, model: "m", params: { user: "half \uD83D" } }];
  const broken = clientOf(async () => new Response("no", { status: 500 }), { maxRetries: 0, fallback });
  await failureOf(broken.chat.completions.create(hello));
  assert.equal(JSON.parse(told).user, "half \uFFFD");
});

test("a_run_that_makes_no_sense_is_named", async () => {
  const { completions } = clientOf(async () => assert.fail("it was sent")).chat;
  for (const params of [undefined, { ...hello }, { ...hello, tools: [{}] }, { ...hello, tools: "add" }]) {
    const run = completions.runTools(params as never);
    assert.ok((await failureOf(run.finalContent())) instanceof ChatwireError);
    assert.equal((await run.outcome()).status, "error");
  }
});

test("the_emulator_uses_tools_to_answer", async () => {
  const { fetch } = createEmulator({ seed: 5 });
  const client = new Chatwire({ provider: "electron", apiKey: "k", fetch });
  const cities: string[] = [];
  const weather = tool<{ city: string }>({
    name: "get_weather",
    description: "Current weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    execute: ({ city }) => {
      cities.push(city);
      return "21 degrees and sunny";
    },
  });
  const run = client.chat.completions.runTools({
    messages: [{ role: "user", content: "What is the weather in Paris and in Rome?" }],
    model: "electron",
    tools: [weather],
    stream_options: { include_usage: true },
  });
  assert.match((await run.finalContent()) ?? "", /21 degrees and sunny/);
  assert.deepEqual(cities.sort(), ["Paris", "Rome"]);
  assert.equal((await run.totalUsage())?.total_tokens, client.usage.total_tokens);
});

/** A Standard Schema by hand. */
const person: StandardSchema<{ name: string; born: Date }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) => {
      const { name, born } = value as Record<string, unknown>;
      if (typeof name !== "string") return { issues: [{ message: "a name is text", path: [{ key: "name" }] }] };
      return { value: { name, born: new Date(String(born)) } };
    },
    jsonSchema: { input: ({ target }) => ({ target, type: "object" }) },
  },
};

const whole = (content: string | null, more: object = {}) => ({
  choices: [{ index: 0, message: { role: "assistant", content, ...more }, finish_reason: "stop" }],
});

test("a_run_sends_a_function_as_it_is_written", async () => {
  const written = {
    name: "f",
    description: "Does it",
    strict: true,
    parameters: { type: "object", properties: {}, additionalProperties: false },
    "x-own": { a: [1] },
  };
  const { client, sent } = turns(answer("done"));
  const nested = { type: "function" as const, function: { ...written, function: () => "done", parse: JSON.parse } };
  const flat = tool({ name: "g", strict: true, parameters: { type: "object" }, execute: () => "done" });
  await client.chat.completions.runTools({ ...hello, tools: [nested, flat] }).outcome();
  assert.deepEqual(sent[0]?.tools, [
    { type: "function", function: written },
    { type: "function", function: { name: "g", strict: true, parameters: { type: "object" } } },
  ]);
});

test("a_run_refuses_a_tool_that_cannot_run_before_anything_is_sent", async () => {
  const parameters = { type: "object" };
  for (const [tools, words] of [
    ["none", /a list of tools/],
    [[null], /a tool is an object/],
    [[{ type: "function", function: { name: "f", parameters } }], /"f" has no function to run: give it function/],
    [[{ name: "f", parameters, execute: "later" }], /"f" has no function to run: give it execute/],
    [[{ type: "custom", custom: { name: "sql" } }], /type "custom" cannot be run here/],
    [[{ name: "", execute: () => {} }], /no name/],
    [[{ type: "function", function: { name: "f", parameters, function: () => {}, parse: 1 } }], /no function to run/],
    [[add, { ...add, description: "another" }], /two tools are named "add"/],
  ] as const) {
    const { client, sent } = turns();
    const run = client.chat.completions.runTools({ ...hello, tools: tools as never });
    const error = await failureOf(run.finalContent());
    assert.ok(error instanceof InvalidRequestError, error.message);
    assert.match(error.message, words);
    assert.equal(error.details[0]?.path[0], "tools");
    assert.equal((await run.outcome()).status, "error");
    assert.deepEqual(sent, []);
  }
});

test("a_run_asks_for_usage_where_the_provider_takes_it_and_nobody_said_otherwise", async () => {
  const ask = async (options: ClientOptions, more: object = {}) => {
    let sent: { stream_options?: unknown } = {};
    const fetch: ClientOptions["fetch"] = async (_url, init) => {
      sent = JSON.parse(init.body ?? "");
      return serve(answer("done")).response;
    };
    const client = new Chatwire({ apiKey: "k", fetch, ...options });
    const params = { messages: hello.messages, model: "electron", tools: [add], ...more };
    await client.chat.completions.runTools(params).outcome();
    return sent.stream_options;
  };
  const asked = { include_usage: true };
  assert.deepEqual(await ask({ provider: "electron" }), asked);
  assert.deepEqual(await ask({ provider: "openai" }), asked);
  assert.deepEqual(await ask({ baseURL: "https://own.test/v1" }), asked);
  assert.equal(await ask({ provider: "electronhub" }), undefined);
  const own = { include_usage: false };
  assert.deepEqual(await ask({ provider: "openai" }, { stream_options: own }), own);
});

test("parse_gives_what_a_standard_schema_makes_of_the_answer", async () => {
  let sent: Record<string, unknown> = {};
  const client = clientOf(async (_url, init) => {
    sent = JSON.parse(init.body ?? "");
    return Response.json(whole('{"name":"Ada","born":"1815-12-10"}'), { headers: { "x-request-id": "r" } });
  });
  const completion = await client.chat.completions.parse({ ...hello, response_format: person });
  assert.deepEqual(completion.choices[0]?.message.parsed, { name: "Ada", born: new Date("1815-12-10") });
  assert.equal(completion._request_id, "r");
  assert.deepEqual(sent.response_format, {
    type: "json_schema",
    json_schema: { name: "answer", schema: { target: "draft-2020-12", type: "object" } },
  });
});

test("parse_refuses_what_does_not_fit_without_repeating_it", async () => {
  const format = {
    type: "json_schema" as const,
    json_schema: { name: "n", schema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } },
  };
  const ask = (body: object) =>
    clientOf(async () => Response.json(body)).chat.completions.parse({ ...hello, response_format: format });
  assert.deepEqual((await ask(whole('{"n":1}'))).choices[0]?.message.parsed, { n: 1 });
  for (const [content, words] of [
    ['{"n":"secret"}', /n: must be integer/],
    ["{}", /n: is missing/],
    ["not secret JSON", /not the JSON/],
  ] as const) {
    const error = await failureOf(ask(whole(content)));
    assert.ok(error instanceof ProtocolError);
    assert.match(error.message, words);
    assert.doesNotMatch(error.message, /secret/);
  }
  const cut = whole('{"n":');
  Object.assign(cut.choices[0] ?? {}, { finish_reason: "length" });
  assert.match((await failureOf(ask(cut))).message, /max_tokens/);
  assert.equal((await ask(whole(null, { refusal: "no" }))).choices[0]?.message.parsed, null);
});

test("parse_asks_electron_for_any_json_and_checks_it_here", async () => {
  let sent: Record<string, unknown> = {};
  const fetch = async (_url: string, init: { body?: string }) => {
    sent = JSON.parse(init.body ?? "");
    return Response.json(whole('{"name":"Ada"}'));
  };
  const client = new Chatwire({ provider: "electron", apiKey: "k", fetch });
  const messages = [{ role: "user" as const, content: "As JSON, please." }];
  const { choices } = await client.chat.completions.parse({ model: "electron", messages, response_format: person });
  assert.equal(choices[0]?.message.parsed?.name, "Ada");
  assert.deepEqual(sent.response_format, { type: "json_object" });
});

const wantsN = {
  type: "json_schema" as const,
  json_schema: {
    name: "n",
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: { n: { type: "integer" } },
      required: ["n"],
    },
  },
};

test("json_is_taken_from_wherever_a_model_has_put_it_and_the_repair_is_recorded", async () => {
  const fenced = '```json\n{"n": 1}\n```';
  for (const [message, codes] of [
    [{ content: '{"n":1}' }, []],
    [{ content: '  {"n":1}\n' }, []],
    [{ content: fenced }, ["parse.fence"]],
    [{ content: '```\n{"n":1}\n```' }, ["parse.fence"]],
    [{ content: `Here you are:\n${fenced}\nIs there more?` }, ["parse.fence"]],
    [{ content: '```json\n{"n":1}' }, ["parse.fence"]],
    [{ content: 'Sure! The answer is {"n":1}. Bye.' }, ["parse.prose"]],
    [{ content: 'A set {a, b} and a list [x]: {"n":1}' }, ["parse.prose"]],
    [{ content: 'First {"m":2}, then {"n":1}' }, ["parse.prose"]],
    [{ content: 'In words "{": {"n":1,"t":"}"}' }, ["parse.prose"]],
    [{ content: '<think>Is it {"n":2}?</think>\n{"n":1}' }, ["parse.thinking"]],
    [{ content: 'Is it {"n":2}?</think>{"n":1}' }, ["parse.thinking"]],
    [{ content: 'analysisIs it {"n":2}?assistantfinal{"n":1}' }, ["parse.thinking"]],
    [{ content: `<think>so</think>${fenced}` }, ["parse.thinking", "parse.fence"]],
    [{ content: JSON.stringify('{"n":1}') }, ["parse.encoded_twice"]],
    [{ content: JSON.stringify(fenced) }, ["parse.encoded_twice", "parse.fence"]],
    [{ content: JSON.stringify(JSON.stringify('{"n":1}')) }, ["parse.encoded_twice"]],
    [
      {
        content: [
          { type: "reasoning", text: '{"n":2}' },
          { type: "output_text", text: '{"n":1}' },
        ],
      },
      ["parse.parts"],
    ],
    [{ content: ['{"n":1}'] }, ["parse.parts"]],
    [
      { content: null, tool_calls: [{ id: "c", type: "function", function: { name: "n", arguments: '{"n":1}' } }] },
      ["parse.tool_call"],
    ],
    [
      {
        content: [
          { type: "text", text: '{"n"' },
          { type: "text", text: ":1}" },
        ],
      },
      ["parse.parts"],
    ],
    [{ content: { type: "text", text: '{"n":1}' } }, ["parse.parts"]],
    [{ content: { n: 1 } }, ["parse.parts"]],
    [{ content: null, reasoning_content: '{"n":1}' }, ["parse.reasoning"]],
    [{ content: null, reasoning_text: '{"n":1}' }, ["parse.reasoning"]],
    [{ content: "", thinking: '{"n":1}' }, ["parse.reasoning"]],
    [{ content: "", reasoning: `So: ${fenced}` }, ["parse.reasoning", "parse.fence"]],
    [{ content: '{"n":1,}' }, ["parse.spelling"]],
    [{ content: "{'n': 1, 'said': 'it\\'s \"so\"', 'is': [True, None,],}" }, ["parse.spelling"]],
    [{ content: '{"n":1,"s":"a\n\tb"}' }, ["parse.spelling"]],
    [{ content: '{"n":1,"s":"C:\\my\\dir"}' }, ["parse.spelling"]],
    [{ content: 'Here:\n```json\n{"n":1,"more":NaN}\n```' }, ["parse.spelling", "parse.fence"]],
    [{ content: 'It is "so": {"n":1,}' }, ["parse.spelling", "parse.prose"]],
    [{ content: "{n: 1, said: 'so', $is_it: true,}" }, ["parse.spelling"]],
    [{ content: '{"n": 1, // the first\n "u": "http://a/b" /* b */,\n}' }, ["parse.spelling"]],
    [{ content: "{\u201cn\u201d: 1, \u201csaid\u201d: \u201cso\u201d}" }, ["parse.spelling"]],
    [{ content: '{\\"n\\":1,\\"s\\":\\"a\\"}' }, ["parse.encoded_twice"]],
    [{ content: '<think>{"n":1}</think>' }, ["parse.reasoning"]],
    [{ content: '~~~json\n{"n":1}\n~~~' }, ["parse.prose"]],
    [{ content: [], reasoning_content: '{"n":1}' }, ["parse.reasoning"]],
    [{ content: [{ type: "thinking", thinking: [{ type: "text", text: '{"n":1}' }] }] }, ["parse.reasoning"]],
    [
      { content: [], tool_calls: [{ id: "c", type: "function", function: { name: "n", arguments: '{"n":1}' } }] },
      ["parse.tool_call"],
    ],
    [
      { content: null, tool_calls: [{ id: "c", type: "function", function: { name: "n", arguments: { n: 1 } } }] },
      ["parse.tool_call"],
    ],
  ] as const) {
    const answered = clientOf(async () =>
      Response.json({ choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop" }] }),
    ).chat.completions;
    const ask = () => answered.parse({ ...hello, response_format: wantsN });
    const completion = await ask();
    assert.equal((completion.choices[0]?.message.parsed as { n: number } | null)?.n, 1, JSON.stringify(message));
    const repairs = completion._outcome?.repairs.map(({ code }) => code).filter((code) => code.startsWith("parse."));
    assert.deepEqual(repairs, codes, JSON.stringify(message));
    const strict = answered.parse({ ...hello, response_format: wantsN }, { decoding: "strict" });
    if (codes.length > 0) assert.ok((await failureOf(strict)) instanceof ProtocolError, JSON.stringify(message));
  }
});

test("of_each_choice_the_json_is_what_is_no_thinking", async () => {
  const choices = ['{"n":1}', '[THINK]{"n":2}[/THINK]{"n":3}', 'Is it {"n":4}?</think>{"n":5}'].map(
    (content, index) => ({ index, message: { role: "assistant", content }, finish_reason: "stop" }),
  );
  const { chat } = clientOf(async () => Response.json({ choices }));
  const read = await chat.completions.parse({ ...hello, n: 3, response_format: wantsN });
  assert.deepEqual(
    read.choices.map(({ message }) => message.parsed),
    [{ n: 1 }, { n: 3 }, { n: 5 }],
  );
});

test("the_text_of_an_old_completion_is_read_as_a_message", async () => {
  const { chat } = clientOf(async () =>
    Response.json({ choices: [{ index: 0, text: '{"n":1}', finish_reason: "stop" }] }),
  );
  const { choices } = await chat.completions.parse({ ...hello, response_format: wantsN });
  assert.deepEqual(choices[0]?.message.parsed, { n: 1 });
  assert.equal(choices[0]?.message.content, '{"n":1}');
});

test("words_or_thinking_beside_calls_are_no_answer", async () => {
  const tool_calls = [{ id: "c", type: "function", function: { name: "look", arguments: '{"n":2}' } }];
  for (const [message, parsed] of [
    [{ content: "Let me look.", tool_calls }, null],
    [{ content: null, reasoning_content: 'I look, then say {"n":1}.', tool_calls }, null],
    [{ content: null, function_call: { name: "look", arguments: "{}" } }, null],
    [{ content: '{"n":1}', tool_calls }, 1],
  ] as const) {
    const { chat } = clientOf(async () =>
      Response.json({ choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: "stop" }] }),
    );
    const { choices } = await chat.completions.parse({ ...hello, response_format: wantsN });
    const read = choices[0]?.message.parsed as { n: number } | null;
    assert.equal(read?.n ?? null, parsed, JSON.stringify(message));
  }
});

test("an_answer_that_is_missing_or_cut_is_an_error_that_has_its_text", async () => {
  const ask = (message: object, finish_reason: string, format: object = wantsN) =>
    clientOf(async () =>
      Response.json({ choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }] }),
    ).chat.completions.parse({ ...hello, response_format: format as typeof wantsN });
  for (const [content, finish, words] of [
    ['{"n":', "length", /max_tokens/],
    ['{"n":1}', "length", /max_tokens/],
    ['{"n":', "MAX_TOKENS", /max_tokens/],
    ['{"n":', "model_length", /max_tokens/],
    ['{"n":', "content_filter", /content filter/],
    ["only prose", "stop", /not the JSON/],
    ['{"n":"one"}', "stop", /n: must be integer/],
  ] as const) {
    const error = (await failureOf(ask({ content }, finish))) as ProtocolError;
    assert.ok(error instanceof ProtocolError, content);
    assert.match(error.message, words);
    assert.equal(error.outcome?.text, content);
  }
  const tool_calls = [{ id: "c", type: "function", function: { name: "f", arguments: '{"a":1}' } }];
  const cut = (await failureOf(ask({ content: null, tool_calls }, "length"))) as ProtocolError;
  assert.match(cut.message, /max_tokens/);
  for (const format of [{ type: "json_object" }, { type: "json_schema", json_schema: { name: "any" } }]) {
    for (const content of ["null", '"null"', "5", '"text"', "true"]) {
      const error = (await failureOf(ask({ content }, "stop", format))) as ProtocolError;
      assert.match(error.message, /not the JSON/, content);
      assert.equal(error.outcome?.text, content);
    }
    assert.deepEqual((await ask({ content: "[1]" }, "stop", format)).choices[0]?.message.parsed, [1]);
  }
  const refused = await ask({ content: [{ type: "refusal", refusal: "no" }] }, "stop");
  assert.equal(refused.choices[0]?.message.parsed, null);
  const called = await ask({ content: null, tool_calls }, "tool_calls");
  const [choice] = called.choices;
  assert.equal(choice?.message.parsed, null);
  const [sent] = (choice?.message.tool_calls ?? []) as unknown as { function: { parsed_arguments: unknown } }[];
  assert.deepEqual(sent?.function.parsed_arguments, { a: 1 });
  assert.equal((await ask({ content: "free text" }, "stop", { type: "text" })).choices[0]?.message.parsed, null);
});

test("a_server_without_json_schema_is_told_the_schema_in_the_messages", async () => {
  const bodies: { messages: { role: string; content: string }[]; response_format: unknown }[] = [];
  const fetch = async (_url: string, init: { body?: string }) => {
    bodies.push(JSON.parse(init.body ?? ""));
    return Response.json(whole('{"n":1}'));
  };
  const { completions } = new Chatwire({ provider: "electron", apiKey: "k", fetch }).chat;
  const user = { role: "user" as const, content: "How many?" };
  const system = { role: "system" as const, content: "Be brief." };
  const ask = (messages: (typeof user | typeof system)[], options = {}) =>
    completions.parse({ model: "electron", messages, response_format: wantsN }, options);
  await ask([user]);
  await ask([system, user]);
  await ask([user], { schemaInMessages: false });
  const [alone, appended, off] = bodies.map(({ messages }) => messages);
  assert.deepEqual(
    alone?.map(({ role }) => role),
    ["system", "user"],
  );
  assert.match(alone?.[0]?.content ?? "", /JSON.*"required":\["n"\]/);
  assert.match(appended?.[0]?.content ?? "", /^Be brief\.\n\nAnswer with JSON/);
  assert.deepEqual(off, [user]);
  assert.ok(bodies.every(({ response_format }) => JSON.stringify(response_format) === '{"type":"json_object"}'));
  assert.doesNotMatch(JSON.stringify(bodies), /\$schema/);
});

test("a_server_that_refuses_json_schema_is_told_the_schema_in_the_messages", async () => {
  const bodies: { messages: { content: string }[]; response_format: { type: string } }[] = [];
  const asked = (status: number, body: object, options = {}) => {
    bodies.length = 0;
    const client = clientOf(async (_url, init) => {
      bodies.push(JSON.parse(init.body ?? ""));
      return bodies.length === 1 ? Response.json(body, { status }) : Response.json(whole('{"n":1}'));
    });
    return client.chat.completions.parse({ ...hello, response_format: wantsN }, options);
  };
  for (const [status, body] of [
    [400, { error: { message: "This response_format type is unavailable now" } }],
    [400, { error: { message: "'json_schema' is not supported with this model." } }],
    [422, { detail: [{ loc: ["body", "response_format", "type"], msg: "Input should be 'text' or 'json_object'" }] }],
  ] as const) {
    const { choices } = await asked(status, body);
    assert.deepEqual(choices[0]?.message.parsed, { n: 1 });
    assert.deepEqual(
      bodies.map(({ response_format }) => response_format.type),
      ["json_schema", "json_object"],
    );
    assert.match(bodies[1]?.messages[0]?.content ?? "", /JSON.*"required":\["n"\]/);
    await assert.rejects(asked(status, body, { schemaInMessages: false }), APIError);
    assert.equal(bodies.length, 1);
  }
  // An error about the schema itself, or about another parameter, is not asked again.
  for (const message of ["Invalid schema for response_format 'n'", "messages is missing"]) {
    await assert.rejects(asked(400, { error: { message } }), APIError);
    assert.equal(bodies.length, 1, message);
  }
});

test("strict_is_asked_for_where_the_schema_allows_it", async () => {
  const closed = (properties: object, required: string[]) => ({
    type: "object",
    properties,
    required,
    additionalProperties: false,
  });
  for (const [schema, strict] of [
    [closed({ a: { type: "string" } }, ["a"]), true],
    [closed({ a: closed({ b: { type: "number" } }, ["b"]) }, ["a"]), true],
    [closed({ a: { type: "string" } }, []), undefined],
    [{ type: "object", properties: { a: {} }, required: ["a"] }, undefined],
    [closed({ a: { type: "array", items: { type: "object", properties: {} } } }, ["a"]), undefined],
    // Members may have the names of keywords.
    [closed({ properties: { type: "string" }, type: { type: "null" } }, ["properties", "type"]), true],
    [closed({ a: { anyOf: [{ type: "string" }, { type: "null" }] }, b: { enum: [1, 2] } }, ["a", "b"]), true],
    [closed({ a: { type: ["string", "null"] }, b: { type: "array", items: { const: 1 } } }, ["a", "b"]), true],
    [{ ...closed({ a: { $ref: "#/$defs/b" } }, ["a"]), $defs: { b: { type: "string" } } }, true],
    [{ ...closed({ a: { $ref: "#/$defs/b" } }, ["a"]), $defs: { b: { type: "object" } } }, undefined],
    [{ type: "array", items: { type: "string" } }, undefined],
    [{ anyOf: [closed({ a: { type: "string" } }, ["a"])] }, undefined],
    [{ type: "object", anyOf: [closed({}, [])] }, undefined],
    [closed({ a: { oneOf: [{ type: "string" }] } }, ["a"]), undefined],
    [closed({ a: { allOf: [{ type: "string" }] } }, ["a"]), undefined],
    [closed({ a: { type: "array", prefixItems: [{ type: "string" }] } }, ["a"]), undefined],
    [closed({ a: { type: "array" } }, ["a"]), undefined],
    [closed({ a: { type: "array", items: { type: "string" }, uniqueItems: true } }, ["a"]), undefined],
    [closed({ a: {} }, ["a"]), undefined],
    [closed({ a: true }, ["a"]), undefined],
    [closed({ a: { type: "object", propertyNames: {}, additionalProperties: { type: "string" } } }, ["a"]), undefined],
  ] as const) {
    let sent: { response_format?: { json_schema: { strict?: boolean } } } = {};
    const client = clientOf(async (_url, init) => {
      sent = JSON.parse(init.body ?? "");
      return Response.json(whole('{"a":1}'));
    });
    const format: StandardSchema<unknown> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => ({ value }),
        jsonSchema: { input: () => schema },
      },
    };
    await client.chat.completions.parse({ ...hello, response_format: format });
    assert.equal(sent.response_format?.json_schema.strict, strict, JSON.stringify(schema));
  }
});
