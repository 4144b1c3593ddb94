/** Conversations, kept in the browser's database. A browser without one keeps them until the page is closed. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import { type Conversation, idOf, recovered } from "./conversation.ts";
import { KEPT_ITEM } from "./kept.ts";

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation; indexes: { updatedAt: number } };
}

/** How long a database may take to answer, in milliseconds, until the page goes on without it. */
const PATIENCE = 1500;
/** The oldest go when there are more. */
const MOST = 50;

let database: Promise<IDBPDatabase<Schema> | undefined> | undefined;
/** Conversations of a browser that keeps none. */
const fallback = new Map<string, Conversation>();

function opened(): Promise<IDBPDatabase<Schema> | undefined> {
  // A browser that refuses storage may throw before there is a promise.
  database ??= Promise.resolve()
    .then(() =>
      openDB<Schema>("chatwire", 1, {
        upgrade(db) {
          db.createObjectStore("conversations", { keyPath: "id" }).createIndex("updatedAt", "updatedAt");
        },
        // The browser may close it, for one when the visitor clears the site's data.
        terminated() {
          database = undefined;
        },
      }),
    )
    .catch(() => undefined);
  return soon(database);
}

/** The value of a promise; nothing where it takes too long: some browsers open a database that then never answers. */
function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([promise, new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE, undefined))]);
}

/**
 * Keeps a conversation as it is now. One that another tab has changed meanwhile is kept beside that other one, as a conversation
 * of its own.
 * @throws {Error} the browser has a database, but did not take the conversation: it may have no room
 */
export async function save(conversation: Conversation): Promise<void> {
  const known = conversation.updatedAt;
  conversation.updatedAt = Date.now();
  const db = await opened();
  if (!db) {
    fallback.set(conversation.id, structuredClone(conversation));
    return;
  }
  const transaction = db.transaction("conversations", "readwrite");
  const before = await transaction.store.get(conversation.id);
  if (before && before.updatedAt > known) conversation.id = idOf();
  await transaction.store.put(conversation);
  const keys = await transaction.store.index("updatedAt").getAllKeys();
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await transaction.store.delete(key);
  await transaction.done;
  try {
    localStorage.setItem(KEPT_ITEM, "yes");
  } catch {
    // The next visit then waits until its page is idle.
  }
}

/** All that are kept, the latest first. */
export async function list(): Promise<Conversation[]> {
  const db = await opened();
  const kept = db && (await soon(db.getAllFromIndex("conversations", "updatedAt")));
  const all = kept ?? [...fallback.values()];
  return all.map(recovered).sort((a, b) => b.updatedAt - a.updatedAt);
}

/** Forgets one. */
export async function forget(id: string): Promise<void> {
  fallback.delete(id);
  await (await opened())?.delete("conversations", id);
}
