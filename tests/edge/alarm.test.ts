/** The one timer for all times that an answer has to keep; timers and clock are the test's. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Alarm } from "../../npm/edge/alarm.ts";
import { Problem } from "../../npm/edge/problem.ts";
import { readJSON } from "../../npm/edge/request.ts";

/** Lets time pass, on the clock and for timers, each of which rings once. */
function time({ mock }: TestContext): (milliseconds: number) => void {
  let now = 0;
  const timers = new Map<object, { call: () => void; at: number }>();
  mock.method(performance, "now", () => now);
  mock.method(globalThis, "setTimeout", (call: () => void, wait: number) => {
    const timer = {};
    timers.set(timer, { call, at: now + wait });
    return timer;
  });
  mock.method(globalThis, "clearTimeout", (timer: object) => timers.delete(timer));
  return (milliseconds) => {
    now += milliseconds;
    for (const [timer, { call, at }] of timers) {
      if (at > now) continue;
      timers.delete(timer);
      call();
    }
  };
}

test("a_call_that_fails_keeps_no_other_from_its_time", (t) => {
  const pass = time(t);
  const called: string[] = [];
  const alarm = new Alarm();
  const fails = () => {
    throw new TypeError("the disk is full");
  };
  alarm.set(fails, 10);
  alarm.set(() => called.push("later"), 20);
  assert.throws(() => pass(10), TypeError);
  assert.deepEqual(called, []);
  pass(10);
  assert.deepEqual(called, ["later"]);
});

test("a_call_may_take_back_another_that_is_due_with_it_and_a_later_time_replaces_an_earlier", (t) => {
  const pass = time(t);
  const called: string[] = [];
  const alarm = new Alarm();
  const [second, third] = [() => called.push("second"), () => called.push("third")];
  alarm.set(() => {
    called.push("first");
    alarm.clear(second);
  }, 10);
  alarm.set(second, 10);
  alarm.set(third, 10);
  alarm.set(third, 30);
  pass(10);
  pass(10);
  assert.deepEqual(called, ["first"]);
  pass(10);
  assert.deepEqual(called, ["first", "third"]);
});

test("a_body_that_does_not_come_in_time_is_let_go_of_and_refused_with_and_without_the_alarm_of_its_request", async (t) => {
  const pass = time(t);
  for (const alarm of [new Alarm(), undefined]) {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      cancel() {
        isCancelled = true;
      },
    });
    alarm?.set(() => {}, 1000);
    const read = readJSON(
      new Request("http://a/", { method: "POST", body, duplex: "half" } as RequestInit),
      100,
      alarm,
    );
    pass(1000);
    pass(119_000);
    await assert.rejects(read, (error) => error instanceof Problem && error.status === 408);
    assert.ok(isCancelled);
  }
});
