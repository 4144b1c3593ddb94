/**
 * The one place that loads a module on demand.
 */
import { ChatwireError, reasonOf } from "./errors.ts";

/**
 * Recordings, tools, `parse`, batches, fallbacks and lists of models. Called before the request that needs them.
 * @throws {ChatwireError} it could not be loaded, or this host forbids `import()`; the next call tries again
 */
export function onDemand(): Promise<typeof import("./on-demand.ts")> {
  return import("./on-demand.ts").catch((cause) => {
    const text = `Nothing was sent: a part of chatwire could not be loaded (${reasonOf(cause)}). Import from chatwire/static where import() is forbidden, as in service workers; elsewhere reload the page, and check that all files of the build are served.`;
    throw new ChatwireError(text, { cause });
  });
}

/** Prices of common models, and how to look them up. Called before a request whose cost may need them. */
export function priceList(): Promise<typeof import("./prices/index.ts")> {
  return import("./prices/index.ts");
}
