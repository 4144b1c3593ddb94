/** One call over a line with a fault, and the next over the same line without: what a client saw. Runs in every host. */
import type * as Package from "chatwire";

/** The text of the whole answer. */
export const WHOLE = "one two three four five six seven eight nine ten eleven twelve";

export interface Question {
  baseURL: string;
  model: string;
  key: string;
  /** Milliseconds for each of `headers`, `firstToken` and `idle`. */
  patience: number;
}

export interface Seen {
  status: string;
  text: string;
  /** The error's name. */
  error: string | null;
  isNamed: boolean;
  tokens: number | null;
  isEstimated: boolean;
  repairs: number;
  /** The text that came by iteration, which is all of the text in the outcome. */
  iterated: string;
}

/** Asks, and gives what came of it; `"late"` where the call does not settle. */
export async function ask({ Chatwire, ChatwireError }: typeof Package, question: Question): Promise<Seen | "late"> {
  const { baseURL, model, patience } = question;
  const client = new Chatwire({
    baseURL,
    // Limits are of a host and a key: each line of the matrix has its own.
    apiKey: question.key,
    maxRetries: 0,
    dangerouslyAllowBrowser: true,
    limits: { concurrent: 1 },
    timeout: { headers: patience, firstToken: patience, idle: patience },
  } as ConstructorParameters<typeof Chatwire>[0]);
  const messages = [{ role: "user" as const, content: `Echo: ${WHOLE}` }];
  const read = async (): Promise<Seen> => {
    const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
    let iterated = "";
    let thrown: unknown;
    try {
      for await (const piece of stream.textStream) iterated += piece;
    } catch (error) {
      thrown = error;
    }
    const outcome = await stream.outcome();
    return {
      status: outcome.status,
      text: outcome.text,
      error: outcome.error?.name ?? null,
      isNamed: thrown === undefined || thrown instanceof ChatwireError,
      tokens: outcome.usage?.total_tokens ?? null,
      isEstimated: outcome.usage?.estimated ?? false,
      repairs: outcome.repairs.length,
      iterated,
    };
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(resolve, 2 * patience + 30_000, "late");
  });
  try {
    return await Promise.race([read(), late]);
  } finally {
    clearTimeout(timer);
    client[Symbol.dispose]();
  }
}
