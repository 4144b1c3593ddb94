/** Callers who lose their connection to a gateway in Node: it goes on without a word. A caller who reads slowly has not lost it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { it } from "node:test";
import { serve } from "@hono/node-server";
import { gateway } from "chatwire/edge";
import { asText, CHAT, chat, DONE, encode, KEY, mockTime, says, setUp, until, usageEvent } from "./setting.ts";

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

it("a caller who reads a comment and bytes together, later, is still there", async (context) => {
  const pass = mockTime(context);
  let say: (text: string) => void = () => {};
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      say = (text) => controller.enqueue(encode(text));
    },
  });
  const { fetch, records } = setUp(
    async () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
  );
  await pass(1000);
  const answer = await fetch(CHAT, chat("hi", { stream: true }));
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  const read = async () => {
    const { done, value } = await reader.read();
    if (value) text += asText(value);
    return !done;
  };
  say(says("a"));
  await read();
  const second = read();
  await pass(16_000);
  await second;
  // The caller has the comment, and reads nothing while more comes.
  say(says("b"));
  await pass(1000);
  const rest = (async () => {
    while (await read());
  })();
  await pass(100_000);
  say(says("c", "stop") + usageEvent + DONE);
  await pass(2000);
  await rest;
  assert.ok(text.replaceAll(": keep-alive\n\n", "").endsWith(says("b") + says("c", "stop") + DONE), text);
  assert.ok(text.split("keep-alive").length > 6, "silence is broken");
  assert.deepEqual(
    records.map(({ outcome, disconnected }) => [outcome, disconnected]),
    [["complete", false]],
  );
});
