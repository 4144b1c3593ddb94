/**
 * Voice: sentences as they are complete, what was heard of an answer that was cut off, and the time speech can begin at.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatDecoder, type ChatEvent, ChatStream, Chatwire, type Hooks, InvalidRequestError } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, collect, DONE, encode, event, failureOf, gate, hello, says, serve } from "./serving.ts";

type SentenceEvent = Extract<ChatEvent, { type: "sentence" }>;

const isSentence = (event: ChatEvent): event is SentenceEvent => event.type === "sentence";

/** A stream of these parts, in sentences. */
function speaking(parts: string[], options: object = {}) {
  return clientOf(serve(parts)).chat.completions.stream(hello, { sentences: {}, ...options });
}

async function sentencesOf(stream: ChatStream): Promise<string[]> {
  return (await collect(stream.events)).filter(isSentence).map(({ text }) => text);
}

/** A body that is fed by hand. */
function body(): { stream: ReadableStream<Uint8Array>; feed: (text: string) => void; close: () => void } {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
  });
  return { stream, feed: (text) => controller.enqueue(encode(text)), close: () => controller.close() };
}

test("sentences_are_the_text_and_their_places_meet", async () => {
  const text = "Hello there. 👋🏽 How are you? नमस्ते। 你好。再见！ Bye\n";
  const parts = [...text].map((letter) => says(letter));
  const events = (await collect(speaking([...parts, says("", "stop"), DONE]).events)).filter(isSentence);
  assert.equal(events.map((sentence) => sentence.text).join(""), text);
  for (const { text: words, start, end } of events) assert.equal(text.slice(start, end), words);
  assert.ok(events.length > 5);
});

test("no_sentence_ends_within_a_character_and_its_marks", () => {
  const characters = new Intl.Segmenter("en", { granularity: "grapheme" });
  /** Ranges of Latin, Greek, Arabic, Indic, Thai, Hangul, Ethiopic, Kana, Han, marks, halves of flags, emoji and tags. */
  const ranges = [
    [0x20, 0x24f],
    [0x300, 0x3ff],
    [0x610, 0x6dc],
    [0x900, 0xfff],
    [0x1100, 0x17ff],
    [0x1e00, 0x206f],
    [0x20d0, 0x20ff],
    [0x3000, 0x30ff],
    [0x4e00, 0x4e20],
    [0xac00, 0xac40],
    [0xfe00, 0xfe2f],
    [0xff00, 0xffef],
    [0x1f1e6, 0x1f1ff],
    [0x1f300, 0x1f9ff],
    [0xe0020, 0xe007f],
  ] as const;
  const often = [
    "\u200d",
    "\ufe0f",
    "\u{1f3fd}",
    "\r",
    "\n",
    " ",
    ".",
    "!",
    "a",
    "A",
    "क",
    "्",
    "ष",
    "ि",
    "👩",
    "\u{1f1ee}",
  ];
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const pick = () => {
    if (random(3) === 0) return often[random(often.length)] as string;
    const [from, to] = ranges[random(ranges.length)] as (typeof ranges)[number];
    return String.fromCodePoint(from + random(to - from + 1));
  };
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: 1 + random(30) }, pick).join("");
    // These end a sentence or a clause at once: a mark on one of them would come too late.
    if (/[।॥。｡۔።։។，、；：]/.test(text)) continue;
    const decoder = new ChatDecoder({ sentences: { maxLength: 1 + random(12) } });
    const events = decoder.push(encode(says(text, "stop"))).filter(isSentence);
    decoder.free();
    assert.equal(events.map((sentence) => sentence.text).join(""), text);
    const ends = new Set([...characters.segment(text)].map(({ index }) => index).concat(text.length));
    for (const { end } of events) assert.ok(ends.has(end), `${JSON.stringify(text)} at ${end}`);
  }
});

test("none_are_given_where_none_are_asked_for", async () => {
  for (const options of [{}, { sentences: false }]) {
    const stream = clientOf(serve([says("One. Two", "stop"), DONE])).chat.completions.stream(hello, options);
    assert.deepEqual(await sentencesOf(stream), []);
    assert.equal((await stream.outcome()).timing.firstSentence, null);
  }
});

test("streams_of_ones_own_and_decoders_have_them_too", async () => {
  const text = says("One. Two") + says("", "stop") + DONE;
  const stream = ChatStream.fromReadableStream(new Blob([text]).stream(), { sentences: true });
  assert.deepEqual(await sentencesOf(stream), ["One.", " Two"]);
  const decoder = new ChatDecoder({ sentences: { minLength: 6 } });
  assert.deepEqual(
    decoder
      .push(encode(text))
      .filter(isSentence)
      .map(({ text }) => text),
    ["One. Two"],
  );
  decoder.free();
});

test("what_ending_a_decoder_completes_is_given_once", () => {
  const decoder = new ChatDecoder({ sentences: {} });
  assert.deepEqual(
    decoder
      .push(encode(says("One. Two")))
      .filter(isSentence)
      .map(({ text }) => text),
    ["One."],
  );
  assert.deepEqual(decoder.rest(), []);
  assert.equal(decoder.end().status, "truncated");
  assert.deepEqual(
    decoder
      .rest()
      .filter(isSentence)
      .map(({ text }) => text),
    [" Two"],
  );
  assert.deepEqual(decoder.rest(), []);
});

test("a_decoder_is_told_that_time_has_passed", () => {
  const decoder = new ChatDecoder({ sentences: { quietMs: 0 } });
  assert.equal(decoder.deadline, Number.POSITIVE_INFINITY);
  decoder.push(encode(says("It is 3.")));
  assert.ok(decoder.deadline <= performance.now());
  assert.deepEqual(
    decoder
      .tick()
      .filter(isSentence)
      .map(({ text }) => text),
    ["It is 3."],
  );
  decoder.end();
  assert.throws(() => decoder.tick(), /has ended/);
});

test("a_sentence_that_silence_completes_is_given_while_the_stream_waits", async () => {
  const { stream, feed, close } = body();
  const events = ChatStream.fromReadableStream(stream, { sentences: { quietMs: 20 } }).events[Symbol.asyncIterator]();
  const next = async () => (await events.next()).value as SentenceEvent | undefined;
  feed(says("It is 3."));
  assert.equal((await next())?.type, "text");
  assert.equal((await next())?.text, "It is 3.");
  // Text that comes meanwhile is not lost, though nobody is reading.
  feed(says(" Good. N"));
  feed(says("ow."));
  assert.equal((await next())?.text, " Good. N");
  assert.equal((await next())?.text, " Good.");
  assert.equal((await next())?.text, "ow.");
  assert.equal((await next())?.text, " Now.");
  feed(says("", "stop") + DONE);
  assert.equal((await next())?.type, "finish");
  close();
  assert.equal((await events.next()).done, true);
});

test("options_that_make_no_sense_are_refused_before_anything_is_sent", async () => {
  const sentences = { maxLength: 0, minLength: "5", quietMs: "soon", eager: 1, stripMarkdown: "yes", locale: 5 };
  let sent = 0;
  const client = clientOf(async () => {
    sent++;
    return serve([]).response;
  });
  const error = await failureOf(client.chat.completions.create({ ...hello, stream: true }, { sentences } as never));
  assert.ok(error instanceof InvalidRequestError);
  assert.deepEqual(error.details.map(({ path }) => path.join(".")).sort(), [
    "sentences.eager",
    "sentences.locale",
    "sentences.maxLength",
    "sentences.minLength",
    "sentences.quietMs",
    "sentences.stripMarkdown",
  ]);
  assert.equal(sent, 0);
});

test("the_turn_is_cut_to_what_was_heard", async () => {
  for (const [heard, content] of [
    [14, "One two. Three"],
    [16, "One two. Three"],
    [1000, "One two. Three four"],
    [Number.POSITIVE_INFINITY, "One two. Three four"],
    [0, ""],
    [-5, ""],
    [Number.NaN, ""],
    [undefined, "One two. Three four"],
  ] as const) {
    const { stream, feed } = body();
    const answer = ChatStream.fromReadableStream(stream);
    const texts = answer.textStream[Symbol.asyncIterator]();
    feed(says("One two. Three four"));
    await texts.next();
    answer.abort({ heard });
    const outcome = await answer.outcome();
    assert.equal(outcome.status, "aborted");
    assert.deepEqual(outcome.message, { role: "assistant", content }, String(heard));
    assert.equal(outcome.text, "One two. Three four");
  }
});

test("what_was_heard_counts_after_the_end_too", async () => {
  const stream = speaking([says("One two. Three four", "stop"), DONE]);
  const outcome = await stream.outcome();
  stream.abort({ heard: 5 });
  assert.equal(outcome.status, "complete");
  assert.equal((await stream.outcome()).message?.content, "One");
  stream.abort();
  assert.equal(outcome.message?.content, "One");
});

test("a_call_that_nobody_heard_of_is_not_in_the_turn", async () => {
  const call = { index: 0, id: "t", function: { name: "f", arguments: "{}" } };
  const calls = event({ choices: [{ index: 0, delta: { tool_calls: [call] }, finish_reason: "tool_calls" }] });
  const stream = speaking([says("Let me look. "), calls, DONE]);
  assert.equal((await stream.outcome()).message?.tool_calls?.length, 1);
  stream.abort({ heard: 8 });
  assert.deepEqual((await stream.outcome()).message, { role: "assistant", content: "Let me" });
});

test("thoughts_stay_where_the_server_wants_them", async () => {
  const stream = speaking([says("<think>Hm.</think>One two"), says("", "stop"), DONE]);
  await stream.outcome();
  stream.abort({ heard: 3 });
  assert.equal((await stream.outcome()).message?.content, "<think>Hm.</think>One");
});

test("who_is_left_before_the_answer_has_no_turn", async () => {
  const opening = gate();
  const stream = clientOf(async () => {
    await opening.promise;
    return serve([]).response;
  }).chat.completions.stream(hello);
  stream.abort({ heard: 5 });
  assert.equal((await stream.outcome()).message, null);
  opening.open(undefined);
});

test("hooks_are_told_when_speech_could_begin", async () => {
  const told: Parameters<NonNullable<Hooks["onOutcome"]>>[0][] = [];
  const served = serve([says("One. Two"), says("", "stop"), DONE]);
  const client = clientOf(served, { hooks: { onOutcome: (outcome) => told.push(outcome) } });
  const stream = client.chat.completions.stream(hello, { sentences: true });
  const { timing } = await stream.outcome();
  assert.deepEqual(told[0]?.timing, timing);
  const { firstByte, firstToken, firstSentence, total } = timing;
  const marks = [firstByte, firstToken, firstSentence, total].map(Number);
  assert.deepEqual(
    marks,
    [...marks].sort((a, b) => a - b),
  );
});

test("speech_begins_earlier_with_sentences_and_before_a_tool_runs", async (context) => {
  const client = new Chatwire({
    provider: "electron",
    apiKey: "sk-emulated",
    fetch: createEmulator({ timeToFirstToken: 20, tokensPerSecond: 60 }).fetch,
  });
  const tools = [{ type: "function" as const, function: { name: "current_time", parameters: { type: "object" } } }];
  const system = {
    role: "system" as const,
    content: "You are a voice agent. Acknowledge out loud before calling a tool.",
  };
  const ask = (content: string) => [system, { role: "user" as const, content }];
  for (const [what, params, options] of [
    ["answer", { messages: ask("Write 60 words") }, { sentences: {} }],
    ["answer, eager", { messages: ask("Write 60 words") }, { sentences: { eager: true } }],
    ["filler before a tool call", { messages: ask("What time is it in Tokyo?"), tools }, { sentences: {} }],
  ] as const) {
    const stream = client.chat.completions.stream(params as never, options);
    const seen = (await collect(stream.events)).map(({ type }) => type);
    const { timing, toolCalls } = await stream.outcome();
    const { firstToken, firstSentence, total } = timing;
    assert.ok(firstToken !== null && firstSentence !== null && total !== null);
    // A listener that waits for the whole answer speaks when it is over.
    const [early, late] = [firstSentence - firstToken, total - firstToken];
    context.diagnostic(
      `${what}: ${early.toFixed(0)} ms from the first token to the first speakable text, ${late.toFixed(0)} ms without`,
    );
    assert.ok(early < late, `${early} of ${late}`);
    if (toolCalls.length === 0) continue;
    const [sentence, filler, call] = ["sentence", "filler", "tool_call.start"].map((type) =>
      seen.indexOf(type as never),
    );
    assert.ok(Number(sentence) >= 0 && Number(sentence) < Number(filler) && Number(filler) < Number(call));
  }
});
