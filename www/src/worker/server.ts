/**
 * The server in the page: the emulator, one for each visitor. Below `/gateway/` it stands behind the gateway of `chatwire/edge`,
 * which keeps streams for those who come back.
 */
import { createEmulator } from "chatwire/emulator";
import type { Answered, Asked, Posted } from "./post.ts";

const emulator = createEmulator({ timeToFirstToken: 180, tokensPerSecond: 70 });

/** How much is read before the page asks for it, in bytes. */
const READ_AHEAD = 64 * 1024;
/** How much the page is given at a time, in bytes, so that it does other things between: 80 events. */
const PACKET = 16 * 1024;

type Handler = (request: Request) => Promise<Response>;

let gateway: Promise<Handler> | undefined;

async function handle(request: Request): Promise<Response> {
  if (!new URL(request.url).pathname.startsWith("/gateway/")) return emulator.fetch(request);
  gateway ??= import("./gateway-in-page.ts").then(({ gatewayTo }) => gatewayTo(emulator));
  return (await gateway)(request);
}

/** Answers one request through its port: the head, then bytes as they are asked for. */
export async function serve({ url, method, headers, body }: Posted, port: MessagePort): Promise<void> {
  const left = new AbortController();
  const tell = (message: Answered) => port.postMessage(message);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  const held: Uint8Array[] = [];
  let heldBytes = 0;
  let end: Answered | undefined;
  let isWanted = false;
  let goOn = () => {};

  /** Gives what is there to a page that waits for it. */
  function give(): void {
    if (!isWanted || (heldBytes === 0 && !end)) return;
    isWanted = false;
    if (heldBytes === 0) {
      tell(end as Answered);
      return;
    }
    let [count, length] = [0, 0];
    while (count < held.length && (count === 0 || length + (held[count]?.length ?? 0) <= PACKET))
      length += held[count++]?.length ?? 0;
    heldBytes -= length;
    tell({ bytes: joined(held.splice(0, count), length) });
    if (heldBytes <= READ_AHEAD) goOn();
  }

  /** Reads ahead of a page that is busy, as a network does, up to a limit. */
  async function pump(): Promise<void> {
    try {
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
        held.push(read.value);
        heldBytes += read.value.length;
        give();
        if (heldBytes > READ_AHEAD) {
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
        }
      }
      end = { end: true };
    } catch (error) {
      end = { failed: messageOf(error) };
    }
    give();
  }

  port.onmessage = ({ data }: MessageEvent<Asked>) => {
    if (data === "pull") {
      isWanted = true;
      give();
      return;
    }
    left.abort();
    goOn();
    reader?.cancel().catch(() => {});
    port.close();
  };
  try {
    const request = new Request(url, { method, headers, signal: left.signal, ...(body !== undefined && { body }) });
    const response = await handle(request);
    reader = response.body?.getReader();
    tell({ head: { status: response.status, headers: [...response.headers], hasBody: reader !== undefined } });
    void pump();
  } catch (error) {
    tell({ failed: messageOf(error) });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
