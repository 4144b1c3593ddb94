/**
 * Which parameters of a request pass, and with which values.
 *
 * Services know parameters that choose another model (`models`, `route`, `fallbacks`), a price (`service_tier`), a tool
 * (`plugins`, `mcp_servers`, `enable_search`) or an address (`api_base`), and invent more of them each month. So a list of
 * those that are harmless is kept here, and everything else has to be allowed by name.
 */

import type { ParameterPolicy } from "./options.ts";
import { Problem } from "./problem.ts";
import { checkDepth, MAX_DEPTH, referenceIn } from "./references.ts";

type Params = Record<string, unknown>;

/** The chat API's own parameters, and those for sampling that most servers share: they choose no model, price or tool. */
const DOCUMENTED: ReadonlySet<string> = new Set([
  ...["model", "messages", "stream", "stream_options", "n", "stop", "seed", "user"],
  ...["max_tokens", "max_completion_tokens"],
  ...["temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"],
  ...["response_format", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"],
  ...["reasoning_effort", "verbosity", "modalities", "audio", "prediction", "metadata"],
  ...["safety_identifier", "prompt_cache_key", "prompt_cache_retention"],
  ...["top_k", "min_p", "top_a", "repetition_penalty"],
  ...["reasoning", "reasoning_delta_field", "reasoning_content_compat"],
]);

/** Parameters with schemas and labels, in which a name is the caller's own. Tools have a check of their own. */
const UNSEARCHED: ReadonlySet<string> = new Set([
  ...["tools", "functions", "response_format", "text", "metadata", "logit_bias", "tool_choice", "function_call"],
]);

/** Tools that run at the caller. Others run at the provider: they cost money, and some connect to any address they are given. */
const OWN_TOOLS: ReadonlySet<unknown> = new Set(["function", "custom", undefined]);

/**
 * The policies of the gateway, the route and the grant; each can only narrow the one before.
 */
export type Policies = readonly (ParameterPolicy | undefined)[];

/**
 * The parameters as they may be sent on.
 * @param documented those that pass without being allowed
 * @throws {Problem} 400, one is not allowed
 */
export function permitted(given: Params, policies: Policies, documented = DOCUMENTED): Params {
  const set = policies.filter((policy) => policy !== undefined);
  const defaults = Object.assign({}, ...set.map((policy) => policy.defaults)) as Params;
  const forced = Object.assign({}, ...set.map((policy) => policy.force)) as Params;
  for (const name of Object.keys(given)) {
    if (given[name] === undefined || given[name] === null || Object.hasOwn(forced, name)) continue;
    // `store: false` protects the caller, so that it always passes.
    if (name === "store" && given.store === false) continue;
    if (!isAllowed(name, set, documented)) throw notAllowed(name, "");
    if (name === "input" || name === "messages") checkItems(given[name], set);
    if (!documented.has(name) || UNSEARCHED.has(name)) nested(name, () => checkDepth(given[name]));
    else checkReferences(name, given[name], set);
    if (name === "tools") checkTools(given.tools, set);
    if (name === "tool_choice") checkToolChoice(given.tool_choice, set);
  }
  const params: Params = { ...given };
  for (const [name, value] of Object.entries(defaults)) params[name] ??= value;
  return Object.assign(params, forced);
}

/** Denied by no policy; and documented, or allowed by one. */
function isAllowed(
  name: string,
  policies: readonly ParameterPolicy[],
  documented: ReadonlySet<string> = DOCUMENTED,
): boolean {
  if (policies.some(({ deny }) => deny?.includes(name))) return false;
  if (documented.has(name)) return true;
  return policies.some(({ allow }) => allow === "any" || allow?.includes(name));
}

/** The members of a tool that runs at the caller: some services take tools of their own by another member. */
const TOOL_MEMBERS: ReadonlySet<string> = new Set([
  ...["type", "function", "custom", "name", "description", "parameters", "strict", "format", "cache_control"],
]);

function checkTools(tools: unknown, policies: readonly ParameterPolicy[]): void {
  if (!Array.isArray(tools)) throw new Problem(400, "invalid_type", "tools must be a list.", { param: "tools" });
  for (const tool of tools) checkTool("tools", tool, policies);
}

/** A choice names a tool, or lists those that may be called. */
function checkToolChoice(choice: unknown, policies: readonly ParameterPolicy[]): void {
  if (typeof choice === "string") return;
  const { type, allowed_tools: allowed, tools } = (choice ?? {}) as Record<string, unknown>;
  const listed = type === "allowed_tools" ? (tools ?? (allowed as { tools?: unknown } | null)?.tools) : [choice];
  if (!Array.isArray(listed)) {
    throw new Problem(400, "invalid_type", "tool_choice must list tools.", { param: "tool_choice" });
  }
  for (const tool of listed) checkTool("tool_choice", tool, policies);
}

/** @throws {Problem} 400, the parameter names something outside of the request */
function checkReferences(param: string, value: unknown, policies: readonly ParameterPolicy[]): void {
  const found = nested(param, () => referenceIn(value, (name) => isAllowed(`${param}.${name}`, policies)));
  if (found === undefined) return;
  throw notAllowed(
    param,
    ` with ${found === "item_reference" ? "a reference" : JSON.stringify(found.slice(0, 64))}`,
    `${param}.${found}`,
  );
}

/** @throws {Problem} 400, a value is nested too deeply */
function nested<T>(param: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Problem(400, "invalid_value", `A value is nested too deeply: at most ${MAX_DEPTH} levels pass.`, {
      param,
    });
  }
}

/** Some items of a conversation bring tools. */
function checkItems(items: unknown, policies: readonly ParameterPolicy[]): void {
  if (!Array.isArray(items)) return;
  for (const item of items) {
    const { tools } = (typeof item === "object" && item !== null ? item : {}) as { tools?: unknown };
    if (tools !== undefined && tools !== null) checkTools(tools, policies);
  }
}

function checkTool(param: string, tool: unknown, policies: readonly ParameterPolicy[]): void {
  if (typeof tool !== "object" || tool === null || Array.isArray(tool)) {
    throw new Problem(400, "invalid_type", `${param} must list tools such as {"type": "function", "function": {…}}.`, {
      param,
    });
  }
  const { type } = tool as { type?: unknown };
  if (typeof type === "string" && !OWN_TOOLS.has(type) && isAllowed(`tools.${type}`, policies)) {
    if (param === "tools") checkReferences(param, tool, policies);
    return;
  }
  if (!OWN_TOOLS.has(type)) throw notAllowed(param, ` of type ${JSON.stringify(String(type).slice(0, 40))}`);
  const other = Object.keys(tool).find((name) => !TOOL_MEMBERS.has(name));
  if (other !== undefined && !isAllowed(`tools.${other}`, policies)) {
    throw notAllowed(param, ` with ${JSON.stringify(other.slice(0, 40))}`);
  }
}

function notAllowed(name: string, detail: string, entry = name): Problem {
  const shown = name.slice(0, 64);
  const message = `The parameter ${JSON.stringify(shown)}${detail} is not allowed here: this gateway passes the documented parameters that choose no model, price or tool and name nothing that the provider has stored, and others where its \`parameters\` allow them (${JSON.stringify(entry.slice(0, 100))}). Leave it out.`;
  return new Problem(400, "parameter_not_allowed", message, { param: shown });
}
