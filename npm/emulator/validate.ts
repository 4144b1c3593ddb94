/**
 * The requests that the services refuse, read from their published pages and from nothing else.
 *
 * Each rule names the line it comes from. "openapi N" is a line of Electron's OpenAPI document (waves-v4, 1.0.0),
 * "page N" a line of Electron's reference page, "hub N" a line of ElectronHub's page on chat completions. A field that
 * no page mentions is accepted whatever it holds: "Most OpenAI Chat Completions request fields are accepted as
 * passthrough" (openapi 449).
 */
import type { Issue, Refusal } from "./errors.ts";
import type { Service } from "./ledger.ts";
import { isObject } from "./request.ts";

type Path = readonly string[];
type Check = (value: unknown, path: Path, issues: Issue[]) => void;

/** Electron's ceiling for prompt and answer together: openapi 394-395. */
export const CONTEXT_TOKENS = 32_768;

function issue(issues: Issue[], path: Path, code: string, message: string): void {
  issues.push({ code, message, path: [...path] });
}

function typed(expected: string, accepts: (value: unknown) => boolean): Check {
  return (value, path, issues) => {
    if (!accepts(value)) issue(issues, path, "invalid_type", `Expected ${expected}, received ${nameOf(value)}`);
  };
}

function nameOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

const string = typed("string", (value) => typeof value === "string");
const boolean = typed("boolean", (value) => typeof value === "boolean");
const object = typed("object", isObject);

function range(kind: "number" | "integer", minimum = -Infinity, maximum = Infinity): Check {
  const check = typed(kind, (value) => (kind === "integer" ? Number.isInteger(value) : typeof value === "number"));
  return (value, path, issues) => {
    const before = issues.length;
    check(value, path, issues);
    if (issues.length > before || typeof value !== "number") return;
    if (value < minimum) issue(issues, path, "too_small", `Must be at least ${minimum}`);
    if (value > maximum) issue(issues, path, "too_big", `Must be at most ${maximum}`);
  };
}

function oneOf(...values: string[]): Check {
  return (value, path, issues) => {
    if (typeof value === "string" && values.includes(value)) return;
    issue(issues, path, "invalid_value", `Must be one of ${values.map((each) => `"${each}"`).join(", ")}`);
  };
}

function list(item: Check): Check {
  return (value, path, issues) => {
    if (!Array.isArray(value)) return issue(issues, path, "invalid_type", `Expected array, received ${nameOf(value)}`);
    value.forEach((each, index) => {
      item(each, [...path, String(index)], issues);
    });
  };
}

function fields(optional: Record<string, Check>, required: Record<string, Check> = {}): Check {
  return (value, path, issues) => {
    if (!isObject(value)) return issue(issues, path, "invalid_type", `Expected object, received ${nameOf(value)}`);
    for (const [name, check] of Object.entries(required)) {
      if (value[name] === undefined) issue(issues, [...path, name], "required", `"${name}" is required`);
      else check(value[name], [...path, name], issues);
    }
    for (const [name, check] of Object.entries(optional)) {
      if (value[name] !== undefined) check(value[name], [...path, name], issues);
    }
  };
}

function refused(reason: string): Check {
  return (_value, path, issues) => issue(issues, path, "unsupported_parameter", reason);
}

// openapi 237-250, with the function's members from 225-236. `arguments` is "JSON-encoded" (232) but a string that is
// not JSON is not among the documented refusals.
const toolCall = fields(
  {},
  { id: string, type: oneOf("function"), function: fields({}, { name: string, arguments: string }) },
);

const electronMessage: Check = (value, path, issues) => {
  fields(
    { tool_calls: list(toolCall), tool_call_id: string }, // openapi 268-274
    { role: oneOf("system", "user", "assistant", "tool") }, // openapi 254-257, required by 275-276
  )(value, path, issues);
  if (!isObject(value)) return;

  // openapi 261-264: a string or null; lists of parts are not in the schema.
  // openapi 265-267: null only on an assistant message that carries tool_calls. A missing content says as little as
  // null, so it is held to the same rule.
  const content = value.content ?? null;
  const carriesCalls = value.role === "assistant" && Array.isArray(value.tool_calls) && value.tool_calls.length > 0;
  if (content !== null) string(content, [...path, "content"], issues);
  else if (!carriesCalls) {
    issue(issues, [...path, "content"], "invalid_type", "May be null only on an assistant message with tool_calls");
  }
  // openapi 272-274
  if (value.role === "tool" && value.tool_call_id === undefined) {
    issue(issues, [...path, "tool_call_id"], "required", '"tool_call_id" is required when role is "tool"');
  }
};

// The document contradicts itself: its schema has the flat shape (openapi 297-312), its prose says "Standard OpenAI
// shape" (openapi 408), which is nested. Both are accepted; a name is required in either (openapi 309-311).
const tool: Check = (value, path, issues) => {
  const members = { description: string, parameters: object }; // openapi 304-308
  if (isObject(value) && value.function !== undefined) {
    fields({}, { type: oneOf("function"), function: fields(members, { name: string }) })(value, path, issues);
  } else fields(members, { type: oneOf("function"), name: string })(value, path, issues);
};

const toolChoice: Check = (value, path, issues) => {
  // openapi 313-318 for the words, 325-343 for the object
  if (typeof value === "string") oneOf("auto", "required", "none")(value, path, issues);
  else fields({}, { type: oneOf("function"), function: fields({}, { name: string }) })(value, path, issues);
};

// openapi 363-369
const stop: Check = (value, path, issues) => {
  if (typeof value !== "string") list(string)(value, path, issues);
};

// openapi 424-428: a map from strings to numbers
const logitBias: Check = (value, path, issues) => {
  object(value, path, issues);
  if (!isObject(value)) return;
  for (const [token, bias] of Object.entries(value)) range("number")(bias, [...path, token], issues);
};

// openapi 141-142, 450: "n > 1" is rejected, and nothing else about n is said
const single: Check = (value, path, issues) => {
  if (typeof value === "number" && value > 1)
    refused("n > 1 is not supported; send several requests")(value, path, issues);
};

const electronBody = fields(
  {
    temperature: range("number", 0, 2), // openapi 381-385, page 204
    top_p: range("number", 0, 1), // openapi 386-390, page 206
    max_tokens: range("integer", 1), // openapi 391-395, page 208
    stream: boolean, // openapi 396-401
    stream_options: fields({ include_usage: boolean }), // openapi 278-286
    tools: list(tool), // openapi 404-412
    tool_choice: toolChoice, // openapi 344-348
    response_format: fields({ type: oneOf("text", "json_object") }), // openapi 349-362: json_schema is not there
    stop, // openapi 363-369
    seed: range("integer"), // openapi 421-423
    logit_bias: logitBias, // openapi 424-428
    logprobs: boolean, // openapi 429-431
    top_logprobs: range("integer", 0, 20), // openapi 432-433, page 233
    presence_penalty: range("number", -2, 2), // openapi 434-437, page 234
    frequency_penalty: range("number", -2, 2), // openapi 438-441, page 235
    user: string, // openapi 442-444
    n: single, // openapi 141-142, 450
    prompt_logprobs: refused("prompt_logprobs is not supported"), // openapi 141-142, 450
  },
  {
    model: string, // openapi 373-375, required by 445-446; which names, see below
    messages: list(electronMessage), // openapi 376-380, required by 445-447
  },
);

const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh"] as const; // hub 131, 345-351

const hubBody = fields(
  {
    max_tokens: range("integer"), // hub 294-295; no range is given
    temperature: range("number", 0, 2), // hub 305
    top_p: range("number", 0, 1), // hub 312
    top_k: range("integer"), // hub 313-314
    frequency_penalty: range("number", -2, 2), // hub 321
    presence_penalty: range("number", -2, 2), // hub 325
    stream: boolean, // hub 288-289
    tools: list(object), // hub 326-327
    tool_choice: oneOf("none", "auto"), // hub 331-334
    web_search: boolean, // hub 59, 336
    thinking: object, // hub 338-339
    reasoning_effort: oneOf(...EFFORTS), // hub 340-351
    reasoning: fields({
      effort: oneOf(...EFFORTS), // hub 135
      exclude: boolean, // hub 136
      delta_field: oneOf("reasoning", "reasoning_content"), // hub 137
    }),
    reasoning_delta_field: oneOf("reasoning", "reasoning_content"), // hub 357-364
    reasoning_content_compat: boolean, // hub 365-366
  },
  {
    model: string, // hub 272-274
    messages: list(object), // hub 282-284
  },
);

/**
 * Everything wrong with a request body, or an empty list.
 *
 * `models` are the names Electron answers to ("Currently only "electron"", openapi 375); ElectronHub takes any (hub 147).
 */
export function validate(service: Service, body: unknown, models: readonly string[]): Issue[] {
  const issues: Issue[] = [];
  (service === "electron" ? electronBody : hubBody)(body, [], issues);
  if (service === "electron" && isObject(body) && typeof body.model === "string" && !models.includes(body.model)) {
    const known = models.map((name) => `"${name}"`).join(", ");
    issue(issues, ["model"], "invalid_value", `Unknown model; available: ${known}`);
  }
  return issues;
}

/** The refusal for a list of issues (openapi 167-171). */
export function validationRefusal(details: Issue[]): Refusal {
  const [first] = details;
  const where = first?.path.join(".") || "body";
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : "";
  return {
    status: 400,
    message: `Request validation failed: ${where}: ${first?.message ?? "invalid"}${more}`,
    details,
  };
}

/** Refuses a prompt that, with the answer asked for, exceeds the context: openapi 171 and 394-395. */
export function contextRefusal(promptTokens: number, maxTokens: number | undefined): Refusal | null {
  const wanted = promptTokens + (maxTokens ?? 1);
  if (wanted <= CONTEXT_TOKENS) return null;
  const answer = maxTokens === undefined ? "no room for an answer" : `${maxTokens} for the answer`;
  const message = `The context of ${CONTEXT_TOKENS} tokens is exceeded: ${promptTokens} in the prompt, ${answer}`;
  return { status: 400, message, details: [{ code: "context_length_exceeded", message, path: ["messages"] }] };
}
