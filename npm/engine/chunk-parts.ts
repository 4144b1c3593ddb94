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

  /** Puts the chunks of one push in the place of their parts, of which none is shorter than its chunk. */
  put(pushed: unknown[]): unknown[] {
    let count = 0;
    for (let at = 0; at < pushed.length; ) {
      const item = pushed[at];
      if (item === null) {
        pushed[count++] = pushed[at + 1];
        at += 2;
      } else if (Array.isArray(item)) {
        this.#make = makerOf(item);
        this.#holes = item.length - 1;
        at++;
      } else {
        pushed[count++] = this.#make?.(pushed, at);
        at += this.#holes;
      }
    }
    pushed.length = count;
    return pushed;
  }
}

function makerOf(pieces: string[]): Make {
  mark ||= `${Math.random()} `;
  const marks = pieces.slice(1).map((_, hole) => mark + hole);
  const fill: Make = (values, at) =>
    JSON.parse(pieces.reduce((text, piece, hole) => text + JSON.stringify(values[at + hole - 1]) + piece));
  const places = new Set<number>();
  const whole = partOf(fill(marks, 0), marks, places);
  // A hole that is not there has a name that comes again: only the host knows what counts then.
  return places.size === marks.length ? (values, at) => copied(whole as Part, values, at) : fill;
}

/**
 * A copy of a list or an object, with another value for one member. The branches do the same, and each is compiled for the few
 * shapes of object that lie at its depth, and their names; one for all would meet more than the host remembers, and take twice as
 * long. Each has a name of its own for the copy: a minifier makes one of branches that are equal to the letter.
 */
function changed(own: Part["own"], depth: number, key: string, value: unknown): unknown {
  if (Array.isArray(own)) {
    const list = own.slice();
    list[key as unknown as number] = value;
    return list;
  }
  if (depth === 0) {
    const chunk = { ...own };
    chunk[key] = value;
    return chunk;
  }
  if (depth === 2) {
    const choice = { ...own };
    choice[key] = value;
    return choice;
  }
  if (depth === 3) {
    const delta = { ...own };
    delta[key] = value;
    return delta;
  }
  const other = { ...own };
  other[key] = value;
  return other;
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

function copied(part: number | Part, values: unknown[], at: number): unknown {
  if (typeof part === "number") return values[at + part];
  const { own, depth, keys, members } = part;
  if (keys.length === 0) return Array.isArray(own) ? [...own] : { ...own };
  const copy = changed(own, depth, keys[0] as string, copied(members[0] as Part, values, at)) as Record<
    string,
    unknown
  >;
  for (let member = 1; member < keys.length; member++) {
    copy[keys[member] as string] = copied(members[member] as Part, values, at);
  }
  return copy;
}
