/**
 * A program that runs in a worker and in a page: the AI SDK's own functions on chatwire's models, against the emulator.
 */
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { createChatwire } from "chatwire/ai-sdk";
import { createEmulator } from "chatwire/emulator";

/** The findings of the program: plain data, since it goes back to the test. */
export interface Seen {
  streamed: { text: string; pieces: number; finishReason: string; inputTokens: number; cost: number };
  whole: { text: string; finishReason: string };
  loop: { asked: string[]; steps: number; text: string };
  interrupted: { finishReason: string; status: string };
  aborted: { was: boolean; upstream: boolean };
}

const prompt = "Echo: The sky is blue, and so is the sea.";
const city = jsonSchema<{ city: string }>({
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
});

export async function run(): Promise<Seen> {
  const emulator = createEmulator();
  const settings = { provider: "electron" as const, apiKey: "k", dangerouslyAllowBrowser: true };
  const model = createChatwire({ ...settings, fetch: emulator.fetch })("electron");

  const streaming = streamText({ model, prompt });
  let text = "";
  let pieces = 0;
  for await (const piece of streaming.textStream) {
    text += piece;
    pieces++;
  }
  const { providerMetadata } = await streaming.finalStep;
  const streamed = {
    text,
    pieces,
    finishReason: await streaming.finishReason,
    inputTokens: (await streaming.usage).inputTokens ?? 0,
    cost: Number(providerMetadata?.chatwire?.cost),
  };

  const { text: all, finishReason } = await generateText({ model, prompt });

  const asked: string[] = [];
  const weather = tool({
    description: "The weather in a city",
    inputSchema: city,
    execute: async ({ city }) => {
      asked.push(city);
      return { celsius: 31 };
    },
  });
  const question = "What is the weather in Pune? Use the weather tool.";
  const loop = streamText({ model, tools: { weather }, stopWhen: isStepCount(3), prompt: question });
  await loop.consumeStream();

  const cut = streamText({ model, prompt: `${prompt} [emulator: cut=300]`, onError() {} });
  await cut.consumeStream();
  const metadata = (await cut.finalStep).providerMetadata?.chatwire;

  const controller = new AbortController();
  let wasAborted = false;
  const slow = createEmulator({ tokensPerSecond: 20 });
  const leaving = streamText({
    model: createChatwire({ ...settings, fetch: slow.fetch })("electron"),
    prompt: "Write 300 words",
    abortSignal: controller.signal,
    onAbort() {
      wasAborted = true;
    },
  });
  for await (const part of leaving.stream) if (part.type === "text-delta") controller.abort();
  while (slow.ledger.open > 0) await new Promise((resolve) => setTimeout(resolve, 5));

  return {
    streamed,
    whole: { text: all, finishReason },
    loop: { asked, steps: (await loop.steps).length, text: await loop.text },
    interrupted: { finishReason: await cut.finishReason, status: String(metadata?.status) },
    aborted: { was: wasAborted, upstream: slow.ledger.records[0]?.aborted === true },
  };
}
