/**
 * `npm run miri`: the tests of the Rust core under Miri, which finds undefined behaviour and is about a thousand times slower. Tests
 * that try every place of a text try a few of them there (`cfg!(miri)`), and property tests two cases.
 *
 *     npm run miri                     the unit tests, and the files of tests that have finished so far
 *     npm run miri -- --lib            the unit tests
 *     npm run miri -- --test sse       one file of tests
 */
import { attempt } from "./run.mjs";

/** The last toolchain that this was run with. */
const TOOLCHAIN = "nightly-2026-10-30";
/** The files of tests that have finished so far. */
const FILES = [
  ...["chat_types", "policy_again", "policy_errors", "policy_keys", "policy_limits", "policy_money", "policy_retry"],
  ...["policy_validate", "provider", "sse", "stream_completion", "stream_sentences"],
];

const given = process.argv.slice(2);
const chosen = given.length > 0 ? given : ["--lib", ...FILES.flatMap((name) => ["--test", name])];
const { code } = await attempt("cargo", [`+${TOOLCHAIN}`, "miri", "test", ...chosen], {
  env: { MIRIFLAGS: "-Zmiri-disable-isolation", PROPTEST_CASES: "2" },
});
if (code !== 0) {
  console.error(`If Miri is missing: rustup toolchain install ${TOOLCHAIN} --component miri,rust-src`);
  process.exit(code);
}
