/**
 * `npm run docs`: writes docs/api/, the reference of the npm package, from the doc comments of what its entries export.
 *
 *     npm run docs                 into docs/api
 *     npm run docs -- elsewhere    into another folder
 *
 * The pages of the entry `chatwire` are cut by task, and each other entry is one page. The script knows the syntax
 * that npm/ uses, not all of TypeScript's; syntax that it does not know, and a name that has no page, is a failure,
 * never a gap.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseAst } from "vite";
import { root } from "./run.mjs";

/** The sources of the package's entries, by the name they are imported by. */
function entries() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const typesOf = (target) => target.types ?? target.default?.types;
  return Object.entries(exports)
    .filter(([, target]) => typesOf(target))
    .map(([path, target]) => [
      join(name, path),
      typesOf(target)
        .replace(/^\.\/dist\//, "npm/")
        .replace(/\.d\.ts$/, ".ts"),
    ]);
}

/** The files that enforce what a field's `@enforced` names. */
const ENFORCERS = ["electron", "electronhub", "openai"];

/**
 * The pages of the entry `chatwire`, in the order in which a user meets them: a title, an introduction, and for
 * each source file all its names, those listed, or those that no page before has.
 */
const TASKS = {
  client: [
    "Client",
    "A client, its settings, and loading the engine.",
    {
      "npm/client.ts": ["Chatwire", "Models"],
      "npm/options.ts": [
        "ClientOptions",
        "PlanLimits",
        "Fallback",
        "FallbackReason",
        "OtherClient",
        "Hooks",
        "HookCall",
        "Operation",
        "WarmUpOptions",
      ],
      "npm/types/settings.ts": [
        "CustomProvider",
        "ReasoningPlace",
        "Timeouts",
        "Prices",
        "ModelPrices",
        "Fetch",
        "FetchInit",
      ],
      "npm/types/outcome.ts": ["UsageTotals"],
      "npm/engine/engine.ts": "all",
    },
  ],
  calls: [
    "Calls",
    "Requests: what `client.chat.completions` offers, and the settings of one call. The parameters are on the page\n[Types on the wire](types.md#chatcompletioncreateparamsbase).",
    {
      "npm/client.ts": ["Chat", "Completions"],
      "npm/options.ts": ["RequestOptions", "Continuation"],
      "npm/types/settings.ts": ["SentenceOptions"],
      "npm/request/api-promise.ts": "all",
      "npm/types/outcome.ts": ["WithRequestId"],
      "npm/request/batch.ts": "all",
    },
  ],
  streams: [
    "Streams",
    "A streamed answer and the ways to read it.",
    { "npm/stream/chat-stream.ts": "all", "npm/stream/frames.ts": "all" },
  ],
  events: [
    "Events and outcome",
    "The events of a stream, the same for every server's dialect, and the outcome, which says how the stream ended.",
    {
      "npm/types/outcome.ts": [
        "ChatEvent",
        "Outcome",
        "OutcomeFields",
        "AnswerHead",
        "Usage",
        "Timing",
        "ToolCall",
        "Repair",
        "Seam",
      ],
      "npm/errors.ts": ["Attempt"],
    },
  ],
  errors: ["Errors", undefined, { "npm/errors.ts": "rest" }],
  tools: [
    "Tools and structured answers",
    "Functions that a model may call, the run that lets it, and answers of a given shape.",
    {
      "npm/tools/run.ts": "all",
      "npm/tools/shapes.ts": "all",
      "npm/tools/parse.ts": "all",
      "npm/tools/schema-shapes.ts": "all",
    },
  ],
  decoders: ["Decoders", undefined, { "npm/decoders.ts": "all" }],
  types: [
    "Types on the wire",
    "Requests, completions and chunks as they are on the wire. Fields not listed pass through verbatim: spread them in\n(`{ messages, ...{ guided_json: schema } }`).",
    { "npm/types/wire.ts": "all" },
  ],
};

/** Writes the reference into a folder, which then holds nothing else. */
export function writeDocs(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of pages()) writeFileSync(join(folder, name), text);
}

/** The pages by file name. */
export function pages() {
  const files = new Map();
  const read = (path) => {
    if (!files.has(path)) files.set(path, parse(path));
    return files.get(path);
  };
  const list = plan(read);
  /** The page that explains a name: of two pages, the first. */
  const homes = new Map();
  for (const { page, parts } of [...list].reverse()) {
    for (const { names } of parts) for (const name of names) homes.set(name, page);
  }
  const written = new Map();
  const index = [
    "# API reference",
    "",
    "Written by `npm run docs` from the doc comments of the sources: change those, not these pages.",
  ];
  let heading = "";
  for (const { entry, page, title, about, parts } of list) {
    const own = new Set(parts.flatMap(({ names }) => names));
    const link = (type) => linked(type, (name) => (own.has(name) ? page : homes.get(name)), page);
    const body = parts.flatMap(({ file, names }) => {
      const groups = merged(file.declarations);
      return names.map((name) => describe(groups.get(name), file, link));
    });
    const contents = parts.flatMap(({ file, names }) => {
      const groups = merged(file.declarations);
      return names.map((name) => {
        const said = summary(groups.get(name), file);
        return `- [${name}](#${anchor(name, own)})${said && `: ${said}`}`;
      });
    });
    // A page about one source file opens as that file does.
    const intro = about ?? parts[0].file.intro;
    written.set(page, `${[`# ${title}`, intro, contents.join("\n"), ...body].filter(Boolean).join("\n\n")}\n`);

    if (heading !== entry) index.push("", `## \`${entry}\``, "");
    heading = entry;
    const names = [...own].map((name) => `[\`${name}\`](${page}#${anchor(name, own)})`);
    index.push(`- **[${title}](${page})**: ${names.join(", ")}`);
  }
  written.set("README.md", `${index.join("\n")}\n`);
  return written;
}

/** The content of each page: the parts, each some names of one source file. */
function plan(read) {
  const list = [];
  /** The names that have a page, by the file that declares them. */
  const placed = new Map();
  const take = (path, names) => {
    const file = read(path);
    if (!placed.has(path)) placed.set(path, new Set());
    for (const name of names) {
      if (!file.declarations.some((one) => one.name === name)) throw new Error(`${path} does not declare ${name}`);
      placed.get(path).add(name);
    }
    return { file, names };
  };
  for (const [entry, path] of entries()) {
    const exported = new Map();
    for (const { name, path: from } of exportsOf(read(path), read)) {
      if (placed.get(from)?.has(name)) continue;
      exported.set(from, [...(exported.get(from) ?? []), name]);
    }
    if (exported.size === 0) continue;
    if (list.length > 0) {
      const page = `${entry.split("/").slice(1).join("-")}.md`;
      const about = read(path).intro.replace(/^`[^`]*`: (.)/, (_, first) => first.toUpperCase());
      list.push({
        entry,
        page,
        title: entry,
        about,
        parts: [...exported].map(([from, names]) => take(from, inOrder(names, read(from)))),
      });
      continue;
    }
    for (const [page, [title, about, sources]] of Object.entries(TASKS)) {
      const parts = Object.entries(sources).map(([from, wanted]) => {
        const left = (exported.get(from) ?? []).filter((name) => !placed.get(from)?.has(name));
        const strange = Array.isArray(wanted) && wanted.filter((name) => !left.includes(name));
        if (strange?.length > 0) throw new Error(`${from} does not export ${strange.join(", ")} for the page ${page}`);
        return take(from, Array.isArray(wanted) ? wanted : inOrder(left, read(from)));
      });
      list.push({ entry, page: `${page}.md`, title, about, parts });
    }
    for (const [from, names] of exported) {
      const left = names.filter((name) => !placed.get(from)?.has(name));
      if (left.length > 0)
        throw new Error(`No page of the reference has ${left.join(", ")} of ${from}: add them to TASKS`);
    }
  }
  return list;
}

/** The anchor of a name among those of its page: where two differ in case alone, the second has a number. */
function anchor(name, own) {
  const same = [...own].filter((other) => other.toLowerCase() === name.toLowerCase());
  const at = same.indexOf(name);
  return at > 0 ? `${name.toLowerCase()}-${at}` : name.toLowerCase();
}

/** Names in the order in which their file declares them. */
const inOrder = (names, { declarations }) =>
  [...new Set(declarations.map(({ name }) => name))].filter((name) => names.includes(name));

/** A source file: what it opens with, what it declares, and what it exports of others. */
function parse(path) {
  const text = readFileSync(join(root, path), "utf8");
  const { body } = parseAst(text, { lang: "ts", astType: "ts" });
  const declarations = [];
  const forwards = [];
  const resolved = (source) => join(dirname(path), source.value);
  for (const node of body) {
    if (node.type === "ExportAllDeclaration") forwards.push({ path: resolved(node.source), all: true });
    if (node.type !== "ExportNamedDeclaration") continue;
    if (node.source) {
      for (const { exported } of node.specifiers) forwards.push({ path: resolved(node.source), name: exported.name });
    } else if (node.declaration) {
      const { declaration } = node;
      for (const one of declaration.type === "VariableDeclaration" ? declaration.declarations : [declaration]) {
        declarations.push({ name: one.id.name, node: one, start: node.start });
      }
    }
  }
  const intro = /^\s*\/\*\*/.test(text) ? comment(text.slice(0, text.indexOf("*/") + 2)).text : "";
  // A comment that stands right before a declaration is that declaration's.
  const first = body[0];
  const isFirsts = first && text.slice(text.indexOf("*/") + 2, first.start).trim() === "" && !isImport(first);
  return { path, text, declarations, forwards, intro: isFirsts ? "" : intro };
}

const isImport = ({ type, source }) => type === "ImportDeclaration" || Boolean(source);

/** The names that a file exports, each by the file that declares it. */
function exportsOf(file, read) {
  const own = file.declarations.map(({ name }) => ({ name, path: file.path }));
  const others = file.forwards.flatMap(({ path, name, all }) =>
    exportsOf(read(path), read).filter((one) => all || one.name === name),
  );
  return [...others, ...own].filter((one, at, list) => list.findIndex(({ name }) => name === one.name) === at);
}

/** Declarations by name: overloads, and a class with its interface, are together. */
function merged(declarations) {
  const groups = new Map();
  for (const one of declarations) groups.set(one.name, [...(groups.get(one.name) ?? []), one]);
  return groups;
}

/** The first sentence of a declaration's comment. */
function summary(group, file) {
  const [{ start }] = group;
  const [first = ""] = commentBefore(file.text, start).text.split("\n\n");
  const sentence = first.replace(/\s*\n\s*/g, " ").match(/^(?:`[^`]*`|[^`])*?[.:](?= |$)/)?.[0] ?? "";
  return sentence.replace(/:$/, ".");
}

// ---- Comments -------------------------------------------------------------------------------------------------------

/** The doc comment that ends where something starts. */
function commentBefore(text, start) {
  const before = text.slice(0, start).trimEnd();
  if (!before.endsWith("*/")) return comment("");
  const opened = before.lastIndexOf("/*");
  return before.startsWith("/**", opened) ? comment(before.slice(opened)) : comment("");
}

/** A doc comment's text and its tags, each with its text, in order. */
function comment(source) {
  const lines = source
    .replace(/^\s*\/\*\*|\*\/\s*$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""));
  const parts = [{ tag: "", lines: [] }];
  let isCode = false;
  for (const line of lines) {
    const tag = isCode ? null : line.match(/^\s*@(\w+) ?(.*)$/);
    if (line.startsWith("```")) isCode = !isCode;
    if (tag) parts.push({ tag: tag[1], lines: [tag[2]] });
    else parts.at(-1).lines.push(line);
  }
  const [{ text }, ...tags] = parts.map(({ tag, lines }) => ({ tag, text: lines.join("\n").trim() }));
  const ours = tags.filter(({ tag }) => tag !== "module").map(({ tag, text }) => ({ tag, text: plainLinks(text) }));
  return { text: plainLinks(text), tags: ours };
}

const plainLinks = (text) => text.replace(/\{@link (\w+)\}/g, "`$1`");

/** A comment as paragraphs; what it says of parameters and errors, as lists. */
function prose({ text, tags }) {
  const said = [text];
  let list = false;
  for (const { tag, text } of tags) {
    const line = text.replace(/\s*\n\s*/g, " ");
    const item =
      (tag === "throws" && line.replace(/^\{(\w+)\} ?/, "- throws `$1`: ")) ||
      (tag === "param" && line.replace(/^(\w+) ?/, "- `$1`: "));
    if (item && list) said.push(`${said.pop()}\n${item}`);
    else if (item) said.push(item);
    else if (tag === "example") said.push(text.startsWith("```") ? text : `\`\`\`ts\n${text}\n\`\`\``);
    else if (tag === "deprecated") said.push(`Deprecated ${line}.`);
    list = Boolean(item);
  }
  return said.filter(Boolean).join("\n\n");
}

// ---- Declarations ---------------------------------------------------------------------------------------------------

function describe(group, file, link) {
  const [{ name }] = group;
  const parts = [`## ${name}`];
  for (const { node, start } of group) {
    if (node.type === "FunctionDeclaration" && group.length > 1) continue; // what the overloads hide
    const doc = commentBefore(file.text, start);
    parts.push(prose(doc));
    parts.push(...body(node, file, link));
  }
  return parts.filter(Boolean).join("\n\n");
}

function body(node, file, link) {
  const { text } = file;
  const code = (value) => `\`\`\`ts\n${value.trim()}\n\`\`\``;
  switch (node.type) {
    case "TSInterfaceDeclaration":
      return [head(node, text), members(node.body.body, file, link, node.id.name)];
    case "TSTypeAliasDeclaration": {
      const { typeAnnotation } = node;
      if (typeAnnotation.type === "TSTypeLiteral") return [members(typeAnnotation.members, file, link)];
      return [code(text.slice(node.start, node.end))];
    }
    case "ClassDeclaration":
      return [head(node, text), members(node.body.body, file, link)];
    case "TSDeclareFunction":
    case "FunctionDeclaration":
      return [code(signature(node, text))];
    case "TSModuleDeclaration":
      return []; // names for types that are explained elsewhere, on the class they belong to
    case "VariableDeclarator":
      return [code(`const ${text.slice(node.id.start, node.id.end)}`)];
    default:
      throw new Error(`${file.path}: docs cannot describe a ${node.type}`);
  }
}

/** The parents of a declaration, in words. */
function head(node, text) {
  const of = (list) => (list ?? []).map(({ start, end }) => `\`${oneLine(text.slice(start, end))}\``);
  const parents = node.superClass ? of([node.superClass]) : of(node.extends);
  return parents.length > 0 ? `Extends ${parents.join(", ")}.` : "";
}

/** A function without its body. */
function signature(node, text) {
  return text.slice(node.start, node.body ? node.body.start : node.end).replace(/[;{\s]+$/, "");
}

const oneLine = (text) =>
  text
    .replace(/\/\*\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/([{([<]) (?=[|])/g, "$1")
    .trim();

const keyOf = ({ key, computed }, text) => {
  const name = text.slice(key.start, key.end);
  return computed ? `[${name}]` : name.replace(/^"|"$/g, "");
};

const isHidden = (node) =>
  node.key?.type === "PrivateIdentifier" ||
  node.key?.name?.startsWith("_") ||
  node.accessibility === "private" ||
  node.type === "StaticBlock";

/** Whether users cannot call it: the reference tells how to come by such an object instead. */
const isInternal = (node, text) => commentBefore(text, node.start).tags.some(({ tag }) => tag === "internal");

/** Interfaces of options: their tables always have the columns Range and Default. */
const OPTIONS =
  /(?:Options|Settings|Hooks|Limits|Timeouts|Policy|Route|Grant|PageTokens|Fallback|Continuation|CustomProvider|Plan|ToolShape|ProviderKey)$/;

/** A table of fields, then a section for each method. */
function members(nodes, file, link, name = "") {
  const shown = nodes.filter((node) => !isHidden(node));
  const rows = shown.flatMap((node) => fields(node, "", file, link));
  const methods = [];
  const isOverloaded = (node) =>
    node.type === "MethodDefinition" &&
    shown.some((other) => other.type === "TSAbstractMethodDefinition" || overloads(other, node, file.text));
  let last = "";
  for (const node of shown) {
    if (!isMethod(node) || isOverloaded(node)) continue;
    const name = nameOfMethod(node, file.text);
    const doc = prose(commentBefore(file.text, node.start));
    if (node.kind === "constructor" && doc === "") continue; // for the package itself
    if (isInternal(node, file.text)) {
      methods.push(commentBefore(file.text, node.start).text);
      continue;
    }
    const code = `\`\`\`ts\n${methodSignature(node, file.text)}\n\`\`\``;
    methods.push([last === name ? "" : `### ${name}`, code, doc].filter(Boolean).join("\n\n"));
    last = name;
  }
  return [table(rows, OPTIONS.test(name)), ...methods].filter(Boolean).join("\n\n");
}

function nameOfMethod(node, text) {
  if (node.kind === "constructor") return "constructor";
  if (node.type === "TSCallSignatureDeclaration") return "()";
  return `${node.static ? "static " : ""}${keyOf(node, text)}()`;
}

/** An overload's signature, which has no body, of this method. */
const overloads = (other, node, text) =>
  other !== node &&
  other.type === node.type &&
  node.value?.body &&
  !other.value?.body &&
  keyOf(other, text) === keyOf(node, text);

const isMethod = (node) =>
  ["TSMethodSignature", "TSCallSignatureDeclaration", "MethodDefinition", "TSAbstractMethodDefinition"].includes(
    node.type,
  ) && node.kind !== "get";

function methodSignature(node, text) {
  const body = node.value?.body;
  return text
    .slice(node.start, body ? body.start : node.end)
    .replace(/[;\s]+$/, "")
    .replace(/\n {2}/g, "\n");
}

/** The rows of a field, and of the fields of an object written out in its type. */
function fields(node, prefix, file, link) {
  const { text } = file;
  if (isMethod(node)) return [];
  if (node.type === "TSIndexSignature") return [];
  if (!["TSPropertySignature", "PropertyDefinition", "MethodDefinition"].includes(node.type)) {
    throw new Error(`${file.path}: docs cannot describe a ${node.type}`);
  }
  const annotation = node.kind === "get" ? node.value.returnType : node.typeAnnotation;
  const type = annotation?.typeAnnotation;
  const name = `${prefix}${node.static ? "static " : ""}${keyOf(node, text)}`;
  const doc = commentBefore(text, node.start);
  const shown = type ? oneLine(text.slice(type.start, type.end)) : "";
  const row = { name: `${name}${node.optional ? "?" : ""}`, type: link(shown), doc };
  const inner = literals(type).filter(({ start }) => commentBefore(text, start).text !== "");
  return [row, ...inner.flatMap((member) => fields(member, `${name}.`, file, link))];
}

/** Members of the objects written out in a type. */
function literals(type) {
  if (type?.type === "TSTypeLiteral") return type.members;
  return type?.type === "TSUnionType" ? type.types.flatMap(literals) : [];
}

/**
 * The columns of a table of fields by their tags; a column is there when a field has its tag, and in tables of options. An option
 * without a default has none.
 */
const COLUMNS = { range: "Range", default: "Default", service: "Services", enforced: "Enforced" };

function table(rows, isOfOptions) {
  if (rows.length === 0) return "";
  const textOf = ({ doc }, wanted) => doc.tags.find(({ tag }) => tag === wanted)?.text ?? "";
  const always = isOfOptions && rows.some(({ name }) => name.endsWith("?")) ? ["range", "default"] : [];
  const columns = Object.keys(COLUMNS).filter((tag) => always.includes(tag) || rows.some((row) => textOf(row, tag)));
  const defaultOf = (row) => textOf(row, "default") || (always.length > 0 && row.name.endsWith("?") ? "none" : "");
  const cell = (text) => text.replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
  const line = (cells) => `| ${cells.map(cell).join(" | ")} |`;
  const lines = [
    line(["Field", "Type", "What it is", ...columns.map((tag) => COLUMNS[tag])]),
    line(["---", "---", "---", ...columns.map(() => "---")]),
  ];
  for (const row of rows) {
    const said = prose({ ...row.doc, tags: row.doc.tags.filter(({ tag }) => tag !== "example") });
    const tags = columns.map((tag) => {
      if (tag === "default") return defaultOf(row);
      return tag === "enforced" ? enforced(textOf(row, tag)) : textOf(row, tag);
    });
    lines.push(line([`\`${row.name}\``, row.type, said, ...tags]));
  }
  return lines.join("\n");
}

/** Where a range is enforced, with a link to the rules. */
function enforced(text) {
  if (text === "" || text === "server") return text && "by the server";
  const names = text.split(", ");
  const unknown = names.filter((name) => !ENFORCERS.includes(name));
  if (unknown.length > 0) throw new Error(`@enforced ${unknown.join(", ")} is no provider`);
  const links = names.map((name) => `[${name}.rs](../../src/provider/${name}.rs)`);
  return `before sending: ${links.join(", ")}`;
}

/** A type, with a link where it is the name of one. */
function linked(type, homeOf, page) {
  if (type === "") return "";
  const name = type.match(/^\w+/)?.[0] ?? "";
  const home = homeOf(name);
  const shown = `\`${type.replaceAll("`", "")}\``;
  if (!home || !/^\w+(\[\])?$/.test(type)) return shown;
  return `[${shown}](${home === page ? "" : home}#${name.toLowerCase()})`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const folder = resolve(process.argv[2] ?? join(root, "docs", "api"));
  writeDocs(folder);
  console.log(`${readdirSync(folder).length} pages in ${relative(process.cwd(), folder) || "."}`);
}
