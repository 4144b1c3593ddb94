/**
 * A call of `fetch` taken apart: which service and resource it is for, with what, and who may be asking.
 */
import type { Refusal } from "./errors.ts";
import { messageFor } from "./errors.ts";
import type { Service } from "./ledger.ts";

/** One call, before its body is read. */
export interface Call {
  method: string;
  path: string;
  /** `null` for an unknown path. */
  service: Service | null;
  resource: "chat/completions" | "models" | null;
  headers: Headers;
  signal: AbortSignal | null;
  /** Reads the body, once. */
  text(): Promise<string>;
}

// openapi 6 with the server of 216; hub 149-151
const BASES = new Map<string, Service>([
  ["/waves/v1", "electron"],
  ["/v1", "electronhub"],
  ["/v1legacy", "electronhub"],
  ["/v1thinking", "electronhub"],
]);

/** Reads the arguments of `fetch`; members of `init` win over those of a Request, as in the standard. */
export function openCall(input: string | URL | Request, init: RequestInit): Call {
  const request = input instanceof Request ? input : null;
  // A page may use a relative URL; the host of an absolute one is ignored anyway.
  const path = new URL(request?.url ?? String(input), "http://emulator.invalid").pathname;
  const [, base = "", resource = null] = /^(.*)\/(chat\/completions|models)$/.exec(path) ?? [];
  const service = BASES.get(base) ?? null;
  const body = init.body ?? null;
  return {
    method: (init.method ?? request?.method ?? "GET").toUpperCase(),
    path,
    service,
    resource: service ? (resource as Call["resource"]) : null,
    headers: new Headers(init.headers ?? request?.headers),
    signal: init.signal ?? request?.signal ?? null,
    text: () => (body !== null || !request ? new Response(body) : request).text(),
  };
}

/** The bearer token, or an empty string: openapi 144, 149-154; hub 262-267. */
export function bearerOf(headers: Headers): string {
  return /^Bearer +(\S.*)$/i.exec(headers.get("authorization")?.trim() ?? "")?.[1] ?? "";
}

/** Refuses a call of a service with the wrong method or key. */
export function refuseCall(call: Call, key: string, apiKeys: readonly string[] | undefined): Refusal | null {
  const allowed = call.resource === "models" ? "GET" : "POST";
  if (call.method !== allowed) return { status: 405, message: `Use ${allowed} here.`, headers: { allow: allowed } };
  if (key === "" || apiKeys?.includes(key) === false) return { status: 401, message: messageFor(401) }; // openapi 176-177
  if (key.includes("no-access")) return { status: 403, message: messageFor(403) }; // openapi 182-183
  return null;
}
