/** The worker: it serves the page, and is the gateway that keeps answers while pages reload. */
import { ChatwireStreams, gateway, type StreamsNamespace, type WorkerContext } from "chatwire/edge";

interface Env {
  SMALLEST_API_KEY: string;
  /** Where Electron is, if not at its own address. */
  ELECTRON_BASE_URL?: string;
  STREAMS: StreamsNamespace;
  ASSETS: { fetch(request: Request): Promise<Response> };
}

export { ChatwireStreams };

// Everybody who can open the page can ask. Before you deploy it, say who may: `authorize` and `limits` in docs/edge.md.
const app = gateway((env: Env) => ({
  providers: {
    electron: {
      provider: "electron",
      apiKey: env.SMALLEST_API_KEY,
      ...(env.ELECTRON_BASE_URL && { baseURL: env.ELECTRON_BASE_URL }),
    },
  },
  models: ["electron"],
  streams: env.STREAMS,
  onDisconnect: "durable",
}));

export default {
  async fetch(request: Request, env: Env, context: WorkerContext): Promise<Response> {
    const { pathname } = new URL(request.url);
    return pathname.startsWith("/v1/") ? app.fetch(request, env, context) : env.ASSETS.fetch(request);
  },
};
