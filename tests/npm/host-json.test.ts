/**
 * The engine's readers of JSON against the host's: the inputs of the fuzzer's `json` and `partial-json`, and harmed copies of these, by
 * a seed that is printed. The fuzzer itself compares with serde_json, which reads as hosts do.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ChatDecoder, init } from "chatwire";

/** A generator of numbers below a bound, the same for the same seed. */
function randomFrom(seed: number) {
  let state = seed;
  return (bound: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((state / 0x8000_0000) * bound);
  };
}

/** The fuzzer's inputs of a target, and so many harmed copies of each, as text. */
function textsOf(target: string, copies: number, random: (bound: number) => number): string[] {
  const folder = join(import.meta.dirname, "../../fuzz/corpus", target);
  const texts: string[] = [];
  for (const name of readdirSync(folder)) {
    // The first byte of some says how the rest is cut.
    const whole = readFileSync(join(folder, name)).subarray(target === "partial-json" ? 1 : 0);
    for (let copy = 0; copy <= copies; copy++) {
      const bytes = [...whole];
      for (let harm = copy === 0 ? 0 : 1 + random(3); harm > 0; harm--) {
        const at = random(bytes.length);
        const other = whole[random(whole.length)] ?? 0x22;
        const more = [[], [other], [random(128)], bytes.slice(at, at + random(9))][random(4)] ?? [];
        bytes.splice(at, random(2), ...more);
      }
      texts.push(new TextDecoder().decode(Uint8Array.from(bytes)));
    }
  }
  return texts;
}

const parsed = (text: string): { value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
};
/** The engine stops at a depth at which the host does not. */
const isDeep = (text: string): boolean => text.replace(/[^[{]/g, "").length > 120;

test("the_engine_takes_the_json_that_the_host_takes_and_reads_the_same", async () => {
  await init();
  const seed = Date.now() & 0xffff_ffff;
  const random = randomFrom(seed);
  const tried = { taken: 0, refused: 0 };
  for (const text of [...textsOf("json", 300, random), ...textsOf("partial-json", 300, random)]) {
    if (/[\r\n]/.test(text) || isDeep(text)) continue;
    const body = `{"choices":[],"x":${text}}`;
    const host = parsed(body);
    const decoder = new ChatDecoder({ output: "chunks", decoding: "strict" });
    const chunks: unknown[] = decoder.push(new TextEncoder().encode(`data: ${body}\n\n`));
    const { error } = decoder.end();
    const isTaken = error?.code !== "chunk.malformed";
    const shown = `seed ${seed}: ${JSON.stringify(text)}, ${error?.code}`;
    assert.equal(isTaken, host !== undefined, shown);
    if (host) assert.deepEqual(chunks, [host.value], shown);
    tried[host ? "taken" : "refused"]++;
  }
  assert.ok(tried.taken > 100 && tried.refused > 100, JSON.stringify(tried));
});

test("a_live_value_is_in_the_end_what_the_host_parses", async () => {
  await init();
  const seed = Date.now() & 0xffff_ffff;
  const random = randomFrom(seed);
  let tried = 0;
  for (const text of [...textsOf("partial-json", 200, random), ...textsOf("json", 200, random)]) {
    const host = parsed(text);
    if (!host || isDeep(text)) continue;
    const decoder = new ChatDecoder({ reasoning: "none", partial: true });
    let live: unknown;
    const size = 1 + random(random(2) ? 3 : 40);
    const deltas = [...Array(Math.ceil(text.length / size)).keys()].map((at) => text.slice(at * size, (at + 1) * size));
    for (const content of [...deltas, ""]) {
      const chunk = { choices: [{ index: 0, delta: { content }, finish_reason: content === "" ? "stop" : null }] };
      for (const event of decoder.push(new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\n`))) {
        if (event.type === "partial") live = event.value;
      }
    }
    decoder.free();
    assert.deepEqual(live, host.value, `seed ${seed}, ${size} units: ${JSON.stringify(text)}`);
    tried++;
  }
  assert.ok(tried > 100, String(tried));
});
