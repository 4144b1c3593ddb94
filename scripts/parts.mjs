/**
 * The cost of the engine's parts: by how much the code and data of its module, compressed, would shrink without each.
 * Names do not count. Bytes that two parts have alike count for neither, so the sum is less than the whole.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildWithNames } from "./engine.mjs";

const IMPORT = 2;
const CODE = 10;
const DATA = 11;
const CUSTOM = 0;
const FUNCTION_NAMES = 1;

/** Parts by name, with bytes before and after compression, the dearest first. */
export async function partsOfEngine() {
  const folder = mkdtempSync(join(tmpdir(), "chatwire-parts-"));
  const { functions, data } = read(await buildWithNames(folder));
  rmSync(folder, { recursive: true });
  const whole = zipped(functions.map(({ body }) => body));
  const parts = Map.groupBy(functions, ({ name }) => partOf(name));
  const rows = [...parts].map(([part, those]) => {
    const rest = functions.filter(({ name }) => partOf(name) !== part);
    return { part, raw: sizeOf(those.map(({ body }) => body)), gzip: whole - zipped(rest.map(({ body }) => body)) };
  });
  rows.push({ part: "texts and tables", raw: sizeOf(data), gzip: zipped(data) });
  return rows.sort((one, other) => other.gzip - one.gzip);
}

/** A module of the crate, or a crate. */
function partOf(name) {
  const own = name.match(/chatwire(?:\[\w+\])?((?:::[a-z_]+){1,2})/);
  return own ? `src${own[1].replaceAll("::", "/")}` : (name.match(/[a-z_]\w+/)?.[0] ?? "");
}

function read(bytes) {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const slice = () => {
    const length = number();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const [bodies, data, names] = [[], [], new Map()];
  let imported = 0;
  while (at < bytes.length) {
    const section = bytes[at++];
    const end = number() + at;
    if (section === IMPORT) {
      for (let left = number(); left > 0; left--) {
        slice();
        slice();
        if (bytes[at++] !== 0)
          throw new Error(
            "The engine imports a table, memory or global, which this count does not read: see its imports.",
          );
        number();
        imported++;
      }
    } else if (section === CODE) {
      for (let left = number(); left > 0; left--) bodies.push(slice());
    } else if (section === DATA) {
      for (let left = number(); left > 0; left--) {
        if (number() !== 1) while (bytes[at++] !== 0x0b);
        data.push(slice());
      }
    } else if (section === CUSTOM && slice().toString() === "name") {
      while (at < end) {
        const kind = bytes[at++];
        const next = number() + at;
        for (let left = kind === FUNCTION_NAMES ? number() : 0; left > 0; left--)
          names.set(number(), slice().toString());
        at = next;
      }
    }
    at = end;
  }
  return { functions: bodies.map((body, index) => ({ body, name: names.get(imported + index) ?? "" })), data };
}

function zipped(pieces) {
  return gzipSync(Buffer.concat(pieces), { level: 9 }).length;
}

function sizeOf(pieces) {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
