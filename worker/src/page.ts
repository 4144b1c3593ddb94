/** The page's files, with the headers that keep an answer's text from ever becoming a script. */

/** The part of the environment that holds the built page. */
export interface PageEnv {
  ASSETS: { fetch(request: Request): Promise<Response> };
}

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types dompurify chatwire-worker",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Serves one file of the page. */
export async function page(request: Request, env: PageEnv): Promise<Response> {
  const file = await env.ASSETS.fetch(request);
  const response = new Response(file.body, file);
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  // The bundler names these files after their contents.
  const isNamed = response.ok && new URL(request.url).pathname.startsWith("/assets/");
  response.headers.set("cache-control", isNamed ? "public, max-age=31536000, immutable" : "no-cache");
  return response;
}
