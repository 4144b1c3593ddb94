/** The lines that would do what was done last, as a program. */
import type { ChatCompletionFunctionTool } from "chatwire";
import type { QuestionSettings } from "../chat/talk.ts";
import { TOOLS, TOOLS_PROMPT } from "../chat/tools.ts";
import type { Source } from "../sources/list.ts";

/** The longest text of the visitor that a program shows, in UTF-16 units. */
const MAX_TEXT = 2000;

/** The body of each tool in a program, by the name of the tool. */
const EXECUTE: Readonly<Record<string, string>> = {
  current_time: "({ city }) => ({ city, time: new Date().toUTCString() })",
  set_theme: "({ theme }) => ({ theme })",
};

const inner = (json: string): string => json.replaceAll("\n", "\n  ");

/** The definition of a tool. */
function toolLines({ function: definition }: ChatCompletionFunctionTool): string {
  const { name, description, parameters } = definition;
  const schema = inner(JSON.stringify(parameters, null, 2));
  const execute = EXECUTE[name] ?? "(args) => args";
  return [
    `  tool({`,
    `    name: ${JSON.stringify(name)},`,
    `    description: ${JSON.stringify(description)},`,
    `    parameters: ${inner(schema)},`,
    `    execute: ${execute},`,
    "  }),",
  ].join("\n");
}

const quoted = (text: string): string => JSON.stringify(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)} …` : text);

/** A program that asks a question as the page does. */
export function programOf(
  source: Source,
  { params, system, withTools }: Pick<QuestionSettings, "params" | "system" | "withTools">,
  question: string,
  hasVoice: boolean,
): string {
  const isEmulated = source.group === "In this page";
  const prompt = [withTools ? TOOLS_PROMPT : "", system].filter(Boolean).join("\n\n");
  const messages = [
    ...(prompt ? [`    { role: "system", content: ${quoted(prompt)} },`] : []),
    `    { role: "user", content: ${quoted(question)} },`,
  ];
  const settings = Object.entries(params).map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`);
  const client = isEmulated
    ? `new Chatwire({ baseURL: "https://emulator.invalid${source.path.replace("/gateway/", "/waves/")}", apiKey: "any", fetch: createEmulator().fetch })`
    : `new Chatwire({ baseURL: "${source.path || "https://your.server/v1"}" })`;
  const imports = [
    `import { Chatwire${withTools ? ", tool" : ""} } from "chatwire";`,
    isEmulated && 'import { createEmulator } from "chatwire/emulator";',
  ];
  const options = [
    hasVoice && "sentences: { stripMarkdown: true }",
    withTools && 'approve: ({ name }) => name !== "set_theme" || confirm("May the model set the theme?")',
  ].filter(Boolean);
  const [call, stream] = withTools ? ["runTools", "run"] : ["stream", "stream"];
  return [
    ...imports.filter(Boolean),
    "",
    `const client = ${client};`,
    ...(withTools ? ["const tools = [", ...TOOLS.map(toolLines), "];"] : []),
    `const ${stream} = client.chat.completions.${call}({`,
    ...settings,
    "  messages: [",
    ...messages,
    "  ],",
    ...(withTools ? ["  tools,"] : []),
    options.length > 0 ? `}, { ${options.join(", ")} });` : "});",
    `for await (const event of ${withTools ? "run" : "stream.events"}) {`,
    '  if (event.type === "text") document.body.append(event.text);',
    ...(hasVoice
      ? ['  if (event.type === "sentence") speechSynthesis.speak(new SpeechSynthesisUtterance(event.text));']
      : []),
    '  if (event.type === "repair") console.warn("put right:", event.code);',
    "}",
    `const { status, repairs, resumed, usage, cost } = await ${stream}.outcome();`,
    "console.log(status, repairs, resumed, usage, cost);",
    "",
  ].join("\n");
}
