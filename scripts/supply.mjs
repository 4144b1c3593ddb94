/**
 * `npm run supply`: what the project depends on. Licences of every npm package and crate, known vulnerabilities,
 * and that `docs/dependencies.md` lists the direct dependencies.
 *
 *     npm run supply              the checks; a check that cannot reach its database is named, and is no success
 *     npm run supply -- --strict  fails where a check could not be made, for a machine that can make all
 *     npm run supply -- --bytes   the figures of docs/dependencies.md
 */
import { missingFrom } from "./dependencies.mjs";
import { crates, MANIFESTS, npmPackages, problems } from "./licences.mjs";
import { attempt } from "./run.mjs";

if (process.argv.includes("--bytes")) {
  const { printBytes } = await import("./dependencies.mjs");
  await printBytes();
  process.exit(0);
}

/** The problems that were found, and the checks that could not be made. */
const [found, unchecked] = [[], []];

const packages = npmPackages();
found.push(...problems(packages));
let count = 0;
for (const manifest of MANIFESTS) {
  try {
    const those = await crates(manifest);
    count += those.length;
    found.push(...problems(those));
  } catch (error) {
    unchecked.push(`licences of the crates of ${manifest}: ${error.message.split("\n", 3).join(" ")}`);
  }
}
console.log(`licences: ${packages.length} npm packages and ${count} crates looked at`);

found.push(...missingFrom());
console.log("docs/dependencies.md: compared with package.json and Cargo.toml");

await npmAudit();
await cargoTool("deny", ["check"], "RustSec's advisory database");
await cargoTool("audit", ["audit"], "RustSec's advisory database");

for (const line of unchecked) console.error(`not checked: ${line}`);
for (const line of found) console.error(`found: ${line}`);
const strict = process.argv.includes("--strict");
console.log(`${found.length} found, ${unchecked.length} not checked`);
process.exit(found.length > 0 || (strict && unchecked.length > 0) ? 1 : 0);

/** Vulnerabilities of npm packages: all of them count, tools included. */
async function npmAudit() {
  const { output } = await attempt("npm", ["audit", "--json"], { capture: true });
  const report = readable(output.slice(output.indexOf("{\n"), output.lastIndexOf("}") + 1));
  const total = report?.metadata?.vulnerabilities?.total;
  if (total === undefined) {
    const why = report?.message ?? output.trim().split("\n")[0];
    unchecked.push(`npm audit: its database, the advisories of the npm registry, does not answer (${why})`);
    return;
  }
  for (const { name, severity } of Object.values(report.vulnerabilities)) {
    found.push(`npm audit: ${name} (${severity}); run npm audit for more`);
  }
  console.log("npm audit: run");
}

function readable(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** A subcommand of cargo that may not be installed, and needs a database. */
async function cargoTool(name, args, database) {
  const installed = await attempt("cargo", [name, "--version"], { capture: true });
  if (installed.code !== 0) {
    unchecked.push(`cargo ${name}: it is not installed (cargo install cargo-${name} --locked), and needs ${database}`);
    return;
  }
  const { code, output } = await attempt("cargo", name === "audit" ? args : [name, ...args], { capture: true });
  if (code === 0) console.log(`cargo ${name}: run`);
  else if (/failed to (?:fetch|clone|update|acquire)|couldn't fetch|could not resolve host/i.test(output)) {
    unchecked.push(`cargo ${name}: ${database} does not answer`);
  } else found.push(`cargo ${name}:\n${output}`);
}
