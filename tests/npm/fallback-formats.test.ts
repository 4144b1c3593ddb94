/**
 * Structured answers from a chain of servers of different kinds: each is asked in the form that it takes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { APIError, Chatwire, type ClientOptions, InternalServerError, InvalidRequestError } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import { clientOf, DONE, hello, says, serve } from "./serving.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;

/** The members of a request that these tests look at. */
interface Body {
  messages: { role: string; content: string }[];
  response_format: { type: string };
}

const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
const json_schema = { name: "n", schema };
const response_format = { type: "json_schema" as const, json_schema };
const failing = () => Response.json({ error: { message: "down" } }, { status: 503 });
const answering = () =>
  Response.json({ choices: [{ index: 0, message: { role: "assistant", content: '{"n":1}' }, finish_reason: "stop" }] });
const streaming = () => serve([says('{"n":1}', "stop"), DONE]).response;

/** A server of a kind, and the requests that it was sent. */
function serverOf(
  provider: NonNullable<ClientOptions["provider"]>,
  answer: (body: Body) => Response | Promise<Response>,
) {
  const bodies: Body[] = [];
  const fetch: Fetch = async (_url, init) => {
    const body: Body = JSON.parse(init.body ?? "");
    bodies.push(body);
    return answer(body);
  };
  return { bodies, options: { provider, apiKey: "k", fetch, maxRetries: 0 } satisfies ClientOptions };
}

/** Whether each request has its schema as a parameter, in the messages, or not at all; a fault where it has it otherwise. */
function formsOf(bodies: readonly Body[]): string[] {
  return bodies.map(({ messages, response_format: format }) => {
    const told = JSON.stringify(messages).split("JSON Schema").length - 1;
    if (format.type === "json_schema") {
      assert.deepEqual([format, messages], [response_format, hello.messages]);
      return "parameter";
    }
    assert.deepEqual(format, { type: "json_object" });
    if (told === 0) assert.deepEqual(messages, hello.messages);
    else assert.match(messages[0]?.content ?? "", /JSON.*"required":\["n"\]/);
    return told === 0 ? "neither" : "messages".repeat(told);
  });
}

for (const [first, second, forms] of [
  ["openai", "electron", ["parameter", "messages"]],
  ["electron", "openai", ["messages", "parameter"]],
  ["electron", "electron", ["messages", "messages"]],
  ["openai", "electronhub", ["parameter", "parameter"]],
] as const) {
  test(`parse_asks_each_server_in_the_form_that_it_takes__${first}_then_${second}`, async () => {
    for (const options of [{}, { hedge: 60_000 }]) {
      const other = serverOf(second, answering);
      const one = serverOf(first, failing);
      const fallback = [{ client: new Chatwire(other.options), model: "electron" }];
      const client = new Chatwire({ ...one.options, fallback });
      const messages = structuredClone(hello.messages);
      const asked = client.chat.completions.parse({ model: "electron", messages, response_format }, options);
      const { choices } = await asked;
      assert.deepEqual(choices[0]?.message.parsed, { n: 1 });
      assert.deepEqual(formsOf([...one.bodies, ...other.bodies]), forms);
      assert.deepEqual(messages, hello.messages);
    }
  });
}

test("a_chain_may_change_its_form_more_than_once", async () => {
  const last = serverOf("openai", answering);
  const middle = serverOf("electron", failing);
  const one = serverOf("openai", failing);
  const fallback = [middle, last].map(({ options }) => ({ client: new Chatwire(options), model: "electron" }));
  const { chat } = new Chatwire({ ...one.options, fallback });
  await chat.completions.parse({ ...hello, response_format });
  assert.deepEqual(formsOf([...one.bodies, ...middle.bodies, ...last.bodies]), ["parameter", "messages", "parameter"]);
});

test("a_fallback_leaves_the_messages_alone_where_the_caller_wants_that", async () => {
  const other = serverOf("electron", answering);
  const one = serverOf("openai", failing);
  const fallback = [{ client: new Chatwire(other.options), model: "electron" }];
  const { chat } = new Chatwire({ ...one.options, fallback });
  await chat.completions.parse({ ...hello, response_format }, { schemaInMessages: false });
  assert.deepEqual(formsOf([...one.bodies, ...other.bodies]), ["parameter", "neither"]);
});

test("a_fallback_that_refuses_json_schema_is_asked_once_more_with_the_schema_in_the_messages", async () => {
  const refusing = ({ response_format: { type } }: Body) =>
    type === "json_schema"
      ? Response.json({ error: { message: "'json_schema' is not supported" } }, { status: 400 })
      : answering();
  for (const first of ["openai", "electron"] as const) {
    const ask = (options: { schemaInMessages?: boolean }) => {
      const other = serverOf({ baseURL: "https://refuses.test/v1" }, refusing);
      const one = serverOf(first, failing);
      const fallback = [{ client: new Chatwire(other.options), model: "m" }];
      const { completions } = new Chatwire({ ...one.options, fallback }).chat;
      const asked = completions.parse({ ...hello, model: "electron", response_format }, options);
      return { asked, one, other };
    };
    const { asked, one, other } = ask({});
    assert.deepEqual((await asked).choices[0]?.message.parsed, { n: 1 });
    assert.deepEqual(formsOf(other.bodies), ["parameter", "messages"]);
    assert.deepEqual(formsOf(one.bodies), [first === "openai" ? "parameter" : "messages", "messages"]);
    await assert.rejects(ask({ schemaInMessages: false }).asked, APIError);
  }
});

test("parameters_of_a_fallback_decide_what_it_is_asked_for", async () => {
  const other = serverOf("electron", answering);
  const one = serverOf("openai", failing);
  const params = { response_format: { type: "json_object" as const } };
  const fallback = [{ client: new Chatwire(other.options), model: "electron", params }];
  const { chat } = new Chatwire({ ...one.options, fallback });
  await chat.completions.parse({ ...hello, response_format });
  assert.deepEqual(formsOf(other.bodies), ["neither"]);
});

test("streams_and_runs_of_tools_fall_back_on_a_server_without_json_schema", async () => {
  for (const kind of ["create", "stream", "runTools"] as const) {
    const other = serverOf("electron", streaming);
    const one = serverOf("openai", failing);
    const fallback = [{ client: new Chatwire(other.options), model: "electron" }];
    const { completions } = new Chatwire({ ...one.options, fallback }).chat;
    const params = { ...hello, response_format };
    if (kind === "create")
      assert.equal(await (await completions.create({ ...params, stream: true })).finalContent(), '{"n":1}');
    if (kind === "stream") assert.equal(await completions.stream(params).finalContent(), '{"n":1}');
    if (kind === "runTools")
      assert.equal(await completions.runTools({ ...params, tools: [] }).finalContent(), '{"n":1}');
    assert.deepEqual(formsOf([...one.bodies, ...other.bodies]), ["parameter", "messages"], kind);
  }
});

test("electron_answers_with_json_after_openai_failed", async () => {
  const { fetch } = createEmulator();
  const electron = new Chatwire({ provider: "electron", apiKey: "any", fetch: fetch as Fetch, maxRetries: 0 });
  const one = serverOf("openai", failing);
  const { completions } = new Chatwire({ ...one.options, fallback: [{ client: electron, model: "electron" }] }).chat;
  const any = { type: "json_schema" as const, json_schema: { name: "any", schema: { type: "object" } } };
  const { choices, model } = await completions.parse({ ...hello, response_format: any });
  assert.equal(model, "electron");
  assert.equal(typeof choices[0]?.message.parsed, "object");
  const stream = await completions.create({ ...hello, response_format: any, stream: true });
  assert.equal(typeof JSON.parse((await stream.finalContent()) ?? ""), "object");
});

test("the_only_server_of_create_is_asked_for_what_the_caller_gave", async () => {
  let sent: unknown;
  const client = clientOf(async (_url, init) => {
    sent = JSON.parse(init.body ?? "").response_format;
    return failing();
  });
  await assert.rejects(client.chat.completions.create({ ...hello, response_format }), InternalServerError);
  assert.deepEqual(sent, response_format);
  const { completions } = new Chatwire(serverOf("electron", answering).options).chat;
  await assert.rejects(completions.create({ ...hello, model: "electron", response_format }), InvalidRequestError);
});
