/**
 * `npm run test:packaging`: installs the packed package in small projects, one for each tool and runtime that people use,
 * and lets each stream an answer. The verdicts are written to docs/runtimes.md, with the versions; rows that were not run
 * stay as they were.
 *
 *     npm run test:packaging                        all of them, one after another
 *     npm run test:packaging -- --only=vite,esbuild those whose name begins so
 *     npm run test:packaging -- --keep              the projects stay in .cache/packaging
 *     npm run test:packaging -- --check             nothing is written to the docs
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { pack, root } from "../package/packed.ts";
import { type Row, readMatrix, withMatrix } from "./matrix.ts";
import { OK, Project, type Setup } from "./setup.ts";
import { families } from "./setups.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, keep: { type: "boolean" }, check: { type: "boolean" } },
});
const wanted = values.only?.toLowerCase().split(",");
const isWanted = (family: string, { name }: Setup): boolean =>
  !wanted || wanted.some((start) => name.toLowerCase().startsWith(start) || family === start);

const docs = join(root, "docs", "runtimes.md");
const { tarball } = await pack();
const rows = readMatrix(await readFile(docs, "utf8"));
const order = Object.values(families).flat();
let failed = 0;
let passed = 0;
let skipped = 0;

for (const [family, setups] of Object.entries(families)) {
  for (const setup of setups) {
    if (!isWanted(family, setup)) continue;
    for (const row of await tried(family, setup)) {
      rows.set(`${row.family}/${row.name}/${row.what}`, row);
    }
    if (!values.check) await writeDocs(); // as it grows: a run may be ended
  }
}
await rm(dirname(tarball), { recursive: true });
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);

/** The result of one set-up. */
async function tried(family: string, setup: Setup): Promise<Row[]> {
  const { name, recipe = "" } = setup;
  const began = performance.now();
  const row = (what: string, version: string, verdict: string): Row => ({
    family,
    name,
    version,
    what,
    verdict,
    recipe,
  });
  if (setup.notRun) {
    skipped++;
    console.log(`- ${name}: not run, ${setup.notRun}`);
    return [row(Object.keys(setup.tries).join(", "), "", `not run: ${setup.notRun}`)];
  }
  const project = new Project(setup, tarball);
  const found: Row[] = [];
  try {
    const broken = await project.make().catch((error: unknown) => error);
    const version = await project.versionOfRow();
    for (const [what, attempt] of Object.entries(setup.tries)) {
      const said = broken ? String(broken) : await attempt(project).catch((error: unknown) => String(error));
      const isOk = said === OK;
      if (isOk) passed++;
      else failed++;
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      console.log(`${isOk ? "✓" : "✗"} ${name} ${version}, ${what} (${seconds} s)${isOk ? "" : `\n${said}`}`);
      found.push(row(what, version, isOk ? "runs" : "**fails**"));
    }
  } finally {
    await project.remove(values.keep === true);
  }
  return found;
}

async function writeDocs(): Promise<void> {
  const names = new Map(order.map(({ name }, index) => [name, index]));
  const known = [...rows.values()].filter(({ name, what }) =>
    order.some((setup) => setup.name === name && (setup.notRun || what in setup.tries)),
  );
  known.sort((a, b) => (names.get(a.name) ?? 0) - (names.get(b.name) ?? 0));
  await writeFile(docs, withMatrix(await readFile(docs, "utf8"), known));
}
