/** The gateway and its limiter, in one process and with a clock that the tests hold. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { type GatewayOptions, gateway, type UsageReport } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";
import { limiterObjects } from "./objects.ts";
import { bytesOf, CHAT, chat, DONE, errorOf, says, setUp, streamOf, until, usageEvent } from "./setting.ts";

const MINUTE = 60_000;
const LIMITED = { authorization: "Bearer alice" };

/** A gateway with limits, before a provider that the test plays. */
function limited(limits: GatewayOptions["limits"], fetch: Parameters<typeof setUp>[0] = answers, options = {}) {
  const objects = limiterObjects();
  const setting = setUp(fetch, {
    authorize: async ({ headers }) => {
      const caller = /^Bearer (\w+)$/.exec(headers.get("authorization") ?? "")?.[1];
      return caller ? { caller } : null;
    },
    limiter: objects.namespace,
    ...(limits && { limits }),
    ...options,
  });
  const ask = (params: Record<string, unknown> = {}) =>
    setting.fetch(CHAT, chat("hi", { headers: LIMITED, ...params }));
  return { ...setting, objects, ask };
}

const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
const completion = {
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage,
};
const answers = async () => Response.json(completion);

/** An answer that runs until the test ends it. */
function endless() {
  let end = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(says("a")));
      end = () => {
        controller.enqueue(new TextEncoder().encode(`${says("", "stop")}data: [DONE]\n\n`));
        controller.close();
      };
    },
  });
  return { response: new Response(body, { headers: { "content-type": "text/event-stream" } }), end: () => end() };
}

const mockTime = ({ mock }: TestContext) => {
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: Date.UTC(2026, 0, 31, 12) });
  /** Lets time pass, and what has been waiting for it happen. */
  return async (ms: number) => {
    const turns = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    };
    await turns();
    for (let left = ms; left > 0; left -= 5000) {
      mock.timers.tick(Math.min(5000, left));
      await turns();
    }
  };
};

test("a_caller's_plan_is_the_caller's_alone", async () => {
  const { ask, objects } = limited({ caller: { requestsPerMinute: 2 } });
  const statuses = [];
  for (const caller of ["alice", "alice", "alice", "bob"]) {
    const answer = await ask({ headers: { authorization: `Bearer ${caller}` } });
    statuses.push(answer.status);
    await answer.text();
  }
  assert.deepEqual(statuses, [200, 200, 429, 200]);
  assert.deepEqual(
    objects.names().filter((name) => name.startsWith("caller:")),
    ["caller:alice", "caller:bob"],
  );
});

test("a_refusal_says_when_to_come_back", async (context) => {
  const pass = mockTime(context);
  const { ask } = limited({ caller: { requestsPerMinute: 1 } });
  await bytesOf(await ask());
  await pass(15_000);
  const refused = await ask();
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "45"]);
  assert.deepEqual(await errorOf(refused), {
    message: "The requests of this minute are used up. Try again in 45 s.",
    type: "rate_limit_error",
    code: "rate_limit_exceeded",
    param: null,
  });
  await pass(45_000);
  assert.equal((await ask()).status, 200);
});

test("a_grant's_plan_replaces_that_of_callers_and_a_page's_token_keeps_it", async () => {
  const page = "https://chat.example.com";
  const plan = { requestsPerMinute: 1 };
  const { fetch, ask } = limited({ caller: { requestsPerMinute: 5 } }, answers, {
    authorize: async () => ({ caller: "alice", plan }),
    token: { secret: "a secret of at least thirty-two characters", origins: [page] },
  });
  const { token } = (await (await fetch("/v1/token", { method: "POST" })).json()) as { token: string };
  const headers = { authorization: `Bearer ${token}`, origin: page };
  assert.equal((await ask({ headers })).status, 200);
  assert.equal((await ask({ headers })).status, 429);
});

test("requests_wait_for_their_turn_in_the_order_they_came", async () => {
  const sent: string[] = [];
  const open: (() => void)[] = [];
  const { ask, objects } = limited(
    { providers: { upstream: { concurrent: 1 } }, wait: 30_000 },
    async (_, { body }) => {
      sent.push(JSON.parse(body as string).user);
      const { response, end } = endless();
      open.push(end);
      return response;
    },
  );
  const asked: Promise<Response>[] = [];
  for (const user of ["a", "b", "c"]) {
    asked.push(ask({ user, stream: true }));
    await until(() => objects.asked.length === asked.length);
  }
  for (let turn = 0; turn < asked.length; turn++) {
    await until(() => open.length > turn);
    assert.equal(sent.length, turn + 1);
    open[turn]?.();
    await bytesOf(await (asked[turn] as Promise<Response>));
  }
  assert.deepEqual(sent, ["a", "b", "c"]);
});

test("a_provider_that_is_asked_next_does_not_keep_anybody_waiting", async () => {
  const { response, end } = endless();
  let sent = 0;
  const keys = { provider: "electronhub" as const, maxRetries: 0 };
  const { ask } = limited({ providers: { busy: { concurrent: 1 } }, wait: 30_000 }, answers, {
    providers: {
      failing: { ...keys, apiKey: "a", fetch: async () => new Response("{}", { status: 503 }) },
      busy: { ...keys, apiKey: "b", fetch: async () => (sent++ ? answers() : response) },
    },
    models: { electron: "busy/a", both: ["failing/a", "busy/a"] },
  });
  const first = await ask({ stream: true });
  const waiting = ask();
  const refused = await ask({ model: "both" });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  end();
  await bytesOf(first);
  assert.equal((await waiting).status, 200);
});

test("patience_ends", async (context) => {
  const pass = mockTime(context);
  const { response } = endless();
  const { ask, objects } = limited({ providers: { upstream: { concurrent: 1 } }, wait: 10_000 }, async () => response);
  await ask({ stream: true });
  const waiting = ask();
  await pass(9000);
  const others = objects.asked.length;
  await pass(1000);
  assert.equal((await waiting).status, 429);
  assert.equal(objects.asked.length, others, "it was not asked for again and again");
});

test("whoever_leaves_the_queue_takes_no_place", async () => {
  const { response, end } = endless();
  const sent: unknown[] = [];
  const { ask, recorded, records } = limited(
    { providers: { upstream: { concurrent: 1 } }, wait: 30_000 },
    async (_, { body }) => {
      sent.push(JSON.parse(body as string).user);
      return sent.length === 1 ? response : answers();
    },
  );
  const first = await ask({ user: "first", stream: true });
  const controller = new AbortController();
  const leaving = ask({ user: "leaving", signal: controller.signal });
  const last = ask({ user: "last" });
  controller.abort();
  await leaving;
  end();
  await bytesOf(first);
  assert.deepEqual(await (await last).json(), completion);
  assert.deepEqual(sent, ["first", "last"]);
  await recorded(2);
  assert.equal(records.length, 2, "what was never sent is recorded");
});

test("a_lease_is_renewed_for_as_long_as_the_answer_runs", async (context) => {
  const pass = mockTime(context);
  const { response, end } = endless();
  const limits = { caller: { concurrent: 1 }, providers: { upstream: { concurrent: 1 } } };
  const { ask, objects, recorded } = limited(limits, async () => response);
  const answer = await ask({ stream: true });
  const reading = bytesOf(answer);
  for (let minute = 0; minute < 5; minute++) {
    await pass(MINUTE);
    assert.equal((await ask({ headers: { authorization: "Bearer bob" } })).status, 429);
  }
  objects.restart();
  await pass(MINUTE);
  assert.equal((await ask({ headers: { authorization: "Bearer bob" } })).status, 429, "after a restart");
  end();
  await reading;
  await recorded(1);
  await pass(5000);
  const renewals = objects.asked.filter(({ op }) => op === "renew").length;
  assert.ok(renewals >= 2 * 6 && renewals <= 2 * 24, `${renewals} renewals`);
  await pass(5 * MINUTE);
  assert.equal(objects.asked.filter(({ op }) => op === "renew").length, renewals, "renewed after its end");
});

test("a_lease_that_ran_out_is_had_again_with_the_next_renewal", async (context) => {
  const pass = mockTime(context);
  const open = [endless(), endless(), endless()];
  const { ask, objects } = limited({ providers: { upstream: { concurrent: 1 } } }, async () => {
    const next = open[sent++];
    return next?.response ?? Response.json(completion);
  });
  let sent = 0;
  void bytesOf(await ask({ stream: true }));
  objects.down(true);
  await pass(61_000);
  objects.down(false);
  // The one that overshoots: nobody has told the object that the first still runs.
  const second = await ask({ stream: true });
  assert.equal(second.status, 200);
  await pass(25_000);
  open[1]?.end();
  await bytesOf(second);
  await pass(1000);
  assert.equal((await ask({ stream: true })).status, 429, "the first runs, and counts");
});

test("a_plan_that_is_used_up_makes_way_for_the_next_provider", async () => {
  const asked: string[] = [];
  const send = (name: string) => async () => {
    asked.push(name);
    return Response.json(completion);
  };
  const limits = { providers: { first: { requestsPerMinute: 1 }, second: { requestsPerMinute: 2, concurrent: 1 } } };
  const providers = Object.fromEntries(
    ["first", "second"].map((name) => [
      name,
      { provider: "electronhub" as const, apiKey: `key-of-${name}`, fetch: send(name), maxRetries: 2 },
    ]),
  );
  const { ask, objects, recorded } = limited(limits, answers, {
    providers,
    models: { electron: ["first/a", "second/b"] },
  });
  const statuses = [];
  for (let time = 0; time < 4; time++) {
    const answer = await ask();
    statuses.push(answer.status);
    await answer.text();
  }
  assert.deepEqual(statuses, [200, 200, 200, 429]);
  assert.deepEqual(asked, ["first", "second", "second"]);
  assert.equal(objects.names().length, 2);
  assert.ok(
    objects.names().every((name) => !name.includes("key-of")),
    "a key is in an object's name",
  );
  await recorded(4);
});

test("a_provider_without_a_place_is_asked_again_as_soon_as_it_has_one", async () => {
  const asked: string[] = [];
  const { response, end } = endless();
  const first = async () => (asked.push("first") === 1 ? response : answers());
  const second = async () => {
    asked.push("second");
    return answers();
  };
  // Its own 429 would keep a client away from ElectronHub for three minutes.
  const hub = { provider: "electronhub" as const, apiKey: "any", maxRetries: 0 };
  const { ask, recorded } = limited({ providers: { first: { concurrent: 1 } } }, answers, {
    providers: { first: { ...hub, fetch: first }, second: { ...hub, apiKey: "another", fetch: second } },
    models: { electron: ["first/a", "second/b"] },
  });
  const long = await ask({ stream: true });
  await bytesOf(await ask());
  end();
  await bytesOf(long);
  await recorded(2);
  await bytesOf(await ask());
  assert.deepEqual(asked, ["first", "second", "first"]);
});

test("an_answer_that_the_client_had_to_replace_counts_for_the_provider_that_gave_it", async () => {
  const bytes = () => new TextEncoder().encode(says("a") + says("b", "stop") + usageEvent + DONE);
  const headers = new Headers({ "content-type": "text/event-stream" });
  const bodies: Record<string, () => unknown> = {
    "a stream of Node": () => Readable.from([bytes()]),
    "an iterable": () => ({
      async *[Symbol.asyncIterator]() {
        yield bytes();
      },
    }),
  };
  let keys = 0;
  for (const [what, body] of Object.entries(bodies)) {
    keys++;
    const hub = { provider: "electronhub" as const, maxRetries: 0 };
    const second = async () => ({ ok: true, status: 200, statusText: "", headers, body: body() }) as never;
    const plan = { concurrent: 1 };
    const { ask, recorded } = limited({ providers: { first: plan, second: plan } }, answers, {
      providers: {
        first: { ...hub, apiKey: `first-${keys}`, fetch: async () => new Response("{}", { status: 500 }) },
        second: { ...hub, apiKey: `second-${keys}`, fetch: second },
      },
      models: { electron: ["first/a", "second/b"] },
    });
    for (let time = 0; time < 2; time++) {
      const answer = await ask({ stream: true });
      assert.equal(answer.status, 200, what);
      await bytesOf(answer);
    }
    for (const { provider, upstreamModel, tokens, estimated } of await recorded(2)) {
      assert.deepEqual([provider, upstreamModel, tokens, estimated], ["second", "b", 7, false], what);
    }
  }
});

test("an_answer_that_is_broken_off_keeps_its_place_for_a_second", async (context) => {
  const pass = mockTime(context);
  const { response } = endless();
  let sent = 0;
  const { ask } = limited({ providers: { upstream: { concurrent: 1 } } }, async () => (sent++ ? answers() : response), {
    onDisconnect: "abort",
  });
  const answer = await ask({ stream: true });
  await answer.body?.cancel();
  await pass(900);
  assert.equal((await ask()).status, 429);
  await pass(200);
  assert.equal((await ask()).status, 200);
});

test("what_is_never_sent_costs_no_place", async () => {
  const plan = { requestsPerMinute: 1, concurrent: 1 };
  const { ask } = limited({ caller: plan, providers: { upstream: plan } });
  for (let time = 0; time < 3; time++) assert.equal((await ask({ temperature: 99 })).status, 400);
  assert.equal((await ask()).status, 200);
});

test("nothing_of_the_limits_reaches_the_provider", async () => {
  const headers: string[] = [];
  const { ask } = limited(
    { caller: { concurrent: 1 }, providers: { upstream: { concurrent: 1 } } },
    async (_, init) => {
      headers.push(...init.headers.keys());
      return answers();
    },
  );
  assert.equal((await ask()).status, 200);
  assert.ok(headers.includes("authorization"));
  assert.deepEqual(
    headers.filter((name) => name.startsWith("x-chatwire")),
    [],
  );
});

test("each_attempt_takes_a_place_of_its_own", async () => {
  let sent = 0;
  const failing = async () => (++sent < 3 ? new Response("{}", { status: 503 }) : answers());
  const provider = { provider: "electron" as const, apiKey: "any", maxRetries: 2, fetch: failing };
  const limits = { providers: { upstream: { requestsPerMinute: 2, concurrent: 1 } } };
  const { ask } = limited(limits, answers, { providers: { upstream: provider } });
  const answer = await ask();
  assert.deepEqual([answer.status, sent], [429, 2]);
});

test("nothing_is_sent_while_the_limiter_cannot_be_reached", async (context) => {
  const pass = mockTime(context);
  context.mock.method(console, "error", () => {});
  let sent = 0;
  for (const limits of [{ caller: { concurrent: 1 } }, { providers: { upstream: { concurrent: 1 } } }]) {
    const { ask, objects } = limited(limits, async () => {
      sent++;
      return answers();
    });
    objects.down(true);
    let answer: Response | undefined;
    void ask().then((response) => {
      answer = response;
    });
    while (!answer) await pass(1000);
    assert.deepEqual([answer.status, (await errorOf(answer)).code], [503, "limiter_unavailable"]);
    objects.down(false);
    assert.equal((await ask()).status, 200);
  }
  assert.equal(sent, 2);
});

test("usage_that_is_told_again_counts_once", async (context) => {
  const pass = mockTime(context);
  const { ask, objects, recorded, fetch } = limited({});
  objects.down(true);
  await bytesOf(await ask());
  await until(() => objects.asked.length > 0);
  await pass(1000);
  objects.down(false);
  await pass(10_000);
  const [record] = await recorded(1);
  const { name } = objects.asked[0] ?? assert.fail();
  const again = { op: "settle", id: record?.recordId, tokens: 7, answered: 0, linger: 0, record };
  for (let time = 0; time < 3; time++) {
    objects.restart();
    const init = { method: "POST", body: JSON.stringify(again) };
    await objects.namespace.get({ name } as never).fetch("https://limiter/", init);
  }
  const { data } = (await (await fetch("/v1/usage", { headers: LIMITED })).json()) as UsageReport;
  assert.deepEqual(
    data.map(({ requests, tokens }) => [requests, tokens]),
    [[1, 7]],
  );
});

test("a_budget_lasts_until_the_day_ends", async (context) => {
  const pass = mockTime(context);
  const million = { ...usage, prompt_tokens: 1e6, total_tokens: 1e6 + 4 };
  const prices = { input: 1, output: 0 };
  const { ask, objects } = limited(
    { caller: { costPerDay: 2 } },
    async () => Response.json({ ...completion, usage: million }),
    {
      providers: {
        upstream: {
          provider: { baseURL: "https://api.example.com/v1", prices },
          apiKey: null,
          fetch: async () => Response.json({ ...completion, usage: million }),
        },
      },
    },
  );
  for (let time = 0; time < 2; time++) {
    const answer = await ask();
    assert.equal(answer.status, 200);
    await bytesOf(answer);
    await pass(1000);
  }
  objects.restart();
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.equal(Number(refused.headers.get("retry-after")), 12 * 3600 - 2);
  await pass(12 * 3_600_000);
  assert.equal((await ask()).status, 200);
});

test("tokens_are_reserved_by_what_a_request_may_use", async () => {
  const { response, end } = endless();
  let sent = 0;
  const { ask } = limited({ caller: { tokensPerMinute: 1000 } }, async () => (sent++ ? answers() : response));
  const first = await ask({ stream: true, max_tokens: 900 });
  assert.equal((await ask({ max_tokens: 200 })).status, 429);
  assert.equal((await ask({ max_tokens: 10 })).status, 200);
  end();
  await bytesOf(first);
  await until(() => sent === 2);
});

test("the_report_needs_authorization_and_a_limiter", async () => {
  const { fetch } = limited({});
  assert.equal((await fetch("/v1/usage")).status, 401);
  assert.equal((await fetch("/v1/usage", { method: "POST" })).status, 405);
  const open = limited({}, answers, { authorize: undefined });
  assert.equal((await open.fetch("/v1/usage", { headers: LIMITED })).status, 404);
  const uncounted = setUp(answers, { authorize: async () => ({ caller: "alice" }) });
  assert.equal((await uncounted.fetch("/v1/usage")).status, 404);
});

test("limits_that_make_no_sense_are_found_at_the_start", async (context) => {
  const { namespace: limiter } = limiterObjects();
  const logged = context.mock.method(console, "error", () => {});
  const cases: [Partial<GatewayOptions>, RegExp][] = [
    [{ limits: { caller: { concurrent: 1 } } }, /need limiter/],
    [{ limits: { wait: 1000 } }, /need limiter/],
    [{ limiter: {} as never }, /limiter is the binding/],
    [{ limiter, limits: { caller: { concurrent: 0 } } }, /limits\.caller\.concurrent must be a whole number above 0/],
    [{ limiter, limits: { caller: { costPerDay: -1 } } }, /limits\.caller\.costPerDay must be a number above 0/],
    [{ limiter, limits: { providers: { nobody: {} } } }, /limits\.providers\.nobody .* own, priceless/],
    [{ limiter, limits: { providers: { priceless: { costPerDay: 1 } } } }, /needs the price/],
    [{ limiter, limits: { caller: { costPerDay: 1 } } }, /needs the price/],
    [{ limiter, limits: { wait: -1 } }, /limits\.wait/],
  ];
  for (const [options, message] of cases) {
    const app = gateway({
      providers: {
        own: { provider: "electron", apiKey: "any", fetch: createEmulator().fetch },
        priceless: { baseURL: "https://api.example.com/v1", apiKey: null },
      },
      ...options,
    });
    assert.equal((await app.fetch(new Request("http://localhost/healthz"))).status, 500);
    assert.match(String(logged.mock.calls.at(-1)?.arguments.join(" ")), message);
  }
});

test("a_plan_that_nobody_keeps_lets_nobody_in", async (context) => {
  context.mock.method(console, "error", () => {});
  const authorize = async () => ({ caller: "alice", plan: { concurrent: 1 } });
  const { fetch } = setUp(answers, { authorize });
  assert.equal((await fetch(CHAT, chat("hi"))).status, 500);
});

test("without_plans_only_usage_is_kept", async () => {
  const { ask, objects, recorded } = limited({}, async () =>
    streamOf([says("hi"), says("", "stop"), "data: [DONE]\n\n"]),
  );
  await bytesOf(await ask({ stream: true }));
  await recorded(1);
  await until(() => objects.asked.length > 0);
  assert.deepEqual(
    objects.asked.map(({ op }) => op),
    ["settle"],
  );
});
