/**
 * JSON in an answer's text, wherever a model has put it: alone, in a fence, after its thinking or its prose, encoded twice, or
 * spelled nearly as JSON is.
 * A repair has a code, as the engine's repairs have.
 */

/** The repairs that were needed to find the JSON. */
export type JSONRepair =
  | "parse.thinking"
  | "parse.fence"
  | "parse.prose"
  | "parse.encoded_twice"
  | "parse.parts"
  | "parse.spelling"
  | "parse.tool_call"
  | "parse.reasoning";

/** A value that the text may stand for, the most likely first. */
export interface Candidate {
  value: unknown;
  repairs: JSONRepair[];
}

/** The most values within prose that are tried, so that a long text of brackets does not take long. */
const MOST = 32;

/** The JSON texts that a text may stand for; none where there is no JSON in it. What is nearly JSON comes last. */
export function* candidates(text: string): Generator<Candidate> {
  yield* asWritten(text);
  // The inside of a string of JSON, without its quotes.
  if (text.includes('\\"')) yield* encoded(read(`"${text.trim()}"`)?.value, []);
  const spelled = respelled(text);
  if (spelled === text) return;
  for (const { value, repairs } of asWritten(spelled)) {
    if (typeof value === "object" && value !== null) yield { value, repairs: ["parse.spelling", ...repairs] };
  }
}

/**
 * The text with the JSON in it spelled as JSON is: line feeds and tabs within strings, backslashes that begin no escape, strings in
 * single or typographic quotes, names without any, comments, commas too many, and the words of Python and JavaScript for nothing, true
 * and false.
 */
function respelled(text: string): string {
  const beside = /"(?:[^"\\]|\\.)*"|(^|[\s,{}[\]])\/\/[^\n]*|\/\*.*?\*\/|[\u201c\u201d]/gms;
  const plain = text.replace(beside, (part, before = "") => {
    if (part.startsWith('"')) return part;
    return /[\u201c\u201d]/.test(part[0] as string) ? '"' : before;
  });
  const words: Record<string, string> = { None: "null", NaN: "null", undefined: "null", True: "true", False: "false" };
  const parts =
    /"(?:[^"\\]|\\.)*"?|([{,:[]\s*)'((?:[^'\\]|\\.)*)'(?=\s*[},:\]])|,(?=\s*[}\]])|([{,]\s*)([\p{L}_$][\w$-]*)(?=\s*:)|\b(?:None|NaN|undefined|True|False)\b/gsu;
  return plain.replace(parts, (part, before?: string, single?: string, opening?: string, name?: string) => {
    if (name !== undefined) return `${opening}"${name}"`;
    if (single !== undefined) {
      const inner = single.replace(/\\'/g, "'").replace(/(\\.)|"/gs, (_, pair?: string) => pair ?? '\\"');
      return `${before}${escaped(`"${inner}"`)}`;
    }
    return part.startsWith('"') ? escaped(part) : (words[part] ?? "");
  });
}

/** A string of JSON with the escapes that it lacks. */
function escaped(string: string): string {
  return string
    .replace(/\\(.)/gs, (pair, letter: string) => (/["\\/bfnrtu]/.test(letter) ? pair : `\\\\${letter}`))
    .replace(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1));
}

/** The same of a text that is JSON as it stands. */
function* asWritten(text: string): Generator<Candidate> {
  const whole = read(text);
  if (whole) return yield* decoded(whole.value, []);
  const before: JSONRepair[] = [];
  let rest = text;
  const thought = /^\s*<(think|thinking|thought|reasoning)>[\s\S]*?<\/\1>/i.exec(text);
  if (thought) {
    rest = text.slice(thought[0].length);
    before.push("parse.thinking");
    const after = read(rest);
    if (after) return yield* decoded(after.value, before);
  }
  for (const [, inner = ""] of rest.matchAll(/```[\w+-]*[^\S\n]*\n?([\s\S]*?)(?:```|$)/g)) {
    const fenced = read(inner);
    if (fenced) yield* decoded(fenced.value, [...before, "parse.fence"]);
  }
  let tried = 0;
  for (let at = 0; at < rest.length && tried < MOST; at++) {
    if (rest[at] !== "{" && rest[at] !== "[") continue;
    const end = endOf(rest, at);
    const found = end > at ? read(rest.slice(at, end)) : undefined;
    tried++;
    if (!found) continue;
    yield { value: found.value, repairs: [...before, "parse.prose"] };
    at = end - 1;
  }
}

/** The value, and then the objects and lists that it stands for if it is JSON in a string, once or more often. */
function* decoded(value: unknown, repairs: JSONRepair[]): Generator<Candidate> {
  yield { value, repairs };
  yield* encoded(value, repairs);
}

/** The objects and lists that a string stands for. */
function* encoded(value: unknown, repairs: JSONRepair[]): Generator<Candidate> {
  if (typeof value !== "string") return;
  for (const inner of asWritten(value)) {
    if (typeof inner.value !== "object") continue;
    yield { value: inner.value, repairs: [...repairs, "parse.encoded_twice", ...inner.repairs] };
  }
}

function read(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Where the object or list that begins at `start` ends; 0 where it does not. */
function endOf(text: string, start: number): number {
  let depth = 0;
  let isText = false;
  for (let at = start; at < text.length; at++) {
    const letter = text[at];
    if (isText) {
      if (letter === "\\") at++;
      else if (letter === '"') isText = false;
    } else if (letter === '"') isText = true;
    else if (letter === "{" || letter === "[") depth++;
    else if ((letter === "}" || letter === "]") && --depth === 0) return at + 1;
  }
  return 0;
}
