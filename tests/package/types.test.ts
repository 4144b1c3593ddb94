/** The packed package in a strict TypeScript project that checks the declarations of its dependencies too. */
import { before, describe, it } from "node:test";
import { project, run } from "./packed.ts";

const consumer = `
import { type ChatCompletionChunk, Chatwire, RateLimitError } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import OpenAI, { AzureOpenAI } from "chatwire/openai";
import type { ChatCompletionMessageParam } from "chatwire/openai/resources/chat/completions";
import { init } from "chatwire/slim";

const client = new Chatwire({ provider: "electron", apiKey: "any", fetch: createEmulator().fetch });

export async function chunks(): Promise<ChatCompletionChunk[]> {
  await init("/chatwire.wasm");
  const found: ChatCompletionChunk[] = [];
  try {
    const stream = await client.chat.completions.create({ messages: [{ role: "user", content: "Hi" }], stream: true });
    for await (const chunk of stream) found.push(chunk);
  } catch (error) {
    if (error instanceof RateLimitError) console.log(error.retryAt);
    throw error;
  }
  return found;
}

export async function text(): Promise<string | null> {
  const completion = await client.chat.completions.create({ messages: [{ role: "user", content: "Hi" }] });
  return completion.choices[0]?.message.content ?? null;
}

const openai: OpenAI = new AzureOpenAI({ apiKey: "any", apiVersion: "v", endpoint: "https://azure.test" });
const messages: ChatCompletionMessageParam[] = [{ role: "user", content: "Hi" }];

export async function emitted(): Promise<OpenAI.Chat.Completions.ChatCompletionMessage> {
  const stream = openai.chat.completions.stream({ model: "m", messages });
  stream.on("content.delta", ({ delta, snapshot }) => console.log(delta.length, snapshot.length));
  for await (const chunk of stream) {
    const delta: OpenAI.ChatCompletionChunk.Choice.Delta | undefined = chunk.choices[0]?.delta;
    console.log(delta?.content);
  }
  return stream.finalMessage();
}

// @ts-expect-error: embeddings are not for chat
openai.embeddings.create;
// @ts-expect-error: there is no such provider
new Chatwire({ provider: "neutron" });
// @ts-expect-error: messages are not text
client.chat.completions.create({ messages: "Hi" });
`;

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
  target: "ES2022",
  lib: ["ES2022", "DOM", "DOM.Iterable"],
  types: [],
};

const resolutions = [
  { moduleResolution: "bundler", module: "ESNext" },
  { moduleResolution: "nodenext", module: "NodeNext" },
];

describe("a strict TypeScript project", { timeout: 120_000 }, () => {
  let folder: string;

  before(async () => {
    const settings = resolutions.map((resolution): [string, string] => [
      `${resolution.moduleResolution}.json`,
      JSON.stringify({ compilerOptions: { ...strict, ...resolution }, files: ["consumer.ts"] }),
    ]);
    folder = await project("types", { "consumer.ts": consumer, ...Object.fromEntries(settings) });
  });

  for (const { moduleResolution } of resolutions) {
    it(`accepts the package with ${moduleResolution} resolution`, async () => {
      await run(folder, "tsc", ["-p", `${moduleResolution}.json`]);
    });
  }
});
