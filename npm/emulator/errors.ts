/**
 * Refusals in the services' own envelopes.
 *
 * Electron: `{ error: { message, type, details?, request_id } }` (openapi 527-551). ElectronHub documents none; the
 * emulator uses OpenAI's members with a numeric `code`, which is what it has been seen to send.
 */
import type { Service } from "./ledger.ts";

/** One validation issue, as Electron lists them under `error.details` (openapi 515-526). */
export interface Issue {
  code: string;
  message: string;
  /** Names and array positions from the body down to the field, all as strings. */
  path: string[];
}

/** A refusal, before it is put into an envelope. */
export interface Refusal {
  status: number;
  message: string;
  details?: Issue[];
  headers?: Record<string, string>;
}

const TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  429: "rate_limit_error",
  502: "upstream_error",
  503: "service_unavailable_error",
};

const MESSAGES: Record<number, string> = {
  400: "Bad request.", // openapi 167-171
  401: "Missing or invalid API key.", // openapi 176-177
  403: "API key valid but no access to Electron on this plan.", // openapi 182-183
  429: "Rate limit (RPM) or concurrency cap hit.", // openapi 188-190
  502: "Upstream model unavailable. Retry with backoff.", // openapi 198-199
  503: "Endpoint temporarily disabled, or upstream model overloaded.", // openapi 204-205
};

/** The service's own words for a status. */
export function messageFor(status: number): string {
  return MESSAGES[status] ?? `The request failed with status ${status}.`;
}

/** The `error` member of a refusal, also used for an error inside a stream. */
export function errorBody(service: Service | null, refusal: Refusal, requestId: string): Record<string, unknown> {
  const { status, message, details } = refusal;
  const type = TYPES[status] ?? (status >= 500 ? "server_error" : "invalid_request_error");
  if (service === "electronhub") {
    return { message, type, param: details?.[0]?.path.join(".") ?? null, code: status };
  }
  return { message, type, ...(details ? { details } : {}), request_id: requestId };
}
