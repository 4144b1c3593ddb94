/**
 * Every way to consume an answer that the package offers, and every way to leave it.
 */
import type * as Package from "chatwire";
import type { ChatStream, Chatwire, ClientOptions, RequestOptions, ToolRun } from "chatwire";

export const hello = { model: "m", messages: [{ role: "user" as const, content: "Hello!" }] };

/** How a consumer is left; `whole` reads to the end, `hook` aborts its signal from within a hook of the client. */
export const ways = [
  "whole",
  "break",
  "return",
  "throw",
  "throw into",
  "abort",
  "signal",
  "hook",
  "dispose",
  "never",
] as const;
export type Way = (typeof ways)[number];

/** Reasons to abort that a caller may give. */
export const reasons: readonly unknown[] = [
  undefined,
  null,
  "gone",
  7,
  Symbol("gone"),
  Object.create(null),
  new Error("gone"),
  Promise.resolve(),
];

/** A consumer at work. */
export interface Started {
  /** Settles once it has all it will get. */
  done: Promise<unknown>;
  abort?(): void;
  dispose?(): unknown;
  /** Calls the iterator's `return`, whatever `next` waits for. */
  leave?(): unknown;
  /** Calls the iterator's `throw`, which rejects with what it is given. */
  throwInto?(): unknown;
  /** Asks a server of its own once more: gives a text with `Hello` in it. */
  again?(): Promise<string>;
}

/** The server of a case, for consumers that bring a client of their own, and the package. */
export interface Host {
  baseURL: string;
  fetch: NonNullable<ClientOptions["fetch"]>;
  chatwire: Pick<typeof Package, "EventStreamDecoderStream">;
}

export interface Consumer {
  ways: readonly Way[];
  /** Reads what has no timeouts: only ends that come by themselves settle it. */
  isRaw?: boolean;
  /** Whether an error is one that this consumer promises; those of chatwire where it is left out. */
  isOwn?(error: unknown): boolean;
  start(client: Chatwire, signal: AbortSignal, way: Way, host: Host): Started;
}

/** Reads an iterable: to its end, to its first item, or, for `never`, not at all. */
export function reading(items: AsyncIterable<unknown>, way: Way): Pick<Started, "done" | "leave" | "throwInto"> {
  const iterator = items[Symbol.asyncIterator]();
  const same = { [Symbol.asyncIterator]: () => iterator };
  const read = async () => {
    for await (const _ of same) {
      if (way === "break") break;
      if (way === "throw") throw "the caller's own";
    }
  };
  const done = way === "never" ? Promise.resolve() : read();
  return {
    done: done.catch((error) => (error === "the caller's own" ? undefined : Promise.reject(error))),
    leave: () => iterator.return?.(),
    throwInto: () => iterator.throw?.("the caller's own").catch(() => {}),
  };
}

type Handle = ChatStream | ToolRun;
export const handles = (stream: Handle) => ({
  abort: () => stream.abort(),
  dispose: () => stream[Symbol.asyncDispose](),
});

export const LOOPS: readonly Way[] = ways;
const PROMISES: readonly Way[] = ["whole", "abort", "signal", "hook", "dispose"];
const CALLS: readonly Way[] = ["whole", "signal", "hook"];

/** A loop over a stream. */
const loop = (itemsOf: (stream: ChatStream) => AsyncIterable<unknown>, options: RequestOptions = {}): Consumer => ({
  ways: LOOPS,
  start(client, signal, way) {
    const stream = client.chat.completions.stream(hello, { signal, ...options });
    return { ...handles(stream), ...reading(itemsOf(stream), way) };
  },
});

/** The same by another client, with these options. */
const other = (optionsOf: (client: Chatwire) => ClientOptions): Consumer => ({
  ways: LOOPS,
  start(client, signal, way) {
    const stream = client.withOptions(optionsOf(client)).chat.completions.stream(hello, { signal });
    return { ...handles(stream), ...reading(stream.textStream, way) };
  },
});

/** A stream that is taken up, by one of the protocols for that. */
const resumed = (resume: NonNullable<ClientOptions["resume"]>): Consumer => ({
  ways: LOOPS,
  start(client, signal, way) {
    const own = resume === "chatwire" ? client : client.withOptions({ resume });
    const stream = own.chat.completions.resume("abc", { signal });
    return { ...handles(stream), ...reading(stream.textStream, way) };
  },
});

/** Something asked of a stream. */
const asked = (ask: (stream: ChatStream) => Promise<unknown>, options = {}): Consumer => ({
  ways: PROMISES,
  start(client, signal) {
    const stream = client.chat.completions.stream(hello, { signal, ...options });
    return { ...handles(stream), done: ask(stream) };
  },
});

/** A call that gives a promise. */
const called = (call: (client: Chatwire, signal: AbortSignal) => PromiseLike<unknown>): Consumer => ({
  ways: CALLS,
  start: (client, signal) => ({ done: Promise.resolve(call(client, signal)) }),
});

export const drain = async (items: AsyncIterable<unknown>) => {
  for await (const _ of items);
};
const drainBytes = async (stream: ReadableStream<Uint8Array>, way: Way) => {
  const reader = stream.getReader();
  while (!(await reader.read()).done) if (way === "break") return reader.cancel();
};

/** Two branches, read as `read` says. */
const teed = (read: (one: ChatStream, two: ChatStream, way: Way) => Promise<unknown>): Consumer => ({
  ways: ["whole", "break", "abort", "signal", "dispose"],
  start(client, signal, way) {
    const stream = client.chat.completions.stream(hello, { signal });
    const [one, two] = stream.tee();
    return { ...handles(stream), done: read(one, two, way) };
  },
});
const side = (stream: ChatStream, way: Way) => reading(stream.textStream, way).done;

const tool = { name: "f", parameters: { type: "object" }, execute: () => "1" };
const ran = (options: (way: Way) => object, own: object = {}): Consumer => ({
  ways: LOOPS,
  start(client, signal, way) {
    const params = { ...hello, tools: [{ ...tool, ...own }] };
    const run = client.chat.completions.runTools(params, { signal, maxSteps: 3, ...options(way) });
    return { ...handles(run), ...reading(run, way) };
  },
});
const never = () => new Promise<never>(() => {});
const soon = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 3));

/** A caller's own function that does not settle is no reason to wait for one who leaves; for one who stays it is. */
const unlessLeft =
  <T>(now: () => Promise<T>) =>
  (way: Way) =>
    way === "whole" ? now : never;

/** A caller's schema that takes its time; one that does not settle is no reason to wait for one who leaves. */
const slowly = (way: Way) => ({
  "~standard": {
    version: 1 as const,
    vendor: "settles",
    validate: async (value: unknown) => ({ value: await unlessLeft(soon)(way)().then(() => value) }),
    jsonSchema: { input: () => ({ type: "object" }), output: () => ({ type: "object" }) },
  },
});

/** A run of tools that is asked for something. */
const askedOfRun = (ask: (run: ToolRun) => Promise<unknown>): Consumer => ({
  ways: PROMISES,
  start(client, signal) {
    const run = client.chat.completions.runTools({ ...hello, tools: [tool] }, { signal, maxSteps: 3 });
    return { ...handles(run), done: ask(run) };
  },
});

/** A run that is left from within one of the caller's functions. */
const leftWithin = (made: (run: () => ToolRun) => { execute?(): unknown; approve?(): unknown }): Consumer => ({
  ways: LOOPS,
  start(client, signal, way) {
    const own = made(() => run);
    const params = { ...hello, tools: [{ ...tool, ...(own.execute && { execute: own.execute }) }] };
    const run: ToolRun = client.chat.completions.runTools(params, {
      signal,
      maxSteps: 3,
      ...(own.approve && { approve: own.approve as () => boolean }),
    });
    return { ...handles(run), ...reading(run, way) };
  },
});

/** A stream that is stopped while it is read, at its server too where that keeps it. */
const stopped = (begin: (client: Chatwire, signal: AbortSignal) => ChatStream): Consumer => ({
  ways: ["whole", "break", "abort", "signal", "dispose"],
  start(client, signal, way) {
    const stream = begin(client, signal);
    const { done } = reading(stream.textStream, way);
    const stop = soon().then(() => stream.stop());
    return { ...handles(stream), done: Promise.all([done, stop]) };
  },
});

const format = { type: "json_schema" as const, json_schema: { name: "a", schema: { type: "object" } } };

export const consumers: Record<string, Consumer> = {
  textStream: loop((stream) => stream.textStream),
  chunks: loop((stream) => stream),
  events: loop((stream) => stream.events),
  frames: loop((stream) => stream.frames()),
  "events with sentences": {
    ways: LOOPS,
    start(client, signal, way) {
      const stream = client.chat.completions.stream(hello, { signal, sentences: { quietMs: 10 } });
      return { ...handles(stream), ...reading(stream.events, way) };
    },
  },
  outcome: asked((stream) => stream.outcome()),
  finalContent: asked((stream) => stream.finalContent()),
  finalMessage: asked((stream) => stream.finalMessage()),
  finalChatCompletion: asked((stream) => stream.finalChatCompletion()),
  totalUsage: asked((stream) => stream.totalUsage()),
  recording: asked((stream) => stream.recording(), { record: true }),
  "outcome beside a loop": asked((stream) => Promise.all([drain(stream.textStream), stream.outcome()])),
  "all finals at once": asked((stream) =>
    Promise.all([stream.outcome(), stream.finalContent(), stream.finalMessage(), stream.totalUsage()]),
  ),
  toReadableStream: {
    ways: ["whole", "break", "abort", "signal", "dispose", "never"],
    start(client, signal, way) {
      const stream = client.chat.completions.stream(hello, { signal });
      const readable = stream.toReadableStream();
      return { ...handles(stream), done: way === "never" ? Promise.resolve() : drainBytes(readable, way) };
    },
  },
  "a stream of a stream": {
    ways: ["whole", "break", "abort", "signal", "dispose"],
    start(client, signal, way) {
      const stream = client.chat.completions.stream(hello, { signal });
      // Its class: the table is given the package, and imports none.
      const Stream = stream.constructor as typeof ChatStream;
      return { ...handles(stream), ...reading(Stream.fromReadableStream(stream.toReadableStream()).textStream, way) };
    },
  },
  "tee, both": teed((one, two, way) => Promise.all([side(one, way), side(two, way)])),
  "tee, one after the other": teed(async (one, two, way) => {
    const first = await side(one, way).catch((error) => error);
    const second = await side(two, way).catch((error) => error);
    for (const error of [first, second]) if (error) throw error;
  }),
  "tee, one": teed((one, two, way) => side(one, way).finally(() => two.abort())),
  "tee, one and never the other": teed((one, two, way) =>
    side(one, way).finally(() => setTimeout(() => two.abort(), 30)),
  ),
  "tee, none": teed(async (one, two) => {
    await soon();
    one.abort();
    two.abort();
  }),
  "tee, one leaves": teed((one, two, way) => {
    setTimeout(() => one.abort(), 5);
    return Promise.all([side(one, "whole"), side(two, way)]);
  }),
  "tee, one leaves while it waits": teed(async (one, two, way) => {
    const texts = one.textStream[Symbol.asyncIterator]();
    const waits = texts.next().then(() => texts.next());
    setTimeout(() => one.abort(), 3);
    const both = await Promise.allSettled([waits, side(two, way)]);
    for (const result of both) if (result.status === "rejected") throw result.reason;
  }),
  "tee of a tee": teed((one, two, way) => {
    const [three, four] = two.tee();
    return Promise.all([side(one, way), side(three, way), four.outcome()]);
  }),
  "create, stream": called(async (client, signal) =>
    drain(await client.chat.completions.create({ ...hello, stream: true }, { signal })),
  ),
  create: called((client, signal) => client.chat.completions.create(hello, { signal })),
  "withResponse, stream": called(async (client, signal) => {
    const { data } = await client.chat.completions.create({ ...hello, stream: true }, { signal }).withResponse();
    await drain(data);
  }),
  withResponse: called((client, signal) => client.chat.completions.create(hello, { signal }).withResponse()),
  asResponse: {
    ...called(async (client, signal) => (await client.chat.completions.create(hello, { signal }).asResponse()).text()),
    isRaw: true,
    // The host's own.
    isOwn: () => true,
  },
  "asResponse, cancelled": {
    ...called(async (client, signal) => {
      const response = await client.chat.completions.create({ ...hello, stream: true }, { signal }).asResponse();
      await response.body?.cancel();
    }),
    // Of a body that the call's signal has broken, as the standard says.
    isOwn: () => true,
  },
  parse: called((client, signal) => client.chat.completions.parse({ ...hello, response_format: format }, { signal })),
  "parse, a slow schema": {
    ways: CALLS,
    start: (client, signal, way) => ({
      done: client.chat.completions.parse({ ...hello, response_format: slowly(way) }, { signal }),
    }),
  },
  "a body through EventStreamDecoderStream": {
    ways: ["whole", "break", "signal"],
    isRaw: true,
    // The host's own, beside those of chatwire.
    isOwn: () => true,
    start: (_, signal, way, { baseURL, fetch, chatwire }) => {
      const read = async () => {
        // Nothing of chatwire's is there to give up: the caller does.
        const own = new AbortController();
        signal.addEventListener("abort", () => own.abort());
        const timer = setTimeout(() => own.abort(), 60);
        const left = new Promise<never>((_, reject) => own.signal.addEventListener("abort", reject));
        const asked = fetch(baseURL, { method: "GET", headers: new Headers(), signal: own.signal });
        asked.then((late) => (own.signal.aborted ? late?.body?.cancel() : undefined)).catch(() => {});
        const { body } = await Promise.race([asked, left]);
        // A stream of Node is the caller's to convert.
        if (body && !body.pipeThrough) {
          await (body as AsyncIterable<unknown>)[Symbol.asyncIterator]?.().return?.();
          return;
        }
        const reader = body?.pipeThrough(new chatwire.EventStreamDecoderStream()).getReader();
        // By the reader: in Node, a pipe whose signal is aborted while a write fails never cancels its source.
        const leave = () => void reader?.cancel().catch(() => {});
        if (own.signal.aborted) leave();
        own.signal.addEventListener("abort", leave);
        while (reader && !(await reader.read()).done) if (way === "break") await reader.cancel();
        clearTimeout(timer);
      };
      return { done: read() };
    },
  },
  "models.list": called((client, signal) => client.models.list({ signal })),
  batch: called((client, signal) => client.chat.completions.batch([hello, hello], { signal })),
  warmUp: called((client, signal) => client.warmUp({ signal, timeout: 60 })),
  "replay of a recording": {
    ways: ["whole", "abort", "signal", "dispose"],
    start(client, signal) {
      const stream = client.chat.completions.stream(hello, { signal, record: true });
      const Stream = stream.constructor as typeof ChatStream;
      const replayed = async () => {
        const file = await stream.recording();
        return drain(Stream.fromRecording(file).textStream);
      };
      return { ...handles(stream), done: replayed() };
    },
  },
  hedged: loop((stream) => stream.textStream, { hedge: 3 }),
  "with a fallback": other((client) => ({ fallback: [{ client, model: "n" }] })),
  "asked again": other(() => ({ maxRetries: 2 })),
  "continued elsewhere": {
    ways: LOOPS,
    start(client, signal, way) {
      const continueWith = [
        { client: client.withOptions({ provider: { baseURL: client.baseURL, prefill: true } }), model: "n" },
      ];
      const stream = client.chat.completions.stream(hello, { signal, continueWith });
      return { ...handles(stream), ...reading(stream.events, way) };
    },
  },
  resume: resumed("chatwire"),
  "resume, llama-server": resumed("llama-server"),
  "resume, cloudflare-ai-gateway": resumed("cloudflare-ai-gateway"),
  "resume, durable-streams": resumed("durable-streams"),
  "a stream that llama-server keeps": other(() => ({ resume: "llama-server" })),
  stop: stopped((client, signal) => client.chat.completions.stream(hello, { signal })),
  "stop, resumed": stopped((client, signal) => client.chat.completions.resume("abc", { signal })),
  "stop, an id of its own": stopped((client, signal) =>
    client.chat.completions.stream(hello, { signal, resumeId: "chosen-by-the-caller-1" }),
  ),
  runTools: ran(() => ({})),
  "runTools, a slow schema": {
    ways: LOOPS,
    start(client, signal, way) {
      const tools = [{ ...tool, parameters: slowly(way) }];
      const run = client.chat.completions.runTools({ ...hello, tools }, { signal, maxSteps: 3 });
      return { ...handles(run), ...reading(run, way) };
    },
  },
  "runTools, approved": ran((way) => ({ approve: unlessLeft(soon)(way) })),
  "runTools, a tool": ran(() => ({ toolTimeout: 50 }), { execute: never }),
  "runTools, left by its tool": leftWithin((run) => ({ execute: () => run().abort() })),
  "runTools, disposed of by its tool": leftWithin((run) => ({ execute: () => run()[Symbol.asyncDispose]() })),
  "runTools, left by approve": leftWithin((run) => ({ approve: () => run().abort() })),
  "runTools, outcome": askedOfRun((run) => run.outcome()),
  "runTools, finals": askedOfRun((run) =>
    Promise.all([run.finalContent(), run.finalMessage(), run.finalChatCompletion(), run.totalUsage()]),
  ),
};
