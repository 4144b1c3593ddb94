/** The provider's stream, passed on as it is: the key stays in the worker. A reader who leaves ends the provider's work. */
import { Chatwire } from "chatwire";

export async function POST({ request, platform }) {
  const { SMALLEST_API_KEY: apiKey, ELECTRON_BASE_URL: baseURL } = platform.env;
  const client = new Chatwire({ provider: "electron", apiKey, baseURL });
  const { messages } = await request.json();
  const stream = client.chat.completions.stream({ model: "electron", messages }, { signal: request.signal });
  return new Response(stream.toReadableStream(), { headers: { "content-type": "text/event-stream" } });
}
