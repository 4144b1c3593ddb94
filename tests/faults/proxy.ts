/**
 * A proxy that harms answers on their way: what networks, load balancers and dying processes do, at a named point of an answer.
 *
 * The proxy reads requests as they are and writes answers byte by byte to the socket itself. The proxy knows HTTP and event
 * streams as the standards say, and shares nothing with the engine.
 */
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** The fault. */
export const FAULTS = [
  "refused",
  "slow accept",
  "delay",
  "trickle",
  "stall",
  "half-close",
  "truncation",
  "reset",
  "corruption",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Where in an answer it happens. */
export const PHASES = ["before headers", "after headers", "mid-event", "between events", "after [DONE]"] as const;
export type Phase = (typeof PHASES)[number];

export interface Plan {
  fault: Fault;
  phase: Phase;
}

/** These happen to a connection, before there is an answer. */
export const ofConnections: readonly Fault[] = ["refused", "slow accept"];

/** Milliseconds. */
const DELAY = 150;
/** The bytes sent before are to be read first: a reset, or a chunk that is none, takes with it what has not been. */
const UNTIL_READ = 100;
/** Bytes at a time, and the pause after them. */
const TRICKLE = [9, 1] as const;

export interface FaultyProxy {
  url: string;
  /** How many callers are connected. */
  readonly open: number;
  /** How many faults have happened. */
  readonly happened: number;
  /** No longer listens, so that connections are refused, until it listens again. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Listens before `target`; each request is answered as the plan for it says, or whole where there is none. A connection is
 * asked for with an empty path. A first part of the path that begins with `cell-` is for `planFor` alone, and is not passed
 * on.
 */
export async function startProxy(target: string, planFor: (path: string) => Plan | undefined): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  const counts = { happened: 0 };
  const http = createHttpServer((incoming) => {
    // A browser's question whether it may ask is no request of the client.
    const plan = incoming.method === "OPTIONS" ? undefined : planFor(incoming.url ?? "");
    carry(incoming, target, plan && !ofConnections.includes(plan.fault) ? plan : undefined, counts).catch(() =>
      incoming.socket.destroy(),
    );
  });
  const server = createServer(async (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    const plan = planFor("");
    if (plan && ofConnections.includes(plan.fault)) {
      counts.happened++;
      if (plan.fault === "refused") {
        socket.resetAndDestroy();
        return;
      }
      await after(DELAY);
    }
    http.emit("connection", socket);
  });
  const listen = async (port: number): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get open() {
      return sockets.size;
    },
    get happened() {
      return counts.happened;
    },
    async refuse() {
      const closed = once(server, "close");
      server.close();
      await closed;
    },
    listen: () => listen(port),
    async close() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Passes a request on, and its answer back. */
async function carry(incoming: IncomingMessage, target: string, plan: Plan | undefined, counts: { happened: number }) {
  const { socket } = incoming;
  const { method, headers } = incoming;
  const path = (incoming.url ?? "").replace(/^\/cell-[^/]*/, "");
  const asked = request(new URL(path, target), { method, headers, agent: false });
  socket.on("close", () => asked.destroy());
  asked.on("error", () => socket.destroy());
  incoming.pipe(asked);
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  const writer = new Writer(socket, plan, counts);
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let at = 0; at < answer.rawHeaders.length; at += 2) {
    const name = answer.rawHeaders[at] ?? "";
    if (!/^(connection|keep-alive|transfer-encoding|content-length)$/i.test(name)) {
      lines.push(`${name}: ${answer.rawHeaders[at + 1]}`);
    }
  }
  lines.push("transfer-encoding: chunked", "connection: close", "", "");
  await writer.head(lines.join("\r\n"));
  for await (const bytes of answer) await writer.body(bytes as Buffer);
  await writer.end();
}

/** Writes an answer, and does what is planned where it is planned. */
class Writer {
  readonly #socket: Socket;
  readonly #plan: Plan | undefined;
  readonly #counts: { happened: number };
  /** The body so far, as Latin-1: one character for each byte. */
  #seen = "";
  #hasHappened = false;
  #isSlow = false;
  #isBroken = false;

  constructor(socket: Socket, plan: Plan | undefined, counts: { happened: number }) {
    this.#socket = socket;
    this.#plan = plan;
    this.#counts = counts;
  }

  async head(text: string): Promise<void> {
    if (this.#plan?.phase === "before headers") {
      await this.#happen(text.slice(0, 25), "HTTQ/\0\0 200 OK\r\n\r\n");
    }
    await this.#write(Buffer.from(text, "latin1"));
    if (this.#plan?.phase === "after headers") await this.#happen("", undefined);
  }

  async body(bytes: Buffer): Promise<void> {
    const before = this.#seen.length;
    this.#seen += bytes.toString("latin1");
    const at = this.#hasHappened ? undefined : this.#place();
    if (at === undefined || at > this.#seen.length || at < before) {
      return this.#chunk(this.#corrupted(bytes, before));
    }
    if (at > before) await this.#chunk(bytes.subarray(0, at - before));
    await this.#happen("", undefined);
    await this.#chunk(this.#corrupted(bytes.subarray(at - before), at));
  }

  async end(): Promise<void> {
    await this.#write("0\r\n\r\n");
    if (!this.#isBroken) this.#socket.end();
  }

  /** Where in the body the fault happens, once that is known. */
  #place(): number | undefined {
    const events = [...this.#seen.matchAll(/data: \{[^\n]*\n\n/g)];
    // The third event: the first two bring the role, and some text.
    switch (this.#plan?.phase) {
      case "mid-event":
        return events[2] && events[2].index + Math.floor(events[2][0].length / 2);
      case "between events":
        return events[1] && events[1].index + events[1][0].length;
      case "after [DONE]": {
        const done = this.#seen.indexOf("data: [DONE]\n\n");
        return done < 0 ? undefined : done + "data: [DONE]\n\n".length;
      }
      default:
        return undefined;
    }
  }

  /** The plan. `part` is the rest of a thing that is cut off, `garbage` the bytes in its place. */
  async #happen(part: string, garbage: string | undefined): Promise<void> {
    this.#hasHappened = true;
    this.#counts.happened++;
    const socket = this.#socket;
    switch (this.#plan?.fault) {
      case "delay":
        return after(DELAY);
      case "trickle":
        this.#isSlow = true;
        return;
      case "stall":
        break;
      case "half-close":
        socket.end();
        break;
      case "truncation":
        // The HTTP of it is whole, unless its head is cut.
        socket.end(part || "0\r\n\r\n");
        break;
      case "reset":
        await after(UNTIL_READ);
        socket.resetAndDestroy();
        break;
      case "corruption":
        if (garbage !== undefined) socket.write(garbage);
        else if (this.#plan.phase === "after [DONE]") {
          await after(UNTIL_READ);
          socket.write("zz\r\n");
        } else return;
        break;
    }
    this.#isBroken = true;
  }

  /** Three bytes of the event after the place, or of the one around it, are none. */
  #corrupted(bytes: Buffer, from: number): Buffer {
    if (this.#plan?.fault !== "corruption") return bytes;
    const place = this.#plan.phase === "after headers" ? 0 : this.#place();
    if (place === undefined) return bytes;
    const copy = Buffer.from(bytes);
    for (let at = place + 10; at < place + 13; at++) if (at >= from && at < from + copy.length) copy[at - from] = 0;
    return copy;
  }

  #chunk(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return Promise.resolve();
    return this.#write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]));
  }

  async #write(bytes: Buffer | string): Promise<void> {
    if (this.#isBroken || this.#socket.destroyed) return;
    if (!this.#isSlow) {
      if (!this.#socket.write(bytes)) await Promise.race([once(this.#socket, "drain"), once(this.#socket, "close")]);
      return;
    }
    const [length, pause] = TRICKLE;
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; at += length) {
      this.#socket.write(bytes.slice(at, at + length));
      await after(pause);
    }
  }
}
