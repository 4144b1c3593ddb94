/** Faults of networks, the quick part: all of them on the line from Node to a provider. `npm run faults` has the other lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, runLine, wrongOf } from "../faults/matrix.ts";

test("each_fault_at_each_phase_of_an_answer_ends_by_its_name_and_leaves_nothing_behind", async () => {
  assert.deepEqual(wrongOf(await runLine("Node → provider", cells.length)), []);
});
