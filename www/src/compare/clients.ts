/**
 * Three ways to read the same stream: chatwire, the `openai` package, and hand-written lines. Each is given the same `fetch`
 * and says what it kept and how it says that the stream ended.
 */
import { Chatwire, type Fetch } from "chatwire";
import { readAnswer } from "./handwritten.ts";
import type { ClientName, Reading } from "./names.ts";

/** A question, and where its answer comes from. */
export interface Trial {
  fetch: Fetch;
  content: string;
  onText?: (text: string) => void;
}

type Reader = (trial: Trial) => Promise<Reading>;

const BASE = "https://compare.invalid/waves/v1";
const MODEL = "electron";
/** How long, in milliseconds, all of them wait: a stall is not watched for minutes. */
const PATIENCE = 4000;

const messagesOf = (content: string) => [{ role: "user" as const, content }];

async function readWithChatwire({ fetch, content, onText }: Trial): Promise<Reading> {
  const timeout = { headers: PATIENCE, firstToken: PATIENCE, idle: PATIENCE };
  const client = new Chatwire({ baseURL: BASE, apiKey: "key", fetch, timeout });
  const stream = client.chat.completions.stream({ model: MODEL, messages: messagesOf(content) });
  let text = "";
  try {
    for await (const piece of stream.textStream) {
      text += piece;
      onText?.(text);
    }
  } catch {
    // The outcome says it.
  }
  const { status, error, repairs } = await stream.outcome();
  const codes = repairs.map(({ code }) => code).join(", ");
  const said = [status, error && `${error.name}: ${error.message}`, codes && `repaired ${codes}`]
    .filter(Boolean)
    .join(" · ");
  return { text, said, tells: status !== "complete" || repairs.length > 0, isWhole: status === "complete" };
}

async function readWithOpenAI({ fetch, content, onText }: Trial): Promise<Reading> {
  const { default: OpenAI } = await import("openai");
  const client = new OpenAI({
    apiKey: "key",
    baseURL: BASE,
    fetch: fetch as unknown as typeof globalThis.fetch,
    timeout: PATIENCE,
    // It would write what it stumbles over to the console.
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
