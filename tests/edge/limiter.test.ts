/** One object of the limiter: what it remembers when it restarts, and in which order it lets in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UsageRecord } from "chatwire/edge";
import type { Admission, Message } from "../../npm/edge/limiter.ts";
import { limiterObjects } from "./objects.ts";

const T = Date.UTC(2026, 0, 31, 23, 58);

/** An object, its clock in seconds, and a way to talk to it. */
function object() {
  const clock = { seconds: 0 };
  const objects = limiterObjects(() => T + clock.seconds * 1000);
  const stub = objects.namespace.get(objects.namespace.idFromName("one") as never);
  const tell = async (message: Message): Promise<unknown> =>
    (await stub.fetch("https://limiter/", { method: "POST", body: JSON.stringify(message) })).json();
  return {
    clock,
    restart: objects.restart,
    admit: async (id: string, plan: object, { tokens = 0, cost = 0, wait = 0, caller = "any", queue = 100 } = {}) => {
      const admission = (await tell({
        op: "admit",
        id,
        caller,
        model: "m",
        plan,
        tokens,
        cost,
        wait,
        queue,
      })) as Admission;
      if (admission.admitted) return { admitted: true };
      const { left: _, ...refusal } = admission;
      return refusal;
    },
    renew: (id: string, answered: number | null = null) => tell({ op: "renew", id, tokens: 0, cost: 0, answered }),
    settle: (id: string, { tokens = 0, answered = null, record = null }: Partial<Settled> = {}) =>
      tell({
        ...{ op: "settle", id, tokens, answered, linger: 0 },
        record: record && ({ recordId: id, ...record } as UsageRecord),
      }),
    cancel: (id: string) => tell({ op: "cancel", id }),
    usage: async () => {
      const query = { from: "2026-01-01", to: "2026-12-31", caller: null, tags: {}, after: null, limit: 100 };
      return (await tell({ op: "usage", query })) as object[];
    },
  };
}
interface Settled {
  tokens: number | null;
  answered: number | null;
  record: object | null;
}

const isIn = { admitted: true };

test("a_restart_lets_nobody_pass_twice", async () => {
  const { admit, settle, restart } = object();
  assert.deepEqual(await admit("a", { concurrent: 1 }), isIn);
  restart();
  assert.deepEqual(await admit("b", { concurrent: 1 }), { admitted: false, reason: "concurrent", after: 1000 });
  await settle("a");
  restart();
  assert.deepEqual(await admit("b", { concurrent: 1 }), isIn);
  assert.deepEqual(await admit("c", { requestsPerMinute: 2 }), {
    ...{ admitted: false, reason: "requestsPerMinute", after: 60_000 },
  });
});

test("a_restart_keeps_when_headers_came", async () => {
  const { admit, renew, restart, clock } = object();
  await admit("a", { requestsPerMinute: 1 });
  clock.seconds = 20;
  await renew("a", 15_000);
  restart();
  clock.seconds = 64;
  assert.deepEqual(await admit("b", { requestsPerMinute: 1 }), {
    ...{ admitted: false, reason: "requestsPerMinute", after: 1000 },
  });
  clock.seconds = 65;
  assert.deepEqual(await admit("b", { requestsPerMinute: 1 }), isIn);
});

test("a_restart_keeps_what_was_reserved_and_used", async () => {
  const { admit, settle, restart } = object();
  await admit("a", { tokensPerMinute: 100 }, { tokens: 60 });
  restart();
  assert.equal((await admit("b", { tokensPerMinute: 100 }, { tokens: 60 })).admitted, false);
  await settle("a", { tokens: 50 });
  restart();
  assert.equal((await admit("b", { tokensPerMinute: 100 }, { tokens: 60 })).admitted, false);
  assert.equal((await admit("b", { tokensPerMinute: 100 }, { tokens: 50 })).admitted, true);
});

test("restarts_make_no_lease_longer_and_bring_none_back", async () => {
  const { admit, renew, restart, clock } = object();
  await admit("dead", { concurrent: 2 });
  await admit("alive", { concurrent: 2 });
  for (clock.seconds = 20; clock.seconds < 60; clock.seconds += 20) {
    restart();
    await renew("alive");
  }
  restart();
  clock.seconds = 59;
  assert.equal((await admit("a", { concurrent: 2 })).admitted, false);
  restart();
  clock.seconds = 60;
  assert.equal((await admit("a", { concurrent: 2 })).admitted, true);
  restart();
  assert.equal((await admit("b", { concurrent: 3 })).admitted, true);
  assert.equal((await admit("c", { concurrent: 3 })).admitted, false);
});

test("a_lost_request_counts_for_one_more_minute_whatever_restarts", async () => {
  const { admit, restart, clock } = object();
  const plan = { requestsPerMinute: 1 };
  await admit("a", plan);
  for (const seconds of [60, 90, 119]) {
    clock.seconds = seconds;
    assert.equal((await admit("b", plan)).admitted, false, `${seconds} s`);
    restart();
  }
  clock.seconds = 120;
  assert.equal((await admit("b", plan)).admitted, true);
});

for (const isRestarted of [false, true]) {
  test(`a_clock_that_is_put_back_a_day_makes_nobody_wait_for_longer${isRestarted ? "_after_a_restart" : ""}`, async () => {
    const { admit, settle, cancel, restart, clock } = object();
    const [day, plan] = [86_400, { requestsPerMinute: 1 }];
    await admit("a", plan);
    await settle("a");
    await admit("left", { concurrent: 9 }); // and never heard of again
    clock.seconds = -day;
    if (isRestarted) restart();
    const refused = await admit("b", plan);
    assert.ok("after" in refused && refused.after <= 60_000, JSON.stringify(refused));
    assert.deepEqual(await admit("c", { concurrent: 1 }), { admitted: false, reason: "concurrent", after: 1000 });
    clock.seconds = 60 - day;
    assert.deepEqual(await admit("d", { concurrent: 1 }), isIn);
    await cancel("d");
    clock.seconds = 121 - day;
    assert.deepEqual(await admit("b", plan), isIn);
  });
}

test("who_waits_while_the_clock_is_put_back_a_day_waits_for_no_longer", async () => {
  const { admit, clock } = object();
  await admit("a", { concurrent: 1 });
  const waiting = admit("b", { concurrent: 1 }, { wait: 1000 });
  clock.seconds = -86_400;
  await admit("c", { concurrent: 1 });
  clock.seconds += 2;
  await admit("d", { concurrent: 1 });
  assert.equal((await waiting).admitted, false);
});

test("what_was_cancelled_is_forgotten_in_storage_too", async () => {
  const { admit, cancel, restart } = object();
  await admit("a", { concurrent: 1 });
  await cancel("a");
  restart();
  assert.deepEqual(await admit("b", { concurrent: 1, requestsPerMinute: 1 }), isIn);
});

test("a_renewal_that_arrives_after_the_end_takes_no_place", async () => {
  const { admit, renew, settle } = object();
  await admit("a", { concurrent: 1 });
  await settle("a");
  await renew("a");
  assert.deepEqual(await admit("b", { concurrent: 1 }), isIn);
});

test("nobody_passes_those_who_wait", async () => {
  const { admit, settle, cancel } = object();
  const told: string[] = [];
  await admit("a", { concurrent: 1, tokensPerMinute: 100 }, { tokens: 60 });
  const wait = { wait: 30_000 };
  const b = admit("b", { tokensPerMinute: 100 }, { tokens: 60, ...wait }).then(() => told.push("b"));
  const c = admit("c", { tokensPerMinute: 100 }, { tokens: 1, ...wait }).then(() => told.push("c"));
  // There would be room, but not for one who came later.
  assert.deepEqual(await admit("d", { concurrent: 9 }), { admitted: false, reason: "tokensPerMinute", after: 1000 });
  assert.deepEqual(told, []);
  await cancel("b");
  await Promise.all([b, c]);
  assert.deepEqual(told, ["b", "c"]);
  await settle("a");
});

test("a_budget_is_spent_with_each_record_and_is_another_one_the_next_day", async () => {
  const { admit, settle, restart, clock, usage } = object();
  const record = { caller: "alice", model: "electron", cost: 0.6, tokens: 5, estimated: true, startedAt: T };
  const plan = { costPerDay: 1 };
  await settle("a", { record });
  assert.deepEqual(await admit("x", plan), isIn);
  await settle("b", { record });
  const spent = { admitted: false, reason: "costPerDay", after: 120_000 };
  assert.deepEqual(await admit("y", plan), spent);
  restart();
  assert.deepEqual(await admit("y", plan), spent);
  clock.seconds = 120;
  assert.deepEqual(await admit("y", plan), isIn);
  await settle("c", { record });
  assert.deepEqual(await admit("z", plan), isIn, "yesterday's record is not of today's budget");
  const numbers = { promptTokens: 0, cached: 0, completionTokens: 0, tokens: 15, estimated: 3, unknown: 0 };
  const [row] = (await usage()) as { cost: number }[];
  assert.deepEqual(
    { ...row, cost: row?.cost.toFixed(1) },
    {
      ...{ day: "2026-01-31", caller: "alice", model: "electron", requests: 3, cost: "1.8" },
      ...numbers,
    },
  );
});

test("what_nobody_knows_is_not_nothing", async () => {
  const { settle, usage } = object();
  const record = { caller: "alice", model: "electron", cost: null, tokens: null, estimated: false, startedAt: T };
  await settle("a", { record });
  const [row] = (await usage()) as { cost: unknown; unknown: unknown }[];
  assert.deepEqual([row?.cost, row?.unknown], [null, 1]);
  await settle("b", { record: { ...record, cost: 0.5, tokens: 3 } });
  const [next] = (await usage()) as { cost: unknown; unknown: unknown; requests: unknown }[];
  assert.deepEqual([next?.cost, next?.unknown, next?.requests], [0.5, 1, 2]);
});

test("old_requests_are_forgotten_and_counted_once_until_then", async () => {
  const { settle, clock, usage } = object();
  const record = { caller: "alice", model: "electron", cost: 1, tokens: 1, estimated: false, startedAt: T };
  const requests = async () => ((await usage()) as { requests: number }[])[0]?.requests;
  await settle("a", { record });
  clock.seconds = 9 * 60;
  await settle("a", { record });
  assert.equal(await requests(), 1);
  clock.seconds = 25 * 60;
  await settle("b", { record });
  await settle("a", { record });
  assert.equal(await requests(), 3, "its row is still there");
});

test("an_answer_to_a_retry_is_counted_once_though_it_is_told_again_by_its_record", async () => {
  const { settle, usage, restart } = object();
  const record = { recordId: "first", caller: "alice", model: "electron", cost: 1, tokens: 7, startedAt: T };
  await settle("first", { tokens: null });
  await settle("second", { record });
  restart();
  await settle("first", { record });
  await settle("third", { record });
  const [row] = (await usage()) as { requests: number; tokens: number }[];
  assert.deepEqual([row?.requests, row?.tokens], [1, 7]);
});
