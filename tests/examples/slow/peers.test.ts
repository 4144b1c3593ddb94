/**
 * `npm run test:examples`: each entry with the real package that it is for, both installed as a user would, on the emulator; and
 * beside a version of that package that it is not for.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";
import manifest from "../../../package.json" with { type: "json" };
import { assertSeen, seenInChromium, seenInWorkerd } from "../../ai-sdk/hosts.ts";
import { PAGES, runFirstProgram, runProgram } from "../../npm/first-programs.ts";
import { project, root, run } from "../../package/packed.ts";

const PEERS = [
  "@ag-ui/core",
  "@livekit/agents",
  "@opentelemetry/api",
  "@opentelemetry/sdk-metrics",
  "@opentelemetry/sdk-trace-base",
  "ai",
] as const;

/** OpenTelemetry's own SDK, which keeps what it is told: `told()` gives the names of the spans, and the values of the metrics. */
const OBSERVED = `
import { metrics, trace } from "@opentelemetry/api";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
const spans = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e9 });
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
async function told() {
  await reader.forceFlush();
  const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  const values = all.map(({ descriptor, dataPoints: [{ value }] }) => [descriptor.name, value.count ?? value]);
  console.log(JSON.stringify({ spans: spans.getFinishedSpans().map(({ name }) => name), metrics: Object.fromEntries(values) }));
}
`;

/** The JSON that a program prints last. */
const said = (output: string) => JSON.parse(output.trim().split("\n").at(-1) ?? "");

/** One call was measured: its times once, and its tokens. */
function assertMeasured(metrics: Record<string, number>): void {
  const { duration, time_to_first_chunk, ...rest } = Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name.replace("gen_ai.client.inference.", ""), value]),
  );
  assert.deepEqual([duration, time_to_first_chunk], [1, 1]);
  for (const tokens of ["usage.input_tokens", "usage.output_tokens"]) assert.ok((rest[tokens] ?? 0) > 0, tokens);
}

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
    const output = await runProgram(
      folder,
      "otel",
      `${OBSERVED}
       import { Chatwire, tool } from "chatwire";
       import { telemetry, traced } from "chatwire/otel";
       const client = new Chatwire({ provider: "electron", hooks: telemetry() });
       await client.chat.completions.stream({ model: "electron", messages: [{ role: "user", content: "Hi" }] }).outcome();
       await traced(tool({ name: "look", execute: () => 1 })).execute({}, { signal: new AbortController().signal });
       await told();`,
    );
    const { spans, metrics } = said(output);
    assert.deepEqual(spans, ["chat electron", "execute_tool look"]);
    const { "gen_ai.execute_tool.duration": ofTool, ...ofCall } = metrics;
    assert.equal(ofTool, 1);
    assertMeasured(ofCall);
  });

  it("so do those of a gateway's records", async () => {
    const output = await runProgram(
      folder,
      "gateway",
      `${OBSERVED}
       import { gateway } from "chatwire/edge";
       import { usageTelemetry } from "chatwire/otel";
       const app = gateway({ public: true, onUsage: usageTelemetry(), providers: { electron: { provider: "electron", apiKey: "k" } } });
       const body = JSON.stringify({ model: "electron", stream: true, messages: [{ role: "user", content: "Hi" }] });
       const headers = { "content-type": "application/json" };
       const asked = new Request("http://localhost/v1/chat/completions", { method: "POST", headers, body });
       await (await app.fetch(asked, {})).text();
       while (spans.getFinishedSpans().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
       await told();`,
    );
    const { spans, metrics } = said(output);
    assert.deepEqual(spans, ["chat electron"]);
    assertMeasured(metrics);
  });

  it("AG-UI's schemas accept the events of an answer, and of a run with a tool", async () => {
    const output = await runProgram(
      folder,
      "ag-ui",
      `import { EventSchema } from "@ag-ui/core/schemas";
       import { Chatwire, tool } from "chatwire";
       import { toAGUI } from "chatwire/ag-ui";
       const { completions } = new Chatwire({ provider: "electron" }).chat;
       const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
       const weather = tool({ name: "get_weather", description: "The weather in a city", parameters, execute: () => "31 degrees" });
       const asking = (content) => ({ model: "electron", messages: [{ role: "user", content }] });
       const run = completions.runTools({ ...asking("What is the weather in Pune? Use the weather tool."), tools: [weather] });
       const types = [];
       for (const source of [completions.stream(asking("Hi")), run]) {
         const seen = new Set();
         for await (const event of toAGUI(source)) seen.add(EventSchema.parse(event).type);
         types.push([...seen]);
       }
       console.log(JSON.stringify(types));`,
    );
    const [answer, run] = said(output) as [string[], string[]];
    const text = ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"];
    const call = ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT"];
    assert.deepEqual(answer, ["RUN_STARTED", ...text, "RUN_FINISHED"]);
    assert.deepEqual(new Set(run), new Set(["RUN_STARTED", ...call, ...text, "RUN_FINISHED"]));
  });

  it("a model of LiveKit's gives whole sentences", async () => {
    const output = await runProgram(
      folder,
      "livekit",
      `import { initializeLogger, llm } from "@livekit/agents";
       import { LLM } from "chatwire/livekit";
       initializeLogger({ pretty: false, level: "silent" });
       const model = new LLM({ client: { provider: "electron" }, model: "electron" });
       model.prewarm();
       const chatCtx = llm.ChatContext.empty();
       chatCtx.addMessage({ role: "user", content: "Echo: The sky is blue. The sea is blue, too." });
       const spoken = [];
       for await (const { delta } of model.chat({ chatCtx })) if (delta?.content) spoken.push(delta.content.trim());
       console.log(JSON.stringify(spoken));`,
    );
    assert.deepEqual(said(output), ["The sky is blue.", "The sea is blue, too."]);
  });

  it("the listed prices, those of the caller and the server's word give the cost, in this order from the last", async () => {
    const output = await runProgram(
      folder,
      "costs",
      `import { Chatwire } from "chatwire";
       import { prices } from "chatwire/prices";
       const usage = { prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000 };
       const costOf = async (more, options) => {
         const choices = [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }];
         const fetch = async () => Response.json({ id: "c", model: "gpt-5", choices, usage: { ...usage, ...more } });
         const client = new Chatwire({ provider: "openai", apiKey: "k", fetch, ...options });
         const { _outcome } = await client.chat.completions.create({ model: "gpt-5", messages: [{ role: "user", content: "Hi" }] });
         return _outcome.cost;
       };
       const { input, output } = prices["api.openai.com"]["gpt-5"];
       const own = { prices: { "gpt-5": { input: 1, output: 2 } } };
       const costs = [await costOf(), await costOf({}, own), await costOf({ cost: 0.5 }, own)];
       console.log(JSON.stringify({ costs, listed: (input + output) / 1000 }));`,
    );
    const { costs, listed } = said(output);
    assert.ok(listed > 0 && Math.abs(costs[0] - listed) < 1e-12, `${costs} ${listed}`);
    assert.deepEqual(costs.slice(1), [0.003, 0.5]);
  });

  it("chatwire chat answers a question that comes through a pipe", async () => {
    const running = promisify(execFile)("npx", ["chatwire", "chat", "--emulator"], { cwd: folder, timeout: 60_000 });
    running.child.stdin?.end("Echo: Hello there.");
    const { stdout, stderr } = await running;
    assert.equal(stdout.trim(), "Hello there.");
    assert.match(stderr, /^complete · \d+ \+ \d+ tokens · \$/m);
  });

  describe("the AI SDK's functions run", () => {
    before(async () => {
      for (const file of ["on-host.ts", "on-host-worker.ts"])
        await copyFile(join(root, "tests/ai-sdk", file), join(folder, file));
    });
    it("in workerd", async () => assertSeen(await seenInWorkerd(folder)));
    it("in a page in Chromium", async () => assertSeen(await seenInChromium(folder)));
  });

  it("tools run in a loop of the AI SDK's", async () => {
    const output = await runProgram(
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
    assert.equal(output.trim(), "2");
  });

  it("version 6 of the AI SDK refuses the model by name", async () => {
    const output = await runProgram(
      folder,
      "six",
      `import { generateText } from "ai6";
       import { createChatwire } from "chatwire/ai-sdk";
       await generateText({ model: createChatwire({ provider: "electron" })(), prompt: "Hi" }).catch(({ name, message }) => console.log(name, message));`,
    );
    assert.match(output, /^AI_UnsupportedModelVersionError .*v4/);
  });
});
