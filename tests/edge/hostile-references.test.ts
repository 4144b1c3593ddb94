/** Callers who name what another caller has stored under the gateway's key, or an address of the provider's network. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayOptions } from "chatwire/edge";
import { bytesOf, CHAT, errorOf, KEY, setUp } from "./setting.ts";

type Body = Record<string, unknown>;

function listening(options: Partial<GatewayOptions> = {}) {
  const bodies: Body[] = [];
  const send = async (_: string, { body }: { body?: string }) => {
    bodies.push(JSON.parse(body ?? ""));
    const message = { role: "assistant", content: "hi" };
    const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 };
    return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }], usage });
  };
  const upstream = { baseURL: "https://references.example.com/v1", apiKey: KEY, maxRetries: 0, fetch: send };
  const setting = setUp(send, { providers: { upstream: upstream as never }, ...options });
  const post = (path: string, body: Body) =>
    setting.fetch(path, { method: "POST", body: JSON.stringify({ model: "m", ...body }) });
  return { ...setting, bodies, post };
}

const part = (content: Body): Body => ({
  messages: [{ role: "user", content: [{ type: "text", text: "hi" }, content] }],
});
const item = (content: Body): Body => ({ input: [{ role: "user", content: "hi" }, content] });
const RESPONSES = "/v1/responses";

/** The requests that name something, and the entry of a policy that lets each pass. */
const stored: [path: string, body: Body, entry: string][] = [
  [CHAT, part({ type: "file", file: { file_id: "file-x" } }), "messages.file_id"],
  [CHAT, part({ type: "image_file", image_file: { file_id: "file-x" } }), "messages.file_id"],
  [CHAT, part({ type: "document", source: { type: "file", file_id: "file-x" } }), "messages.file_id"],
  [CHAT, part({ type: "file", file: { fileId: "file-x" } }), "messages.fileId"],
  [CHAT, part({ type: "file", file: { FILE_ID: "file-x" } }), "messages.FILE_ID"],
  [CHAT, part({ type: "file", file: { file_ids: ["file-x"] } }), "messages.file_ids"],
  [CHAT, part({ type: "file", file: { file_uri: "https://files.example.com/x" } }), "messages.file_uri"],
  [CHAT, part({ type: "file", file: { id: "file-x" } }), "messages.file.id"],
  [CHAT, part({ type: "input_audio", input_audio: { id: 5, type: "stored" } }), "messages.input_audio.id"],
  [CHAT, part({ type: "cached", cached_content: "cachedContents/x" }), "messages.cached_content"],
  [CHAT, { messages: [{ role: "assistant", content: null, audio: { id: "audio_x" } }] }, "messages.audio.id"],
  [CHAT, { messages: [], audio: { voice: { id: "voice_x" }, format: "mp3" } }, "audio.voice.id"],
  [CHAT, { messages: [], prediction: { type: "content", content: [{ file_id: "file-x" }] } }, "prediction.file_id"],
  [RESPONSES, { input: [{ role: "user", content: [{ type: "input_file", file_id: "file-x" }] }] }, "input.file_id"],
  [RESPONSES, { input: [{ role: "user", content: [{ type: "input_image", file_id: "file-x" }] }] }, "input.file_id"],
  [RESPONSES, item({ type: "item_reference", id: "msg_x" }), "input.item_reference"],
  [RESPONSES, item({ type: "reasoning", id: "rs_x", summary: [], encrypted_content: null }), "input.item_reference"],
  [RESPONSES, item({ type: "image_generation_call", id: "ig_x", status: "completed" }), "input.item_reference"],
  [
    RESPONSES,
    item({ type: "computer_call_output", call_id: "c", output: { type: "x", file_id: "f" } }),
    "input.file_id",
  ],
  [
    RESPONSES,
    item({ type: "code_interpreter_call", id: "ci", code: "1", container_id: "cntr_x" }),
    "input.container_id",
  ],
  ["/v1/completions", { prompt: { id: "pmpt_x" } }, "prompt.item_reference"],
  ["/v1/embeddings", { input: [{ file_id: "file-x" }] }, "input.file_id"],
];

describe("what another caller has stored", () => {
  for (const [path, body, entry] of stored) {
    it(`is named by no one: ${JSON.stringify(body).slice(0, 100)}`, async () => {
      const { post, bodies } = listening();
      const answer = await post(path, body);
      const { code, param, message } = await errorOf(answer);
      assert.deepEqual([answer.status, code, param], [400, "parameter_not_allowed", entry.split(".")[0]]);
      assert.ok(message.includes(JSON.stringify(entry)), message);
      assert.doesNotMatch(message, /_x\b|file-x/);
      const open = listening({ parameters: { allow: [entry] } });
      assert.equal((await open.post(path, body)).status, 200);
      assert.deepEqual([bodies.length, open.bodies.length], [0, 1]);
    });
  }
  for (const [tool, entry] of [
    [{ type: "file_search", vector_store_ids: ["vs_x"] }, "tools.vector_store_ids"],
    [{ type: "code_interpreter", container: "cntr_x" }, "tools.container"],
    [{ type: "code_interpreter", container: { type: "auto", file_ids: ["file-x"] } }, "tools.file_ids"],
    [{ type: "mcp", connector_id: "connector_x" }, "tools.connector_id"],
    [{ type: "mcp", server_url: "http://10.0.0.1/" }, "tools.url"],
  ] as const) {
    it(`is named by no tool that is allowed: ${JSON.stringify(tool)}`, async () => {
      const allow = [`tools.${tool.type}`];
      const { post, bodies } = listening({ parameters: { allow } });
      assert.equal((await post(RESPONSES, { input: "hi", tools: [tool] })).status, 400);
      const open = listening({ parameters: { allow: [...allow, entry] } });
      assert.equal((await open.post(RESPONSES, { input: "hi", tools: [tool] })).status, 200);
      assert.deepEqual([bodies.length, open.bodies.length], [0, 1]);
    });
  }
  it("is not named by a request that names its own things, and labels", async () => {
    const { post, bodies } = listening();
    const parameters = { type: "object", properties: { file_id: { type: "string" }, audio: { id: "x" } } };
    for (const [path, body] of [
      [CHAT, part({ type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" } })],
      [CHAT, part({ type: "image_url", image_url: { url: "https://a.example.com/x.png", detail: "low" } })],
      [CHAT, part({ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } })],
      [CHAT, part({ type: "image_url", image_url: { url: "/9j/4AAQSkZJRg" } })],
      [CHAT, { messages: [{ id: "m", role: "user", content: "hi" }] }],
      [
        CHAT,
        {
          messages: [
            {
              role: "assistant",
              content: null,
              tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
            },
            { role: "tool", tool_call_id: "c", content: '{"file_id": 5}' },
          ],
          tools: [{ type: "function", function: { name: "f", parameters } }],
          response_format: { type: "json_schema", json_schema: { name: "s", schema: parameters } },
          metadata: { order_id: "5" },
          ...{ user: "ann", safety_identifier: "ann", prompt_cache_key: "ann" },
          audio: { voice: "alloy", format: "mp3" },
        },
      ],
      [
        CHAT,
        { messages: [{ role: "assistant", content: "", reasoning_details: [{ type: "x", id: "r", data: "e" }] }] },
      ],
      [RESPONSES, item({ type: "reasoning", id: "rs", summary: [], encrypted_content: "e" })],
      [
        RESPONSES,
        item({ type: "message", id: "msg", role: "assistant", content: [{ type: "output_text", text: "a" }] }),
      ],
      [RESPONSES, item({ type: "mcp_approval_response", approval_request_id: "a", approve: true })],
      ["/v1/embeddings", { input: [[1, 2], [3]] }],
    ] as [string, Body][]) {
      const answer = await post(path, body);
      assert.equal(answer.status, 200, JSON.stringify([body, await answer.text()]));
    }
    assert.equal(bodies.length, 11);
  });
});

describe("addresses of the provider's network", () => {
  it("do not pass, however they are written", async () => {
    const { post, bodies } = listening();
    for (const url of [
      ...["http://10.0.0.1/x", "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/", "http://0177.0.0.1/"],
      ...[
        "https://192.168.1.1/",
        "http://172.20.0.1/",
        "http://169.254.169.254/latest",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
      ],
      ...["http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://[fd00::1]/", "http://[fe80::1]/", "http://224.0.0.1/"],
      ...[
        "http://localhost/",
        "http://LOCALHOST./",
        "http://db.internal/",
        "http://vllm:8000/",
        "http://a.svc/",
        "localhost:80/x",
      ],
      ...["file:///etc/passwd", "FILE:/etc/passwd", "gs://bucket/x", "ftp://a.example.com/x", " http://10.0.0.1/"],
      ...["http:\\\\10.0.0.1", "http://\uff110.0.0.1/", "http://a@10.0.0.1/", "http:10.0.0.1"],
    ]) {
      for (const body of [
        part({ type: "image_url", image_url: { url } }),
        part({ type: "image_url", image_url: url }),
        part({ type: "video_url", video_url: { url } }),
      ]) {
        assert.equal((await post(CHAT, body)).status, 400, JSON.stringify(body));
      }
      const content = [{ type: "input_file", file_url: url }];
      assert.equal((await post(RESPONSES, { input: [{ role: "user", content }] })).status, 400, url);
    }
    assert.deepEqual(bodies, []);
    const open = listening({ parameters: { allow: ["messages.url"] } });
    const answer = await open.post(CHAT, part({ type: "image_url", image_url: { url: "http://10.0.0.1/x" } }));
    assert.equal(answer.status, 200);
    await bytesOf(answer);
  });
});

describe("values that are nested", () => {
  it("deeper than anything that is meant are refused, wherever they stand", async () => {
    const { fetch, bodies } = listening();
    for (const depth of [300, 100_000]) {
      const deep = "[".repeat(depth) + "]".repeat(depth);
      for (const member of [
        '"messages"',
        '"response_format"',
        '"stop"',
        '"metadata"',
        '"tools"',
        '"logit_bias"',
        '"unknown"',
      ]) {
        const answer = await fetch(CHAT, { method: "POST", body: `{"model":"m",${member}:${deep}}` });
        assert.equal(answer.status, 400, `${member} ${depth}`);
      }
      for (const path of ["/v1/embeddings", "/v1/responses", "/v1/completions"]) {
        const body = `{"model":"m","input":${deep},"prompt":${deep}}`;
        assert.equal((await fetch(path, { method: "POST", body })).status, 400, path);
      }
      const open = listening({ parameters: { allow: "any" } });
      const answer = await open.fetch(CHAT, { method: "POST", body: `{"model":"m","messages":[],"unknown":${deep}}` });
      assert.equal(answer.status, 400);
    }
    assert.deepEqual(bodies, []);
  });
});
