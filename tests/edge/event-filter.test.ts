/** The gateway's filter passes whole events as the engine finds them, wherever a stream is cut, and knows an error among other lines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStreamDecoder } from "chatwire";
import { EventFilter } from "../../npm/edge/event-filter.ts";
import { asText, cut, encode, randomFrom, says, usageEvent } from "./setting.ts";

const CR = 13;
const LF = 10;

test("the_filter_passes_what_the_engine_says_is_whole_at_every_split", () => {
  const stream = `${says("a")}: a comment\n\nevent: x\n${says("नमस्ते", "stop")}${usageEvent}retry: 5\n\n${says("b")}data: unfinished`;
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    const bytes = encode(stream.replaceAll("\n", lineBreak));
    const random = randomFrom(7);
    const splits = [...bytes].map((_, at) => [bytes.slice(0, at), bytes.slice(at)]);
    for (const pieces of [...splits, ...[1, 3, 40].map((most) => cut(bytes, most, random))]) {
      const filter = new EventFilter();
      const decoder = new EventStreamDecoder();
      let passed = "";
      let fed = 0;
      for (const piece of pieces) {
        const { whole } = decoder.locate(piece);
        passed += asText(filter.push(piece));
        fed += piece.length;
        // The filter does not wait for an LF either. One that comes later passes with the event behind it.
        const isLateLineFeed = whole < fed && bytes[whole] === LF && bytes[whole - 1] === CR;
        const length = encode(passed).length;
        assert.ok(length === whole || (isLateLineFeed && length === whole + 1), `${length} of ${whole} bytes`);
      }
      decoder.free();
      assert.equal(passed + asText(filter.end()), asText(bytes));
    }
  }
});

test("an_error_between_comments_becomes_an_event_that_callers_can_read", () => {
  const error = JSON.stringify({ error: { message: "Out of memory", code: 503 } });
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    const bytes = encode(`: waiting\n\n: waiting\n\n${error}\n\n`.replaceAll("\n", lineBreak));
    for (let at = 0; at <= bytes.length; at++) {
      const filter = new EventFilter();
      const passed =
        asText(filter.push(bytes.slice(0, at))) + asText(filter.push(bytes.slice(at))) + asText(filter.end());
      const decoder = new EventStreamDecoder();
      const said = decoder.feed(encode(passed)).map(({ data }) => JSON.parse(data).error.message);
      decoder.free();
      assert.deepEqual(said, ["Out of memory"], `${JSON.stringify(lineBreak)} at ${at}: ${passed}`);
    }
  }
});
