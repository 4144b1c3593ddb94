/** How chatwire reads a stream that is compared, and what all clients are given. */
import { Chatwire, type Fetch, type Outcome } from "chatwire";
import type { Form, Reading } from "./names.ts";

/** A question, and where its answer comes from. */
export interface Trial {
  fetch: Fetch;
  content: string;
  /** "stream" by default. */
  form?: Form;
  onText?: (text: string) => void;
}

export const BASE = "https://compare.invalid/waves/v1";
export const MODEL = "electron";
/** How long, in milliseconds, all of them wait: a stall is not watched for minutes. */
export const PATIENCE = 4000;

export const messagesOf = (content: string) => [{ role: "user" as const, content }];

/** The tool of an answer that is asked for as calls. */
export const TOOLS = [
  {
    type: "function" as const,
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

/** Calls as the text that is compared. */
export const textOfCalls = (calls: readonly { name: string; arguments: string }[]): string =>
  calls.map((call) => `${call.name} ${call.arguments}`).join("\n");

export async function readWithChatwire({ fetch, content, form = "stream", onText }: Trial): Promise<Reading> {
  const timeout = { headers: PATIENCE, firstToken: PATIENCE, idle: PATIENCE };
  const client = new Chatwire({ baseURL: BASE, apiKey: "key", fetch, timeout });
  const params = { model: MODEL, messages: messagesOf(content) };
  if (form === "document") {
    try {
      const { _outcome: outcome } = await client.chat.completions.create(params);
      if (!outcome) throw new Error("The completion has no outcome.");
      return readingOf(outcome);
    } catch (error) {
      return { text: "", said: error instanceof Error ? wordsOf(error) : String(error), tells: true, isWhole: false };
    }
  }
  const stream = client.chat.completions.stream({ ...params, ...(form === "calls" && { tools: TOOLS }) });
  let text = "";
  try {
    for await (const piece of stream.textStream) {
      text += piece;
      onText?.(text);
    }
  } catch {
    // The outcome says it.
  }
  return readingOf(await stream.outcome());
}

const wordsOf = ({ name, message }: Error): string => `${name}: ${message}`;

function readingOf({ text, toolCalls, status, error, repairs }: Outcome): Reading {
  const codes = repairs.map(({ code }) => code).join(", ");
  const said = [status, error && wordsOf(error), codes && `repaired ${codes}`].filter(Boolean).join(" · ");
  const isWhole = status === "complete";
  return { text: text || textOfCalls(toolCalls), said, tells: !isWhole || repairs.length > 0, isWhole };
}
