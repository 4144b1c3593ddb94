/**
 * Three ways to read the same stream: chatwire, the `openai` package, and hand-written lines. Each is given the
 * same `fetch` and says what it kept and how it says that the stream ended.
 */
import { readAnswer } from "./handwritten.ts";
import type { ClientName, Reading } from "./names.ts";
import { BASE, MODEL, messagesOf, PATIENCE, readWithChatwire, TOOLS, type Trial, textOfCalls } from "./read.ts";

type Reader = (trial: Trial) => Promise<Reading>;

/** The part of a chunk that is read: a piece of the words, or pieces of calls. */
interface Delta {
  content?: string | null;
  tool_calls?: readonly { index: number; function?: { name?: string; arguments?: string } }[];
}

/** Adds up the pieces of an answer. Both clients leave that to their user. */
function adding(show: (text: string) => void): (delta: Delta) => void {
  let text = "";
  const calls: { name: string; arguments: string }[] = [];
  return ({ content, tool_calls = [] }) => {
    text += content ?? "";
    for (const { index, function: piece } of tool_calls) {
      const call = calls[index] ?? { name: "", arguments: "" };
      calls[index] = call;
      call.name += piece?.name ?? "";
      call.arguments += piece?.arguments ?? "";
    }
    show(text || textOfCalls(calls));
  };
}

const paramsOf = ({ content, form }: Trial) => ({
  model: MODEL,
  messages: messagesOf(content),
  ...(form === "calls" && { tools: TOOLS }),
});

async function readWithOpenAI(trial: Trial): Promise<Reading> {
  const { default: OpenAI } = await import("openai");
  const client = new OpenAI({
    apiKey: "key",
    baseURL: BASE,
    fetch: trial.fetch as unknown as typeof globalThis.fetch,
    timeout: PATIENCE,
    // The package would write its errors to the console.
    logLevel: "off",
    dangerouslyAllowBrowser: true,
  });
  return read(trial.onText, async (show) => {
    if (trial.form === "document") {
      const completion = await client.chat.completions.create(paramsOf(trial));
      show(completion.choices[0]?.message.content ?? "");
      return;
    }
    const add = adding(show);
    const stream = await client.chat.completions.create({ ...paramsOf(trial), stream: true });
    for await (const chunk of stream) add(chunk.choices[0]?.delta ?? {});
  });
}

async function readByHand(trial: Trial): Promise<Reading> {
  const fetch = trial.fetch as unknown as typeof globalThis.fetch;
  const url = `${BASE}/chat/completions`;
  return read(trial.onText, async (show) => {
    if (trial.form !== "document") {
      const add = adding(show);
      return readAnswer(url, paramsOf(trial), (delta) => add(delta as Delta), fetch);
    }
    const headers = { "content-type": "application/json", authorization: "Bearer key" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(paramsOf(trial)) });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    show((await response.json()).choices[0].message.content);
  });
}

/** Reads with a client that has no words of its own for how a stream ended: it returns, or it throws. */
async function read(onText: Trial["onText"], run: (show: (text: string) => void) => Promise<void>): Promise<Reading> {
  let text = "";
  const show = (all: string) => {
    text = all;
    onText?.(text);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<"silent">((resolve) => {
    timer = setTimeout(() => resolve("silent"), 2 * PATIENCE);
  });
  try {
    const ended = await Promise.race([run(show), tooLong]);
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
