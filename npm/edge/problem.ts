/**
 * Refusals, in the envelope that OpenAI's clients read, and the headers that every answer has.
 */

const TYPES: Record<number, string> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

/** An answer is never a document of this origin, and no cache keeps or changes it. */
const SAFE: Readonly<Record<string, string>> = {
  "cache-control": "no-store, no-transform",
  "content-security-policy": "default-src 'none'; sandbox",
  "x-content-type-options": "nosniff",
};

/** An error as the caller gets it. Thrown anywhere, it ends the request. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;
  readonly headers: Record<string, string>;

  /** `message` is read by the caller: it says what they can do, and holds nothing they must not see. */
  constructor(
    status: number,
    code: string,
    message: string,
    about: { param?: string; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = about.param ?? null;
    this.headers = about.headers ?? {};
  }

  /** As an answer of its own. */
  toResponse(): Response {
    return Response.json(this.#envelope, { status: this.status, headers: safeHeaders(this.headers) });
  }

  /** As an event of an answer that has begun. */
  toEvent(): Uint8Array {
    return new TextEncoder().encode(`data: ${JSON.stringify(this.#envelope)}\n\n`);
  }

  get #envelope(): object {
    const { status, code, message, param } = this;
    const type = TYPES[status] ?? (status < 500 ? "invalid_request_error" : "server_error");
    return { error: { message, type, param, code } };
  }
}

/**
 * Thrown by `hooks.before` to refuse a request. `message` is read by the caller.
 * @example
 * ```ts
 * hooks: { before: (params) => { if (isAbusive(params)) throw new Refusal("This may not be asked.", { code: "not_allowed" }); return params; } },
 * ```
 */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  /** @param about the HTTP status, 400 to 499 (400), and a code for programs (`refused`) */
  constructor(message: string, { status = 400, code = "refused" }: { status?: number; code?: string } = {}) {
    super(message);
    this.status = status >= 400 && status < 500 ? status : 400;
    this.code = code;
  }
}

/** Headers of an answer, with those that all have. */
export function safeHeaders(own: Record<string, string> = {}): Record<string, string> {
  return { ...own, ...SAFE };
}
