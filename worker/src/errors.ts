/** Refusals of the worker's own, in the envelope OpenAI's clients read. */

const TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  413: "invalid_request_error",
  502: "upstream_error",
};

/** An error response. `message` says what the caller, or who runs the worker, can do about it. */
export function problem(status: number, code: string, message: string, headers?: Record<string, string>): Response {
  const error = { message, type: TYPES[status] ?? "server_error", param: null, code };
  return Response.json({ error }, { status, headers: { "cache-control": "no-store", ...headers } });
}
