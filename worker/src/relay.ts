/**
 * One request, there and back: the caller's body to the provider, the provider's bytes to the caller as they arrive.
 *
 * Nothing of the answer is read here. When the caller leaves, the provider is told to stop.
 */
import { problem } from "./errors.ts";
import type { Provider } from "./providers.ts";

/** What may come back beside the body. Anything else (cookies, server names, an organisation) stays here. */
const RESPONSE_HEADERS = /^(content-type|x-request-id|retry-after|retry-after-ms|x-should-retry|x-ratelimit-.+)$/i;

/** Sends `request` on to `provider` and answers with what it answers. `limit` is the largest body in bytes. */
export async function relay(request: Request, provider: Provider, path: string, limit: number): Promise<Response> {
  const body = await readText(request, limit);
  if (body === null) {
    return problem(413, "body_too_large", `The request is larger than the ${limit} bytes allowed. Send less history.`);
  }
  // The request's own signal does not reach subrequests, one that follows it does.
  const leaving = new AbortController();
  request.signal.addEventListener("abort", () => leaving.abort(), { once: true });
  if (request.signal.aborted) leaving.abort();

  let response: Response;
  try {
    response = await provider.send(path, {
      method: request.method,
      headers: requestHeaders(request, provider),
      ...(request.method === "POST" ? { body } : {}),
      signal: leaving.signal,
    });
  } catch {
    // The reason may name an internal address, and a caller who left does not read it.
    return problem(502, "upstream_unreachable", `${provider.label} could not be reached. Try again in a moment.`);
  }

  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    return problem(
      502,
      "upstream_redirect",
      `${provider.label} sent a redirect, which is not followed. Check its base URL.`,
    );
  }
  if (response.status === 401) {
    // The provider's own words may quote a part of the key.
    await response.body?.cancel();
    const advice = `${provider.label} refused this worker's key. Check the secret ${provider.keyName}.`;
    return problem(401, "provider_key_refused", advice);
  }
  return new Response(response.body, { status: response.status, headers: responseHeaders(response) });
}

function requestHeaders(request: Request, provider: Provider): Headers {
  const headers = new Headers();
  for (const name of ["content-type", "accept"]) {
    const value = request.headers.get(name);
    if (value) headers.set(name, value);
  }
  const trouble = provider.emulated && request.headers.get("x-emulator");
  if (trouble) headers.set("x-emulator", trouble);
  return headers;
}

function responseHeaders(response: Response): Headers {
  const headers = new Headers({
    "cache-control": "no-store",
    // Whatever a provider sends, it is never a document of this origin.
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
  });
  for (const [name, value] of response.headers) if (RESPONSE_HEADERS.test(name)) headers.set(name, value);
  return headers;
}

/** The body as text, or `null` as soon as it is longer than `limit` bytes. */
async function readText(request: Request, limit: number): Promise<string | null> {
  if (Number(request.headers.get("content-length")) > limit) return null;
  const reader = request.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.byteLength;
    if (length > limit) {
      await reader.cancel();
      return null;
    }
    text += decoder.decode(value, { stream: true });
  }
}
