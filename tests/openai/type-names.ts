/**
 * Every name that a declaration file of `openai` exports, read from the file itself, so that none is forgotten: on classes, in
 * namespaces, and as one path passes on what another has. A reader of `tsc`'s own output, not of TypeScript.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** An exported name. */
export interface TypeName {
  /** With the namespaces around it: `Chat.Completions.ChatCompletion`. */
  name: string;
  /** How many type arguments it needs or takes. */
  arguments: number;
  /** A type can be asked for by this name; else it is a value only. */
  isType: boolean;
  /** A class. */
  isClass: boolean;
  /** The file that declares it, from the package's root. */
  file: string;
}

interface Declared {
  kind: "class" | "interface" | "type" | "function" | "const" | "namespace";
  arguments: number;
  body: string;
}

interface Scope {
  file: string;
  declared: Map<string, Declared[]>;
  /** Local name to where it comes from. */
  imported: Map<string, { from: string; name: string }>;
  exported: Map<string, string>;
  all: string[];
  outer?: Scope;
}

const statement =
  /^(export )?(?:declare )?(?:abstract )?(class|interface|type|function|const|namespace) (\w+)(<)?|^(export )?import (?:type )?([^;]+?) from ["']([^"']+)["']|^export import (\w+) = ([\w.]+)|^export (?:type )?\{([^}]*)\}(?: from ["'](.+)["'])?|^export (?:type )?\* from ["'](.+)["']/s;

/** The statements of a declaration file, without comments. */
function* statementsOf(text: string): Generator<string> {
  const code = text.replace(/\/\*[\s\S]*?\*\/|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\/.*/g, "$1");
  let depth = 0;
  let start = 0;
  let quote = "";
  for (let at = 0; at < code.length; at++) {
    const mark = code[at] as string;
    if (quote) {
      if (mark === "\\") at++;
      else if (mark === quote) quote = "";
      continue;
    }
    if ("\"'`".includes(mark)) quote = mark;
    else if ("{([".includes(mark)) depth++;
    else if ("})]".includes(mark)) depth--;
    const isBlockEnd =
      mark === "}" &&
      /^\s*$/.test(code[at + 1] ?? "") &&
      /^\s*(export )?(declare )?(abstract )?(class|interface|namespace) /.test(code.slice(start, at));
    if (depth === 0 && (mark === ";" || isBlockEnd)) {
      yield code.slice(start, at + 1).replace(/^[\s;]+/, "");
      start = at + 1;
    }
  }
}

/** How many type parameters begin here. */
function parametersIn(text: string): number {
  let depth = 0;
  let count = 1;
  for (const [at, mark] of [...text].entries()) {
    if ("<{([".includes(mark)) depth++;
    else if ("})]".includes(mark) || (mark === ">" && text[at - 1] !== "=")) {
      depth--;
      if (depth === 0) return count;
    } else if (mark === "," && depth === 1) count++;
  }
  return count;
}

function scopeOf(text: string, file: string, outer?: Scope): Scope {
  const scope: Scope = {
    file,
    declared: new Map(),
    imported: new Map(),
    exported: new Map(),
    all: [],
    ...(outer && { outer }),
  };
  for (const one of statementsOf(text)) {
    const found = statement.exec(one);
    if (!found) continue;
    const [head, isExported, kind, name, generic, , names, from, alias, target, list, listFrom, allFrom] = found;
    if (kind && name) {
      const body = one.slice(one.indexOf("{") + 1, one.lastIndexOf("}"));
      const declared: Declared = {
        kind: kind as Declared["kind"],
        arguments: generic ? parametersIn(one.slice(head.length - 1)) : 0,
        body,
      };
      scope.declared.set(name, [...(scope.declared.get(name) ?? []), declared]);
      // Within a namespace of a declaration file, all that is declared is exported.
      if (isExported || outer) scope.exported.set(name, name);
    } else if (names && from) {
      const space = /\* as (\w+)/.exec(names);
      if (space) scope.imported.set(space[1] as string, { from, name: "*" });
      for (const [outside, inside] of pairsOf(/\{(.*)\}/s.exec(names)?.[1] ?? "")) {
        scope.imported.set(inside, { from, name: outside });
      }
    } else if (alias && target) scope.exported.set(alias, target);
    else if (list !== undefined) {
      for (const [local, outside] of pairsOf(list)) {
        if (listFrom) {
          scope.imported.set(`=${outside}`, { from: listFrom, name: local });
          scope.exported.set(outside, `=${outside}`);
        } else scope.exported.set(outside, local);
      }
    } else if (allFrom) scope.all.push(allFrom);
  }
  return scope;
}

function pairsOf(list: string): [string, string][] {
  return list
    .split(",")
    .map((one) => one.trim().replace(/^type /, ""))
    .filter(Boolean)
    .map((one) => one.split(" as ") as [string, string?])
    .map(([one, other]) => [one, other ?? one]);
}

/** Reads the package in this folder. */
export class Names {
  readonly #root: string;
  readonly #files = new Map<string, Scope>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The exports of a path, such as `resources/chat`. Namespaces are entered as far as `enters` says. */
  at(path: string, enters: (name: TypeName) => boolean = () => true): TypeName[] {
    return [...this.#exportsOf(this.#scope(resolve(this.#root, path)), "", enters, 0)].sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
  }

  #scope(path: string): Scope {
    const plain = path.replace(/\.m?js$/, "");
    const file = [`${plain}.d.ts`, join(plain, "index.d.ts")].find(existsSync);
    if (!file) throw new Error(`there is no ${plain}.d.ts`);
    const known = this.#files.get(file) ?? scopeOf(readFileSync(file, "utf8"), file);
    this.#files.set(file, known);
    return known;
  }

  *#exportsOf(scope: Scope, prefix: string, enters: (name: TypeName) => boolean, depth: number): Generator<TypeName> {
    for (const from of scope.all) {
      // The names that a file exports itself count before those that it re-exports.
      const isOwn = ({ name }: TypeName) => scope.exported.has(name.slice(prefix.length).split(".")[0] as string);
      const passed = this.#exportsOf(this.#scope(resolve(dirname(scope.file), from)), prefix, enters, depth);
      for (const one of passed) if (!isOwn(one)) yield one;
    }
    for (const [name, local] of scope.exported) {
      if (name === "default") continue;
      const found = this.#find(scope, local);
      if (!found) throw new Error(`${scope.file} exports ${name}, which is not found`);
      const { declared, in: home } = found;
      const said: TypeName = {
        name: prefix + name,
        arguments: Math.max(...declared.map((one) => one.arguments)),
        isType: declared.some(({ kind }) => kind !== "function" && kind !== "const" && kind !== "namespace"),
        isClass: declared.some(({ kind }) => kind === "class"),
        file: home.file.slice(this.#root.length + 1),
      };
      yield said;
      if (depth > 4 || !enters(said)) continue;
      for (const { kind, body } of declared) {
        if (kind === "namespace")
          yield* this.#exportsOf(scopeOf(body, home.file, home), `${said.name}.`, enters, depth + 1);
      }
    }
  }

  /** The declarations behind a local name, which may be passed on from file to file. */
  #find(scope: Scope, name: string): { declared: Declared[]; in: Scope } | undefined {
    const [first = "", ...rest] = name.split(".");
    const declared = scope.declared.get(first);
    // A type that only names another one is that one, when it is asked for its namespace.
    if (declared && rest.length === 0) return { declared, in: scope };
    const from = scope.imported.get(first);
    if (from) {
      const target = this.#scope(resolve(dirname(scope.file), from.from));
      const path = from.name === "*" ? rest : [from.name, ...rest];
      return this.#exported(target, path.join("."));
    }
    return scope.outer && this.#find(scope.outer, name);
  }

  #exported(scope: Scope, name: string): { declared: Declared[]; in: Scope } | undefined {
    const local = scope.exported.get(name);
    if (local) return this.#find(scope, local);
    for (const from of scope.all) {
      const found = this.#exported(this.#scope(resolve(dirname(scope.file), from)), name);
      if (found) return found;
    }
    return undefined;
  }
}
