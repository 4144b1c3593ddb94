/**
 * The gateway of `chatwire/edge` in a worker of the page, with the emulator behind it. Its Durable Objects live in memory:
 * what they keep is gone with the page.
 */
import { ChatwireStreams, gateway, type StreamsNamespace, type StreamsState } from "chatwire/edge";
import type { Emulator } from "chatwire/emulator";

/** Answers requests to `/gateway/…`. */
export function gatewayTo(emulator: Emulator): (request: Request) => Promise<Response> {
  const env = {};
  const served = gateway(() => ({
    providers: { electron: { provider: "electron", apiKey: "emulated", maxRetries: 0, fetch: emulator.fetch } },
    streams: streamsInMemory(env),
    onDisconnect: "durable",
  }));
  const context = { waitUntil: (promise: Promise<unknown>) => void promise.catch(() => {}) };
  return async (request) => {
    const url = new URL(request.url);
    const address = new URL(url.pathname.replace(/^\/gateway/, "") + url.search, "http://localhost");
    const { method, headers, signal } = request;
    const body = method === "POST" ? await request.text() : null;
    const passed = new Request(address, { method, headers, signal, body });
    // Firefox has no body on its requests, and the gateway reads it there, up to its limit.
    if (body !== null && !passed.body) Object.defineProperty(passed, "body", { value: new Blob([body]).stream() });
    return served.fetch(passed, env, context);
  };
}

/** A namespace of objects that remember nothing but what they hold. */
function streamsInMemory(env: object): StreamsNamespace {
  const objects = new Map<string, ChatwireStreams>();
  return {
    // As the platform's own: 64 hexadecimal digits.
    newUniqueId: () => nameOf((crypto.randomUUID() + crypto.randomUUID()).replaceAll("-", "")),
    idFromString: (id) => nameOf(id),
    idFromName: (name) => nameOf(name),
    get(id: never) {
      const name = String(id);
      const object = objects.get(name) ?? new ChatwireStreams(stateInMemory(), env);
      objects.set(name, object);
      return { fetch: (url, init) => object.fetch(new Request(url, init)) };
    },
  };
}

const nameOf = (id: string): object => ({ toString: () => id });

/** The queries of an object for its one table of numbered rows, answered in memory: it is for one page, and for as long as that is open. */
function stateInMemory(): StreamsState {
  const rows = new Map<number, unknown>();
  const exec = (query: string, ...values: unknown[]) => {
    const [from, to] = values as [number, number];
    if (query.startsWith("INSERT")) rows.set(from, values[1]);
    if (query.startsWith("SELECT value")) return [{ value: rows.get(from) }];
    const keys = [...rows.keys()].filter((key) => key >= from && key < to).sort((a, b) => a - b);
    if (query.startsWith("DELETE FROM rows WHERE key >= ? AND key < ?")) for (const key of keys) rows.delete(key);
    return query.startsWith("SELECT key") ? keys.map((key) => ({ key, value: rows.get(key) })) : [];
  };
  const storage = { sql: { exec }, deleteAll: async () => rows.clear(), setAlarm: async () => {} };
  return { storage, blockConcurrencyWhile: (run) => run() };
}
