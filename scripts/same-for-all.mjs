/**
 * `npm run same-for-all`: streams by a grammar of all dialects, harmed, read in every way, for as long as it is told: half of the time
 * by the crate, half by the package against the crate.
 *
 *     npm run same-for-all -- --seconds 600
 *     npm run same-for-all -- --seconds 600 --seed 7
 *
 * A stream that is not read alike is printed, with the variables that read it again. tests/same_for_all.rs says more.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { attempt, say, target } from "./run.mjs";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: String(Date.now() % 1e9) } },
});
const half = Math.ceil(Number(values.seconds) / 2);
if (!(half > 0 && /^\d+$/.test(values.seed))) {
  console.error("npm run same-for-all -- --seconds N --seed N");
  process.exit(1);
}
say(`seed ${values.seed}, ${half} s in Rust and ${half} s in JavaScript`);
const env = { SAME_FOR_ALL_SEED: values.seed, SAME_FOR_ALL_SECONDS: String(half) };
const name = "a_stream_says_the_same_however_it_is_read";
// Checks of arithmetic stay, as in any test; only the compiler takes more trouble.
const optimized = ["--config", "profile.dev.opt-level=2", "--target-dir", join(target, "same-for-all")];
const words = ["test", ...optimized, "--test", "same_for_all", name, "--", "--nocapture"];
const rust = await attempt("cargo", words, { env });
await attempt("node", ["scripts/build.mjs"]);
const js = await attempt("node", ["--test", "--test-timeout=86400000", "tests/package/same-for-all.test.ts"], { env });
process.exit(rust.code || js.code);
