/** The ways through a worker that `edge.ts` compares: the address ends with the name of one, `…/v1/chat/completions?way=loop`. */
import { ChatDecoder, Chatwire } from "chatwire";
import {
  ChatwireStreams,
  type DurableNamespace,
  gateway,
  type StreamsNamespace,
  type StreamsState,
} from "chatwire/edge";

interface Env {
  UPSTREAM: string;
  Bare: DurableNamespace;
  ChatwireStreams: StreamsNamespace;
}

export { ChatwireStreams };

const app = gateway((env: Env) => ({
  providers: { upstream: { provider: { baseURL: env.UPSTREAM }, apiKey: null } },
  public: true,
}));

const kept = gateway((env: Env) => ({
  providers: { upstream: { provider: { baseURL: env.UPSTREAM }, apiKey: null } },
  public: true,
  streams: env.ChatwireStreams,
  onDisconnect: "durable",
}));

declare const IdentityTransformStream: new () => {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
};

interface Context {
  waitUntil(promise: Promise<unknown>): void;
}

type Way = (request: Request, env: Env, context: Context) => Promise<Response>;

const ask = async (request: Request, env: Env): Promise<ReadableStream<Uint8Array>> => {
  const headers = { "content-type": "application/json" };
  const body = await request.text();
  return (
    (await fetch(`${env.UPSTREAM}/chat/completions`, { method: "POST", headers, body })).body ?? new Blob().stream()
  );
};

/** Large reads into one buffer, and out through the platform's own stream. */
function looped(
  body: ReadableStream<Uint8Array>,
  context: Context,
  read: (bytes: Uint8Array) => void = () => {},
  over: () => void = () => {},
): Response {
  const reader = body.getReader({ mode: "byob" });
  const { readable, writable } = new IdentityTransformStream();
  const run = async () => {
    const writer = writable.getWriter();
    let buffer = new ArrayBuffer(65_536);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done || !value) break;
      read(value);
      await writer.write(value);
      buffer = value.buffer;
    }
    await writer.close();
    over();
  };
  context.waitUntil(run());
  return new Response(readable);
}

/** The bare loop in one object for all requests, which writes down the question before it is sent, and the answer at its end. */
export class Bare {
  readonly #sql: StreamsState["storage"]["sql"];
  readonly #env: Env;

  constructor(state: StreamsState, env: Env) {
    this.#env = env;
    this.#sql = state.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS rows (key INTEGER PRIMARY KEY, value)");
  }

  async fetch(request: Request): Promise<Response> {
    const bytes = new Uint8Array(1024 * 1024);
    let length = 0;
    this.#put(await request.clone().text());
    const keep = (some: Uint8Array) => {
      bytes.set(some, length);
      length += some.length;
    };
    const context = { waitUntil: () => {} };
    return looped(await ask(request, this.#env), context, keep, () => this.#put(bytes.slice(0, length).buffer));
  }

  #put(value: string | ArrayBuffer): void {
    this.#sql.exec("INSERT INTO rows (value) VALUES (?)", value);
  }
}

/** The client of a gateway, which leaves the body of an answer to it. One request is under way at a time. */
let client: Chatwire | undefined;
let given: Response | undefined;
let release: () => void = () => {};

async function fetchHeld(url: string, init: RequestInit): Promise<Response> {
  given = await fetch(url, init);
  const { ok, status, headers, body } = given;
  const held: object = { ok, status, headers, body };
  (held as Record<symbol, unknown>)[Symbol.for("chatwire.held")] = (over: () => void) => {
    release = over;
  };
  return held as Response;
}

const ways: Record<string, Way> = {
  /** The platform's own pipe: no byte is seen. */
  async bare(request, env) {
    return new Response(await ask(request, env));
  },

  /** The gateway's loop with nothing in it. */
  async loop(request, env, context) {
    return looped(await ask(request, env), context);
  },

  /** The loop, and the request sent by a client, as the gateway's are. */
  async client(request, env, context) {
    client ??= new Chatwire({ provider: { baseURL: env.UPSTREAM }, apiKey: null, fetch: fetchHeld });
    await client.chat.completions.create(JSON.parse(await request.text())).asResponse();
    return looped(given?.body ?? new Blob().stream(), context, undefined, release);
  },

  /** The loop, and a decoder that counts what passes. */
  async counted(request, env, context) {
    const decoder = new ChatDecoder({ output: "none" });
    return looped(
      await ask(request, env),
      context,
      (bytes) => decoder.push(bytes),
      () => decoder.end(),
    );
  },

  /** The loop that most would write: a read and a write, as the streams standard gives them. */
  async "plain-loop"(request, env) {
    const reader = (await ask(request, env)).getReader();
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body);
  },

  gateway(request, env, context) {
    return app.fetch(request, env, context);
  },

  kept(request, env, context) {
    return kept.fetch(request, env, context);
  },

  async stored(request, { Bare }) {
    const object = Bare.get(Bare.idFromName("all") as never);
    const answer = await object.fetch("https://object/", { method: "POST", body: await request.text() });
    return new Response(answer.body);
  },

  /** The usual way to count: each event parsed, looked at and written anew. */
  async parsed(request, env) {
    const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
    let rest = "";
    let usage: unknown;
    const rewrite = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        const blocks = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const data = block.slice("data: ".length);
          if (data === "[DONE]") {
            controller.enqueue(encoder.encode(`${block}\n\n`));
            continue;
          }
          const chunk = JSON.parse(data);
          usage = chunk.usage ?? usage;
          controller.enqueue(encoder.encode(`data: ${JSON.stringify(chunk)}\n\n`));
        }
      },
    });
    return new Response((await ask(request, env)).pipeThrough(rewrite));
  },
};

export default {
  async fetch(request: Request, env: Env, context: Context): Promise<Response> {
    const way = ways[request.url.slice(request.url.lastIndexOf("=") + 1)];
    return way ? way(request, env, context) : new Response(null, { status: 404 });
  },
};
