/** `resume: "durable-streams"` before the reference server of the protocol, on connections that break. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { Chatwire } from "chatwire";
import { randomFrom } from "../edge/setting.ts";

const words = Array.from({ length: 60 }, (_, number) => `wört${number} `);
const chunk = (content: string, finish_reason: string | null = null) =>
  JSON.stringify({
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta: { content }, finish_reason }],
  });
const chunks = [...words.map((word) => chunk(word)), chunk("", "stop")];

interface Server {
  start(): Promise<string>;
  stop(): Promise<void>;
}

/** A way to the server whose connections break after some bytes. */
async function breakingLine(to: number) {
  const random = randomFrom(7);
  let connections = 0;
  const server = createServer((near) => {
    connections++;
    const far = connect(to, "127.0.0.1");
    // Longer each time: an offset leads to the end of a response alone, so a response has to come whole at last.
    let left = 1500 + random(9000) + 200 * connections;
    for (const socket of [near, far]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far);
    far.on("data", (bytes) => {
      near.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) near.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => connections,
    close: () => server.close(),
  };
}

describe("the reference server of Durable Streams", { timeout: 120_000 }, () => {
  let server: Server;
  let url: string;
  let line: Awaited<ReturnType<typeof breakingLine>>;
  before(async () => {
    const { DurableStreamTestServer } = await import(process.env.DURABLE_STREAMS ?? "");
    server = new DurableStreamTestServer({ port: 0, longPollTimeout: 300 });
    url = await server.start();
    line = await breakingLine(Number(new URL(url).port));
  });
  after(async () => {
    line?.close();
    await server?.stop();
  });

  for (const type of ["text/event-stream", "application/octet-stream", "application/json"]) {
    it(`gives an answer of ${type} whole while it is written`, async () => {
      const path = `answers/${type.replace(/\W/g, "-")}`;
      const send = async (method: string, body?: string | Uint8Array<ArrayBuffer>, headers = {}) => {
        const init = { method, headers: { "content-type": type, ...headers }, ...(body !== undefined && { body }) };
        const response = await fetch(`${url}/${path}`, init);
        assert.ok(response.ok, `${method}: ${response.status}`);
        await response.arrayBuffer();
      };
      await send("PUT");
      const client = new Chatwire({ baseURL: line.url, apiKey: null, resume: "durable-streams" });
      const outcome = client.chat.completions.resume(path).outcome();
      for (const one of chunks) {
        if (type === "application/json") {
          await send("POST", one);
          continue;
        }
        const event = new TextEncoder().encode(`data: ${one}\n\n`);
        for (const [from, to] of [
          [0, 60],
          [60, event.length],
        ])
          await send("POST", event.slice(from, to));
      }
      if (type !== "application/json") await send("POST", "data: [DONE]\n\n");
      await send("POST", undefined, { "stream-closed": "true" });
      const { status, text, repairs } = await outcome;
      assert.deepEqual([status, text, repairs], ["complete", words.join(""), []]);
      assert.ok(line.connections() > 1);
    });
  }
});
