/** Streams that outlive their readers: in workerd, with real Durable Objects and a provider that keeps a ledger. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { UsageRow } from "chatwire/edge";
import { startKeeping } from "./running.ts";
import { asText, bytesOf, CHAT, chat, errorOf, randomFrom, until } from "./setting.ts";

let keeping: Awaited<ReturnType<typeof startKeeping>>;

before(async () => {
  keeping = await startKeeping(2000);
});
after(() => keeping?.stop());
beforeEach(() => {
  keeping.sink.records.length = 0;
});

const as = (caller: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${caller}`, ...more });
const open = (content: string, params: object = {}, caller = "alice") =>
  fetch(new URL(CHAT, keeping.worker.url), chat(content, { stream: true, headers: as(caller), ...params }));
const read = (id: string, last?: number, caller = "alice", method = "GET") => {
  const headers = as(caller, last === undefined ? {} : { "last-event-id": String(last) });
  return fetch(new URL(`/v1/streams/${id}`, keeping.worker.url), { method, headers });
};
const crash = async (id: string) =>
  assert.match(await (await fetch(new URL(`/crash/${id}`, keeping.worker.url))).text(), /as the test wishes/);
const idOf = (response: Response): string => response.headers.get("x-chatwire-stream") ?? assert.fail("no id");
const eventsOf = (text: string): string[] => text.match(/[\s\S]*?\n\n/g) ?? [];
const contentOf = (text: string): string =>
  eventsOf(text)
    .flatMap((event) => /^data: ({.*})$/m.exec(event)?.[1] ?? [])
    .map((data) => JSON.parse(data).choices[0]?.delta.content ?? "")
    .join("");

/** Reads so many bytes and leaves, as a connection that is cut. */
async function take(response: Response, bytes: number): Promise<string> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let taken = new Uint8Array(0);
  while (taken.length < bytes) {
    const { done, value } = await reader.read();
    if (done) break;
    taken = new Uint8Array([...taken, ...value]);
  }
  await reader.cancel();
  return new TextDecoder().decode(taken.slice(0, bytes));
}

describe("a kept stream", { timeout: 120_000 }, () => {
  it("is the provider's, with a number for each event", async () => {
    const text = asText(await bytesOf(await open("Echo: नमस्ते 👋🏽 one two three")));
    assert.equal(contentOf(text), "नमस्ते 👋🏽 one two three");
    const events = eventsOf(text);
    assert.deepEqual(
      events.map((event) => /\nid: (\d+)\n\n$/.exec(event)?.[1]),
      events.map((_, number) => String(number)),
    );
    assert.match(events.at(-1) ?? "", /^data: \[DONE\]\n/);
    const [record] = await keeping.sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.caller, record?.provider], ["complete", "alice", "own"]);
  });

  it("goes on where it was cut, at every boundary between events", async () => {
    const first = await open("Echo: a b c d e f g h i j k l m n o p");
    const id = idOf(first);
    const whole = asText(await bytesOf(first));
    const events = eventsOf(whole);
    assert.ok(events.length > 10);
    for (let last = -1; last < events.length; last++) {
      const rest = asText(await bytesOf(await read(id, last < 0 ? undefined : last)));
      assert.equal(rest, events.slice(last + 1).join(""));
    }
  });

  it("goes on where it was cut, at any byte and while it grows, with nothing lost or doubled", async () => {
    const random = randomFrom(5);
    const RUNS = 30;
    const runs = Array.from({ length: RUNS }, async (_, run) => {
      const words = Array.from({ length: 40 }, (_, word) => `${run}.${word}`).join(" ");
      let response = await open(`Echo: ${words} [emulator: tps=300]`);
      const id = idOf(response);
      let text = "";
      for (let cuts = 0; cuts < 4; cuts++) {
        const events = eventsOf(await take(response, 1 + random(3000)));
        text += events.join("");
        const last = /\nid: (\d+)\n\n$/.exec(text)?.[1];
        response = await read(id, last === undefined ? undefined : Number(last));
        assert.equal(response.status, 200);
      }
      text += asText(await bytesOf(response));
      assert.equal(contentOf(text), words);
      assert.match(text, /data: \[DONE\]\nid: \d+\n\n$/);
    });
    await Promise.all(runs);
    const records = await keeping.sink.recorded(RUNS);
    assert.ok(records.every(({ outcome, estimated }) => outcome === "complete" && !estimated));
  });

  it("has any number of readers at once, and after its end", async () => {
    const first = await open("Count to 40 [emulator: tps=200]");
    const id = idOf(first);
    const live = await Promise.all([read(id), read(id, 3), read(id)]);
    assert.equal(live[0]?.headers.get("x-chatwire-stream-state"), "open");
    const [whole = "", ...others] = await Promise.all([first, ...live].map(async (one) => asText(await bytesOf(one))));
    assert.deepEqual(others, [whole, eventsOf(whole).slice(4).join(""), whole]);
    const later = await read(id);
    assert.equal(later.headers.get("x-chatwire-stream-state"), "ended");
    assert.equal(asText(await bytesOf(later)), whole);
  });

  it("is nobody else's", async () => {
    const first = await open("Echo: mine");
    const id = idOf(first);
    await first.text();
    const forged = id.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    for (const [name, caller] of [
      [id, "bob"],
      [forged, "alice"],
      ["x", "alice"],
    ] as const) {
      for (const method of ["GET", "DELETE"]) {
        const answer = await read(name, undefined, caller, method);
        assert.deepEqual([answer.status, (await errorOf(answer)).code], [404, "stream_not_found"], `${name} ${method}`);
      }
    }
    assert.equal((await fetch(new URL(`/v1/streams/${id}`, keeping.worker.url))).status, 401);
  });

  it("goes on without a reader, and stops when it is told to", async () => {
    const [left, stopped] = await Promise.all(
      ["Count to 300 [emulator: tps=200]", "Count to 5000 [emulator: tps=100]"].map((content) => open(content)),
    );
    assert.ok(left && stopped);
    for (const one of [left, stopped]) await take(one, 200);
    assert.equal((await read(idOf(stopped), undefined, "alice", "DELETE")).status, 200);
    await until(() => keeping.emulator.ledger.open === 0);
    assert.equal(keeping.emulator.ledger.records.filter(({ aborted }) => aborted).length, 1);
    // Whichever is recorded first: a busy machine may be slower to stop one than to count to 300.
    const [first, second] = (await keeping.sink.recorded(2)).sort((a, b) => a.outcome.localeCompare(b.outcome));
    assert.deepEqual([first?.outcome, first?.estimated], ["aborted", true]);
    assert.deepEqual([second?.outcome, second?.estimated, second?.disconnected], ["complete", false, false]);
    assert.equal(contentOf(asText(await bytesOf(await read(idOf(left))))).split(", ").length, 300);
    assert.match(asText(await bytesOf(await read(idOf(stopped)))), /^data:/);
  });

  it("says what is wrong as the plain gateway does", async () => {
    for (const [content, status, code] of [
      ["hi [emulator: status=400]", 400, undefined],
      ["hi [emulator: status=401]", 502, "provider_key_refused"],
      ["hi [emulator: html]", 502, "upstream_not_a_completion"],
    ] as const) {
      const answer = await open(content);
      assert.equal(answer.status, status);
      const error = await errorOf(answer);
      if (code) assert.equal(error.code, code);
      assert.equal(answer.headers.get("x-chatwire-stream"), null);
    }
    assert.deepEqual(
      (await keeping.sink.recorded(3)).map(({ outcome }) => outcome),
      ["error", "error", "error"],
    );
  });
});

const report = async (caller: string): Promise<UsageRow[]> => {
  const answer = await fetch(new URL("/v1/usage", keeping.worker.url), { headers: as(caller) });
  return ((await answer.json()) as { data: UsageRow[] }).data;
};

describe("the limits of kept streams", { timeout: 120_000 }, () => {
  it("count those that were left, until they end or are stopped", async () => {
    const ask = () => open("Count to 5000 [emulator: tps=100]", {}, "carol");
    const [left, other] = await Promise.all([ask(), ask()]);
    await Promise.all([left, other].map((one) => take(one, 200)));
    const third = await ask();
    assert.deepEqual([third.status, (await errorOf(third)).code], [429, "rate_limit_exceeded"]);
    assert.equal(third.headers.get("x-chatwire-stream"), null);
    assert.equal((await read(idOf(left), undefined, "carol", "DELETE")).status, 200);
    await keeping.sink.recorded(1);
    let again = await ask();
    // Its place is given back a moment later, when the provider has seen it too.
    while (again.status === 429) {
      await again.text();
      await new Promise((resolve) => setTimeout(resolve, 100));
      again = await ask();
    }
    for (const one of [other, again]) await read(idOf(one), undefined, "carol", "DELETE");
    assert.deepEqual(
      (await keeping.sink.recorded(3)).map(({ caller, outcome }) => [caller, outcome]),
      Array(3).fill(["carol", "aborted"]),
    );
  });
});

describe("the usage records of kept streams", { timeout: 300_000 }, () => {
  it("are the provider's ledger to the token, whoever left when", async () => {
    const before = { ...keeping.emulator.ledger.tokens };
    const random = randomFrom(8);
    // `npm run accounting` asks more.
    const [requests, together] = [120, 20];
    let next = 0;
    const work = async () => {
      for (let number = next++; number < requests; number = next++) {
        const isStream = random(5) > 0;
        const answer = await open(`Tell me about ${number}`, { stream: isStream, max_tokens: 1 + random(30) }, "bob");
        await take(answer, isStream ? random(4000) : 100_000);
      }
    };
    await Promise.all(Array.from({ length: together }, work));
    await keeping.sink.recorded(requests);
    const { prompt, cached, completion, total } = keeping.emulator.ledger.tokens;
    let rows = await report("bob");
    const sum = (field: "promptTokens" | "cached" | "completionTokens" | "tokens" | "requests") =>
      rows.reduce((all, row) => all + row[field], 0);
    // The usage report is written beside the record.
    while (sum("requests") < requests) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      rows = await report("bob");
    }
    assert.deepEqual(
      [sum("requests"), sum("promptTokens"), sum("cached"), sum("completionTokens"), sum("tokens")],
      [requests, prompt - before.prompt, cached - before.cached, completion - before.completion, total - before.total],
    );
  });
});

describe("an object that restarts in the middle of a stream", { timeout: 120_000 }, () => {
  it("gives what it had, calls it truncated, and asks nobody again", async () => {
    const requests = keeping.emulator.ledger.requests;
    const first = await open("Count to 20000 [emulator: tps=300]", {}, "dave");
    const id = idOf(first);
    // A batch is written down each second.
    const text = await take(first, 120_000);
    await crash(id);
    const rest = await read(id, undefined, "dave");
    assert.equal(rest.headers.get("x-chatwire-stream-state"), "cut");
    const log = asText(await bytesOf(rest));
    assert.ok(log.length > 10_000, `${log.length} characters`);
    assert.equal(log.slice(0, text.length), text.slice(0, log.length));
    assert.doesNotMatch(log, /\[DONE\]/);
    const [record] = await keeping.sink.recorded(1);
    assert.deepEqual([record?.outcome, record?.estimated, record?.provider], ["truncated", true, "own"]);
    const numbers = contentOf(log).split(", ").length;
    assert.ok((record?.completionTokens ?? 0) >= numbers && (record?.promptTokens ?? 0) > 0);
    assert.equal(keeping.emulator.ledger.requests, requests + 1);
    const rows = (await report("dave")).map(({ requests, tokens, estimated }) => [requests, tokens, estimated]);
    assert.deepEqual(rows, [[1, record?.tokens, 1]]);
    // Again: what it said stays said.
    await crash(id);
    assert.equal(asText(await bytesOf(await read(id, undefined, "dave"))), log);
    assert.equal(keeping.sink.records.length, 1);
  });

  it("has stored what a reader had who left, and all that it kept before", async () => {
    const before = await open("Echo: one two", {}, "dave");
    const whole = asText(await bytesOf(before));
    const first = await open("Count to 20000 [emulator: tps=300]", {}, "dave");
    const text = await take(first, 3000);
    // The object sees that its reader has left when it sends the next event.
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const id of new Set([idOf(before), idOf(first)].map((id) => id.slice(0, 64)))) await crash(id);
    const log = asText(await bytesOf(await read(idOf(first), undefined, "dave")));
    assert.ok(log.startsWith(text), `${log.length} characters`);
    assert.equal(asText(await bytesOf(await read(idOf(before), undefined, "dave"))), whole);
    const records = await keeping.sink.recorded(2);
    assert.deepEqual(records.map(({ outcome }) => outcome).sort(), ["complete", "truncated"]);
  });
});
