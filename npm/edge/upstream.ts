/**
 * One provider as the gateway uses it: its client, and what may be said of its failures.
 *
 * Retries, limits, cooldowns and fallbacks are the client's. Nothing of a request can name an address.
 */
import {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  Chatwire,
  ChatwireError,
  type ClientOptions,
  type DecoderOptions,
  type Fetch,
  InvalidRequestError,
  RateLimitError,
} from "chatwire";
import { type Limits, limitProblem } from "./limits.ts";
import type { ProviderOptions } from "./options.ts";
import { Problem } from "./problem.ts";
import { publicWords } from "./words.ts";

/** A provider, ready to be asked for one of its models. */
export interface Upstream {
  /** Its name in `providers`. */
  name: string;
  /** `null` leaves the caller's. */
  model: string | null;
  client: Chatwire;
  /** What `client` was made with. */
  options: ClientOptions;
  /** How its answers are read. */
  decoder: DecoderOptions;
}

/** Who gave a response: with fallbacks, only the one who fetched it knows. */
const senders = new WeakMap<Response, Upstream>();

/** @throws {ChatwireError} its options make no sense, or its key is missing */
export function upstreamOf(name: string, provider: ProviderOptions, model: string | null, limits?: Limits): Upstream {
  const host: Fetch = provider.fetch ?? ((url, init) => fetch(url, init));
  const options: ClientOptions = {
    ...provider,
    fetch: async (url, init) => {
      // A redirect is not followed: it would carry the key to an address nobody configured.
      const send = (init: Parameters<Fetch>[1]) => host(url, { ...init, redirect: "manual" } as typeof init);
      // Plans are for completions: looking at the list of models is free.
      const response = await (limits && init.method === "POST" ? limits.attempt(name, init, send) : send(init));
      senders.set(response, upstream);
      return response;
    },
  };
  const client = new Chatwire(options);
  const upstream: Upstream = { name, model, client, options, decoder: decoderOptions(provider) };
  return upstream;
}

/** The provider that gave this response of a client's. */
export function senderOf(response: Response): Upstream | undefined {
  return senders.get(response);
}

function decoderOptions({ provider, prices, endpoint, decoding }: ProviderOptions): DecoderOptions {
  const own = typeof provider === "object" ? provider : undefined;
  const known = prices ?? own?.prices;
  return {
    ...(typeof provider === "string" && { provider }),
    ...(own?.reasoning && { reasoning: own.reasoning }),
    ...(known && { prices: known }),
    ...(endpoint && { endpoint }),
    ...(decoding && { decoding }),
  };
}

/** What the caller is told of a failure before the answer. The provider's words pass only where they are about the request. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InvalidRequestError) {
    const [detail] = error.details;
    return new Problem(400, detail?.code ?? "invalid_request", error.message, { param: detail?.path.join(".") ?? "" });
  }
  // Nobody reads this one.
  if (error instanceof APIUserAbortError) return new Problem(499, "caller_left", "The caller left.");
  if (error instanceof APIConnectionTimeoutError) {
    return new Problem(504, "upstream_timeout", "The provider did not answer in time. Try again in a moment.");
  }
  if (error instanceof APIConnectionError) {
    return new Problem(502, "upstream_unreachable", "The provider could not be reached. Try again in a moment.");
  }
  if (!(error instanceof APIError) || error.status === undefined) {
    if (error instanceof RateLimitError) return limited(error, "This gateway's plan is used up for the moment.");
    // Errors of the package hold no secret; of others only the name is known to.
    console.error("chatwire/edge: a request could not be sent:", nameOf(error));
    return new Problem(
      500,
      "gateway_failed",
      "The gateway could not send this request. Who runs it finds more in its log.",
    );
  }
  return refusalOf(error, error.status);
}

function refusalOf(error: APIError, status: number): Problem {
  if (status === 401 || status === 403) {
    // The provider's own words may quote a part of the key, and the caller's token is not what was refused.
    const message = "The provider refused this gateway's key. Who runs it must check its secrets.";
    return new Problem(502, "provider_key_refused", message, { headers: { "x-should-retry": "false" } });
  }
  const ours = limitProblem(error);
  if (ours) return ours;
  if (error instanceof RateLimitError) return limited(error, "The provider is asked too often.");
  if (status < 400 || status >= 500) {
    return new Problem(502, "upstream_failed", "The provider failed. Try again in a moment.", {
      headers: waits(error),
    });
  }
  const message = publicWords(wordsOf(error)) ?? "The provider refused this request.";
  return new Problem(status, error.code ?? "upstream_refused", message, error.param ? { param: error.param } : {});
}

function limited(error: RateLimitError, otherwise: string): Problem {
  const headers = waits(error);
  if (error.retryAt !== undefined && !headers["retry-after"]) {
    headers["retry-after"] = String(Math.max(1, Math.ceil((error.retryAt - Date.now()) / 1000)));
  }
  return new Problem(429, error.code ?? "rate_limit_exceeded", publicWords(wordsOf(error)) ?? otherwise, { headers });
}

function nameOf(error: unknown): string {
  return error instanceof ChatwireError ? `${error.name}: ${error.message}` : String((error as Error | null)?.name);
}

function wordsOf({ error }: APIError): unknown {
  return (error as { message?: unknown } | undefined)?.message;
}

/** The headers that say when to come back. */
function waits({ headers }: APIError): Record<string, string> {
  const names = ["retry-after", "retry-after-ms", "x-should-retry"];
  return Object.fromEntries(names.flatMap((name) => (headers?.get(name) ? [[name, headers.get(name) as string]] : [])));
}
