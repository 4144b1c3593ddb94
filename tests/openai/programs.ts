/**
 * The table of programs: every pattern in which `openai`'s chat completions are used.
 */
import type { Programs } from "./compare.ts";
import { create } from "./programs/create.ts";
import { errors } from "./programs/errors.ts";
import { options } from "./programs/options.ts";

/** All of them, by group. */
export const programs: Record<string, Programs> = { create, errors, options };
