/**
 * A caller's request: read within its limit, held to what its caller may ask for, and written anew for each provider.
 */
import type { ChatCompletionCreateParamsBase, Prices } from "chatwire";
import { Alarm } from "./alarm.ts";
import { joined } from "./bytes.ts";
import { isName } from "./checks.ts";
import type { Configuration, Route } from "./configuration.ts";
import { inletOf } from "./ends.ts";
import { type ExactJSON, parseExactly } from "./exact-json.ts";
import type { Grant, ProviderOptions, RequestLimits } from "./options.ts";
import { permitted } from "./parameters.ts";
import { Problem } from "./problem.ts";
import { promptsIn } from "./reservation.ts";
import { keysInOrder, type Upstream } from "./upstream.ts";

/** A request that may be sent. */
export interface ChatRequest {
  route: Route;
  /** As the caller named it, for the record. */
  model: string;
  /** The body as it came. */
  json: ExactJSON;
  /** The caller's parameters, with those that the gateway sets for every provider. */
  params: Params;
  /** The narrowest cap on the answer's tokens. */
  maxTokens: number | undefined;
  isStream: boolean;
  /** The caller did not ask for usage, and must not see it. */
  hidesUsage: boolean;
}

/** A request as one provider gets it. */
export interface ProviderRequest {
  params: ChatCompletionCreateParamsBase;
  /** The body's text, where it is not what `JSON.stringify` gives. */
  body: string | undefined;
  /** The model that is asked for; `null` where none is named. */
  model: string | null;
}

type Params = Record<string, unknown>;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Milliseconds that a request's body may take to arrive. */
const BODY_TIME = 120_000;

/**
 * @param alarm the request's, where it has one
 * @param empty what an empty body stands for, if it may be empty
 * @throws {Problem} 413, it is longer than allowed; 400, it is not a JSON object
 */
export async function readJSON(
  request: Request,
  limit: number,
  alarm?: Alarm,
  empty?: Params,
): Promise<ExactJSON & { value: Params }> {
  const bytes = await readBytes(request, limit, alarm);
  if (empty && bytes.length === 0) return { value: empty, print: () => undefined };
  let json: ExactJSON | undefined;
  try {
    json = parseExactly(utf8.decode(bytes));
  } catch {
    // Its own message would quote the body.
  }
  const value = json?.value;
  if (json && typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { ...json, value: value as Params };
  }
  throw new Problem(400, "invalid_json", 'The body is not a JSON object such as {"model": "...", "messages": [...]}.');
}

async function readBytes(request: Request, limit: number, alarm: Alarm | undefined): Promise<Uint8Array> {
  const tooLarge = () =>
    new Problem(413, "body_too_large", `The request is larger than the ${limit} bytes allowed. Send less history.`);
  const stated = Number(request.headers.get("content-length"));
  if (stated > limit) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let length = 0;
  let isLate = false;
  const inlet = request.body ? inletOf(request.body) : undefined;
  const late = () => {
    isLate = true;
    inlet?.cancel();
  };
  const own = alarm ?? new Alarm();
  own.set(late, BODY_TIME);
  try {
    for (;;) {
      const bytes = await inlet?.next();
      if (!bytes) break;
      length += bytes.length;
      if (length > limit) {
        inlet?.cancel();
        throw tooLarge();
      }
      // A read that only finds the end would be one more turn of the host. Without a stated length, a read may be empty.
      const isWhole = length === stated && length > 0;
      // The bytes of a read are good until the next.
      pieces.push(isWhole ? bytes : bytes.slice());
      if (isWhole) break;
    }
  } finally {
    alarm ? alarm.clear(late) : own.stop();
  }
  if (isLate) throw new Problem(408, "body_too_slow", "The request's body did not arrive in time. Send it again.");
  return joined(...pieces);
}

/** @throws {Problem} 404, no such model for this caller; 400, more is asked for than is allowed */
export function chatRequestOf(
  configuration: Configuration,
  grant: Grant,
  json: ExactJSON,
  { wantsUsage = false, documented }: { wantsUsage?: boolean; documented?: ReadonlySet<string> | undefined } = {},
): ChatRequest {
  const given = json.value as Params;
  const { model, route } = routeFor(configuration, grant, given.model);
  const limits = narrowed(configuration.limits, grant, route.limits);
  if (limits.tools === false) refuseTools(given);
  checkTypes(given);
  const policies = [configuration.parameters, route.parameters, grant.parameters];
  const params = Object.assign(permitted(given, policies, documented), route.params);
  checkChoices(params, limits);
  checkLengths(params, limits.maxTokens);
  const asked = params.stream_options as { include_usage?: unknown } | null | undefined;
  const isStream = params.stream === true;
  return {
    route,
    model: model || (route.upstreams[0].model ?? ""),
    json,
    params,
    maxTokens: limits.maxTokens,
    isStream,
    hidesUsage: isStream && !wantsUsage && asked?.include_usage !== true,
  };
}

/** The request for one provider: its name of the model, caps in the parameters it understands, and usage asked for. */
export function providerRequestOf(request: ChatRequest, upstream: Upstream): ProviderRequest {
  const { json, model, maxTokens, isStream } = request;
  const params: Params = { ...request.params };
  // A server that knows one model only may be asked without a name.
  const named = upstream.model ?? (model === "" ? undefined : model);
  if (named !== undefined) params.model = named;
  capTokens(params, maxTokens, upstream.lengthFields);
  if (!upstream.takesStreamOptions) delete params.stream_options;
  else if (isStream) params.stream_options = { ...(params.stream_options as object | null), include_usage: true };
  return {
    params: params as unknown as ChatCompletionCreateParamsBase,
    body: json.print(params),
    model: typeof params.model === "string" ? params.model : null,
  };
}

/** The same for an API that is passed through: only the model's name and the caps are the gateway's. */
export function providerBodyOf(
  request: ChatRequest & { path?: string },
  upstream: Upstream,
): { params: Params; body: string; model: string | null } {
  const { json, maxTokens, model } = request;
  const params: Params = { ...request.params };
  const named = upstream.model ?? (model === "" ? undefined : model);
  if (named !== undefined) params.model = named;
  if (maxTokens !== undefined) {
    for (const field of LENGTH_FIELDS) {
      if (typeof params[field] === "number") params[field] = Math.min(params[field] as number, maxTokens);
    }
    if (request.path === "/completions") params.max_tokens ??= maxTokens;
    else if (request.path === "/responses") params.max_output_tokens ??= maxTokens;
  }
  return { params, body: json.print(params) ?? JSON.stringify(params), model: named ?? null };
}

/** Prices of the models that a request may end at. */
function pricesOf({ route, model }: ChatRequest): (Prices | undefined)[] {
  return route.upstreams.map((upstream) => upstream.priceOf(upstream.model ?? model));
}

/** The models this caller may use, the default first; `null` for any. */
export function modelsFor({ routes }: Configuration, grant: Grant): string[] | null {
  if (!routes) return grant.models ? [...grant.models] : null;
  return [...routes.keys()].filter((name) => !grant.models || grant.models.includes(name));
}

function routeFor(configuration: Configuration, grant: Grant, given: unknown): { model: string; route: Route } {
  const names = modelsFor(configuration, grant);
  const name = given ?? names?.[0] ?? "";
  if (typeof name !== "string") throw new Problem(400, "invalid_type", "model must be a string.", { param: "model" });
  if (name !== "" && !isName(name)) {
    const message = "model must be a name of at most 256 characters, in one line.";
    throw new Problem(400, "invalid_value", message, { param: "model" });
  }
  const route = configuration.routes ? configuration.routes.get(name) : configuration.anyModel;
  if (route && (names === null || names.includes(name))) return { model: name, route };
  const advice = names?.length ? `Use one of these: ${names.join(", ")}.` : "This token may use no model.";
  throw new Problem(
    404,
    "model_not_found",
    `This gateway has no model of this name, or this token may not use it. ${advice}`,
    { param: "model" },
  );
}

/** The narrowest of what the gateway, the caller's token and the model allow. */
function narrowed(limits: RequestLimits, grant: Grant, route: Route["limits"]): RequestLimits {
  const caps = [limits.maxTokens, grant.maxTokens, route.maxTokens].filter((cap) => cap !== undefined);
  return {
    ...limits,
    ...(caps.length > 0 && { maxTokens: Math.min(...caps) }),
    tools: ![limits.tools, grant.tools, route.tools].includes(false),
  };
}

const TOOLS = ["tools", "functions", "tool_choice", "function_call", "web_search", "web_search_options"];

function refuseTools(params: Params): void {
  for (const name of TOOLS) {
    const value = params[name];
    const isNone = value === undefined || value === null || value === false || value === "none";
    if (isNone || (Array.isArray(value) && value.length === 0)) continue;
    throw new Problem(400, "tools_not_allowed", "Tools may not be used here.", { param: name });
  }
}

/** Servers differ in what they make of `"true"` or 1; an accident must not decide whether usage is counted. */
function checkTypes(params: Params): void {
  const { stream, stream_options: options } = params;
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    throw new Problem(400, "invalid_type", "stream must be true or false.", { param: "stream" });
  }
  if (options !== undefined && options !== null && (typeof options !== "object" || Array.isArray(options))) {
    throw new Problem(400, "invalid_type", "stream_options must be an object.", { param: "stream_options" });
  }
}

/** Servers read a number that is a text, or none, each in its own way: they would do more than was reserved. */
function checkChoices(params: Params, { choices, maxTokens }: RequestLimits): void {
  const n = params.n ?? 1;
  const most = choices ?? (maxTokens === undefined ? Number.POSITIVE_INFINITY : 1);
  const isWhole = Number.isSafeInteger(n) && (n as number) >= 1;
  if (!isWhole || (n as number) > most) {
    const message =
      most === Number.POSITIVE_INFINITY
        ? "n must be a whole number, 1 or more."
        : `n must be at most ${most} on this gateway.`;
    throw new Problem(400, isWhole ? "too_many_choices" : "invalid_value", message, { param: "n" });
  }
  if ((n as number) * promptsIn(params) <= most) return;
  const message = `The request asks for too many answers: at most ${most} are allowed. Send fewer prompts, or a smaller n.`;
  throw new Problem(400, "too_many_choices", message, { param: "prompt" });
}

/** Parameters for the longest answer, under all names that servers are known to have for it. */
const LENGTH_FIELDS = [
  ...["max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "n_predict", "num_predict"],
  ...["max_length", "max_gen_len", "max_gen_toks"],
] as const;

/** Without a cap, numbers below 1 pass: some servers read them as "no limit". */
function checkLengths(params: Params, cap: number | undefined): void {
  for (const field of LENGTH_FIELDS) {
    const wanted = params[field];
    if (wanted === undefined || wanted === null) continue;
    if (typeof wanted === "number" && Number.isFinite(wanted) && (cap === undefined || wanted >= 1)) continue;
    const message = cap === undefined ? `${field} must be a number.` : `${field} must be a number from 1 to ${cap}.`;
    throw new Problem(400, "invalid_value", message, { param: field });
  }
}

/**
 * Writes the lowest of the cap and the caller's own values into every parameter that the provider may go by. Without a cap
 * a parameter is renamed where the provider knows it by another name only.
 */
function capTokens(params: Params, cap: number | undefined, understood: readonly string[]): void {
  const { reasoning } = params as { reasoning?: { max_tokens?: unknown } | null };
  if (cap !== undefined && typeof reasoning?.max_tokens === "number" && reasoning.max_tokens > cap) {
    params.reasoning = { ...reasoning, max_tokens: cap };
  }
  const sent = LENGTH_FIELDS.filter((field) => typeof params[field] === "number");
  if (cap === undefined && (sent.length === 0 || sent.some((field) => understood.includes(field)))) return;
  const lowest = Math.min(...sent.map((field) => params[field] as number), cap ?? Number.POSITIVE_INFINITY);
  for (const field of LENGTH_FIELDS) delete params[field];
  for (const field of understood) params[field] = lowest;
}

/** The facts of a request that the limits have to know. */
export function limitsOf(request: ChatRequest): {
  model: string;
  provider: string;
  apiKey: ProviderOptions["apiKey"];
  params: Readonly<Record<string, unknown>>;
  prices: readonly (Prices | undefined)[];
} {
  const [first] = request.route.upstreams;
  const { params } = providerRequestOf(request, first);
  const [key] = keysInOrder(first);
  const { model } = request;
  const prices = pricesOf(request);
  return { model, provider: first.name, apiKey: key?.apiKey, params: params as unknown as Params, prices };
}
