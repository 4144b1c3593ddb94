/**
 * What the engine's lists become before a caller sees them: chunks out of their parts, events with their live values.
 * Loaded before the first loop over chunks or events reads; text needs none of it.
 */
import { CHUNKS, EVENTS, type OutputKind } from "./boundary.ts";
import { ChunkParts } from "./chunk-parts.ts";
import { PartialValues } from "./partial.ts";

/** Makes items of what one push put out. Each stream has its own, because an item may build on the ones before. */
export type Shape = (parts: unknown[]) => unknown[];

/** The shape of one stream's items; none where the engine puts out no list. */
export function shapeOf(kind: OutputKind): Shape | undefined {
  if (kind === CHUNKS) {
    const chunks = new ChunkParts();
    return (parts) => chunks.chunks(parts);
  }
  if (kind === EVENTS) {
    const values = new PartialValues();
    return (parts) => values.grow(parts);
  }
  return undefined;
}
