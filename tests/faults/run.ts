/**
 * `npm run faults`: the matrix of faults on all lines, written into docs/reliability.md.
 *
 *     npm run faults                          all lines
 *     npm run faults -- "page → provider"     this one, printed only
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cells, LINES, type Line, type Result, runLine, tableOf, wrongOf } from "./matrix.ts";

const chosen = LINES.filter((line) => process.argv.length < 3 || process.argv.includes(line));
const all = new Map<Line, Map<string, Result>>();
let isBroken = false;
for (const line of chosen) {
  const results = await runLine(line);
  all.set(line, results);
  const wrong = wrongOf(results);
  isBroken ||= wrong.length > 0;
  console.log(`${line}: ${cells.length} cells, ${wrong.length} wrong${wrong.map((one) => `\n  ${one}`).join("")}`);
}
const table = tableOf(all);
console.log(table);
if (!isBroken && chosen.length === LINES.length) {
  const path = join(import.meta.dirname, "../../docs/reliability.md");
  const text = readFileSync(path, "utf8");
  const marked = /(<!-- faults -->\n)[\s\S]*?(\n<!-- \/faults -->)/;
  writeFileSync(
    path,
    text.replace(marked, (_, start, end) => `${start}${table}${end}`),
  );
}
process.exit(isBroken ? 1 : 0);
