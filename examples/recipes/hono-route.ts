/** A Hono route that `useChat` can talk to, on any host of Hono's. A reader who leaves ends the provider's work. */
import { Chatwire } from "chatwire";
import { toChatMessages, toUIMessageStreamResponse } from "chatwire/ai-sdk";
import { Hono } from "hono";

export const app = new Hono<{ Bindings: { SMALLEST_API_KEY: string } }>();

app.post("/api/chat", async (context) => {
  const { messages } = await context.req.json();
  const client = new Chatwire({ provider: "electron", apiKey: context.env.SMALLEST_API_KEY });
  const params = { model: "electron", messages: toChatMessages(messages) };
  return toUIMessageStreamResponse(client.chat.completions.stream(params, { signal: context.req.raw.signal }));
});

export default app;
