/** Colours of code, in the worker of the page: to read a language's rules takes a long task. Fetched on demand. */
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

/** The text in HTML that holds nothing but spans with a class, and text; nothing where the language is not known. */
export function coloured(text: string, name: string): string | undefined {
  const language = known(name);
  return language && hljs.highlight(text, { language, ignoreIllegals: true }).value;
}
