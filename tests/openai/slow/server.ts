/**
 * A server of its own for a run of an example, which answers any two runs alike: the emulator, and beside it what examples of
 * `openai` ask for and the emulator does not know: Azure's paths, `functions` from before there were tools, a call of every tool.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { createEmulator } from "chatwire/emulator";

interface Body {
  model: string;
  stream?: boolean;
  messages: { role: string; content?: unknown }[];
  tools?: { function?: { name?: string } }[];
  functions?: { name: string; parameters: { properties?: Record<string, { enum?: string[] }> } }[];
}

export interface Served {
  port: number;
  /** Every request, a line each: method, path, key and body. */
  asked: string[];
  close: () => void;
}

/** Starts one. */
export async function serve(): Promise<Served> {
  const emulator = createEmulator({ seed: 3, models: ["gpt-4o"], tokensPerSecond: 2000 });
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const text = await textOf(request);
    const authorization = request.headers.authorization ?? `Bearer ${request.headers["api-key"]}`;
    asked.push([request.method, request.url, authorization, text].join(" "));
    const path = request.url?.replace(/^\/openai\/(deployments\/[^/]+|v1)/, "/v1").replace(/\?.*/, "");
    const body = text ? (JSON.parse(text) as Body) : undefined;
    const answer = body?.functions
      ? legacyAnswer(body, body.functions)
      : await emulator.fetch(`http://emulator${path}`, {
          method: request.method ?? "GET",
          headers: { authorization, ...(body && { "content-type": "application/json" }) },
          ...(body && { body: JSON.stringify(withToolsNamed(body)) }),
        });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (!answer.body) return void response.end();
    Readable.fromWeb(answer.body as never)
      .on("error", () => response.destroy())
      .pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port, asked, close };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += piece;
  return text;
}

/** The emulator calls the tools that the user names: all of them. */
function withToolsNamed(body: Body): Body {
  const last = body.messages.at(-1);
  if (!body.tools || last?.role !== "user" || typeof last.content !== "string") return body;
  const names = body.tools.map((tool) => tool.function?.name).join(" ");
  return { ...body, messages: [...body.messages.slice(0, -1), { ...last, content: `${last.content} ${names}` }] };
}

/** Calls one function after the other, then answers in words. */
function legacyAnswer(body: Body, functions: NonNullable<Body["functions"]>): Response {
  const done = body.messages.filter(({ role }) => role === "function").length;
  const next = functions[done];
  const values = Object.entries(next?.parameters.properties ?? {}).map(([key, one]) => [key, one.enum?.at(-1) ?? "a"]);
  const args = JSON.stringify(Object.fromEntries(values));
  const message = next
    ? { role: "assistant", content: null, function_call: { name: next.name, arguments: args } }
    : { role: "assistant", content: `Called ${done} functions.` };
  const finish_reason = next ? "function_call" : "stop";
  const envelope = { id: `chatcmpl-${done}`, created: 1_700_000_000, model: body.model };
  if (!body.stream) {
    const choices = [{ index: 0, message, logprobs: null, finish_reason }];
    const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
    return Response.json({ ...envelope, object: "chat.completion", choices, usage });
  }
  const half = Math.ceil(args.length / 2);
  const deltas = next
    ? [
        { ...message, function_call: { name: next.name, arguments: "" } },
        { function_call: { arguments: args.slice(0, half) } },
        { function_call: { arguments: args.slice(half) } },
      ]
    : [
        { role: "assistant", content: "" },
        { content: message.content?.slice(0, 6) },
        { content: message.content?.slice(6) },
      ];
  const chunks = [...deltas.map((delta) => ({ delta, finish_reason: null })), { delta: {}, finish_reason }].map(
    (choice) => ({ ...envelope, object: "chat.completion.chunk", choices: [{ index: 0, ...choice }] }),
  );
  const events = [...chunks.map((chunk) => JSON.stringify(chunk)), "[DONE]"].map((data) => `data: ${data}\n\n`);
  return new Response(events.join(""), { headers: { "content-type": "text/event-stream" } });
}
