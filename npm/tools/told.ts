/**
 * The result that the model is told of a call: the return value of the tool, as text that says something. Half a surrogate pair is
 * U+FFFD, also as an escape in JSON, since some servers read a result as JSON.
 */
import { wellFormed } from "../request/texts.ts";

/** The result that the model is told of a call. */
export interface Result {
  content: string;
  /** The tool was not run, failed, or returned what cannot be told. */
  failed: boolean;
}

export function failed(message: string): Result {
  return { content: `Error: ${whole(message)}`, failed: true };
}

/**
 * The return value of a tool as text: text as it is, all else as JSON. An `Error` is a failure, a `Map` an object (or, where its
 * keys are no text, a list of pairs), a `Set` and an array of numbers a list, `NaN`, the infinities and a BigInt their names;
 * nothing at all is said in words, and an object that JSON would make `{}` of is a failure that names it, or its name within a value.
 * @throws {TypeError} JSON cannot say it: an object that contains itself
 */
export function told(value: unknown): Result {
  if (value instanceof Error) return failed(value.message || value.name);
  if (value === undefined) return { content: "The tool ran and returned nothing.", failed: false };
  if (typeof value === "string") {
    const content = whole(value);
    return { content: isJSON(content) ? wellFormed(content) : content, failed: false };
  }
  const content = isMute(representable(value))
    ? undefined
    : JSON.stringify(value, (_, inner) => named(representable(inner)));
  if (content === undefined) return failed(`The tool returned a ${kindOf(value)}, which JSON cannot represent.`);
  return { content: wellFormed(content), failed: false };
}

/** A text whose halves of surrogate pairs are U+FFFD. */
function whole(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

function representable(value: unknown): unknown {
  if (value instanceof Map) {
    const pairs = [...value];
    return pairs.every(([key]) => typeof key !== "object") ? Object.fromEntries(pairs) : pairs;
  }
  if (value instanceof Set) return [...value];
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) return [...(value as Uint8Array)];
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return String(value);
  return value;
}

/** The kind in place of a value that would say nothing. */
function named(value: unknown): unknown {
  return isMute(value) ? `[${kindOf(value)}]` : value;
}

function kindOf(value: unknown): string {
  return typeof value === "object" ? value?.constructor?.name || "object" : typeof value;
}

/**
 * Whether JSON makes `{}` of an object that is none: a promise, a response, an iterator, an instance whose fields are private, an
 * object of functions or symbols.
 */
function isMute(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const members = Object.values(value);
  if (!members.every((one) => /function|symbol/.test(typeof one))) return false;
  const prototype = Object.getPrototypeOf(value);
  const isPlain = members.length === 0 && (prototype === null || prototype === Object.prototype);
  return !isPlain && JSON.stringify(value) === "{}";
}

/** Whether a text is an object or a list in JSON, as of a tool that has written its own. */
function isJSON(text: string): boolean {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}
