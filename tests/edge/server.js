/** A gateway as docs/edge.md shows it for runtimes other than workers, before an emulator; what it prints, the test reads. */
import { gateway } from "chatwire/edge";
import { createEmulator } from "chatwire/emulator";

const emulator = createEmulator({ tokensPerSecond: 400 });
const app = gateway({
  providers: { emulated: { provider: "electron", apiKey: "any", fetch: emulator.fetch } },
  onUsage: ({ outcome, disconnected, tokens }) =>
    console.log(JSON.stringify({ outcome, disconnected, tokens, ledger: emulator.ledger.tokens.total })),
});
const fetch = (request) => app.fetch(request);
const started = ({ port }) => console.log(JSON.stringify({ port }));
const options = { port: 0, hostname: "127.0.0.1" };

if (globalThis.Deno) Deno.serve({ ...options, onListen: started }, fetch);
else if (globalThis.Bun) started(Bun.serve({ ...options, fetch }));
else (await import("@hono/node-server")).serve({ ...options, fetch }, started);
