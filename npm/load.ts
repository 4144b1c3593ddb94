/**
 * The one place that loads a module on demand.
 */
import { rethrow } from "./errors.ts";

/**
 * Recordings, tools, `parse`, batches, fallbacks and lists of models.
 * @throws {ChatwireError} it could not be loaded; the next call tries again
 */
export function onDemand(): Promise<typeof import("./on-demand.ts")> {
  return import("./on-demand.ts").catch(rethrow);
}
