/** `chatwire/livekit` beside a version of `@livekit/agents` that it is not written for. */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";

// As version 0.7 has it: none of the names that came with version 1.
const other = 'export const llm = {}; export const version = "0.7.4";';
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@livekit/agents"
      ? { url: `data:text/javascript,${encodeURIComponent(other)}`, shortCircuit: true }
      : next(specifier, context),
});

test("another_major_version_is_an_error_that_says_which_to_install", async () => {
  await assert.rejects(import("chatwire/livekit"), {
    name: "ChatwireError",
    message: /for version 1 of @livekit\/agents, and version 0\.7\.4 is installed: install @livekit\/agents@1/,
  });
});
