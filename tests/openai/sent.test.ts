/** The bodies of requests, whatever the path. */
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "chatwire/openai";

test("half_a_surrogate_pair_is_sent_as_a_replacement_character_on_every_path", async () => {
  const bodies: string[] = [];
  const fetch = async (_: unknown, init?: { body?: unknown }) => {
    bodies.push(String(init?.body));
    return Response.json({
      choices: [{ index: 0, message: { role: "assistant", content: "x" }, finish_reason: "stop" }],
    });
  };
  const client = new OpenAI({ apiKey: "k", baseURL: "https://sent.test/v1", fetch });
  const content = "half \uD83D, whole \u{1F600}, \\ud83d as text";
  await client.chat.completions.create({ model: "m", messages: [{ role: "user", content }] });
  await client.post("/responses", { body: { model: "m", input: [{ content }] } });
  await client.post("/responses", { body: { model: "m", input: "\\ud83d as text alone" } });
  const [chat, other, text] = bodies.map((body) => JSON.parse(body));
  const expected = "half \uFFFD, whole \u{1F600}, \\ud83d as text";
  assert.equal(chat.messages[0].content, expected);
  assert.equal(other.input[0].content, expected);
  assert.equal(text.input, "\\ud83d as text alone");
});
