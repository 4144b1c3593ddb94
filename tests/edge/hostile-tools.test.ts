/** Tools that run at the provider, however a caller names them; counts and lengths that are none. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { bytesOf, CHAT, chat, errorOf, KEY, setUp } from "./setting.ts";

const completion = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
};

function listening(options: Partial<GatewayOptions> = {}) {
  const bodies: Record<string, unknown>[] = [];
  const send = async (_: string, { body }: { body?: string }) => {
    bodies.push(JSON.parse(body ?? ""));
    return Response.json(completion);
  };
  const upstream = { provider: { baseURL: "https://api.example.com/v1" }, apiKey: KEY, maxRetries: 0, fetch: send };
  const providers = { upstream } as GatewayOptions["providers"];
  const setting = setUp(send, { providers, ...options });
  return { ...setting, bodies };
}

const own = { type: "function", function: { name: "f", parameters: {} } };

describe("tools that run at the provider", () => {
  it("do not pass in any shape", async () => {
    const { fetch, bodies } = listening();
    const tools = [
      { type: "web_search" },
      "web_search",
      true,
      ["web_search"],
      [["web_search"]],
      [null],
      [own, { type: "mcp", server_url: "http://10.0.0.1" }],
      [{ google_search: {} }],
      [{ ...own, google_search: {} }],
      [{ type: ["function"] }],
      [{ type: null, web_search: {} }],
    ];
    for (const value of tools) {
      const answer = await fetch(CHAT, chat("hi", { tools: value }));
      assert.deepEqual([answer.status, (await errorOf(answer)).param], [400, "tools"], JSON.stringify(value));
    }
    const choices = [
      { type: "web_search" },
      { type: "mcp", server_label: "x" },
      ["web_search"],
      7,
      { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [{ type: "web_search" }] } },
      { type: "allowed_tools", mode: "auto", tools: [{ type: "web_search" }] },
      { type: "allowed_tools" },
    ];
    for (const value of choices) {
      const answer = await fetch(CHAT, chat("hi", { tools: [own], tool_choice: value }));
      assert.deepEqual([answer.status, (await errorOf(answer)).param], [400, "tool_choice"], JSON.stringify(value));
    }
    assert.deepEqual(bodies, []);
  });

  it("pass where they are allowed, and the caller's own always", async () => {
    const { fetch, bodies } = listening({ parameters: { allow: ["tools.web_search", "tools.google_search"] } });
    const asked = [
      { tools: [own], tool_choice: "auto" },
      { tools: [own], tool_choice: { type: "function", function: { name: "f" } } },
      {
        tools: [own],
        tool_choice: {
          type: "allowed_tools",
          allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "f" } }] },
        },
      },
      { tools: [{ type: "custom", custom: { name: "c" } }, { function: { name: "f" } }] },
      { tools: [{ type: "web_search", filters: {} }, { google_search: {} }], tool_choice: { type: "web_search" } },
    ];
    for (const params of asked) {
      const answer = await fetch(CHAT, chat("hi", params));
      assert.equal(answer.status, 200, JSON.stringify(params));
      await bytesOf(answer);
    }
    assert.deepEqual(
      bodies.map(({ tools }) => tools),
      asked.map(({ tools }) => tools),
    );
  });
});

describe("with a cap", () => {
  it("a number of answers is a number from 1", async () => {
    const { fetch, bodies } = listening({ limits: { maxTokens: 5 } });
    for (const n of [0, -1, 2, "1", 1.5, null]) {
      const answer = await fetch(CHAT, chat("hi", { n }));
      assert.equal(answer.status, n === null ? 200 : 400, String(n));
      await bytesOf(answer);
    }
    assert.equal(bodies.length, 1);
  });

  it("reasoning has no cap of its own above it", async () => {
    const { fetch, bodies } = listening({ limits: { maxTokens: 5 } });
    for (const reasoning of [{ max_tokens: 9999, effort: "high" }, { max_tokens: 2 }]) {
      await bytesOf(await fetch(CHAT, chat("hi", { reasoning })));
    }
    assert.deepEqual(
      bodies.map(({ reasoning }) => reasoning),
      [{ max_tokens: 5, effort: "high" }, { max_tokens: 2 }],
    );
  });
});
