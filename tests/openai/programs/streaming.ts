/** Streams and runs in the hands of programs: how they are read, passed on and left, and what servers may do to them. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Program, Programs } from "../compare.ts";
import {
  call,
  callPieces,
  calls,
  chunk,
  end,
  hello,
  pieces,
  refuses,
  says,
  start,
  streams,
  streamsCalls,
  usageChunk,
} from "../said.ts";
import { printEvents } from "./emitter.ts";

const texts = async (stream: AsyncIterable<{ choices: { delta: { content?: string | null } }[] }>) => {
  const all: unknown[] = [];
  for await (const one of stream) all.push(one.choices[0]?.delta.content);
  return all;
};
const body = (lines: string[], init: ResponseInit = {}) => new Response(lines.join(""), init);
const sse = (lines: string[], options: { differs?: string } = {}): Programs[string] => {
  const program: Program = async ({ lib, print, printError }) => {
    const stream = lib.main.OpenAI && lib.streaming.Stream.fromSSEResponse<unknown>(body(lines), new AbortController());
    try {
      for await (const one of stream) print(one);
    } catch (error) {
      printError(error);
    }
  };
  return options.differs ? { program, differs: options.differs } : program;
};
const add = (print: (...values: unknown[]) => void, gives: (args: { a: number }) => unknown = ({ a }) => a + 1) => ({
  type: "function" as const,
  function: {
    name: "add",
    description: "Adds one",
    parameters: { type: "object" as const, properties: { a: { type: "number" as const } } },
    parse: JSON.parse as (text: string) => { a: number },
    function: (args: { a: number }) => {
      print("add is asked", args);
      return gives(args);
    },
  },
});

export const streaming: Programs = {
  "an iterator by hand": async ({ client, answers, print }) => {
    answers(streams("a", "b", "c"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    const iterator = stream[Symbol.asyncIterator]();
    print((await iterator.next()).value?.choices[0]?.delta, (await iterator.next()).value?.choices[0]?.delta);
    print((await iterator.return?.(undefined))?.done, (await iterator.next()).done, stream.controller.signal.aborted);
  },
  "a loop that throws": async ({ client, answers, print }) => {
    answers({ ...streams("a", "b"), after: "silence" });
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    try {
      for await (const _ of stream) throw new Error("of the program");
    } catch (error) {
      print((error as Error).message, stream.controller.signal.aborted);
    }
  },
  "the controller after the end": async ({ client, answers, print }) => {
    answers(streams("a"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    print(await texts(stream as never), stream.controller.signal.aborted);
    stream.controller.abort();
    print(stream.controller.signal.aborted, stream.controller instanceof AbortController);
  },
  "a stream by its class": async ({ lib, client, answers, print }) => {
    answers(streams("a"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    print(
      stream instanceof lib.streaming.Stream,
      Symbol.asyncIterator in stream,
      typeof stream.tee,
      typeof stream.toReadableStream,
    );
    print(await texts(stream as never));
  },
  "a stream that is put into an array": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    const chunks: (typeof stream extends AsyncIterable<infer One> ? One : never)[] = [];
    for await (const one of stream) chunks.push(one);
    print(chunks.length, chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join(""));
  },
  "both branches of a tee at once": async ({ client, answers, print }) => {
    answers({ ...streams("a", "b", "c"), pace: 3 });
    const [one, other] = (await client().chat.completions.create({ ...hello, stream: true })).tee();
    print(await Promise.all([texts(one as never), texts(other as never)]));
  },
  "a tee of a tee": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const [one, rest] = (await client().chat.completions.create({ ...hello, stream: true })).tee();
    const [two, three] = rest.tee();
    print(await texts(three as never), await texts(one as never), await texts(two as never));
  },
  "a tee of a stream that fails": async ({ client, answers, print, printResult }) => {
    answers({ events: [...pieces("a").slice(0, 2), { error: { message: "broke", code: "c" } }] });
    const [one, other] = (await client().chat.completions.create({ ...hello, stream: true })).tee();
    for (const branch of [one, other]) await printResult(texts(branch as never));
    print("both");
  },
  "a response made of a stream": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    const encoder = new TextEncoder();
    const readable = new ReadableStream({
      async start(controller) {
        for await (const one of stream) controller.enqueue(encoder.encode(one.choices[0]?.delta.content ?? ""));
        controller.close();
      },
    });
    print(await new Response(readable).text());
  },
  "a stream over a server of one's own": async ({ lib, client, answers, print }) => {
    answers({ ...streams("a", "b"), pace: 3 });
    const server = createServer(async (_, response) => {
      const stream = client().chat.completions.stream(hello);
      for await (const line of stream.toReadableStream() as never as AsyncIterable<Uint8Array>) response.write(line);
      response.end();
    }).listen(0);
    try {
      const { port } = server.address() as AddressInfo;
      const { body } = await fetch(`http://127.0.0.1:${port}`);
      const runner = lib.completions.ChatCompletionStream.fromReadableStream(body as never);
      runner.on("content", (delta, snapshot) => print(delta, snapshot));
      print(await runner.finalContent(), (await runner.finalChatCompletion()).choices[0]?.finish_reason);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },
  "toReadableStream of a stream that fails": async ({ client, answers, printResult }) => {
    answers({ events: [...pieces("a").slice(0, 2), { error: { message: "broke", code: "c" } }] });
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    await printResult(new Response(stream.toReadableStream() as never).text());
  },
  "events, as they are framed: CR LF": sse(['data: {"a":1}\r\n\r\n', "data: [DONE]\r\n\r\n"]),
  "events, as they are framed: CR": sse(['data: {"a":1}\r\r', "data: [DONE]\r\r"]),
  "events, as they are framed: several lines": sse(['data: {\ndata: "a":\ndata: 1}\n\n', "data: [DONE]\n\n"]),
  "events, as they are framed: comments": sse([": hello\n\n", 'data: {"a":1}\n\n', ":\n\n", "data: [DONE]\n\n"]),
  "events, as they are framed: a name": sse(['event: completion\ndata: {"a":1}\n\n', "data: [DONE]\n\n"]),
  "events, as they are framed: ids and retry": sse(['id: 1\nretry: 10\ndata: {"a":1}\n\n', "data: [DONE]\n\n"]),
  "events, as they are framed: no space": sse(['data:{"a":1}\n\n', "data:[DONE]\n\n"]),
  "events, as they are framed: after the end": sse(['data: {"a":1}\n\n', "data: [DONE]\n\n", 'data: {"a":2}\n\n']),
  "events, as they are framed: without an end": sse(['data: {"a":1}\n\n', 'data: {"a":2}\n\n']),
  "events, as they are framed: an error": sse([
    'data: {"a":1}\n\n',
    'data: {"error":{"message":"broke","code":"c"}}\n\n',
  ]),
  "events, as they are framed: letters of several bytes": sse(['data: {"a":"é漢😀"}\n\n', "data: [DONE]\n\n"]),
  "events, as they are framed: null": sse(["data: null\n\n", 'data: {"a":1}\n\n', "data: [DONE]\n\n"]),
  "events, as they are framed: nothing": sse([]),
  "stream() whose listeners come late": async ({ client, answers, print }) => {
    answers({ ...streams("a", "b"), pace: 5 });
    const stream = client().chat.completions.stream(hello);
    await stream.emitted("connect");
    stream.on("content", (delta) => print(delta)).on("end", () => print("end"));
    await stream.done();
    print(stream.ended, stream.errored, stream.aborted);
  },
  "stream() that is aborted by a listener": async ({ client, answers, print, printResult }) => {
    answers({ ...streams("a", "b", "c"), pace: 20 });
    const stream = client().chat.completions.stream(hello);
    stream.on("content", () => stream.abort());
    stream.on("abort", (error) => print("abort", error.message));
    await printResult(stream.done());
    print(stream.aborted, stream.errored, stream.ended);
  },
  "stream() whose error is heard": async ({ client, answers, print }) => {
    answers(refuses(500));
    const stream = client().chat.completions.stream(hello);
    const ended = new Promise<void>((resolve) => {
      stream.on("end", () => {
        print("end");
        resolve();
      });
    });
    stream.on("error", (error) => print("error", error.message));
    await ended;
    print(stream.errored, stream.aborted);
  },
  "stream() within a loop, then all of it": async ({ client, answers, print }) => {
    answers({ events: [...pieces("a", "b"), usageChunk] });
    const stream = client().chat.completions.stream({ ...hello, stream_options: { include_usage: true } });
    for await (const one of stream)
      print(one.choices[0]?.delta.content, stream.currentChatCompletionSnapshot?.choices[0]?.message.content);
    print(await stream.finalChatCompletion(), await stream.totalUsage(), stream.messages);
  },
  "stream() of a call, all finals": async ({ client, answers, print, printResult }) => {
    answers(streamsCalls(callPieces("add", ['{"a"', ":1}"])));
    const stream = client().chat.completions.stream(hello);
    await stream.done();
    print(await stream.finalFunctionToolCall(), await stream.finalMessage(), stream.allChatCompletions().length);
    await printResult(stream.finalContent());
    await printResult(stream.finalFunctionToolCallResult());
  },
  "stream() with nothing but usage": async ({ client, answers, printResult }) => {
    answers({ events: [...pieces(), usageChunk] });
    await printResult(client().chat.completions.stream(hello).finalChatCompletion());
  },
  "stream() with a format and zod, event by event": async ({ client, answers, lib, print }) => {
    answers(streams('{"title":"A', ' day","tags":["x"', ',"y"],"n":1', "2}"));
    const Day = z.object({ title: z.string(), tags: z.array(z.string()), n: z.number() });
    const stream = client().chat.completions.stream({
      ...hello,
      response_format: lib.zod.zodResponseFormat(Day, "day"),
    });
    stream.on("content.delta", ({ parsed, snapshot }) => print(snapshot, parsed));
    stream.on("content.done", ({ content, parsed }) => print("done", content, parsed));
    print((await stream.finalChatCompletion()).choices[0]?.message.parsed);
  },
  "stream() of two tools in turns": async (context) => {
    const { client, answers } = context;
    const piece = (index: number, more: object) => chunk({ tool_calls: [{ index, ...more }] });
    answers({
      events: [
        start,
        piece(0, { id: "c0", type: "function", function: { name: "a", arguments: "" } }),
        piece(0, { function: { arguments: '{"x":' } }),
        piece(0, { function: { arguments: "1}" } }),
        piece(1, { id: "c1", type: "function", function: { name: "b", arguments: "" } }),
        piece(1, { function: { arguments: '{"y":2}' } }),
        end("tool_calls"),
      ],
    });
    const stream = client().chat.completions.stream(hello);
    printEvents(stream, context);
    await stream.done();
  },
  "stream() by two who want the same": async ({ client, answers, print }) => {
    answers(streams("a"));
    const stream = client().chat.completions.stream(hello);
    print(await Promise.all([stream.finalContent(), stream.finalContent(), stream.done().then(() => "done")]));
  },
  "events of one kind, until one is enough": async ({ client, answers, print }) => {
    answers({ ...streams("a", "b", "c"), pace: 5 });
    const stream = client().chat.completions.stream(hello);
    for await (const [delta] of stream.events("content")) {
      print(delta);
      if (delta === "b") break;
    }
    print(await stream.finalContent());
  },
  "a run and all it tells": async ({ client, answers, print }) => {
    answers(calls(call("add", { a: 1 })), calls(call("add", { a: 2 }, "call_2")), says("4"));
    const run = client().chat.completions.runTools({ ...hello, tools: [add(print)] } as never);
    run.on("functionToolCall", (one) => print("call", one));
    run.on("functionToolCallResult", (one) => print("result", one));
    run.on("message", (one) => print("message", one.role));
    run.on("chatCompletion", ({ id }) => print("completion", id));
    run.on("finalContent", (text) => print("content", text));
    run.on("finalFunctionToolCall", (one) => print("last call", one));
    run.on("finalFunctionToolCallResult", (one) => print("last result", one));
    run.on("totalUsage", (usage) => print("usage", usage));
    print(await run.finalContent(), await run.finalFunctionToolCallResult(), await run.finalFunctionToolCall());
    print(await run.totalUsage(), run.allChatCompletions().length, run.messages);
  },
  "a run whose tools give all kinds of values": async ({ client, answers, print }) => {
    const values = [undefined, null, 0, "", "text", { a: 1 }, [1], true, Promise.resolve("later"), new Date(0)];
    for (const value of values) {
      answers(calls(call("add", { a: 1 })), says("ok"));
      const run = client().chat.completions.runTools({
        ...hello,
        tools: [
          add(
            () => {},
            () => value,
          ),
        ],
      } as never);
      await run.done().catch((error) => print(error.message));
      print(await run.finalFunctionToolCallResult().catch((error) => error.message));
    }
  },
  "a run whose tool throws a text": async ({ client, answers, print }) => {
    answers(calls(call("add", { a: 1 })), says("ok"));
    const fails = () => {
      throw "no words";
    };
    const run = client().chat.completions.runTools({ ...hello, tools: [add(print, fails)] } as never);
    print(await run.finalContent().catch((error) => [error?.constructor?.name, error?.message]));
  },
  "a run with a slow parse": async ({ client, answers, print }) => {
    answers(calls(call("add", { a: 1 })), says("2"));
    const tool = add(print);
    const parse = async (text: string) => {
      await sleep(5);
      return JSON.parse(text);
    };
    const run = client().chat.completions.runTools({
      ...hello,
      tools: [{ ...tool, function: { ...tool.function, parse } }],
    } as never);
    print(await run.finalContent());
  },
  "a run whose zod tool refines": async ({ client, answers, lib, print }) => {
    answers(calls(call("add", { a: -1 })), calls(call("add", { a: 1 }, "call_2")), says("2"));
    const tool = lib.zod.zodFunction({
      name: "add",
      description: "Adds",
      parameters: z.object({ a: z.number().positive() }),
      function: ({ a }) => a + 1,
    });
    const run = client().chat.completions.runTools({ ...hello, tools: [tool] });
    print(await run.finalContent().catch((error) => error.constructor.name));
    print(run.messages.length);
  },
  "a streamed run over a server of one's own": async ({ lib, client, answers, print }) => {
    answers(streamsCalls(callPieces("add", ['{"a":1}'])), streams("It is ", "2"));
    const run = client().chat.completions.runTools({ ...hello, stream: true, tools: [add(print)] } as never);
    const again = lib.completions.ChatCompletionStreamingRunner.fromReadableStream(
      (run as unknown as { toReadableStream(): ReadableStream }).toReadableStream() as never,
    );
    again.on("content", (delta) => print(delta));
    print(await again.finalContent(), again.messages.length);
  },
  "a run left by its signal between turns": async ({ client, answers, print, printResult }) => {
    const controller = new AbortController();
    answers(calls(call("add", { a: 1 })), says("never"));
    const leaves = () => {
      controller.abort();
      return "left";
    };
    const run = client().chat.completions.runTools({ ...hello, tools: [add(print, leaves)] } as never, {
      signal: controller.signal,
    });
    await printResult(run.finalContent());
    print(run.aborted);
  },
  "a run with two turns at most": async ({ client, answers, print, printResult }) => {
    answers(calls(call("add", { a: 1 })));
    const run = client().chat.completions.runTools({ ...hello, tools: [add(print)] } as never, {
      maxChatCompletions: 2,
    });
    await printResult(run.finalMessage());
    print(run.allChatCompletions().length, run.messages.length);
  },
  "Azure: streams, runs and formats": async ({ lib, answers, print, baseURL }) => {
    answers(streams("a"), calls(call("add", { a: 1 })), says("2"), says('{"a":1}'));
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, apiKey: "k", apiVersion: "v", deployment: "d" });
    print(await azure.chat.completions.stream(hello).finalContent());
    print(await azure.chat.completions.runTools({ ...hello, tools: [add(print)] } as never).finalContent());
    const format = lib.zod.zodResponseFormat(z.object({ a: z.number() }), "a");
    print((await azure.chat.completions.parse({ ...hello, response_format: format })).choices[0]?.message.parsed);
    print(azure instanceof lib.main.OpenAI, azure.withOptions({ maxRetries: 1 }) instanceof lib.main.AzureOpenAI);
  },
  "Azure: a token for each attempt": async ({ lib, answers, print, baseURL }) => {
    answers(refuses(500, {}, { "retry-after-ms": "1" }), says("Hi"), { json: { object: "list", data: [] } });
    let turn = 0;
    const azureADTokenProvider = async () => `token-${++turn}`;
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, azureADTokenProvider, apiVersion: "v", maxRetries: 1 });
    print((await azure.chat.completions.create(hello)).id, (await azure.models.list()).data, turn);
  },
  "Azure: a provider of tokens that fails": async ({ lib, printResult, baseURL }) => {
    const azureADTokenProvider = () => Promise.reject(new Error("no token"));
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, azureADTokenProvider, apiVersion: "v", maxRetries: 0 });
    await printResult(azure.chat.completions.create(hello));
  },
  "Azure: headers and queries of one's own": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const azure = new lib.main.AzureOpenAI({
      endpoint: baseURL,
      apiKey: "k",
      apiVersion: "v",
      defaultHeaders: { "api-key": "other", "x-own": "1" },
      defaultQuery: { a: "b" },
    });
    print((await azure.chat.completions.create(hello, { query: { c: "d" } })).id);
  },
  "post with a stream": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = await client().post("/chat/completions", { body: { ...hello, stream: true }, stream: true });
    print(await texts(stream as never));
  },
  "request, by hand": async ({ client, answers, print }) => {
    answers({ json: { ok: true } });
    print(
      await client().request({
        method: "post",
        path: "/things",
        body: { a: 1 },
        headers: { "x-own": "1" },
        query: { q: 1 },
      }),
    );
    print(await client().request({ method: "get", path: "/things", idempotencyKey: undefined as never }));
  },
};
