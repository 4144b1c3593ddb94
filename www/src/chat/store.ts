/** Conversations, kept in the browser's database. A browser without one keeps them until the page is closed. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { Conversation } from "./conversation.ts";
import { KEPT_ITEM } from "./kept.ts";

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation; indexes: { updatedAt: number } };
}

/** The oldest go when there are more. */
const MOST = 50;

let database: Promise<IDBPDatabase<Schema> | undefined> | undefined;
const fallback = new Map<string, Conversation>();

function opened(): Promise<IDBPDatabase<Schema> | undefined> {
  database ??= openDB<Schema>("chatwire", 1, {
    upgrade(db) {
      db.createObjectStore("conversations", { keyPath: "id" }).createIndex("updatedAt", "updatedAt");
    },
  }).catch(() => undefined);
  return database;
}

/** Keeps a conversation as it is now. */
export async function save(conversation: Conversation): Promise<void> {
  conversation.updatedAt = Date.now();
  const db = await opened();
  if (!db) {
    fallback.set(conversation.id, structuredClone(conversation));
    return;
  }
  await db.put("conversations", structuredClone(conversation));
  const keys = await db.getAllKeysFromIndex("conversations", "updatedAt");
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await db.delete("conversations", key);
  try {
    localStorage.setItem(KEPT_ITEM, "yes");
  } catch {
    // The next visit then waits until its page is idle.
  }
}

/** All that are kept, the latest first. */
export async function list(): Promise<Conversation[]> {
  const db = await opened();
  const all = db ? await db.getAllFromIndex("conversations", "updatedAt") : [...fallback.values()];
  return all.sort((a, b) => b.updatedAt - a.updatedAt);
}

/** Forgets one. */
export async function forget(id: string): Promise<void> {
  fallback.delete(id);
  await (await opened())?.delete("conversations", id);
}
