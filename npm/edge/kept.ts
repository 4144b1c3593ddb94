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

/** An object that takes no stream now: it reads another (`busy`), or keeps as many as it may (`full`). */
export const BUSY_HEADER = "x-busy";
/** The id of a stream within its object. */
export const STREAM_OF_OBJECT = "x-stream";

/** Objects have no address of their own; the path names the operation. */
const NOWHERE = "https://streams.invalid";

/** A request that was admitted, as a gateway hands it over. */
export interface Order {
  /** The stream's id within its object; empty where the object was made for it. */
  stream: string;
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
/** An id that the platform gave to an object, and so to its first stream; later ones have an id of their own behind it. */
const GIVEN_ID = /^([\da-f]{64})(?:_([\da-f-]{36}))?$/;

/** The content types of the answers of streams' objects. The platform's own errors have others. */
const OWN = /^(?:text\/event-stream|application\/(?:[\w.-]+\+)?json)\b/i;

/**
 * Objects that this isolate has opened streams in, the longest ago first. Each is given another when its turn comes: the oldest is the
 * likeliest to have ended. So there are about as many objects as streams at once, and few of them are new.
 */
const used = new WeakMap<StreamsNamespace, object[]>();
/** More objects are forgotten. */
const MOST_OBJECTS = 1000;

/**
 * Has an object send the request and keep its answer. A caller that leaves before the headers does not stop it.
 * @param chosen the id that the caller chose; a second request with it and the same body gets the same stream
 * @throws {Problem} 400, it is no such id
 */
export async function openKept(
  streams: StreamsNamespace,
  order: Omit<Order, "stream">,
  chosen: string | undefined,
  waitUntil: (promise: Promise<unknown>) => void,
): Promise<Response> {
  if (chosen !== undefined && (!CHOSEN_ID.test(chosen) || GIVEN_ID.test(chosen))) {
    const message = `${STREAM_HEADER} must be an id of 16 to 128 letters, digits, "-" and "_", such as a UUID.`;
    throw new Problem(400, "invalid_value", message, { param: STREAM_HEADER });
  }
  const opened = chosen === undefined ? openAnywhere(streams, order) : openChosen(streams, order, chosen);
  waitUntil(opened.catch(() => {}));
  return opened;
}

/** Under a chosen id the request can be sent again, because the object sends it to the provider once. */
async function openChosen(streams: StreamsNamespace, order: Omit<Order, "stream">, chosen: string): Promise<Response> {
  const object = streams.idFromName(nameOf(order.caller, chosen));
  const body = JSON.stringify({ ...order, stream: "", isChosen: true });
  return passed(await ask(streams, object, "/open", { method: "POST", body }), chosen);
}

/** Opens a stream in an object that has served others, if one is free. */
async function openAnywhere(streams: StreamsNamespace, order: Omit<Order, "stream">): Promise<Response> {
  const old = used.get(streams)?.shift();
  const opened = old && (await openIn(streams, old, { ...order, stream: crypto.randomUUID() }));
  if (opened) return opened;
  const made = await openIn(streams, streams.newUniqueId(), { ...order, stream: "" });
  return made ?? Promise.reject(new Error("a new object is busy"));
}

/** Opens a stream in this object, unless it takes none. */
async function openIn(streams: StreamsNamespace, object: object, order: Order): Promise<Response | undefined> {
  const init = { method: "POST", body: JSON.stringify(order) };
  // Without a chosen id the provider might get the request twice.
  const response = await ask(streams, object, "/open", init, { "x-should-retry": "false" });
  const busy = response.headers.get(BUSY_HEADER);
  const objects = used.get(streams) ?? [];
  used.set(streams, objects);
  if (busy !== "full" && objects.length < MOST_OBJECTS) objects.push(object);
  if (busy === null) return passed(response, order.stream ? `${object}_${order.stream}` : String(object));
  await response.body?.cancel();
  return undefined;
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
  const [object, headers] = placeOf(streams, id, caller);
  if (last !== undefined) headers["last-event-id"] = last;
  return passed(await ask(streams, object, "/read", { headers }), id);
}

/** Stops a kept stream, and its provider with it. */
export async function stopKept(streams: StreamsNamespace, id: string, caller: string): Promise<Response> {
  const [object, headers] = placeOf(streams, id, caller);
  return passed(await ask(streams, object, "/stop", { method: "POST", headers }), id);
}

/** The object of a stream, and the headers that name the stream to it. @throws {Problem} 404, it is no id of a stream */
function placeOf(
  streams: StreamsNamespace,
  id: string,
  caller: string,
): [object: object, headers: Record<string, string>] {
  const headers = { "x-caller": encodeURIComponent(caller) };
  const [, object, stream = ""] = GIVEN_ID.exec(id) ?? [];
  if (object === undefined && CHOSEN_ID.test(id)) return [streams.idFromName(nameOf(caller, id)), headers];
  try {
    return [streams.idFromString(object ?? id), { ...headers, [STREAM_OF_OBJECT]: stream }];
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
