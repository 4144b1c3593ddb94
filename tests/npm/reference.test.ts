/**
 * The API reference: it is what `npm run docs` writes, and tells each documented field's type, range and place of
 * enforcement as the rules of the providers have them.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
// @ts-expect-error: a script, without types
import { pages } from "../../scripts/docs.mjs";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, "docs", "api");
const types = readFileSync(join(folder, "types.md"), "utf8");

/** The row of a field in the reference. */
interface Row {
  type: string;
  text: string;
  range: string;
  services: string;
  enforced: string;
}

/** The fields in the table of an interface. */
function tableOf(name: string): Map<string, Row> {
  const section = types.split(`\n## ${name}\n`)[1]?.split("\n## ")[0];
  assert.ok(section, name);
  const [head = [], , ...rows] = section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const cell = (row: string[], column: string) => row[head.indexOf(column)] ?? "";
  return new Map(
    rows.map((row) => [
      cell(row, "Field").replace(/[`?]/g, ""),
      {
        type: cell(row, "Type"),
        text: cell(row, "What it is"),
        range: cell(row, "Range"),
        services: cell(row, "Services"),
        enforced: cell(row, "Enforced"),
      },
    ]),
  );
}

const request = tableOf("ChatCompletionCreateParamsBase");

/** The fields that the services' pages list, with the range where they name one. */
const DOCUMENTED: Record<string, Record<string, RegExp>> = {
  Electron: {
    model: /`"electron"`/,
    messages: /./,
    temperature: /^0 to 2$/,
    top_p: /^0 to 1$/,
    max_tokens: /at least 1$/,
    stream: /`true` or `false`/,
    stream_options: /an object/,
    "stream_options.include_usage": /`true` or `false`/,
    tools: /a list/,
    tool_choice: /Electron: `auto`, `required`, `none` or a function/,
    response_format: /Electron: `text` or `json_object`/,
    stop: /a string or a list of strings/,
    seed: /a whole number/,
    logit_bias: /an object of numbers/,
    logprobs: /`true` or `false`/,
    top_logprobs: /^0 to 20$/,
    presence_penalty: /^-2 to 2$/,
    frequency_penalty: /^-2 to 2$/,
    user: /a string/,
    n: /Electron: at most 1/,
    prompt_logprobs: /not accepted/,
  },
  ElectronHub: {
    model: /`:reasoning-exclude`/,
    messages: /./,
    stream: /`true` or `false`/,
    max_tokens: /a whole number/,
    temperature: /^0 to 2$/,
    top_p: /^0 to 1$/,
    top_k: /a whole number/,
    frequency_penalty: /^-2 to 2$/,
    presence_penalty: /^-2 to 2$/,
    tools: /a list/,
    tool_choice: /ElectronHub: `none` or `auto`/,
    web_search: /`true` or `false`/,
    thinking: /an object/,
    reasoning_effort: /`none`, `minimal`, `low`, `medium`, `high` or `xhigh`/,
    reasoning: /an object/,
    "reasoning.effort": /`none`, `minimal`, `low`, `medium`, `high` or `xhigh`/,
    "reasoning.exclude": /`true` or `false`/,
    "reasoning.delta_field": /`reasoning` or `reasoning_content`/,
    reasoning_delta_field: /`reasoning` or `reasoning_content`/,
    reasoning_content_compat: /`true` or `false`/,
  },
};

test("the_reference_is_what_the_sources_say", () => {
  const written: Map<string, string> = pages();
  assert.deepEqual(readdirSync(folder).sort(), [...written.keys()].sort(), "run `npm run docs`");
  for (const [name, text] of written) {
    const isSame = readFileSync(join(folder, name), "utf8") === text;
    assert.ok(isSame, `docs/api/${name} is out of date: run \`npm run docs\``);
  }
});

test("every_field_the_services_document_has_type_range_and_place_of_enforcement", () => {
  for (const [service, fields] of Object.entries(DOCUMENTED)) {
    for (const [field, range] of Object.entries(fields)) {
      const row = request.get(field);
      assert.ok(row, `${service}: ${field}`);
      assert.ok(row.type.length > 2 && row.text.length > 2, field);
      assert.match(row.range, range, field);
      assert.match(row.services, new RegExp(`\\b${service}\\b`), field);
      assert.match(row.enforced, /^(before sending|by the server)/, field);
    }
  }
});

test("the_fields_of_messages_have_range_and_place_of_enforcement", () => {
  const places: [string, string[]][] = [
    ["ChatCompletionSystemMessageParam", ["role", "content", "name"]],
    ["ChatCompletionUserMessageParam", ["role", "content", "name"]],
    [
      "ChatCompletionAssistantMessageParam",
      ["role", "content", "name", "tool_calls", "reasoning", "reasoning_content"],
    ],
    ["ChatCompletionToolMessageParam", ["role", "content", "tool_call_id"]],
    ["FunctionDefinition", ["name", "description", "parameters"]],
  ];
  for (const [name, fields] of places) {
    const rows = tableOf(name);
    for (const field of fields) {
      assert.ok(rows.get(field)?.range, `${name}.${field}`);
      assert.match(rows.get(field)?.enforced ?? "", /^(before sending|by the server)/, `${name}.${field}`);
    }
  }
});

test("the_reference_names_the_rules_there_are_with_their_numbers_and_no_others", () => {
  for (const provider of ["electron", "electronhub", "openai"]) {
    const source = readFileSync(join(root, "src", "provider", `${provider}.rs`), "utf8");
    const rules = new Map<string, string>();
    for (const [, path = "", check = ""] of source.matchAll(/Rule::new\(\s*&\[([^\]]*)\],\s*(?:Check::)?([^\n]*)/g)) {
      rules.set(path.replace(/[" ]/g, "").replaceAll(",", "."), check);
    }
    assert.ok(rules.size >= 8, provider);
    for (const [path, check] of rules) {
      // The words of `response_format.type` stand with the format.
      const field = path === "response_format.type" ? "response_format" : path;
      assert.match(request.get(field)?.enforced ?? "", new RegExp(`/${provider}\\.rs`), `${provider}: ${field}`);
      const range = check.match(/^Number\(([-\d.]+), ([-\d.]+)\)/) ?? check.match(/^Integer\(([-\d.]+), ([-\d.]+)\)/);
      if (range) assert.equal(request.get(field)?.range, `${Number(range[1])} to ${Number(range[2])}`, field);
    }
    for (const [field, { enforced }] of request) {
      const isNamed = enforced.includes(`/${provider}.rs`);
      // Messages are judged by rules of their own.
      if (isNamed && field !== "messages") assert.ok(rules.has(field), `${provider} has no rule for ${field}`);
    }
  }
});

test("the_fields_listed_here_are_those_of_the_specification", (t) => {
  const path = join(root, "..", "shared", "api", "electron-openapi.yaml");
  if (!existsSync(path)) return t.skip("the service's specification is not here");
  const schema =
    readFileSync(path, "utf8").split("    ChatCompletionRequest:\n")[1]?.split("      required:\n")[0] ?? "";
  const names = [...schema.matchAll(/^ {8}(\w+):$/gm)].map(([, name = ""]) => name);
  assert.ok(names.length >= 18);
  for (const name of names) assert.ok(DOCUMENTED.Electron?.[name], name);
});

test("every_link_of_the_reference_leads_somewhere", () => {
  const headings = new Map(
    readdirSync(folder).map((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      const titles = [...text.matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title.toLowerCase());
      // Of two headings that differ in case alone, the second has a number.
      const earlier = (title: string, at: number) => titles.slice(0, at).filter((one) => one === title).length;
      const anchors = titles.map((title, at) => (earlier(title, at) ? `${title}-${earlier(title, at)}` : title));
      return [name, new Set(anchors)];
    }),
  );
  for (const name of headings.keys()) {
    const text = readFileSync(join(folder, name), "utf8");
    for (const [, file = "", anchor = ""] of text.matchAll(/\]\(([\w.-]*)#([\w-]+)\)/g)) {
      assert.ok(headings.get(file || name)?.has(anchor), `${name}: ${file}#${anchor}`);
    }
    for (const [, file = ""] of text.matchAll(/\]\((\.\.\/[^)]*)\)/g)) assert.ok(existsSync(join(folder, file)), file);
  }
});
