/**
 * The server in the page: the emulator, one for each visitor. Below `/gateway/` it stands behind the gateway of `chatwire/edge`,
 * which keeps streams for those who come back.
 */
import { createEmulator } from "chatwire/emulator";
import type { Answered, Asked, Posted } from "./post.ts";

const emulator = createEmulator({ timeToFirstToken: 180, tokensPerSecond: 70 });

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
  const fail = (error: unknown) => tell({ failed: error instanceof Error ? error.message : String(error) });
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  async function pull(): Promise<void> {
    try {
      const read = await reader?.read();
      if (!read || read.done) tell({ end: true });
      else tell({ bytes: new Uint8Array(read.value) });
    } catch (error) {
      fail(error);
    }
  }

  port.onmessage = ({ data }: MessageEvent<Asked>) => {
    if (data === "pull") return void pull();
    left.abort();
    reader?.cancel().catch(() => {});
    port.close();
  };
  try {
    const request = new Request(url, { method, headers, signal: left.signal, ...(body !== undefined && { body }) });
    const response = await handle(request);
    reader = response.body?.getReader();
    tell({ head: { status: response.status, headers: [...response.headers], hasBody: reader !== undefined } });
  } catch (error) {
    fail(error);
  }
}
