/**
 * `npm run test:examples`: each entry with the real package that it is for, both installed as a user would, on the emulator; and
 * beside a version of that package that it is not for.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import manifest from "../../../package.json" with { type: "json" };
import { PAGES, runFirstProgram, runProgram } from "../../npm/first-programs.ts";
import { project, run } from "../../package/packed.ts";

const PEERS = [
  "@ag-ui/core",
  "@livekit/agents",
  "@opentelemetry/api",
  "@opentelemetry/sdk-metrics",
  "@opentelemetry/sdk-trace-base",
  "ai",
] as const;

describe("from the tarball, with the real packages,", { timeout: 600_000 }, () => {
  let folder: string;
  before(async () => {
    folder = await project("peers", {});
    const wanted = PEERS.map((name) => `${name}@${manifest.devDependencies[name]}`);
    const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"];
    await run(folder, "npm", [...args, ...wanted, "ai6@npm:ai@6"]);
  });

  for (const page of Object.keys(PAGES)) it(`the first program of ${page} runs`, () => runFirstProgram(folder, page));

  it("spans and metrics reach OpenTelemetry's own exporters", async () => {
    const said = await runProgram(
      folder,
      "otel",
      `import { trace } from "@opentelemetry/api";
       import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
       import { Chatwire } from "chatwire";
       import { telemetry } from "chatwire/otel";
       const spans = new InMemorySpanExporter();
       trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
       const client = new Chatwire({ provider: "electron", hooks: telemetry() });
       await client.chat.completions.create({ model: "electron", messages: [{ role: "user", content: "Hi" }] });
       console.log(spans.getFinishedSpans().map(({ name }) => name).join());`,
    );
    assert.equal(said.trim(), "chat electron");
  });

  it("AG-UI's schemas accept the events", async () => {
    const said = await runProgram(
      folder,
      "ag-ui",
      `import { EventSchema } from "@ag-ui/core/schemas";
       import { Chatwire } from "chatwire";
       import { toAGUI } from "chatwire/ag-ui";
       const stream = new Chatwire({ provider: "electron" }).chat.completions.stream({ messages: [{ role: "user", content: "Hi" }] });
       let count = 0;
       for await (const event of toAGUI(stream)) if (EventSchema.parse(event)) count++;
       console.log(count > 3);`,
    );
    assert.equal(said.trim(), "true");
  });

  it("tools run in a loop of the AI SDK's", async () => {
    const said = await runProgram(
      folder,
      "loop",
      `import { generateText, isStepCount, jsonSchema, tool } from "ai";
       import { createChatwire } from "chatwire/ai-sdk";
       const inputSchema = jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] });
       const weather = tool({ description: "The weather in a city", inputSchema, execute: async () => ({ celsius: 31 }) });
       const prompt = "What is the weather in Pune? Use the weather tool.";
       const model = createChatwire({ provider: "electron" })();
       const { steps } = await generateText({ model, tools: { weather }, stopWhen: isStepCount(3), prompt });
       console.log(steps.length);`,
    );
    assert.equal(said.trim(), "2");
  });

  it("version 6 of the AI SDK refuses the model by name", async () => {
    const said = await runProgram(
      folder,
      "six",
      `import { generateText } from "ai6";
       import { createChatwire } from "chatwire/ai-sdk";
       await generateText({ model: createChatwire({ provider: "electron" })(), prompt: "Hi" }).catch(({ name, message }) => console.log(name, message));`,
    );
    assert.match(said, /^AI_UnsupportedModelVersionError .*v4/);
  });
});
