/**
 * The Durable Object that keeps the keys of callers: made, listed, limited and revoked while the gateway runs, and tokens of
 * pages revoked before they expire.
 *
 * A key is shown once, when it is made. Only its SHA-256 hash is kept.
 */
import type { Grant } from "./options.ts";

/** The state that the platform gives an object: the part of it that is used. */
export interface KeysState {
  storage: { sql: { exec(query: string, ...values: unknown[]): Iterable<Record<string, unknown>> } };
}

/** A key as it is listed. */
export interface CallerKey {
  object: "key";
  id: string;
  /** The beginning of the key, to tell keys apart. */
  hint: string;
  grant: Grant;
  /** In milliseconds since 1970; `null` for a key that does not expire. */
  expiresAt: number | null;
  createdAt: number;
  revokedAt: number | null;
}

/** A message of a gateway to the object, as JSON. */
export type KeysMessage =
  | { op: "create"; id: string; digest: string; hint: string; grant: Grant; expiresAt: number | null }
  | { op: "find"; digest: string }
  | { op: "list"; after: string; limit: number }
  | { op: "limit"; id: string; grant: Grant; expiresAt: number | null }
  | { op: "revoke"; id: string }
  | { op: "revokeToken"; subject: string; until: number }
  | { op: "checkToken"; subjects: string[]; issuedAt: number; key: string | null };

/** A key that opens: its grant as it is now. */
export interface GoodKey {
  id: string;
  grant: Grant;
  expiresAt: number | null;
}

/** Whether a page's token was revoked, and the key that it was made with; `null` where that is gone, or there was none. */
export interface TokenCheck {
  isRevoked: boolean;
  key: GoodKey | null;
}

const TABLES = [
  `CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, hint TEXT NOT NULL, grant_json TEXT NOT NULL, expires INTEGER,
    created INTEGER NOT NULL, revoked INTEGER
  ) WITHOUT ROWID`,
  "CREATE TABLE IF NOT EXISTS revoked (subject TEXT PRIMARY KEY, at INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
];

/**
 * Keeps the keys of callers. Export it from the worker's main module, bind its namespace, and hand that to the gateway.
 * @example
 * ```ts
 * export { ChatwireKeys } from "chatwire/edge";
 * const admin = { caller: "admin", managesKeys: true };
 * export default gateway((env) => ({ …, keys: env.KEYS, authorize: bearerTokens({ [env.ADMIN_TOKEN]: admin }) }));
 * ```
 */
export class ChatwireKeys {
  readonly #sql: KeysState["storage"]["sql"];
  readonly #clock: () => number;

  /**
   * The object is made by the platform.
   * @internal
   * @param clock milliseconds since 1970; the host's by default
   */
  constructor(state: KeysState, _env?: unknown, clock: () => number = Date.now) {
    this.#sql = state.storage.sql;
    this.#clock = clock;
    for (const table of TABLES) this.#sql.exec(table);
  }

  /** Answers a gateway. */
  async fetch(request: Request): Promise<Response> {
    return Response.json(this.#take((await request.json()) as KeysMessage, this.#clock()));
  }

  #take(message: KeysMessage, now: number): unknown {
    switch (message.op) {
      case "create": {
        const { id, digest, hint, grant, expiresAt } = message;
        const insert = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, NULL)";
        this.#run(insert, id, digest, hint, JSON.stringify(grant), expiresAt, now);
        return this.#one(id);
      }
      case "find": {
        const [row] = this.#sql.exec("SELECT * FROM keys WHERE digest = ?", message.digest);
        return goodKey(row && keyOf(row), now);
      }
      case "list": {
        const rows = this.#sql.exec(
          "SELECT * FROM keys WHERE id > ? ORDER BY id LIMIT ?",
          message.after,
          message.limit,
        );
        return [...rows].map(keyOf);
      }
      case "limit": {
        const update = "UPDATE keys SET grant_json = ?, expires = ? WHERE id = ? AND revoked IS NULL";
        this.#run(update, JSON.stringify(message.grant), message.expiresAt, message.id);
        return this.#one(message.id);
      }
      case "revoke":
        this.#run("UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?", now, message.id);
        return this.#one(message.id);
      case "revokeToken":
        this.#run("DELETE FROM revoked WHERE until < ?", now);
        this.#run("INSERT OR REPLACE INTO revoked VALUES (?, ?, ?)", message.subject, now, message.until);
        return { revoked: true };
      case "checkToken": {
        const { subjects, issuedAt, key } = message;
        const isRevoked = subjects.some((subject) => {
          const [row] = this.#sql.exec("SELECT at FROM revoked WHERE subject = ?", subject);
          return row !== undefined && Number(row.at) >= issuedAt;
        });
        const check: TokenCheck = { isRevoked, key: key === null ? null : goodKey(this.#one(key), now) };
        return check;
      }
    }
  }

  #one(id: string): CallerKey | null {
    const [row] = this.#sql.exec("SELECT * FROM keys WHERE id = ?", id);
    return row ? keyOf(row) : null;
  }

  #run(query: string, ...values: unknown[]): void {
    for (const _ of this.#sql.exec(query, ...values));
  }
}

/** The key, unless it was revoked or has expired. */
function goodKey(key: CallerKey | null | undefined, now: number): GoodKey | null {
  if (!key || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now)) return null;
  const { id, grant, expiresAt } = key;
  return { id, grant, expiresAt };
}

function keyOf(row: Record<string, unknown>): CallerKey {
  const time = (value: unknown) => (value === null || value === undefined ? null : Number(value));
  return {
    object: "key",
    id: String(row.id),
    hint: String(row.hint),
    grant: JSON.parse(String(row.grant_json)),
    expiresAt: time(row.expires),
    createdAt: Number(row.created),
    revokedAt: time(row.revoked),
  };
}
