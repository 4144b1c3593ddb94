/**
 * The contenders, each doing the same work the way its documentation shows: the whole text of choice 0, and the usage.
 * Runs in every host. The bare read loop alone delivers nothing: it is what no client can be cheaper than.
 */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText as streamTextOfXsai } from "@xsai/stream-text";
import { streamText } from "ai";
import { ChatDecoder, Chatwire } from "chatwire";
import { createParser } from "eventsource-parser";
import OpenAI from "openai";
import { body, response } from "./reads.ts";

/** The result that each contender has to come to. */
export interface Answer {
  text: string;
  prompt: number | undefined;
  completion: number | undefined;
}

type Reads = readonly Uint8Array<ArrayBuffer>[];
interface WireUsage {
  prompt_tokens: number;
  completion_tokens: number;
}
interface WireChunk {
  choices?: { index?: number; delta?: { content?: string | null } }[] | null;
  usage?: WireUsage | null;
}

const baseURL = "https://upstream.invalid/v1";
const model = "electron";
const messages = [{ role: "user" as const, content: "Hello" }];
const params = { model, messages, stream: true as const, stream_options: { include_usage: true } };

/** The reads of the next request: every client is given a `fetch` that answers with them. */
let next: Reads = [];
const answering = async () => response(next);

const openai = new OpenAI({ baseURL, apiKey: "none", fetch: answering, dangerouslyAllowBrowser: true });
const aiSdk = createOpenAICompatible({
  name: "upstream",
  baseURL,
  apiKey: "none",
  fetch: answering,
  includeUsage: true,
});
const chatwire = new Chatwire({ baseURL, apiKey: "none", fetch: answering, dangerouslyAllowBrowser: true });

/** xsAI runs the tool that is called, and fails where it knows none. */
const toolOfXsai = {
  type: "function" as const,
  function: { name: "write", parameters: { type: "object" as const } },
  execute: () => "written",
};

const answer = (text: string, usage: WireUsage | null | undefined): Answer => ({
  text,
  prompt: usage?.prompt_tokens,
  completion: usage?.completion_tokens,
});

function textOf(chunk: WireChunk): string {
  return chunk.choices?.[0]?.delta?.content ?? "";
}

/** The chunks of any client that yields the server's own. */
async function fromChunks(chunks: AsyncIterable<WireChunk>): Promise<Answer> {
  let text = "";
  let usage: WireUsage | null | undefined;
  for await (const chunk of chunks) {
    text += textOf(chunk);
    if (chunk.usage) usage = chunk.usage;
  }
  return answer(text, usage);
}

export const contenders = {
  async "bare read loop"(reads: Reads): Promise<Answer | undefined> {
    const reader = body(reads).getReader();
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
    }
    if (bytes === 0) throw new Error("nothing was read");
    return undefined;
  },

  async "hand-written JS"(reads: Reads): Promise<Answer> {
    const reader = body(reads).getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let text = "";
    let usage: WireUsage | null | undefined;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += decoder.decode(value, { stream: true });
      let from = 0;
      for (;;) {
        const to = rest.indexOf("\n\n", from);
        if (to < 0) break;
        const data = rest.slice(from + 6, to);
        from = to + 2;
        if (data === "[DONE]") continue;
        const chunk: WireChunk = JSON.parse(data);
        text += textOf(chunk);
        if (chunk.usage) usage = chunk.usage;
      }
      rest = rest.slice(from);
    }
    return answer(text, usage);
  },

  async "eventsource-parser"(reads: Reads): Promise<Answer> {
    const reader = body(reads).getReader();
    const decoder = new TextDecoder();
    let text = "";
    let usage: WireUsage | null | undefined;
    const parser = createParser({
      onEvent({ data }) {
        if (data === "[DONE]") return;
        const chunk: WireChunk = JSON.parse(data);
        text += textOf(chunk);
        if (chunk.usage) usage = chunk.usage;
      },
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parser.feed(decoder.decode(value, { stream: true }));
    }
    return answer(text, usage);
  },

  async "openai create"(reads: Reads): Promise<Answer> {
    next = reads;
    return fromChunks(await openai.chat.completions.create(params));
  },

  async "openai .stream"(reads: Reads): Promise<Answer> {
    next = reads;
    const { stream, ...rest } = params;
    return fromChunks(openai.chat.completions.stream(rest));
  },

  async "AI SDK streamText"(reads: Reads): Promise<Answer> {
    next = reads;
    const result = streamText({ model: aiSdk(model), messages, maxRetries: 0, onError() {} });
    let text = "";
    for await (const piece of result.textStream) text += piece;
    const { inputTokens, outputTokens } = await result.usage;
    return { text, prompt: inputTokens, completion: outputTokens };
  },

  async "xsAI streamText"(reads: Reads): Promise<Answer> {
    next = reads;
    const result = streamTextOfXsai({
      ...{ baseURL, apiKey: "none", model, messages, fetch: answering },
      streamOptions: { includeUsage: true },
      tools: [toolOfXsai],
    });
    for (const unused of [result.messages, result.steps, result.totalUsage]) unused.catch(() => {});
    const reader = result.textStream.getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    return answer(text, await result.usage);
  },

  async "chatwire textStream"(reads: Reads): Promise<Answer> {
    next = reads;
    const stream = await chatwire.chat.completions.create(params);
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    return answer(text, (await stream.outcome()).usage);
  },

  async "chatwire chunks"(reads: Reads): Promise<Answer> {
    next = reads;
    return fromChunks(await chatwire.chat.completions.create(params));
  },

  async "chatwire events"(reads: Reads): Promise<Answer> {
    next = reads;
    const stream = await chatwire.chat.completions.create(params);
    let text = "";
    let usage: WireUsage | null | undefined;
    for await (const event of stream.events) {
      if (event.type === "text") text += event.text;
      else if (event.type === "usage") usage = event.usage;
    }
    return answer(text, usage);
  },

  async "ChatDecoder alone"(reads: Reads): Promise<Answer> {
    const decoder = new ChatDecoder({ output: "text" });
    let text = "";
    for (const read of reads) text += decoder.push(read);
    return answer(text, decoder.end().usage);
  },
};

export type Contender = keyof typeof contenders;

/** All of them, in the order of the tables. */
export const names = Object.keys(contenders) as Contender[];
