/** The lines of the wire, and recordings of any size: read in slices, each line once, and told of truthfully. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { init } from "chatwire";
import { WireLog } from "../../www/src/inspector/lines.ts";
import { showRecorded } from "../../www/src/inspector/recorded.ts";
import { sliced } from "../../www/src/page/slices.ts";

before(() => init());

const chunk = (content: string) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}`;

/** The readings of the lines of a stream that comes in these reads. */
function readAs(...reads: readonly string[]): string[] {
  const log = new WireLog(() => {});
  log.response(200, new Headers({ "content-type": "text/event-stream" }));
  for (const read of reads) log.bytes(new TextEncoder().encode(read));
  log.closed();
  return log.lines.slice(1).map(({ raw, became }) => `${raw.slice(0, 12)} → ${became}`);
}

describe("the lines of the wire", () => {
  it("say what became of an event that is longer than what is kept of it", () => {
    const text = `${chunk("word ".repeat(2000))}\n\n`;
    const [line = ""] = readAs(text);
    assert.match(line, /→ .*\btext\b/);
    assert.doesNotMatch(line, /repair/);
  });

  it("say that an event is too long to be read twice", () => {
    assert.deepEqual(readAs(`${chunk("word ".repeat(200_000))}\n\n${chunk("on")}\n\n`), [
      'data: {"choi → too long to be read here, too',
      'data: {"choi → text',
      "— closed by  → end of the body",
    ]);
  });

  it("end where they end, however they are cut into reads", () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      const text = [": one", chunk("two"), "", ": three", "data: [DONE]", "", ""].join(end);
      const whole = readAs(text);
      assert.equal(whole[1], 'data: {"choi → text');
      for (let at = 1; at < text.length; at++)
        assert.deepEqual(readAs(text.slice(0, at), text.slice(at)), whole, `cut at ${at}`);
      assert.deepEqual(readAs(...text), whole);
    }
  });
});

describe("a recording", () => {
  const head = JSON.stringify({ chatwire: "recording", version: 1, options: {} });
  const step = (text: string) => JSON.stringify(["read", 1, 2, text]);
  const shown = async (...lines: readonly string[]) => {
    const log = new WireLog(() => {});
    await showRecorded(lines.join("\n"), log);
    return log.lines.map(({ raw }) => raw);
  };

  it("shows nothing of a file that is none", async () => {
    assert.deepEqual(await shown("this is none", step(": a\n")), []);
    assert.deepEqual(await shown("{}", step(": a\n")), []);
  });

  it("is shown up to where it is damaged", async () => {
    assert.deepEqual(await shown(head, step(": a\n"), '["tick",1,2]', "broken", step(": b\n")), [
      "← 200 text/event-stream",
      ": a",
    ]);
  });
});

describe("long work", () => {
  it("lets the page do something else from time to time", async (test) => {
    let now = 0;
    test.mock.method(performance, "now", () => now);
    let tasks = 0;
    const all = Array.from({ length: 20 }, (_, i) => i);
    const seen: number[] = [];
    for await (const value of sliced(all)) {
      if (now === 0) setTimeout(() => tasks++);
      seen.push(value);
      now += 5;
    }
    assert.deepEqual(seen, all);
    assert.equal(tasks, 1, "a timer that was set before the end was heard before it");
  });
});
