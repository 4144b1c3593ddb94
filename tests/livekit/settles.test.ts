/**
 * Settles, for `chatwire/livekit`: its consumers on every end of a body, left in every way. All of them with SETTLES=all, else a part,
 * by a seed that is printed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { withFailingMemory } from "../settles/failing-memory.ts";
import { livekit } from "../settles/livekit.ts";
import { casesOf, nameOf, run } from "../settles/run.ts";
import { chosen, seed } from "../settles/seed.ts";
import { trapOnDemand } from "../settles/traps.ts";
import { watch } from "../settles/watch.ts";

trapOnDemand(() => new WebAssembly.Module(withFailingMemory()));

test("every_answer_to_an_agent_settles_on_every_end_however_it_is_left", async (t) => {
  const names = new Set(chosen("chatwire/livekit", livekit));
  const cases = casesOf((one) => names.has(nameOf(one)), livekit);
  t.diagnostic(`${cases.length} of ${casesOf(undefined, livekit).length} cases, SEED=${seed}`);
  const unhandled: string[] = [];
  const note = (error: unknown) => unhandled.push(String(error));
  process.on("unhandledRejection", note);
  const watching = watch(cases.map(nameOf));
  const wrong = await run(chatwire, cases, { told: watching.at, table: livekit, seed });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await watching.end();
  process.off("unhandledRejection", note);
  assert.deepEqual({ wrong, unhandled }, { wrong: [], unhandled: [] });
});
