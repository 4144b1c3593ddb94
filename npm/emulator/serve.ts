/**
 * The emulator on a port, for the command and for tests that want a real socket. Node, Bun and Deno: `node:http`.
 *
 * The server only carries: a body is read no faster than the socket takes it, a caller that hangs up aborts its request, and
 * a body that errors breaks the connection instead of ending it.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Emulator } from "./index.ts";

/** A listening emulator. */
export interface EmulatorServer {
  /** `http://host:port`, without a slash at the end. */
  url: string;
  port: number;
  /** Stops listening and breaks what is under way. */
  close(): Promise<void>;
}

/** Where to listen. */
export interface ServeOptions {
  /** 0 (the default) takes any free port. */
  port?: number;
  /** The address to bind to (`127.0.0.1`: this machine only). */
  host?: string;
}

/** Milliseconds for which a connection without a request stays open. */
const IDLE = 10 * 60_000;

/**
 * Serves an emulator over HTTP. Pages of any origin may call it: it has nothing to protect.
 *
 * @throws {Error} the system's own, with `code` (`EADDRINUSE`, `EACCES`), when the port cannot be had
 * @example
 * const server = await serve(createEmulator(), { port: 4010 });
 * console.log(`${server.url}/waves/v1/chat/completions`);
 * await server.close();
 */
export async function serve(emulator: Emulator, options: ServeOptions = {}): Promise<EmulatorServer> {
  const host = options.host ?? "127.0.0.1";
  const server = createServer((incoming, outgoing) => void carry(emulator, incoming, outgoing));
  // A client may send its next request at the moment at which an idle connection is closed, and find it reset.
  server.keepAliveTimeout = IDLE;
  server.listen(options.port ?? 0, host);
  await once(server, "listening"); // rejects with the "error" that comes instead
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function carry(emulator: Emulator, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const left = new AbortController();
  outgoing.once("close", () => left.abort());
  try {
    const headers = new Headers();
    for (const [name, value] of Object.entries(incoming.headers)) {
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
    }
    const origin = headers.get("origin");
    if (origin !== null) {
      outgoing.setHeader("access-control-allow-origin", origin);
      outgoing.setHeader("access-control-expose-headers", "*");
      outgoing.setHeader("vary", "origin");
    }
    if (incoming.method === "OPTIONS") {
      outgoing.setHeader("access-control-allow-methods", "GET, POST");
      outgoing.setHeader("access-control-allow-headers", headers.get("access-control-request-headers") ?? "*");
      outgoing.writeHead(204).end();
      return;
    }

    const body = incoming.method === "POST" ? Buffer.concat(await incoming.toArray()) : null;
    // The path alone is passed on: a target such as "//evil" must not be read as a host.
    const path = `/${(incoming.url ?? "").replace(/^\/+/, "")}`;
    const method = incoming.method ?? "GET";
    const response = await emulator.fetch(`http://emulator.invalid${path}`, {
      method,
      headers,
      body,
      signal: left.signal,
    });
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.flushHeaders();
    if (response.body) {
      for await (const bytes of response.body) {
        if (!outgoing.write(bytes)) await once(outgoing, "drain", { signal: left.signal });
      }
    }
    outgoing.end();
  } catch {
    // The caller left, or the emulator was asked to break the connection: either way there is nobody to tell.
    outgoing.destroy();
  }
}
