/**
 * `npm run test:packaging`: installs the packed package in small projects, one for each tool and runtime that people use,
 * and lets each stream an answer. The verdicts are written to docs/runtimes.md, with the versions; rows that were not run
 * stay as they were.
 *
 *     npm run test:packaging                        all of them, two at a time
 *     npm run test:packaging -- --only=vite,esbuild those whose name begins so
 *     npm run test:packaging -- --jobs=1            one at a time
 *     npm run test:packaging -- --keep              the projects stay in .cache/packaging
 *     npm run test:packaging -- --check             nothing is written to the docs
 *
 * Set-ups with the same packages use one installation, one after another.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { pack, root } from "../package/packed.ts";
import { type Row, readMatrix, withMatrix } from "./matrix.ts";
import { OK, Project, type Setup } from "./setup.ts";
import { families } from "./setups.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    jobs: { type: "string", default: "2" },
    keep: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
  },
});
const wanted = values.only?.toLowerCase().split(",");
const isWanted = (family: string, { name }: Setup): boolean =>
  !wanted || wanted.some((start) => name.toLowerCase().startsWith(start) || family === start);

const began = performance.now();
const docs = join(root, "docs", "runtimes.md");
const { tarball } = await pack();
const rows = readMatrix(await readFile(docs, "utf8"));
const order = Object.values(families).flat();
let failed = 0;
let passed = 0;
let skipped = 0;

const all = Object.entries(families).flatMap(([family, setups]) => setups.map((setup) => ({ family, setup })));
// The longest first, so that both rows end at the same time.
all.sort((a, b) => Number(b.family === "frameworks") - Number(a.family === "frameworks"));
const queues = [
  ...Map.groupBy(
    all.filter(({ family, setup }) => isWanted(family, setup)),
    ({ setup }) => (values.keep ? setup.name : Project.installationOf(setup)),
  ).values(),
];
/** Ends with the last change of the docs: each waits for the one before. */
let written: Promise<unknown> = Promise.resolve();
await Promise.all(Array.from({ length: Number(values.jobs) }, work));
await rm(dirname(tarball), { recursive: true });
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped in ${minutesSince(began)} minutes`);
process.exit(failed > 0 ? 1 : 0);

/** Takes one queue after another. */
async function work(): Promise<void> {
  for (let queue = queues.shift(); queue; queue = queues.shift()) {
    let modules: string | undefined;
    for (const { family, setup } of queue) {
      const project = new Project(setup, tarball);
      for (const row of await tried(family, setup, project, modules)) {
        rows.set(`${row.family}/${row.name}/${row.what}`, row);
      }
      modules = values.keep ? await project.close().then(() => undefined) : await project.remove();
      // As it grows: a run may be ended.
      if (!values.check) written = written.then(writeDocs);
      await written;
    }
    if (modules) await rm(modules, { recursive: true });
  }
}

function minutesSince(time: number): string {
  return ((performance.now() - time) / 60_000).toFixed(1);
}

/** The result of one set-up, with an installation of its packages where there is one. */
async function tried(family: string, setup: Setup, project: Project, modules: string | undefined): Promise<Row[]> {
  const { name, recipe = "" } = setup;
  const start = performance.now();
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
    return Object.keys(setup.tries).map((what) => row(what, "", `not run: ${setup.notRun}`));
  }
  const found: Row[] = [];
  const broken = await project.make(modules).catch((error: unknown) => error);
  const version = await project.versionOfRow();
  for (const [what, attempt] of Object.entries(setup.tries)) {
    const said = broken ? String(broken) : await attempt(project).catch((error: unknown) => String(error));
    const isOk = said === OK;
    if (isOk) passed++;
    else failed++;
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`${isOk ? "✓" : "✗"} ${name} ${version}, ${what} (${seconds} s)${isOk ? "" : `\n${said}`}`);
    found.push(row(what, version, isOk ? "runs" : "**fails**"));
  }
  return found;
}

async function writeDocs(): Promise<void> {
  const places = order.flatMap(({ name, tries }) => Object.keys(tries).map((what) => `${name}/${what}`));
  const placeOf = ({ name, what }: Row): number => places.indexOf(`${name}/${what}`);
  const known = [...rows.values()].filter((row) => placeOf(row) >= 0);
  known.sort((a, b) => placeOf(a) - placeOf(b));
  await writeFile(docs, withMatrix(await readFile(docs, "utf8"), known));
}
