/** The provider and the caller at the two ends of a gateway: this process, whose time is not counted. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Events of a long answer, of a short one, and of one that is sent event by event. */
export const [EVENTS, FEW, PACED] = [4000, 3, 200];
const WRITE = 16_384;

export const event = (content: string, finish: string | null = null) =>
  `data: {"id":"chatcmpl-0dk30OwQf1SpCvExCZFSRdvTbfWMD","object":"chat.completion.chunk","created":1795267968,"model":"electron","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":${finish}}],"usage":null}\n\n`;

/** The end of an answer of so many events, as Electron writes it. */
function ending(events: number): string {
  const usage = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"electron","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":${events},"total_tokens":${events + 9}}}\n\n`;
  return `${event("", '"stop"')}${usage}data: [DONE]\n\n`;
}

/** An answer of so many events and the end. */
function answer(events: number): Buffer {
  const words = Array.from({ length: events }, (_, at) => event(` word${at % 97}`));
  return Buffer.from(words.join("") + ending(events));
}

const ANSWERS: Record<string, Buffer> = { long: answer(EVENTS), short: answer(FEW) };

/** Lets the provider go on to the next event. */
let goOn: () => void = () => {};

/**
 * A provider that answers with what the question names, 16 KB at a time; `paced` waits until each event has
 * arrived.
 */
export async function startProvider(): Promise<{ url: string; close(): void }> {
  const server = createServer(async (incoming, response) => {
    const { messages } = JSON.parse(Buffer.concat(await incoming.toArray()).toString());
    response.writeHead(200, { "content-type": "text/event-stream" });
    const bytes = ANSWERS[messages[0].content];
    for (let at = 0; bytes && at < bytes.length; at += WRITE) {
      if (!response.write(bytes.subarray(at, at + WRITE))) await once(response, "drain");
    }
    for (let sent = 0; !bytes && sent < PACED; sent++) {
      const arrived = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      response.write(event(`word ${sent}`));
      await arrived;
    }
    response.end(bytes ? undefined : ending(PACED));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, close: () => void server.close() };
}

/** One way from caller to provider. */
export interface Way {
  name: string;
  host: "workerd" | "Node";
  url: string;
  pid: number;
  headers?: Record<string, string>;
  asksUsage?: boolean;
}

/** Asks, reads to the end, and says how many bytes came; of a paced answer, each read lets the next event come. */
export async function ask({ name, url, headers = {}, asksUsage = true }: Way, content: string): Promise<number> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({
      model: "electron",
      messages: [{ role: "user", content }],
      stream: true,
      ...(asksUsage && { stream_options: { include_usage: true } }),
    }),
  });
  if (!response.ok) throw new Error(`${name} answered ${response.status}: ${await response.text()}`);
  let length = 0;
  for await (const bytes of response.body ?? []) {
    length += bytes.length;
    // An event may come in pieces; the last of them ends with a line feed.
    if (bytes.at(-1) === 10) goOn();
  }
  return length;
}
