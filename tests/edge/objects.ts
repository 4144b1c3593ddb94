/** Durable Objects in this process: SQLite in memory, an object for each name, and a clock that the test holds. */
import { DatabaseSync } from "node:sqlite";
import { ChatwireLimiter, type DurableNamespace } from "chatwire/edge";

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
