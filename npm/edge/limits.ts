/**
 * A gateway's limits that all isolates keep together: which places a request needs, and what is said when there is none.
 *
 * What requests share here is plain data; every message is sent by the request that it is about.
 */
import type { APIError, Fetch } from "chatwire";
import type { Admission, UsageRow } from "./limiter.ts";
import type { DurableNamespace, Plan, ProviderOptions, UsageRecord } from "./options.ts";
import { Keeper, Place } from "./place.ts";
import { Problem } from "./problem.ts";

/** Names a request's turn to its first provider's `fetch`; it goes no further. */
const TURN_HEADER = "x-chatwire-turn";
/** On a refusal that stands for a provider's answer: the seconds to wait. */
const RETRY_HEADER = "x-chatwire-retry-after";
const USED_UP = "chatwire_plan_used_up";
const UNREACHABLE = "chatwire_limiter_unreachable";
/** Milliseconds before a limiter is asked again that did not answer. */
const PAUSES = [100, 500, 1000];
/** Bytes of a request's text that make a token, about. */
const BYTES_PER_TOKEN = 4;

type FetchInit = Parameters<Fetch>[1];

/** What is said of a limit. */
const WORDS: Record<keyof Plan, string> = {
  requestsPerMinute: "The requests of this minute are used up.",
  tokensPerMinute: "The tokens of this minute are used up.",
  concurrent: "Too many requests are under way.",
  costPerDay: "The budget of this day is used up.",
};

/** Why there is no place, as a provider would say it, so that the client asks the next one. */
type Refusal = { refusal: Response };

/** Which place an answer has. */
const serving = new WeakMap<Response, Place>();

/** What a request asks for, as far as limits go. */
export interface Asking {
  recordId: string;
  caller: string;
  /** In place of what callers have otherwise. */
  plan: Plan | undefined;
  /** The provider that is asked first. */
  provider: string;
  params: object;
  signal: AbortSignal;
  waitUntil(promise: Promise<unknown>): void;
}

/** One way to a place: where, by what plan, with how much patience. */
interface Entrance {
  keeper: Keeper;
  plan: Plan;
  id: string;
  params: () => object;
  wait: number;
  signal?: AbortSignal | undefined;
  /** Keeps the worker alive until it is known that nobody waits any more. */
  waitUntil?: (promise: Promise<unknown>) => void;
}

/** One request's places. */
export class Turn {
  /** Tell the first provider's `fetch` whose request it sends. */
  readonly headers: Record<string, string>;
  /** For the first attempt; those after it find their own. */
  first: Place | Refusal | undefined;
  /** Those of attempts that were made. */
  readonly attempts: Place[] = [];
  readonly #caller: Place | undefined;
  readonly #close: () => void;
  /** Where the usage is written of an answer that needed no place. */
  readonly #books: (provider: string) => Place | undefined;
  #isSent = false;
  #serving: Place | undefined;

  constructor(
    id: string,
    caller: Place | undefined,
    books: (provider: string) => Place | undefined,
    close: () => void,
  ) {
    this.headers = { [TURN_HEADER]: id };
    this.#caller = caller;
    this.#books = books;
    this.#close = close;
  }

  /** An attempt is made. */
  sends(place: Place | undefined): void {
    this.#isSent = true;
    if (place) this.attempts.push(place);
  }

  /** A provider answers. */
  answered(response: Response): void {
    this.#caller?.answered();
    this.#serving = serving.get(response);
  }

  /** Gives all places back, and puts into the books what was used. */
  async settle(record: UsageRecord): Promise<void> {
    this.#close();
    const { provider, outcome } = record;
    // A refusal costs nothing; what else is unknown may have cost all that was reserved.
    const tokens = record.tokens ?? (outcome === "error" ? 0 : null);
    const isBroken = outcome !== "complete";
    const used = { tokens, record: provider === null ? null : record, isBroken };
    const wasSent = this.#isSent || provider !== null;
    await Promise.all([
      wasSent ? this.#caller?.settle(used) : this.#caller?.cancel(),
      provider !== null && (this.#serving ?? this.#books(provider))?.settle(used),
      this.first instanceof Place && this.first.cancel(),
      ...this.attempts.map((place) => place.settle({ tokens: null, isBroken: true })),
    ]);
  }
}

/** The limits of one gateway. */
export class Limits {
  readonly #namespace: DurableNamespace;
  readonly #callerPlan: Plan | undefined;
  readonly #wait: number;
  readonly #providers: ReadonlyMap<string, { keeper: Keeper; plan: Plan | undefined }>;
  readonly #turns = new Map<string, Turn>();

  /** @param providers their plans, by the names in `providers` of the gateway */
  constructor(
    namespace: DurableNamespace,
    caller: Plan | undefined,
    providers: Readonly<Record<string, { options: ProviderOptions; plan: Plan | undefined }>>,
    wait: number,
  ) {
    this.#namespace = namespace;
    this.#callerPlan = caller;
    this.#wait = wait;
    this.#providers = new Map(
      Object.entries(providers).map(([name, { options, plan }]) => {
        let object: string | undefined;
        const find = async () => {
          object ??= await objectOf(name, options.apiKey);
          return object;
        };
        return [name, { keeper: new Keeper(namespace, find), plan }];
      }),
    );
  }

  /**
   * Finds a place for a caller's request, and one at its first provider. What the provider's plan refuses is not thrown:
   * another provider may answer.
   * @throws {Problem} 429, the caller's plan is used up; 499, they left; 503, the limiter cannot be reached
   */
  async open({
    recordId: id,
    caller,
    plan = this.#callerPlan,
    provider,
    params,
    signal,
    waitUntil,
  }: Asking): Promise<Turn> {
    const patience = Date.now() + this.#wait;
    const request = { id, params: () => params, signal, waitUntil };
    let own: Place | undefined;
    try {
      if (plan) {
        const keeper = new Keeper(this.#namespace, async () => `caller:${caller}`);
        const found = await this.#enter({ ...request, keeper, plan, wait: this.#wait });
        if ("refusal" in found) throw (await problemIn(found.refusal)) ?? found;
        own = found;
      }
      const close = () => void this.#turns.delete(id);
      const turn = new Turn(id, own, (name) => this.#books(name, id), close);
      turn.first = await this.#enterProvider(provider, { ...request, wait: Math.max(0, patience - Date.now()) });
      this.#turns.set(id, turn);
      return turn;
    } catch (error) {
      if (own) waitUntil(own.cancel());
      throw error;
    }
  }

  /** Sends one attempt to a provider, within its plan. Refusals are responses. */
  async attempt(provider: string, init: FetchInit, send: (init: FetchInit) => Promise<Response>): Promise<Response> {
    const { headers, signal, body = "{}" } = init;
    const turn = this.#turns.get(headers.get(TURN_HEADER) ?? "");
    headers.delete(TURN_HEADER);
    const request = { id: crypto.randomUUID(), params: () => JSON.parse(body), wait: 0, signal };
    const found = turn?.first ?? (await this.#enterProvider(provider, request));
    if (turn) turn.first = undefined;
    if (found && "refusal" in found) return found.refusal;
    turn?.sends(found);
    const giveUp = () => void found?.settle({ tokens: null, isBroken: true });
    signal?.addEventListener("abort", giveUp);
    try {
      const response = await send(init);
      found?.answered();
      if (!response.ok) await found?.settle({ tokens: 0 });
      else if (found) serving.set(response, found);
      return response;
    } catch (error) {
      await found?.settle({ tokens: null, isBroken: true });
      throw error;
    }
  }

  /** Usage of the days `from` to `to` (in UTC, both included): of one caller, or of all (`null`). */
  async usage(from: string, to: string, caller: string | null): Promise<UsageRow[]> {
    const keepers = new Map<string, Keeper>();
    for (const { keeper } of this.#providers.values()) keepers.set(await keeper.name(), keeper);
    const rows = await Promise.all(
      [...keepers.values()].map((keeper) =>
        keeper.tellSurely<UsageRow[]>(() => ({ op: "usage", from, to, caller }), PAUSES),
      ),
    );
    return merged(rows.flat());
  }

  /**
   * Puts into the books a request whose places are lost, because whoever held them died. Told twice, it counts once.
   */
  async settleLost(record: UsageRecord): Promise<void> {
    const { recordId, caller, provider, tokens } = record;
    const used = { tokens, record: provider === null ? null : record, isBroken: true };
    const own = new Place(new Keeper(this.#namespace, async () => `caller:${caller}`), recordId, 0);
    await Promise.all([own.settle(used), provider !== null && this.#books(provider, recordId)?.settle(used)]);
  }

  #books(provider: string, id: string): Place | undefined {
    const known = this.#providers.get(provider);
    return known && new Place(known.keeper, id, 0);
  }

  async #enterProvider(name: string, request: Omit<Entrance, "keeper" | "plan">): Promise<Place | Refusal | undefined> {
    const { keeper, plan } = this.#providers.get(name) ?? {};
    return keeper && plan && this.#enter({ ...request, keeper, plan });
  }

  async #enter({ keeper, plan, id, params, wait, signal, waitUntil }: Entrance): Promise<Place | Refusal> {
    const tokens = plan.tokensPerMinute === undefined ? 0 : mostTokens(params());
    const place = new Place(keeper, id, tokens);
    let admission: Admission;
    try {
      const until = Date.now() + wait;
      const message = () => ({ op: "admit", id, plan, tokens, wait: Math.max(0, until - Date.now()) }) as const;
      const asking = keeper.tellSurely<Admission>(message, PAUSES, signal);
      // A worker whose caller leaves lives on for this alone.
      waitUntil?.(asking.catch(() => {}));
      admission = await asking;
    } catch (error) {
      // Whether it was let in is not known.
      const leaving = place.cancel();
      waitUntil?.(leaving);
      if (signal?.aborted) throw new Problem(499, "caller_left", "The caller left.");
      console.error("chatwire/edge: a limiter could not be asked:", (error as Error)?.name);
      return {
        refusal: refusal(UNREACHABLE, "It could not be found out whether there is room. Try again in a moment."),
      };
    }
    if (admission.admitted) return place.hold();
    const seconds = Math.max(1, Math.ceil(admission.after / 1000));
    return { refusal: refusal(USED_UP, `${WORDS[admission.reason]} Try again in ${seconds} s.`, seconds) };
  }
}

/** Which object a provider's key has. Where the key is only known to a function, the provider's name stands for it. */
async function objectOf(name: string, key: ProviderOptions["apiKey"]): Promise<string> {
  if (typeof key !== "string") return `provider:${name}`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return `key:${Array.from(new Uint8Array(digest, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** What a request may use at most, as far as can be told. */
function mostTokens(params: object): number {
  const { messages, n, max_tokens, max_completion_tokens } = params as Record<string, unknown>;
  const prompt = Math.ceil((JSON.stringify(messages) ?? "").length / BYTES_PER_TOKEN);
  const answer = Number(max_completion_tokens ?? max_tokens ?? 0) * Number(n ?? 1);
  return prompt + (answer > 0 ? Math.ceil(answer) : 0);
}

/** Not a 429: a client would take that for the provider's word, and keep away from it for a while. */
function refusal(code: string, message: string, seconds?: number): Response {
  const headers = { "x-should-retry": "false", ...(seconds && { [RETRY_HEADER]: String(seconds) }) };
  return Response.json({ error: { message, type: "server_error", param: null, code } }, { status: 503, headers });
}

/** What a caller is told of a refusal of ours that came to them through the client. */
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

async function problemIn(response: Response): Promise<Problem | undefined> {
  const { error } = (await response.json()) as { error: { code: string } };
  return limitProblem({ code: error.code, error, headers: response.headers });
}

/** Rows of the same day, caller and model added up. */
function merged(rows: readonly UsageRow[]): UsageRow[] {
  const sums = new Map<string, UsageRow>();
  for (const row of rows) {
    const key = JSON.stringify([row.day, row.caller, row.model]);
    const sum = sums.get(key);
    if (!sum) {
      sums.set(key, { ...row });
      continue;
    }
    for (const name of [
      "requests",
      "promptTokens",
      "cached",
      "completionTokens",
      "tokens",
      "estimated",
      "unknown",
    ] as const)
      sum[name] += row[name];
    if (row.cost !== null) sum.cost = (sum.cost ?? 0) + row.cost;
  }
  return [...sums.keys()].sort().map((key) => sums.get(key) as UsageRow);
}
