/** Durable Objects in this process: SQLite in memory, an object for each name, and a clock that the test holds. */
import { DatabaseSync } from "node:sqlite";
import {
  ChatwireKeys,
  ChatwireLimiter,
  ChatwireStreams,
  type DurableNamespace,
  type StreamsNamespace,
  type StreamsState,
} from "chatwire/edge";

/** A limiter's objects, and what may befall them. */
export function limiterObjects(clock: () => number = Date.now) {
  const storage = new Map<string, DatabaseSync>();
  const memory = new Map<string, ChatwireLimiter>();
  const asked: { name: string; op: string }[] = [];
  let isDown = false;

  const open = (name: string): ChatwireLimiter => {
    const database = storage.get(name) ?? new DatabaseSync(":memory:");
    storage.set(name, database);
    const exec = (query: string, ...values: unknown[]) => database.prepare(query).all(...(values as never[]));
    const object = memory.get(name) ?? new ChatwireLimiter({ storage: { sql: { exec } } }, undefined, clock);
    memory.set(name, object);
    return object;
  };

  const namespace: DurableNamespace = {
    idFromName: (name) => ({ name }),
    get: ({ name }: { name: string }) => ({
      async fetch(url, { signal, ...init } = {}) {
        asked.push({ name, op: JSON.parse(String(init.body)).op });
        if (isDown) throw new Error("down");
        const answer = open(name).fetch(new Request(url, init));
        if (!signal) return answer;
        signal.throwIfAborted();
        return Promise.race([
          answer,
          new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        ]);
      },
    }),
  };
  return {
    namespace,
    /** Every message that was sent. */
    asked,
    /** The names of the objects there are. */
    names: () => [...storage.keys()].sort(),
    /** Whether messages get lost. */
    down(value: boolean) {
      isDown = value;
    },
    /** All objects lose what they have in memory. */
    restart: () => memory.clear(),
  };
}

/** The id of an object of kept streams, as the platform's are: the first one, unless another is asked for. */
export const objectId = (number = 1): string => number.toString(16).padStart(64, "0");

/** Objects of kept streams, which a test restarts. They find their gateway as the platform's do, by its number. */
export function streamObjects() {
  const storage = new Map<string, { database: DatabaseSync; alarm: number | null }>();
  const memory = new Map<string, ChatwireStreams>();
  const open = (id: string): ChatwireStreams => {
    const own = storage.get(id) ?? { database: new DatabaseSync(":memory:"), alarm: null };
    storage.set(id, own);
    const state: StreamsState = {
      storage: {
        sql: {
          exec(query, ...values) {
            const given = values.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value));
            const rows = own.database.prepare(query).all(...(given as never[]));
            // The platform gives buffers.
            for (const row of rows) {
              if (row.value instanceof Uint8Array) row.value = row.value.slice().buffer as never;
            }
            return rows as Record<string, unknown>[];
          },
        },
        setAlarm: async (time) => {
          own.alarm = time;
        },
        deleteAll: async () => void storage.delete(id),
      },
      blockConcurrencyWhile: (run) => run(),
    };
    const object = memory.get(id) ?? new ChatwireStreams(state, {});
    memory.set(id, object);
    return object;
  };
  let ids = 0;
  const namespace: StreamsNamespace = {
    idFromName: (name) => name as never,
    idFromString: (id) => {
      if (storage.has(id)) return id as never;
      throw new TypeError("no id of this namespace");
    },
    newUniqueId: () => objectId(++ids) as never,
    get: (id: never) => ({ fetch: (url, init) => open(id).fetch(new Request(url, init)) }),
  };
  return {
    namespace,
    storage,
    open,
    restart: () => memory.clear(),
  };
}

/** The object that keeps the keys of callers, its database, and how many rows a table of it has. */
export function keysObject(clock: () => number = Date.now) {
  const database = new DatabaseSync(":memory:");
  const exec = (query: string, ...values: unknown[]) => database.prepare(query).all(...(values as never[]));
  const object = new ChatwireKeys({ storage: { sql: { exec } } }, undefined, clock);
  const namespace: DurableNamespace = {
    idFromName: (name) => ({ name }),
    get: () => ({ fetch: (url, init) => object.fetch(new Request(url, init)) }),
  };
  return { namespace, exec, rows: (table: string) => exec(`SELECT 1 FROM ${table}`).length };
}
