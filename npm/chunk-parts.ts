/**
 * Chunks as the engine hands them out: whole, or as the few values in which they differ from the one before.
 *
 * A batch is a flat list. `null` says that a chunk follows as it was sent; a list of strings is the JSON text around the
 * holes of the chunks to come; anything else is the value of a hole. Each chunk is a fresh object, what `JSON.parse` would
 * have made of its text, and shares nothing with another.
 */

/** Makes a part of a chunk, its holes filled with the values from `at` on. */
type Make = (values: unknown[], at: number) => unknown;

/** What stands in the holes while their places are looked for: strings that no server can know. Chance waits for the first use. */
let mark = "";

export class ChunkParts {
  #make: Make | undefined;
  #holes = 0;

  /** The chunks of one batch. */
  chunks(batch: unknown[]): unknown[] {
    const chunks: unknown[] = [];
    for (let at = 0; at < batch.length; ) {
      const item = batch[at];
      if (item === null) {
        chunks.push(batch[at + 1]);
        at += 2;
      } else if (Array.isArray(item)) {
        this.#make = makerOf(item);
        this.#holes = item.length - 1;
        at++;
      } else {
        chunks.push(this.#make?.(batch, at));
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
  const make = partMaker(
    fill((hole) => marks[hole]),
    marks,
    places,
  );
  // A hole that is not there, or twice, has a name that comes again: only the host knows what counts then.
  return make && places.size === marks.length ? make : (values, at) => fill((hole) => values[at + hole]);
}

/** How to make what is like `part`; `undefined` where there is no hole in it and nothing that could be changed. */
function partMaker(part: unknown, marks: string[], places: Set<number>): Make | undefined {
  const hole = marks.indexOf(part as string);
  if (hole >= 0) {
    places.add(hole);
    return (values, at) => values[at + hole];
  }
  if (typeof part !== "object" || part === null) return undefined;
  const keys: string[] = [];
  const makers: Make[] = [];
  for (const [key, value] of Object.entries(part)) {
    const make = partMaker(value, marks, places);
    if (!make) continue;
    // Setting it would not make a member.
    if (key === "__proto__") places.add(-1);
    keys.push(key);
    makers.push(make);
  }
  return (values, at) => {
    const copy = (Array.isArray(part) ? part.slice() : { ...part }) as Record<string, unknown>;
    for (let member = 0; member < keys.length; member++) {
      copy[keys[member] as string] = (makers[member] as Make)(values, at);
    }
    return copy;
  };
}
