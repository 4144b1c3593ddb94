/**
 * `chatwire/ai-sdk` as a language model: what is sent, and what its answers come to.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { APICallError, NoSuchModelError, UnsupportedFunctionalityError } from "ai";
import { Chatwire } from "chatwire";
import { type CallUsage, createChatwire } from "chatwire/ai-sdk";
import { answering, type CallOptions, chatwire, hello, type Part, partsOf, streamOf, summary } from "./wire.ts";

const usage = {
  prompt_tokens: 10,
  completion_tokens: 7,
  total_tokens: 17,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 2 },
};
const schema = { type: "object" as const, properties: { city: { type: "string" as const } } };
const tools: CallOptions["tools"] = [
  { type: "function", name: "weather", description: "The weather", inputSchema: schema, strict: true },
];

const last = <T>(list: readonly T[]): T => list.at(-1) as T;
const ofType = <T extends Part["type"]>(parts: readonly Part[], type: T) =>
  parts.filter((part): part is Extract<Part, { type: T }> => part.type === type);

async function sentFor(call: Partial<CallOptions>, settings = {}) {
  const { fetch, asked } = answering(streamOf([{ content: "Hi" }]));
  const { stream } = await chatwire(fetch, settings)("m").doStream({ ...hello, ...call });
  let warnings: unknown[] = [];
  for await (const part of stream) if (part.type === "stream-start") warnings = part.warnings;
  return { body: last(asked).body, headers: last(asked).headers, warnings };
}

describe("what is sent", () => {
  it("has every setting of the AI SDK under its name on the wire", async () => {
    const { body, headers, warnings } = await sentFor({
      maxOutputTokens: 5,
      temperature: 0.5,
      topP: 0.9,
      stopSequences: ["END"],
      seed: 7,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      reasoning: "high",
      tools,
      toolChoice: { type: "tool", toolName: "weather" },
      headers: { "x-one": "1", "x-two": undefined },
      providerOptions: { chatwire: { params: { user: "u-1" } } },
    });
    assert.deepEqual(body, {
      model: "m",
      messages: [{ role: "user", content: "Hello" }],
      max_tokens: 5,
      temperature: 0.5,
      top_p: 0.9,
      stop: ["END"],
      seed: 7,
      presence_penalty: 0.1,
      frequency_penalty: 0.2,
      reasoning_effort: "high",
      tools: [
        {
          type: "function",
          function: { name: "weather", description: "The weather", parameters: schema, strict: true },
        },
      ],
      tool_choice: { type: "function", function: { name: "weather" } },
      user: "u-1",
      stream: true,
      stream_options: { include_usage: true },
    });
    assert.equal(headers.get("x-one"), "1");
    assert.equal(headers.has("x-two"), false);
    assert.deepEqual(warnings, []);
  });

  it("has a JSON schema where the server takes one, and an instruction where it documents JSON mode only", async () => {
    const responseFormat = { type: "json" as const, schema, name: "place" };
    const { body } = await sentFor({ responseFormat });
    assert.deepEqual(body.response_format, {
      type: "json_schema",
      json_schema: { name: "place", schema, strict: true },
    });
    const plain = await sentFor({ responseFormat }, { structuredOutputs: false });
    assert.deepEqual(plain.body.response_format, { type: "json_object" });
    assert.match(JSON.stringify(plain.body.messages), /JSON Schema.*city/);
    assert.equal(plain.warnings.length, 1);
  });

  it("warns of what has no place on the wire, and of options nobody knows", async () => {
    const { warnings, body } = await sentFor({
      topK: 4,
      reasoning: "max",
      tools: [
        { type: "provider", id: "openai.web_search", name: "web_search", args: {} },
        { type: "function", name: "bare", inputSchema: undefined as never },
      ],
      providerOptions: { chatwire: { colour: "blue" } },
    });
    const said = (warnings as { type: string; feature?: string; message?: string }[]).map(
      ({ type, feature, message }) => `${type}: ${feature ?? message}`,
    );
    assert.equal(said.length, 5);
    for (const what of ["colour", "openai.web_search", "tools", "topK", "reasoning"]) {
      assert.ok(
        said.some((one) => one.includes(what)),
        `${what} in ${said}`,
      );
    }
    assert.equal(body.reasoning_effort, "xhigh");
    assert.equal("top_k" in body, false);
  });

  it("has a conversation with files, calls and results as messages", async () => {
    const { body } = await sentFor({
      prompt: [
        { role: "system", content: "Be short." },
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "file", mediaType: "image/png", data: { type: "data", data: new Uint8Array([1, 2, 3]) } },
            { type: "file", mediaType: "image/*", data: { type: "url", url: new URL("https://a.example/b.jpg") } },
            { type: "file", mediaType: "audio/wav", data: { type: "data", data: "AAAA" } },
            { type: "file", mediaType: "application/pdf", filename: "a.pdf", data: { type: "data", data: "BBBB" } },
            { type: "file", mediaType: "text/plain", data: { type: "data", data: btoa("inside") } },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "Hm." },
            { type: "text", text: "One moment." },
            {
              type: "tool-call",
              toolCallId: "c1",
              toolName: "weather",
              input: { city: "Pune" },
              providerOptions: { chatwire: { call: { extra_content: { google: { thought_signature: "s" } } } } },
            },
          ],
        },
        {
          role: "tool",
          content: [
            { type: "tool-result", toolCallId: "c1", toolName: "weather", output: { type: "json", value: { c: 31 } } },
          ],
        },
      ],
    });
    assert.deepEqual(body.messages, [
      { role: "system", content: "Be short." },
      {
        role: "user",
        content: [
          { type: "text", text: "See" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AQID" } },
          { type: "image_url", image_url: { url: "https://a.example/b.jpg" } },
          { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,BBBB" } },
          { type: "text", text: "inside" },
        ],
      },
      {
        role: "assistant",
        content: "One moment.",
        reasoning_content: "Hm.",
        tool_calls: [
          {
            id: "c1",
            type: "function",
            function: { name: "weather", arguments: '{"city":"Pune"}' },
            extra_content: { google: { thought_signature: "s" } },
          },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: '{"c":31}' },
    ]);
  });

  it("refuses a file that chat completions have no place for, by name", async () => {
    const { fetch } = answering("");
    const prompt: CallOptions["prompt"] = [
      { role: "user", content: [{ type: "file", mediaType: "video/mp4", data: { type: "data", data: "AAAA" } }] },
    ];
    await assert.rejects(Promise.resolve(chatwire(fetch)("m").doStream({ prompt })), (error) => {
      return UnsupportedFunctionalityError.isInstance(error) && error.functionality.includes("video/mp4");
    });
  });

  it("has the media type of a file by its first bytes, where only the first half is named", async () => {
    const base64 = (...bytes: (number | string)[]) =>
      Buffer.concat(
        bytes.map((one) => (typeof one === "number" ? Buffer.of(one) : Buffer.from(one, "latin1"))),
      ).toString("base64");
    const size = String.fromCharCode(1, 2, 3, 4);
    const files = {
      "image/png": base64(0x89, "PNG\r\n"),
      "image/jpeg": base64(0xff, 0xd8, 0xff, 0xe0),
      "image/gif": base64("GIF89a"),
      "image/webp": base64("RIFF", size, "WEBPVP8 "),
      "audio/wav": base64("RIFF", size, "WAVEfmt "),
      "audio/mpeg": base64("ID3", 4),
      "application/pdf": base64("%PDF-1.7"),
    };
    for (const [type, bytes] of Object.entries(files)) {
      const [kind = ""] = type.split("/");
      for (const mediaType of [kind, `${kind}/*`]) {
        for (const data of [bytes, new Uint8Array(Buffer.from(bytes, "base64"))]) {
          const of = async (mediaType: string) => {
            const file = { type: "file" as const, mediaType, data: { type: "data" as const, data } };
            return (await sentFor({ prompt: [{ role: "user", content: [file] }] })).body.messages;
          };
          assert.deepEqual(await of(mediaType), await of(type), `${mediaType} of ${type}`);
        }
      }
    }
  });

  it("has a file that was uploaded here by its id, and refuses one that was uploaded elsewhere", async () => {
    const prompt = (reference: Record<string, string>): CallOptions["prompt"] => [
      {
        role: "user",
        content: [{ type: "file", mediaType: "application/pdf", data: { type: "reference", reference } }],
      },
    ];
    const { body } = await sentFor({ prompt: prompt({ other: "f-1", chatwire: "f-2" }) });
    assert.deepEqual(body.messages, [{ role: "user", content: [{ type: "file", file: { file_id: "f-2" } }] }]);
    await assert.rejects(sentFor({ prompt: prompt({ other: "f-1" }) }), (error) => {
      return UnsupportedFunctionalityError.isInstance(error) && error.functionality.includes("other");
    });
  });

  it("says whatever a tool was given and gave as JSON", async () => {
    const circular: Record<string, unknown> = { name: "loop", one: { two: [1] }, same: [] };
    circular.self = circular;
    circular.again = circular.one;
    const called = (input: unknown, value: unknown): CallOptions["prompt"] => [
      { role: "assistant", content: [{ type: "tool-call", toolCallId: "c1", toolName: "look", input }] },
      {
        role: "tool",
        content: [
          { type: "tool-result", toolCallId: "c1", toolName: "look", output: { type: "json", value: value as never } },
        ],
      },
    ];
    const said = async (input: unknown, value: unknown) => {
      const { body } = await sentFor({ prompt: called(input, value) });
      const [call, result] = body.messages as [
        { tool_calls: { function: { arguments: string } }[] },
        { content: string },
      ];
      return [call.tool_calls[0]?.function.arguments, result.content].map((json) => JSON.parse(json ?? ""));
    };
    assert.deepEqual(await said({ n: 10n }, [10n]), [{ n: "10" }, ["10"]]);
    assert.deepEqual(await said("no JSON", undefined), ["no JSON", null]);
    assert.deepEqual(await said('{"a":1}', "text"), [{ a: 1 }, "text"]);
    const plain = { name: "loop", one: { two: [1] }, same: [], self: "[circular]", again: { two: [1] } };
    assert.deepEqual(await said(circular, circular), [plain, plain]);
  });

  it("has the fields of a message and of its parts that a caller adds", async () => {
    const own = (message: object) => ({ providerOptions: { chatwire: { message } } }) as object;
    const { body } = await sentFor({
      prompt: [
        { role: "system", content: "Be short.", ...own({ cache_control: { type: "ephemeral" } }) },
        {
          role: "user",
          content: [
            { type: "text", text: "See", ...own({ cache_control: 1 }) },
            { type: "file", mediaType: "image/png", data: { type: "data", data: "AAAA" }, ...own({ detail: "low" }) },
          ],
        },
      ],
    });
    assert.deepEqual(body.messages, [
      { role: "system", content: "Be short.", cache_control: { type: "ephemeral" } },
      {
        role: "user",
        content: [
          { type: "text", text: "See", cache_control: 1 },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" }, detail: "low" },
        ],
      },
    ]);
  });

  it("has no parameters that are no object, with a warning", async () => {
    for (const params of ["stop", ["a"], 4, null]) {
      const { body, warnings } = await sentFor({ providerOptions: { chatwire: { params } } as never });
      assert.deepEqual(Object.keys(body).sort(), ["messages", "model", "stream", "stream_options"]);
      assert.equal(warnings.length, params === null ? 0 : 1, JSON.stringify(warnings));
    }
  });

  it("sends reasoning back where this server has it", async () => {
    const { fetch, asked } = answering(streamOf([{ reasoning: "Hm." }, { content: "Hi" }]));
    const model = chatwire(fetch)("m");
    await partsOf(model);
    const again: CallOptions["prompt"] = [
      ...hello.prompt,
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "Hm." },
          { type: "text", text: "Hi" },
        ],
      },
    ];
    await partsOf(model, { prompt: again });
    assert.deepEqual(last(last(asked).body.messages as object[]), {
      role: "assistant",
      content: "Hi",
      reasoning: "Hm.",
    });
  });
});

describe("a stream", () => {
  it("has reasoning, text, calls and the end in blocks, in order", async () => {
    const deltas = [
      { reasoning_content: "Hm" },
      { reasoning_content: "." },
      { content: "One " },
      { content: "moment." },
      { tool_calls: [{ index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"city":' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '"Pune"}' } }] },
    ];
    const { fetch } = answering(streamOf(deltas, "tool_calls", usage));
    const parts = await partsOf(chatwire(fetch)("m"));
    const types = parts.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1]);
    assert.deepEqual(types, [
      "stream-start",
      "response-metadata",
      "reasoning-start",
      "reasoning-delta",
      "reasoning-end",
      "text-start",
      "text-delta",
      "text-end",
      "tool-input-start",
      "tool-input-delta",
      "tool-input-end",
      "tool-call",
      "finish",
    ]);
    assert.deepEqual(summary(parts), {
      text: "One moment.",
      reasoning: "Hm.",
      calls: [{ name: "weather", input: { city: "Pune" } }],
      finish: "tool-calls",
      input: 10,
      output: 7,
      cached: 4,
      reasoned: 2,
    });
    assert.deepEqual(last(ofType(parts, "finish")).usage.inputTokens, {
      total: 10,
      noCache: 6,
      cacheRead: 4,
      cacheWrite: undefined,
    });
    assert.deepEqual(last(ofType(parts, "response-metadata")).modelId, "m-1");
  });

  it("that breaks off is interrupted, and a call that is cut short is not run", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"ci' } };
    const { fetch } = answering(streamOf([{ content: "Hal" }, { tool_calls: [call] }], null));
    const parts = await partsOf(chatwire(fetch)("m"));
    const { finishReason, providerMetadata } = last(ofType(parts, "finish"));
    assert.equal(finishReason.unified, "interrupted");
    assert.equal(providerMetadata?.chatwire?.status, "truncated");
    assert.deepEqual(ofType(parts, "tool-call"), []);
    assert.equal(summary(parts).text, "Hal");
  });

  it("that is whole hands over a call whose arguments are no JSON, for the AI SDK to repair; one cut short it does not", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: "{city}" } };
    const handedOver = async (finish: string) => {
      const streamed = await partsOf(chatwire(answering(streamOf([{ tool_calls: [call] }], finish)).fetch)("m"));
      const message = { role: "assistant", content: null, tool_calls: [call] };
      const whole = JSON.stringify({ choices: [{ index: 0, message, finish_reason: finish }] });
      const { content } = await chatwire(answering(whole).fetch)("m").doGenerate(hello);
      const inputs = [ofType(streamed, "tool-call"), content].map((parts) =>
        parts.flatMap((part) => (part.type === "tool-call" ? [part.input] : [])),
      );
      assert.deepEqual(inputs[0], inputs[1]);
      return inputs[0];
    };
    assert.deepEqual(await handedOver("tool_calls"), ["{city}"]);
    assert.deepEqual(await handedOver("stop"), ["{city}"]);
    assert.deepEqual(await handedOver("length"), []);
  });

  it("that fails on the way has an error part and all that came before", async () => {
    const body = `${streamOf([{ content: "Hal" }], null)}data: {"error":{"message":"Overloaded","code":503}}\n\n`;
    const { fetch } = answering(body);
    const parts = await partsOf(chatwire(fetch)("m"));
    const [failed] = ofType(parts, "error");
    assert.ok(APICallError.isInstance(failed?.error));
    assert.match(String(failed?.error), /Overloaded/);
    assert.equal(summary(parts).text, "Hal");
    assert.equal(summary(parts).finish, "error");
  });

  it("says its cost, its repairs and who was asked", async () => {
    const body = streamOf([{ content: "Hi" }], "stop", usage).replace("data: [DONE]", "data: [done]");
    const { fetch } = answering(body);
    const model = createChatwire({
      baseURL: "https://models.example/v1",
      apiKey: null,
      fetch: fetch as never,
      prices: { input: 1, cachedInput: 0.5, output: 2 },
    })("m");
    const own = last(ofType(await partsOf(model), "finish")).providerMetadata?.chatwire as Record<string, unknown>;
    assert.equal(own.cost, (6 * 1 + 4 * 0.5 + 7 * 2) / 1e6);
    assert.deepEqual(
      (own.repairs as { code: string }[]).map(({ code }) => code),
      ["end.padded_done"],
    );
    assert.equal((own.attempts as unknown[]).length, 1);
  });

  it("keeps what has to go back with the turn: signatures of calls, details of reasoning", async () => {
    const signed = { extra_content: { google: { thought_signature: "sig" } } };
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: "{}" }, ...signed };
    const details = [{ type: "reasoning.text", text: "Hm", index: 0, signature: "abc" }];
    const { fetch } = answering(streamOf([{ reasoning_details: details, tool_calls: [call] }], "tool_calls"));
    const [made] = ofType(await partsOf(chatwire(fetch)("m")), "tool-call");
    const own = made?.providerMetadata?.chatwire as Record<string, unknown>;
    assert.deepEqual(own.call, signed);
    assert.ok("reasoning_details" in (own.message as object));
  });

  it("has citations as sources and raw chunks on request", async () => {
    const note = { type: "url_citation", url_citation: { url: "https://b.example", title: "B" } };
    const body = streamOf([{ content: "Hi" }, { annotations: [note] }]).replace(
      '"model":"m-1"',
      '"model":"m-1","citations":["https://a.example"]',
    );
    const { fetch } = answering(body);
    const parts = await partsOf(chatwire(fetch)("m"), { ...hello, includeRawChunks: true });
    assert.deepEqual(
      ofType(parts, "source").map((source) => source.sourceType === "url" && [source.url, source.title]),
      [
        ["https://a.example", undefined],
        ["https://b.example", "B"],
      ],
    );
    assert.equal(ofType(parts, "raw").length, 3);
  });
});

describe("leaving, and what it used", () => {
  it("an aborted call errors with the reason, and its usage reaches the callback", async () => {
    const used: CallUsage[] = [];
    const controller = new AbortController();
    let upstream: AbortSignal | null | undefined;
    const fetch = async (_: unknown, init?: RequestInit) => {
      upstream = init?.signal;
      const body = new ReadableStream({
        start: (stream) => stream.enqueue(new TextEncoder().encode(streamOf([{ content: "Once upon a time" }], null))),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    };
    const model = chatwire(fetch as never, { onUsage: (usage) => used.push(usage) })("m");
    const { stream } = await model.doStream({ ...hello, abortSignal: controller.signal });
    const reader = stream.getReader();
    let part = await reader.read();
    while (part.value?.type !== "text-delta") part = await reader.read();
    controller.abort();
    await assert.rejects(
      async () => {
        while (!(await reader.read()).done);
      },
      { name: "AbortError" },
    );
    assert.equal(upstream?.aborted, true);
    assert.equal(used.length, 1);
    assert.equal(used[0]?.status, "aborted");
    assert.equal(used[0]?.usage?.estimated, true);
  });

  for (const way of ["doGenerate", "doStream"] as const) {
    it(`${way} that is aborted before its answer, or refused, reaches the callback once`, async () => {
      const used: CallUsage[] = [];
      const controller = new AbortController();
      const silent = (_: unknown, init?: RequestInit) =>
        new Promise<Response>((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
          setTimeout(() => controller.abort(), 5);
        });
      const onUsage = (usage: CallUsage) => used.push(usage);
      const left = chatwire(silent as never, { onUsage })("m")[way]({ ...hello, abortSignal: controller.signal });
      await assert.rejects(async () => left, { name: "AbortError" });
      const { timing: _, ...aborted } = used[0] as CallUsage;
      const nothing = { modelId: "m", usage: null, cost: null, repairs: [] };
      assert.equal(used.length, 1);
      assert.deepEqual({ ...aborted, attempts: [] }, { ...nothing, status: "aborted", attempts: [], requestId: null });

      const { fetch } = answering('{"error":{"message":"Not in your plan"}}', {
        status: 403,
        headers: { "content-type": "application/json", "x-request-id": "req-9" },
      });
      await assert.rejects(async () => chatwire(fetch, { onUsage })("m")[way](hello), { name: "AI_APICallError" });
      const { timing: __, attempts, ...refused } = used[1] as CallUsage;
      assert.equal(used.length, 2);
      assert.deepEqual(refused, { ...nothing, status: "error", requestId: "req-9" });
      assert.equal(attempts[0]?.status, 403);
    });
  }

  it("cancelling the stream ends the request", async () => {
    let upstream: AbortSignal | null | undefined;
    const fetch = async (_: unknown, init?: RequestInit) => {
      upstream = init?.signal;
      return new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
    };
    const { stream } = await chatwire(fetch as never)("m").doStream(hello);
    await stream.cancel();
    assert.equal(upstream?.aborted, true);
  });

  it("an observer that throws loses nothing", async () => {
    const { fetch } = answering(streamOf([{ content: "Hi" }]));
    const onUsage = () => {
      throw new Error("not today");
    };
    assert.equal(summary(await partsOf(chatwire(fetch, { onUsage })("m"))).text, "Hi");
  });
});

describe("an answer that comes whole", () => {
  const completion = {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "m-1",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "<think>Hm.</think>Hi",
          tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: { city: "Pune" } } }],
        },
        finish_reason: "stop",
      },
    ],
    usage,
  };

  it("is normalised like a stream, with repairs as warnings", async () => {
    const { fetch } = answering(JSON.stringify(completion));
    const result = await chatwire(fetch)("m").doGenerate(hello);
    assert.deepEqual(
      result.content.map((part) => [part.type, "text" in part ? part.text : "input" in part ? part.input : ""]),
      [
        ["reasoning", "Hm."],
        ["text", "Hi"],
        ["tool-call", '{"city":"Pune"}'],
      ],
    );
    assert.equal(result.finishReason.unified, "tool-calls");
    assert.equal(result.usage.inputTokens.total, 10);
    assert.ok(
      result.warnings.some((warning) => "feature" in warning && warning.feature === "tool_call.arguments_not_text"),
    );
    assert.equal(result.response?.modelId, "m-1");
    assert.equal(result.response?.headers?.["x-request-id"], "req-1");
  });

  it("that is refused throws what the AI SDK knows, once", async () => {
    const { fetch, asked } = answering('{"error":{"message":"No such plan","code":"no_plan"}}', { status: 403 });
    const error = await Promise.resolve(chatwire(fetch)("m").doGenerate(hello)).catch((thrown) => thrown);
    assert.ok(APICallError.isInstance(error));
    assert.equal(error.statusCode, 403);
    assert.equal(error.isRetryable, false);
    assert.match(error.message, /No such plan/);
    assert.match(error.responseBody ?? "", /no_plan/);
    assert.equal(asked.length, 1);
  });
});

describe("the provider", () => {
  it("takes a client, has its totals, and a name", async () => {
    const { fetch } = answering(streamOf([{ content: "Hi" }], "stop", usage));
    const client = new Chatwire({ baseURL: "https://models.example/v1", fetch: fetch as never });
    const provider = createChatwire({ client, name: "house" });
    assert.equal(provider("m").provider, "house");
    await partsOf(createChatwire(client).languageModel("m"));
    assert.equal(client.usage.total_tokens, 17);
  });

  it("names what is missing", () => {
    const provider = createChatwire({ baseURL: "https://models.example/v1" });
    assert.throws(
      () => provider(""),
      (error) => NoSuchModelError.isInstance(error),
    );
    assert.throws(
      () => provider.embeddingModel("e"),
      (error) => NoSuchModelError.isInstance(error),
    );
  });
});
