/**
 * The usage of several answers as one.
 */
import type { Usage } from "../types.ts";

/** Every number of the two, added up; an estimate if one of them is. */
export function bothUsages(first: Usage, second: Usage): Usage {
  return added(first, second) as Usage;
}

function added(a: object, b: object): object {
  const sum: Record<string, unknown> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const before = sum[name];
    if (typeof value === "number" && typeof before === "number") sum[name] = before + value;
    else if (typeof value === "object" && value && typeof before === "object" && before)
      sum[name] = added(before, value);
    else if (typeof value === "boolean") sum[name] = value || before === true;
    else sum[name] ??= value;
  }
  return sum;
}
