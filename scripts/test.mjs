/**
 * `npm test`: every check of the project, the quick ones first. A step that fails does not keep the others from
 * running, so that one run shows all there is to mend. Rust's steps run one after the other, and so do Node's; the two
 * rows run side by side, since neither keeps two cores busy.
 *
 *     npm test                   everything
 *     npm test -- rust npm       these groups only: lint, rust, npm, openai, wasm, worker, edge, ai-sdk, ag-ui,
 *                                otel, livekit, examples, page, package
 *
 * The last line counts the tests of all runners; a linter, and the packing of the package, is one test.
 *
 * Many tests drive a browser or a worker on a machine that does other things as well. A test file in which tests failed
 * runs once more by itself; tests that pass then count as passed, and are named above the last line as unsteady.
 */
import { chromium } from "./browser.mjs";
import { attempt, say } from "./run.mjs";
import { setup, setupTestRunner } from "./setup.mjs";

const wasm = ["--target", "wasm32-unknown-unknown"];
const webTests = ["test", ...wasm, "--test", "web"];
const runsIn = (runner) => ({ CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: runner });

/** `groups`: which of them the step belongs to; `count` reads passed, failed and skipped out of the output. */
const steps = [
  {
    name: "TypeScript: format and lint",
    groups: ["lint"],
    command: ["biome", "ci", "--colors=off", "--error-on-warnings", "."],
  },
  { name: "TypeScript: types", groups: ["lint"], command: ["npm", "run", "--silent", "types"] },
  { name: "Rust: format", groups: ["lint"], command: ["cargo", "fmt", "--check"] },
  {
    name: "Rust: format of what makes the glue",
    groups: ["lint"],
    command: ["cargo", "fmt", "--check", "--manifest-path", "scripts/bindgen/Cargo.toml"],
  },
  {
    name: "Rust: format of the fuzzer",
    groups: ["lint"],
    command: ["cargo", "fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"],
  },
  {
    name: "Rust: format of the benchmark of framing",
    groups: ["lint"],
    command: ["cargo", "fmt", "--check", "--manifest-path", "bench/framing/Cargo.toml"],
  },
  { name: "Rust: lint", groups: ["lint"], command: ["cargo", "clippy", "--all-targets", "--", "-Dwarnings"] },
  {
    name: "Rust: lint for WebAssembly",
    groups: ["lint"],
    command: ["cargo", "clippy", ...wasm, "--features", "npm", "--", "-Dwarnings"],
  },
  { name: "Rust: tests", groups: ["rust"], command: ["cargo", "test", "--no-fail-fast"], count: cargoCounts },
  { name: "Rust: the crate's public API", groups: ["rust"], command: ["node", "scripts/crate-api.mjs"] },
  {
    name: "the package builds and packs",
    groups: ["npm", "openai", "worker", "edge", "ai-sdk", "ag-ui", "otel", "livekit", "examples", "page", "package"],
    command: ["npm", "pack", "--dry-run", "--loglevel=error"],
  },
  nodeTests("npm"),
  nodeTests("openai"),
  {
    name: "Rust in Node",
    groups: ["wasm"],
    command: ["cargo", ...webTests],
    env: runsIn("wasm-bindgen-test-runner"),
    count: cargoCounts,
  },
  {
    name: "Rust in Chromium",
    groups: ["wasm"],
    command: ["cargo", ...webTests],
    env: runsIn("node tests/wasm-in-chromium.ts"),
    count: cargoCounts,
  },
  nodeTests("worker"),
  nodeTests("edge", 2), // its tests wait for clocks and sockets more than they compute
  nodeTests("ai-sdk"),
  nodeTests("ag-ui"),
  nodeTests("otel"),
  nodeTests("livekit"),
  nodeTests("examples"),
  nodeTests("page", 2), // each file has a server and a browser of its own
  nodeTests("package"),
];

/** `files`: how many test files run at once. */
function nodeTests(group, files = 1) {
  return {
    name: `tests/${group}`,
    groups: [group],
    // No test waits for long; one that hangs is to fail. Cargo builds in some of them.
    command: [
      "node",
      "--test",
      `--test-concurrency=${files}`,
      "--test-timeout=600000",
      "--test-reporter=spec",
      `tests/${group}/*.test.ts`,
    ],
    count: nodeCounts,
    again: runAgain,
  };
}

/**
 * Runs the test files with failures once more; gives the counts that hold after it. More than two such files are no
 * matter of chance, and stay failed.
 */
async function runAgain(counts, output, [program, ...args], options) {
  const files = new Set([...output.matchAll(/^test at (tests\/\S+\.ts):\d+:\d+$/gm)].map(([, file]) => file));
  if (files.size === 0 || files.size > 2) return counts;
  say(`once more: ${[...files].join(", ")}`);
  const { code, output: second } = await attempt(program, [...args.slice(0, -1), ...files], options);
  if (code !== 0) {
    console.log(second);
    return counts;
  }
  const [passed, failed, skipped] = counts;
  unsteady.push(...[...output.split("failing tests:")[1].matchAll(/^✖ (.+?) \(/gm)].map(([, test]) => test));
  return [passed + failed, 0, skipped];
}

/** The `test result:` lines of cargo, and of wasm-bindgen's runner. */
function cargoCounts(output) {
  const results = [...output.matchAll(/test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/g)];
  return [1, 2, 3].map((part) => results.reduce((sum, result) => sum + Number(result[part]), 0));
}

/** The summary of node:test. */
function nodeCounts(output) {
  const sum = (...names) =>
    names.reduce((total, name) => total + Number(output.match(new RegExp(`^ℹ ${name} (\\d+)$`, "m"))?.[1] ?? 0), 0);
  return [sum("pass"), sum("fail", "cancelled"), sum("skipped", "todo")];
}

const only = process.argv.slice(2);
const unknown = only.filter((group) => !steps.some(({ groups }) => groups.includes(group)));
if (unknown.length > 0) {
  const known = [...new Set(steps.flatMap(({ groups }) => groups))].join(", ");
  console.error(`There is no group of tests called ${unknown.join(", ")}. Name some of: ${known}.`);
  process.exit(1);
}
const chosen = steps.filter(({ groups }) => only.length === 0 || groups.some((group) => only.includes(group)));

const needs = (...wanted) => chosen.some(({ groups }) => wanted.some((group) => groups.includes(group)));

await setup();
if (needs("wasm", "package")) await setupTestRunner();
const needsBrowser = needs("wasm", "ai-sdk", "examples", "page", "package");
const browser = needsBrowser ? await chromium() : undefined;

const totals = [0, 0, 0];
/** The tests that passed only when they ran a second time. */
const unsteady = [];
let isBroken = needsBrowser && browser === undefined;
const isRust = ({ name }) => name.startsWith("Rust");
await Promise.all([inOrder(chosen.filter((step) => isRust(step))), inOrder(chosen.filter((step) => !isRust(step)))]);

async function inOrder(row) {
  for (const step of row) await take(step);
}

async function take({ name, command, env, count, again }) {
  say(name);
  const started = performance.now();
  const [program, ...args] = command;
  const options = { capture: true, env: { ...env, ...(browser && { CHROME: browser }) } };
  const { code, output } = await attempt(program, args, options);
  let counts = count?.(output) ?? [0, 0, 0];
  // A step that counts nothing counts as one; a step that fails without a failed test has failed as a whole.
  if (code !== 0 && counts[1] === 0) counts[1] = 1;
  else if (!count) counts[0] = 1;
  if (counts.every((part) => part === 0)) counts[1] = 1;
  if (counts[1] > 0) console.log(output);
  if (counts[1] > 0 && again) counts = await again(counts, output, command, options);
  counts.forEach((part, index) => {
    totals[index] += part;
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`  ${counts[1] > 0 ? "✗" : "✓"} ${name}: ${summary(counts)} (${seconds} s)`);
  isBroken ||= counts[1] > 0;
}

function summary([passed, failed, skipped]) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

if (unsteady.length > 0) console.log(`\npassed only at the second run: ${unsteady.join("; ")}`);
console.log(`\n${summary(totals)}`);
process.exit(isBroken ? 1 : 0);
