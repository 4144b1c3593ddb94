/** Callers who lose their connection to a gateway in Node: it goes on without a word. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { it } from "node:test";
import { serve } from "@hono/node-server";
import { gateway } from "chatwire/edge";
import { CHAT, chat, encode, KEY, says, until } from "./setting.ts";

for (const onDisconnect of ["drain", "abort"] as const) {
  for (const path of [CHAT, "/v1/responses"]) {
    it(`ends quietly: ${path}, ${onDisconnect}`, async (context) => {
      const printed: unknown[][] = [];
      for (const level of ["error", "info", "warn"] as const) {
        context.mock.method(console, level, (...line: unknown[]) => printed.push(line));
      }
      const records: unknown[] = [];
      let say: (text: string) => void = () => {};
      let end: () => void = () => {};
      const answer = () => {
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            say = (text) => controller.enqueue(encode(text));
            end = () => controller.close();
          },
        });
        say(says("a"));
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      };
      const app = gateway({
        providers: { upstream: { baseURL: "https://left.example.com/v1", apiKey: KEY, fetch: async () => answer() } },
        onDisconnect,
        onUsage: (record) => void records.push(record),
      });
      const server = serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => app.fetch(request) });
      context.after(() => server.close());
      if (!server.listening) await once(server, "listening");
      const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
      const body = String(
        chat("hello", { model: "m", stream: true, ...(path !== CHAT && { messages: undefined, input: "a" }) }).body,
      );
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      let heard = "";
      socket.on("data", (bytes) => {
        heard += bytes;
      });
      await until(() => heard.includes('"a"'));
      socket.destroy();
      await once(socket, "close");
      if (onDisconnect === "drain") {
        let connections = 1;
        await until(() => {
          server.getConnections((_, count) => {
            connections = count;
          });
          return connections === 0;
        });
        end();
      }
      await until(() => records.length === 1);
      // The time that a server has to let go of the body.
      await new Promise((resolve) => setTimeout(resolve, 1200));
      assert.deepEqual(printed, []);
    });
  }
}
