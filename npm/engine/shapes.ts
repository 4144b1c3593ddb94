/**
 * The engine's lists as a caller sees them: chunks out of their parts, events with their live values.
 * Loaded before the first loop over chunks or events reads; text needs none of it.
 */
import { CHUNKS, EVENTS, type OutputKind } from "./boundary.ts";
import { ChunkParts } from "./chunk-parts.ts";
import { PartialValues } from "./partial.ts";

/** Makes items of the JSON that one push put out. Each stream has its own, because an item may build on the ones before. */
export type Shape = (json: string) => unknown[];

/** The shape of one stream's items; none where the engine puts out no list. */
export function shapeOf(kind: OutputKind): Shape | undefined {
  if (kind === CHUNKS) {
    const chunks = new ChunkParts();
    return (json) => chunks.chunks(parts(json));
  }
  if (kind === EVENTS) {
    const values = new PartialValues();
    return (json) => values.grow(parts(json));
  }
  return undefined;
}

/** `JSON.parse` for a list; faster than that for one or two plain strings, which is what most reads of one event bring. */
function parts(json: string): unknown[] {
  if (json[1] === '"' && !json.includes("\\")) {
    const last = json.length - 2;
    const end = json.indexOf('"', 2);
    if (end === last) return [json.slice(2, last)];
    const next = end + 3;
    if (json.startsWith('","', end) && json.indexOf('"', next) === last) {
      return [json.slice(2, end), json.slice(next, last)];
    }
  }
  return JSON.parse(json);
}
