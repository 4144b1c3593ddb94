/**
 * Answers that are none: the error status, HTML page, text or silence that a trouble asks for.
 */
import { messageFor, type Refusal } from "./errors.ts";
import type { Trouble } from "./trouble.ts";

/** A response that no service would document. */
export interface BrokenAnswer {
  status: number;
  headers: Record<string, string>;
  /** `null` for no body. */
  content: string | null;
}

const PAGE =
  "<!doctype html>\n<html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>\n";

/** The answer in place of the service's, or `null` to let it answer. */
export function brokenAnswer(trouble: Trouble): BrokenAnswer | Refusal | null {
  const { status } = trouble;
  const headers: Record<string, string> = {};
  const retryAfter = trouble["retry-after"] ?? (status === 429 ? "1" : "none");
  if (retryAfter !== "none") headers["retry-after"] = retryAfter;
  if (trouble["retry-after-ms"]) headers["retry-after-ms"] = trouble["retry-after-ms"];
  if (trouble["should-retry"]) headers["x-should-retry"] = trouble["should-retry"];

  const answer = (type: string, content: string): BrokenAnswer => ({
    status: status ?? 200,
    headers: { ...headers, "content-type": type },
    content,
  });
  if (trouble.html) return answer("text/html; charset=utf-8", PAGE);
  if (trouble.text) return answer("text/plain; charset=utf-8", "upstream connect error");
  if (trouble.empty) return { status: status ?? 200, headers, content: null };
  return status === undefined ? null : { status, message: messageFor(status), headers };
}
