/** Both ends of the wire around a worker: a provider whose every byte the test decides, and a client that may lie. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as a provider sees it, and the response it owes. */
export interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
  response: ServerResponse;
  /** Resolves when the connection is gone or the response has been sent. */
  closed: Promise<unknown>;
}

/** A provider that answers nothing by itself: `next()` gives each request in turn to the test. */
export async function startUpstream() {
  const arrived: Received[] = [];
  const waiting: ((received: Received) => void)[] = [];
  const server = createServer(async (incoming: IncomingMessage, response: ServerResponse) => {
    const closed = once(response, "close");
    let body = "";
    for await (const piece of incoming.setEncoding("utf8")) body += piece;
    const { method = "", url = "", headers } = incoming;
    const received = { method, url, headers, body, response, closed };
    const taker = waiting.shift();
    if (taker) taker(received);
    else arrived.push(received);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    next: (): Promise<Received> => {
      const received = arrived.shift();
      return received ? Promise.resolve(received) : new Promise((resolve) => waiting.push(resolve));
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A response that has been read to its end. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Asks as no browser lets a page ask: with any Host, Origin or other header. */
export function ask(
  url: URL,
  { method = "GET", headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers }, async (incoming) => {
      let text = "";
      for await (const piece of incoming.setEncoding("utf8")) text += piece;
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text });
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

/** A client that leaves in the middle: `hangUp` as a program does that closes its socket, `reset` as one that is killed. */
export function call(url: URL, { method = "POST", body = "" } = {}) {
  const outgoing = request(url, { method, headers: { "content-type": "application/json" } });
  outgoing.on("error", () => {});
  outgoing.end(body);
  return {
    /** Resolves with the first piece of the answer. */
    async firstPiece(): Promise<string> {
      const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
      incoming.on("error", () => {});
      const [piece] = await once(incoming, "data");
      return String(piece);
    },
    hangUp: () => outgoing.destroy(),
    reset: () => outgoing.socket?.resetAndDestroy(),
  };
}

/** The `error` of an answer in OpenAI's envelope. */
export function errorOf({ text }: Answer): { message: string; type: string; code: string } {
  return JSON.parse(text).error;
}
