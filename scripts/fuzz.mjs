/**
 * `npm run fuzz`: libFuzzer on the engine's readers, built by the compiler of this project.
 *
 *     npm run fuzz                                every target for 30 seconds
 *     npm run fuzz -- --seconds 600 framing       one target for ten minutes
 *
 * An input that breaks a property lies in target/fuzz/found, and ends the run with an error. Such an input belongs
 * into fuzz/corpus, where `cargo test --test fuzz` reads it. Inputs found on the way are kept in
 * target/fuzz/corpus, so that the next run goes on there; target/fuzz/executions.json sums the executions of all
 * runs.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { attempt, root, run, say, target } from "./run.mjs";

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "30" } },
  allowPositionals: true,
});
const seconds = Number(values.seconds);
const targets = readdirSync(join(root, "fuzz", "corpus")).sort();
const unknown = positionals.filter((name) => !targets.includes(name));
if (unknown.length > 0 || !(seconds > 0)) {
  console.error(`npm run fuzz -- --seconds N [target …], of these targets: ${targets.join(", ")}`);
  process.exit(1);
}

/**
 * The instrumentation that cargo-fuzz asks for too. This instrumentation is stable; a sanitizer is not, and the
 * engine has no unsafe code to watch.
 */
const flags = [
  "--cfg",
  "fuzzing",
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
  "-Ccodegen-units=1",
];
/** Inputs are no longer than this many bytes: 2,048, or fewer where real ones are short. */
const LENGTHS = { "base-url": 256, json: 512, redaction: 512, retry: 512, validation: 1024 };
const folder = join(target, "fuzz");
const { output: version } = await attempt("rustc", ["-vV"], { capture: true });
const host = version.match(/^host: (.*)$/m)?.[1] ?? "";
say("building the fuzzer");
await run(
  "cargo",
  // With a target named, the flags are not those of build scripts.
  ["build", "--release", "--locked", "--target", host, "--manifest-path", "fuzz/Cargo.toml", "--target-dir", folder],
  { env: { RUSTFLAGS: flags.join(" ") } },
);
const program = join(folder, host, "release", "chatwire-fuzz");

const sums = join(folder, "executions.json");
const executions = read(sums);
let isBroken = false;
for (const name of positionals.length > 0 ? positionals : targets) {
  say(`${name}, ${seconds} s`);
  const corpus = join(folder, "corpus", name);
  const found = join(folder, "found");
  for (const path of [corpus, found]) mkdirSync(path, { recursive: true });
  const { code, output } = await attempt(
    program,
    [
      `-max_total_time=${seconds}`,
      `-max_len=${LENGTHS[name] ?? 2048}`,
      "-timeout=20",
      "-rss_limit_mb=2048",
      "-print_final_stats=1",
      "-verbosity=1",
      `-dict=${join(root, "fuzz", "words.dict")}`,
      `-artifact_prefix=${join(found, `${name}-`)}`,
      corpus,
      join(root, "fuzz", "corpus", name),
    ],
    { env: { CHATWIRE_FUZZ: name }, capture: true },
  );
  const count = Number(output.match(/stat::number_of_executed_units: (\d+)/)?.[1] ?? 0);
  executions[name] = (executions[name] ?? 0) + count;
  writeFileSync(sums, JSON.stringify(executions));
  if (code !== 0) {
    isBroken = true;
    console.error(output.split("\n").slice(-60).join("\n"));
  }
}

console.log("\n| target | executions |\n|---|---|");
for (const [name, count] of Object.entries(executions)) console.log(`| ${name} | ${count.toLocaleString("en")} |`);
const all = Object.values(executions).reduce((sum, count) => sum + count, 0);
console.log(`| all | ${all.toLocaleString("en")} |`);
process.exit(isBroken ? 1 : 0);

function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}
