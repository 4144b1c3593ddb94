/**
 * `/v1/keys`: the keys of callers, for whose grants `managesKeys` is set; and the lookup of a key that a caller sends.
 */
import { isGrant, problemIn } from "./checks.ts";
import type { CallerKey, Full, GoodKey, KeysMessage } from "./keys.ts";
import type { DurableNamespace, Grant } from "./options.ts";
import { Problem } from "./problem.ts";

/** The beginning of every key, by which it differs from other tokens. */
const PREFIX = "cwk_";
/** All keys of a gateway are kept by one object. */
const OBJECT = "keys";
const HINT_LENGTH = 8;
const MOST_LISTED = 100;

/** The members that a grant of a key cannot have: keys are for callers, not for managers of keys. */
const RESERVED = ["managesKeys", "readsUsage"] as const;

export function isCallerKey(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** Sends a message to the object. @throws {Problem} 503, it cannot be reached */
export async function askKeys<Answer>(namespace: DurableNamespace, message: KeysMessage): Promise<Answer> {
  try {
    const stub = namespace.get(namespace.idFromName(OBJECT) as never);
    const response = await stub.fetch("https://keys/", { method: "POST", body: JSON.stringify(message) });
    if (!response.ok) throw new Error("the keys' object failed");
    return (await response.json()) as Answer;
  } catch (error) {
    console.error("chatwire/edge: the keys could not be read:", (error as Error)?.name);
    throw new Problem(503, "keys_unavailable", "The keys could not be read. Try again in a moment.");
  }
}

/** The grant of an admitted caller; `keyId` is that of its key, where it sent one of `/v1/keys`. */
export type Admitted = Grant & { keyId?: string };

/** The grant of a key; `null` where it is not known, has expired or was revoked. */
export async function grantOfKey(namespace: DurableNamespace, token: string): Promise<Admitted | null> {
  const found = await askKeys<GoodKey | null>(namespace, { op: "find", digest: await digestOf(token) });
  return found && { ...grantOf(found), keyId: found.id };
}

export function grantOf({ grant, expiresAt }: GoodKey): Grant {
  return { ...grant, ...(expiresAt !== null && { expiresAt }) };
}

/** The object that keeps the keys of callers, and the most of these keys that may be valid at a time. */
export interface KeyRing {
  keys: DurableNamespace;
  maxKeys: number;
}

/** The new key is in `key`, this once. */
export async function createKey({ keys, maxKeys }: KeyRing, body: unknown): Promise<CallerKey & { key: string }> {
  const { grant, expiresAt } = wantedOf(body);
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const key =
    PREFIX + btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (sign) => ({ "+": "-", "/": "_" })[sign] ?? "");
  // Ids sort by the time they were made.
  const id = `key_${Date.now().toString(36).padStart(9, "0")}${crypto.randomUUID().slice(0, 8)}`;
  const hint = `${key.slice(0, HINT_LENGTH)}…`;
  const made = await askKeys<CallerKey | Full>(keys, {
    ...{ op: "create", id, digest: await digestOf(key), hint, grant, expiresAt, most: maxKeys },
  });
  return { ...notFull(made, maxKeys), key };
}

/** A page of keys, in the order they were made. `after` is the id of the last that is known. */
export async function listKeys(namespace: DurableNamespace, query: URLSearchParams): Promise<object> {
  const limit = Number(query.get("limit") ?? MOST_LISTED);
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= MOST_LISTED)) {
    throw new Problem(400, "invalid_value", `limit must be a number from 1 to ${MOST_LISTED}.`, { param: "limit" });
  }
  const after = query.get("after") ?? "";
  const data = await askKeys<CallerKey[]>(namespace, { op: "list", after, limit: limit + 1 });
  return { object: "list", data: data.slice(0, limit), has_more: data.length > limit };
}

/** Replaces what a key allows. */
export async function limitKey({ keys, maxKeys }: KeyRing, id: string, body: unknown): Promise<CallerKey> {
  const message: KeysMessage = { op: "limit", id, ...wantedOf(body), most: maxKeys };
  return known(notFull(await askKeys<CallerKey | Full | null>(keys, message), maxKeys));
}

export async function revokeKey(namespace: DurableNamespace, id: string): Promise<CallerKey> {
  return known(await askKeys<CallerKey | null>(namespace, { op: "revoke", id }));
}

/** @throws {Problem} 409, as many keys are valid as may be */
function notFull<Answer>(answer: Answer | Full, maxKeys: number): Answer {
  if (!(answer && typeof answer === "object" && "isFull" in answer)) return answer as Answer;
  throw new Problem(
    409,
    "too_many_keys",
    `The gateway has ${maxKeys} keys that are valid, as many as its option maxKeys allows. Revoke keys that nobody uses with ` +
      "DELETE /v1/keys/{id}, give keys an expiresIn, or raise maxKeys.",
  );
}

function known(key: CallerKey | null): CallerKey {
  if (key) return key;
  throw new Problem(404, "key_not_found", "There is no such key. GET /v1/keys lists them.");
}

/** @throws {Problem} 400, the body is no grant */
function wantedOf(body: unknown): { grant: Grant; expiresAt: number | null } {
  const { expiresIn = null, ...grant } = (body ?? {}) as Record<string, unknown>;
  try {
    isGrant("the key", grant);
  } catch (error) {
    throw new Problem(
      400,
      "invalid_value",
      `The body must be a grant such as {"caller": "team", "models": ["small"]}: ${problemIn(error)}`,
    );
  }
  const reserved = RESERVED.find((name) => grant[name] !== undefined);
  if (reserved) throw new Problem(400, "invalid_value", `A key cannot have ${reserved}.`, { param: reserved });
  if (expiresIn !== null && !(Number.isSafeInteger(expiresIn) && (expiresIn as number) > 0)) {
    throw new Problem(400, "invalid_value", "expiresIn must be a number of seconds.", { param: "expiresIn" });
  }
  const { expiresAt, ...rest } = grant as unknown as Grant;
  const end = expiresIn === null ? (expiresAt ?? null) : Date.now() + (expiresIn as number) * 1000;
  return { grant: rest, expiresAt: end };
}

async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
