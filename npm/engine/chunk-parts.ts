/**
 * Chunks as the engine hands them out: whole, or as the few values in which they differ from the one before.
 *
 * The output of a push is a flat list. `null` says that a chunk follows as it was sent; a list of strings is the JSON text around the
 * holes of the chunks to come; anything else is the value of a hole. Each chunk is a fresh object, what `JSON.parse` would
 * have made of its text, and shares nothing with another.
 */

/** Makes a part of a chunk, its holes filled with the values from `at` on. */
type Make = (values: unknown[], at: number) => unknown;

/**
 * The strings that stand in the holes while their places are looked for: random, so that no server can know them. Chance waits
 * for the first use.
 */
let mark = "";

export class ChunkParts {
  #make: Make | undefined;
  #holes = 0;

  /** The chunks of one push. */
  chunks(pushed: unknown[]): unknown[] {
    const chunks: unknown[] = [];
    for (let at = 0; at < pushed.length; ) {
      const item = pushed[at];
      if (item === null) {
        chunks.push(pushed[at + 1]);
        at += 2;
      } else if (Array.isArray(item)) {
        this.#make = makerOf(item);
        this.#holes = item.length - 1;
        at++;
      } else {
        chunks.push(this.#make?.(pushed, at));
        at += this.#holes;
      }
    }
    return chunks;
  }
}

function makerOf(pieces: string[]): Make {
  mark ||= `${Math.random()} `;
  const marks = pieces.slice(1).map((_, hole) => mark + hole);
  const fill = (values: (hole: number) => unknown) =>
    JSON.parse(pieces.reduce((text, piece, hole) => text + JSON.stringify(values(hole - 1)) + piece));
  const places = new Set<number>();
  const whole = partOf(
    fill((hole) => marks[hole]),
    marks,
    places,
  );
  // A hole that is not there has a name that comes again: only the host knows what counts then.
  if (typeof whole !== "object" || places.size !== marks.length) {
    return (values, at) => fill((hole) => values[at + hole]);
  }
  return (values, at) => copied(whole, values, at);
}

/**
 * A copy of an object. Each line is compiled for the few shapes of object that lie at its depth; one line for all of them
 * would meet more than the host remembers, and copy them in a slower way.
 */
function copyOf(own: Record<string, unknown>, depth: number): Record<string, unknown> {
  if (depth === 0) return { ...own };
  if (depth === 1) return { ...own };
  if (depth === 2) return { ...own };
  if (depth === 3) return { ...own };
  return { ...own };
}

/** A list or an object of a template, and its members that are to be replaced: by a value, or by a copy. */
interface Part {
  own: unknown[] | Record<string, unknown>;
  depth: number;
  keys: string[];
  /** For each key its hole, or what is copied. */
  members: (number | Part)[];
}

/** The parts of `value` to copy or fill; `undefined` where there is no hole in it and nothing that could be changed. */
function partOf(value: unknown, marks: string[], places: Set<number>, depth = 0): number | Part | undefined {
  const hole = marks.indexOf(value as string);
  if (hole >= 0) {
    places.add(hole);
    return hole;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const part: Part = { own: value as Part["own"], depth, keys: [], members: [] };
  for (const [key, inner] of Object.entries(value)) {
    const member = partOf(inner, marks, places, depth + 1);
    if (member === undefined) continue;
    // Setting it would not make a member.
    if (key === "__proto__") places.add(-1);
    part.keys.push(key);
    part.members.push(member);
  }
  return part;
}

function copied({ own, depth, keys, members }: Part, values: unknown[], at: number): unknown {
  const copy = (Array.isArray(own) ? own.slice() : copyOf(own, depth)) as Record<string, unknown>;
  for (let member = 0; member < keys.length; member++) {
    const from = members[member] as number | Part;
    copy[keys[member] as string] = typeof from === "number" ? values[at + from] : copied(from, values, at);
  }
  return copy;
}
