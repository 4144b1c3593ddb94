/**
 * `ChatwireTransport` and `toUIMessageStream`, read by the AI SDK's own chat and its own readers.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  AbstractChat,
  type ChatTransport,
  convertToModelMessages,
  DefaultChatTransport,
  readUIMessageStream,
  streamText,
  type UIMessage,
} from "ai";
import { Chatwire } from "chatwire";
import { ChatwireTransport, toChatMessages, toUIMessageStream, toUIMessageStreamResponse } from "chatwire/ai-sdk";
import { createEmulator } from "chatwire/emulator";
import { answering, chatwire, streamOf } from "./wire.ts";

/** A chat without a framework. */
class PlainChat extends AbstractChat<UIMessage> {
  constructor(transport: ChatTransport<UIMessage>, id = "chat-1", messages: UIMessage[] = []) {
    const state = {
      status: "ready" as const,
      error: undefined,
      messages,
      pushMessage(message: UIMessage) {
        this.messages = [...this.messages, message];
      },
      popMessage() {
        this.messages = this.messages.slice(0, -1);
      },
      replaceMessage(index: number, message: UIMessage) {
        this.messages = this.messages.with(index, message);
      },
      snapshot: <T>(thing: T): T => structuredClone(thing),
    };
    super({ id, transport, state });
  }

  get text(): string {
    return (this.messages.at(-1)?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
  }
}

const clientOf = (fetch: unknown) => new Chatwire({ baseURL: "https://a.example/v1", fetch: fetch as never });
const messages = [{ role: "user" as const, content: "Hello" }];

async function messageOf(body: string): Promise<UIMessage | undefined> {
  const stream = clientOf(answering(body).fetch).chat.completions.stream({ model: "m", messages });
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream: toUIMessageStream(stream) })) last = message;
  return last;
}

describe("toUIMessageStream", () => {
  it("gives reasoning, text and calls as parts of one message", async () => {
    const call = { index: 0, id: "c1", type: "function", function: { name: "weather", arguments: '{"city":"Pune"}' } };
    const deltas = [{ reasoning_content: "Hm." }, { content: "One moment." }, { tool_calls: [call] }];
    const message = await messageOf(streamOf(deltas, "tool_calls"));
    assert.deepEqual(
      message?.parts.map((part) => part.type),
      ["step-start", "reasoning", "text", "tool-weather"],
    );
    const tool = message?.parts.at(-1) as { state: string; input: unknown };
    assert.deepEqual([tool.state, tool.input], ["input-available", { city: "Pune" }]);
  });

  it("tells an answer that breaks off from one that ends, and keeps what came", async () => {
    const stream = clientOf(answering(streamOf([{ content: "Once" }], null)).fetch).chat.completions.stream({
      model: "m",
      messages,
    });
    const types: string[] = [];
    let text = "";
    for await (const chunk of toUIMessageStream(stream, { onError: ({ name }) => name })) {
      types.push(chunk.type);
      if (chunk.type === "text-delta") text += chunk.delta;
      if (chunk.type === "error") assert.equal(chunk.errorText, "TruncatedError");
    }
    assert.equal(text, "Once");
    assert.deepEqual(types.slice(-3), ["finish-step", "error", "finish"]);
  });

  it("is what the AI SDK's own transport reads from a worker", async () => {
    const client = clientOf(answering(streamOf([{ content: "Hi" }, { content: " there." }])).fetch);
    const chat = new PlainChat(
      new DefaultChatTransport({
        api: "https://page.example/api/chat",
        fetch: async (_, init) => {
          const body = JSON.parse(String(init?.body));
          return toUIMessageStreamResponse(
            client.chat.completions.stream({ model: "m", messages: toChatMessages(body.messages) }),
          );
        },
      }),
    );
    await chat.sendMessage({ text: "Hello" });
    assert.equal(chat.text, "Hi there.");
    assert.equal(chat.status, "ready");
  });

  it("a chat reads the provider's answers as the AI SDK serves them", async () => {
    const deltas = [{ reasoning_content: "Greet. " }, { content: "Hi" }, { content: " there." }];
    const { fetch, asked } = answering(streamOf(deltas));
    const chat = new PlainChat(
      new DefaultChatTransport({
        api: "https://page.example/api/chat",
        fetch: async (_, init) => {
          const { messages } = JSON.parse(String(init?.body)) as { messages: UIMessage[] };
          const prompt = await convertToModelMessages(messages);
          return streamText({ model: chatwire(fetch)("m"), messages: prompt }).toUIMessageStreamResponse();
        },
      }),
    );
    await chat.sendMessage({ text: "Hello" });
    await chat.sendMessage({ text: "And?" });
    assert.equal(chat.status, "ready");
    assert.equal(chat.error, undefined);
    assert.deepEqual(
      chat.messages.map(({ role }) => role),
      ["user", "assistant", "user", "assistant"],
    );
    const types = chat.messages.at(-1)?.parts.map(({ type }) => type);
    assert.deepEqual(types, ["step-start", "reasoning", "text"]);
    assert.equal(chat.text, "Hi there.");
    const sent = asked[1]?.body.messages as { role: string; content: unknown }[];
    assert.deepEqual(
      sent.map(({ role }) => role),
      ["user", "assistant", "user"],
    );
    assert.equal(sent[1]?.content, "Hi there.");
  });

  it("ends the request when its reader leaves", async () => {
    let upstream: AbortSignal | null | undefined;
    const fetch = async (_: unknown, init?: RequestInit) => {
      upstream = init?.signal;
      return new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
    };
    const reader = toUIMessageStream(
      await clientOf(fetch).chat.completions.create({ model: "m", messages, stream: true }),
    ).getReader();
    for (let at = 0; at < 2; at++) await reader.read();
    const pending = reader.read();
    await reader.cancel();
    await pending;
    assert.equal(upstream?.aborted, true);
  });
});

/** A transport after a reload of the page: an answer of the chat `chat-1` was under way. `asked` has the header `x-user` of each request. */
function reloaded(answer: () => Promise<Response>) {
  const asked: (string | null)[] = [];
  const fetch = async (_: string, { headers }: { headers: HeadersInit }) => {
    asked.push(new Headers(headers).get("x-user"));
    return answer();
  };
  const store = new Map([["chatwire:stream:chat-1", "s1"]]);
  const kept = {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key),
  };
  const transport = new ChatwireTransport({ client: clientOf(fetch), model: "m", store: kept });
  return { transport, store, asked };
}

describe("ChatwireTransport", () => {
  it("chats with an endpoint, without a route", async () => {
    const transport = new ChatwireTransport({
      client: { provider: "electron", apiKey: "k", fetch: createEmulator().fetch },
      model: "electron",
      system: "Be kind.",
    });
    const chat = new PlainChat(transport);
    await chat.sendMessage({ text: "Why is the sky blue?" });
    assert.equal(chat.error, undefined);
    assert.ok(chat.text.length > 10);
    await chat.sendMessage({ text: "And at night?" });
    assert.equal(chat.messages.length, 4);
  });

  it("stopping ends the provider's work", async () => {
    const aborted: boolean[] = [];
    const emulator = createEmulator({ tokensPerSecond: 20, onEnd: (record) => aborted.push(record.aborted) });
    const transport = new ChatwireTransport({
      client: { provider: "electron", apiKey: "k", fetch: emulator.fetch },
      model: "electron",
    });
    const chat = new PlainChat(transport);
    const asked = chat.sendMessage({ text: "Why is the sky blue?" });
    while (chat.text === "") await new Promise(setImmediate);
    await chat.stop();
    await asked;
    assert.equal(chat.status, "ready");
    assert.ok(chat.text.length > 0);
    assert.deepEqual(aborted, [true]);
  });

  it("goes on after a reload with the answer that was under way", async () => {
    const whole = streamOf([{ content: "Once " }, { content: "upon a time." }]);
    const store = new Map<string, string>();
    const kept = {
      getItem: (key: string) => store.get(key) ?? null,
      setItem: (key: string, value: string) => void store.set(key, value),
      removeItem: (key: string) => void store.delete(key),
    };
    const asked: string[] = [];
    const fetch = async (url: string, init: { method: string }) => {
      asked.push(`${init.method} ${new URL(url).pathname}`);
      const headers = {
        "content-type": "text/event-stream",
        "x-chatwire-stream": "s1",
        "x-chatwire-stream-state": "ended",
      };
      // The first answer never ends: the page is gone before.
      if (init.method === "POST") return new Response(new ReadableStream(), { headers });
      return new Response(whole, { headers });
    };
    const transportOf = () => new ChatwireTransport({ client: clientOf(fetch), model: "m", store: kept });
    const before = new PlainChat(transportOf());
    void before.sendMessage({ text: "Hello" });
    while (store.size === 0) await new Promise(setImmediate);

    const after = new PlainChat(transportOf(), "chat-1", [...before.messages.slice(0, 1)]);
    await after.resumeStream();
    assert.equal(after.text, "Once upon a time.");
    assert.deepEqual(asked, ["POST /v1/chat/completions", "GET /v1/streams/s1"]);
    assert.equal(store.size, 0, "an answer that has ended is not taken up again");
    assert.equal(await transportOf().reconnectToStream({ chatId: "chat-1" }), null);
    await before.stop();
  });

  it("has nothing to go on with where the gateway no longer keeps the answer, and says so without an error", async () => {
    for (const status of [404, 410]) {
      const { transport, store, asked } = reloaded(async () =>
        Response.json({ error: { message: "gone" } }, { status }),
      );
      const chat = new PlainChat(transport, "chat-1");
      await chat.resumeStream();
      assert.deepEqual([chat.error, chat.status, chat.messages], [undefined, "ready", []]);
      assert.deepEqual([asked.length, store.size], [1, 0]);
    }
  });

  it("goes on with the headers of the chat, and again after a connection that broke", async () => {
    let isUp = false;
    const { transport, store, asked } = reloaded(async () => {
      if (!isUp) throw new TypeError("fetch failed");
      return new Response(streamOf([{ content: "Once" }]), { headers: { "content-type": "text/event-stream" } });
    });
    const read = async () => {
      const stream = await transport.reconnectToStream({ chatId: "chat-1", headers: { "x-user": "u" } });
      const types: string[] = [];
      for await (const { type } of stream ?? []) types.push(type);
      return types;
    };
    assert.ok((await read()).includes("error"));
    assert.equal(store.size, 1);
    isUp = true;
    assert.ok(!(await read()).includes("error"));
    assert.equal(store.size, 0);
    assert.deepEqual(new Set(asked), new Set(["u"]));
  });

  it("goes on with an answer that is silent at first", async () => {
    let say: (text: string) => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        say = (text) => {
          controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        };
      },
    });
    const { transport } = reloaded(
      async () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
    );
    const chat = new PlainChat(transport, "chat-1");
    const resumed = chat.resumeStream();
    while (chat.status !== "submitted") await new Promise((resolve) => setTimeout(resolve, 20));
    say(streamOf([{ content: "At last." }]));
    await resumed;
    assert.equal(chat.text, "At last.");
  });

  it("stopping tells a gateway that keeps the stream to end it, also after a reload", async () => {
    const asked: string[] = [];
    const fetch = async (url: string, init: { method: string; signal?: AbortSignal }) => {
      asked.push(`${init.method} ${new URL(url).pathname}`);
      const headers = { "content-type": "text/event-stream", "x-chatwire-stream": "s1" };
      const first = new TextEncoder().encode('data: {"id":"1","choices":[{"index":0,"delta":{"content":"Once"}}]}\n\n');
      return new Response(new ReadableStream({ start: (body) => body.enqueue(first) }), { headers });
    };
    const store = new Map<string, string>();
    const kept = {
      getItem: (key: string) => store.get(key) ?? null,
      setItem: (key: string, value: string) => void store.set(key, value),
      removeItem: (key: string) => void store.delete(key),
    };
    const transportOf = () => new ChatwireTransport({ client: clientOf(fetch), model: "m", store: kept });
    const stopping = async (chat: PlainChat, begun: Promise<void>) => {
      while (chat.text !== "Once") await new Promise(setImmediate);
      await chat.stop();
      await begun;
      while (!asked.at(-1)?.startsWith("DELETE")) await new Promise(setImmediate);
    };
    const before = new PlainChat(transportOf());
    await stopping(before, before.sendMessage({ text: "Hello" }));
    assert.deepEqual(asked.splice(0), ["POST /v1/chat/completions", "DELETE /v1/streams/s1"]);

    store.set("chatwire:stream:chat-1", "s1");
    const after = new PlainChat(transportOf(), "chat-1", [...before.messages.slice(0, 1)]);
    await stopping(after, after.resumeStream());
    assert.deepEqual(asked, ["GET /v1/streams/s1", "DELETE /v1/streams/s1"]);
  });

  it("needs the name of a model", () => {
    for (const options of [{ client: {} }, { client: {}, model: "" }, undefined]) {
      assert.throws(() => new ChatwireTransport(options as never), { name: "ChatwireError", message: /has no model/ });
    }
  });

  it("rejects with the server's refusal", async () => {
    const { fetch } = answering('{"error":{"message":"No such plan"}}', { status: 403 });
    const chat = new PlainChat(new ChatwireTransport({ client: clientOf(fetch), model: "m" }));
    await chat.sendMessage({ text: "Hello" });
    assert.match(String(chat.error), /No such plan/);
    assert.equal(chat.status, "error");
  });
});

describe("toChatMessages", () => {
  it("has calls and their results in their places, and says which were not run", () => {
    const sent = toChatMessages([
      {
        id: "1",
        role: "user",
        parts: [
          { type: "text", text: "Weather?" },
          { type: "file", mediaType: "image/png", url: "data:image/png;base64,AA" },
        ],
      },
      {
        id: "2",
        role: "assistant",
        parts: [
          { type: "step-start" },
          { type: "text", text: "One moment." },
          {
            type: "tool-weather",
            toolCallId: "c1",
            state: "output-available",
            input: { city: "Pune" },
            output: { c: 31 },
          },
          { type: "tool-weather", toolCallId: "c2", state: "input-available", input: {} },
          { type: "step-start" },
          { type: "text", text: "31 degrees." },
        ],
      } as UIMessage,
    ]);
    const call = (id: string, args: string) => ({
      id,
      type: "function",
      function: { name: "weather", arguments: args },
    });
    assert.deepEqual(sent, [
      {
        role: "user",
        content: [
          { type: "text", text: "Weather?" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
        ],
      },
      { role: "assistant", content: "One moment.", tool_calls: [call("c1", '{"city":"Pune"}'), call("c2", "{}")] },
      { role: "tool", tool_call_id: "c1", content: '{"c":31}' },
      { role: "tool", tool_call_id: "c2", content: "This call was not run." },
      { role: "assistant", content: "31 degrees." },
    ]);
  });

  it("has texts and sounds as the parts that the wire has for them, and other files by address", () => {
    const file = (mediaType: string, url: string) => ({ type: "file" as const, mediaType, url });
    const [message] = toChatMessages([
      {
        id: "1",
        role: "user",
        parts: [
          { type: "text", text: "See" },
          file("text/plain", `data:text/plain;charset=utf-8;base64,${btoa("inside")}`),
          file("audio/wav", "data:audio/wav;base64,AAAA"),
          file("application/pdf", "data:application/pdf;base64,AAAA"),
          file("text/plain", "data:text/plain;base64,a"),
        ],
      },
    ]);
    assert.deepEqual(message?.content, [
      { type: "text", text: "See" },
      { type: "text", text: "inside" },
      { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
      { type: "file", file: { filename: "file", file_data: "data:application/pdf;base64,AAAA" } },
      { type: "file", file: { filename: "file", file_data: "data:text/plain;base64,a" } },
    ]);
  });

  it("says why a call was denied, and what failed", () => {
    const part = (state: string, more: object) => ({ type: "tool-wipe", toolCallId: state, state, input: {}, ...more });
    const parts = [
      part("output-denied", { approval: { id: "a", approved: false, reason: "Not today." } }),
      part("output-error", { errorText: "No disk." }),
      part("approval-requested", { approval: { id: "a" } }),
    ];
    const [, ...results] = toChatMessages([{ id: "1", role: "assistant", parts } as never]);
    assert.deepEqual(
      results.map(({ content }) => content),
      ["Not today.", "No disk.", "This call was not run."],
    );
  });
});
