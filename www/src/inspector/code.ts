/** The tab of code: the lines that would do what was done last. */
import type { QuestionSettings } from "../chat/talk.ts";
import { copyButton } from "../page/copy.ts";
import { create } from "../page/dom.ts";
import type { Source } from "../sources/sources.ts";

export class CodeTab {
  readonly element = create("div", "code-tab");
  readonly #code = create("code");

  constructor() {
    const pre = create("pre", "program");
    pre.tabIndex = 0;
    pre.setAttribute("role", "region");
    pre.ariaLabel = "Program";
    pre.append(this.#code);
    this.element.append(
      create("p", "intro", "The lines that do what was just done."),
      copyButton(() => this.#code.textContent ?? "", "Copy the program"),
      pre,
    );
  }

  update(program: string): void {
    this.#code.textContent = program;
    void import("../markdown/highlight.ts").then(({ colours }) => {
      const pieces = colours(program, "typescript");
      if (pieces && this.#code.textContent === program) this.#code.replaceChildren(...pieces);
    });
  }
}

/** A program that asks a question as the page does. */
export function programOf(
  source: Source,
  { params, system, withTools }: Pick<QuestionSettings, "params" | "system" | "withTools">,
  question: string,
  hasVoice: boolean,
): string {
  const isEmulated = source.group === "In this page";
  const messages = [
    ...(system ? [`    { role: "system", content: ${JSON.stringify(system)} },`] : []),
    `    { role: "user", content: ${JSON.stringify(question)} },`,
  ];
  const settings = Object.entries(params).map(([name, value]) => `  ${name}: ${JSON.stringify(value)},`);
  const client = isEmulated
    ? `new Chatwire({ baseURL: "https://emulator.invalid${source.path}", apiKey: "any", fetch: createEmulator().fetch })`
    : `new Chatwire({ baseURL: "${source.path || "https://your.server/v1"}" })`;
  const imports = [
    'import { Chatwire } from "chatwire";',
    isEmulated && 'import { createEmulator } from "chatwire/emulator";',
  ];
  const call = withTools ? "runTools" : "stream";
  const stream = withTools ? "run" : "stream";
  const options = hasVoice ? ", { sentences: { stripMarkdown: true } }" : "";
  return [
    ...imports.filter(Boolean),
    "",
    `const client = ${client};`,
    `const ${stream} = client.chat.completions.${call}({`,
    ...settings,
    "  messages: [",
    ...messages,
    "  ],",
    ...(withTools ? ["  tools: [currentTime, setTheme],"] : []),
    `}${options});`,
    `for await (const event of ${withTools ? "run" : "stream.events"}) {`,
    '  if (event.type === "text") answer.append(event.text);',
    ...(hasVoice
      ? ['  if (event.type === "sentence") speechSynthesis.speak(new SpeechSynthesisUtterance(event.text));']
      : []),
    '  if (event.type === "repair") console.warn("put right:", event.code);',
    "}",
    `const { status, repairs, resumed, usage, cost } = await ${stream}.outcome();`,
    "",
  ].join("\n");
}
