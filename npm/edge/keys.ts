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
  | { op: "create"; id: string; digest: string; hint: string; grant: Grant; expiresAt: number | null; most: number }
  | { op: "find"; digest: string }
  | { op: "list"; after: string; limit: number }
  | { op: "limit"; id: string; grant: Grant; expiresAt: number | null; most: number }
  | { op: "revoke"; id: string }
  | { op: "revokeToken"; maker: string; subject: string; until: number }
  | { op: "checkToken"; subjects: string[]; issuedAt: number; key: string | null };

/** Nothing was written, since as many keys are valid as `most` says, or as many revocations of one maker are kept as may be. */
export interface Full {
  isFull: true;
}

/** A valid key: its grant as it is now. */
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

/** How long a key is listed that has expired or was revoked. */
const GONE_MS = 30 * 86_400_000;
/** The most revoked tokens and users of one maker at a time. */
const MOST_REVOKED = 10_000;
/** The time when a key expires or was revoked, the earlier of the two; NULL for a key that never expires. */
const GONE_AT = "min(coalesce(revoked, expires), coalesce(expires, revoked))";

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
        const { id, digest, hint, grant, expiresAt, most } = message;
        this.#forget(most, now);
        if (this.#open(now) >= most) return FULL;
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
        // A key that has expired, and becomes valid again, counts as a new one.
        const expired = this.#one(message.id)?.expiresAt ?? now + 1;
        if (expired <= now && (message.expiresAt ?? now + 1) > now && this.#open(now) >= message.most) return FULL;
        const update = "UPDATE keys SET grant_json = ?, expires = ? WHERE id = ? AND revoked IS NULL";
        this.#run(update, JSON.stringify(message.grant), message.expiresAt, message.id);
        return this.#one(message.id);
      }
      case "revoke":
        this.#run("UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?", now, message.id);
        return this.#one(message.id);
      case "revokeToken": {
        const { maker, subject, until } = message;
        this.#run("DELETE FROM revoked WHERE until < ?", now);
        // Subjects are lists in JSON that begin with their maker; `-` is the character after `,`.
        const start = JSON.stringify([maker]).slice(0, -1);
        const others = "FROM revoked WHERE subject > ? AND subject < ? AND subject <> ?";
        if (this.#count(others, `${start},`, `${start}-`, subject) >= MOST_REVOKED) return FULL;
        this.#run("INSERT OR REPLACE INTO revoked VALUES (?, ?, ?)", subject, now, until);
        return { revoked: true };
      }
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

  /** Deletes keys that went long ago, and the first to go of more than so many. */
  #forget(most: number, now: number): void {
    this.#run(`DELETE FROM keys WHERE ${GONE_AT} <= ?`, now - GONE_MS);
    const gone = `SELECT id FROM keys WHERE ${GONE_AT} <= ? ORDER BY ${GONE_AT} DESC LIMIT -1 OFFSET ?`;
    this.#run(`DELETE FROM keys WHERE id IN (${gone})`, now, most);
  }

  /** The number of valid keys. */
  #open(now: number): number {
    return this.#count(`FROM keys WHERE ${GONE_AT} IS NULL OR ${GONE_AT} > ?`, now);
  }

  #count(from: string, ...values: unknown[]): number {
    const [row] = this.#sql.exec(`SELECT count(*) AS number ${from}`, ...values);
    return Number(row?.number);
  }

  #one(id: string): CallerKey | null {
    const [row] = this.#sql.exec("SELECT * FROM keys WHERE id = ?", id);
    return row ? keyOf(row) : null;
  }

  #run(query: string, ...values: unknown[]): void {
    for (const _ of this.#sql.exec(query, ...values));
  }
}

const FULL: Full = { isFull: true };

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
