/** `chatwire/livekit` beside a version of `@livekit/agents` that it is not written for. */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";

const real = import.meta.resolve("@livekit/agents");
const other = `export * from ${JSON.stringify(real)}; export const version = "2.3.4";`;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@livekit/agents"
      ? { url: `data:text/javascript,${encodeURIComponent(other)}`, shortCircuit: true }
      : next(specifier, context),
});

test("another_major_version_is_an_error_that_says_which_to_install", async () => {
  const { LLM } = await import("chatwire/livekit");
  assert.throws(() => new LLM({ client: { provider: "electron", apiKey: "k" }, model: "electron" }), {
    name: "ChatwireError",
    message: /for version 1 of @livekit\/agents, and version 2\.3\.4 is installed: install @livekit\/agents@1/,
  });
});
