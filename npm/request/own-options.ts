/**
 * The names of options that some calls have beside those of every call. The engine refuses what no call has, and does not know of
 * these. Loaded with the calls that have them.
 */
import { unsent } from "../errors.ts";
import type { RequestOptions } from "../options.ts";

const ofCalls: Record<keyof RequestOptions, true> = {
  signal: true,
  headers: true,
  query: true,
  timeout: true,
  hedge: true,
  maxRetries: true,
  decoding: true,
  accumulate: true,
  sentences: true,
  continueWith: true,
  record: true,
  resumeId: true,
};

/** The options of every call. */
export const OF_CALLS: readonly string[] = Object.keys(ofCalls);

/**
 * @param own the options that there are
 * @param shared those that there are besides
 * @throws {InvalidRequestError} there is another, which would be without effect
 */
export function refuseUnknown<Options extends object>(
  options: Options,
  own: readonly (keyof Options & string)[],
  shared: readonly string[] = [],
): void {
  const known: readonly string[] = [...own, ...shared];
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === undefined || known.includes(name)) continue;
    throw unsent("unknown_option", `${name} is unknown: there are ${known.join(", ")}, and no others`, name);
  }
}
