/** The gateway of the soak, a process of its own: says where it listens, and its memory whenever it is asked. */
import { serve } from "@hono/node-server";
import { gateway } from "chatwire/edge";
import { tellMemory } from "./memory.ts";

const { UPSTREAM, RECORDS } = process.env;

// The server prints each body that breaks off, which is what the faults are for.
const { error } = console;
console.error = (...said: unknown[]) => {
  if (!/ended its answer|has disconnected|terminated|aborted/.test(String(said[0]))) error(...said);
};

const app = gateway({
  providers: {
    own: {
      provider: { baseURL: `${UPSTREAM}/waves/v1` },
      apiKey: "any",
      maxRetries: 0,
      timeout: { headers: 4000, firstToken: 4000, idle: 4000 },
    },
  },
  models: { electron: "own/electron" },
  authorize: () => ({ caller: "alice" }),
  onDisconnect: "drain",
  onUsage: async (record) => {
    await (await fetch(`${RECORDS}`, { method: "POST", body: JSON.stringify(record) })).text();
  },
});
serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => app.fetch(request) }, ({ port }) => {
  process.send?.({ url: `http://127.0.0.1:${port}` });
});
tellMemory();
