/**
 * `npm run docs`: writes docs/api/, the reference of the npm package, from the doc comments of what its entries export.
 *
 *     npm run docs                 into docs/api
 *     npm run docs -- elsewhere    into another folder
 *
 * One page for each source file that exports something. It knows the syntax that npm/ uses, not all of TypeScript's;
 * what it does not know is a failure, never a gap.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseAst } from "vite";
import { root } from "./run.mjs";

/** The sources of the package's entries, by the name they are imported by. */
function entries() {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, { types }]) => types)
    .map(([path, { types }]) => [join(name, path), types.replace(/^\.\/dist\//, "npm/").replace(/\.d\.ts$/, ".ts")]);
}

/** The files that enforce what a field's `@enforced` names. */
const ENFORCERS = ["electron", "electronhub", "openai"];

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
  /** @type {Map<string, { entry: string, path: string, names: Set<string> }>} */
  const sources = new Map();
  for (const [entry, path] of entries()) {
    for (const { name, path: from } of exportsOf(read(path), read)) {
      const page = pageName(from);
      if (!sources.has(page)) sources.set(page, { entry, path: from, names: new Set() });
      sources.get(page).names.add(name);
    }
  }
  /** Which page explains a name, for the links. */
  const homes = new Map();
  for (const [page, { names }] of [...sources].reverse()) for (const name of names) homes.set(name, page);

  const written = new Map();
  const index = [
    "# API reference",
    "",
    "Written by `npm run docs` from the doc comments of the sources: change those, not these pages.",
  ];
  let heading = "";
  for (const [page, { entry, path, names }] of sources) {
    const file = read(path);
    const said = file.declarations.filter(({ name }) => names.has(name));
    const missing = [...names].filter((name) => !said.some((one) => one.name === name));
    if (missing.length > 0) throw new Error(`${path} does not declare ${missing.join(", ")}`);
    const link = (type) => linked(type, homes, page);
    const title = `${entry}: ${page.replace(/\.md$/, "")}`;
    const body = merged(said).map((one) => describe(one, file, link));
    written.set(page, `${[`# ${title}`, file.intro, ...body].filter(Boolean).join("\n\n")}\n`);

    if (heading !== entry) index.push("", `## \`${entry}\``, "");
    heading = entry;
    const list = merged(said).map(([{ name }]) => `[\`${name}\`](${page}#${name.toLowerCase()})`);
    index.push(`- **[${page.replace(/\.md$/, "")}](${page})**: ${list.join(", ")}`);
  }
  written.set("README.md", `${index.join("\n")}\n`);
  return written;
}

const pageName = (path) => `${relative("npm", path).replace(/\.ts$/, "").replaceAll("/", "-")}.md`;

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

/** What a file exports, each by the file that declares it. */
function exportsOf(file, read) {
  const own = file.declarations.map(({ name }) => ({ name, path: file.path }));
  const others = file.forwards.flatMap(({ path, name, all }) =>
    exportsOf(read(path), read).filter((one) => all || one.name === name),
  );
  return [...others, ...own].filter((one, at, list) => list.findIndex(({ name }) => name === one.name) === at);
}

/** Declarations of the same name together: overloads, and a class with its interface. */
function merged(declarations) {
  const groups = new Map();
  for (const one of declarations) groups.set(one.name, [...(groups.get(one.name) ?? []), one]);
  return [...groups.values()];
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
      return [head(node, text), members(node.body.body, file, link)];
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

/** What is inherited, in words. */
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

/** A table of fields, then a section for each method. */
function members(nodes, file, link) {
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
    const code = `\`\`\`ts\n${methodSignature(node, file.text)}\n\`\`\``;
    methods.push([last === name ? "" : `### ${name}`, code, doc].filter(Boolean).join("\n\n"));
    last = name;
  }
  return [table(rows), ...methods].filter(Boolean).join("\n\n");
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

/** What a table of fields says of a tag; a column is there when a field has its tag. */
const COLUMNS = { range: "Range", default: "Default", service: "Services", enforced: "Enforced" };

function table(rows) {
  if (rows.length === 0) return "";
  const textOf = ({ doc }, wanted) => doc.tags.find(({ tag }) => tag === wanted)?.text ?? "";
  const columns = Object.keys(COLUMNS).filter((tag) => rows.some((row) => textOf(row, tag)));
  const cell = (text) => text.replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
  const line = (cells) => `| ${cells.map(cell).join(" | ")} |`;
  const lines = [
    line(["Field", "Type", "What it is", ...columns.map((tag) => COLUMNS[tag])]),
    line(["---", "---", "---", ...columns.map(() => "---")]),
  ];
  for (const row of rows) {
    const said = prose({ ...row.doc, tags: row.doc.tags.filter(({ tag }) => tag !== "example") });
    const tags = columns.map((tag) => (tag === "enforced" ? enforced(textOf(row, tag)) : textOf(row, tag)));
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
function linked(type, homes, page) {
  if (type === "") return "";
  const name = type.match(/^\w+/)?.[0] ?? "";
  const home = homes.get(name);
  const shown = `\`${type.replaceAll("`", "")}\``;
  if (!home || !/^\w+(\[\])?$/.test(type)) return shown;
  return `[${shown}](${home === page ? "" : home}#${name.toLowerCase()})`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const folder = resolve(process.argv[2] ?? join(root, "docs", "api"));
  writeDocs(folder);
  console.log(`${readdirSync(folder).length} pages in ${relative(process.cwd(), folder) || "."}`);
}
