/** Coming back for the rest of streams that other servers keep. They are played here, after their documentation. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { APIError, Chatwire, ChatwireError, type ClientOptions, type Hooks, NotFoundError } from "chatwire";
import { randomFrom } from "../edge/setting.ts";

const chunk = (content: string, finish_reason: string | null = null) => ({
  id: "c",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta: { content }, finish_reason }],
});
const words = ["ஒன்று ", "two\n", "तीन ", "🎉", "four ", "five "];
const chunks = [...words.map((word) => chunk(word)), chunk("", "stop")];
const text = words.join("");
const events = [...chunks.map((one) => JSON.stringify(one)), "[DONE]"].map((data) => `data: ${data}\n\n`);
const encode = (text: string) => new TextEncoder().encode(text);
const whole = encode(events.join(""));

interface Seen {
  method: string;
  url: URL;
  headers: Headers;
}

/** Bytes of a body, and then its end or an error. */
function bodyOf(bytes: Uint8Array, isBroken: boolean): ReadableStream<Uint8Array> {
  let isRead = false;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (!isRead && bytes.length > 0) controller.enqueue(bytes.slice());
        else if (isBroken) controller.error(new TypeError("terminated"));
        else controller.close();
        isRead = true;
      },
    },
    { highWaterMark: 0 },
  );
}

type Cut = () => number;

/** A server whose answers break after so many bytes: what it says to a request, and to those who come back. */
type Server = (seen: Seen, cut: Cut) => Response;

/** An answer from `bytes`, as far as it comes. */
function answer(bytes: Uint8Array, cut: Cut, headers: Record<string, string> = {}): Response {
  const length = cut();
  const body = bodyOf(bytes.subarray(0, length), length < bytes.length);
  return new Response(body, { headers: { "content-type": "text/event-stream", ...headers } });
}

const gone = () => Response.json({ error: { message: "There is no such stream." } }, { status: 404 });

const llamaServer = (): Server => {
  const kept = new Set<string>();
  return ({ method, url, headers }, cut) => {
    const named = headers.get("x-conversation-id");
    if (method === "POST") {
      if (named) kept.add(named);
      return answer(whole, cut);
    }
    const [, id = ""] = /^\/v1\/stream\/([^/]+)$/.exec(url.pathname) ?? [];
    if (!kept.has(id)) return gone();
    if (method === "DELETE") kept.delete(id);
    return answer(whole.subarray(Number(url.searchParams.get("from"))), cut);
  };
};

const cloudflare = (): Server => {
  return ({ method, url }, cut) => {
    if (method === "POST") return answer(whole, cut, { "cf-aig-run-id": "run-1" });
    if (url.pathname !== "/v1/run/run-1/resume") return gone();
    return answer(encode(events.slice(Number(url.searchParams.get("from"))).join("")), cut);
  };
};

/** A stream that grows while it is read: each response has a few parts more. */
const durableStreams = (isJSON: boolean): Server => {
  const parts: Uint8Array[] = [];
  if (!isJSON) for (let at = 0; at < whole.length; at += 37) parts.push(whole.subarray(at, at + 37));
  const count = isJSON ? chunks.length : parts.length;
  let polls = 0;
  return ({ method, url }, cut) => {
    if (method === "POST") return new Response("kept", { status: 201, headers: { location: "/v1/chat/1" } });
    if (url.pathname !== "/v1/chat/1") return gone();
    assert.equal(url.searchParams.get("live"), "long-poll");
    const [, number = "-1"] = /^o(\d+)_0$/.exec(url.searchParams.get("offset") ?? "") ?? [];
    const from = Math.max(0, Number(number));
    // Now and then there is nothing new.
    const to = ++polls % 4 === 0 ? from : Math.min(count, from + 2);
    // That it is closed is said with the last news, or after it.
    const isClosed = to === count && (to === from || isJSON === false);
    const news = { "content-type": isJSON ? "application/json" : "text/plain" };
    const headers = {
      "stream-next-offset": `o${to}_0`,
      "stream-cursor": String(polls),
      ...(to > from && news),
      ...(isClosed && { "stream-closed": "true" }),
    };
    if (to === from) return new Response(null, { status: 204, headers });
    if (isJSON) return Response.json(chunks.slice(from, to), { headers });
    return answer(encodeAll(parts.slice(from, to)), cut, headers);
  };
};

function encodeAll(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function clientOf(resume: ClientOptions["resume"], server: Server, cut: Cut, hooks: Hooks = {}) {
  const seen: Seen[] = [];
  const client = new Chatwire({
    baseURL: "https://server.example.com/v1",
    apiKey: "sk-test",
    ...(resume && { resume }),
    hooks,
    fetch: async (address, { method, headers }) => {
      const one = { method, url: new URL(address), headers };
      assert.equal(headers.get("authorization"), "Bearer sk-test");
      seen.push(one);
      return server(one, cut);
    },
  });
  return { client, seen };
}

const messages = [{ role: "user" as const, content: "hi" }];
const never = () => Number.POSITIVE_INFINITY;

const servers = {
  "llama-server": ["llama-server", llamaServer],
  "cloudflare-ai-gateway": ["cloudflare-ai-gateway", cloudflare],
  "durable-streams, bytes": ["durable-streams", () => durableStreams(false)],
  "durable-streams, JSON": ["durable-streams", () => durableStreams(true)],
} as const;

for (const [name, [resume, makeServer]] of Object.entries(servers)) {
  describe(`a stream of ${name}`, () => {
    it("is whole, wherever its connections break", async () => {
      // All at once: each waits before it asks a server again that had no news.
      const run = async (seed: number) => {
        const random = randomFrom(seed + 1);
        let breaks = 0;
        const cut = () => (breaks++ < 5 ? random(whole.length + 1) : Number.POSITIVE_INFINITY);
        let resumed = 0;
        const { client } = clientOf(resume, makeServer(), cut, { onResumed: () => resumed++ });
        const outcome = await client.chat.completions.stream({ model: "m", messages }).outcome();
        assert.deepEqual([outcome.status, outcome.text, outcome.repairs], ["complete", text, []], `seed ${seed}`);
        assert.equal(outcome.resumed, resumed);
        assert.equal(client.usage.requests, 1);
      };
      await Promise.all(Array.from({ length: 40 }, (_, seed) => run(seed)));
    });

    it("is taken up by its id", async () => {
      const server = makeServer();
      const { client } = clientOf(resume, server, never);
      const first = await client.chat.completions.create({ model: "m", messages, stream: true });
      await first.outcome();
      const id = first.resumeId ?? assert.fail("no id");
      const outcome = await clientOf(resume, server, never).client.chat.completions.resume(id).outcome();
      assert.deepEqual([outcome.status, outcome.text], ["complete", text]);
      const { error } = await client.chat.completions.resume("another").outcome();
      assert.ok(error instanceof NotFoundError);
      for (const odd of ["", "..", "a/../b", "a?b", "a b", null]) {
        const { error } = await client.chat.completions.resume(odd as string).outcome();
        assert.ok(error instanceof ChatwireError && !(error instanceof APIError), String(odd));
      }
    });

    it("that is gone is truncated", async () => {
      const server = makeServer();
      let answers = 0;
      const { client } = clientOf(
        resume,
        (seen, cut) => (answers++ < (name.endsWith("bytes") ? 10 : 2) ? server(seen, cut) : gone()),
        () => 320,
      );
      const { status } = await client.chat.completions.stream({ model: "m", messages }).outcome();
      assert.equal(status, "truncated");
    });
  });
}

it("llama_server_is_given_the_id_that_the_caller_chose_or_one_of_its_own_for_each_call", async () => {
  const { client, seen } = clientOf("llama-server", llamaServer(), never);
  const create = (options = {}) => client.chat.completions.create({ model: "m", messages, stream: true }, options);
  const own = await create({ resumeId: "conversation-7" });
  assert.equal(own.resumeId, "conversation-7");
  const [one, other] = [await create(), await create()];
  assert.notEqual(one.resumeId, other.resumeId);
  await client.chat.completions.create({ model: "m", messages }).catch(() => {});
  const names = seen.map(({ headers }) => headers.get("x-conversation-id"));
  assert.deepEqual(names.slice(0, 3), ["conversation-7", one.resumeId, other.resumeId]);
  // An answer that is not streamed has nothing to come back for.
  assert.equal(names[3], null);
  for (const stream of [own, one, other]) await stream.outcome();
});

it("a_stream_is_stopped_where_its_protocol_can_and_only_left_elsewhere", async () => {
  for (const [resume, server, requests] of [
    ["llama-server", llamaServer(), ["POST /v1/chat/completions", "DELETE /v1/stream/c-1"]],
    ["cloudflare-ai-gateway", cloudflare(), ["POST /v1/chat/completions"]],
  ] as const) {
    const silent: Server = (seen, cut) => {
      const { headers } = server(seen, cut);
      const body = new ReadableStream({ start: (controller) => controller.enqueue(whole.slice(0, 300)) });
      return new Response(seen.method === "POST" ? body : "{}", { headers });
    };
    const { client, seen } = clientOf(resume, silent, never);
    const stream = client.chat.completions.stream({ model: "m", messages }, { resumeId: "c-1" });
    await stream.textStream[Symbol.asyncIterator]().next();
    await stream.stop();
    assert.deepEqual(
      seen.map(({ method, url }) => `${method} ${url.pathname}`),
      requests,
    );
  }
});

it("a_location_elsewhere_is_not_followed", async () => {
  for (const location of ["https://evil.example.com/v1/x", "/v2/x", "//evil.example.com/v1/x", "/v1/../x", "/v1/"]) {
    const { client, seen } = clientOf(
      "durable-streams",
      () => new Response("", { status: 201, headers: { location } }),
      never,
    );
    const { status } = await client.chat.completions.stream({ model: "m", messages }, { maxRetries: 0 }).outcome();
    assert.equal(status, "truncated", location);
    assert.ok(
      seen.every(({ method }) => method === "POST"),
      location,
    );
  }
});

it("a_protocol_that_is_not_known_is_refused_when_the_client_is_made", () => {
  assert.throws(
    () => new Chatwire({ baseURL: "/v1", resume: "durable" as never }),
    /resume must be one of chatwire, llama-server/,
  );
});

it("a_client_of_the_usual_protocol_does_not_follow_the_others", async () => {
  const { client, seen } = clientOf(undefined, cloudflare(), () => 300);
  const { status } = await client.chat.completions.stream({ model: "m", messages }, { maxRetries: 0 }).outcome();
  assert.deepEqual([status, seen.length], ["truncated", 1]);
});
