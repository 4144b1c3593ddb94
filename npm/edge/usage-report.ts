/**
 * `GET /v1/usage`: what was used, by caller, model and day.
 */
import type { UsageRow } from "./limiter.ts";
import type { Limits } from "./limits.ts";
import { dayOf, MINUTE } from "./meter.ts";
import type { Grant } from "./options.ts";
import { Problem } from "./problem.ts";

/** The body of the answer. */
export interface UsageReport {
  object: "list";
  /** The first day and the last, both included. */
  from: string;
  to: string;
  data: UsageRow[];
}

const DAY = 24 * 60 * MINUTE;
/** Days of a report that names no first one. */
const USUAL_DAYS = 30;
/** A report is small. */
const MOST_DAYS = 93;

/** @throws {Problem} 400, `from` and `to` are not two days in order; 503, the limiter cannot be reached */
export async function usageReport(limits: Limits, grant: Grant, query: URLSearchParams): Promise<UsageReport> {
  const to = dayIn(query, "to") ?? dayOf(Date.now());
  const from = dayIn(query, "from") ?? dayOf(Date.parse(to) - USUAL_DAYS * DAY);
  const days = (Date.parse(to) - Date.parse(from)) / DAY + 1;
  if (!(days >= 1 && days <= MOST_DAYS)) {
    throw new Problem(400, "invalid_value", `from is a day before to, and a report has at most ${MOST_DAYS} days.`, {
      param: "from",
    });
  }
  const caller = grant.readsUsage ? query.get("caller") : grant.caller;
  try {
    return { object: "list", from, to, data: await limits.usage(from, to, caller) };
  } catch (error) {
    console.error("chatwire/edge: a limiter could not be asked:", (error as Error)?.name);
    throw new Problem(503, "limiter_unavailable", "The usage could not be read. Try again in a moment.");
  }
}

function dayIn(query: URLSearchParams, param: "from" | "to"): string | undefined {
  const text = query.get(param);
  if (text === null) return undefined;
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return text;
  throw new Problem(400, "invalid_value", `${param} is a day such as ${dayOf(0)}.`, { param });
}
