/** Coming back for the rest of a stream that a gateway keeps. The gateway is played here; tests/edge has the real one. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Chatwire, type Hooks, NotFoundError, TruncatedError } from "chatwire";

const chunk = (content: string, finish_reason: string | null = null) =>
  JSON.stringify({
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta: { content }, finish_reason }],
  });
const words = ["ஒன்று ", "two\n", "तीन ", "🎉"];
const events = [...words.map((word) => chunk(word)), chunk("", "stop"), "[DONE]"].map(
  (data, number) => `data: ${data}\nid: ${number}\n\n`,
);
const whole = new TextEncoder().encode(events.join(""));

interface Seen {
  method: string;
  path: string;
  last: string | null;
  key: string | null;
}

/** A gateway whose first answer breaks after so many bytes; `again` answers those who come back. */
function gateway(
  broken: () => ReadableStream<Uint8Array>,
  again: (seen: Seen) => Response | Promise<Response>,
  hooks: Hooks = {},
  timeout: { idle: number } | undefined = undefined,
) {
  const seen: Seen[] = [];
  const client = new Chatwire({
    baseURL: "https://gateway.example.com/v1",
    apiKey: "sk-test",
    defaultQuery: { provider: "own" },
    hooks,
    ...(timeout && { timeout }),
    fetch: async (url, { method, headers }) => {
      const { pathname, search } = new URL(url);
      assert.equal(search, "?provider=own");
      const one = { method, path: pathname, last: headers.get("last-event-id"), key: headers.get("authorization") };
      if (method === "POST") {
        const own = { "content-type": "text/event-stream", "x-chatwire-stream": "s1" };
        return new Response(broken(), { headers: own });
      }
      seen.push(one);
      return again(one);
    },
  });
  return {
    client,
    seen,
    stream: () => client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "hi" }] }),
  };
}

const rest = ({ last }: Seen, state = "ended") => {
  const headers = { "content-type": "text/event-stream", "x-chatwire-stream": "s1", "x-chatwire-stream-state": state };
  return new Response(events.slice(last === null ? 0 : Number(last) + 1).join(""), { headers });
};

/** The first so many bytes, and then an end or an error. */
function cut(bytes: number, isError: boolean): ReadableStream<Uint8Array> {
  let isRead = false;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (!isRead && bytes > 0) controller.enqueue(whole.slice(0, bytes));
        else if (isError) controller.error(new TypeError("terminated"));
        else controller.close();
        isRead = true;
      },
    },
    { highWaterMark: 0 },
  );
}

describe("a kept stream", () => {
  it("tells its hooks of each try, and its outcome how often it was taken up again", async () => {
    const told: unknown[] = [];
    const hooks: Hooks = {
      onResume: ({ attempt, delay }) => told.push({ onResume: { attempt, delay } }),
      onResumed: ({ attempt }) => told.push({ onResumed: { attempt } }),
    };
    let tries = 0;
    const { stream } = gateway(
      () => cut(100, true),
      (seen) => {
        if (++tries === 1) throw new TypeError("no network");
        return rest(seen);
      },
      hooks,
    );
    const { status, resumed } = await stream().outcome();
    assert.deepEqual([status, resumed], ["complete", 1]);
    assert.deepEqual(told, [
      { onResume: { attempt: 1, delay: 0 } },
      { onResume: { attempt: 2, delay: 250 } },
      { onResumed: { attempt: 2 } },
    ]);
  });

  it("was not taken up again where nothing was lost", async () => {
    const { stream } = gateway(() => cut(whole.length, false), rest);
    assert.equal((await stream().outcome()).resumed, 0);
  });

  /** Some bytes, and then nothing for ever: a connection that is half open. */
  const halfOpen = (bytes: number) => () => {
    let isRead = false;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          if (isRead) await new Promise(() => {});
          isRead = true;
          controller.enqueue(whole.slice(0, bytes));
        },
      },
      { highWaterMark: 0 },
    );
  };
  const turns = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  };

  it("comes back after two heartbeats that did not come", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { stream, seen } = gateway(halfOpen(200), rest);
    const outcome = stream().outcome();
    await turns();
    context.mock.timers.tick(31_000);
    await turns();
    assert.equal(seen.length, 0);
    context.mock.timers.tick(1500);
    await turns();
    context.mock.timers.tick(1);
    assert.equal((await outcome).status, "complete");
    assert.equal(seen.length, 1);
  });

  it("comes back once before it counts as stalled", async () => {
    const { client, seen } = gateway(halfOpen(200), rest);
    const params = { model: "m", messages: [{ role: "user" as const, content: "hi" }] };
    const outcome = await client.chat.completions.stream(params, { timeout: { idle: 2000 } }).outcome();
    assert.deepEqual([outcome.status, seen.length], ["complete", 1]);
  });

  it("comes back once before it counts as stalled, also by its client's own patience", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { client, seen } = gateway(halfOpen(200), rest, {}, { idle: 20_000 });
    const params = { model: "m", messages: [{ role: "user" as const, content: "hi" }] };
    const outcome = client.chat.completions.stream(params).outcome();
    await turns();
    context.mock.timers.tick(10_500);
    await turns();
    context.mock.timers.tick(1);
    assert.deepEqual([(await outcome).status, seen.length], ["complete", 1]);
  });

  it("does not come back for what says nothing of its connection", async (context) => {
    const page = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
    const global = globalThis as unknown as Record<string, unknown>;
    const before = { add: global.addEventListener, remove: global.removeEventListener, document: global.document };
    context.after(() => {
      Object.assign(global, { addEventListener: before.add, removeEventListener: before.remove });
      global.document = before.document;
    });
    global.addEventListener = page.addEventListener.bind(page);
    global.removeEventListener = page.removeEventListener.bind(page);
    global.document = document;
    const { stream, seen } = gateway(halfOpen(200), rest);
    const one = stream();
    const outcome = one.outcome();
    await turns();
    document.dispatchEvent(new Event("visibilitychange"));
    page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: false }));
    await turns();
    assert.equal(seen.length, 0);
    one.abort();
    assert.equal((await outcome).status, "aborted");
  });

  it("comes back at once when its page is online or shown again", async (context) => {
    const page = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    const global = globalThis as unknown as Record<string, unknown>;
    const before = { add: global.addEventListener, remove: global.removeEventListener, document: global.document };
    context.after(() => {
      Object.assign(global, { addEventListener: before.add, removeEventListener: before.remove });
      global.document = before.document;
    });
    global.addEventListener = page.addEventListener.bind(page);
    global.removeEventListener = page.removeEventListener.bind(page);
    global.document = document;
    for (const [target, event] of [
      [page, new Event("online")],
      [page, Object.assign(new Event("pageshow"), { persisted: true })],
      [document, new Event("visibilitychange")],
    ] as const) {
      const { stream, seen } = gateway(halfOpen(200), rest);
      const outcome = stream().outcome();
      await turns();
      target.dispatchEvent(event);
      assert.equal((await outcome).status, "complete", event.type);
      assert.equal(seen.length, 1, event.type);
    }
  });

  it("is asked for again where a replay ends early, and is over where nothing more comes", async () => {
    let replays = 0;
    const { stream, seen } = gateway(
      () => cut(100, true),
      (one) => {
        const from = one.last === null ? 0 : Number(one.last) + 1;
        const body = events.slice(from, ++replays < 3 ? from + 1 : undefined).join("");
        return new Response(body, { headers: rest(one).headers });
      },
    );
    assert.equal((await stream().outcome()).text, words.join(""));
    assert.equal(seen.length, 3);
    const short = gateway(
      () => cut(100, true),
      (one) => new Response(one.last === null ? events.slice(0, 2).join("") : "", { headers: rest(one).headers }),
    );
    assert.equal((await short.stream().outcome()).status, "truncated");
    assert.equal(short.seen.length, 2);
  });

  it("is not asked for again where it was cut at the gateway", async () => {
    const { stream, seen } = gateway(
      () => cut(100, true),
      (one) => new Response(events.slice(0, one.last === null ? 2 : 0).join(""), { headers: rest(one, "cut").headers }),
    );
    const { status, text } = await stream().outcome();
    assert.deepEqual([status, text, seen.length], ["truncated", words.slice(0, 2).join(""), 2]);
  });

  it("goes on after the last event, whatever comments came after it", async () => {
    const comments = ": keep-alive\n\n: keep-alive\n\n";
    const { stream, seen } = gateway(() => {
      let isRead = false;
      return new ReadableStream({
        pull(controller) {
          if (!isRead) controller.enqueue(new TextEncoder().encode(events.slice(0, 2).join("") + comments));
          else controller.error(new TypeError("terminated"));
          isRead = true;
        },
      });
    }, rest);
    assert.equal((await stream().outcome()).text, words.join(""));
    assert.equal(seen[0]?.last, "1");
  });

  for (const lineBreak of ["\r", "\r\n"]) {
    it(`is whole where its lines end with ${JSON.stringify(lineBreak)}`, async () => {
      const encoded = new TextEncoder().encode(events.join("").replaceAll("\n", lineBreak));
      for (const length of [1, 90, 250, encoded.length - 1]) {
        const { stream, seen } = gateway(
          () => new Response(encoded.slice(0, length)).body as ReadableStream<Uint8Array>,
          ({ last }) => {
            const left = events.slice(last === null ? 0 : Number(last) + 1).join("");
            return new Response(left.replaceAll("\n", lineBreak), { headers: { "x-chatwire-stream-state": "ended" } });
          },
        );
        const { status, text } = await stream().outcome();
        assert.deepEqual([status, text], ["complete", words.join("")], `cut after ${length} bytes`);
        assert.ok(seen.length <= 1, "no event was asked for twice");
      }
    });
  }

  it("has the id that the call chose, before its headers", async () => {
    const resumeId = "an-id-of-this-test-0001";
    let sent: string | null = null;
    const client = new Chatwire({
      baseURL: "https://gateway.example.com/v1",
      apiKey: null,
      fetch: async (_url, { headers }) => {
        sent = headers.get("x-chatwire-stream");
        return new Response(whole, { headers: { "content-type": "text/event-stream", "x-chatwire-stream": resumeId } });
      },
    });
    const stream = client.chat.completions.stream(
      { model: "m", messages: [{ role: "user", content: "hi" }] },
      { resumeId },
    );
    assert.equal(stream.resumeId, resumeId);
    assert.equal((await stream.outcome()).status, "complete");
    assert.deepEqual([sent, stream.resumeId], [resumeId, resumeId]);
  });

  for (const isError of [true, false]) {
    it(`is whole, wherever its connection ${isError ? "breaks" : "ends"}`, async () => {
      for (let bytes = 0; bytes <= whole.length; bytes++) {
        const { client, seen, stream } = gateway(() => cut(bytes, isError), rest);
        const { status, text, repairs } = await stream().outcome();
        assert.deepEqual([status, text, repairs], ["complete", words.join(""), []], `${bytes} bytes`);
        const arrived = new TextDecoder().decode(whole.subarray(0, bytes));
        const numbers = [...arrived.matchAll(/\nid: (\d+)\n\n/g)];
        const isDone = numbers.length === events.length;
        const expected = {
          method: "GET",
          path: "/v1/streams/s1",
          last: numbers.at(-1)?.[1] ?? null,
          key: "Bearer sk-test",
        };
        assert.deepEqual(seen, isDone ? [] : [expected], `${bytes} bytes`);
        assert.equal(client.usage.requests, 1);
      }
    });
  }

  it("is asked for again until the network is back", async () => {
    let attempts = 0;
    const { stream } = gateway(
      () => cut(200, true),
      (seen) => {
        if (++attempts < 3) throw new TypeError("fetch failed");
        return attempts === 3 ? new Response("{}", { status: 503 }) : rest(seen);
      },
    );
    assert.equal((await stream().outcome()).status, "complete");
    assert.equal(attempts, 4);
  });

  it("is cut again and again", async () => {
    const { seen, stream } = gateway(
      () => cut(10, true),
      (one) => {
        const response = rest(one, "open");
        if (one.last === String(events.length - 2)) return response;
        const next = Number(one.last ?? -1) + 1;
        const half = `${events[next]}${events[next + 1]?.slice(0, 9)}`;
        return new Response(half, response);
      },
    );
    assert.equal((await stream().outcome()).status, "complete");
    assert.deepEqual(
      seen.map(({ last }) => last),
      [null, "0", "1", "2", "3", "4"],
    );
  });

  it("is truncated where the gateway has no more, or does not know it any more", async () => {
    const ended = gateway(
      () => cut(200, true),
      () => new Response(null, { headers: { "x-chatwire-stream-state": "ended" } }),
    );
    await assert.rejects(async () => {
      for await (const _ of ended.stream());
    }, TruncatedError);
    const gone = gateway(
      () => cut(200, true),
      () => Response.json({ error: { message: "gone" } }, { status: 404 }),
    );
    assert.equal((await gone.stream().outcome()).status, "truncated");
    assert.equal(gone.seen.length, 1);
  });

  it("is left at once by one who waits for the network", async () => {
    const waiting = Promise.withResolvers<void>();
    const { stream } = gateway(
      () => cut(200, true),
      async () => {
        waiting.resolve();
        throw new TypeError("fetch failed");
      },
    );
    const one = stream();
    const outcome = one.outcome();
    await waiting.promise;
    one.abort();
    assert.equal((await outcome).status, "aborted");
  });

  it("is stopped where it is kept, once, with the same key", async () => {
    const silent = () =>
      new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(whole.slice(0, 200)) });
    const { seen, stream } = gateway(silent, () => Response.json({ stopped: true }));
    const one = stream();
    await one.textStream[Symbol.asyncIterator]().next();
    assert.equal(one.resumeId, "s1");
    await one.stop();
    assert.deepEqual(seen, [{ method: "DELETE", path: "/v1/streams/s1", last: null, key: "Bearer sk-test" }]);
    assert.equal((await one.outcome()).status, "aborted");
  });

  it("that is complete needs no stopping", async () => {
    const { seen, stream } = gateway(() => cut(whole.length, false), rest);
    const one = stream();
    await one.outcome();
    await one.stop();
    assert.deepEqual(seen, []);
  });

  it("is taken up from its beginning by its id", async () => {
    const { client, seen } = gateway(() => cut(0, true), rest);
    const { status, text } = await client.chat.completions.resume("s1").outcome();
    assert.deepEqual([status, text.length > 0, seen.length], ["complete", true, 1]);
    // `null` is what a page's storage gives where nothing was kept.
    for (const id of ["", "../models", "a/b", null, undefined]) {
      const { error } = await client.chat.completions.resume(id as string).outcome();
      assert.match(String(error), /resumeId/);
    }
    assert.equal(seen.length, 1);
    const { error } = await gateway(
      () => cut(0, true),
      () => Response.json({ error: { message: "none" } }, { status: 404 }),
    )
      .client.chat.completions.resume("s2")
      .outcome();
    assert.ok(error instanceof NotFoundError);
  });
});

it("a_stream_that_nobody_keeps_has_no_id_and_stops_by_being_left", async () => {
  const fetch = async () => new Response(cut(200, false), { headers: { "content-type": "text/event-stream" } });
  const client = new Chatwire({ baseURL: "https://api.example.com/v1", apiKey: null, fetch });
  const stream = client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "hi" }] });
  await stream.stop();
  assert.deepEqual([stream.resumeId, (await stream.outcome()).status], [null, "aborted"]);
});

describe("a read that its host slept through", () => {
  /** The first event, and what comes when the test says so. */
  const opening = () => {
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(own) {
        controller = own;
        own.enqueue(new TextEncoder().encode(events[0]));
      },
    });
    const fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
    const client = new Chatwire({ baseURL: "https://api.example.com/v1", apiKey: null, maxRetries: 0, fetch });
    const stream = client.chat.completions.stream(
      { model: "m", messages: [{ role: "user", content: "hi" }] },
      { timeout: { idle: 60_000 } },
    );
    return { stream, say: (text: string) => controller?.enqueue(new TextEncoder().encode(text)) };
  };

  /** The host's clock and timers, held by the test. */
  const hold = (context: TestContext) => {
    let now = performance.now();
    context.mock.timers.enable({ apis: ["setTimeout"] });
    context.mock.method(performance, "now", () => now);
    return {
      /** The clock goes on, and timers with it. */
      async pass(ms: number) {
        now += ms;
        context.mock.timers.tick(ms);
        await turn();
      },
      /** The host sleeps: the clock goes on, and timers fire late. */
      async sleep(ms: number) {
        now += ms;
        context.mock.timers.tick(60_000);
        await turn();
      },
    };
  };
  const turn = async () => {
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  };

  it("gets its time once more", async (context) => {
    const clock = hold(context);
    const { stream, say } = opening();
    const outcome = stream.outcome();
    await turn();
    await clock.sleep(3_600_000);
    say(events.slice(1).join(""));
    assert.equal((await outcome).status, "complete");
  });

  it("and not twice", async (context) => {
    const clock = hold(context);
    const { stream } = opening();
    const outcome = stream.outcome();
    await turn();
    await clock.sleep(3_600_000);
    await clock.pass(59_000);
    assert.equal(await Promise.race([outcome, turn()]), undefined);
    await clock.sleep(3_600_000);
    assert.equal((await outcome).status, "stalled");
  });

  it("no more than that where the clock has not jumped", async (context) => {
    const clock = hold(context);
    const { stream } = opening();
    const outcome = stream.outcome();
    await turn();
    await clock.pass(60_001);
    assert.equal((await outcome).status, "stalled");
  });
});
