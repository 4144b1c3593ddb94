/**
 * `chatwire chat`: a conversation in the terminal.
 *
 * The key comes from the environment or an `.env` file, never from an argument: arguments are seen by everybody on the machine.
 */
import { existsSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type ChatCompletionMessageParam, Chatwire, type ClientOptions, type Outcome } from "chatwire";

/** The client and the settings of the conversation. */
export interface ChatSettings {
  options: ClientOptions;
  model: string;
  system?: string | undefined;
}

/** Where it is read from and written to. */
export interface Terminal {
  input: Readable & { isTTY?: boolean };
  output: Writable & { isTTY?: boolean };
  /** Where everything but the answer is written: the cost, and errors. */
  notes: Writable;
}

/** Reads `.env` of the current folder, if there is one. A variable that is set already stays. */
export function loadEnvironment(): void {
  if (existsSync(".env")) process.loadEnvFile(".env");
}

/**
 * Runs the conversation until the input ends. Ctrl+C aborts an answer, and at the prompt it ends the conversation.
 * @returns the exit code: 1 where the last answer did not end well
 */
export async function chat({ options, model, system }: ChatSettings, terminal: Terminal): Promise<number> {
  const client = new Chatwire(options);
  const messages: ChatCompletionMessageParam[] = system === undefined ? [] : [{ role: "system", content: system }];
  const isInteractive = terminal.input.isTTY === true && terminal.output.isTTY === true;
  let code = 0;
  const say = async (content: string, lines?: Interface) => {
    messages.push({ role: "user", content });
    const outcome = await answer(client, model, messages, terminal, lines);
    code = outcome.status === "complete" || outcome.status === "aborted" ? 0 : 1;
    // A turn without an answer is removed, so that the question can be asked again.
    if (outcome.message) messages.push(outcome.message);
    else messages.pop();
  };
  if (!isInteractive) {
    const question = (await textOf(terminal.input)).trim();
    if (question !== "") await say(question);
    return code;
  }
  const lines = createInterface({ input: terminal.input, output: terminal.output, prompt: "› " });
  terminal.notes.write(`${model}. An empty line or Ctrl+D ends the conversation, Ctrl+C an answer.\n`);
  lines.on("SIGINT", () => lines.close());
  lines.prompt();
  for await (const line of lines) {
    if (line.trim() === "") break;
    await say(line, lines);
    lines.prompt();
  }
  lines.close();
  if (client.usage.requests > 1) terminal.notes.write(`${total(client)}\n`);
  return code;
}

async function answer(
  client: Chatwire,
  model: string,
  messages: ChatCompletionMessageParam[],
  { output, notes }: Terminal,
  lines?: Interface,
): Promise<Outcome> {
  const dim = (isOn: boolean) => (output.isTTY ? output.write(isOn ? "\x1b[2m" : "\x1b[22m") : undefined);
  const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
  const leave = () => stream.abort();
  const listeners = lines?.listeners("SIGINT") ?? [];
  lines?.removeAllListeners("SIGINT").once("SIGINT", leave);
  let isThinking = false;
  try {
    for await (const event of stream.events) {
      if (event.type !== "text" && event.type !== "reasoning" && event.type !== "refusal") continue;
      // Piped, the answer is all that is wanted.
      if (event.type === "reasoning" && !output.isTTY) continue;
      if ((event.type === "reasoning") !== isThinking) {
        isThinking = !isThinking;
        if (!isThinking) output.write("\n\n");
        dim(isThinking);
      }
      output.write(output.isTTY ? harmless(event.text) : event.text);
    }
  } catch {
    // The outcome says why.
  } finally {
    dim(false);
    output.write("\n");
    lines?.removeAllListeners("SIGINT");
    for (const listener of listeners) lines?.on("SIGINT", listener as () => void);
  }
  const outcome = await stream.outcome();
  if (outcome.error && outcome.status !== "aborted") notes.write(`chatwire: ${harmless(outcome.error.message)}\n`);
  notes.write(`${facts(outcome)}\n`);
  return outcome;
}

/** A terminal obeys control characters: they are removed from the text of a model or a server, but for tabs and line breaks. */
const harmless = (text: string): string => text.replace(/(?![\t\n])\p{Cc}/gu, "");

/** Tokens, cost and speed of an answer, as far as they are known. */
function facts({ status, usage, cost, timing, repairs }: Outcome): string {
  const cached = usage?.prompt_tokens_details?.cached_tokens;
  return [
    status,
    usage && `${usage.prompt_tokens}${cached ? ` (${cached} cached)` : ""} + ${usage.completion_tokens} tokens`,
    usage?.estimated && "estimated",
    cost !== null && dollars(cost),
    timing.firstToken !== null && `first token ${Math.round(timing.firstToken)} ms`,
    timing.tokensPerSecond !== null && `${Math.round(timing.tokensPerSecond)} tokens/s`,
    repairs.length > 0 && `repaired: ${repairs.map(({ code }) => code).join(", ")}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

const dollars = (cost: number) => `$${cost.toPrecision(3)}`;

function total({ usage }: Chatwire): string {
  const { requests, total_tokens, cost } = usage;
  return `${requests} answers, ${total_tokens} tokens${cost === null ? "" : `, ${dollars(cost)}`}`;
}

async function textOf(input: Readable): Promise<string> {
  let text = "";
  input.setEncoding("utf8");
  for await (const piece of input) text += piece;
  return text;
}
