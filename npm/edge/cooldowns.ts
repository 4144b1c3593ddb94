/**
 * The cooldown that a provider's 429 starts in the gateway: one model of one key, for no longer than a ceiling, and then one
 * request tries.
 *
 * The client has cooldowns of its own, which may last a day and let short ones pass by waiting. Behind a gateway a stranger's
 * 429 must do neither to other callers, so the client does not see those that it would wait for: it gets a refusal that sends
 * it to the next provider, or the caller a 429 that says when to come back. Plain data: nothing here waits.
 */

/** The longest cooldown, in milliseconds, where the provider's settings name none: a provider may ask for more. */
const CEILING = 60_000;
/** A wait up to this one is left to the client, which retries by itself. */
const SHORT = 2000;
/**
 * The most models that are remembered of each key, since callers may name any. The model whose cooldown began first is dropped.
 */
const MOST_MODELS = 1000;
/** How long one request may try a model before the next may, in milliseconds. */
const TRIAL = 10_000;

/** The code of a refusal that stands for a cooldown. */
export const COOLING = "chatwire_provider_cooling";
/** On such a refusal: the seconds to wait. */
export const COOLING_HEADER = "x-chatwire-retry-after";

/** The cooldowns of one key. */
export class Cooldowns {
  readonly #ceiling: number;
  readonly #until = new Map<string, number>();

  /** @param ceiling in milliseconds; `false` keeps none */
  constructor(ceiling: number | false = CEILING) {
    this.#ceiling = ceiling === false ? 0 : ceiling;
  }

  /** The refusal for a request that comes too soon; `undefined` where it may be sent. */
  refusal(model: string): Response | undefined {
    const known = this.#until.get(model);
    const now = Date.now();
    if (known === undefined) return undefined;
    // A clock that was put back a day makes no cooldown of a day.
    const until = Math.min(known, now + this.#ceiling);
    if (until < known) this.#until.set(model, until);
    if (until > now) return refusal(until - now, "The provider has asked to wait, so nothing was sent.");
    // This request tries; the answer to it decides for the others.
    this.#until.set(model, now + Math.min(TRIAL, this.#ceiling));
    return undefined;
  }

  /** A provider has answered. Gives the response as the client is to see it. */
  async seen(model: string, response: Response): Promise<Response> {
    const wait = response.status === 429 ? waitOf(response.headers) : undefined;
    if (wait === undefined || wait <= SHORT || this.#ceiling === 0) {
      if (response.status !== 429) this.#until.delete(model);
      return this.#ceiling === 0 && wait !== undefined && wait > SHORT
        ? refusal(wait, await wordsOf(response))
        : response;
    }
    const believed = Math.min(wait, this.#ceiling);
    this.#until.delete(model);
    this.#until.set(model, Date.now() + believed);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MOST_MODELS) break;
      this.#until.delete(oldest);
    }
    return refusal(believed, await wordsOf(response));
  }
}

async function wordsOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: { message?: unknown } };
    if (typeof error?.message === "string" && error.message !== "") return error.message;
  } catch {
    // The body is no JSON.
  }
  return "The provider's rate limit is reached.";
}

function refusal(wait: number, message: string): Response {
  const headers = { "x-should-retry": "false", [COOLING_HEADER]: String(Math.max(1, Math.ceil(wait / 1000))) };
  const error = { message, type: "rate_limit_error", param: null, code: COOLING };
  return Response.json({ error }, { status: 503, headers });
}

/** Milliseconds that a server asks to wait, where it does. */
function waitOf(headers: Headers): number | undefined {
  const ms = Number(headers.get("retry-after-ms") ?? Number.NaN);
  if (ms >= 0) return ms;
  const after = headers.get("retry-after");
  if (after === null) return undefined;
  const seconds = Number(after);
  const time = Number.isNaN(seconds) ? Date.parse(after) - Date.now() : seconds * 1000;
  return Number.isNaN(time) ? undefined : Math.max(0, time);
}
