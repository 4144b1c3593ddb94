/** A host that cannot list the headers of an answer that broke. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as chatwire from "chatwire";
import { type End, ends } from "../settles/ends.ts";
import { failingHost } from "../settles/host-calls.ts";
import { trouble } from "../settles/run.ts";

test("a_host_that_cannot_list_the_headers_of_a_broken_answer_keeps_no_slot", async () => {
  for (let at = 0, isOver = false; !isOver; at++) {
    const host = failingHost(ends.models as End, at, "throws");
    assert.deepEqual(await trouble(chatwire, { consumer: "hedged", end: "models", way: "whole" }, host.fetch), []);
    isOver = host.calls[at] === undefined;
  }
});
