/** Calls of `create`, whole and streamed, and what can be had of them. */
import type { Programs } from "../compare.ts";
import { chunk, completion, hello, messages, model, pieces, says, streams, until, usageChunk } from "../said.ts";

export const create: Programs = {
  "an answer": async ({ client, answers, printResult }) => {
    answers(says("Hi"));
    await printResult(client().chat.completions.create(hello));
  },
  "every parameter is sent as it is": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const answer = await client().chat.completions.create({
      ...hello,
      temperature: 0.2,
      top_p: 1,
      n: 1,
      stop: ["a", "b"],
      max_completion_tokens: 10,
      presence_penalty: 0,
      frequency_penalty: null,
      logit_bias: { 50256: -100 },
      user: "u",
      seed: 7,
      tools: [{ type: "function", function: { name: "f", parameters: { type: "object" }, strict: true } }],
      tool_choice: { type: "function", function: { name: "f" } },
      metadata: { a: "b" },
      store: true,
      reasoning_effort: "low",
      stream: false,
    });
    print(answer.choices[0]?.message.content);
  },
  "a parameter openai does not know": async ({ client, answers, print }) => {
    answers(says("Hi"));
    // biome-ignore lint/suspicious/noExplicitAny: what the types do not know
    const answer = await client().chat.completions.create({ ...hello, top_k: 5, guided: { a: [1] } } as any);
    print(answer.choices[0]?.message);
  },
  "undefined parameters are not sent": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const options = { temperature: undefined } as object;
    print((await client().chat.completions.create({ ...hello, ...options })).model);
  },
  "values out of range are the server's affair": async ({ client, answers, print }) => {
    answers(says("Hi"));
    print((await client().chat.completions.create({ ...hello, temperature: 9, top_p: -1, messages: [] })).id);
  },
  "fields openai does not know": async ({ client, answers, printResult }) => {
    answers({ json: completion({ content: "Hi", reasoning: "hm" }, { provider: "x", nested: { a: [null] } }) });
    await printResult(client().chat.completions.create(hello));
  },
  "several choices": async ({ client, answers, printResult }) => {
    const two = completion({ content: "a" }) as { choices: object[] };
    answers({ json: { ...two, choices: [...two.choices, { ...two.choices[0], index: 1 }] } });
    await printResult(client().chat.completions.create({ ...hello, n: 2 }));
  },
  "images, sound and files in messages": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const answer = await client().chat.completions.create({
      model,
      messages: [
        { role: "developer", content: [{ type: "text", text: "Be kind" }] },
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
            { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
            { type: "file", file: { file_id: "f" } },
          ],
        },
      ],
    });
    print(answer.choices.length);
  },
  "the id of the request": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const answer = await client().chat.completions.create(hello);
    print(answer._request_id, Object.keys(answer).includes("_request_id"), JSON.stringify(answer).includes("req_123"));
  },
  withResponse: async ({ client, answers, print }) => {
    answers(says("Hi"));
    const { data, response, request_id } = await client().chat.completions.create(hello).withResponse();
    print(data, response.status, response.headers.get("x-request-id"), request_id);
  },
  asResponse: async ({ client, answers, print }) => {
    answers(says("Hi"));
    const response = await client().chat.completions.create(hello).asResponse();
    print(response.status, response.bodyUsed, await response.json());
  },
  "asResponse of a stream": async ({ client, answers, print }) => {
    answers(streams("Hel", "lo"));
    const response = await client()
      .chat.completions.create({ ...hello, stream: true })
      .asResponse();
    print(response.headers.get("content-type"), (await response.text()).split("\n\n").length);
  },
  "withResponse of a stream": async ({ client, answers, print }) => {
    answers(streams("Hel", "lo"));
    const { data, request_id } = await client()
      .chat.completions.create({ ...hello, stream: true })
      .withResponse();
    print(request_id);
    for await (const one of data) print(one);
  },
  "then, catch and finally": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const promise = client().chat.completions.create(hello);
    await promise.then(({ id }) => print(id)).finally(() => print("finally"));
    print((await promise).object, await promise.catch(() => "caught"));
  },
  "one promise awaited twice asks once": async ({ client, answers, print, run }) => {
    answers(says("Hi"));
    const promise = client().chat.completions.create(hello);
    const [one, other] = await Promise.all([promise, promise]);
    print(one === other, run.asked.length);
  },
  "many at once": async ({ client, answers, print, run }) => {
    answers(says("Hi"));
    const openai = client();
    const all = await Promise.all([1, 2, 3, 4].map(() => openai.chat.completions.create(hello)));
    print(
      all.map(({ id }) => id),
      run.asked.length,
    );
    run.asked.length = 0;
  },
  "chunks of a stream": async ({ client, answers, print }) => {
    answers({ events: [...pieces("Hel", "lo"), usageChunk] });
    const stream = await client().chat.completions.create({
      ...hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const one of stream) print(one);
  },
  "the text of a stream": async ({ client, answers, print }) => {
    answers(streams("H", "e", "l", "lo ", "wörld ", "🎉"));
    let text = "";
    for await (const one of await client().chat.completions.create({ ...hello, stream: true })) {
      text += one.choices[0]?.delta?.content ?? "";
    }
    print(text);
  },
  "chunks without a finish reason": async ({ client, answers, print }) => {
    const bare = (delta: object) => ({ ...chunk(delta), choices: [{ index: 0, delta }] });
    answers({ events: [bare({ content: "a" }), chunk({ content: "b" }, { finish_reason: "stop" })] });
    for await (const one of await client().chat.completions.create({ ...hello, stream: true })) print(one.choices);
  },
  "fields of chunks openai does not know": async ({ client, answers, print }) => {
    answers({ events: [chunk({ content: "a", reasoning: "r" }, { finish_reason: "stop" }, { x: { y: [1] } })] });
    for await (const one of await client().chat.completions.create({ ...hello, stream: true })) print(one);
  },
  "a stream left early": async ({ client, answers, print, run }) => {
    answers({ events: pieces("a", "b", "c", "d", "e", "f"), pace: 30 });
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    for await (const one of stream) {
      print(one.choices[0]?.delta.content);
      if (one.choices[0]?.delta.content === "b") break;
    }
    await until(() => run.left > 0);
    print(stream.controller.signal.aborted, run.left);
  },
  "a stream aborted by its controller": async ({ client, answers, print }) => {
    answers({ events: pieces("a", "b", "c", "d"), pace: 30 });
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    for await (const one of stream) {
      print(one.choices[0]?.delta.content);
      if (one.choices[0]?.delta.content === "b") stream.controller.abort();
    }
    print("over");
  },
  "a stream aborted by the caller's signal": async ({ client, answers, print }) => {
    answers({ events: pieces("a", "b", "c", "d"), pace: 30 });
    const controller = new AbortController();
    const { signal } = controller;
    const stream = await client().chat.completions.create({ ...hello, stream: true }, { signal });
    for await (const one of stream) {
      print(one.choices[0]?.delta.content);
      if (one.choices[0]?.delta.content === "b") controller.abort();
    }
    print("over");
  },
  "a stream read twice": async ({ client, answers, print, printError }) => {
    answers(streams("a"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    for await (const one of stream) print(one.choices[0]?.delta.content);
    try {
      for await (const one of stream) print(one);
    } catch (error) {
      printError(error);
    }
  },
  "a tee": async ({ client, answers, print }) => {
    answers(streams("a", "b", "c"));
    const [left, right] = (await client().chat.completions.create({ ...hello, stream: true })).tee();
    const read = async (name: string, stream: typeof left) => {
      const texts: unknown[] = [];
      for await (const one of stream) texts.push(one.choices[0]?.delta.content);
      print(name, texts);
    };
    await read("left", left);
    await read("right", right);
  },
  "toReadableStream is a line for each chunk": async ({ client, answers, print }) => {
    answers(streams("a", "b"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    print(await new Response(stream.toReadableStream()).text());
  },
  "fromReadableStream reads what toReadableStream wrote": async ({ client, answers, print, lib }) => {
    answers(streams("a", "b"));
    const stream = await client().chat.completions.create({ ...hello, stream: true });
    const again = lib.streaming.Stream.fromReadableStream<object>(stream.toReadableStream(), new AbortController());
    for await (const one of again) print(one);
  },
  "no choices in a chunk": async ({ client, answers, print }) => {
    answers({ events: [chunk({ content: "a" }, { finish_reason: "stop" }), { ...usageChunk, usage: null }] });
    for await (const one of await client().chat.completions.create({ ...hello, stream: true })) print(one);
  },
  "comments and keep-alives": async ({ client, answers, print }) => {
    answers({ events: [": hello\n\n", ...pieces("a"), ": still here\n\n"] });
    for await (const one of await client().chat.completions.create({ ...hello, stream: true })) print(one);
  },
  "messages are not changed": async ({ client, answers, print }) => {
    answers(says("Hi"));
    const own = Object.freeze([...messages]);
    await client().chat.completions.create({ model, messages: own as unknown as typeof messages });
    print(own);
  },
};
