/**
 * Kinds of answers that the engine's fixtures have, seen through the facade: what they become in JavaScript.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder, ChatStream, Chatwire, ProtocolError, TruncatedError } from "chatwire";
import { clientOf, collect, DONE, encode, event, hello, says, serve } from "./serving.ts";

const asked = (body: string, type = "application/json") => {
  const fetch = async () => serve([body], { headers: { "content-type": type } }).response;
  const client = new Chatwire({ baseURL: "https://kinds.test/v1", apiKey: null, fetch, maxRetries: 0 });
  return client.chat.completions.create(hello);
};
const completion = (content: string) =>
  JSON.stringify({ id: "c", choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }] });

test("audio_comes_as_events_and_is_sent_back_by_its_id", () => {
  const delta = (audio: object) => event({ choices: [{ index: 0, delta: { audio } }] });
  const decoder = new ChatDecoder();
  const bytes = delta({ id: "a", transcript: "Hi" }) + delta({ data: "AwAB" }) + delta({ data: "AAEC" });
  const events = decoder.push(encode(`${bytes}${says("", "stop")}${DONE}`));
  const audio = events.filter((event) => event.type === "audio");
  assert.equal(audio.map(({ data = "" }) => data).join(""), "AwABAAEC");
  assert.deepEqual(audio[0], { type: "audio", choice: 0, id: "a", transcript: "Hi" });
  const outcome = decoder.end();
  assert.deepEqual(outcome.message?.audio, { id: "a" });
  assert.equal(outcome.completion?.choices[0]?.message.audio?.transcript, "Hi");
});

test("a_custom_tool_says_so", () => {
  const call = { index: 0, id: "t", type: "custom", custom: { name: "f", input: "SELECT 1" } };
  const decoder = new ChatDecoder();
  decoder.push(encode(event({ choices: [{ delta: { tool_calls: [call] }, finish_reason: "tool_calls" }] }) + DONE));
  const { toolCalls, message } = decoder.end();
  assert.deepEqual(toolCalls, [{ id: "t", name: "f", arguments: "SELECT 1", complete: true, custom: true }]);
  assert.deepEqual(message?.tool_calls, [{ id: "t", type: "custom", custom: { name: "f", input: "SELECT 1" } }]);
});

test("an_answer_with_nothing_in_it_is_a_truncated_error_with_its_code", async () => {
  const stream = ChatStream.fromReadableStream(serve([DONE]).response.body as ReadableStream<Uint8Array>);
  await assert.rejects(stream.finalContent(), (error) => {
    assert(error instanceof TruncatedError);
    return error.code === "empty_answer";
  });
  for (const body of ["{}", '{"choices":[]}', '{"choices":null,"usage":{"prompt_tokens":1}}', "\n"]) {
    await assert.rejects(asked(body), (error) => {
      assert(error instanceof TruncatedError, `${body}: ${String(error)}`);
      return error.code === "empty_answer";
    });
  }
});

test("create_gives_a_completion_with_choices_or_a_named_error", async () => {
  const whole = completion("a");
  for (const body of [whole, `${whole}\n`, `${whole} and more`, `${whole}${completion("b")}`, `[${whole}]`]) {
    const answer = await asked(body);
    assert.match(answer.choices[0]?.message.content ?? "", /^ab?$/, body);
  }
  const nan = whole.replace('"stop"', '"stop","score":NaN');
  assert.equal((await asked(nan)).choices[0]?.message.content, "a");
  for (const body of ["[1,2]", '{"choices":', "17", '"text"', "{]"]) {
    await assert.rejects(
      asked(body),
      (error) => error instanceof ProtocolError || error instanceof TruncatedError,
      body,
    );
  }
});

test("an_envelope_of_a_gateway_is_its_error", async () => {
  await assert.rejects(asked('{"code":40101,"msg":"token expired","data":null}'), {
    name: "APIError",
    code: "40101",
    message: /token expired/,
  });
});

test("the_only_choice_is_choice_0_for_every_reader", async () => {
  const one = (delta: object, finish: string | null = null) =>
    event({ id: "c", choices: [{ index: 1, delta, finish_reason: finish }] });
  const words = [..."abcdefghijkl"];
  const body = words.map((content) => one({ content })).join("") + one({}, "stop") + DONE;
  const fetch = async () => serve([body]).response;
  const client = new Chatwire({ baseURL: "https://kinds.test/v1", apiKey: null, fetch, maxRetries: 0 });
  const asked = () => client.chat.completions.create({ ...hello, stream: true });
  const given = () => ChatStream.fromReadableStream(serve([body]).response.body as ReadableStream<Uint8Array>);
  for (const open of [asked, async () => given()]) {
    let text = "";
    for await (const piece of (await open()).textStream) text += piece;
    assert.equal(text, words.join(""));
    let told = "";
    for await (const event of (await open()).events)
      if (event.type === "text" && event.choice === 0) told += event.text;
    assert.equal(told, words.join(""));
    let last = "";
    for await (const view of (await open()).frames()) last = view.text;
    assert.equal(last, words.join(""));
    const whole = await open();
    assert.equal((await whole.outcome()).text, words.join(""));
    assert.equal((await whole.finalChatCompletion()).choices[0]?.index, 0);
    for await (const chunk of await open()) assert.equal(chunk.choices?.[0]?.index, 1);
  }
  // The first word comes at once where the request is known, and after eight where it is not.
  const known = new ChatDecoder({ n: 1, output: "text" });
  assert.equal(known.push(encode(one({ content: "a" }))), "a");
  const unknown = new ChatDecoder({ output: "text" });
  const pushed = words.map((content) => unknown.push(encode(one({ content }))));
  assert.deepEqual(pushed, ["", "", "", "", "", "", "", "abcdefgh", "i", "j", "k", "l"]);
  const two = new ChatDecoder({ n: 2, output: "text" });
  assert.equal(two.push(encode(one({ content: "a" }))), "");
});

test("the_last_frame_of_an_answer_that_is_not_kept_has_what_was_shown", async () => {
  const call = { index: 0, id: "c", type: "function", function: { name: "f", arguments: "{}" } };
  const parts = [event({ choices: [{ index: 0, delta: { reasoning: "hm" } }] }), says("Hello"), says(" there")];
  const last = event({ choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason: "tool_calls" }] });
  for (const accumulate of [true, false]) {
    const client = clientOf(serve([...parts, last, DONE]));
    const frames = await collect(client.chat.completions.stream(hello, { accumulate }).frames());
    assert.deepEqual(frames.at(-1), {
      text: "Hello there",
      reasoning: "hm",
      toolCalls: [{ id: "c", name: "f", arguments: "{}", complete: true }],
    });
  }
});
