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

/** Counters of Prometheus, by caller and model, with the sums of all days that are kept. */
export async function metricsOf(limits: Limits): Promise<string> {
  const now = Date.now();
  let rows: UsageRow[];
  try {
    rows = await limits.usage(dayOf(now - KEPT_DAYS * DAY), dayOf(now), null);
  } catch (error) {
    console.error("chatwire/edge: a limiter could not be reached:", (error as Error)?.name);
    throw new Problem(503, "limiter_unavailable", "The usage could not be read. Try again in a moment.");
  }
  const sums = new Map<string, UsageRow>();
  for (const row of rows) {
    const labels = `caller="${label(row.caller)}",model="${label(row.model)}"`;
    const sum = sums.get(labels) ?? { ...row, ...NOTHING };
    for (const [, , name] of METRICS) sum[name] = (sum[name] ?? 0) + (row[name] ?? 0);
    sums.set(labels, sum);
  }
  const lines = METRICS.flatMap(([metric, help, name]) => [
    `# HELP ${metric} ${help}`,
    `# TYPE ${metric} counter`,
    ...[...sums].map(([labels, sum]) => `${metric}{${labels}} ${sum[name] ?? 0}`),
  ]);
  return `${lines.join("\n")}\n`;
}

const NOTHING = {
  requests: 0,
  promptTokens: 0,
  cached: 0,
  completionTokens: 0,
  tokens: 0,
  cost: 0,
  estimated: 0,
  unknown: 0,
};

const METRICS = [
  ["chatwire_requests_total", "Requests that a provider answered.", "requests"],
  ["chatwire_prompt_tokens_total", "Tokens of prompts.", "promptTokens"],
  ["chatwire_cached_tokens_total", "Tokens of prompts that came from the provider's cache.", "cached"],
  ["chatwire_completion_tokens_total", "Tokens of answers.", "completionTokens"],
  ["chatwire_cost_usd_total", "USD, of requests whose cost is known.", "cost"],
  ["chatwire_estimated_requests_total", "Requests whose usage is an estimate.", "estimated"],
  ["chatwire_unknown_requests_total", "Requests whose usage is not known.", "unknown"],
] as const;

/** Usage is kept for so many days. */
const KEPT_DAYS = 399;

/** A value of a label, after the text format of Prometheus. */
function label(text: string): string {
  return text.replace(/[\\"\n]/g, (sign) => (sign === "\n" ? "\\n" : `\\${sign}`));
}

function dayIn(query: URLSearchParams, param: "from" | "to"): string | undefined {
  const text = query.get(param);
  if (text === null) return undefined;
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return text;
  throw new Problem(400, "invalid_value", `${param} is a day such as ${dayOf(0)}.`, { param });
}
