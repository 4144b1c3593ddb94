/**
 * One local server for both libraries. Each run of a program has a path of its own, answers what the program has laid out, in
 * order, and keeps what it was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How one request is answered. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** A body of JSON. */
  json?: unknown;
  /** A body of text, as it is. */
  text?: string;
  /** A body of server-sent events: JSON values, or text as it is. */
  events?: unknown[];
  /** After the events: `[DONE]` (default), the end without it, a broken connection, or nothing at all. */
  after?: "done" | "end" | "break" | "silence";
  /** Milliseconds until the headers; `Infinity` for never. */
  wait?: number;
  /** Milliseconds between events. */
  pace?: number;
  /** The connection breaks before anything is answered. */
  reset?: boolean;
}

/** The requests. */
export interface Asked {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: unknown;
}

/** One run of a program. */
export interface Run {
  baseURL: string;
  answers: (Answer | ((asked: Asked) => Answer))[];
  asked: Asked[];
  /** How many requests were left before they were answered in full. */
  left: number;
}

/** Headers that are compared; the others say which library it is, or which host. */
const COMPARED = /^(authorization|api-key|content-type|idempotency-key|openai-.*|x-(?!stainless).*|ocp-.*)$/;

let runs = 0;
const byPath = new Map<string, Run>();

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, name = ""] = request.url?.match(/^\/(run-\d+)/) ?? [];
  const run = byPath.get(name);
  if (!run) return void response.writeHead(404).end();
  let text = "";
  for await (const piece of request) text += piece;
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([header]) => COMPARED.test(header)),
  ) as Record<string, string>;
  const asked: Asked = {
    method: request.method as string,
    url: (request.url as string).slice(name.length + 1),
    headers,
    body: text === "" ? undefined : jsonOf(text),
  };
  run.asked.push(asked);
  response.on("close", () => {
    if (!response.writableFinished) run.left++;
  });
  const next = run.answers.length > 1 ? run.answers.shift() : run.answers[0];
  const answer =
    typeof next === "function" ? next(asked) : (next ?? { status: 500, json: { error: { message: "no answer" } } });
  if (answer.reset) return void request.socket.destroy();
  if (answer.wait === Number.POSITIVE_INFINITY) return;
  if (answer.wait) await sleep(answer.wait);
  await write(response, answer);
}

async function write(response: ServerResponse, answer: Answer): Promise<void> {
  const { status = 200, headers, json, text, events, after = "done", pace = 0 } = answer;
  const kind = events ? "text/event-stream" : json !== undefined ? "application/json" : "text/plain";
  response.writeHead(status, { "content-type": kind, "x-request-id": "req_123", ...headers });
  if (!events) return void response.end(text ?? (json === undefined ? "" : JSON.stringify(json)));
  response.flushHeaders();
  for (const event of events) {
    if (response.destroyed) return;
    response.write(typeof event === "string" ? event : `data: ${JSON.stringify(event)}\n\n`);
    await sleep(pace);
  }
  if (after === "break") {
    await sleep(20);
    response.destroy();
  } else if (after === "done") response.end("data: [DONE]\n\n");
  else if (after === "end") response.end();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const server = createServer((request, response) => {
  handle(request, response).catch(() => response.destroy());
});
const listening = new Promise<number>((resolve) => {
  server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
});
server.unref();

/** A place for one run. */
export async function newRun(): Promise<Run> {
  const name = `run-${++runs}`;
  const run: Run = { baseURL: `http://127.0.0.1:${await listening}/${name}/v1`, answers: [], asked: [], left: 0 };
  byPath.set(name, run);
  return run;
}

/** Ends it. */
export function closeServer(): void {
  server.close();
  server.closeAllConnections();
}
