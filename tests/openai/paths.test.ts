/**
 * Every import path of `openai` that concerns chat has its counterpart, with what can be imported there.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";

/** The paths that are not there, because they are not chat. */
const ELSEWHERE: Record<string, RegExp> = {
  "": /^(BedrockOpenAI|ComputerToolset)$/,
  "/streaming": /^_iterSSEMessages$/,
  "/pagination": /^(ConversationCursorPage|NextCursorPage|TokenPage)$/,
  "/helpers/zod": /^zod(RealtimeFunction|ResponsesFunction|TextFormat)$/,
  "/helpers/standard-schema": /^standard(ResponsesFunction|TextFormat)$/,
  "/lib/ChatCompletionStream": /^makeChatCompletionReadableStreamMessageChunk$/,
  "/lib/parser": /^(makeParseableTextFormat|assertToolCallsAreChatCompletionFunctionToolCalls)$/,
  "/lib/transform": /^(?!toStrictJsonSchema$)/,
  // Completions are those of an earlier API there.
  "/resources": /^(?!Chat$|Models$)/,
};
/** Our own: errors that have no counterpart there, and a few that are one path away. */
const OURS = new Set([
  ...["ProtocolError", "StalledError", "TruncatedError"],
  ...["ContentFilterFinishReasonError", "LengthFinishReasonError", "Messages"],
]);
const SAME: Record<string, string> = {
  "/index": "",
  "/core/streaming": "/streaming",
  "/core/pagination": "/pagination",
  "/resources/index": "/resources",
};
const PATHS = [
  ...["", "/index", "/client", "/azure", "/error", "/core/error", "/streaming", "/core/streaming"],
  ...["/pagination", "/core/pagination", "/api-promise", "/core/api-promise", "/uploads", "/core/uploads"],
  ...["/helpers/zod", "/helpers/standard-schema", "/lib/AbstractChatCompletionRunner", "/lib/ChatCompletionRunner"],
  ...["/lib/ChatCompletionStream", "/lib/ChatCompletionStreamingRunner", "/lib/EventStream", "/lib/RunnableFunction"],
  ...[
    "/lib/parser",
    "/lib/jsonschema",
    "/lib/transform",
    "/lib/chatCompletionUtils",
    "/resources",
    "/resources/index",
    "/resources/chat",
    "/resources/chat/index",
  ],
  ...["/resources/chat/chat", "/resources/chat/completions", "/resources/chat/completions/index"],
  ...["/resources/chat/completions/completions", "/resources/chat/completions/messages"],
  ...["/resources/shared", "/resources/models"],
];

for (const path of PATHS) {
  test(`openai${path}`, async () => {
    const theirs = Object.keys(await import(`openai${path}`));
    const ours = await import(`chatwire/openai${path}`);
    const elsewhere = ELSEWHERE[SAME[path] ?? path];
    const missing = theirs.filter((name) => !(name in ours) && !elsewhere?.test(name));
    assert.deepEqual(missing, []);
    const more = Object.keys(ours).filter((name) => !theirs.includes(name) && !OURS.has(name));
    assert.deepEqual(more, []);
    if (path === "") return;
    for (const suffix of [".js", ".mjs"]) {
      assert.deepEqual(Object.keys(await import(`chatwire/openai${path}${suffix}`)), Object.keys(ours));
    }
  });
}

test("can be required: the class itself, as openai gives it", async () => {
  const require = createRequire(import.meta.url);
  const modules = await import("chatwire/openai");
  // The copy for a Node whose require() takes no modules has classes of its own.
  const copy = require("../../dist/cjs/openai/index.js");
  for (const name of ["openai", "chatwire/openai", "the copy"]) {
    const OpenAI = name === "the copy" ? copy : require(name);
    const made = [new OpenAI({ apiKey: "k" }), OpenAI({ apiKey: "k" }), new OpenAI.OpenAI({ apiKey: "k" })];
    for (const client of made) {
      assert.equal(typeof client.chat.completions.create, "function", name);
      assert.ok(client instanceof OpenAI && client instanceof OpenAI.default, name);
    }
    const Own = class extends OpenAI {} as typeof OpenAI;
    assert.ok(new Own({ apiKey: "k" }) instanceof Own, name);
    assert.equal(OpenAI.APIError, OpenAI.default.APIError, name);
    assert.equal(OpenAI.__esModule, true, name);
    assert.equal(typeof OpenAI.AzureOpenAI, "function", name);
  }
  const required = require("chatwire/openai");
  for (const [name, value] of Object.entries(modules)) assert.equal(required[name], value, name);
  assert.deepEqual(Object.keys(copy).sort(), Object.keys(modules).sort());
  assert.equal(require("chatwire/openai/error").APIError, modules.APIError);
});

test("what is not chat can be looked at, and names the package when it is called", async () => {
  const { default: OpenAI } = await import("chatwire/openai");
  const client = new OpenAI({ apiKey: "k" }) as unknown as Record<
    string,
    Record<string, (...args: unknown[]) => unknown>
  >;
  const { default: Theirs } = await import("openai");
  const chat = ["chat", "models"];
  const names = Object.keys(new Theirs({ apiKey: "k" })).filter(
    (name) => typeof Reflect.get(new Theirs({ apiKey: "k" }), name)?._client === "object" && !chat.includes(name),
  );
  assert.ok(names.includes("embeddings") && names.includes("responses") && names.length > 15, names.join());
  for (const name of names) {
    assert.equal(typeof client[name]?.create, "function", name);
    assert.equal(client[name]?.create, client[name]?.create, "it is the same each time");
    assert.throws(
      () => client[name]?.create?.({}),
      new RegExp(`client\\.${name}\\.create is not in.*\`openai\` package`),
    );
  }
  assert.equal(await client.embeddings, client.embeddings, "it is no promise");
  assert.equal(JSON.stringify({ ...client.embeddings }), "{}");
  assert.equal(`${(client.beta as unknown as { chat: object }).chat === (client.chat as object)}`, "true");
});
