/**
 * The loop of `runTools`: a turn of the model, its tool calls, and so on until it answers without calling any.
 *
 * Loaded when the first run starts, so that pages without tools do not carry it.
 */
import { LONGEST_MS } from "../engine/boundary.ts";
import { aborted, ChatwireError, errorOf, toError, unopened, unsent, withOutcome } from "../errors.ts";
import { OF_CALLS, refuseUnknown } from "../request/own-options.ts";
import { bothUsages } from "../stream/both-usages.ts";
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionFunctionTool,
  ChatCompletionMessageParam,
  Outcome,
  ToolCall,
  Usage,
} from "../types.ts";
import { check, inWords, jsonSchemaOf, own, wordsOf } from "./schema.ts";
import type { Schema } from "./schema-shapes.ts";
import type { PreparedStep, RunnableTool, ToolRunEvent, ToolRunOutcome, ToolRunState } from "./shapes.ts";
import { failed, type Result, told } from "./told.ts";

const MAX_STEPS = 10;
const CONCURRENCY = 4;
const NO_ARGUMENTS = { type: "object", properties: {} };

/** A tool, whichever way it was written. */
interface Tool {
  name: string;
  definition: ChatCompletionFunctionTool;
  schema: Schema;
  timeout: number | undefined;
  /** The arguments' text as a value. */
  parse(text: string): unknown;
  execute: RunnableTool["execute"];
}

/** The result that the model is told of a call that was not run. */
const NOT_RUN: Result = failed("This call was not run: the run was aborted first.");
/** The result of a call that was begun and not finished: the tool may have had its effect. */
const CUT: Result = failed(
  "This call was not run to its end: the run was aborted meanwhile. Whether the call has had an effect is not known.",
);

/** How a run ended: the model answered, its reader left, or something went wrong. */
type End = ChatwireError | "answered" | "left";

/** Drives a run, and settles its outcome. */
export async function* toolLoop(
  state: ToolRunState,
  settle: (outcome: ToolRunOutcome) => void,
): AsyncGenerator<ToolRunEvent, void, void> {
  const { controller } = state;
  const { signal } = state.options;
  const leave = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  let end: End = "left";
  let outcome: ToolRunOutcome;
  try {
    yield* turns(state);
    end = "answered";
  } catch (error) {
    end = toError(error);
  } finally {
    signal?.removeEventListener("abort", leave);
    if (end === "left") controller.abort();
    // Messages that were added too late for a turn stay in the conversation.
    state.messages.push(...state.added.splice(0));
    outcome = sumOf(state, end);
    state.outcome = outcome;
    settle(outcome);
  }
  if (outcome.status !== "complete" && outcome.status !== "aborted") throw errorOf(outcome);
}

/** The turns of a run. */
async function* turns(state: ToolRunState): AsyncGenerator<ToolRunEvent, void, void> {
  const { options, messages, steps, added } = state;
  const { signal } = state.controller;
  refuseUnknown(options, ["maxSteps", "concurrency", "toolTimeout", "approve", "stopWhen", "prepareStep"], OF_CALLS);
  const {
    maxSteps = MAX_STEPS,
    concurrency = CONCURRENCY,
    toolTimeout,
    approve,
    stopWhen = [],
    prepareStep,
    signal: _,
    // A turn is sent back whole.
    accumulate: _kept,
    ...request
  } = options;
  const tools = toolsOf(state);
  const atLeastOne = { maxSteps, concurrency };
  for (const [name, count] of Object.entries(atLeastOne)) {
    if (!(count >= 1)) throw unsent("invalid_option", `${name} is a number, at least 1`, name);
  }
  checkTime("toolTimeout", toolTimeout);
  for (const { name, timeout } of tools.values()) checkTime("timeout", timeout, name);
  // Usage is asked for, unless the caller said otherwise.
  const asksUsage = state.params.stream_options === undefined && (await state.takesUsage());
  const asked = asksUsage ? { stream_options: { include_usage: true } } : {};
  for (let step = 0; step < maxSteps; step++) {
    messages.push(...added.splice(0));
    const prepare = () =>
      own("prepareStep", async () =>
        prepareStep?.({ step, stepNumber: step, steps: [...steps], messages: [...messages] }),
      );
    const prepared = prepareStep && (await within(undefined, signal, prepare));
    const { activeTools } = prepared ?? {};
    const active = new Map([...tools].filter(([name]) => activeTools?.includes(name) ?? true));
    const params = { ...asked, ...paramsOf(state, [...active.values()], step, prepared ?? {}) };
    const stream = state.open(params, { ...request, signal });
    let at = -1;
    state.cut = (heard) => {
      stream.abort({ heard });
      const message = steps.at(-1)?.message;
      if (message && at >= 0) messages[at] = message;
      if (state.outcome) state.outcome.message = message ?? null;
    };
    try {
      for await (const event of stream.events) yield Object.assign(event, { step });
    } finally {
      steps.push(await stream.outcome());
    }
    const outcome = steps.at(-1) as Outcome;
    if (outcome.status === "aborted") throw errorOf(outcome);
    const { toolCalls } = outcome;
    const { message } = outcome;
    if (toolCalls.length === 0) {
      at = messages.length;
      if (message) messages.push(message);
      if (added.length > 0) continue;
      return;
    }
    const ids = uniqueIds(toolCalls, messages);
    state.cut = undefined;

    // A result counts as soon as it is there, whether its event has been read or not.
    const results: Result[] = [];
    const resultOf = async (call: ToolCall, at: number) => {
      const result = await run(call, active, step, (known) => {
        results[at] = known;
      });
      if (!signal.aborted) results[at] = result;
      return results[at] ?? NOT_RUN;
    };
    try {
      for await (const [at, result] of atMost(concurrency, toolCalls, resultOf)) {
        const { id, name } = toolCalls[at] as ToolCall;
        yield { type: "tool_result", step, id, name, ...result };
      }
    } finally {
      // A turn comes with the answers to all its calls, however the run is left: no server takes one without the other, and
      // `messages` may be looked at while tools run.
      if (message) messages.push(turnOf(message, toolCalls, ids, tools));
      for (const [at, id] of ids.entries()) {
        messages.push({ role: "tool", tool_call_id: id, content: (results[at] ?? NOT_RUN).content });
      }
    }
    if (signal.aborted) throw aborted(signal.reason);
    const conditions = typeof stopWhen === "function" ? [stopWhen] : stopWhen;
    const met = () =>
      own("stopWhen", async () => Promise.all(conditions.map((condition) => condition({ steps: [...steps] }))));
    if ((await within(undefined, signal, met)).some(Boolean)) return;
  }
  throw new ChatwireError(
    `The model still called tools after ${maxSteps} turns. Raise maxSteps, or look at what the tools tell it.`,
  );

  /** @param note called with the result as far as it is known while the call runs */
  async function run(
    call: ToolCall,
    active: ReadonlyMap<string, Tool>,
    step: number,
    note: (known: Result) => void,
  ): Promise<Result> {
    const tool = toolFor(call.name, active);
    if (!tool) return failed(`There is no tool named "${call.name}". ${namesOf(active)}`);
    const { id } = call;
    if (!call.complete) {
      return failed(`The arguments are not complete JSON: ${call.arguments.slice(0, 200)}. Call the tool again.`);
    }
    try {
      // A check or an approval may never settle; an abort does not wait for it.
      const verdict = await within(undefined, signal, async () => {
        const checked = await check(tool.schema, call.custom ? call.arguments : tool.parse(call.arguments));
        if ("problems" in checked) return failed(`The arguments do not fit. ${inWords(checked.problems)}`);
        // A function that returns nothing has not allowed the call.
        const leave = !approve || (await approve({ id, name: tool.name, arguments: checked.value, step }));
        return leave === true
          ? checked
          : failed(`This call was not allowed. ${typeof leave === "string" ? leave : ""}`.trim());
      });
      if ("failed" in verdict) return verdict;
      return await within(tool.timeout ?? toolTimeout, signal, async (own) => {
        note(CUT);
        const result = told(await tool.execute(verdict.value, { id, step, signal: own }));
        if (!own.aborted) note(result);
        return result;
      });
    } catch (error) {
      return failed(wordsOf(error));
    }
  }
}

/** The parameters of one turn. */
function paramsOf(
  { params, messages }: ToolRunState,
  active: readonly Tool[],
  step: number,
  { activeTools: _activeTools, toolChoice, ...prepared }: PreparedStep,
): ToolRunState["params"] & { messages: ChatCompletionMessageParam[]; tools?: ChatCompletionFunctionTool[] } {
  const { tools: _, tool_choice, parallel_tool_calls, ...rest } = params;
  const definitions = active.map(({ definition }) => definition);
  // A forced choice of tool holds for the first turn: forced again, the model would never answer.
  const { tool_choice: chosen = choiceOf(toolChoice), parallel_tool_calls: inParallel, ...changed } = prepared;
  const wanted = chosen ?? (step === 0 ? tool_choice : unforced(tool_choice));
  // No server takes a choice that names a tool which the turn does not have.
  const forced = (wanted as { function?: { name?: string } } | undefined)?.function?.name;
  const choice = forced === undefined || active.some(({ name }) => name === forced) ? wanted : undefined;
  const parallel = inParallel ?? parallel_tool_calls;
  const forTools = {
    ...(choice !== undefined && { tool_choice: choice }),
    ...(parallel !== undefined && { parallel_tool_calls: parallel }),
    tools: definitions,
  };
  const turn = { ...rest, messages: [...messages], ...(definitions.length > 0 && forTools), ...changed };
  return turn as ReturnType<typeof paramsOf>;
}

/** A choice of tools in the AI SDK's words. */
function choiceOf(choice: PreparedStep["toolChoice"]): ToolRunState["params"]["tool_choice"] {
  if (typeof choice !== "object") return choice;
  return { type: "function", function: { name: choice.toolName } };
}

/** A choice of tools that leaves the model the choice. */
function unforced(choice: ToolRunState["params"]["tool_choice"]): ToolRunState["params"]["tool_choice"] {
  const { type, allowed_tools } = (choice ?? {}) as { type?: string; allowed_tools?: object };
  // The choice may be a word, or an object whose type is the word.
  if (["auto", "none"].includes(type ?? String(choice))) return choice;
  const allowed = { type: "allowed_tools", allowed_tools: { ...allowed_tools, mode: "auto" } };
  return type === "allowed_tools" ? (allowed as unknown as typeof choice) : undefined;
}

/** Ids that no call of the conversation has had: some servers begin anew with each turn. */
function uniqueIds(calls: readonly ToolCall[], messages: readonly ChatCompletionMessageParam[]): string[] {
  const taken = new Set<string>();
  for (const message of messages) if (message.role === "tool") taken.add(message.tool_call_id);
  return calls.map(({ id }) => {
    let unique = id;
    for (let count = 2; taken.has(unique); count++) unique = `${id}_${count}`;
    taken.add(unique);
    return unique;
  });
}

/** The model's turn as it is sent back: its calls by these ids and by names that servers take, and JSON for arguments that were none. */
function turnOf(
  message: ChatCompletionAssistantMessageParam,
  calls: readonly ToolCall[],
  ids: readonly string[],
  tools: ReadonlyMap<string, Tool>,
): ChatCompletionAssistantMessageParam {
  const sent = message.tool_calls?.map((call, at) => {
    const isWhole = calls[at]?.complete !== false;
    const sent = { ...call, id: ids[at] ?? call.id };
    if (!("function" in sent)) return sent;
    const { name } = sent.function;
    const known = toolFor(name, tools)?.name ?? (name.replace(/[^\w-]/g, "_").slice(0, 64) || "unknown");
    return { ...sent, function: { ...sent.function, name: known, ...(!isWhole && { arguments: "{}" }) } };
  });
  return { ...message, ...(sent && { tool_calls: sent }) } as ChatCompletionAssistantMessageParam;
}

/** The tool that is meant: by its name, or by the one that is the same but for case, prefix and punctuation. */
function toolFor(name: string, tools: ReadonlyMap<string, Tool>): Tool | undefined {
  const letters = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  // functions.add, default_api:add, tools/add, math->add, mcp__math__add, and add:0 for the first call
  const bare =
    name
      .replace(/:\d+$/, "")
      .split(/[.:/>]|__/)
      .at(-1) ?? name;
  const exact = tools.get(name) ?? tools.get(bare);
  if (exact) return exact;
  for (const wanted of [letters(name), letters(bare)]) {
    const alike = [...tools.values()].filter((tool) => letters(tool.name) === wanted);
    if (alike.length === 1) return alike[0];
  }
  return undefined;
}

function namesOf(tools: ReadonlyMap<string, Tool>): string {
  return tools.size > 0 ? `The tools are: ${[...tools.keys()].join(", ")}.` : "There are no tools.";
}

/**
 * The tools by name.
 * @throws {InvalidRequestError} there are none, one cannot run, or two have the same name
 */
function toolsOf({ params }: ToolRunState): Map<string, Tool> {
  const given: unknown = params?.tools;
  if (!Array.isArray(given)) throw wrong("tools must be a list of tools with an execute function");
  const tools = new Map<string, Tool>();
  for (const [at, one] of given.entries()) {
    const tool = toTool(one, String(at));
    if (tools.has(tool.name)) throw wrong(`two tools are named "${tool.name}"`, String(at));
    tools.set(tool.name, tool);
  }
  return tools;
}

function wrong(message: string, ...path: string[]): ChatwireError {
  return unsent("invalid_tool", message, "tools", ...path);
}

/**
 * The definition that the model gets of a tool: of a tool in the shape of openai, all members but those that only this package
 * reads.
 */
const OURS = ["function", "parse"];
const TOLD = ["name", "description", "strict"];

function toTool(given: unknown, at: string): Tool {
  if (typeof given !== "object" || given === null) throw wrong("a tool is an object with an execute function", at);
  const { type, function: nested, ...beside } = given as Record<string, unknown>;
  if (type !== undefined && type !== "function") {
    throw wrong(`a tool of type "${String(type)}" cannot be run here: only functions can`, at);
  }
  const isNested = typeof nested === "object" && nested !== null;
  const said = (isNested ? nested : given) as Partial<RunnableTool> & { parse?: Tool["parse"]; function?: unknown };
  const run = isNested ? said.function : said.execute;
  const name = said.name ?? (run as { name?: string } | undefined)?.name;
  if (!name || typeof name !== "string") throw wrong("a tool has no name", at);
  const { parse } = said;
  if (typeof run !== "function" || (isNested && parse !== undefined && typeof parse !== "function")) {
    throw wrong(`the tool "${name}" has no function to run: give it ${isNested ? "function" : "execute"}`, at);
  }
  const parameters = said.parameters ?? NO_ARGUMENTS;
  const isTold = (key: string) => (isNested ? !OURS.includes(key) : TOLD.includes(key));
  const sent = Object.fromEntries(Object.entries(said).filter(([key]) => isTold(key)));
  const definition = { ...sent, name, parameters: jsonSchemaOf(parameters as Schema) };
  return {
    name,
    definition: { ...(isNested && beside), type: "function", function: definition },
    schema: parameters as Schema,
    timeout: isNested ? undefined : said.timeout,
    parse: (isNested && parse) || ((text) => JSON.parse(text || "{}")),
    execute: run.bind(isNested ? nested : given) as RunnableTool["execute"],
  };
}

/** Works on all items, at most `limit` of them at a time, and yields each result as soon as it is there. */
async function* atMost<T, R>(
  limit: number,
  items: readonly T[],
  work: (item: T, at: number) => Promise<R>,
): AsyncGenerator<[number, R]> {
  const running = new Map<number, Promise<[number, R]>>();
  let next = 0;
  while (next < items.length || running.size > 0) {
    while (next < items.length && running.size < Math.max(1, limit)) {
      const at = next++;
      running.set(
        at,
        work(items[at] as T, at).then((result) => [at, result]),
      );
    }
    const finished = await Promise.race(running.values());
    running.delete(finished[0]);
    yield finished;
  }
}

/** Settles with the work, or rejects when its time is up or the run is aborted, also where the work does not react. */
async function within<T>(
  timeout: number | undefined,
  signal: AbortSignal,
  work: (own: AbortSignal) => Promise<T>,
): Promise<T> {
  // After an abort no approval is asked for, and no tool is run.
  if (signal.aborted) throw aborted(signal.reason);
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let leave = () => {};
  const over = new Promise<never>((_, reject) => {
    const give = (error: ChatwireError) => {
      reject(error);
      controller.abort(error);
    };
    leave = () => give(aborted(signal.reason));
    signal.addEventListener("abort", leave);
    if (timeout !== undefined) {
      timer = setTimeout(() => give(new ChatwireError(`The tool took longer than ${timeout} ms.`)), timeout);
    }
  });
  try {
    return await Promise.race([over, work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}

/** @throws {InvalidRequestError} the host's timers do not take this time */
function checkTime(name: string, ms: number | undefined, tool?: string): void {
  if (ms === undefined || (ms > 0 && ms <= LONGEST_MS)) return;
  const whose = tool === undefined ? name : `${name} of the tool "${tool}"`;
  throw unsent("invalid_option", `${whose} is more than 0 and at most ${LONGEST_MS} milliseconds`, name);
}

/** The outcome of the whole from those of its parts. */
function sumOf({ steps, messages, controller: { signal } }: ToolRunState, end: End): ToolRunOutcome {
  const last = steps.at(-1) ?? unopened(aborted(signal.reason));
  const whole = { ...last, usage: totalUsageOf(steps), cost: totalCostOf(steps), steps, messages };
  if (end === "answered") return whole;
  const hasLeft = end === "left" || signal.aborted;
  const error = hasLeft ? aborted(signal.reason) : end;
  // A turn that failed has its own status; else its answer was whole and the run was not.
  const status = hasLeft ? "aborted" : last.status === "truncated" || last.status === "stalled" ? last.status : "error";
  const outcome = { ...whole, status, error } as ToolRunOutcome;
  withOutcome(error, outcome);
  return outcome;
}

/** Every number of the streams' usage, added up. */
function totalUsageOf(steps: readonly Outcome[]): Usage | null {
  const known = steps.flatMap(({ usage }) => (usage ? [usage] : []));
  return known.length > 0 ? known.reduce(bothUsages) : null;
}

/** In USD; null once one of them is not known. */
function totalCostOf(steps: readonly Outcome[]): number | null {
  return steps.reduce<number | null>((sum, { cost }) => (sum === null || cost === null ? null : sum + cost), 0);
}
