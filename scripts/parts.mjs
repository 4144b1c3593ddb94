/**
 * What the parts of the engine cost, in the half that a page loads and in the rest: by how much the code and data of the
 * half, compressed, would shrink without each. Names do not count. What two parts have alike counts for neither, so the sum
 * is less than the whole.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildEngine, makeEngine } from "./engine.mjs";
import { CODE, CUSTOM, DATA, FUNCTION_NAMES, sectionsOf } from "./linked.mjs";

/** Parts by name, with bytes in both halves before and after compression, the dearest of the first half first. */
export async function partsOfEngine() {
  const folder = mkdtempSync(join(tmpdir(), "chatwire-parts-"));
  await makeEngine(await buildEngine(), folder, { names: true });
  const [first, rest] = ["first", "rest"].map((half) =>
    costs(read(readFileSync(join(folder, `chatwire-${half}.wasm`)))),
  );
  rmSync(folder, { recursive: true });
  const none = { raw: 0, gzip: 0 };
  const rows = [...new Set([...first.keys(), ...rest.keys()])].map((part) => ({
    part,
    first: first.get(part) ?? none,
    rest: rest.get(part) ?? none,
  }));
  return rows.sort((one, other) => other.first.gzip - one.first.gzip || other.rest.gzip - one.rest.gzip);
}

function costs({ functions, data }) {
  const whole = zipped(functions.map(({ body }) => body));
  const parts = Map.groupBy(functions, ({ name }) => partOf(name));
  const costs = new Map(
    [...parts].map(([part, those]) => {
      const others = functions.filter(({ name }) => partOf(name) !== part);
      const gzip = whole - zipped(others.map(({ body }) => body));
      return [part, { raw: sizeOf(those.map(({ body }) => body)), gzip }];
    }),
  );
  return costs.set("texts and tables", { raw: sizeOf(data), gzip: zipped(data) });
}

/** A module of the crate, or another crate, by the symbol of a function: names in symbols have their lengths before them. */
function partOf(symbol) {
  const at = symbol.indexOf("8chatwire");
  let rest = at < 0 ? (symbol.match(/Cs\w+?_(\d+\w+)/)?.[1] ?? "") : symbol.slice(at + 9);
  const names = [];
  while (names.length < 2 && /^\d/.test(rest)) {
    const length = Number.parseInt(rest, 10);
    const from = String(length).length;
    const name = rest.slice(from, from + length);
    if (!/^[a-z_]+$/.test(name)) break;
    names.push(name);
    rest = rest.slice(from + length);
  }
  return at < 0 ? (names[0] ?? symbol) : ["src", ...names].join("/");
}

function read(bytes) {
  const sections = sectionsOf(bytes);
  const bodies = sections.find(({ id }) => id === CODE).body.times((body) => body.bytes());
  const data = sections
    .find(({ id }) => id === DATA)
    .body.times((segment) => {
      segment.number(); // it has a place in memory, which comes next
      segment.byte();
      segment.number();
      segment.byte();
      return segment.bytes();
    });
  const named = sections.find(({ id, body }) => id === CUSTOM && body.text() === "name").body;
  let names = [];
  while (named.more()) {
    if (named.byte() === FUNCTION_NAMES) names = named.part().times((name) => [name.number(), name.text()]);
    else named.part();
  }
  // Functions that are imported come first, and have names too.
  const symbols = new Map(names);
  const imported = Math.max(...symbols.keys()) + 1 - bodies.length;
  return { functions: bodies.map((body, at) => ({ body, name: symbols.get(imported + at) })), data };
}

function zipped(pieces) {
  return gzipSync(Buffer.concat(pieces), { level: 9 }).length;
}

function sizeOf(pieces) {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
