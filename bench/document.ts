/** docs/benchmarks.md: written by two commands, each of which leaves alone what the other has found. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const file = join(import.meta.dirname, "../docs/benchmarks.md");
/** Where the part of `npm run bench:edge` begins; it goes on to the end. */
const EDGE = "\n## The edge gateway\n";

const divided = (): [clients: string, edge: string] => {
  const text = readFileSync(file, "utf8");
  const at = text.indexOf(EDGE);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at)];
};

/** Replaces what `npm run bench` writes. */
export function writeClients(text: string): void {
  writeFileSync(file, text + divided()[1]);
}

/** Replaces what `npm run bench:edge` writes, which is a section without its heading. */
export function writeEdge(text: string): void {
  writeFileSync(file, `${divided()[0]}${EDGE}\n${text}`);
}
