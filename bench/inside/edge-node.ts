/** A gateway on Node, for `edge.ts`: `node edge-node.ts loop|gateway`, with the provider's address in UPSTREAM. */
import { serve } from "@hono/node-server";
import { gateway } from "chatwire/edge";

const baseURL = process.env.UPSTREAM ?? "";

const app = gateway({ providers: { upstream: { provider: { baseURL }, apiKey: null } }, public: true });

/** The work of a gateway that looks at nothing. */
async function loop(request: Request): Promise<Response> {
  const headers = { "content-type": "application/json" };
  const { body } = await fetch(`${baseURL}/chat/completions`, { method: "POST", headers, body: await request.text() });
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const passed = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(passed, { headers: { "content-type": "text/event-stream" } });
}

const fetchOf = { loop, gateway: (request: Request) => app.fetch(request) }[process.argv[2] ?? ""];
if (!fetchOf) throw new Error("Say which: loop or gateway.");
const server = serve({ fetch: fetchOf, port: 0, hostname: "127.0.0.1" }, ({ port }) =>
  console.log(`listening ${port}`),
);
process.once("SIGTERM", () => server.close());
