/**
 * `npm run api`: writes tests/package/api/, the declarations of all that the package's entries export, without comments and
 * without what is private. A test compares it with what is built, so that a change of the public types is seen where it is made:
 * a line that is gone, or has changed, breaks programs that use it, and belongs into the changelog.
 *
 *     npm run api                 into tests/package/api, after a build
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseAst } from "vite";
import { root } from "./run.mjs";

/** The reports by file name, one for each entry; an entry with the names of another one is that one, loaded in another way. */
export function reports() {
  const files = new Map();
  const read = (path) => {
    if (!files.has(path)) files.set(path, parse(path));
    return files.get(path);
  };
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const written = new Map();
  for (const [path, target] of Object.entries(exports)) {
    const types = target.types ?? target.default?.types;
    if (!types) continue;
    const entry = join(name, path);
    const lines = exportsOf(types, read)
      .sort(({ name: one }, { name: other }) => (one < other ? -1 : 1))
      .map(({ name, local, file }) => declarationOf(name, local, read(file)));
    const report = `${lines.join("\n\n")}\n`;
    const isKnown = [...written.values()].includes(report);
    if (!isKnown) written.set(`${entry.replaceAll("/", "-")}.txt`, report);
  }
  return written;
}

/** A declaration file: its text, its declarations by name, and what it exports of others. */
function parse(path) {
  const text = readFileSync(join(root, path), "utf8");
  const { body } = parseAst(text, { lang: "dts", astType: "ts" });
  const declarations = new Map();
  const exported = [];
  const forwards = [];
  const declare = (declaration, start, end) => {
    const list = declaration.type === "VariableDeclaration" ? declaration.declarations : [declaration];
    for (const { id } of list) {
      const name = text.slice(id.start, id.typeAnnotation?.start ?? id.end);
      declarations.set(name, [...(declarations.get(name) ?? []), { node: declaration, start, end }]);
      if (start !== declaration.start) exported.push({ name, local: name });
    }
  };
  for (const node of body) {
    if (node.type === "ExportAllDeclaration") forwards.push({ path: beside(path, node.source), all: true });
    else if (node.type === "ExportNamedDeclaration" && node.declaration)
      declare(node.declaration, node.start, node.end);
    else if (node.type === "ExportNamedDeclaration") {
      for (const { local, exported: as } of node.specifiers) {
        if (node.source) forwards.push({ path: beside(path, node.source), name: local.name, as: as.name });
        else exported.push({ name: as.name, local: local.name });
      }
    } else if (node.id) declare(node, node.start, node.end);
  }
  return { path, text, declarations, exported, forwards };
}

const beside = (path, source) => `./${join(dirname(path), source.value).replace(/\.ts$/, ".d.ts")}`;

/** The names that a file exports, each with its name in the file that declares it. */
function exportsOf(path, read) {
  const { exported, forwards } = read(path);
  const others = forwards.flatMap(({ path, name, as, all }) =>
    exportsOf(path, read).flatMap((one) => (all ? [one] : one.name === name ? [{ ...one, name: as }] : [])),
  );
  const own = exported.map(({ name, local }) => ({ name, local, file: path }));
  return [...own, ...others].filter((one, at, list) => list.findIndex(({ name }) => name === one.name) === at);
}

function declarationOf(name, local, file) {
  const found = file.declarations.get(local);
  if (!found)
    throw new Error(
      `${file.path} exports ${local} and does not declare it: declare it there, or export it from its own file.`,
    );
  const said = found.map(({ node, start, end }) => withoutComments(file.text, start, end, node));
  return `${name === local ? "" : `// ${local}, as ${name}\n`}${said.join("\n")}`;
}

/** The text of a declaration without comments, private members and blank lines. */
function withoutComments(text, start, end, node) {
  const members = node.type === "ClassDeclaration" ? node.body.body : [];
  const isInternal = ({ start }) => {
    const before = text.slice(0, start).trimEnd();
    return before.endsWith("*/") && before.slice(before.lastIndexOf("/**")).includes("@internal");
  };
  const cut = members.filter((member) => isPrivate(member) || isInternal(member)).map(({ start, end }) => [start, end]);
  let out = "";
  let at = start;
  for (const [from, to] of cut) {
    out += text.slice(at, from);
    at = to;
  }
  out += text.slice(at, end);
  return out
    .replace(/\/\*\*[\s\S]*?\*\//g, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line.trim() !== "" && line.trim() !== ";")
    .join("\n");
}

const isPrivate = ({ key, accessibility }) =>
  key?.type === "PrivateIdentifier" || accessibility === "private" || key?.name?.startsWith("_");

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const folder = join(root, "tests", "package", "api");
  for (const [name, text] of reports()) writeFileSync(join(folder, name), text);
}
