/**
 * A gateway's limits that all isolates share: which leases a request needs, and the answer where a lease is refused.
 *
 * The state that requests share here is plain data; every message is sent by the request that it is about.
 */
import type { APIError, Fetch, Prices } from "chatwire";
import { Lease, LimiterObject } from "./lease.ts";
import {
  type Admission,
  type LimiterStatus,
  tagsText,
  type UsageKey,
  type UsageQuery,
  type UsageRow,
} from "./limiter.ts";
import type { Left } from "./meter.ts";
import type { DurableNamespace, Plan, ProviderOptions, UsageRecord } from "./options.ts";
import { Problem } from "./problem.ts";
import { type Reservation, reservationOf } from "./reservation.ts";

/** On a refusal that stands for a provider's answer: the seconds to wait. */
const RETRY_HEADER = "x-chatwire-retry-after";
const USED_UP = "chatwire_plan_used_up";
const UNREACHABLE = "chatwire_limiter_unreachable";
/** Milliseconds between the tries to reach a limiter that did not answer. */
const PAUSES = [100, 500, 1000];

type FetchInit = Parameters<Fetch>[1];
type Params = Readonly<Record<string, unknown>>;

/** The words about a limit. */
const WORDS: Record<keyof Plan, string> = {
  requestsPerMinute: "The requests of this minute are used up.",
  tokensPerMinute: "The tokens of this minute are used up.",
  concurrent: "Too many requests are under way.",
  costPerDay: "The budget of this day is used up.",
  costPerMonth: "The budget of this month is used up.",
  costTotal: "The budget is used up.",
};

/** A refusal of the gateway's own, in the form of a provider's answer, so that the next provider is asked. */
type Refusal = { refusal: Response; left?: Left };

/** A request that asks for leases. */
export interface LimitRequest {
  recordId: string;
  caller: string;
  /** As the caller named it. */
  model: string;
  /** The plan of the caller's grant, in place of `limits.caller`. */
  plan: Plan | undefined;
  /** The provider that is asked first, with which key, and the parameters it would get. */
  provider: string;
  apiKey: ProviderOptions["apiKey"];
  params: Params;
  /** The prices of the models that may be asked. */
  prices: readonly (Prices | undefined)[];
  signal: AbortSignal;
  waitUntil(promise: Promise<unknown>): void;
}

/** A request for one lease. */
interface LeaseRequest {
  object: LimiterObject;
  plan: Plan;
  id: string;
  caller: string;
  model: string;
  reservation: Reservation;
  wait: number;
  signal?: AbortSignal | undefined;
  /** Keeps the worker alive until the promise has settled. */
  waitUntil?: (promise: Promise<unknown>) => void;
}

/** An attempt: at which provider, with which key, for which request. */
export interface AttemptSource {
  provider: string;
  apiKey: ProviderOptions["apiKey"];
  leases: RequestLeases | undefined;
  prices: Prices | undefined;
}

/** The leases of one request. */
export class RequestLeases {
  readonly caller: string;
  readonly model: string;
  /** The lease for the first attempt; later attempts ask for their own. */
  first: Lease | Refusal | undefined;
  /** The key that the first lease is for. */
  firstKey: ProviderOptions["apiKey"];
  /** The leases of attempts that were made, except the one that is answering. */
  readonly #attempts: Lease[] = [];
  /** The lease from the caller's plan. */
  readonly #own: Lease | undefined;
  /** The rest of the caller's plan. */
  readonly left: Left;
  readonly #unleased: (provider: string) => Lease | undefined;
  #isSent = false;
  #answering: Lease | undefined;
  #settled: Promise<boolean> | undefined;

  /** @param unleased finds the object for the usage of an answer that needed no lease */
  constructor(
    { caller, model }: Pick<LimitRequest, "caller" | "model">,
    own: Lease | undefined,
    left: Left,
    unleased: (provider: string) => Lease | undefined,
  ) {
    this.caller = caller;
    this.model = model;
    this.#own = own;
    this.left = left;
    this.#unleased = unleased;
  }

  /** Takes the lease for the first attempt, if it is one of this key. */
  firstFor(apiKey: ProviderOptions["apiKey"]): Lease | Refusal | undefined {
    if (this.firstKey !== apiKey) return undefined;
    const { first } = this;
    this.first = undefined;
    return first;
  }

  /** An attempt is made. */
  sends(lease: Lease | undefined): void {
    this.#isSent = true;
    if (lease) this.#attempts.push(lease);
  }

  /** The headers of a good answer have arrived. */
  answered(lease: Lease | undefined): void {
    this.#own?.answered();
    lease?.answered();
    this.#answering = lease;
  }

  /** Ends all leases, and counts the usage. Resolves with whether the limiter has it. */
  settle(record: UsageRecord): Promise<boolean> {
    this.#settled ??= this.#settle(record);
    return this.#settled;
  }

  /** Ends all leases of a request that was not sent. Without effect after `settle`. */
  cancel(): Promise<boolean> {
    const { first } = this;
    this.#settled ??= Promise.all([this.#own?.cancel(), first instanceof Lease ? first.cancel() : undefined]).then(
      (ends) => !ends.includes(false),
    );
    return this.#settled;
  }

  /** The promise of `settle`; `undefined` before it was called. */
  get settled(): Promise<boolean> | undefined {
    return this.#settled;
  }

  async #settle(record: UsageRecord): Promise<boolean> {
    const { provider, outcome } = record;
    // A refusal costs nothing; any other unknown usage counts as all that was reserved.
    const tokens = record.tokens ?? (outcome === "error" ? 0 : null);
    const isBroken = outcome !== "complete";
    const used = { tokens, record: provider === null ? null : record, isBroken };
    const wasSent = this.#isSent || provider !== null;
    const ends = await Promise.all([
      wasSent ? this.#own?.settle(used) : this.#own?.cancel(),
      provider === null || (this.#answering ?? this.#unleased(provider))?.settle(used),
      this.first instanceof Lease ? this.first.cancel() : undefined,
      ...this.#attempts.map((lease) => lease.settle({ tokens: lease.promptTokens, isBroken: true })),
    ]);
    return !ends.includes(false);
  }
}

/** The way of one gateway to the limiter objects of its callers and its providers' keys. */
export class LimiterClient {
  readonly #namespace: DurableNamespace;
  readonly #callerPlan: Plan | undefined;
  readonly #wait: number;
  readonly #queue: number;
  readonly #names = new Map<string, string>();
  /** The providers by name, with an object for each key. */
  readonly #providers: ReadonlyMap<string, { objects: readonly LimiterObject[]; plan: Plan | undefined }>;

  /**
   * @param providers their plans, by the names in `providers` of the gateway
   * @param isWatched requests are known while they run, also where no plan asks for that
   */
  constructor(
    namespace: DurableNamespace,
    caller: Plan | undefined,
    providers: Readonly<Record<string, { options: ProviderOptions; plan: Plan | undefined }>>,
    wait: number,
    queue: number,
    isWatched = false,
  ) {
    this.#namespace = namespace;
    this.#callerPlan = caller;
    this.#wait = wait;
    this.#queue = queue;
    this.#providers = new Map(
      Object.entries(providers).map(([name, { options, plan }]) => {
        const objects = (options.keys ?? [options.apiKey]).map((key) => {
          const apiKey = typeof key === "object" && key !== null ? key.apiKey : key;
          return new LimiterObject(namespace, () => this.#nameOf(name, apiKey));
        });
        return [name, { objects, plan: plan ?? (isWatched ? {} : undefined) }];
      }),
    );
  }

  /**
   * Gets a lease from the caller's plan, and one from that of the first provider. A refusal of the provider's plan is not
   * thrown: another provider may answer.
   * @throws {Problem} 429, the caller's plan is used up; 499, the caller left; 503, the limiter cannot be reached
   */
  async open(request: LimitRequest): Promise<RequestLeases> {
    const {
      recordId: id,
      caller,
      model,
      plan = this.#callerPlan,
      provider,
      apiKey,
      params,
      prices,
      signal,
      waitUntil,
    } = request;
    const patience = Date.now() + this.#wait;
    const common = { id, caller, model, reservation: reservationOf(params, prices), signal, waitUntil };
    let own: { lease: Lease; left: Left } | undefined;
    try {
      if (plan) {
        const object = new LimiterObject(this.#namespace, async () => `caller:${caller}`);
        const found = await this.#ask({ ...common, object, plan, wait: this.#wait });
        if ("refusal" in found) throw (await problemIn(found)) ?? found;
        own = found;
      }
      const leases = new RequestLeases(request, own?.lease, own?.left ?? {}, (name) => this.#unleased(name, id));
      leases.firstKey = apiKey;
      leases.first = await this.#askProvider(provider, apiKey, { ...common, wait: restOf(this.#wait, patience) });
      return leases;
    } catch (error) {
      if (own) waitUntil(own.lease.cancel());
      throw error;
    }
  }

  /** Sends one attempt to a provider, within its plan. Refusals are responses. */
  async attempt(
    from: AttemptSource,
    init: FetchInit,
    params: Params | undefined,
    send: (init: FetchInit) => Promise<Response>,
  ): Promise<Response> {
    const { provider, apiKey, leases, prices } = from;
    const { signal, body = "{}" } = init;
    let found = leases?.firstFor(apiKey);
    if (!found && this.#providers.get(provider)?.plan) {
      const reservation = reservationOf(params ?? JSON.parse(body), [prices]);
      const { caller = "", model = "" } = leases ?? {};
      const request = { id: crypto.randomUUID(), caller, model, reservation, wait: 0, signal };
      found = await this.#askProvider(provider, apiKey, request);
    }
    if (found && "refusal" in found) return found.refusal;
    const lease = found;
    leases?.sends(lease);
    const giveUp = () => void lease?.settle({ tokens: lease.promptTokens, isBroken: true });
    signal?.addEventListener("abort", giveUp);
    try {
      const response = await send(init);
      if (response.ok) {
        leases?.answered(lease);
        signal?.removeEventListener("abort", giveUp);
      } else {
        await lease?.settle({ tokens: 0 });
      }
      return response;
    } catch (error) {
      await lease?.settle({ tokens: lease.promptTokens, isBroken: true });
      throw error;
    }
  }

  /** Usage, by the order of its keys: at most `limit` rows. */
  async usage(query: UsageQuery): Promise<UsageRow[]> {
    const rows = await Promise.all(
      (await this.#keyObjects()).map(([, object]) =>
        object.sendWithRetries<UsageRow[]>(() => ({ op: "usage", query }), PAUSES),
      ),
    );
    return merged(rows.flat()).slice(0, query.limit);
  }

  /** The state of the objects of all providers' keys, by provider: several keys, several entries. */
  async providers(): Promise<[name: string, LimiterStatus][]> {
    return Promise.all(
      (await this.#keyObjects()).map(async ([name, object]) => [name, await this.#statusOf(object)] as const),
    ) as Promise<[string, LimiterStatus][]>;
  }

  /** The state of the object of a caller. */
  caller(name: string): Promise<LimiterStatus> {
    return this.#statusOf(new LimiterObject(this.#namespace, async () => `caller:${name}`));
  }

  #statusOf(object: LimiterObject): Promise<LimiterStatus> {
    return object.sendWithRetries<LimiterStatus>(() => ({ op: "state" }), PAUSES);
  }

  /** The objects of all keys, each once, with the name of the first provider that has it. */
  async #keyObjects(): Promise<[provider: string, LimiterObject][]> {
    const found = new Map<string, [string, LimiterObject]>();
    for (const [provider, { objects }] of this.#providers) {
      for (const object of objects) {
        const name = await object.name();
        if (!found.has(name)) found.set(name, [provider, object]);
      }
    }
    return [...found.values()];
  }

  /**
   * Counts a request whose leases are lost, because the object that held them restarted. A second call changes nothing.
   * @throws the limiter cannot be reached
   */
  async settleLost(record: UsageRecord): Promise<void> {
    const { recordId, caller, provider, tokens } = record;
    const used = { tokens, record: provider === null ? null : record, isBroken: true };
    const own = new Lease(new LimiterObject(this.#namespace, async () => `caller:${caller}`), recordId, NOTHING);
    const ends = [own.settle(used), provider === null || this.#unleased(provider, recordId)?.settle(used)];
    if ((await Promise.all(ends)).includes(false)) throw new Error("The limiter cannot be reached.");
  }

  #unleased(provider: string, id: string): Lease | undefined {
    const [object] = this.#providers.get(provider)?.objects ?? [];
    return object && new Lease(object, id, NOTHING);
  }

  /** The name of a key's object. A hash is made once for each key. */
  async #nameOf(provider: string, apiKey: ProviderOptions["apiKey"]): Promise<string> {
    if (typeof apiKey !== "string") return objectNameOf(provider, apiKey);
    const known = this.#names.get(apiKey) ?? (await objectNameOf(provider, apiKey));
    this.#names.set(apiKey, known);
    return known;
  }

  async #askProvider(
    name: string,
    apiKey: ProviderOptions["apiKey"],
    request: Omit<LeaseRequest, "object" | "plan">,
  ): Promise<Lease | Refusal | undefined> {
    const { plan } = this.#providers.get(name) ?? {};
    if (!plan) return undefined;
    const object = new LimiterObject(this.#namespace, () => this.#nameOf(name, apiKey));
    const found = await this.#ask({ ...request, object, plan });
    return "refusal" in found ? found : found.lease;
  }

  async #ask(request: LeaseRequest): Promise<{ lease: Lease; left: Left } | Refusal> {
    const { object, plan, id, caller, model, reservation, wait, signal, waitUntil } = request;
    const lease = new Lease(object, id, reservation);
    const { tokens, cost } = reservation;
    let admission: Admission;
    try {
      const until = Date.now() + wait;
      const queue = this.#queue;
      const message = () =>
        ({ op: "admit", id, caller, model, plan, tokens, cost, wait: restOf(wait, until), queue }) as const;
      const admitting = object.sendWithRetries<Admission>(message, PAUSES, signal);
      // A worker whose caller has left stays alive for this promise alone.
      waitUntil?.(admitting.catch(() => {}));
      admission = await admitting;
    } catch (error) {
      // Whether the request was admitted is not known.
      const leaving = lease.cancel();
      waitUntil?.(leaving);
      if (signal?.aborted) throw new Problem(499, "caller_left", "The caller disconnected.");
      console.error("chatwire/edge: a limiter could not be reached:", (error as Error)?.name);
      const message = "The limits could not be checked, so nothing was sent. Try again in a moment.";
      return { refusal: refusal(UNREACHABLE, message) };
    }
    if (admission.admitted) return { lease: lease.hold(), left: admission.left };
    const seconds = Math.max(1, Math.ceil(admission.after / 1000));
    const words = `${WORDS[admission.reason]} Try again in ${seconds} s.`;
    return { refusal: refusal(USED_UP, words, seconds), left: admission.left };
  }
}

/** The rest, in milliseconds, of a wait that ends at `until`: no more than the whole wait, also where the clock was put back. */
function restOf(wait: number, until: number): number {
  return Math.min(wait, Math.max(0, until - Date.now()));
}

const NOTHING: Reservation = { promptTokens: 0, tokens: 0, cost: 0 };

/** The name of the object of a provider's key. Where the key comes from a function, the provider's name stands for it. */
async function objectNameOf(name: string, key: ProviderOptions["apiKey"]): Promise<string> {
  if (typeof key !== "string") return `provider:${name}`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return `key:${Array.from(new Uint8Array(digest, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Not a 429: a client would take that for the provider's own refusal, and would not call the provider for a while. */
function refusal(code: string, message: string, seconds?: number): Response {
  const headers = { "x-should-retry": "false", ...(seconds && { [RETRY_HEADER]: String(seconds) }) };
  return Response.json({ error: { message, type: "server_error", param: null, code } }, { status: 503, headers });
}

/** The problem for a refusal of the limiter that came through the client. */
export function limitProblem({
  code,
  error,
  headers,
}: Pick<APIError, "code" | "error" | "headers">): Problem | undefined {
  const message = String((error as { message?: unknown } | undefined)?.message);
  if (code === UNREACHABLE) return new Problem(503, "limiter_unavailable", message);
  const seconds = headers?.get(RETRY_HEADER);
  if (code !== USED_UP || !seconds) return undefined;
  return new Problem(429, "rate_limit_exceeded", message, { headers: { "retry-after": seconds } });
}

/** The problem of a caller whose own plan is used up. */
async function problemIn({ refusal, left }: Refusal): Promise<Problem | undefined> {
  const { error } = (await refusal.json()) as { error: { code: string } };
  const problem = limitProblem({ code: error.code, error, headers: refusal.headers });
  if (problem) Object.assign(problem.headers, limitHeaders(left));
  return problem;
}

/** The headers that say what is left of a caller's plan, by the names and in the units of OpenAI's; budgets are in USD. */
function limitHeaders({ requests, tokens, cost }: Left = {}): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, rest] of Object.entries({ requests, tokens })) {
    if (!rest) continue;
    headers[`x-ratelimit-limit-${name}`] = String(rest.limit);
    headers[`x-ratelimit-remaining-${name}`] = String(Math.floor(rest.left));
    headers[`x-ratelimit-reset-${name}`] = durationOf(rest.reset);
  }
  if (cost) {
    headers["x-chatwire-budget-limit"] = String(cost.limit);
    headers["x-chatwire-budget-remaining"] = String(Number(cost.left.toFixed(6)));
    headers["x-chatwire-budget-reset"] = durationOf(cost.reset);
  }
  return headers;
}

/** As OpenAI writes it: `20ms`, `7s`, `1m30s`, `2h0m0s`. */
function durationOf(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const seconds = Math.ceil(ms / 1000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours > 0) return `${hours}h${minutes % 60}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

/** The names of all these headers. */
export const LIMIT_HEADERS: readonly string[] = [
  ...["requests", "tokens"].flatMap((name) =>
    ["limit", "remaining", "reset"].map((what) => `x-ratelimit-${what}-${name}`),
  ),
  ...["limit", "remaining", "reset"].map((what) => `x-chatwire-budget-${what}`),
];

/** Says in an answer's headers what is left of the caller's plan. */
export function withLimits(response: Response, leases: RequestLeases | undefined): Response {
  if (!leases) return response;
  for (const [name, value] of Object.entries(limitHeaders(leases.left))) response.headers.set(name, value);
  return response;
}

/** Rows of the same key added up, in the order of their keys. */
function merged(rows: readonly UsageRow[]): UsageRow[] {
  const sums = new Map<string, UsageRow>();
  for (const row of rows) {
    const key = JSON.stringify(keyOf(row));
    const sum = sums.get(key);
    if (!sum) {
      sums.set(key, { ...row });
      continue;
    }
    for (const name of COUNTS) sum[name] += row[name];
    if (row.cost !== null) sum.cost = (sum.cost ?? 0) + row.cost;
  }
  return [...sums.values()].sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
}

const COUNTS = [
  ...(["requests", "promptTokens", "cached", "completionTokens", "tokens"] as const),
  ...(["estimated", "unknown"] as const),
] as const;

/** The key of a row. */
export function keyOf({ day, caller, model, tags }: UsageRow): UsageKey {
  return [day, caller, model, tagsText(tags)];
}

/** As SQLite compares texts: by their bytes, which is the order of code points, and not of UTF-16 units. */
function compareKeys(a: UsageKey, b: UsageKey): number {
  for (const [index, text] of a.entries()) {
    const [mine, others] = [[...text], [...(b[index] as string)]];
    const at = mine.findIndex((sign, at) => sign !== others[at]);
    if (at >= 0) return (mine[at]?.codePointAt(0) ?? 0) - (others[at]?.codePointAt(0) ?? -1);
    if (mine.length < others.length) return -1;
  }
  return 0;
}
