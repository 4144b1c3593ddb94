/** Limits in workerd: several isolates, real Durable Objects, and a provider that enforces its plan. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { UsageReport, UsageRow } from "chatwire/edge";
import { createEmulator, type Emulator } from "chatwire/emulator";
import { HOST_CLOCK } from "../../npm/emulator/body.ts";
import { serve } from "../../npm/emulator/serve.ts";
import { type RunningWorker, startWorker } from "../../worker/workerd.ts";
import { CHAT, chat, errorOf, randomFrom, until } from "./setting.ts";

const INSTANCES = 4;
const CALLERS = 200;
const MINUTE = 60_000;

const start = (
  upstream: string,
  limits: object,
  { instances = INSTANCES, objects }: { instances?: number; objects?: string } = {},
) =>
  startWorker({
    entry: join(import.meta.dirname, "limiter-worker.ts"),
    bindings: { UPSTREAM: upstream, LIMITS: JSON.stringify(limits), ...(objects && { OBJECTS: objects }) },
    objects: { LIMITER: "Limiter" },
    instances,
  });

/** Asks for an answer, through one of the isolates. */
function ask(
  worker: RunningWorker,
  number: number,
  { token = "alice", content, ...params }: Record<string, unknown> = {},
) {
  const headers = { authorization: `Bearer ${token}` };
  const text = typeof content === "string" ? content : `Tell me about number ${number}`;
  const question = chat(text, { stream: true, max_tokens: 20, headers, ...params });
  return worker.fetch(number % INSTANCES, CHAT, question);
}

/** Answers that go on for longer than any test. */
const LONG = { content: "Count to 1000", max_tokens: 4000 };
const askAll = (worker: RunningWorker, count: number) =>
  Promise.all(Array.from({ length: count }, (_, number) => ask(worker, number, LONG)));

/** The same, read at once: a body that waits to be read may be collected as garbage, and then it is cancelled. */
const readAll = (worker: RunningWorker, count: number) =>
  Promise.all(
    Array.from({ length: count }, async (_, number) => {
      const answer = await ask(worker, number);
      return new Response(await answer.text(), { status: answer.status, headers: [...answer.headers] });
    }),
  );

const count = (answers: readonly { status: number }[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

describe("a plan of ten a minute and three at once", { timeout: 120_000 }, () => {
  const plan = { requestsPerMinute: 10, concurrent: 3 };
  let ahead = 0;
  let emulator: Emulator;
  let upstream: Awaited<ReturnType<typeof serve>>;
  let worker: RunningWorker;
  before(async () => {
    const clock = { ...HOST_CLOCK, now: () => Date.now() + ahead };
    emulator = createEmulator({ limits: plan, tokensPerSecond: 200, clock });
    upstream = await serve(emulator);
    worker = await start(upstream.url, { providers: { own: plan }, wait: 5000 });
  });
  after(async () => {
    await worker?.stop();
    await upstream?.close();
  });

  it("is kept by all isolates together, minute after minute", async () => {
    for (let minute = 0; minute < 3; minute++) {
      // The provider's minute ends no later than ours.
      ahead = minute * (MINUTE + 1000);
      await worker.fetch(0, `/ahead?ms=${ahead}`);
      const answers = await readAll(worker, CALLERS);
      assert.deepEqual([count(answers, 200), count(answers, 429)], [10, CALLERS - 10], `minute ${minute}`);
      assert.equal(emulator.ledger.requests, (minute + 1) * 10);
      for (const answer of answers.filter(({ status }) => status === 429)) {
        const { type, code } = await errorOf(answer);
        assert.deepEqual([type, code], ["rate_limit_error", "rate_limit_exceeded"]);
        const seconds = Number(answer.headers.get("retry-after"));
        assert.ok(seconds >= 1 && seconds <= 60, `${seconds} s`);
      }
    }
    assert.equal(count(emulator.ledger.records, 200), 30);
  });
});

describe("a queue", { timeout: 120_000 }, () => {
  const plan = { requestsPerMinute: 100_000, concurrent: 20 };
  let emulator: Emulator;
  let upstream: Awaited<ReturnType<typeof serve>>;
  let worker: RunningWorker;
  before(async () => {
    emulator = createEmulator({ limits: plan, tokensPerSecond: 500 });
    upstream = await serve(emulator);
    worker = await start(upstream.url, { providers: { own: plan }, wait: 60_000 });
  });
  after(async () => {
    await worker?.stop();
    await upstream?.close();
  });

  it("brings everybody to an answer, and never one too many at once", async () => {
    const texts = await Promise.all(
      Array.from({ length: CALLERS }, async (_, number) => (await ask(worker, number)).text()),
    );
    assert.ok(texts.every((text) => text.endsWith("data: [DONE]\n\n")));
    assert.equal(count(emulator.ledger.records, 200), CALLERS);
    assert.equal(emulator.ledger.requests, CALLERS, "the provider refused some");
  });

  it("does the same when its object crashes", async () => {
    emulator.reset();
    const [object] = await worker.objects("Limiter");
    let ended = 0;
    const answers = await Promise.all(
      Array.from({ length: CALLERS }, async (_, number) => {
        const answer = await ask(worker, number);
        await answer.text();
        if (++ended % (CALLERS / 4) === 0) await worker.fetch(1, `/crash/${object}`);
        return answer.status;
      }),
    );
    assert.deepEqual(new Set(answers), new Set([200]));
    assert.equal(emulator.ledger.requests, CALLERS, "the provider refused some");
  });
});

/** The way to the objects of another process; it can be cut. */
async function openLine(to: string) {
  const server = createServer(async (incoming, outgoing) => {
    const body = Buffer.concat(await incoming.toArray());
    const response = await fetch(new URL(incoming.url ?? "", to), { method: "POST", body });
    outgoing.end(await response.text());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe("an isolate that is not heard of any more", { timeout: 120_000 }, () => {
  const limits = { providers: { own: { concurrent: 3 } } };
  let emulator: Emulator;
  let upstream: Awaited<ReturnType<typeof serve>>;
  before(async () => {
    emulator = createEmulator({ tokensPerSecond: 10 });
    upstream = await serve(emulator);
  });
  after(() => upstream?.close());

  for (const fate of ["killed", "cut off"]) {
    it(`is ${fate}: its places are free a minute later, and not before`, async () => {
      emulator.reset();
      const worker = await start(upstream.url, limits);
      const line = await openLine(worker.url.href);
      const other = await start(upstream.url, limits, { instances: 1, objects: line.url });
      try {
        // They are held on to: a body that may be collected as garbage is cancelled then.
        const held = [];
        for (let number = 0; number < 3; number++) held.push(await ask(other, number * INSTANCES, LONG));
        assert.equal(count(held, 200), 3);
        if (fate === "killed") await other.stop();
        else line.cut();
        await worker.fetch(0, `/ahead?ms=${MINUTE - 10_000}`);
        assert.equal(count(await askAll(worker, 20), 429), 20);
        await worker.fetch(0, `/ahead?ms=${MINUTE}`);
        const answers = await askAll(worker, 20);
        assert.equal(count(answers, 200), 3);
        // At worst the provider has those to answer that the isolate left behind, and as many as the plan allows. That a killed
        // isolate's connections are closed may take a moment to be seen.
        await until(() => emulator.ledger.open === (fate === "killed" ? 3 : 6));
        assert.equal(held.length + answers.length, 23);
      } finally {
        line.cut();
        await other.stop();
        await worker.stop();
      }
    });
  }
});

describe("usage", { timeout: 300_000 }, () => {
  const REQUESTS = 320;
  let emulator: Emulator;
  let upstream: Awaited<ReturnType<typeof serve>>;
  let worker: RunningWorker;
  before(async () => {
    emulator = createEmulator({ tokensPerSecond: 20_000 });
    upstream = await serve(emulator);
    const caller = { concurrent: 30, requestsPerMinute: 100_000, tokensPerMinute: 1e9, costPerDay: 1000 };
    worker = await start(upstream.url, { caller, providers: { own: { concurrent: 40 } }, wait: 60_000 });
  });
  after(async () => {
    await worker?.stop();
    await upstream?.close();
  });

  const report = (token: string, query = "") =>
    worker.fetch(1, `/v1/usage${query}`, { headers: { authorization: `Bearer ${token}` } });
  const rowsOf = async (response: Response) => ((await response.json()) as UsageReport).data;

  it("is the provider's to the token, whatever becomes of requests and objects", async () => {
    const random = randomFrom(11);
    let next = 0;
    const made = { alice: 0, bob: 0 };
    const work = async () => {
      for (let number = next++; number < REQUESTS; number = next++) {
        const kind = random(4);
        const token = random(3) === 0 ? "bob" : "alice";
        const params = { token, model: random(2) ? "electron" : "small", max_tokens: 5 + random(30) };
        const answer = await ask(worker, number, { ...params, stream: kind !== 0 });
        if (answer.status !== 200) assert.fail(await answer.text());
        if (kind === 1) await readAndLeave(answer, random(3000));
        else await answer.text();
        made[token]++;
        if (number % 80 === 79) {
          for (const object of await worker.objects("Limiter")) await worker.fetch(2, `/crash/${object}`);
        }
      }
    };
    await Promise.all(Array.from({ length: 40 }, work));
    let rows: UsageRow[] = [];
    const sum = (
      field: "requests" | "promptTokens" | "cached" | "completionTokens" | "tokens" | "estimated" | "unknown",
    ) => rows.reduce((total, row) => total + row[field], 0);
    while (sum("requests") < REQUESTS) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      rows = await rowsOf(await report("operator"));
    }

    const { prompt, cached, completion, total } = emulator.ledger.tokens;
    assert.deepEqual(
      [sum("requests"), sum("promptTokens"), sum("cached"), sum("completionTokens"), sum("tokens")],
      [emulator.ledger.requests, prompt, cached, completion, total],
    );
    assert.deepEqual([sum("estimated"), sum("unknown")], [0, 0]);
    const cost = rows.reduce((dollars, row) => dollars + (row.cost ?? Number.NaN), 0);
    assert.ok(Math.abs(cost - ((prompt - cached) * 1 + cached * 0.5 + completion * 2) / 1e6) < 1e-9);
    for (const [caller, requests] of Object.entries(made)) {
      const own = rows.filter((row) => row.caller === caller);
      assert.equal(
        own.reduce((all, row) => all + row.requests, 0),
        requests,
      );
      assert.deepEqual(new Set(own.map(({ model }) => model)), new Set(["electron", "small"]));
    }
  });

  it("is told to those who may know it", async () => {
    for (const token of ["", "mallory"]) assert.equal((await report(token)).status, 401);
    const all = await rowsOf(await report("operator"));
    const own = await rowsOf(await report("alice"));
    assert.deepEqual(
      own,
      all.filter(({ caller }) => caller === "alice"),
    );
    assert.deepEqual(await rowsOf(await report("alice", "?caller=bob")), own);
    assert.deepEqual(await rowsOf(await report("operator", "?caller=alice")), own);
    assert.deepEqual(await rowsOf(await report("operator", "?from=2020-01-01&to=2020-01-31")), []);
    for (const query of ["?from=today", "?from=2020-02-01&to=2020-01-01", "?from=2019-01-01&to=2020-01-01"]) {
      assert.equal((await report("operator", query)).status, 400, query);
    }
  });

  it("and limits of one key meet one object", async () => {
    // Two callers, and the provider's key.
    assert.equal((await worker.objects("Limiter")).length, 3);
  });
});

/** Reads so many bytes of an answer, and leaves. */
async function readAndLeave(answer: Response, bytes: number): Promise<void> {
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  for (let length = 0; length < bytes; ) {
    const { done, value } = await reader.read();
    if (done) return;
    length += value.length;
  }
  await reader.cancel();
}
