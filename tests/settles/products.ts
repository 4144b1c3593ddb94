/**
 * The consumers of the products made of the package: `chatwire/openai`, `chatwire/ai-sdk`, `chatwire/ag-ui`, `chatwire/otel`. In the table beside those of
 * `consumers.ts`, by `chatwire` alone, whose classes they know.
 */
import type * as agUI from "chatwire/ag-ui";
import type * as aiSDK from "chatwire/ai-sdk";
import type * as openai from "chatwire/openai";
import type { Stream } from "chatwire/openai/streaming";
import type * as otel from "chatwire/otel";
import { type Consumer, drain, type Host, handles, hello, LOOPS, reading, reasons, type Way } from "./consumers.ts";

/** The products, loaded by those who run the table. */
export interface Products {
  openai: typeof openai;
  Stream: typeof Stream;
  aiSDK: typeof aiSDK;
  agUI: typeof agUI;
  otel: typeof otel;
}
export const loaded = {} as Products;

/** How much a consumer of a `ReadableStream` reads: all, or its first item. */
async function readAll(stream: ReadableStream<unknown>, way: Way): Promise<void> {
  const reader = stream.getReader();
  while (!(await reader.read()).done) if (way === "break") return reader.cancel();
}

// ---- chatwire/openai, whose numbers are for headers alone: a stream that is silent has no timeouts ----------------------------

const openaiOf = ({ baseURL, fetch }: Host) =>
  new loaded.openai.OpenAI({
    apiKey: "k",
    dangerouslyAllowBrowser: true,
    baseURL,
    maxRetries: 0,
    timeout: 60,
    fetch: fetch as never,
    logLevel: "off",
  });
type OpenAIClient = ReturnType<typeof openaiOf>;
const isOpenAIs = (error: unknown) =>
  error instanceof loaded.openai.OpenAIError || (error as Error)?.name === "APIUserAbortError";

const asking = (
  ask: (client: OpenAIClient, signal: AbortSignal, way: Way) => Promise<unknown>,
  ways = CALLS,
  isOwn = isOpenAIs,
): Consumer => ({
  ways,
  isRaw: true,
  isOwn,
  start: (_, signal, way, host) => ({ done: ask(openaiOf(host), signal, way) }),
});
const CALLS: readonly Way[] = ["whole", "break", "throw", "signal"];
const WHOLE: readonly Way[] = ["whole", "signal"];
const params = { ...hello, messages: [...hello.messages] };
const tools = [
  { type: "function" as const, function: { name: "f", parameters: {}, function: () => "1", parse: JSON.parse } },
];
const stubborn = [
  { type: "function" as const, function: { name: "f", parameters: {}, function: () => new Promise<string>(() => {}) } },
];

/** A stream with events, or a run of tools. */
const emitting = (
  begin: (client: OpenAIClient, signal: AbortSignal) => ReturnType<OpenAIClient["chat"]["completions"]["stream"]>,
  read: (stream: ReturnType<typeof begin>, way: Way) => Promise<unknown>,
  ways: readonly Way[] = ["whole", "abort", "signal"],
): Consumer => ({
  ways,
  isRaw: true,
  isOwn: isOpenAIs,
  start(_, signal, way, host) {
    const stream = begin(openaiOf(host), signal);
    return { done: read(stream, way), abort: () => stream.abort() };
  },
});
const streamed = (client: OpenAIClient, signal: AbortSignal) => client.chat.completions.stream(params, { signal });
const ran = (client: OpenAIClient, signal: AbortSignal) =>
  client.chat.completions.runTools({ ...params, stream: true, tools } as never, {
    signal,
    maxChatCompletions: 3,
  }) as never;
const ranBadly = (client: OpenAIClient, signal: AbortSignal) =>
  client.chat.completions.runTools({ ...params, stream: true, tools: stubborn } as never, { signal }) as never;
const ranWhole = (client: OpenAIClient, signal: AbortSignal) =>
  client.chat.completions.runTools({ ...params, tools } as never, { signal, maxChatCompletions: 3 }) as never;

const made = async (client: OpenAIClient, signal: AbortSignal) =>
  client.chat.completions.create({ ...params, stream: true }, { signal });

// ---- chatwire/ai-sdk and chatwire/ag-ui --------------------------------------------------------------------------------------

const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello!" }] }];
/** The SDK expects of a model that was left the reason of the caller, whatever that is. */
const isAISDKs = (error: unknown) => reasons.includes(error) || /^AI_|AbortError/.test((error as Error)?.name);
const modelled = (
  ask: (model: ReturnType<ReturnType<typeof aiSDK.createChatwire>>, signal: AbortSignal, way: Way) => Promise<unknown>,
  ways = CALLS,
): Consumer => ({
  ways,
  isOwn: isAISDKs,
  start: (client, signal, way) => ({ done: ask(loaded.aiSDK.createChatwire({ client })("m"), signal, way) }),
});

const user = { id: "1", role: "user" as const, parts: [{ type: "text" as const, text: "Hello!" }] };
const sent = { chatId: "1", messages: [user], trigger: "submit-message" as const, messageId: undefined };
const store = { getItem: () => "abc", setItem: () => {}, removeItem: () => {} };

export const products: Record<string, Consumer> = {
  "openai, create": asking(async (client, signal) => client.chat.completions.create(params, { signal }), WHOLE),
  "openai, parse": asking(async (client, signal) => client.chat.completions.parse(params, { signal }), WHOLE),
  "openai, models.list": asking(async (client, signal) => client.models.list({ signal }), WHOLE),
  "openai, models.list, page by page": asking(
    async (client, signal, way) => reading(client.models.list({ signal }), way).done,
  ),
  "openai, completions.list": asking(
    async (client, signal, way) => reading(client.chat.completions.list({}, { signal }), way).done,
  ),
  "openai, models.retrieve": asking(async (client, signal) => client.models.retrieve("m", { signal }), WHOLE),
  "openai, post": asking(async (client, signal) => client.post("/files", { body: {}, signal }), WHOLE),
  "openai, asResponse": asking(
    async (client, signal) => (await client.chat.completions.create(params, { signal }).asResponse()).text(),
    WHOLE,
    () => true,
  ),
  "openai, withResponse": asking(
    async (client, signal) => client.chat.completions.create(params, { signal }).withResponse(),
    WHOLE,
  ),
  "openai, fromSSEResponse": asking(
    async (client, signal, way) => {
      const response = await client.chat.completions.create({ ...params, stream: true }, { signal }).asResponse();
      const controller = new AbortController();
      signal.addEventListener("abort", () => controller.abort());
      await reading(loaded.Stream.fromSSEResponse(response, controller), way).done;
    },
    undefined,
    () => true,
  ),
  "openai, Azure": {
    ways: CALLS,
    isRaw: true,
    isOwn: isOpenAIs,
    start(_, signal, way, { baseURL, fetch }) {
      const { AzureOpenAI } = loaded.openai;
      const settings = {
        apiKey: "k",
        apiVersion: "2024-10-21",
        dangerouslyAllowBrowser: true,
        maxRetries: 0,
        timeout: 60,
      };
      const client = new AzureOpenAI({ ...settings, baseURL, fetch: fetch as never, logLevel: "off" });
      const read = async () => {
        const stream = await client.chat.completions.create({ ...params, stream: true }, { signal });
        await reading(stream, way).done;
      };
      return { done: read() };
    },
  },
  "openai, get": asking(async (client, signal) => client.get("/files", { signal }), WHOLE),
  "openai, chunks": asking(async (client, signal, way) => reading(await made(client, signal), way).done),
  "openai, toReadableStream": asking(async (client, signal, way) =>
    readAll((await made(client, signal)).toReadableStream(), way),
  ),
  "openai, a stream of a stream": asking(async (client, signal, way) => {
    const stream = await made(client, signal);
    const again = loaded.Stream.fromReadableStream(stream.toReadableStream(), stream.controller);
    return reading(again, way).done;
  }),
  "openai, tee": asking(async (client, signal, way) => {
    const [one, two] = (await made(client, signal)).tee();
    await Promise.all([reading(one, way).done, reading(two, way).done]);
  }),
  "openai, tee, one after the other": asking(async (client, signal, way) => {
    const [one, two] = (await made(client, signal)).tee();
    const first = await reading(one, way).done.catch((error) => error);
    const second = await reading(two, way).done.catch((error) => error);
    for (const error of [first, second]) if (error) throw error;
  }),
  "openai, tee, one and never the other": asking(async (client, signal, way) => {
    const stream = await made(client, signal);
    const [one] = stream.tee();
    // The other half would keep its body, as with openai: the caller lets go of both.
    await reading(one, way).done.finally(() => stream.controller.abort());
  }),
  "openai, stream(), chunks": {
    ways: LOOPS.filter((way) => !/dispose|never|hook|into/.test(way)),
    isRaw: true,
    isOwn: isOpenAIs,
    start(_, signal, way, host) {
      const stream = streamed(openaiOf(host), signal);
      return { abort: () => stream.abort(), ...reading(stream, way) };
    },
  },
  "openai, stream(), done": emitting(streamed, (stream) => stream.done()),
  "openai, stream(), finals": emitting(streamed, (stream) =>
    Promise.all([stream.finalContent(), stream.finalMessage(), stream.finalChatCompletion(), stream.totalUsage()]),
  ),
  "openai, stream(), emitted": emitting(streamed, (stream) =>
    Promise.all([stream.emitted("content"), stream.emitted("refusal.done").catch(() => {}), stream.emitted("end")]),
  ),
  "openai, stream(), events": emitting(streamed, (stream) => drain(stream.events("content"))),
  "openai, stream(), toReadableStream": emitting(streamed, (stream, way) => readAll(stream.toReadableStream(), way), [
    "whole",
    "break",
    "abort",
    "signal",
  ]),
  "openai, runTools": emitting(ran, (stream) => stream.finalContent()),
  "openai, runTools, chunks": emitting(ran, (stream, way) => reading(stream, way).done, ["whole", "break", "abort"]),
  "openai, runTools, a tool": emitting(ranBadly, (stream) => stream.done(), ["abort", "signal"]),
  "openai, runTools without streams": emitting(ranWhole, (stream) => stream.done()),
  "ai-sdk, doStream": modelled(
    async (model, signal, way) => {
      const { stream } = await model.doStream({ prompt, abortSignal: signal });
      return readAll(stream, way);
    },
    ["whole", "break", "signal"],
  ),
  "ai-sdk, doStream with raw chunks": modelled(
    async (model, signal, way) => {
      const { stream } = await model.doStream({ prompt, abortSignal: signal, includeRawChunks: true });
      return readAll(stream, way);
    },
    ["whole", "break", "signal"],
  ),
  "ai-sdk, doGenerate": modelled(async (model, signal) => model.doGenerate({ prompt, abortSignal: signal }), WHOLE),
  "ai-sdk, toUIMessageStream": {
    ways: ["whole", "break", "abort", "signal", "dispose", "never"],
    start(client, signal, way) {
      const stream = client.chat.completions.stream(hello, { signal });
      const chunks = loaded.aiSDK.toUIMessageStream(stream);
      return { ...handles(stream), done: way === "never" ? Promise.resolve() : readAll(chunks, way) };
    },
  },
  "ai-sdk, toUIMessageStreamResponse": {
    ways: ["whole", "break", "abort", "signal", "dispose"],
    start(client, signal, way) {
      const stream = client.chat.completions.stream(hello, { signal });
      const { body } = loaded.aiSDK.toUIMessageStreamResponse(stream);
      return { ...handles(stream), done: readAll(body as ReadableStream, way) };
    },
  },
  "ai-sdk, sendMessages": {
    ways: ["whole", "break", "signal"],
    start(client, signal, way) {
      const transport = new loaded.aiSDK.ChatwireTransport({ client, model: "m", store });
      const asked = transport.sendMessages({ ...sent, abortSignal: signal });
      return { done: asked.then((chunks) => readAll(chunks, way)) };
    },
  },
  "ai-sdk, reconnectToStream": {
    ways: ["whole", "break", "signal"],
    start(client, signal, way) {
      const transport = new loaded.aiSDK.ChatwireTransport({ client, model: "m", store });
      const asked = transport.reconnectToStream({ chatId: "1", abortSignal: signal });
      return { done: asked.then((chunks) => readAll(chunks as ReadableStream, way)) };
    },
  },
  "ag-ui, of a stream": {
    ways: LOOPS,
    start(client, signal, way) {
      const stream = client.chat.completions.stream(hello, { signal });
      return { ...handles(stream), ...reading(loaded.agUI.toAGUI(stream), way) };
    },
  },
  "ag-ui, of a run": {
    ways: LOOPS,
    start(client, signal, way) {
      const own = [{ name: "f", parameters: { type: "object" }, execute: () => "1" }];
      const run = client.chat.completions.runTools({ ...hello, tools: own }, { signal, maxSteps: 3 });
      return { ...handles(run), ...reading(loaded.agUI.toAGUI(run), way) };
    },
  },
  "otel, telemetry": {
    ways: LOOPS.filter((way) => way !== "hook"),
    start(client, signal, way) {
      const own = client.withOptions({ hooks: loaded.otel.telemetry({ contents: true }) });
      const stream = own.chat.completions.stream(hello, { signal });
      return { ...handles(stream), ...reading(stream.events, way) };
    },
  },
  "otel, traced tools": {
    ways: LOOPS,
    start(client, signal, way) {
      const tools = [loaded.otel.traced({ name: "f", parameters: { type: "object" }, execute: () => "1" })];
      const run = client.chat.completions.runTools({ ...hello, tools: tools as never }, { signal, maxSteps: 3 });
      return { ...handles(run), ...reading(run, way) };
    },
  },
};
