/**
 * JSON Schema of schemas of zod 3, as strict structured outputs want it: every object closed, every field required. Schemas of
 * zod 4 write their own.
 *
 * A schema that is used twice is written where it is first, and is a definition for every other place, named by the path to the
 * first: that is what `openai` sends, to the letter.
 */
import { OpenAIError } from "./errors.ts";

/** A schema of zod 3, whose makings are in `_def`. */
export interface Zod3Type<Output = unknown> {
  _output: Output;
}

type Schema = Record<string, unknown>;

/** The definition (`_def`) of a zod 3 schema. Its members depend on `typeName`. */
interface Def {
  typeName: string;
  description?: string;
  checks?: Check[];
  innerType?: Node;
  [member: string]: unknown;
}

interface Node {
  _def: Def;
  isOptional(): boolean;
  isNullable(): boolean;
}

interface Check {
  kind: string;
  value?: unknown;
  inclusive?: boolean;
  regex?: RegExp;
  version?: "v4" | "v6";
}

/** Where a value is, from the root's name or a definition's on, and whether it is somewhere in a field of an object. */
interface Place {
  path: string[];
  isWithinField: boolean;
  /** Writes the schema even where it has been written before. */
  isAnew: boolean;
}

const PRIMITIVES: Record<string, string> = {
  ZodString: "string",
  ZodNumber: "number",
  ZodBoolean: "boolean",
  ZodNull: "null",
};

/** Kinds of text by their name in JSON Schema. */
const FORMATS: Record<string, string> = {
  email: "email",
  url: "uri",
  uuid: "uuid",
  datetime: "date-time",
  date: "date",
  time: "time",
  duration: "duration",
};

/** Kinds of text that are a pattern: their definitions, without flags. */
const PATTERNS: Record<string, string> = {
  cuid: "^[cC][^\\s-]{8,}$",
  cuid2: "^[0-9a-z]+$",
  ulid: "^[0-9A-HJKMNP-TV-Z]{26}$",
  nanoid: "^[a-zA-Z0-9_-]{21}$",
  emoji: "^(\\p{Extended_Pictographic}|\\p{Emoji_Component})+$",
};

/**
 * The schema of a type of zod 3.
 * @param name of the whole schema, for schemas that contain themselves
 * @throws {OpenAIError} no strict schema says the same, or the whole is no object
 */
export function strictSchemaOfZod3(type: Zod3Type, name: string, given: Record<string, Zod3Type> = {}): Schema {
  return new Writing(name, given).schemaOf(type as unknown as Node);
}

class Writing {
  readonly #root: string;
  readonly #given: Set<string>;
  readonly #definitions: Map<string, Def>;
  readonly #seen: Map<Def, string[]>;
  #hasReferences = false;

  constructor(name: string, given: Record<string, Zod3Type>) {
    const named = Object.entries(given).map(([id, one]) => [id, (one as unknown as Node)._def] as const);
    this.#definitions = new Map(named);
    this.#given = new Set(this.#definitions.keys());
    this.#seen = new Map(named.map(([id, def]) => [def, [id]]));
    let root = name;
    while (this.#given.has(root)) root += "_root";
    this.#root = root;
  }

  schemaOf({ _def }: Node): Schema {
    const main = this.#write(_def, { path: [this.#root], isWithinField: false, isAnew: true });
    if (main.type !== "object" || main.nullable) {
      const kind = main.nullable ? `${main.type},null` : main.type;
      const said = kind === undefined ? "undefined" : `'${kind}'`;
      throw new OpenAIError(`Root schema must have type: 'object' but got type: ${said}`);
    }
    const definitions: Schema = {};
    // Writing one may add others, which the loop meets as well.
    for (const [id, def] of this.#definitions) {
      definitions[id] = this.#write(def, { path: [id], isWithinField: false, isAnew: true });
    }
    if (this.#hasReferences) definitions[this.#root] = main;
    const $schema = "http://json-schema.org/draft-07/schema#";
    return { ...main, ...(Object.keys(definitions).length > 0 && { definitions }), $schema };
  }

  #write(def: Def, place: Place): Schema {
    const seen = this.#seen.get(def);
    if (seen && !place.isAnew) return this.#referenceTo(def, seen);
    this.#seen.set(def, place.path);
    const schema = this.#ofKind(def, place);
    // A definition is written at a place of its own, and is known by the first.
    if (seen) this.#seen.set(def, seen);
    return def.description ? { ...schema, description: def.description } : schema;
  }

  #referenceTo(def: Def, path: string[]): Schema {
    this.#hasReferences = true;
    const base = path.map((part, at) => (at === 0 ? part : inName(part))).join("_");
    const isRoot = path.length === 1 && base === this.#root;
    let name = base;
    if (!isRoot) {
      const isTaken = () => name === this.#root || (this.#definitions.get(name) ?? def) !== def;
      for (let number = 1; isTaken(); number++) name = `${base}_${number}`;
      if (!this.#definitions.has(name)) this.#definitions.set(name, def);
    }
    const pointer = this.#given.has(name) ? encodeURIComponent(name.replace(/~/g, "~0").replace(/\//g, "~1")) : name;
    return { $ref: `#/definitions/${pointer}` };
  }

  #ofKind(def: Def, place: Place): Schema {
    const same = (node: unknown) => this.#write((node as Node)._def, place);
    switch (def.typeName) {
      case "ZodObject":
        return this.#object(def, place);
      case "ZodArray":
        return this.#array(def, place);
      case "ZodString":
        return text(def, place);
      case "ZodNumber":
        return number(def);
      case "ZodBoolean":
      case "ZodNull":
        return { type: PRIMITIVES[def.typeName] };
      case "ZodAny":
      case "ZodUnknown":
        return {};
      case "ZodEnum":
        return { type: "string", enum: [...(def.values as string[])] };
      case "ZodNativeEnum":
        return nativeEnum(def);
      case "ZodLiteral":
        return literal(def, place);
      case "ZodUnion":
      case "ZodDiscriminatedUnion":
        return this.#union(def, place);
      case "ZodNullable":
        return this.#nullable(def.innerType as Node, place);
      case "ZodOptional":
        return place.isWithinField
          ? same(def.innerType)
          : { anyOf: [this.#within(def.innerType, place, "anyOf", "0")] };
      case "ZodDefault":
        return { ...same(def.innerType), default: (def.defaultValue as () => unknown)() };
      case "ZodReadonly":
        return same(def.innerType);
      case "ZodBranded":
        return same(def.type);
      case "ZodLazy":
        return same((def.getter as () => Node)());
      case "ZodEffects":
        // Refinements are checked as the answer is read.
        if ((def.effect as { type?: string }).type === "refinement") return same(def.schema);
    }
    throw new OpenAIError(
      `The zod schema field at \`${place.path.join("/")}\` is a ${def.typeName}, which no strict schema says. Use what JSON has, and convert the answer.`,
    );
  }

  #within(node: unknown, { path, isWithinField }: Place, ...parts: string[]): Schema {
    return this.#write((node as Node)._def, { path: [...path, ...parts], isWithinField, isAnew: false });
  }

  #object(def: Def, { path }: Place): Schema {
    const properties: Schema = {};
    for (const [name, field] of Object.entries((def.shape as () => Record<string, Node>)())) {
      const at = [...path, "properties", name];
      properties[name] = this.#write(field._def, { path: at, isWithinField: true, isAnew: false });
      if (field.isOptional() && !field.isNullable() && field._def.defaultValue === undefined) {
        throw new OpenAIError(
          `Zod field at \`#/definitions/${at.join("/")}\` uses \`.optional()\` without \`.nullable()\` which is not supported by the API. See: https://platform.openai.com/docs/guides/structured-outputs?api-mode=responses#all-fields-must-be-required`,
        );
      }
    }
    const isOpen =
      def.unknownKeys === "passthrough" || (def.catchall as Node | undefined)?._def.typeName !== "ZodNever";
    if (isOpen) {
      throw new OpenAIError(
        `The zod schema at \`${path.join("/")}\` allows other fields than those it names, which a strict schema cannot.`,
      );
    }
    const required = Object.keys(properties);
    return { type: "object", properties, ...(required.length > 0 && { required }), additionalProperties: false };
  }

  #array(def: Def, place: Place): Schema {
    const limit = (name: string) => (def[name] as { value: number } | null | undefined)?.value;
    const exact = limit("exactLength");
    const least = exact ?? limit("minLength");
    const most = exact ?? limit("maxLength");
    return {
      type: "array",
      items: this.#within(def.type, place, "items"),
      ...(least !== undefined && { minItems: least }),
      ...(most !== undefined && { maxItems: most }),
    };
  }

  #nullable(inner: Node, place: Place): Schema {
    const { typeName, checks = [] } = inner._def;
    if (typeName in PRIMITIVES && checks.length === 0) return { type: PRIMITIVES[typeName], nullable: true };
    const { path, isWithinField } = place;
    const value = this.#write(inner._def, { path: [...path, "anyOf", "0"], isWithinField, isAnew: false });
    return { anyOf: [value, { type: "null" }] };
  }

  /** Alternatives that are one type, or a list of values, are said as that. */
  #union(def: Def, place: Place): Schema {
    const options = [...(def.options as Iterable<Node> & { values(): Iterable<Node> }).values()];
    const defs = options.map(({ _def }) => _def);
    const each = <T>(values: T[]): T[] => [...new Set(values)];
    if (defs.every(({ typeName, checks = [] }) => typeName in PRIMITIVES && checks.length === 0)) {
      return { type: oneOf(each(defs.map(({ typeName }) => PRIMITIVES[typeName]))) };
    }
    if (
      defs.every(({ typeName, description, value }) => typeName === "ZodLiteral" && !description && isConstant(value))
    ) {
      const values = defs.map(({ value }) => value);
      return { type: oneOf(each(values.map((value) => (value === null ? "null" : typeof value)))), enum: each(values) };
    }
    if (defs.every(({ typeName }) => typeName === "ZodEnum")) {
      return { type: "string", enum: each(defs.flatMap(({ values }) => values as string[])) };
    }
    return { anyOf: options.map((option, at) => this.#within(option, place, "anyOf", String(at))) };
  }
}

function text(def: Def, { path }: Place): Schema {
  const schema: Schema & { anyOf?: Schema[] } = { type: "string" };
  const most = (name: string, value: number, choose: (...all: number[]) => number) => {
    schema[name] = typeof schema[name] === "number" ? choose(schema[name], value) : value;
  };
  const pattern = (source: string) => {
    if (schema.pattern !== undefined) {
      throw new OpenAIError(
        `The zod schema field at \`${path.join("/")}\` has more than one pattern, which no strict schema says. Make one of them.`,
      );
    }
    schema.pattern = source;
  };
  const format = (name: string) => {
    if (schema.format === undefined && !schema.anyOf) schema.format = name;
    else {
      schema.anyOf ??= [{ format: schema.format }];
      delete schema.format;
      schema.anyOf.push({ format: name });
    }
  };
  for (const { kind, value, regex, version } of def.checks ?? []) {
    const size = value as number;
    if (kind === "min" || kind === "length") most("minLength", size, Math.max);
    if (kind === "max" || kind === "length") most("maxLength", size, Math.min);
    if (FORMATS[kind]) format(FORMATS[kind]);
    if (kind === "ip" && version !== "v6") format("ipv4");
    if (kind === "ip" && version !== "v4") format("ipv6");
    if (kind === "base64") schema.contentEncoding = "base64";
    if (PATTERNS[kind]) pattern(PATTERNS[kind]);
    if (kind === "regex" && regex) pattern(regex.source);
    if (kind === "startsWith") pattern(new RegExp(`^${escaped(value)}`).source);
    if (kind === "endsWith") pattern(new RegExp(`${escaped(value)}$`).source);
    if (kind === "includes") pattern(new RegExp(escaped(value)).source);
  }
  return schema;
}

function escaped(value: unknown): string {
  return [...String(value)].map((letter) => (/[a-zA-Z0-9]/.test(letter) ? letter : `\\${letter}`)).join("");
}

function number(def: Def): Schema {
  const schema: Schema = { type: "number" };
  for (const { kind, value, inclusive } of def.checks ?? []) {
    if (kind === "int") schema.type = "integer";
    if (kind === "min") schema[inclusive ? "minimum" : "exclusiveMinimum"] = value;
    if (kind === "max") schema[inclusive ? "maximum" : "exclusiveMaximum"] = value;
    if (kind === "multipleOf") schema.multipleOf = value;
  }
  return schema;
}

function nativeEnum(def: Def): Schema {
  const values = def.values as Record<string, string | number>;
  // TypeScript's enums of numbers have their names as values, too.
  const own = Object.keys(values).filter((key) => typeof values[values[key] as string] !== "number");
  const all = own.map((key) => values[key]);
  const types = new Set(all.map((value) => typeof value));
  return { type: types.size === 1 ? [...types][0] : ["string", "number"], enum: all };
}

function literal({ value }: Def, { path }: Place): Schema {
  if (isConstant(value)) return { type: value === null ? "null" : typeof value, const: value };
  throw new OpenAIError(`The zod literal at \`${path.join("/")}\` is no value of JSON.`);
}

function isConstant(value: unknown): boolean {
  return value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function oneOf<T>(values: T[]): T | T[] | undefined {
  return values.length > 1 ? values : values[0];
}

/** A part of a path within the name of a definition, whose letters are limited. */
function inName(part: string): string {
  if (/^[\w-]*$/.test(part) && !part.startsWith("_x_")) return part;
  const units = Array.from({ length: part.length }, (_, at) => part.charCodeAt(at).toString(16).padStart(4, "0"));
  return `_x_${units.join("")}`;
}
