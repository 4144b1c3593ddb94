/**
 * `toAGUI`: events that AG-UI's own schemas accept, for every end of an answer and for runs with tools.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventSchema } from "@ag-ui/core/schemas";
import { type ChatStream, Chatwire, type ToolRun, tool } from "chatwire";
import { type AGUIEvent, toAGUI } from "chatwire/ag-ui";
import { createEmulator } from "chatwire/emulator";
import { DONE, event, hello, says, serve } from "../npm/serving.ts";

const clientOf = (...parts: string[]) =>
  new Chatwire({
    baseURL: "https://a.example/v1",
    apiKey: null,
    maxRetries: 0,
    fetch: async () => serve(parts).response,
  });

/** All events of a source, each accepted by the schemas; starts and ends in pairs. */
async function eventsOf(source: ChatStream | ToolRun, see?: (event: AGUIEvent) => unknown): Promise<AGUIEvent[]> {
  const events: AGUIEvent[] = [];
  const open = new Set<string>();
  const started = new Set<string>();
  let over = false;
  for await (const event of toAGUI(source, { threadId: "t1", runId: "r1" })) {
    EventSchema.parse(event);
    assert.ok(!over, `${event.type} after the end`);
    over = /^RUN_(FINISHED|ERROR)$/.test(event.type);
    // Readers take no end of a run before the ends of all that it started.
    if (over) assert.deepEqual([...open], [], "what was started is ended");
    const id = "toolCallId" in event ? event.toolCallId : "messageId" in event ? event.messageId : "";
    const kind = event.type.replace(/_(START|CONTENT|ARGS|END)$/, "");
    if (event.type.endsWith("_START")) {
      assert.ok(!started.has(kind + id), `${event.type} of an id that was there before`);
      started.add(kind + id);
      open.add(kind + id);
    } else if (event.type.endsWith("_END")) assert.ok(open.delete(kind + id), `${event.type} without a start`);
    else if (/_(CONTENT|ARGS)$/.test(event.type))
      assert.ok(open.has(kind + id), `${event.type} outside of its message`);
    events.push(event);
    see?.(event);
  }
  assert.ok(over, "the run has an end");
  return events;
}

const types = (events: readonly AGUIEvent[]) =>
  events.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1]);
const delta = (delta: object, finish_reason: string | null = null) =>
  event({ choices: [{ index: 0, delta, finish_reason }] });

describe("toAGUI", () => {
  it("has reasoning, text and a call that is left to the reader", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Pune"}' } };
    const client = clientOf(
      delta({ reasoning_content: "Hm." }),
      says("One moment."),
      delta({ tool_calls: [call] }),
      delta({}, "tool_calls"),
      event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } }),
      DONE,
    );
    const events = await eventsOf(client.chat.completions.stream(hello));
    assert.deepEqual(types(events), [
      "RUN_STARTED",
      "REASONING_START",
      "REASONING_MESSAGE_START",
      "REASONING_MESSAGE_CONTENT",
      "REASONING_MESSAGE_END",
      "REASONING_END",
      "TEXT_MESSAGE_START",
      "TEXT_MESSAGE_CONTENT",
      "TEXT_MESSAGE_END",
      "TOOL_CALL_START",
      "TOOL_CALL_ARGS",
      "TOOL_CALL_END",
      "RUN_FINISHED",
    ]);
    const last = events.at(-1);
    assert.ok(last?.type === "RUN_FINISHED");
    assert.deepEqual(last.outcome, { type: "success", pendingToolCallIds: ["c1"] });
    assert.equal(last.usage?.[0]?.totalTokens, 7);
  });

  it("ends in an error after all that came, where the answer broke off, failed, or never began", async () => {
    const cut = await eventsOf(clientOf(says("Once")).chat.completions.stream(hello));
    assert.deepEqual(types(cut).slice(-3), ["TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_ERROR"]);
    const failed = await eventsOf(
      clientOf(says("Once"), event({ error: { message: "Overloaded" } })).chat.completions.stream(hello),
    );
    const error = failed.at(-1);
    assert.ok(error?.type === "RUN_ERROR" && error.message.includes("Overloaded"));
    const refused = new Chatwire({
      baseURL: "https://a.example/v1",
      maxRetries: 0,
      fetch: async () => new Response("", { status: 403 }),
    });
    assert.deepEqual(types(await eventsOf(refused.chat.completions.stream(hello))), ["RUN_STARTED", "RUN_ERROR"]);
  });

  it("is cancelled when its caller aborts, and cancels the request when its reader leaves", async () => {
    const served = serve([says("Once")], { after: "silence" });
    const client = new Chatwire({ baseURL: "https://a.example/v1", fetch: async () => served.response });
    const stream = client.chat.completions.stream(hello);
    const seen: AGUIEvent[] = [];
    for await (const one of toAGUI(stream)) {
      seen.push(one);
      if (one.type === "TEXT_MESSAGE_CONTENT") stream.abort();
    }
    const last = seen.at(-1);
    assert.ok(last?.type === "RUN_FINISHED" && last.outcome.type === "cancelled");

    const other = serve([says("Once")], { after: "silence" });
    const leaving = new Chatwire({ baseURL: "https://a.example/v1", fetch: async () => other.response });
    for await (const one of toAGUI(leaving.chat.completions.stream(hello)))
      if (one.type === "TEXT_MESSAGE_CONTENT") break;
    await new Promise(setImmediate);
    assert.equal(other.cancelled, true);
  });

  const call = (index: number, id: string, input: string, name = "look") => ({
    tool_calls: [{ index, id, type: "function", function: { name, arguments: input } }],
  });
  const of = <Type extends AGUIEvent["type"]>(events: readonly AGUIEvent[], type: Type) =>
    events.filter((one): one is Extract<AGUIEvent, { type: Type }> => one.type === type);

  it("ends a call that was cut short, however the answer ended, and leaves it to nobody", async () => {
    const started = delta(call(0, "c1", '{"ci'));
    for (const parts of [[started], [started, delta({}, "length"), DONE]]) {
      const events = await eventsOf(clientOf(...parts).chat.completions.stream(hello));
      assert.deepEqual(
        of(events, "TOOL_CALL_END").map(({ toolCallId }) => toolCallId),
        ["c1"],
      );
      const [finished] = of(events, "RUN_FINISHED");
      if (finished) assert.deepEqual(finished.outcome, { type: "success" });
    }
    const served = serve([started], { after: "silence" });
    const client = new Chatwire({ baseURL: "https://a.example/v1", fetch: async () => served.response });
    const stream = client.chat.completions.stream(hello);
    const events = eventsOf(stream, ({ type }) => type === "TOOL_CALL_ARGS" && stream.abort());
    assert.deepEqual(types(await events).slice(-3), ["TOOL_CALL_ARGS", "TOOL_CALL_END", "RUN_FINISHED"]);
  });

  it("tells the calls of one turn under one message", async () => {
    const calls = [delta(call(0, "c1", "{}")), delta(call(1, "c2", "{}")), delta({}, "tool_calls"), DONE];
    for (const before of [[], [says("One moment.")], [says("One moment."), delta({ reasoning_content: "Hm." })]]) {
      const events = await eventsOf(clientOf(...before, ...calls).chat.completions.stream(hello));
      const parents = of(events, "TOOL_CALL_START").map(({ parentMessageId }) => parentMessageId);
      assert.equal(parents.length, 2);
      assert.ok(parents[0] !== undefined && parents[0] === parents[1], parents.join());
      const [text] = of(events, "TEXT_MESSAGE_START");
      if (text) assert.equal(parents[0], text.messageId);
    }
  });

  it("tells calls apart that have the same id in two steps of a run", async () => {
    const turns = [
      [delta(call(0, "call_0", '{"a":1}')), delta({}, "tool_calls"), DONE],
      [delta(call(0, "call_0", '{"a":2}')), delta(call(1, "call_1", "{}", "other")), delta({}, "tool_calls"), DONE],
      [says("Done."), delta({}, "stop"), DONE],
    ];
    const fetch = async () => serve(turns.shift() ?? []).response;
    const client = new Chatwire({ baseURL: "https://a.example/v1", apiKey: null, fetch });
    const look = tool({ name: "look", execute: (input) => JSON.stringify(input) });
    const other = tool({ name: "other", execute: () => "2" });
    const events = await eventsOf(client.chat.completions.runTools({ ...hello, tools: [look, other] }));
    const args = new Map(of(events, "TOOL_CALL_ARGS").map(({ toolCallId, delta }) => [toolCallId, delta]));
    const results = of(events, "TOOL_CALL_RESULT");
    assert.equal(args.size, 3);
    assert.deepEqual(
      results.map(({ toolCallId, content }) => [args.get(toolCallId), content]),
      [
        ['{"a":1}', '{"a":1}'],
        ['{"a":2}', '{"a":2}'],
        ["{}", "2"],
      ],
    );
    assert.equal(new Set(results.map(({ messageId }) => messageId)).size, 3);
    const [finished] = of(events, "RUN_FINISHED");
    assert.deepEqual(finished?.outcome, { type: "success" });
  });

  it("counts tokens as AG-UI does: details are parts of the sums", async () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 99,
      prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 3 },
    };
    const client = clientOf(says("Hi"), delta({}, "stop"), event({ choices: [], usage }), DONE);
    const [finished] = of(await eventsOf(client.chat.completions.stream(hello)), "RUN_FINISHED");
    const [{ model: _, ...counts } = {}] = finished?.usage ?? [];
    assert.deepEqual(counts, {
      inputTokens: 10,
      outputTokens: 5,
      totalTokens: 15,
      cachedInputTokens: 4,
      cacheWriteInputTokens: 2,
      reasoningTokens: 3,
    });
  });

  it("takes a stream of any copy of the package", async () => {
    const { ChatStream: Other } = await import("chatwire/js");
    const body = new Response([says("Hi", "stop"), DONE].join("")).body ?? assert.fail("no body");
    const events = await eventsOf(Other.fromReadableStream(body) as never);
    assert.deepEqual(
      of(events, "TEXT_MESSAGE_CONTENT").map(({ delta }) => delta),
      ["Hi"],
    );
  });

  it("tells a run with tools as one run", async () => {
    const weather = tool({
      name: "get_weather",
      description: "The weather in a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      execute: async () => "31 degrees",
    });
    const client = new Chatwire({ provider: "electron", apiKey: "k", fetch: createEmulator().fetch });
    const run = client.chat.completions.runTools({
      messages: [{ role: "user", content: "What is the weather in Pune? Use the weather tool." }],
      tools: [weather],
    });
    const events = await eventsOf(run);
    const result = events.find((one) => one.type === "TOOL_CALL_RESULT");
    const started = events.find((one) => one.type === "TOOL_CALL_START");
    assert.ok(result && started);
    assert.equal(result.toolCallId, started.toolCallId);
    assert.equal(result.content, "31 degrees");
    const last = events.at(-1);
    assert.ok(last?.type === "RUN_FINISHED");
    assert.deepEqual(last.outcome, { type: "success" });
  });
});
