/**
 * The peer of `edge.ts`, as it is installed: `node portkey.ts --port=N --headless`.
 *
 * On Node 20 and 24 its streamed answers fail with "immutable", because it adds to headers that `fetch` has frozen. Thawed, it works.
 */
const { fetch: frozen } = globalThis;
globalThis.fetch = async (...given) => {
  const response = await frozen(...given);
  return new Response(response.body, response);
};
await import(new URL("../../node_modules/@portkey-ai/gateway/build/start-server.js", import.meta.url).href);

export {};
