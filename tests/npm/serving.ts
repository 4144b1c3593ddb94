/**
 * Servers for the facade's tests: in-process stand-ins for `fetch` that send exactly the bytes a test wants, when it wants.
 */
import { Chatwire, type ClientOptions } from "chatwire";

const messages = [{ role: "user" as const, content: "Hello!" }];
/** Parameters of a call. */
export const hello = { model: "m", messages };
export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One event of a stream with this text, as a well-behaved server sends it. */
export function says(content: string, finish: string | null = null): string {
  return event({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1_700_000_000,
    model: "m",
    choices: [{ index: 0, delta: { content }, finish_reason: finish }],
  });
}

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
export const DONE = "data: [DONE]\n\n";

/** The record of a body. */
export interface Served {
  response: Response;
  /** How many reads were answered. */
  reads: number;
  /** The client let go of the body. */
  cancelled: boolean;
  /** Told of each read, before it is answered. */
  onRead?: (read: number) => void;
}

type Part = string | Uint8Array | { error: unknown };

/**
 * A response that gives one part per read.
 * @param after what comes after the last part: the end, or silence with the connection open
 */
export function serve(
  parts: readonly Part[],
  { after = "end", ...init }: ResponseInit & { after?: "end" | "silence" } = {},
): Served {
  const served: Served = { response: new Response(), reads: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const part = parts[served.reads];
        if (part === undefined) {
          if (after === "end") controller.close();
          else return new Promise(() => {});
        } else {
          served.reads++;
          served.onRead?.(served.reads);
          if (typeof part === "string") controller.enqueue(encode(part));
          else if (part instanceof Uint8Array) controller.enqueue(part);
          else controller.error(part.error);
        }
        return undefined;
      },
      cancel() {
        served.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { "content-type": "text/event-stream", "x-request-id": "req_1" };
  served.response = new Response(body, { ...init, headers: new Headers(init.headers ?? headers) });
  return served;
}

let servers = 0;

/** A client of a server that is not there, each of its own: `answer` is its `fetch`. */
export function clientOf(answer: ClientOptions["fetch"] | Served, options: ClientOptions = {}): Chatwire {
  const fetch = typeof answer === "function" ? answer : async () => (answer as Served).response;
  return new Chatwire({ baseURL: `https://server-${++servers}.test/v1`, maxRetries: 0, fetch, ...options });
}

/** All that an iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The error that a promise rejects with. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}

/** A promise to be settled by hand. */
export function gate<T = void>(): { promise: Promise<T>; open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Lets the event loop go round until something is so. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}
