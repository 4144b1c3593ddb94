/**
 * The references of a request to things outside of it: things that the provider has stored under the gateway's key, and addresses of its
 * network.
 *
 * All callers share that key. Any caller can read a file, a recording or an answer that another one has stored, by sending its id, so
 * ids are told apart from everything else by the names of their members, wherever they stand: `file_id`, `vector_store_ids`,
 * `audio: { id }`, an item that is nothing but its `id`. Schemas of tools and answers are not searched: names in them are the
 * caller's own.
 */

/** The deepest that values may be nested: a stack overflows from some thousands on. */
export const MAX_DEPTH = 200;

/** Ids of things in the request itself. */
const OWN_IDS: ReadonlySet<string> = new Set(["tool_call_id", "call_id", "approval_request_id"]);
const ID = /(?:^|[_-])(?:[iI][dD]s?|[uU][rR][iI]s?)$|[a-z](?:I[dD]s?|U[rR][iI]s?)$/;
/** Members whose text is an id. */
const STORES: ReadonlySet<string> = new Set(["container", "conversation", "thread", "cached_content", "vector_store"]);
/** Members that identify or describe an object, and hold none of its contents. */
const LABELS: ReadonlySet<string> = new Set(["id", "type", "status", "object"]);
const ADDRESS = /(?:^|[_-])[uU][rR][lL]s?$|[a-z]U[rR][lL]s?$/;

/**
 * The first reference in a parameter's value that is not allowed, by the name under which a policy allows it after the
 * parameter's: `file_id`, `audio.id`, `item_reference`, `url`.
 * @throws {RangeError} the value is nested too deeply
 */
export function referenceIn(value: unknown, isAllowed: (name: string) => boolean): string | undefined {
  return referenced(value, undefined, 0, (name) => (isAllowed(name) ? undefined : name));
}

/** @throws {RangeError} the value is nested too deeply */
export function checkDepth(value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) throw new RangeError("The value is nested too deeply.");
  if (typeof value !== "object" || value === null) return;
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof member === "object") checkDepth(member, depth + 1);
  }
}

type Refused = (name: string) => string | undefined;

function referenced(value: unknown, parent: string | undefined, depth: number, refused: Refused): string | undefined {
  if (depth > MAX_DEPTH) throw new RangeError("The value is nested too deeply.");
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return first(value, (one) => referenced(one, undefined, depth + 1, refused));
  const members = Object.entries(value);
  if (isIdAlone(members)) return refused(parent === undefined ? "item_reference" : `${parent}.id`);
  return first(members, ([name, own]) => {
    // Tools in a conversation are checked as those beside it are.
    if (isEmpty(own) || (name === "tools" && depth === 1)) return undefined;
    if (typeof own === "string" && ADDRESS.test(name) && isInner(own)) return refused("url");
    const isId = name !== "id" && ID.test(name) && !OWN_IDS.has(name);
    if (isId || (STORES.has(name) && typeof own === "string")) return refused(name);
    return referenced(own, name, depth + 1, refused);
  });
}

function first<T>(list: readonly T[], look: (one: T) => string | undefined): string | undefined {
  for (const one of list) {
    const found = look(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether an object has an id and no contents. */
function isIdAlone(members: readonly (readonly [string, unknown])[]): boolean {
  const id = members.find(([name]) => name === "id")?.[1];
  return (
    ["string", "number"].includes(typeof id) &&
    id !== "" &&
    members.every(([name, own]) => LABELS.has(name) || isEmpty(own))
  );
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

const INNER_NAME = /(?:^|\.)(?:localhost|local|internal|lan|svc|corp|intranet|home\.arpa)$/;

/**
 * Whether a provider that fetches this would fetch from its own machine or network. A name that resolves to an inner address is
 * not seen: a provider inside a network has to be kept from fetching by its own settings.
 */
function isInner(text: string): boolean {
  // Contents in a `data:` URL, and base64 without a scheme, are no address.
  if (/^data:/i.test(text) || !URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  if (protocol !== "https:" && protocol !== "http:") return true;
  const host = hostname.replace(/\.$/, "");
  if (host.startsWith("[")) return !/^\[2[0-9a-f]{3}:|^\[3[0-9a-f]{3}:/i.test(host);
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(host)) return !host.includes(".") || INNER_NAME.test(host);
  const [a = 0, b = 0] = host.split(".").map(Number);
  if ([0, 10, 127].includes(a) || a >= 224) return true;
  if (a === 172) return b >= 16 && b <= 31;
  return (a === 192 && b === 168) || (a === 169 && b === 254) || (a === 100 && b >= 64 && b <= 127);
}
