/**
 * A client's part of the engine: its settings, limits and totals. The part lives until the client is disposed of and the last of
 * its calls is over. When the engine has failed, new calls get a fresh one, and its limits begin anew.
 */
import { ACCOUNT, CONNECTION, USAGE } from "../engine/boundary.ts";
import { answer, make, type Part, put, settingsText, tryMake } from "../engine/engine.ts";
import { ChatwireError, toError } from "../errors.ts";
import type { ClientOptions, Hooks } from "../options.ts";
import type { ModelPrices, Usage, UsageTotals } from "../types.ts";
import { names, plainHeaders, texts } from "./texts.ts";

/** One call's hold on the connection. */
export class Hold {
  /** The part that the call is made with. */
  readonly part: Part;
  #release: (() => void) | undefined;

  constructor(part: Part, release: () => void) {
    this.part = part;
    this.#release = release;
  }

  /** Ends one answer: frees its slot, and adds what it used to the totals. Without a usage it is no call of its own. */
  account(id: number, usage?: Usage | null, firstToken = 0): void {
    try {
      this.part.call(ACCOUNT, usage === undefined ? 0 : put(JSON.stringify(usage)), id, firstToken);
    } catch {
      // The engine has failed, and the slot is gone with its instance.
    }
  }

  /** Ends the call. */
  release(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

export class Connection {
  readonly #options: ClientOptions;
  /** The last is the one for new calls; those before it are of instances of the engine that failed. */
  #parts: Part[] = [];
  #underWay = 0;
  #isDisposed = false;
  /** The usage by the time the parts were freed. */
  #used = noTotals();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /**
   * The part for new calls, made where there is none.
   * @throws {ChatwireError} the options make no sense, or the engine failed
   */
  get part(): Part {
    const last = this.#parts.at(-1);
    if (last && !last.isBroken) return last;
    const made = connect(this.#options);
    this.#parts.push(made);
    return made;
  }

  /** The totals of all calls. */
  get usage(): UsageTotals {
    return this.#parts.reduce((sum, part) => {
      try {
        part.call(USAGE);
        return added(sum, answer<UsageTotals>());
      } catch {
        return sum; // its instance failed, so that its totals are lost
      }
    }, this.#used);
  }

  /** @throws {ChatwireError} the client was disposed of */
  mustBeOpen(): void {
    if (this.#isDisposed) throw new ChatwireError("This client was disposed of: make a new one.");
  }

  /** Begins a call. */
  hold(): Hold {
    const held = new Hold(this.part, this.#release);
    this.#underWay++;
    return held;
  }

  readonly #release = () => {
    this.#underWay--;
    this.#freeIdle();
  };

  /** Refuses new calls. Those under way go on, and their usage counts. */
  dispose(): void {
    this.#isDisposed = true;
    this.#freeIdle();
  }

  #freeIdle(): void {
    if (!this.#isDisposed || this.#underWay > 0) return;
    this.#used = this.usage;
    for (const part of this.#parts) part.free();
    this.#parts = [];
  }
}

/** Makes the part of the engine for a client's options. */
function connect(options: ClientOptions): Part {
  const { apiKey, ...given } = options;
  const told: Record<string, unknown> = {
    ...given,
    defaultHeaders: texts(plainHeaders(given.defaultHeaders)),
    defaultQuery: texts(given.defaultQuery),
    // Prices by model go with each call of the model.
    prices: isByModel(given.prices) ? undefined : given.prices,
    // The engine judges the names of functions alone: an object of hooks may keep counts and lists of its own.
    hooks: given.hooks && names(given.hooks).filter((name) => typeof given.hooks?.[name as keyof Hooks] === "function"),
    fallback: names(given.fallback),
  };
  // `true` stands for a function, and is no key itself.
  if (typeof apiKey === "function") told.apiKey = true;
  else if (apiKey !== undefined) told.apiKey = typeof apiKey === "boolean" ? [] : apiKey;
  const host = { ...surroundings(), fallback: { on: given.fallback?.flatMap(({ on }) => on ?? []).map(String) } };
  const text = (env?: string) => settingsText({ host: { ...host, env }, options: told });
  let made = tryMake(CONNECTION, text());
  if ("variable" in made) made = make(CONNECTION, text(variableOf(made.variable)));
  if ("error" in made) throw toError(made.error);
  return made;
}

/** The usage of a client that has made no call yet. */
function noTotals(): UsageTotals {
  const tokens = {
    prompt_tokens: 0,
    completion_tokens: 0,
    total_tokens: 0,
    prompt_tokens_details: { cached_tokens: 0 },
  };
  return { requests: 0, ...tokens, uncounted: 0, estimated: 0, cost: 0, saved: 0 };
}

/** Two totals as one. A sum is unknown where one of its summands is. */
function added<T extends object>(a: T, b: T): T {
  const sums = Object.entries(a).map(([name, one]) => {
    const other = b[name as keyof T];
    if (one === null || other === null) return [name, null];
    return [name, typeof one === "object" ? added(one, other as object) : one + other];
  });
  return Object.fromEntries(sums) as T;
}

/** Whether prices are named for each model. */
export function isByModel(prices: ClientOptions["prices"]): prices is ModelPrices {
  const all = Object.values(prices ?? {});
  return all.length > 0 && all.every((one) => typeof one === "object" && one !== null);
}

/**
 * The surroundings that the engine's decisions depend on: whether visitors can read the key, and the base of relative
 * addresses.
 */
function surroundings(): object {
  const { window, location } = globalThis as {
    window?: { document?: unknown; navigator?: { userAgent?: string } };
    location?: { href: string };
  };
  // In a test, jsdom and happy-dom make a document that nobody visits.
  const isTest = /jsdom|happydom/i.test(window?.navigator?.userAgent ?? "");
  return { page: window?.document !== undefined && !isTest, location: location?.href };
}

/** The value of an environment variable; empty where there is none, or where the host does not allow reading it. */
function variableOf(name: string): string {
  try {
    const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
    return process?.env?.[name] ?? "";
  } catch {
    return "";
  }
}
