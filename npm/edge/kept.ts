/**
 * The gateway's side of kept streams: it has an object open a stream, reads from it, and stops it.
 */
import { LIMIT_HEADERS } from "./limits.ts";
import type { Plan, StreamsNamespace, UsageRecord } from "./options.ts";
import { Problem, safeHeaders } from "./problem.ts";

/** A stream's id, as a caller may choose it in its request and finds it in the answer. */
export const STREAM_HEADER = "x-chatwire-stream";
/**
 * The states are `open`; `ended`: nothing follows the events that are kept; and `cut`: the same, and the stream is not whole. A
 * reader of a stream that is cut gets what is kept, and then a connection that breaks off.
 */
export const STATE_HEADER = "x-chatwire-stream-state";

/** Objects have no address of their own; the path names the operation. */
const NOWHERE = "https://streams.invalid";

/** A request that was admitted, as a gateway hands it over. */
export interface Order {
  /** The number of the gateway whose settings apply. */
  gateway: number;
  caller: string;
  plan: Plan | undefined;
  tags: UsageRecord["tags"] | null;
  recordId: string;
  requestId: string;
  model: string;
  /** The request's JSON. */
  body: string;
  maxTokens: number | undefined;
  hidesUsage: boolean;
  /** Headers that go on to the provider. */
  trace: Readonly<Record<string, string>>;
  /** The caller chose the stream's id, and may send the request again. */
  isChosen?: boolean;
}

/** The headers of an object's answer that pass. */
const HEADERS = [
  "content-type",
  "x-accel-buffering",
  "x-upstream-request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  ...LIMIT_HEADERS,
  STATE_HEADER,
];

/** An id that a caller may choose: long enough that it is chosen at random. */
const CHOSEN_ID = /^[\w-]{16,128}$/;
/** An id that the platform gave. */
const GIVEN_ID = /^[\da-f]{64}$/;

/** The content types of the answers of streams' objects. The platform's own errors have others. */
const OWN = /^(?:text\/event-stream|application\/(?:[\w.-]+\+)?json)\b/i;

/**
 * Has an object send the request and keep its answer. A caller that leaves before the headers does not stop it.
 * @param chosen the id that the caller chose; a second request with it and the same body gets the same stream
 * @throws {Problem} 400, it is no such id
 */
export async function openKept(
  streams: StreamsNamespace,
  order: Order,
  chosen: string | undefined,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Response> {
  if (chosen !== undefined && (!CHOSEN_ID.test(chosen) || GIVEN_ID.test(chosen))) {
    const message = `${STREAM_HEADER} must be an id of 16 to 128 letters, digits, "-" and "_", such as a UUID.`;
    throw new Problem(400, "invalid_value", message, { param: STREAM_HEADER });
  }
  const id = chosen === undefined ? streams.newUniqueId() : streams.idFromName(nameOf(order.caller, chosen));
  const body = JSON.stringify({ ...order, isChosen: chosen !== undefined });
  // Under a chosen id the request can be sent again, because the object sends it to the provider once; without such an id the
  // provider might get it twice.
  const init = { method: "POST", body };
  const opened = ask(streams, id, "/open", init, chosen === undefined ? { "x-should-retry": "false" } : {});
  waitUntil(opened.catch(() => {}));
  return passed(await opened, chosen ?? String(id));
}

/** Asks the object of a stream. @throws {Problem} 503, it cannot be reached, or fails */
async function ask(
  streams: StreamsNamespace,
  id: object,
  path: string,
  init: RequestInit,
  headers: Record<string, string> = {},
): Promise<Response> {
  try {
    const response = await streams.get(id as never).fetch(NOWHERE + path, init);
    if (OWN.test(response.headers.get("content-type") ?? "")) return response;
    throw new Error("the object of a stream failed");
  } catch (error) {
    console.error("chatwire/edge: the object of a stream could not be reached:", (error as Error)?.name);
    const message = "The stream could not be reached. Try again in a moment.";
    throw new Problem(503, "streams_unavailable", message, { headers });
  }
}

/** Callers choose ids without knowing those of others, so the caller is a part of the name. */
function nameOf(caller: string, id: string): string {
  return `${id}:${caller}`;
}

/** The events of a kept stream that come after the one with the number `last`. */
export async function readKept(
  streams: StreamsNamespace,
  id: string,
  caller: string,
  last: string | undefined,
): Promise<Response> {
  const headers = { "x-caller": encodeURIComponent(caller), ...(last !== undefined && { "last-event-id": last }) };
  return passed(await ask(streams, idOf(streams, id, caller), "/read", { headers }), id);
}

/** Stops a kept stream, and its provider with it. */
export async function stopKept(streams: StreamsNamespace, id: string, caller: string): Promise<Response> {
  const headers = { "x-caller": encodeURIComponent(caller) };
  return passed(await ask(streams, idOf(streams, id, caller), "/stop", { method: "POST", headers }), id);
}

/** @throws {Problem} 404, it is no id of a stream */
function idOf(streams: StreamsNamespace, id: string, caller: string): object {
  if (CHOSEN_ID.test(id) && !GIVEN_ID.test(id)) return streams.idFromName(nameOf(caller, id));
  try {
    return streams.idFromString(id);
  } catch {
    throw noSuchStream();
  }
}

/** The problem for a stream that is gone, and for one of another caller. */
export function noSuchStream(): Problem {
  return new Problem(
    404,
    "stream_not_found",
    "There is no stream with this id, or it was deleted. Streams are kept for ten minutes after their end.",
  );
}

function passed(response: Response, id: string): Response {
  const own = HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  const headers = safeHeaders(Object.fromEntries(own));
  if (response.headers.has(STATE_HEADER)) headers[STREAM_HEADER] = id;
  return new Response(response.body, { status: response.status, headers });
}
