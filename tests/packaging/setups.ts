/** All set-ups, by family, in the order of the matrix. */
import type { Setup } from "./setup.ts";
import { bundlers } from "./setups/bundlers.ts";
import { frameworks } from "./setups/frameworks.ts";
import { pages } from "./setups/pages.ts";
import { runners } from "./setups/runners.ts";
import { runtimes } from "./setups/runtimes.ts";
import { types } from "./setups/types.ts";

export const families: Record<string, Setup[]> = { runtimes, bundlers, frameworks, runners, pages, types };
