/**
 * `GET /v1/usage`: what was used, by caller, model, tags and day; and `GET /v1/limits`: what runs now, and what is left.
 */
import type { LimiterStatus, UsageKey, UsageQuery, UsageRow } from "./limiter.ts";
import { keyOf, type LimiterClient } from "./limits.ts";
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
  /** There are further rows: request them with `after`. */
  has_more: boolean;
  /** The value for `after`; `null` with the last page. */
  next: string | null;
}

/** The state of one provider's key, or of one caller, at this moment. */
export interface LimitsEntry extends LimiterStatus {
  kind: "provider" | "caller";
  /** A provider with several keys has several entries. */
  name: string;
}

/** The body of an answer of `GET /v1/limits`. */
export interface LimitsReport {
  object: "list";
  data: LimitsEntry[];
}

const DAY = 24 * 60 * MINUTE;
/** Days of a report that names no first one. */
const USUAL_DAYS = 30;
/** The most days of a report. */
const MOST_DAYS = 93;

/** Rows of one page: the usual number, and the most. */
const USUAL_ROWS = 1000;
const MOST_ROWS = 10_000;
/** Callers of `GET /v1/limits`. */
const MOST_CALLERS = 50;

/** @throws {Problem} 400, the query is not valid; 503, the limiter cannot be reached */
export async function usageReport(limits: LimiterClient, grant: Grant, query: URLSearchParams): Promise<UsageReport> {
  const to = dayIn(query, "to") ?? dayOf(Date.now());
  const from = dayIn(query, "from") ?? dayOf(Date.parse(to) - USUAL_DAYS * DAY);
  const days = (Date.parse(to) - Date.parse(from)) / DAY + 1;
  if (!(days >= 1 && days <= MOST_DAYS)) {
    throw new Problem(
      400,
      "invalid_value",
      `from must be a day before to, and a report covers at most ${MOST_DAYS} days.`,
      {
        param: "from",
      },
    );
  }
  const caller = grant.readsUsage ? query.get("caller") : grant.caller;
  const limit = rowsIn(query);
  // One more says whether there is another page.
  const wanted = { from, to, caller, tags: tagsIn(query), after: keyIn(query), limit: limit + 1 };
  const rows = await reached(limits.usage(wanted));
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const next = rows.length > limit && last ? cursorOf(keyOf(last)) : null;
  return { object: "list", from, to, data, has_more: next !== null, next };
}

/**
 * @param query `caller` names one; otherwise those with requests under way, and those of this day
 * @throws {Problem} 503, the limiter cannot be reached
 */
export async function limitsReport(limits: LimiterClient, grant: Grant, query: URLSearchParams): Promise<LimitsReport> {
  if (!grant.readsUsage) return { object: "list", data: [await reached(callerEntry(limits, grant.caller))] };
  const providers = (await reached(limits.providers())).map(([name, status]) => ({
    ...({ kind: "provider", name } as const),
    ...status,
  }));
  const named = query.get("caller");
  const callers = named === null ? await reached(callersOf(limits, providers)) : [named];
  const entries = await reached(Promise.all(callers.map((name) => callerEntry(limits, name))));
  return { object: "list", data: [...providers, ...entries] };
}

async function callerEntry(limits: LimiterClient, name: string): Promise<LimitsEntry> {
  return { kind: "caller", name, ...(await limits.caller(name)) };
}

async function callersOf(limits: LimiterClient, providers: readonly LimitsEntry[]): Promise<string[]> {
  const day = dayOf(Date.now());
  const today = await limits.usage({ ...EVERYTHING, from: day, to: day });
  const live = providers.flatMap(({ live }) => live.flatMap(({ caller }) => caller ?? []));
  return [...new Set([...live, ...today.map(({ caller }) => caller)])].slice(0, MOST_CALLERS);
}

const EVERYTHING: Omit<UsageQuery, "from" | "to"> = { caller: null, tags: {}, after: null, limit: MOST_ROWS };

async function reached<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    console.error("chatwire/edge: a limiter could not be asked:", (error as Error)?.name);
    throw new Problem(503, "limiter_unavailable", "The usage could not be read. Try again in a moment.");
  }
}

/** Counters of Prometheus, by caller and model, with the sums of all days that are kept. */
export async function metricsOf(limits: LimiterClient): Promise<string> {
  const now = Date.now();
  const query = { ...EVERYTHING, from: dayOf(now - KEPT_DAYS * DAY), to: dayOf(now) };
  const rows: UsageRow[] = [];
  for (let after: UsageKey | null = null; ; ) {
    const page: UsageRow[] = await reached(limits.usage({ ...query, after }));
    rows.push(...page);
    const last = page.at(-1);
    if (page.length < MOST_ROWS || !last) break;
    after = keyOf(last);
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

function rowsIn(query: URLSearchParams): number {
  const text = query.get("limit");
  if (text === null) return USUAL_ROWS;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST_ROWS) return limit;
  throw new Problem(400, "invalid_value", `limit must be a number from 1 to ${MOST_ROWS}.`, { param: "limit" });
}

/** `tag=unit:a`, as often as there are tags. */
function tagsIn(query: URLSearchParams): Record<string, string> {
  const pairs = query.getAll("tag").map((text) => {
    const [, name, value] = /^([^:]+):(.*)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw new Problem(400, "invalid_value", "tag must be a name and a value, such as unit:a.", { param: "tag" });
    }
    return [name, value] as const;
  });
  return Object.fromEntries(pairs);
}

/** Where a page ended, as the text that is given as `after`. */
function cursorOf(key: UsageKey): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(key))))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
}

function keyIn(query: URLSearchParams): UsageKey | null {
  const text = query.get("after");
  if (text === null) return null;
  try {
    const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const json = new TextDecoder().decode(Uint8Array.from(bytes, (sign) => sign.charCodeAt(0)));
    const key: unknown = JSON.parse(json);
    if (Array.isArray(key) && key.length === 4 && key.every((part) => typeof part === "string")) {
      return key as unknown as UsageKey;
    }
  } catch {
    // The text is no cursor.
  }
  throw new Problem(400, "invalid_value", "after must be the `next` of the previous page.", { param: "after" });
}

function dayIn(query: URLSearchParams, param: "from" | "to"): string | undefined {
  const text = query.get(param);
  if (text === null) return undefined;
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return text;
  throw new Problem(400, "invalid_value", `${param} must be a day such as ${dayOf(0)}.`, { param });
}
