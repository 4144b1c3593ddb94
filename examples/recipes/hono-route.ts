/**
 * Two Hono routes on one model, on any host of Hono's: one that `useChat` of the AI SDK can talk to, and one for interfaces that speak
 * AG-UI, such as CopilotKit. A reader who leaves ends the provider's work on both.
 */
import { RunAgentInputSchema } from "@ag-ui/core/schemas";
import { Chatwire } from "chatwire";
import { toAGUI } from "chatwire/ag-ui";
import { toChatMessages, toUIMessageStreamResponse } from "chatwire/ai-sdk";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

type Bindings = { SMALLEST_API_KEY: string };

export const app = new Hono<{ Bindings: Bindings }>();

const completionsOf = ({ SMALLEST_API_KEY: apiKey }: Bindings) =>
  new Chatwire({ provider: "electron", apiKey }).chat.completions;

app.post("/api/chat", async (context) => {
  const { messages } = await context.req.json();
  const params = { model: "electron", messages: toChatMessages(messages) };
  const stream = completionsOf(context.env).stream(params, { signal: context.req.raw.signal });
  return toUIMessageStreamResponse(stream);
});

app.post("/api/ag-ui", async (context) => {
  const input = RunAgentInputSchema.safeParse(await context.req.json());
  if (!input.success) return context.json({ error: "The body is no RunAgentInput of AG-UI." }, 400);
  const { threadId, runId } = input.data;
  // The texts alone: this agent has no tools, and sees no pictures.
  const messages = input.data.messages.flatMap((message) => {
    if (message.role === "tool" || message.role === "reasoning" || message.role === "activity") return [];
    const { role, content = "" } = message;
    const texts =
      typeof content === "string" ? [content] : content.map((part) => (part.type === "text" ? part.text : ""));
    return [{ role: role === "developer" ? ("system" as const) : role, content: texts.join("") }];
  });
  const stream = completionsOf(context.env).stream({ model: "electron", messages });
  return streamSSE(context, async (events) => {
    events.onAbort(() => stream.abort());
    for await (const event of toAGUI(stream, { threadId, runId }))
      await events.writeSSE({ data: JSON.stringify(event) });
  });
});

export default app;
