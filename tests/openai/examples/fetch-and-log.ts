/** A fetch of one's own, headers, retries and a logger. */
import OpenAI from "openai";

const seen: string[] = [];
const client = new OpenAI({
  maxRetries: 2,
  timeout: 5000,
  defaultHeaders: { "x-app": "example" },
  logLevel: "info",
  logger: {
    error: console.error,
    warn: console.warn,
    info: (message) => seen.push(message.replace(/^\[[^\]]+\] /, "").replace(/https?:\S+|\d+ms/g, "…")),
    debug: () => {},
  },
  fetch: async (url, init) => {
    console.log(init?.method, new URL(String(url)).pathname, new Headers(init?.headers).get("x-app"));
    return fetch(url, init);
  },
});
const completion = await client.chat.completions.create({
  model: "gpt-4o",
  messages: [{ role: "user", content: "Echo: again [emulator: status=503; retry-after-ms=1; times=1]" }],
});
console.log(completion.choices[0]?.message.content);
console.log(seen.length > 0, seen.at(-1)?.includes("200"));
