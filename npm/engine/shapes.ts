/**
 * The engine's lists as a caller sees them: chunks out of their parts, events with their live values.
 * Loaded before the first loop over chunks or events reads; text needs none of it.
 */
import { CHUNKS, EVENTS, type OutputKind } from "./boundary.ts";
import { ChunkParts } from "./chunk-parts.ts";
import { output, plainValues } from "./engine.ts";
import { PartialValues } from "./partial.ts";

/** Makes items of what one push put out. Each stream has its own, because an item may build on the ones before. */
export type Shape = () => unknown[];

/** The shape of one stream's items; none where the engine puts out no list. */
export function shapeOf(kind: OutputKind): Shape | undefined {
  if (kind === CHUNKS) {
    const chunks = new ChunkParts();
    return () => chunks.put(parts());
  }
  if (kind === EVENTS) {
    const values = new PartialValues();
    return () => values.grow(parts());
  }
  return undefined;
}

/** The list that one push put out. */
const parts = (): unknown[] => plainValues() ?? JSON.parse(output() || "[]");
