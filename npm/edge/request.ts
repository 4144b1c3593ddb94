/**
 * A caller's request: read within its limit, held to what it may ask for, and addressed to a provider.
 */
import type { ChatCompletionCreateParamsBase } from "chatwire";
import { joined } from "./bytes.ts";
import type { Configuration, Route } from "./configuration.ts";
import type { Grant, RequestLimits } from "./options.ts";
import { Problem } from "./problem.ts";

/** A request that may be sent. */
export interface Wish {
  route: Route;
  /** As the caller named it, for the record. */
  model: string;
  params: ChatCompletionCreateParamsBase;
  /** The caller did not ask for usage, and must not see it. */
  hidesUsage: boolean;
}

type Params = Record<string, unknown>;

/** @throws {Problem} 413, it is longer than allowed; 400, it is not a JSON object */
export async function readParams(request: Request, limit: number): Promise<Params> {
  const bytes = await readBytes(request, limit);
  let params: unknown;
  try {
    params = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // Its own message would quote the body.
  }
  if (typeof params === "object" && params !== null && !Array.isArray(params)) return params as Params;
  throw new Problem(400, "invalid_json", 'The body is not a JSON object such as {"model": "...", "messages": [...]}.');
}

async function readBytes(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new Problem(413, "body_too_large", `The request is larger than the ${limit} bytes allowed. Send less history.`);
  if (Number(request.headers.get("content-length")) > limit) throw tooLarge();
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done || !value) break;
    length += value.byteLength;
    if (length > limit) {
      reader?.cancel().catch(() => {});
      throw tooLarge();
    }
    pieces.push(value);
  }
  return joined(...pieces);
}

/** @throws {Problem} 404, no such model for this caller; 400, more is asked for than is allowed */
export function wishOf(configuration: Configuration, grant: Grant, given: Params): Wish {
  const { model, route } = routeFor(configuration, grant, given.model);
  const { model: upstreamModel } = route.first;
  const params = { ...given, ...route.params } as Params;
  // Those who know one model only may leave it out.
  const named = upstreamModel ?? (model === "" ? undefined : model);
  if (named !== undefined) params.model = named;

  const limits = narrowed(configuration.limits, grant, route.limits);
  if (limits.tools === false) refuseTools(params);
  checkChoices(params, limits);
  if (limits.maxTokens !== undefined) capTokens(params, limits.maxTokens, usesNewName(route));

  const asked = params.stream_options as { include_usage?: unknown } | null | undefined;
  const hidesUsage = params.stream === true && asked?.include_usage !== true;
  if (hidesUsage) params.stream_options = { ...asked, include_usage: true };
  return {
    route,
    model: model || (upstreamModel ?? ""),
    params: params as unknown as ChatCompletionCreateParamsBase,
    hidesUsage,
  };
}

/** The models this caller may use, the default first; `null` for any. */
export function modelsFor({ routes }: Configuration, grant: Grant): string[] | null {
  if (!routes) return grant.models ? [...grant.models] : null;
  return [...routes.keys()].filter((name) => !grant.models || grant.models.includes(name));
}

function routeFor(configuration: Configuration, grant: Grant, given: unknown): { model: string; route: Route } {
  const names = modelsFor(configuration, grant);
  const name = given ?? names?.[0] ?? "";
  if (typeof name !== "string") throw new Problem(400, "invalid_type", "model is a string.", { param: "model" });
  const route = configuration.routes ? configuration.routes.get(name) : configuration.anyModel;
  if (route && (names === null || names.includes(name))) return { model: name, route };
  const advice = names?.length ? `Use one of these: ${names.join(", ")}.` : "None is allowed for this token.";
  throw new Problem(404, "model_not_found", `There is no such model here. ${advice}`, { param: "model" });
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

function checkChoices({ n }: Params, { choices, maxTokens }: RequestLimits): void {
  const most = choices ?? (maxTokens === undefined ? undefined : 1);
  if (most === undefined || n === undefined || n === null) return;
  if (typeof n === "number" && n <= most) return;
  throw new Problem(400, "too_many_choices", `n is at most ${most} here.`, { param: "n" });
}

const TOKEN_FIELDS = ["max_tokens", "max_completion_tokens"] as const;

function capTokens(params: Params, cap: number, usesNewName: boolean): void {
  let isNamed = false;
  for (const field of TOKEN_FIELDS) {
    const wanted = params[field];
    if (wanted === undefined || wanted === null) continue;
    // Some servers read -1, or a text, as "no limit".
    if (typeof wanted !== "number" || !(wanted >= 1)) {
      throw new Problem(400, "invalid_value", `${field} is a number from 1 to ${cap}.`, { param: field });
    }
    params[field] = Math.min(wanted, cap);
    isNamed = true;
  }
  if (!isNamed) params[usesNewName ? "max_completion_tokens" : "max_tokens"] = cap;
}

/** OpenAI's newer models refuse `max_tokens`; others may not know its successor. */
function usesNewName({ first }: Route): boolean {
  return first.options.provider === "openai";
}
