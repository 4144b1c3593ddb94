/**
 * Once a request was sent, nothing of the package is loaded any more: no deployment and no lost network can take away what reads
 * the answer. Each use here is the first of its process, so that what it loads is not there yet.
 */
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import type { Chatwire } from "chatwire";
import { clientOf, collect, DONE, event, hello, says, serve } from "./serving.ts";

/** Modules of the package that were asked for while an answer was awaited or read. */
const late: string[] = [];
let isSent = false;
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (isSent && /\/dist\/(?!emulator|edge)/.test(resolved.url)) late.push(specifier);
    return resolved;
  },
});

const streamed = [says("Hel"), says("lo", "stop"), DONE];
const choices = [{ index: 0, message: { role: "assistant", content: "{}" }, finish_reason: "stop" }];
const whole = [JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m", choices })];
const called = [
  event({
    id: "c",
    choices: [
      {
        index: 0,
        delta: { tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "add", arguments: "{}" } }] },
        finish_reason: "tool_calls",
      },
    ],
  }),
  DONE,
];
const kept = { headers: { "x-chatwire-stream": "kept", "content-type": "text/event-stream" } };
const refused = () => new Response('{"error":{"message":"no"}}', { status: 404 });
/** A body of the kind that some hosts' own `fetch` gives. */
const odd = () =>
  Object.defineProperty(new Response(), "body", {
    value: (async function* () {
      yield new TextEncoder().encode(streamed.join(""));
    })(),
  });

type Answer = () => Response;
const stream: Answer = () => serve(streamed).response;
const document: Answer = () => serve(whole).response;
const tool = { type: "function" as const, function: { name: "add", parameters: {}, function: () => 1 } };

const uses: Record<string, [answers: Answer[], use: (client: Chatwire) => Promise<unknown>]> = {
  "a loop over chunks": [[stream], ({ chat }) => collect(chat.completions.stream(hello))],
  "a loop over events": [[stream], ({ chat }) => collect(chat.completions.stream(hello).events)],
  "a loop over text": [[stream], ({ chat }) => collect(chat.completions.stream(hello).textStream)],
  frames: [[stream], ({ chat }) => collect(chat.completions.stream(hello).frames())],
  tee: [
    [stream],
    ({ chat }) =>
      Promise.all(
        chat.completions
          .stream(hello)
          .tee()
          .map((side) => side.finalContent()),
      ),
  ],
  "its bytes": [
    [stream],
    async ({ chat }) => collect((await chat.completions.create({ ...hello, stream: true })).toReadableStream()),
  ],
  "a lost connection": [
    [() => serve([says("Hel"), { error: new Error("lost") }]).response],
    ({ chat }) => chat.completions.stream(hello).outcome(),
  ],
  "an answer that is a page": [
    [() => serve(["<html>"]).response],
    ({ chat }) => chat.completions.stream(hello).outcome(),
  ],
  "a refusal": [[refused], ({ chat }) => chat.completions.stream(hello).outcome()],
  "a whole answer": [[document], ({ chat }) => chat.completions.create(hello)],
  "a body that is no stream": [[odd], ({ chat }) => chat.completions.stream(hello).finalContent()],
  "what a listener heard": [
    [stream],
    async ({ chat }) => {
      const one = chat.completions.stream(hello);
      await one.finalContent();
      one.abort({ heard: 3 });
    },
  ],
  "a kept stream that is lost": [
    [
      () => serve([`${says("Hel").trim()}\nid: 0\n\n`, { error: new Error("lost") }], kept).response,
      () => serve([`${says("lo", "stop").trim()}\nid: 1\n\n`, "data: [DONE]\nid: 2\n\n"], kept).response,
    ],
    ({ chat }) => chat.completions.stream(hello).finalContent(),
  ],
  "a kept stream by its id": [
    [() => serve(streamed, kept).response],
    ({ chat }) => chat.completions.resume("kept").finalContent(),
  ],
  "a recording": [
    [stream],
    async ({ chat }) => {
      const one = chat.completions.stream(hello, { record: true });
      await one.finalContent();
      await one.recording();
    },
  ],
  tools: [
    [() => serve(called).response, stream],
    ({ chat }) => chat.completions.runTools({ ...hello, tools: [tool] }).finalContent(),
  ],
  parse: [[document], ({ chat }) => chat.completions.parse({ ...hello, response_format: { type: "json_object" } })],
  batch: [[document], ({ chat }) => chat.completions.batch([hello])],
  models: [[() => new Response('{"data":[]}')], ({ models }) => models.list()],
};

for (const [name, [answers, use]] of Object.entries(uses)) {
  test(`nothing_is_loaded_after_the_request_was_sent: ${name}`, async () => {
    const left = [...answers];
    const client = clientOf(async () => {
      isSent = true;
      return (left.shift() as Answer)();
    });
    await use(client);
    isSent = false;
    assert.equal(left.length, 0, "each answer was asked for");
    assert.deepEqual(late.splice(0), []);
  });
}

test("a_fallback_is_loaded_before_the_first_request", async () => {
  const other = clientOf(async () => stream());
  const first = clientOf(
    async () => {
      isSent = true;
      return new Response("", { status: 503 });
    },
    { fallback: [{ client: other, model: "m" }] },
  );
  assert.equal(await first.chat.completions.stream(hello).finalContent(), "Hello");
  isSent = false;
  assert.deepEqual(late.splice(0), []);
});
