/**
 * Parts that are loaded on demand: without one, a call ends in a named error and leaves nothing open.
 */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { type Chatwire, ChatwireError } from "chatwire";
import { clientOf, collect, DONE, failureOf, hello, type Served, says, serve } from "./serving.ts";

/** The part that cannot be loaded. */
let missing = "";
registerHooks({
  resolve(specifier, context, next) {
    if (missing && specifier.endsWith(`/${missing}.js`)) throw new TypeError("Failed to fetch a module");
    return next(specifier, context);
  },
});

const uses: [name: string, part: string, use: (client: Chatwire) => Promise<unknown>][] = [
  ["chunks", "shapes", ({ chat }) => collect(chat.completions.stream(hello))],
  ["events", "shapes", ({ chat }) => collect(chat.completions.stream(hello).events)],
  [
    "chunks of an open stream",
    "shapes",
    async ({ chat }) => collect(await chat.completions.create({ ...hello, stream: true })),
  ],
];

for (const [name, part, use] of uses) {
  test(`without_their_part_they_fail_by_name_and_the_next_try_is_free: ${name}`, async () => {
    const served: Served[] = [];
    const fetch = async () => {
      const one = serve([says("Hi", "stop"), DONE], { after: "silence" });
      served.push(one);
      return one.response;
    };
    // A call that was not let go of would hold up the next one.
    const client = clientOf(fetch, { limits: { concurrent: 1 } });
    missing = part;
    const error = await failureOf(use(client));
    missing = "";
    assert.ok(error instanceof ChatwireError && /files are served/.test(error.message), String(error));
    assert.ok(served.every(({ cancelled }) => cancelled));
    await use(client);
  });
}
