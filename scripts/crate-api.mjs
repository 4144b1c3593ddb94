/**
 * `npm run api:crate`: compares the public API of the crate with the report in tests/package/api/crate.txt. A line
 * that is gone breaks programs that use it: it fails, and the version has to say so (a minor version below 1.0, a
 * major one above).
 *
 *     npm run api:crate               compares; half a minute, because rustdoc reads the crate anew
 *     npm run api:crate -- --write    renews the report
 *
 * The report is rustdoc's own list of items, as JSON, with the signature of each as the source has it. That output
 * of rustdoc is unstable, which RUSTC_BOOTSTRAP admits; the toolchain is the one of rust-toolchain.toml. The report
 * is made for wasm32, where the client is: what is there natively is a part of it.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, target } from "./run.mjs";

const report = join(root, "tests", "package", "api", "crate.txt");
const folder = join(target, "api");
const platform = "wasm32-unknown-unknown";

await run(
  "cargo",
  [
    ...["rustdoc", "--quiet", "--lib", "--target", platform, "--target-dir", folder],
    ...["--", "-Zunstable-options", "--output-format", "json"],
  ],
  { env: { RUSTC_BOOTSTRAP: "1" } },
);
const crate = JSON.parse(readFileSync(join(folder, platform, "doc", "chatwire.json"), "utf8"));
const lines = [...new Set(itemsOf(crate))].sort();
const text = `${lines.join("\n")}\n`;

if (process.argv.includes("--write")) {
  writeFileSync(report, text);
  console.log(`${lines.length} items in tests/package/api/crate.txt`);
  process.exit(0);
}
const known = existsSync(report) ? readFileSync(report, "utf8").trimEnd().split("\n") : [];
const gone = known.filter((line) => !lines.includes(line));
const added = lines.filter((line) => !known.includes(line));
for (const line of gone) console.log(`- ${line}`);
for (const line of added) console.log(`+ ${line}`);
console.log(`${lines.length} items; ${gone.length} are gone, ${added.length} are new`);
process.exit(gone.length > 0 ? 1 : 0);

/** One line for each public item that a path leads to. */
function* itemsOf({ index, root: top, paths }) {
  const seen = new Set();
  yield* ofModule(top, "chatwire");

  function* ofModule(id, path) {
    if (seen.has(`${id} ${path}`)) return;
    seen.add(`${id} ${path}`);
    for (const each of index[id].inner.module.items) yield* ofItem(each, path);
  }

  function* ofItem(id, path) {
    const item = index[id];
    if (item?.visibility !== "public") return;
    const [[kind, inner]] = Object.entries(item.inner);
    if (kind === "use") {
      const used = index[inner.id];
      if (!used) yield `use ${path}::${inner.name} = ${paths[inner.id]?.path.join("::") ?? inner.source}`;
      else if (inner.is_glob) yield* ofMembers(used, path);
      else yield* ofNamed(inner.id, used, `${path}::${inner.name}`);
      return;
    }
    yield* ofNamed(id, item, `${path}::${item.name}`);
  }

  function* ofMembers(item, path) {
    const [[kind, inner]] = Object.entries(item.inner);
    const members = kind === "module" ? inner.items : (inner.variants ?? []);
    for (const each of members) yield* ofItem(each, path);
  }

  function* ofNamed(id, item, path) {
    const [[kind, inner]] = Object.entries(item.inner);
    if (kind === "module") {
      yield `mod ${path}`;
      yield* ofModule(id, path);
      return;
    }
    yield `${kind} ${path}: ${signature(item, kind)}`;
    const fields = inner.kind?.plain?.fields ?? [];
    for (const each of [...fields, ...(inner.variants ?? [])]) {
      const member = index[each];
      const [memberKind] = Object.keys(member.inner);
      if (memberKind === "variant" || member.visibility === "public") {
        yield `${memberKind} ${path}::${member.name}: ${signature(member, memberKind)}`;
      }
    }
    for (const each of inner.impls ?? []) yield* ofImpl(index[each]?.inner.impl, path);
  }

  function* ofImpl(impl, path) {
    if (!impl || impl.is_synthetic || impl.blanket_impl || impl.trait?.path === "StructuralPartialEq") return;
    if (impl.trait) yield `impl ${impl.trait.path}${generics(impl.trait.args)} for ${path}`;
    for (const each of impl.items) {
      const item = index[each];
      const [kind] = Object.keys(item.inner);
      if (impl.trait ? kind === "assoc_type" : item.visibility === "public") {
        yield `${kind} ${path}::${item.name}: ${signature(item, kind)}`;
      }
    }
  }
}

/** The arguments of a trait that tell its implementations apart, such as those of `From`. */
function generics(args) {
  const types = args?.angle_bracketed?.args ?? [];
  return types.length > 0 ? ` ${JSON.stringify(types).replace(/"(?:id|lifetime)":[^,}]*,?/g, "")}` : "";
}

/** The source text of an item, without its body, its value and its attributes. */
function signature({ span }, kind) {
  if (!span || !existsSync(join(root, span.filename))) return "derived";
  const all = readFileSync(join(root, span.filename), "utf8").split("\n");
  const { begin, end } = span;
  const cut = all.slice(begin[0] - 1, end[0]);
  cut[cut.length - 1] = cut.at(-1).slice(0, end[1]);
  cut[0] = cut[0].slice(begin[1] - 1);
  const code = cut.map((line) => line.replace(/\/\/.*$/, "")).join(" ");
  const stop = { constant: /\s=\s/, assoc_const: /\s=\s/, function: /\{/, struct: /\{/, enum: /\{/, trait: /\{/ }[kind];
  const head = stop ? code.split(stop)[0] : code;
  return head
    .replace(/#\[[^\]]*\]/g, "")
    .replace(/\s+/g, " ")
    .replace(/,? \)/g, ")")
    .replace(/\( /g, "(")
    .trim();
}
