/** A worker of the tests: it uses the package itself, through one client made when the module is loaded. */
import { Chatwire } from "chatwire";

interface Env {
  UPSTREAM: string;
}

// The address is known only inside a request; no global may depend on `env`.
let upstream = "";
const client = new Chatwire({
  baseURL: "https://upstream.invalid/v1",
  apiKey: "sk-of-this-test",
  fetch: (url, init) => fetch(url.replace("https://upstream.invalid", upstream), init),
});

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    upstream = env.UPSTREAM;
    const content = new URL(request.url).searchParams.get("say") ?? "";
    const stream = await client.chat.completions.create(
      { model: "any", messages: [{ role: "user", content }], stream: true },
      { signal: request.signal },
    );
    if (content === "text") {
      let text = "";
      for await (const piece of stream.textStream) text += piece;
      return Response.json({ text, usage: client.usage });
    }
    const { status, text, usage } = await stream.outcome();
    return Response.json({ status, text, usage });
  },
};
