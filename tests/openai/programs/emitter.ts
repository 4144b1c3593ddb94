/** `stream()`: its events, snapshots and finals. */
import type OpenAI from "openai";
import type { Context, Programs } from "../compare.ts";
import {
  callPieces,
  chunk,
  end,
  hello,
  messages,
  model,
  pieces,
  refuses,
  start,
  streams,
  streamsCalls,
  usageChunk,
} from "../said.ts";

type Streaming = ReturnType<OpenAI["chat"]["completions"]["stream"]>;

const NAMES = [
  "connect",
  "chunk",
  "content",
  "content.delta",
  "content.done",
  "refusal.delta",
  "refusal.done",
  "tool_calls.function.arguments.delta",
  "tool_calls.function.arguments.done",
  "logprobs.content.delta",
  "logprobs.content.done",
  "logprobs.refusal.delta",
  "logprobs.refusal.done",
  "message",
  "chatCompletion",
  "functionToolCall",
  "functionToolCallResult",
  "finalContent",
  "finalMessage",
  "finalChatCompletion",
  "finalFunctionToolCall",
  "finalFunctionToolCallResult",
  "totalUsage",
  "error",
  "abort",
  "end",
] as const;

/** Prints every event, as it was when it came. */
export function printEvents(stream: unknown, { print, printError }: Context): void {
  const emitter = stream as { on(name: string, listener: (...args: unknown[]) => void): void };
  for (const name of NAMES) {
    emitter.on(name, (...args) => {
      if (args[0] instanceof Error) printError(args[0]);
      print(name, structuredClone(args.map((one) => (one instanceof Error ? "(an error)" : one))));
    });
  }
}

/** Prints every final. */
async function printFinals(stream: Streaming, { print }: Context): Promise<void> {
  print(
    await stream.finalContent(),
    await stream.finalMessage(),
    await stream.finalChatCompletion(),
    await stream.totalUsage(),
    (await stream.finalFunctionToolCall()) ?? "no call",
    (await stream.finalFunctionToolCallResult()) ?? "no result",
    stream.allChatCompletions().length,
    stream.messages,
  );
}

const tools = [{ type: "function" as const, function: { name: "weather", parameters: { type: "object" } } }];

export const emitter: Programs = {
  "every event of a text": async (context) => {
    context.answers({ events: [...pieces("Hel", "lo"), usageChunk] });
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  "every event of tool calls": async (context) => {
    context.answers(
      streamsCalls(callPieces("weather", ['{"city', '":"Par', 'is"}']), callPieces("time", ['{"zone":1}'], 1)),
    );
    const stream = context.client().chat.completions.stream({ ...hello, tools });
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  "text and a tool call": async (context) => {
    context.answers({
      events: [...pieces("One ", "moment.").slice(0, 3), ...callPieces("weather", ["{}"]), end("tool_calls")],
    });
    const stream = context.client().chat.completions.stream({ ...hello, tools });
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  "a refusal": async (context) => {
    context.answers({
      events: [start, chunk({ refusal: "I " }), chunk({ refusal: "cannot." }), end("stop")],
    });
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  logprobs: async (context) => {
    const likely = (token: string) => ({ token, bytes: [1], logprob: -0.1, top_logprobs: [] });
    context.answers({
      events: [
        start,
        chunk({ content: "a" }, { logprobs: { content: [likely("a")], refusal: null } }),
        chunk({ content: "b" }, { logprobs: { content: [likely("b")], refusal: null } }),
        end("stop"),
      ],
    });
    const stream = context.client().chat.completions.stream({ ...hello, logprobs: true });
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  "logprobs of a refusal": async (context) => {
    const likely = (token: string) => ({ token, bytes: null, logprob: -2, top_logprobs: [] });
    context.answers({
      events: [start, chunk({ refusal: "no" }, { logprobs: { content: null, refusal: [likely("no")] } }), end("stop")],
    });
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  "several choices": async (context) => {
    const at = (index: number, delta: object, finish_reason: string | null = null) =>
      chunk(delta, { index, finish_reason });
    context.answers({
      events: [
        at(0, { role: "assistant", content: "a" }),
        at(1, { role: "assistant", content: "x" }),
        at(1, { content: "y" }, "stop"),
        at(0, { content: "b" }, "stop"),
      ],
    });
    const stream = context.client().chat.completions.stream({ ...hello, n: 2 });
    printEvents(stream, context);
    context.print(await stream.finalChatCompletion());
  },
  "an old function call": async (context) => {
    context.answers({
      events: [
        chunk({ role: "assistant", content: null, function_call: { name: "f", arguments: "" } }),
        chunk({ function_call: { arguments: '{"a"' } }),
        chunk({ function_call: { arguments: ":1}" } }),
        end("function_call"),
      ],
    });
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    await printFinals(stream, context);
  },
  "a custom tool call": async (context) => {
    const piece = (call: object) => chunk({ tool_calls: [{ index: 0, ...call }] });
    context.answers({
      events: [
        start,
        piece({ id: "c1", type: "custom", custom: { name: "sql", input: "" } }),
        piece({ custom: { input: "select " } }),
        piece({ custom: { input: "1" } }),
        end("tool_calls"),
      ],
    });
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    context.print(await stream.finalChatCompletion());
  },
  sound: async (context) => {
    context.answers({
      events: [
        chunk({ role: "assistant", audio: { id: "a1", transcript: "He" } }),
        chunk({ audio: { data: "AAA" } }),
        chunk({ audio: { transcript: "llo", data: "BBB" } }),
        chunk({ audio: { expires_at: 5 } }),
        end("stop"),
      ],
    });
    const stream = context.client().chat.completions.stream({ ...hello, modalities: ["text", "audio"] });
    printEvents(stream, context);
    context.print(await stream.finalChatCompletion());
  },
  "fields of chunks openai does not know": async (context) => {
    context.answers({
      events: [
        chunk({ role: "assistant", content: "a" }, {}, { provider: "x" }),
        chunk({}, { finish_reason: "stop", extra: 1 }),
      ],
    });
    context.print(await context.client().chat.completions.stream(hello).finalChatCompletion());
  },
  "chunks, iterated": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = client().chat.completions.stream(hello);
    for await (const one of stream) print(one);
    print(stream.ended, stream.errored, stream.aborted, await stream.finalContent());
  },
  "the snapshot while it streams": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = client().chat.completions.stream(hello);
    print(stream.currentChatCompletionSnapshot ?? "nothing yet");
    for await (const _ of stream) print(stream.currentChatCompletionSnapshot?.choices[0]?.message.content ?? "over");
    print(stream.currentChatCompletionSnapshot ?? "nothing more");
  },
  "left early": async ({ client, answers, print, printResult }) => {
    answers({ events: pieces("a", "b", "c"), pace: 30 });
    const stream = client().chat.completions.stream(hello);
    for await (const one of stream) {
      print(one.choices[0]?.delta.content);
      if (one.choices[0]?.delta.content === "a") break;
    }
    await printResult(stream.done());
    print(stream.aborted, stream.controller.signal.aborted);
  },
  aborted: async (context) => {
    const { client, answers, printResult, print } = context;
    answers({ events: pieces("a", "b", "c"), pace: 30 });
    const stream = client().chat.completions.stream(hello);
    stream.on("content", (delta) => {
      if (delta === "a") stream.abort();
    });
    printEvents(stream, context);
    await printResult(stream.finalContent());
    print(stream.ended, stream.errored, stream.aborted);
  },
  "aborted by the caller's signal": async (context) => {
    const { client, answers, printResult } = context;
    answers({ events: pieces("a", "b", "c"), pace: 30 });
    const controller = new AbortController();
    const stream = client().chat.completions.stream(hello, { signal: controller.signal });
    stream.on("content", () => controller.abort());
    stream.on("abort", (error) => context.printError(error));
    await printResult(stream.done());
  },
  refused: async (context) => {
    context.answers(refuses(429));
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    await context.printResult(stream.finalChatCompletion());
    context.print(stream.ended, stream.errored);
  },
  "refused, iterated": async ({ client, answers, print, printError }) => {
    answers(refuses(400));
    try {
      for await (const one of client().chat.completions.stream(hello)) print(one);
    } catch (error) {
      printError(error);
    }
  },
  "an error within": async (context) => {
    context.answers({ events: [...pieces("a").slice(0, 2), { error: { message: "broke", code: null, param: null } }] });
    const stream = context.client().chat.completions.stream(hello);
    printEvents(stream, context);
    await context.printResult(stream.done());
  },
  "a listener that throws": async ({ client, answers, printResult }) => {
    answers(streams("a"));
    const stream = client().chat.completions.stream(hello);
    stream.on("content", () => {
      throw new Error("mine");
    });
    await printResult(stream.finalContent());
  },
  "on, once and off": async ({ client, answers, print }) => {
    answers(streams("a", "b", "c"));
    const stream = client().chat.completions.stream(hello);
    const never = () => print("never");
    const twice = (delta: string) => print("twice", delta);
    print(stream.on("content", never).off("content", never) === stream);
    stream.once("content", (delta) => print("once", delta));
    stream.on("content", twice).on("content", twice).off("content", twice);
    await stream.done();
  },
  emitted: async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = client().chat.completions.stream(hello);
    const [content, message, last] = await Promise.all([
      stream.emitted("content"),
      stream.emitted("message"),
      stream.emitted("end"),
    ]);
    print(content, message, last);
  },
  "emitted, when it fails": async ({ client, answers, printResult }) => {
    answers(refuses(500));
    const stream = client().chat.completions.stream(hello);
    await Promise.all([
      printResult(stream.emitted("content")),
      printResult(stream.emitted("error").then(() => "error")),
    ]);
  },
  "events, iterated": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = client().chat.completions.stream(hello);
    for await (const [delta, snapshot] of stream.events("content")) print(delta, snapshot);
  },
  "two loops over one stream": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = client().chat.completions.stream(hello);
    const read = async (name: string) => {
      for await (const one of stream) print(name, one.choices[0]?.delta.content);
    };
    await Promise.all([read("one"), read("other")]);
  },
  "finals after the end": async (context) => {
    context.answers({ events: [...pieces("a"), usageChunk] });
    const stream = context.client().chat.completions.stream(hello);
    await stream.done();
    await printFinals(stream, context);
  },
  "messages of the conversation": async ({ client, answers, print }) => {
    answers(streams("Hi"));
    const stream = client().chat.completions.stream({
      model,
      messages: [{ role: "system", content: "Be kind" }, ...messages],
    });
    await stream.done();
    print(stream.messages);
  },
  "what it says can be sent back": async ({ client, answers, print }) => {
    answers(streams("Hi"));
    const openai = client();
    const stream = openai.chat.completions.stream(hello);
    const message = await stream.finalMessage();
    const again = await openai.chat.completions.stream({ model, messages: [...messages, message] }).finalContent();
    print(again);
  },
  "usage where none was sent": async ({ client, answers, print }) => {
    answers(streams("a"));
    print(await client().chat.completions.stream(hello).totalUsage());
  },
  "toReadableStream and back": async (context) => {
    const { client, answers, print, lib } = context;
    answers({ events: [...pieces("Hel", "lo"), usageChunk] });
    const stream = client().chat.completions.stream(hello);
    const [one, other] = stream.toReadableStream().tee();
    const again = lib.completions.ChatCompletionStream.fromReadableStream(one as never);
    printEvents(again, context);
    print(await new Response(other as never).text());
    print(await again.finalChatCompletion());
  },
  "a stream of the other library": async ({ client, answers, print, lib }) => {
    answers(streams("Hel", "lo"));
    const lines = await new Response(client().chat.completions.stream(hello).toReadableStream() as never).text();
    const { ChatCompletionStream } =
      lib.name === "openai"
        ? await import("chatwire/openai/lib/ChatCompletionStream")
        : await import("openai/lib/ChatCompletionStream");
    const body = new Response(lines).body as never;
    print(await ChatCompletionStream.fromReadableStream(body).finalChatCompletion());
  },
  "an error that is passed on": async ({ lib, print, printError }) => {
    const text = `${JSON.stringify(pieces("a")[0])}\n${JSON.stringify({ error: { message: "upstream", code: "c" } })}\n`;
    try {
      const stream = lib.completions.ChatCompletionStream.fromReadableStream(new Response(text).body as never);
      print(await stream.finalContent());
    } catch (error) {
      printError(error);
    }
  },
  "nothing but [DONE]": {
    program: async ({ client, answers, printResult }) => {
      answers({ events: [] });
      await printResult(client().chat.completions.stream(hello).finalContent());
    },
    differs: "a stream that says nothing",
  },
  cut: {
    program: async ({ client, answers, printResult }) => {
      answers({ events: pieces("a", "b").slice(0, 3), after: "end" });
      await printResult(client().chat.completions.stream(hello).finalContent());
    },
    differs: "a stream that is cut",
  },
  "a connection that breaks": {
    program: async ({ client, answers, printResult }) => {
      answers({ events: pieces("a", "b").slice(0, 3), after: "break" });
      await printResult(client().chat.completions.stream(hello).finalContent());
    },
    differs: "a stream whose connection breaks",
  },
  "no role": {
    program: async ({ client, answers, printResult }) => {
      answers({ events: [chunk({ content: "a" }), end("stop")] });
      await printResult(client().chat.completions.stream(hello).finalMessage());
    },
    differs: "servers that leave things out",
  },
  "tool calls without an index": {
    program: async ({ client, answers, printResult }) => {
      const call = (id: string, args: string) =>
        chunk({ tool_calls: [{ id, type: "function", function: { name: "weather", arguments: args } }] });
      answers({ events: [start, call("c1", '{"a":1}'), call("c2", '{"b":2}'), end("tool_calls")] });
      await printResult(client().chat.completions.stream(hello).finalMessage());
    },
    differs: "servers that leave things out",
  },
  "reasoning in pieces": {
    program: async ({ client, answers, print }) => {
      answers({
        events: [
          chunk({ role: "assistant", reasoning_content: "I " }),
          chunk({ reasoning_content: "think" }),
          ...pieces("a").slice(1),
        ],
      });
      print(await client().chat.completions.stream(hello).finalMessage());
    },
    differs: "reasoning in pieces",
  },
  "no type in a tool call": {
    program: async ({ client, answers, printResult }) => {
      const call = chunk({ tool_calls: [{ index: 0, id: "c", function: { name: "weather", arguments: "{}" } }] });
      answers({ events: [start, call, end("tool_calls")] });
      await printResult(client().chat.completions.stream(hello).finalMessage());
    },
    differs: "servers that leave things out",
  },
  "no finish reason": {
    differs: "a finish reason that is left out",
    program: async ({ client, answers, printResult }) => {
      answers({ events: pieces("a").slice(0, 2) });
      await printResult(client().chat.completions.stream(hello).finalMessage());
    },
  },
};
