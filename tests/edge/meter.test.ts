/** The limiter's state machine, where time is an argument. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE, Meter, MINUTE } from "../../npm/edge/meter.ts";
import type { Plan } from "../../npm/edge/options.ts";
import { randomFrom } from "./setting.ts";

const T = Date.UTC(2026, 0, 31, 12);

/** A step at some second, and its result. */
type Step =
  | [at: number, "admit", id: string, result: "in" | [reason: keyof Plan, at: number | null], tokens?: number]
  | [at: number, "renew", id: string, answered?: number]
  | [at: number, "settle", id: string, tokens?: number | null, answered?: number]
  | [at: number, "cancel", id: string]
  | [at: number, "spend", cost: number]
  | [at: number, "expire", ids: string[]];

const CASES: Record<string, { plan: Plan; steps: Step[] }> = {
  a_request_slot_frees_a_minute_after_the_headers: {
    plan: { requestsPerMinute: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [5, "renew", "a", 3],
      [6, "admit", "b", ["requestsPerMinute", 63]],
      [10, "settle", "a"],
      [62.9, "admit", "b", ["requestsPerMinute", 63]],
      [63, "admit", "b", "in"],
    ],
  },
  headers_are_told_with_the_end: {
    plan: { requestsPerMinute: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [10, "settle", "a", 0, 2],
      [61, "admit", "b", ["requestsPerMinute", 62]],
      [62, "admit", "b", "in"],
    ],
  },
  a_request_without_headers_counts_from_its_end: {
    plan: { requestsPerMinute: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [50, "admit", "b", ["requestsPerMinute", null]],
      [50, "settle", "a"],
      [109, "admit", "b", ["requestsPerMinute", 110]],
      [110, "admit", "b", "in"],
    ],
  },
  slots_free_in_the_order_of_their_headers: {
    plan: { requestsPerMinute: 2 },
    steps: [
      [0, "admit", "a", "in"],
      [0, "admit", "b", "in"],
      [10, "settle", "b", 0, 9],
      [20, "settle", "a", 0, 1],
      [20, "admit", "c", ["requestsPerMinute", 61]],
      [61, "admit", "c", "in"],
      [61, "admit", "d", ["requestsPerMinute", 69]],
    ],
  },
  a_place_at_the_same_time_frees_with_the_end: {
    plan: { concurrent: 2 },
    steps: [
      [0, "admit", "a", "in"],
      [0, "admit", "b", "in"],
      [1, "admit", "c", ["concurrent", null]],
      [1, "settle", "a"],
      [1, "admit", "c", "in"],
    ],
  },
  asking_twice_takes_one_place: {
    plan: { concurrent: 1, requestsPerMinute: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [1, "admit", "a", "in"],
    ],
  },
  what_was_cancelled_never_was: {
    plan: { concurrent: 1, requestsPerMinute: 1, tokensPerMinute: 10 },
    steps: [
      [0, "admit", "a", "in", 10],
      [1, "cancel", "a"],
      [1, "admit", "b", "in", 10],
    ],
  },
  a_lease_lives_as_long_as_it_is_renewed: {
    plan: { concurrent: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [59, "renew", "a"],
      [118, "expire", []],
      [118, "admit", "b", ["concurrent", null]],
      [119, "expire", ["a"]],
      [119, "admit", "b", "in"],
    ],
  },
  an_expired_request_counts_for_one_more_minute: {
    plan: { requestsPerMinute: 1, tokensPerMinute: 100 },
    steps: [
      [0, "admit", "a", "in", 60],
      [60, "expire", ["a"]],
      [60, "admit", "b", ["requestsPerMinute", 120], 60],
      [120, "admit", "b", "in", 60],
    ],
  },
  whoever_comes_back_has_their_place_back: {
    plan: { concurrent: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [60, "admit", "b", "in"],
      [61, "renew", "a"],
      [62, "settle", "b"],
      [62, "admit", "c", ["concurrent", null]],
      [63, "settle", "a"],
      [63, "admit", "c", "in"],
    ],
  },
  tokens_are_reserved_and_then_counted: {
    plan: { tokensPerMinute: 100 },
    steps: [
      [0, "admit", "a", "in", 80],
      [1, "admit", "b", ["tokensPerMinute", null], 30],
      [2, "settle", "a", 50],
      [2, "admit", "b", "in", 30],
      [3, "admit", "c", ["tokensPerMinute", 62], 30],
      [62, "admit", "c", "in", 30],
    ],
  },
  unknown_tokens_are_those_reserved: {
    plan: { tokensPerMinute: 100 },
    steps: [
      [0, "admit", "a", "in", 80],
      [1, "settle", "a", null],
      [2, "admit", "b", ["tokensPerMinute", 61], 30],
    ],
  },
  a_request_larger_than_the_limit_goes_alone: {
    plan: { tokensPerMinute: 100 },
    steps: [
      [0, "admit", "a", "in", 500],
      [1, "admit", "b", ["tokensPerMinute", null], 1],
      [2, "settle", "a", 100],
      [61, "admit", "b", ["tokensPerMinute", 62], 500],
      [62, "admit", "b", "in", 500],
    ],
  },
  a_budget_is_good_for_a_day: {
    plan: { costPerDay: 1 },
    steps: [
      [0, "spend", 0.4],
      [1, "admit", "a", "in"],
      [2, "spend", 0.6],
      [3, "admit", "b", ["costPerDay", 12 * 3600]],
      [12 * 3600, "admit", "b", "in"],
    ],
  },
  what_is_in_the_way_for_longest_is_named: {
    plan: { concurrent: 1, requestsPerMinute: 1 },
    steps: [
      [0, "admit", "a", "in"],
      [1, "renew", "a", 1],
      [2, "admit", "b", ["requestsPerMinute", 61]],
    ],
  },
};

for (const [name, { plan, steps }] of Object.entries(CASES)) {
  test(name, () => {
    const meter = new Meter();
    for (const step of steps) {
      const [second, what] = step;
      const now = T + second * 1000;
      const expired = meter.advance(now);
      const label = JSON.stringify(step);
      if (what === "admit") {
        const [, , id, result, tokens = 0] = step;
        const refusal = meter.admit(id, plan, { tokens, cost: 0 }, now);
        const found = refusal ? [refusal.reason, refusal.at === null ? null : (refusal.at - T) / 1000] : "in";
        assert.deepEqual(found, result, label);
      } else if (what === "renew") {
        meter.renew(step[2], { tokens: 0, cost: 0 }, step[3] === undefined ? null : T + step[3] * 1000, now);
      } else if (what === "settle") {
        const [, , id, tokens = 0, answered] = step;
        meter.settle(id, answered === undefined ? null : T + answered * 1000, tokens, now);
      } else if (what === "cancel") meter.cancel(step[2]);
      else if (what === "spend") meter.spend(step[2], now);
      else assert.deepEqual(expired, step[2], label);
    }
  });
}

test("no_plan_is_ever_passed_whatever_happens", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomFrom(seed);
    const plan = { requestsPerMinute: 1 + random(10), concurrent: 1 + random(4), tokensPerMinute: 50 + random(200) };
    const meter = new Meter();
    const running = new Map<string, { at: number; tokens: number; answered: number | null }>();
    const headers: number[] = [];
    const used: { at: number; tokens: number }[] = [];
    let admitted = 0;
    for (let step = 0, now = T; step < 2000; step++, now += random(4000)) {
      assert.deepEqual(meter.advance(now), [], `seed ${seed}: those who renew keep their leases`);
      for (const [id, { tokens, answered }] of running) meter.renew(id, { tokens, cost: 0 }, answered, now);
      const [id, one] = [...running][random(running.size || 1)] ?? [];
      const [tokens, turn] = [random(50), random(4)];
      if (turn < 2 || !id || !one) {
        if (!meter.admit(`${step}`, plan, { tokens, cost: 0 }, now)) {
          admitted++;
          running.set(`${step}`, { at: now, tokens, answered: null });
        }
      } else if (one.answered === null && turn === 2) {
        one.answered = now;
        headers.push(now);
        meter.renew(id, { tokens: one.tokens, cost: 0 }, now, now);
      } else {
        if (one.answered === null) headers.push(now);
        running.delete(id);
        used.push({ at: now, tokens: random(one.tokens + 1) });
        meter.settle(id, one.answered, used.at(-1)?.tokens ?? 0, now);
      }
      const inMinute = (at: number) => at > now - MINUTE;
      const unanswered = [...running.values()].filter(({ answered }) => answered === null).length;
      assert.ok(unanswered + headers.filter(inMinute).length <= plan.requestsPerMinute, `seed ${seed}, step ${step}`);
      assert.ok(running.size <= plan.concurrent, `seed ${seed}, step ${step}`);
      const counted = used.filter(({ at }) => inMinute(at)).reduce((sum, { tokens }) => sum + tokens, 0);
      const reserved = [...running.values()].reduce((sum, { tokens }) => sum + tokens, 0);
      assert.ok(counted + reserved <= plan.tokensPerMinute, `seed ${seed}, step ${step}`);
    }
    assert.ok(admitted > 50, `seed ${seed}: ${admitted} were admitted`);
  }
});

test("another_goes_on_where_one_left_off", () => {
  const plan = { requestsPerMinute: 3, concurrent: 1, tokensPerMinute: 100, costPerDay: 1 };
  const rows = [
    { id: "old", tokens: 90, cost: 0, heard: T - MINUTE, answered: T - 90_000, ended: T - MINUTE },
    { id: "gone", tokens: 1, cost: 0, heard: T - LEASE, answered: null, ended: null },
    { id: "ended", tokens: 20, cost: 0, heard: T - 20_000, answered: T - 30_000, ended: T - 20_000 },
    { id: "running", tokens: 10, cost: 0, heard: T - 5000, answered: T - 70_000, ended: null },
  ];
  const meter = new Meter(rows, { day: "2026-01-31", month: "2026-01", inDay: 0.5, inMonth: 0.5, inAll: 0.5 });
  assert.deepEqual(meter.advance(T), ["gone"]);
  assert.deepEqual(meter.admit("new", plan, { tokens: 1, cost: 0 }, T), { reason: "concurrent", at: null });
  meter.settle("running", null, 10, T);
  assert.deepEqual(meter.admit("large", plan, { tokens: 70, cost: 0 }, T), {
    reason: "tokensPerMinute",
    at: T + 40_000,
  });
  assert.equal(meter.admit("new", plan, { tokens: 69, cost: 0 }, T), null);
  meter.spend(0.5, T);
  assert.equal(meter.admit("late", { costPerDay: 1 }, { tokens: 0, cost: 0 }, T)?.reason, "costPerDay");
  assert.deepEqual(meter.advance(T + LEASE), ["new"]);
});
