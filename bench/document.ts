/** docs/benchmarks.md: written by three commands, each of which leaves alone what the others have found. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const file = join(import.meta.dirname, "../docs/benchmarks.md");
/** Where the parts of `npm run bench:traffic` and `npm run bench:edge` begin; what `npm run bench` writes comes before them. */
const HEADINGS = ["\n## Where the real traffic is\n", "\n## The edge gateway\n"];

/** The three parts, each with its heading. */
function divided(): string[] {
  const text = readFileSync(file, "utf8");
  const starts = HEADINGS.map((heading) => text.indexOf(heading)).map((at) => (at < 0 ? text.length : at));
  const ends = [0, ...starts, text.length];
  return ends.slice(1).map((end, part) => text.slice(Math.min(ends[part] ?? 0, end), end));
}

function write(part: number, text: string): void {
  const parts = divided();
  parts[part] = text;
  writeFileSync(file, parts.join(""));
}

/** Replaces what `npm run bench` writes. */
export function writeClients(text: string): void {
  write(0, text);
}

/** Replaces what `npm run bench:traffic` writes, which is a section without its heading. */
export function writeTraffic(text: string): void {
  write(1, `${HEADINGS[0]}\n${text}`);
}

/** Replaces what `npm run bench:edge` writes, which is a section without its heading. */
export function writeEdge(text: string): void {
  write(2, `${HEADINGS[1]}\n${text}`);
}
