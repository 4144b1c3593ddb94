/**
 * `npm run compare`: runs chatwire, `openai` and hand-written lines on the emulator's troubles, and writes what each kept and
 * said: the first view's recorded stream and results (www/src/window/recorded.json), and the table of the README.
 *
 *     npm run compare            writes them
 *     npm run compare -- --check says whether they are as they are written
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createEmulator } from "chatwire/emulator";
import { READERS } from "../www/src/compare/clients.ts";
import { CLIENTS } from "../www/src/compare/names.ts";
import { compare } from "../www/src/compare/trials.ts";
import { TROUBLES, verdictOf } from "../www/src/compare/troubles.ts";
import { replaying } from "../www/src/window/replay.ts";
import { root } from "./run.mjs";

const recordedPath = join(root, "www/src/window/recorded.json");
const readmePath = join(root, "README.md");
const isCheck = process.argv.includes("--check");

/** The answer of the first view. */
const TEXT =
  "A stream is a promise with a cable in it. Somewhere on the way an event breaks: a proxy cuts it short, a server stumbles, a byte is lost. What counts is whether the rest of the answer arrives, and whether anybody tells you.";

/** Three seconds of a stream with one broken event. Times are made, so that a second run gives the same file. */
async function recordStream() {
  const { fetch } = createEmulator({ seed: 21, clock: { now: () => 1_790_000_000_000, sleep: async () => {} } });
  const response = await fetch("https://emulator.invalid/waves/v1/chat/completions", {
    method: "POST",
    headers: { authorization: "Bearer any", "x-emulator": "malformed=json" },
    body: JSON.stringify({ model: "electron", messages: [{ role: "user", content: `Echo: ${TEXT}` }], stream: true }),
  });
  const events = (await response.text()).split(/(?<=\n\n)/);
  return events.map((event, i) => [Math.round(180 + (2820 * i) / (events.length - 1)), event]);
}

const stream = await recordStream();
const readings = {};
for (const name of CLIENTS) {
  readings[name] = await READERS[name]({ fetch: replaying(stream, Number.POSITIVE_INFINITY), content: "" });
}
/** In how many troubles each client lost words without saying so. */
const silent = Object.fromEntries(CLIENTS.map((name) => [name, 0]));
const rows = ["| what happens to the stream | chatwire | `openai` | 25 lines by hand |", "|---|---|---|---|"];
// At the same time: most of them wait.
const trials = TROUBLES.map((trouble) => compare(trouble, createEmulator({ seed: 21 }).fetch));
for (const { trouble, readings } of await Promise.all(trials)) {
  const cells = CLIENTS.map((name) => {
    const { kept, isAll, isGood } = verdictOf(trouble, readings[name]);
    const { isWhole, said } = readings[name];
    if (!isGood) silent[name] += 1;
    if (isAll && isWhole) return "all";
    return `${isGood ? "" : "✗ "}${kept.replace(/ of .*/, "")}, ${said.split(/[:·(]/)[0].trim()}`;
  });
  if (trouble.isMore) console.log(trouble.words, cells.join(" | "));
  else rows.push(`| ${trouble.words} | ${cells.join(" | ")} |`);
}
const table = rows.join("\n");
const score = { troubles: TROUBLES.length, silent };
const recorded = `${JSON.stringify({ text: TEXT, readings, score, stream }, null, 1)}\n`;
console.log(table);

const readme = readFileSync(readmePath, "utf8");
const marked = /(<!-- compare -->\n)[\s\S]*?(<!-- \/compare -->)/;
if (!marked.test(readme))
  throw new Error("README.md has no marks for the table: put <!-- compare --> and <!-- /compare --> around it.");
const filled = readme.replace(marked, (_, start, end) => `${start}${table}\n${end}`);

if (isCheck) {
  const stale = [
    readFileSync(recordedPath, "utf8") !== recorded && "www/src/window/recorded.json",
    filled !== readme && "README.md",
  ].filter(Boolean);
  if (stale.length > 0) {
    console.error(`Out of date: ${stale.join(", ")}. Run npm run compare.`);
    process.exit(1);
  }
} else {
  writeFileSync(recordedPath, recorded);
  writeFileSync(readmePath, filled);
}
