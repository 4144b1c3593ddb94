/** Going on elsewhere, beside the cases in again.test.ts: thinking, options that make no sense, and answers that are not kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidRequestError } from "chatwire";
import { alive } from "./engine-memory.ts";
import { clientOf, DONE, event, failureOf, hello, says, serve, until } from "./serving.ts";

const thinks = (delta: object) => event({ choices: [{ index: 0, delta }] });
const provider = { baseURL: "https://goes-on.test/v1", prefill: true };

test("the_thinking_of_both_is_in_the_turn_and_in_the_completion", async () => {
  for (const [before, after, message, completion] of [
    [
      thinks({ reasoning_content: "One. " }),
      thinks({ reasoning_content: "Two." }),
      { reasoning_content: "One. Two.", content: "Once upon a time" },
      { reasoning: "One. Two.", reasoning_content: "One. Two.", content: "Once upon a time" },
    ],
    [
      thinks({ reasoning: "One. " }),
      "",
      { reasoning: "One. ", content: "Once upon a time" },
      { reasoning: "One. ", content: "Once upon a time" },
    ],
    [
      thinks({ content: "<think>One. </think>" }),
      "",
      { content: "<think>One. </think>Once upon a time" },
      { reasoning: "One. ", content: "Once upon a time" },
    ],
    ["", thinks({ reasoning: "Two." }), { reasoning: "Two.", content: "Once upon a time" }, { reasoning: "Two." }],
  ] as const) {
    const first = clientOf(serve([before + says("Once upon"), { error: new TypeError("terminated") }]));
    const second = clientOf(serve([after + says(" a time", "stop") + DONE]), { provider });
    const continueWith = [{ client: second, model: "m" }];
    const outcome = await first.chat.completions.stream(hello, { continueWith }).outcome();
    assert.deepEqual([outcome.status, outcome.text], ["complete", "Once upon a time"]);
    assert.deepEqual(outcome.message, { role: "assistant", ...message });
    assert.partialDeepStrictEqual(outcome.completion?.choices[0]?.message, completion);
    await until(() => alive.size === 0);
  }
});

test("a_list_to_continue_with_that_is_none_is_refused_before_anything_is_sent", async () => {
  let requests = 0;
  const client = clientOf(async () => {
    requests++;
    return serve([says("x", "stop") + DONE]).response;
  });
  for (const continueWith of [{ client, model: "m" }, "x", [{}], [{ client: {}, model: "m" }], [{ client }], [null]]) {
    const params = { ...hello, stream: true as const };
    const error = await failureOf(client.chat.completions.create(params, { continueWith: continueWith as never }));
    assert.ok(error instanceof InvalidRequestError, `${error}`);
    assert.match(error.message, /continueWith/, JSON.stringify(continueWith));
  }
  assert.equal(requests, 0);
});

test("an_answer_that_may_be_continued_is_kept", async () => {
  const first = clientOf(serve([says("Once upon")]));
  const second = clientOf(serve([says(" a time", "stop") + DONE]), { provider });
  const stream = first.chat.completions.stream(hello, {
    continueWith: [{ client: second, model: "m" }],
    accumulate: false,
  });
  const { status, text, seams } = await stream.outcome();
  assert.deepEqual([status, text, seams?.length], ["complete", "Once upon a time", 1]);
});
