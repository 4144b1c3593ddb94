/** How chatwire reads a stream that is compared, and what all clients are given. */
import { Chatwire, type Fetch } from "chatwire";
import type { Reading } from "./names.ts";

/** A question, and where its answer comes from. */
export interface Trial {
  fetch: Fetch;
  content: string;
  onText?: (text: string) => void;
}

export const BASE = "https://compare.invalid/waves/v1";
export const MODEL = "electron";
/** How long, in milliseconds, all of them wait: a stall is not watched for minutes. */
export const PATIENCE = 4000;

export const messagesOf = (content: string) => [{ role: "user" as const, content }];

export async function readWithChatwire({ fetch, content, onText }: Trial): Promise<Reading> {
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
