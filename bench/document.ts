/** docs/benchmarks.md: written by three commands, each of which leaves alone what the others have found. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const file = join(import.meta.dirname, "../docs/benchmarks.md");
/** The headings of the sections of `npm run bench:traffic` and `npm run bench:edge`; all other sections are of `npm run bench`. */
const TRAFFIC = "## Where the real traffic is";
const EDGE = "## The edge gateway";

/** Replaces what one command writes, wherever its section stood; each section stands once, in the same order. */
function write(own: string | undefined, text: string): void {
  // A section goes from its heading to the next of its level.
  const sections = readFileSync(file, "utf8")
    .trimEnd()
    .split(/\n+(?=## )/);
  const headingOf = (section: string) => [TRAFFIC, EDGE].find((heading) => section.startsWith(`${heading}\n`));
  const kept = (heading: string | undefined) => sections.filter((section) => headingOf(section) === heading);
  const written = (heading: string | undefined) =>
    heading === own ? [heading ? `${heading}\n\n${text}` : text] : kept(heading).slice(0, heading ? 1 : undefined);
  const all = [undefined, TRAFFIC, EDGE].flatMap(written);
  writeFileSync(file, `${all.map((section) => section.trim()).join("\n\n")}\n`);
}

/** Replaces what `npm run bench` writes. */
export function writeClients(text: string): void {
  write(undefined, text);
}

/** Replaces what `npm run bench:traffic` writes, which is a section without its heading. */
export function writeTraffic(text: string): void {
  write(TRAFFIC, text);
}

/** Replaces what `npm run bench:edge` writes, which is a section without its heading. */
export function writeEdge(text: string): void {
  write(EDGE, text);
}
