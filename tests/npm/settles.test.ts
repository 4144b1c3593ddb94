/**
 * Settles: every consumer of an answer, on every end of a body, left in every way. Here a part of the table, chosen by a seed;
 * `npm run settles` runs all of it, in Node and in Chromium.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { casesOf, nameOf, run } from "../settles/run.ts";
import { watch } from "../settles/watch.ts";

const isAll = process.env.SETTLES === "all";
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));

/** Whether a case is in the quick part: one in twelve, and all that were once wrong for a whole kind. */
function chance(name: string): boolean {
  let hash = seed;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return (hash >>> 8) % 12 === 0;
}

test("every_consumer_settles_on_every_end_however_it_is_left", async (t) => {
  const { ONLY } = process.env;
  const cases = casesOf((one) => (ONLY ? nameOf(one).includes(ONLY) : isAll || chance(nameOf(one))));
  t.diagnostic(`${cases.length} of ${casesOf().length} cases, SEED=${seed}`);
  const unhandled: string[] = [];
  let last = "";
  const note = (error: unknown) => unhandled.push(`${last}: ${String(error)}`);
  process.on("unhandledRejection", note);
  const watching = watch(cases.map(nameOf));
  const wrong = await run(chatwire, cases, {
    told: (at) => {
      last = nameOf(cases[at] as (typeof cases)[number]);
      watching.at(at);
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await watching.end();
  process.off("unhandledRejection", note);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
