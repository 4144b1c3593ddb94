/** The gateway of the accounting run on runtimes that are no workers; the test says where provider and records are. */
import { ChatwireStreams, gateway } from "chatwire/edge";

const { UPSTREAM, RECORDS, MODE } = globalThis.Deno ? Deno.env.toObject() : process.env;

/** Objects in this process, each with a database in memory. */
async function streamObjects() {
  const { DatabaseSync } = await import("node:sqlite");
  const objects = new Map();
  const open = (id) => {
    if (!objects.has(id)) {
      const database = new DatabaseSync(":memory:");
      const values = new Map();
      const exec = (query, ...given) =>
        database
          .prepare(query)
          .all(...given.map((value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value)));
      const storage = {
        sql: { exec },
        get: async (key) => values.get(key),
        put: async (key, value) => void values.set(key, value),
        setAlarm: async () => {},
        deleteAll: async () => void objects.delete(id),
      };
      objects.set(id, new ChatwireStreams({ storage, blockConcurrencyWhile: (run) => run() }, {}));
    }
    return objects.get(id);
  };
  let ids = 0;
  return {
    idFromName: (name) => name,
    idFromString: (id) => id,
    newUniqueId: () => `id${++ids}`,
    get: (id) => ({ fetch: (url, init) => open(id).fetch(new Request(url, init)) }),
  };
}

const app = gateway({
  providers: { own: { provider: { baseURL: `${UPSTREAM}/waves/v1` }, apiKey: "any", maxRetries: 0 } },
  models: { electron: "own/electron" },
  authorize: () => ({ caller: "alice" }),
  onDisconnect: MODE,
  ...(MODE === "durable" && { streams: await streamObjects() }),
  onUsage: async (record) => {
    const answer = await fetch(RECORDS, { method: "POST", body: JSON.stringify(record) });
    await answer.text();
    if (!answer.ok) throw new Error(`The record was not taken: ${answer.status}`);
  },
});
const fetching = (request) => app.fetch(request);
const started = ({ port }) => console.log(JSON.stringify({ port }));
const options = { port: 0, hostname: "127.0.0.1" };

if (globalThis.Deno) Deno.serve({ ...options, onListen: started }, fetching);
else if (globalThis.Bun) started(Bun.serve({ ...options, idleTimeout: 255, fetch: fetching }));
else (await import("@hono/node-server")).serve({ ...options, fetch: fetching }, started);
