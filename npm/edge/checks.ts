/**
 * Checks of values that come from outside the gateway's code: its options, and the grants that `authorize` gives.
 *
 * Every option has a type, and an option that is not known is an error: a limit that is misspelt would limit nothing.
 */
import { ChatwireError } from "chatwire";
import type { Grant, ParameterPolicy, Plan } from "./options.ts";

const NOT_VALID = "The gateway's options are not valid: ";

/** @throws {ChatwireError} always; `problem` names the option, and holds no secret */
export function wrong(problem: string): never {
  throw new ChatwireError(`${NOT_VALID}${problem}.`);
}

/** The message of a failed check, without its beginning about options: for a value of a request. */
export function problemIn(error: unknown): string {
  return (error as Error).message.replace(NOT_VALID, "");
}

/** A check of one value; `where` is its name in the options. */
export type Check = (where: string, value: unknown) => void;

const article = (value: unknown) => (Array.isArray(value) ? "a list" : value === null ? "null" : typeof value);

/** Fails with the expected kind of value. */
function not(where: string, value: unknown, expected: string): never {
  return wrong(`${where} is ${expected}, not ${article(value)}`);
}

export const isBoolean: Check = (where, value) => {
  if (typeof value !== "boolean") not(where, value, "true or false");
};
export const isText: Check = (where, value) => {
  if (typeof value !== "string" || value === "") not(where, value, "a text that is not empty");
};
const LONGEST_NAME = 256;
/** A name stands in records, logs and labels, each of one line. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= LONGEST_NAME && /^[^\p{Cc}\p{Cs}\u2028\u2029]+$/u.test(value);
}
export const isNameText: Check = (where, value) => {
  isText(where, value);
  if (!isName(value)) wrong(`${where} must be a text of at most ${LONGEST_NAME} characters in one line`);
};
export const isFunction: Check = (where, value) => {
  if (typeof value !== "function") not(where, value, "a function");
};
export const isObject: Check = (where, value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) not(where, value, "an object");
};
export const isWhole: Check = (where, value) => {
  if (!(Number.isSafeInteger(value) && (value as number) > 0)) wrong(`${where} must be a whole number above 0`);
};
export const isPositive: Check = (where, value) => {
  if (!(typeof value === "number" && value > 0 && Number.isFinite(value))) wrong(`${where} must be a number above 0`);
};
const isPrice: Check = (where, value) => {
  if (!(typeof value === "number" && value >= 0 && Number.isFinite(value)))
    wrong(`${where} must be a number of at least 0`);
};
/** Accepts every value: another part of the package checks it. */
export const isAnything: Check = () => {};

export const isListOfTexts: Check = (where, value) => {
  if (!Array.isArray(value)) not(where, value, "a list of texts");
  for (const one of value as unknown[]) isText(`each of ${where}`, one);
};

export const oneOf =
  (...values: readonly unknown[]): Check =>
  (where, value) => {
    const named = values.map((one) => JSON.stringify(one));
    const list = named.length > 1 ? `${named.slice(0, -1).join(", ")} or ${named.at(-1)}` : named[0];
    if (!values.includes(value)) wrong(`${where} is ${list}`);
  };

export const either =
  (a: Check, b: Check): Check =>
  (where, value) => {
    try {
      a(where, value);
    } catch {
      b(where, value);
    }
  };

/** An object whose members are these. Members that are `undefined` count as left out. */
export const objectOf =
  (members: Readonly<Record<string, Check>>, required: readonly string[] = []): Check =>
  (where, value) => {
    isObject(where, value);
    const given = Object.entries(value as object).filter(([, own]) => own !== undefined);
    for (const name of required) {
      if (!given.some(([own]) => own === name)) wrong(`${where}.${name} is required`);
    }
    for (const [name, own] of given) {
      const check = Object.hasOwn(members, name) ? members[name] : undefined;
      if (!check) {
        const known = Object.keys(members);
        return wrong(`${where} has no option ${JSON.stringify(name.slice(0, 64))}. Known options: ${known.join(", ")}`);
      }
      check(where === "options" ? name : `${where}.${name}`, own);
    }
  };

/** An object with members of any names. */
export const recordOf =
  (check: Check): Check =>
  (where, value) => {
    isObject(where, value);
    for (const [name, own] of Object.entries(value as object)) check(`${where}.${name}`, own);
  };

const PLAN: Readonly<Record<keyof Plan, Check>> = {
  requestsPerMinute: isWhole,
  tokensPerMinute: isWhole,
  concurrent: isWhole,
  costPerDay: isPositive,
  costPerMonth: isPositive,
  costTotal: isPositive,
};
export const isPlan = objectOf(PLAN);

const PARAMETERS: Readonly<Record<keyof ParameterPolicy, Check>> = {
  allow: either(isListOfTexts, oneOf("any")),
  deny: isListOfTexts,
  force: isObject,
  defaults: isObject,
};
export const isPolicy: Check = (where, value) => {
  objectOf(PARAMETERS)(where, value);
  const { force, defaults } = value as ParameterPolicy;
  for (const name of ["stream", "model", "n"]) {
    if (force && Object.hasOwn(force, name)) wrong(`${where}.force cannot set ${name}`);
    if (defaults && Object.hasOwn(defaults, name)) wrong(`${where}.defaults cannot set ${name}`);
  }
};

export const isPrices = objectOf({ input: isPrice, cachedInput: isPrice, output: isPrice }, ["input", "output"]);

const MOST_TAGS = 32;

const GRANT: Readonly<Record<keyof Grant, Check>> = {
  caller: isNameText,
  models: isListOfTexts,
  maxTokens: isWhole,
  tools: isBoolean,
  parameters: isPolicy,
  plan: isPlan,
  readsUsage: isBoolean,
  managesKeys: isBoolean,
  expiresAt: isWhole,
  tags: (where, value) => {
    recordOf(isNameText)(where, value);
    const names = Object.keys(value as object);
    for (const name of names) isNameText(`the name of a tag in ${where}`, name);
    if (names.length > MOST_TAGS) wrong(`${where} must have at most ${MOST_TAGS} tags`);
  },
};
/** @throws {ChatwireError} the grant is malformed: it would let its caller do something else than its author meant */
export const isGrant = objectOf(GRANT, ["caller"]);
