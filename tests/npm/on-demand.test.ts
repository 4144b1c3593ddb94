/**
 * Parts that are loaded on demand: without one, a call ends in a named error and leaves nothing open.
 */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { ChatStream, type Chatwire, ChatwireError } from "chatwire";
import { clientOf, DONE, failureOf, hello, says, serve, until } from "./serving.ts";

/** The part that cannot be loaded. */
let missing = "";
/** The name of a part in the specifier of its module, which has a hash where the entry of Node is bundled. */
const partOf = (specifier: string) => /\/(on-demand|prices)(?:-\w+|\/index)?\.js$/.exec(specifier)?.[1];
/** The parts that were asked for. */
const asked = new Set<string>();
let release = () => {};
/** The module of parts waits for it, as one does that comes over a slow line. */
const arrives = new Promise<void>((resolve) => {
  release = resolve;
});
Object.assign(globalThis, { onDemandArrives: arrives });
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (partOf(url) !== "on-demand") return loaded;
    return { ...loaded, source: `${loaded.source}\nawait globalThis.onDemandArrives;` };
  },
  resolve(specifier, context, next) {
    const part = partOf(specifier);
    if (part) asked.add(part);
    if (missing && part === missing) throw new TypeError("Failed to fetch a module");
    return next(specifier, context);
  },
});

const streamed = [says("{}", "stop"), DONE];
const choices = [{ index: 0, message: { role: "assistant", content: "{}" }, finish_reason: "stop" }];
const whole = [JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m", choices })];

const uses: [part: string, served: string[], use: (client: Chatwire) => Promise<unknown>][] = [
  ["on-demand", streamed, ({ chat }) => chat.completions.stream(hello, { record: true }).finalContent()],
  ["on-demand", whole, ({ chat }) => chat.completions.parse(hello)],
  ["on-demand", whole, ({ chat }) => chat.completions.batch([hello])],
  ["on-demand", streamed, ({ chat }) => chat.completions.runTools({ ...hello, tools: [] }).finalContent()],
  [
    "on-demand",
    whole,
    (client) => clientOf(serve(whole), { fallback: [{ client, model: "m" }] }).chat.completions.create(hello),
  ],
  ["on-demand", ['{"data":[]}'], ({ models }) => models.list()],
];

// First: a module is loaded once in a process.
test("a_call_with_tools_asks_for_all_its_parts_at_once", async () => {
  let isSent = false;
  const fetch = async () => {
    isSent = true;
    return serve(streamed).response;
  };
  const client = clientOf(fetch, { prices: { m: { input: 1, output: 1 } } });
  const answer = client.chat.completions.runTools({ ...hello, tools: [] }).finalContent();
  await until(() => asked.has("on-demand") && asked.has("prices"));
  assert.equal(isSent, false);
  release();
  assert.equal(await answer, "{}");
});

for (const [part, parts, use] of uses) {
  test(`without_a_part_a_call_fails_by_name_and_the_next_one_is_free: ${part}, ${use}`, async () => {
    const leftOpen: (() => boolean)[] = [];
    const fetch = async (_: unknown, { signal }: { signal?: AbortSignal | null } = {}) => {
      const served = serve(parts);
      leftOpen.push(() => !served.cancelled && !signal?.aborted);
      return served.response;
    };
    // A call that was not let go of would hold up the next one.
    const client = clientOf(fetch, { limits: { concurrent: 1 } });
    missing = part;
    const error = await failureOf(use(client));
    missing = "";
    assert.ok(error instanceof ChatwireError && /all files of the build are served/.test(error.message), String(error));
    await until(() => !leftOpen.some((isOpen) => isOpen()));
    await use(client);
  });
}

test("without_its_part_a_recording_fails_by_name", async () => {
  missing = "on-demand";
  const outcome = await ChatStream.fromRecording("").outcome();
  missing = "";
  assert.match(String(outcome.error?.message), /all files of the build are served/);
});
