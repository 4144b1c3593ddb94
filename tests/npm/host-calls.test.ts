/**
 * A host whose calls fail: each call that the package makes of `fetch`, response, headers, body and reader fails once, by throwing
 * and by rejecting, for each consumer. Each case settles by name, with the place given back and the body let go of. One case in twelve
 * here, by a seed that is printed; `npm run settles` runs all.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { randomFrom } from "../edge/setting.ts";
import { consumers, type Way } from "../settles/consumers.ts";
import { type End, ends } from "../settles/ends.ts";
import { type Failure, failingHost } from "../settles/host-calls.ts";
import { nameOf, trouble } from "../settles/run.ts";

/** The answers that each consumer gets, good and bad. */
const answers = ["good", "truncated", "a document", "models", "refused", "call"];

const { SETTLES, SEED } = process.env;
const seed = Number(SEED ?? Math.floor(Math.random() * 1e9));
const random = randomFrom(seed);

test("whichever_call_of_the_host_fails_each_consumer_settles_by_name", async (t) => {
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(String(error));
  process.on("unhandledRejection", note);
  const wrong: string[] = [];
  const seen = new Set<string>();
  let cases = 0;
  const run = async (consumer: string, end: string, way: Way, how: Failure): Promise<void> => {
    for (let at = 0; ; at++) {
      const host = failingHost(ends[end] as End, at, how);
      const found = await trouble(chatwire, { consumer, end, way }, host.fetch);
      cases++;
      const failed = host.calls[at];
      for (const one of found) wrong.push(`${nameOf({ consumer, end, way })}, ${failed} ${how}: ${one}`);
      if (failed === undefined) return;
      seen.add(failed);
    }
  };
  const jobs: (() => Promise<void>)[] = [];
  for (const [consumer, { ways }] of Object.entries(consumers)) {
    // There the caller makes the host's calls, not the package.
    if (consumer === "a body through EventStreamDecoderStream") continue;
    for (const end of answers) {
      for (const how of ["throws", "rejects"] as const) {
        for (const way of ["whole", "break", "signal"] as const) {
          const isChosen = SETTLES === "all" || random(12) === 0;
          if (ways.includes(way) && isChosen) jobs.push(() => run(consumer, end, way, how));
        }
      }
    }
  }
  const worker = async () => {
    for (let job = jobs.shift(); job; job = jobs.shift()) await job();
  };
  await Promise.all(Array.from({ length: 60 }, worker));
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.off("unhandledRejection", note);
  t.diagnostic(`${cases} cases, SEED=${seed}, ${[...seen].sort().join(", ")}`);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
