/** Colours of code. Fetched on demand. */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const LANGUAGES = { bash, css, go, java, javascript, json, markdown, python, rust, sql, typescript, xml, yaml };
/** The names that models write for them. */
const ALIASES: Readonly<Record<string, keyof typeof LANGUAGES>> = {
  cjs: "javascript",
  golang: "go",
  html: "xml",
  js: "javascript",
  jsonc: "json",
  jsx: "javascript",
  md: "markdown",
  mjs: "javascript",
  mts: "typescript",
  py: "python",
  rs: "rust",
  sh: "bash",
  shell: "bash",
  svg: "xml",
  ts: "typescript",
  tsx: "typescript",
  yml: "yaml",
  zsh: "bash",
};

/** The language by its name here, registered when it is first used: all of them at once would take a long task. */
function known(name: string): string | undefined {
  const lower = name.toLowerCase();
  const own = Object.hasOwn(ALIASES, lower) ? ALIASES[lower] : lower;
  if (!own || !Object.hasOwn(LANGUAGES, own)) return undefined;
  if (!hljs.getLanguage(own)) hljs.registerLanguage(own, LANGUAGES[own as keyof typeof LANGUAGES]);
  return own;
}

/** The text in coloured pieces; nothing where the language is not known. */
export function colours(text: string, name: string): Node[] | undefined {
  const language = known(name);
  if (!language) return undefined;
  const holder = document.createElement("div");
  // The emitter's own tree is not public; its HTML holds nothing but spans with a class, and text.
  const html = hljs.highlight(text, { language, ignoreIllegals: true }).value;
  return rebuilt(html, holder);
}

/** The spans of the highlighter's HTML, made without the host's parser, so that no text can become an element. */
function rebuilt(html: string, root: HTMLElement): Node[] {
  const open: HTMLElement[] = [root];
  for (const [, start, end, text] of html.matchAll(/<span class="([^"<>]*)">|(<\/span>)|([^<]+)/g)) {
    const parent = open.at(-1) ?? root;
    if (start !== undefined) {
      const span = document.createElement("span");
      span.className = start;
      parent.append(span);
      open.push(span);
    } else if (end) open.pop();
    else if (text) parent.append(unescaped(text));
  }
  return [...root.childNodes];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

function unescaped(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, name: string) => ENTITIES[name] ?? "");
}
