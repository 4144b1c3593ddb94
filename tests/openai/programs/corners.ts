/** Corners: reasons of aborts, streams left in other ways, callbacks that fail, odd answers. */
import type { Program, Programs } from "../compare.ts";
import {
  call,
  calls,
  chunk,
  completion,
  end,
  hello,
  model,
  pieces,
  refuses,
  says,
  start,
  streams,
  until,
} from "../said.ts";

const parameters = { type: "object" as const, properties: {} };
const tool = (run: (...args: never[]) => unknown) => ({
  type: "function" as const,
  function: { name: "f", description: "", parameters, function: run as (args: string) => unknown },
});

/** Asks for a stream with this answer, and prints each chunk's choices. */
const choicesOf =
  (...events: unknown[]): Program =>
  async ({ client, answers, print, printError }) => {
    answers({ events });
    try {
      for await (const one of await client().chat.completions.create({ ...hello, stream: true })) print(one.choices);
    } catch (error) {
      printError(error);
    }
  };

export const corners: Programs = {
  "the reason of an abort": async ({ client, answers, print }) => {
    const controller = new AbortController();
    answers(() => {
      controller.abort(new Error("enough"));
      return { wait: Number.POSITIVE_INFINITY };
    });
    const error = await client()
      .chat.completions.create(hello, { signal: controller.signal })
      .catch((thrown) => thrown);
    print(error.message, error.cause?.message ?? "no cause");
  },
  "the reason of an aborted stream()": async ({ client, answers, print }) => {
    answers({ events: pieces("a", "b"), pace: 30 });
    const controller = new AbortController();
    const stream = client().chat.completions.stream(hello, { signal: controller.signal });
    stream.on("content", () => controller.abort(new Error("enough")));
    const error = await stream.done().catch((thrown) => thrown);
    print(error.message, (error.cause as Error)?.message);
  },
  "a stream() aborted at once": async ({ client, answers, printResult, run, print }) => {
    answers(streams("a"));
    const stream = client().chat.completions.stream(hello);
    stream.abort();
    await printResult(stream.finalContent());
    print(run.asked.length);
  },
  "a stream() whose signal was aborted": async ({ client, answers, printResult }) => {
    answers(streams("a"));
    await printResult(client().chat.completions.stream(hello, { signal: AbortSignal.abort() }).finalContent());
  },
  "a branch of a tee that is left": async ({ client, answers, print }) => {
    answers(streams("a", "b", "c"));
    const [left, right] = (await client().chat.completions.create({ ...hello, stream: true })).tee();
    for await (const one of left) {
      print("left", one.choices[0]?.delta.content);
      break;
    }
    for await (const one of right) print("right", one.choices[0]?.delta.content);
    print(left.controller === right.controller, left.controller.signal.aborted);
  },
  "toReadableStream, cancelled": async ({ client, answers, print, run }) => {
    answers({ events: pieces("a", "b", "c", "d"), pace: 30 });
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    const reader = stream.toReadableStream().getReader();
    await reader.read();
    await reader.cancel();
    await until(() => run.left > 0);
    print(stream.controller.signal.aborted, run.left);
  },
  "toReadableStream of a stream(), cancelled": async ({ client, answers, print, printResult }) => {
    answers({ events: pieces("a", "b", "c", "d"), pace: 30 });
    const stream = client().chat.completions.stream(hello);
    const done = stream.done();
    const reader = stream.toReadableStream().getReader();
    await reader.read();
    await reader.cancel();
    await printResult(done);
    print(stream.aborted);
  },
  "fromReadableStream of broken lines": async ({ lib, print, printError }) => {
    const body = new Response('{"a":1}\n\n{"b":2}\r\n{oops\n').body as never;
    try {
      for await (const one of lib.streaming.Stream.fromReadableStream(body, new AbortController())) print(one);
    } catch (error) {
      printError(error);
    }
  },
  "fromReadableStream as it arrives": async ({ lib, print }) => {
    const encoder = new TextEncoder();
    const bytes = encoder.encode('{"text":"wörld"}\n{"text":"🎉"}\n{"text":"no line end"}');
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) controller.close();
        else controller.enqueue(bytes.subarray(at, ++at));
      },
    });
    for await (const one of lib.streaming.Stream.fromReadableStream(body as never, new AbortController())) print(one);
  },
  fromSSEResponse: async ({ lib, print }) => {
    const text = 'data: {"a":1}\n\nevent: x\ndata: {"b":\ndata: 2}\n\ndata: [DONE]\n\ndata: {"c":3}\n\n';
    for await (const one of lib.streaming.Stream.fromSSEResponse(new Response(text), new AbortController())) print(one);
  },
  "a stream of one's own": async ({ lib, print }) => {
    async function* own() {
      yield { a: 1 };
      yield { a: 2 };
    }
    const stream = new lib.streaming.Stream(() => own(), new AbortController());
    print(await new Response(stream.toReadableStream() as never).text());
  },
  "a run aborted before it began": async ({ client, answers, printResult, run, print }) => {
    answers(says("never"));
    const runner = client().chat.completions.runTools({ ...hello, tools: [tool(() => "x")] });
    runner.abort();
    await printResult(runner.finalContent());
    print(run.asked.length);
  },
  "afterCompletion that throws": async ({ client, answers, printResult }) => {
    answers(says("Hi"));
    const afterCompletion = () => {
      throw new Error("mine");
    };
    await printResult(
      client()
        .chat.completions.runTools({ ...hello, tools: [tool(() => "x")] }, { afterCompletion })
        .done(),
    );
  },
  "a tool that rejects with no error": async ({ client, answers, printResult }) => {
    answers(calls(call("f", {})));
    await printResult(
      client()
        .chat.completions.runTools({ ...hello, tools: [tool(() => Promise.reject("words"))] })
        .done(),
    );
  },
  "one of two tools throws": async ({ client, answers, printResult, print }) => {
    answers(calls(call("f", {}, "c1"), call("f", {}, "c2")));
    let turn = 0;
    const run = client().chat.completions.runTools({
      ...hello,
      tools: [
        tool(async () => {
          if (turn++ === 0) throw new Error("first");
          await new Promise((resolve) => setTimeout(resolve, 20));
          print("second ran");
          return "ok";
        }),
      ],
    });
    await printResult(run.done());
    print(run.messages.length);
  },
  "messages pushed while a tool runs": async ({ client, answers, print }) => {
    answers(calls(call("f", {})), says("ok"));
    const run = client().chat.completions.runTools({
      ...hello,
      tools: [
        tool(((_: string, runner: { messages: object[] }) => {
          runner.messages.push({ role: "user", content: "by the way" });
          return "x";
        }) as never),
      ],
    });
    print(await run.finalContent());
  },
  "tool_choice of a word": async ({ client, answers, print }) => {
    answers(says("ok"));
    const run = client().chat.completions.runTools({ ...hello, tool_choice: "required", tools: [tool(() => "x")] });
    print(await run.finalContent());
  },
  "custom tools among runnable ones": async ({ client, answers, print }) => {
    answers(calls({ id: "c", type: "custom", custom: { name: "sql", input: "x" } }), says("ok"));
    const tools = [tool(() => "x"), { type: "custom", custom: { name: "sql" } }] as never;
    const run = client().chat.completions.runTools({ ...hello, tools } as never, { maxChatCompletions: 2 });
    print(await run.finalContent(), run.messages);
  },
  "options of a run go to each request": async ({ client, answers, print }) => {
    answers(calls(call("f", {})), says("ok"));
    const run = client().chat.completions.runTools(
      { ...hello, temperature: 0, tools: [tool(() => "x")] },
      { headers: { "x-own": "1" }, query: { a: "b" } },
    );
    print(await run.finalContent());
  },
  "choices that are null": choicesOf({ ...chunk({}), choices: null }, ...pieces("a")),
  "Azure's first chunk": choicesOf(
    { id: "", object: "", created: 0, model: "", choices: [], prompt_filter_results: [{ prompt_index: 0 }] },
    ...pieces("a"),
  ),
  "a delta that is missing": choicesOf({ ...chunk({}), choices: [{ index: 0, finish_reason: "stop" }] }),
  "unknown finish reasons": choicesOf(start, chunk({ content: "a" }), end("eos")),
  "CR LF and no space": choicesOf(`data:${JSON.stringify(chunk({ content: "a" }))}\r\n\r\n`, end("stop")),
  "an event name": choicesOf(`event: completion\ndata: ${JSON.stringify(chunk({ content: "a" }))}\n\n`, end("stop")),
  "an error that is null": choicesOf({ ...chunk({ content: "a" }), error: null }, end("stop")),
  "content in a chunk that also ends": choicesOf(start, chunk({ content: "a" }, { finish_reason: "stop" })),
  "an empty answer": async ({ client, answers, printResult }) => {
    answers({ json: completion({ content: "" }) });
    await printResult(client().chat.completions.create(hello));
  },
  "an answer of null": async ({ client, answers, printResult }) => {
    answers({ json: completion({ content: null, refusal: "No." }) });
    await printResult(client().chat.completions.create(hello));
  },
  "a snapshot of an id that changes": async ({ client, answers, print }) => {
    answers({ events: [start, { ...chunk({ content: "a" }), id: "other", model: "m2" }, end("stop")] });
    print(await client().chat.completions.stream(hello).finalChatCompletion());
  },
  "post to chat completions": async ({ client, answers, print }) => {
    answers(says("Hi"), streams("a"));
    const openai = client();
    print(await openai.post("/chat/completions", { body: hello }));
    const body = { ...hello, stream: true };
    const stream = await openai.post<AsyncIterable<object>>("/chat/completions", { body, stream: true });
    for await (const one of stream) print(one);
  },
  "Azure: post to chat completions": async ({ lib, answers, print, baseURL }) => {
    answers(says("Hi"));
    const azure = new lib.main.AzureOpenAI({ endpoint: baseURL, apiKey: "k", apiVersion: "v" });
    print(await azure.post("/chat/completions", { body: { ...hello, model } }));
  },
  "the page and the response of a list": async ({ client, answers, print }) => {
    answers({ json: { object: "list", data: [{ id: "a" }] } });
    const openai = client();
    const { data, request_id } = await openai.models.list().withResponse();
    print(data.data, request_id);
    print((await openai.models.list().asResponse()).status);
  },
  "a list that is refused": async ({ client, answers, print, printError }) => {
    answers(refuses(403));
    try {
      for await (const one of client().models.list()) print(one);
    } catch (error) {
      printError(error);
    }
  },
  "a list without data": async ({ client, answers, print }) => {
    answers({ json: { object: "list" } });
    for await (const one of client().models.list()) print(one);
    print((await client().models.list()).data);
  },
  "headers that are taken away": async ({ client, answers }) => {
    answers(says("Hi"));
    await client({ organization: "o" }).chat.completions.create(hello, { headers: { "OpenAI-Organization": null } });
  },
  "numbers and null in a query": async ({ client, answers, print }) => {
    answers({ json: { ok: 1 } });
    print(
      await client().get("/x", { query: { n: 1, b: true, none: null, gone: undefined, empty: "", date: new Date(0) } }),
    );
  },
  "a path with a query": async ({ client, answers, print }) => {
    answers({ json: { ok: 1 } });
    print(await client({ defaultQuery: { d: "1" } }).get("/x?a=1", { query: { b: "2" } }));
  },
  "a hundred chunks of JSON": async ({ client, answers, print }) => {
    const text = JSON.stringify({ list: Array.from({ length: 120 }, (_, n) => ({ n, text: `number ${n}` })) });
    answers(streams(...(text.match(/.{1,40}/g) as string[])));
    const response_format = { type: "json_schema" as const, json_schema: { name: "x", schema: {} } };
    const stream = client().chat.completions.stream({ ...hello, response_format });
    const seen: number[] = [];
    stream.on("content.delta", ({ parsed }) => seen.push((parsed as { list?: object[] } | null)?.list?.length ?? -1));
    print((await stream.finalChatCompletion()).choices[0]?.message.parsed, seen.at(-1));
  },
};
