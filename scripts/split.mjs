/**
 * Cuts the engine's module in two: what each stream needs, and the rest, which a page loads when it needs it.
 *
 * Both share memory and table, so that it stays one engine. The seam are the functions below. All that is only reached
 * through them, constants too, goes to the second module. Each calls the other through the table, which the second one
 * completes when it is loaded. Nobody may call them before: src/bindings/rest.rs says how that is seen to.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { linked } from "./linked.mjs";
import { run } from "./run.mjs";

/** Functions in which the rest begins, by their paths in the crate. In the source they are marked `#[inline(never)]`. */
const SEAM = [
  "event_stream::EventStream::new",
  "event_stream::EventStream::feed",
  "event_stream::EventStream::end",
  "connection::locate",
  "connection::configure",
  "connection::read_more",
  "connection::write_prices",
  "connection::Shared::keep",
  "decoder::read_more",
  "options::refused_for",
  "options::Options::note_wrong",
  "opening::Opening::queue",
  "opening::start_with",
  "accounts::Place::answered",
  "accounts::Place::give_back",
  "timeouts::Timeouts::with",
  "validate::judge",
  "redact::judge_header",
  "provider::Provider::overridden_place",
  "stream::Decoder::take_odd_event",
  "stream::Decoder::take_odd_chunk",
  "stream::Decoder::keep_body",
  "stream::Decoder::finish_oddly",
  "stream::Refusal::strict",
  "stream::Context::tell",
  "repairs::Repair::listed_code",
  "choice::Choice::take_parts",
  "choice::Choice::take_logprobs",
  "choice::Choice::tell_filler",
  "scan::parts",
  "output::Output::event",
  "output::Output::write_text_event",
  "tool_calls::ToolCall::write",
  "tool_calls::ToolCall::write_summary",
  "tool_calls::ToolCall::estimate",
  "tool_calls::ToolCall::is_whole",
  "tool_calls::ToolCalls::take",
  "tool_calls::ToolCalls::take_arguments",
  "tool_calls::ToolCalls::take_function",
  "tool_calls::ToolCalls::end",
  "tool_calls::lone_arguments",
  "partial_json::PartialJson::of",
  "partial_json::PartialJson::feed",
  "partial_json::PartialJson::end",
  "partial_json::PartialJson::restart",
  "partial_json::PartialJson::hand_out",
  "speech::Speech::new",
  "speech::Speech::feed",
  "speech::Speech::flush",
  "speech::Speech::restart",
  "speech::Speech::deadline",
  "speech::Speech::tick",
  "speech::Speech::note_time",
];

/** What stands for the first module among the imports of the second. */
const FIRST = "e";
const NAME = String.raw`\$(?:"(?:[^"\\]|\\.)*"|[^\s()]+)`;
const CALL = new RegExp(String.raw`\b(?:return_)?call (${NAME})`, "g");

/** The symbols of the functions at the seam, of all functions of a linked module. */
function seamOf(functions) {
  return new Set(
    SEAM.map((path) => {
      const parts = path.split("::").map((part) => part.length + part);
      const symbol = new RegExp(`${parts.join(".*?")}(\\.llvm\\.\\d+)?$`);
      const found = functions.filter(({ name }) => symbol.test(name));
      if (found.length === 1) return found[0].name;
      throw new Error(
        `The seam needs one function ${path}, and the module has ${found.length}. Is it #[inline(never)]?`,
      );
    }),
  );
}

/**
 * Writes `chatwire-first.wasm` and `chatwire-rest.wasm` to a folder.
 * @param compiled the module as the linker left it, with its relocations
 * @param bound the same after wasm-bindgen, with the symbols of functions as their names
 * @param options for wasm-opt
 * @param features that the module may use, for wasm-as
 * @param last what becomes of the names, for wasm-opt
 */
export async function split(compiled, bound, folder, { options, features, last }) {
  const objects = linked(readFileSync(compiled));
  const seam = seamOf(objects.functions);
  const small = join(folder, "named.wasm");
  const text = join(folder, "named.wat");
  const kept = [...seam].map((name) => `--no-inline=${name}`);
  await run("wasm-opt", [bound, ...kept, ...options, "-g", "-o", small]);
  await run("wasm-dis", ["--all-features", small, "-o", text]);
  const module = parsed(readFileSync(text, "utf8"));
  const { isFirst, firstConstants } = divided(objects, seam, module);
  const halves = cut(module, isFirst, restOfMemory(objects.constants, firstConstants));
  for (const [name, half] of Object.entries(halves)) {
    const [written, assembled] = [join(folder, `${name}.wat`), join(folder, `${name}.0.wasm`)];
    writeFileSync(written, half.join("\n"));
    await run("wasm-as", [written, ...features, "-g", "-o", assembled]);
    await run("wasm-opt", [assembled, ...options, last, "-o", join(folder, `chatwire-${name}.wasm`)]);
  }
}

/** The parts of a module in the text format, one string each, and who calls whom. */
function parsed(text) {
  const parts = [];
  for (const line of text.split("\n").slice(1)) {
    if (line.startsWith(" (")) parts.push(line);
    else if (line !== ")" && line !== "") parts[parts.length - 1] += `\n${line}`;
  }
  const of = (kind) => parts.filter((part) => part.startsWith(` (${kind} `));
  const functions = new Map(of("func").map((part) => [nameOf(part), part]));
  const calls = new Map([...functions].map(([name, part]) => [name, namesIn(part, CALL)]));
  return { of, functions, calls };
}

function nameOf(part) {
  return part.match(NAME)?.[0];
}

function namesIn(part, pattern = new RegExp(`(${NAME})`, "g")) {
  return new Set([...part.matchAll(pattern)].map(([, name]) => name));
}

/** A name without what the text format adds. */
function symbolOf(name) {
  return name.replace(/^\$"?|"$/g, "");
}

/** Which functions and constants each stream may need: those that are reached without crossing the seam. */
function divided({ functions, constants, exported }, seam, module) {
  const nodes = new Map(functions.map((node) => [node.name, node]));
  // wasm-bindgen calls the functions that describe types, and takes them out.
  const starts = new Set(
    exported.filter(({ name }) => !name.startsWith("__wbindgen_describe")).map((one) => one.function),
  );
  // What it adds, and what wasm-opt makes of several alike, is not among the compiler's functions.
  const added = new Set(
    [...module.of("export"), ...module.of("elem")]
      .flatMap((part) => [...namesIn(part)])
      .filter((name) => module.functions.has(name) && !nodes.has(symbolOf(name))),
  );
  for (;;) {
    const reached = new Set();
    const open = [...starts];
    for (let node = open.pop(); open.length > 0 || node; node = open.pop()) {
      if (!node || reached.has(node) || seam.has(node.name)) continue;
      reached.add(node);
      open.push(...node.needs);
    }
    const isFirst = (name) => {
      const node = nodes.get(symbolOf(name));
      return !seam.has(symbolOf(name)) && (node ? reached.has(node) : added.has(name) || !module.functions.has(name));
    };
    // Of two equal functions wasm-opt keeps one, perhaps the other one: then it is first, too.
    const strays = [...module.calls]
      .flatMap(([name, called]) => (isFirst(name) ? [...called] : []))
      .filter((name) => module.functions.has(name) && !isFirst(name) && !seam.has(symbolOf(name)));
    if (strays.length === 0) return { isFirst, firstConstants: new Set(constants.filter((one) => reached.has(one))) };
    for (const name of strays) {
      const node = nodes.get(symbolOf(name));
      if (node) starts.add(node);
      else added.add(name);
    }
  }
}

/** Tells of an address whether only the rest reads it. What can change stays where it is: it is memory that both share. */
function restOfMemory(constants, firstConstants) {
  const isConstant = ({ name }) => name.startsWith(".L");
  const rest = new Set();
  const mark = (those, change) => {
    for (const { address, size } of those) for (let at = address; at < address + size; at++) change(at);
  };
  mark(constants, (at) => rest.add(at));
  mark(
    constants.filter((one) => firstConstants.has(one) || !isConstant(one)),
    (at) => rest.delete(at),
  );
  return (address) => rest.has(address);
}

/** The two modules in the text format, as lists of their parts. */
function cut({ of, functions, calls }, isFirst, isRestOfMemory) {
  const [first, rest] = [[], []];
  const those = [...functions.keys()];
  const restNames = those.filter((name) => !isFirst(name));
  const seam = [...new Set(those.filter(isFirst).flatMap((name) => [...calls.get(name)]))].filter(
    (name) => functions.has(name) && !isFirst(name),
  );
  const imports = new Map(
    of("import").map((part) => [part.match(new RegExp(String.raw`\((?:func|table) (${NAME})`))[1], part]),
  );
  const [table] = of("table").filter((part) => part.endsWith("funcref)"));
  const functionTable = nameOf(table);
  const length = Number(table.match(/(\d+) \d+ funcref/)[1]);

  const needed = new Set(restNames.flatMap((name) => [...namesIn(functions.get(name))]));
  const isShared = (name) => (functions.has(name) ? isFirst(name) : imports.get(name)?.includes("(func "));
  const shared = [...needed].filter(isShared);
  const places = new Map([...seam, ...shared].map((name, at) => [name, length + at]));
  const call = (name) => throughTable(functions.get(name) ?? imports.get(name), functionTable, places.get(name));

  for (const kind of ["type", "import", "global", "memory", "export"]) first.push(...of(kind));
  rest.push(...of("type"));
  const size = length + places.size;
  for (const part of of("table")) {
    first.push(part === table ? part.replace(/\d+ \d+ funcref/, `${size} ${size} funcref`) : part);
  }

  // What the rest takes from the first, by short names.
  const share = (part, type) => {
    const [kind, name, short] = [part.match(/\w+/)[0], nameOf(part), rest.length.toString(36)];
    first.push(` (export "${short}" (${kind} ${name}))`);
    rest.push(` (import "${FIRST}" "${short}" (${kind} ${name} ${type}))`);
  };
  share(of("memory")[0], "1");
  share(table, "1 funcref");
  for (const part of of("table")) if (part !== table && needed.has(nameOf(part))) share(part, "1 externref");
  for (const part of of("global")) if (needed.has(nameOf(part))) share(part, part.match(/\(mut \w+\)/)[0]);

  for (const part of of("elem")) {
    const names = [...part.slice(part.indexOf(" func ")).matchAll(new RegExp(NAME, "g"))].map(String);
    const start = Number(part.match(/i32\.const (\d+)/)[1]);
    for (const [at, to, areFirst] of runs(names.map(isFirst))) {
      (areFirst ? first : rest).push(element(functionTable, start + at, names.slice(at, to)));
    }
  }
  rest.push(element(functionTable, length, seam));
  first.push(element(functionTable, length + seam.length, shared));
  for (const part of of("data")) {
    const [, address, text] = part.match(/\(i32\.const (\d+)\) "(.*)"\)$/);
    const start = Number(address);
    const bytes = unescaped(text);
    const isRest = bytes.map((_, at) => isRestOfMemory(start + at));
    for (const [at, to, areRest] of runs(isRest)) (areRest ? rest : first).push(data(start + at, bytes.slice(at, to)));
  }

  for (const [name, part] of functions) {
    (isFirst(name) ? first : rest).push(part);
    // Numbers as large as addresses are addresses.
    const [stray] = isFirst(name)
      ? [...part.matchAll(/(?:i32\.const |offset=)(\d+)/g)].filter(([, at]) => isRestOfMemory(Number(at)))
      : [];
    if (stray) throw new Error(`${name} is of the first half, and uses what only the rest has, at ${stray[1]}.`);
  }
  first.push(...seam.map(call));
  rest.push(...shared.map(call));
  return { first: ["(module", ...first, ")"], rest: ["(module", ...rest, ")"] };
}

/** What a function takes and gives, in the text format. */
function signature(part) {
  const [head] = part.slice(part.indexOf("(func ")).split("\n");
  const type = head.slice(head.indexOf(nameOf(head)) + nameOf(head).length);
  return part.startsWith(" (import") ? type.replace(/\)\)$/, "") : type;
}

function unnamed(signature) {
  return signature.replace(/\(param \$\S+ /g, "(param ");
}

/** A function of the same name that calls what is in a place of the table. */
function throughTable(part, table, place) {
  const type = signature(part);
  const taken = [...type.matchAll(/\(param ([^)]*)\)/g)].flatMap(([, taken]) =>
    taken.split(" ").filter((one) => !one.startsWith("$")),
  );
  const given = taken.map((_, at) => `(local.get ${at})`);
  return ` (func ${nameOf(part)}${type} (call_indirect ${table} ${unnamed(type)} ${given.join(" ")} (i32.const ${place})))`;
}

/** Where runs of equal values begin and end in a list, and the value. */
function runs(list) {
  const starts = list.flatMap((value, at) => (at === 0 || value !== list[at - 1] ? at : []));
  return starts.map((at, which) => [at, starts[which + 1] ?? list.length, list[at]]);
}

function element(table, start, names) {
  return ` (elem (table ${table}) (i32.const ${start}) func ${names.join(" ")})`;
}

function data(address, bytes) {
  const text = bytes.map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
  return ` (data (i32.const ${address}) "${text}")`;
}

const ESCAPES = { t: 9, n: 10, r: 13, '"': 34, "'": 39, "\\": 92 };

function unescaped(text) {
  return [...text.matchAll(/\\([0-9a-f]{2})|\\(.)|([^\\])/gs)].flatMap(([, hex, short, plain]) =>
    plain ? [...Buffer.from(plain)] : hex ? Number.parseInt(hex, 16) : ESCAPES[short],
  );
}
