/**
 * What needs what in a WebAssembly module that was linked with `--emit-relocs`: its functions and its constants.
 *
 * After the conventions for linking in https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md.
 */

/** Sections of a module by their numbers. */
export const [CUSTOM, CODE, DATA] = [0, 10, 11];
const [IMPORT, EXPORT] = [2, 7];
/** What the section of names has for functions. */
export const FUNCTION_NAMES = 1;
/** Kinds of symbols; the others have an index and a name, as functions have. */
const [FUNCTION, CONSTANT, SECTION] = [0, 1, 3];
const [UNDEFINED, NAMED] = [0x10, 0x40];
const SYMBOL_TABLE = 8;
/** Relocations by types, globals, tags and tables: they need no function and no constant. */
const OTHERS = new Set([6, 7, 10, 13, 20]);
const WITH_ADDEND = new Set([3, 4, 5, 8, 9, 11, 14, 15, 16, 17, 21, 22, 23, 25]);

/**
 * Where it lies in its section, and what it needs; of a constant also its address in memory.
 * @typedef {{ name: string, from: number, size: number, needs: Set<Node>, address?: number }} Node
 */

/**
 * @param {Buffer} bytes a module as the linker leaves it
 * @returns {{ functions: Node[], constants: Node[], exported: { name: string, function?: Node }[] }}
 */
export function linked(bytes) {
  const sections = sectionsOf(bytes).map(({ id, body }) => ({
    id,
    start: body.at,
    name: id === CUSTOM ? body.text() : "",
    body,
  }));
  const sectionOf = (id) => sections.find((one) => one.id === id);
  const custom = (name) => {
    const found = sections.find((one) => one.name === name);
    if (!found) throw new Error(`The module has no section "${name}": it was not linked with --emit-relocs.`);
    return found.body;
  };

  const imports = sectionOf(IMPORT).body.times((read) => {
    read.part();
    read.part();
    if (read.byte() !== 0) throw new Error("The module imports something that is no function.");
    return read.number();
  });
  const node = (from, size) => ({ name: "", from, size, needs: new Set() });
  const code = sectionOf(CODE);
  const functions = code.body.times((read) => {
    const { at } = read.part();
    return node(at - code.start, read.at - at);
  });
  const exported = sectionOf(EXPORT).body.times((read) => {
    const name = read.text();
    const isFunction = read.byte() === 0;
    const index = read.number();
    return { name, function: isFunction ? functions[index - imports.length] : undefined };
  });
  const data = sectionOf(DATA);
  const segments = data.body.times((read) => {
    if (read.number() !== 0) throw new Error("The module has data that is not put into memory at once.");
    read.byte(); // i32.const
    const address = read.number();
    read.byte(); // end
    return { address, from: read.part().at - data.start };
  });

  const linking = custom("linking");
  linking.number(); // version
  let symbols = [];
  while (linking.more())
    if (linking.byte() === SYMBOL_TABLE) symbols = linking.part().times(symbol);
    else linking.part();

  function symbol(read) {
    const kind = read.byte();
    const flags = read.number();
    const isDefined = !(flags & UNDEFINED);
    if (kind === CONSTANT) {
      const name = read.text();
      if (!isDefined) return undefined;
      const segment = segments[read.number()];
      const offset = read.number();
      return { ...node(segment.from + offset, read.number()), name, address: segment.address + offset };
    }
    const index = read.number();
    if (kind === SECTION) return undefined;
    const name = isDefined || flags & NAMED ? read.text() : "";
    const own = kind === FUNCTION ? functions[index - imports.length] : undefined;
    if (own) own.name = name;
    return own;
  }

  const constants = symbols.filter((one) => one?.address !== undefined);
  for (const [name, places] of [
    ["reloc.CODE", functions],
    ["reloc.DATA", constants],
  ]) {
    const relocations = custom(name);
    relocations.number(); // the section
    relocations.times((read) => {
      const type = read.byte();
      const offset = read.number();
      const needed = symbols[read.number()];
      if (WITH_ADDEND.has(type)) read.number();
      if (!needed || OTHERS.has(type)) return;
      // The linker puts equal constants in one place.
      for (const { from, size, needs } of places) if (from <= offset && offset < from + size) needs.add(needed);
    });
  }
  return { functions, constants, exported };
}

/**
 * The module without its custom sections, but for the names of its functions, and without data that is all zeros, which
 * memory is anyway.
 */
export function bare(bytes) {
  const parts = sectionsOf(bytes).flatMap(({ id, from, to, body }) => {
    if (id === CUSTOM) return body.text() === "name" ? functionNames(bytes, body) : [];
    return id === DATA ? presetData(bytes, body) : [bytes.subarray(from, to)];
  });
  return Buffer.concat([bytes.subarray(0, 8), ...parts]);
}

function functionNames(bytes, body) {
  while (body.more()) {
    const { at: from } = body;
    const isWanted = body.byte() === FUNCTION_NAMES;
    body.part();
    if (isWanted) return section(CUSTOM, [Buffer.from("\x04name"), bytes.subarray(from, body.at)]);
  }
  return [];
}

function presetData(bytes, body) {
  const segments = body.times((read) => {
    const from = read.at;
    read.number(); // it has a place in memory
    read.byte();
    read.number();
    read.byte();
    return read.bytes().some((byte) => byte !== 0) ? bytes.subarray(from, read.at) : undefined;
  });
  const kept = segments.filter((segment) => segment !== undefined);
  return section(DATA, [leb(kept.length), ...kept]);
}

function section(id, parts) {
  const content = Buffer.concat(parts);
  return [Buffer.from([id]), leb(content.length), content];
}

function leb(number) {
  const bytes = [];
  for (let rest = number; ; rest >>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

/** The sections of a module, each with a reader at its content. */
export function sectionsOf(bytes) {
  const module = reader(bytes, 8, bytes.length);
  const sections = [];
  while (module.more()) {
    const from = module.at;
    const id = module.byte();
    const body = module.part();
    sections.push({ id, from, to: module.at, body });
  }
  return sections;
}

function reader(bytes, start, end) {
  let at = start;
  const read = {
    get at() {
      return at;
    },
    more: () => at < end,
    byte: () => bytes[at++],
    /** LEB128; of a signed one at least its length is right. */
    number() {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    },
    /** What has its length before it. */
    part() {
      const length = read.number();
      at += length;
      return reader(bytes, at - length, at);
    },
    bytes() {
      const { at: from } = read.part();
      return bytes.subarray(from, at);
    },
    text: () => read.bytes().toString("utf8"),
    /** A list, which has its length before it. */
    times: (make) => Array.from({ length: read.number() }, () => make(read)),
  };
  return read;
}
