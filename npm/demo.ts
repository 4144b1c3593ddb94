/**
 * Serves the demo page's files, for `npx chatwire demo`. Only files: the page brings its own emulator, in a worker.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const FOLDER = fileURLToPath(new URL("./demo", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** A page that is served. */
export interface DemoServer {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  url: string;
  close(): Promise<void>;
}

/** How to serve it. */
export interface DemoOptions {
  /** 0 takes any free port. */
  port: number;
  /** Origins that the page may connect to, beside its own. */
  connect: readonly string[];
  /** Called for each request. */
  onRequest?: (line: string) => void;
}

/**
 * Serves the page to this machine.
 * @throws {Error} the system's own, with `code` (`EADDRINUSE`, `EACCES`), when the port cannot be had
 */
export async function serveDemo({ port, connect, onRequest }: DemoOptions): Promise<DemoServer> {
  const server = createServer((incoming, outgoing) => {
    const started = performance.now();
    outgoing.once("close", () => {
      onRequest?.(
        `${outgoing.statusCode}  ${incoming.method} ${incoming.url}  ${Math.round(performance.now() - started)} ms`,
      );
    });
    void give(incoming, outgoing, connect);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function give(incoming: IncomingMessage, outgoing: ServerResponse, connect: readonly string[]): Promise<void> {
  const path = pathOf(incoming.url ?? "/");
  // Another name that resolves to this machine is refused: its page is not this one.
  const isLocal = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(incoming.headers.host ?? "");
  const isRead = incoming.method === "GET" || incoming.method === "HEAD";
  try {
    if (!isLocal || !isRead || path === undefined) return void outgoing.writeHead(isRead ? 403 : 405).end();
    const file = await readFile(join(FOLDER, path));
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    outgoing.setHeader("content-type", type);
    outgoing.setHeader("x-content-type-options", "nosniff");
    outgoing.setHeader("referrer-policy", "no-referrer");
    outgoing.setHeader("cross-origin-opener-policy", "same-origin");
    outgoing.setHeader("cache-control", path.startsWith("assets") ? "public, max-age=31536000, immutable" : "no-cache");
    if (!path.endsWith(".html")) return await send(incoming, outgoing, file);
    // The page brings its own policy; a header adds what only headers can say.
    outgoing.setHeader("content-security-policy", "frame-ancestors 'none'");
    const own = "connect-src 'self'";
    await send(incoming, outgoing, Buffer.from(file.toString().replace(own, [own, ...connect].join(" "))));
  } catch {
    outgoing.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("There is no such file.\n");
  }
}

/** Sends a file, compressed where the browser takes that. */
async function send(incoming: IncomingMessage, outgoing: ServerResponse, file: Buffer): Promise<void> {
  outgoing.setHeader("vary", "accept-encoding");
  if (!/\bgzip\b/.test(String(incoming.headers["accept-encoding"]))) return void outgoing.end(file);
  const packed = await promisify(gzip)(file);
  outgoing.setHeader("content-encoding", "gzip");
  outgoing.end(packed);
}

/** A path below the folder; nothing for one that leads out of it. */
function pathOf(url: string): string | undefined {
  try {
    const path = normalize(decodeURIComponent(new URL(url, "http://page.invalid").pathname)).replace(/^[/\\]+/, "");
    return path.includes("\0") || path.startsWith("..") ? undefined : path || "index.html";
  } catch {
    return undefined;
  }
}
