/**
 * The table of programs: every pattern in which `openai`'s chat completions are used.
 */
import type { Programs } from "./compare.ts";
import { corners } from "./programs/corners.ts";
import { create } from "./programs/create.ts";
import { doubles } from "./programs/doubles.ts";
import { emitter } from "./programs/emitter.ts";
import { errors } from "./programs/errors.ts";
import { habits } from "./programs/habits.ts";
import { options } from "./programs/options.ts";
import { parse } from "./programs/parse.ts";
import { requests } from "./programs/requests.ts";
import { streaming } from "./programs/streaming.ts";
import { tools } from "./programs/tools.ts";
import { zod3 } from "./programs/zod3.ts";

/** All of them, by group. */
export const programs: Record<string, Programs> = {
  create,
  doubles,
  corners,
  emitter,
  errors,
  habits,
  options,
  parse,
  requests,
  streaming,
  tools,
  zod3,
};
