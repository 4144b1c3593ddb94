/**
 * The gateway's side of kept streams: has an object open one, reads from it, stops it.
 */
import type { DurableNamespace, StreamsNamespace } from "./options.ts";
import { Problem, safeHeaders } from "./problem.ts";
import type { Order } from "./streams.ts";

/** What a caller comes back with: the stream's id. */
export const STREAM_HEADER = "x-chatwire-stream";
/** `open`, or `ended`: nothing comes but what is kept. */
export const STATE_HEADER = "x-chatwire-stream-state";

/** Objects have no address of their own; the path says what is asked. */
const NOWHERE = "https://streams.invalid";

/** What passes of an object's headers. */
const HEADERS = [
  "content-type",
  "x-upstream-request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  STATE_HEADER,
];

type Stub = ReturnType<DurableNamespace["get"]>;

/** Has a new object send the request and keep its answer. Its id can be guessed by nobody. */
export async function openKept(
  streams: StreamsNamespace,
  order: Order,
  signal: AbortSignal,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Response> {
  const id = streams.newUniqueId();
  const stub = streams.get(id as never);
  const opened = stub.fetch(`${NOWHERE}/open`, { method: "POST", body: JSON.stringify(order) });
  waitUntil(opened.catch(() => {}));
  // Who leaves before they know its id cannot come back for it.
  const leave = () => waitUntil(stopKept(streams, String(id), order.caller).catch(() => {}));
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave);
  try {
    return passed(await opened, String(id));
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** The events of a kept stream that come after the one with the number `last`. */
export async function readKept(
  streams: StreamsNamespace,
  id: string,
  caller: string,
  last: string | undefined,
): Promise<Response> {
  const headers = { "x-caller": encodeURIComponent(caller), ...(last !== undefined && { "last-event-id": last }) };
  return passed(await stubOf(streams, id).fetch(`${NOWHERE}/read`, { headers }), id);
}

/** Stops a kept stream, and its provider with it. */
export async function stopKept(streams: StreamsNamespace, id: string, caller: string): Promise<Response> {
  const headers = { "x-caller": encodeURIComponent(caller) };
  return passed(await stubOf(streams, id).fetch(`${NOWHERE}/stop`, { method: "POST", headers }), id);
}

/** @throws {Problem} 404, it is no id of ours */
function stubOf(streams: StreamsNamespace, id: string): Stub {
  try {
    return streams.get(streams.idFromString(id) as never);
  } catch {
    throw noSuchStream();
  }
}

/** Said of streams that are gone, and of other callers' alike. */
export function noSuchStream(): Problem {
  return new Problem(404, "stream_not_found", "There is no such stream, or it is no longer kept.");
}

function passed(response: Response, id: string): Response {
  const own = HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  const headers = safeHeaders(Object.fromEntries(own));
  if (response.headers.has(STATE_HEADER)) headers.set(STREAM_HEADER, id);
  return new Response(response.body, { status: response.status, headers });
}
