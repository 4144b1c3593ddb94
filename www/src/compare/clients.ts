/**
 * Three ways to read the same stream: chatwire, the `openai` package, and hand-written lines. Each is given the
 * same `fetch` and says what it kept and how it says that the stream ended.
 */
import { readAnswer } from "./handwritten.ts";
import type { ClientName, Reading } from "./names.ts";
import { BASE, MODEL, messagesOf, PATIENCE, readWithChatwire, type Trial } from "./read.ts";

type Reader = (trial: Trial) => Promise<Reading>;

async function readWithOpenAI({ fetch, content, onText }: Trial): Promise<Reading> {
  const { default: OpenAI } = await import("openai");
  const client = new OpenAI({
    apiKey: "key",
    baseURL: BASE,
    fetch: fetch as unknown as typeof globalThis.fetch,
    timeout: PATIENCE,
    // The package would write its errors to the console.
    logLevel: "off",
    dangerouslyAllowBrowser: true,
  });
  return read(onText, async (give) => {
    const stream = await client.chat.completions.create({ model: MODEL, messages: messagesOf(content), stream: true });
    for await (const chunk of stream) give(chunk.choices[0]?.delta?.content ?? "");
  });
}

async function readByHand({ fetch, content, onText }: Trial): Promise<Reading> {
  const body = { model: MODEL, messages: messagesOf(content) };
  const plain = fetch as unknown as typeof globalThis.fetch;
  return read(onText, (give) => readAnswer(`${BASE}/chat/completions`, body, give, plain));
}

/** Reads with a client that has no words of its own for how a stream ended: it returns, or it throws. */
async function read(onText: Trial["onText"], run: (give: (text: string) => void) => Promise<void>): Promise<Reading> {
  let text = "";
  const give = (piece: string) => {
    text += piece;
    onText?.(text);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<"silent">((resolve) => {
    timer = setTimeout(() => resolve("silent"), 2 * PATIENCE);
  });
  try {
    const ended = await Promise.race([run(give), tooLong]);
    if (ended === "silent")
      return { text, said: `still waits after ${(2 * PATIENCE) / 1000} s`, tells: false, isWhole: false };
    return { text, said: "ends as if all were well", tells: false, isWhole: true };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
    return { text, said: `${name}: ${message}`.slice(0, 160), tells: true, isWhole: false };
  } finally {
    clearTimeout(timer);
  }
}

export const READERS: Readonly<Record<ClientName, Reader>> = {
  chatwire: readWithChatwire,
  openai: readWithOpenAI,
  "by hand": readByHand,
};
