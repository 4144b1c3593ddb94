/** TypeScript of many versions, and what checks packages. */
import { OK, type Project, type Setup } from "../setup.ts";

const consumer = `
import { type ChatCompletionChunk, Chatwire, RateLimitError } from "chatwire";
import { createEmulator } from "chatwire/emulator";
import OpenAI from "chatwire/openai";
import { APIError } from "chatwire/openai/error.js";
import type { ChatCompletionMessageParam } from "chatwire/openai/resources/chat/completions";

const message: ChatCompletionMessageParam = { role: "user", content: "Hi" };
// Fails where a message is any.
const isAnyMessage: 0 extends 1 & typeof message ? true : false = false;
export const openai = [new OpenAI({ apiKey: "any" }).chat.completions, APIError, isAnyMessage];

const client = new Chatwire({ provider: "electron", apiKey: "any", fetch: createEmulator().fetch });

export async function chunks(): Promise<string[]> {
  const found: string[] = [];
  try {
    const stream = await client.chat.completions.create({ messages: [{ role: "user", content: "Hi" }], stream: true });
    for await (const chunk of stream) {
      const typed: ChatCompletionChunk = chunk;
      // Fails where a chunk is any.
      const isAny: 0 extends 1 & typeof chunk ? true : false = false;
      found.push(typed.choices[0]?.delta.content ?? String(isAny));
    }
  } catch (error) {
    if (error instanceof RateLimitError) console.log(error.retryAt);
    throw error;
  }
  return found;
}
`;

const strict = { strict: true, noEmit: true, target: "ES2022", lib: ["ES2022", "DOM", "DOM.Iterable"], types: [] };
const configs: Record<string, object> = {
  bundler: { moduleResolution: "bundler", module: "ESNext" },
  node16: { moduleResolution: "node16", module: "node16" },
  nodenext: { moduleResolution: "nodenext", module: "nodenext" },
  node10: { moduleResolution: "node", module: "ESNext" },
};

const checks =
  (name: string) =>
  async (project: Project): Promise<string> => {
    await project.run("tsc", ["-p", `${name}.json`]);
    return OK;
  };

/** `skipLibCheck` as every starter has it, and once without. */
const typescript = (version: string, resolutions: string[]): Setup => ({
  name: `TypeScript ${version}`,
  packages: { typescript: `~${version}` },
  files: {
    "consumer.ts": consumer,
    "whole.json": JSON.stringify({
      compilerOptions: { ...strict, ...configs.nodenext, skipLibCheck: false },
      files: ["consumer.ts"],
    }),
    ...Object.fromEntries(
      resolutions.map((name) => [
        `${name}.json`,
        JSON.stringify({
          compilerOptions: { ...strict, ...configs[name], skipLibCheck: true },
          files: ["consumer.ts"],
        }),
      ]),
    ),
  },
  tries: {
    ...Object.fromEntries(resolutions.map((name) => [name, checks(name)])),
    // Older libraries of TypeScript know no generic typed arrays.
    ...(Number.parseFloat(version) < 5.9 ? {} : { "without skipLibCheck": checks("whole") }),
  },
  ...(Number.parseFloat(version) < 5.9 && { recipe: '`"skipLibCheck": true` in tsconfig.json' }),
});

const all = ["bundler", "node16", "nodenext", "node10"];

export const types: Setup[] = [
  ...["5.0", "5.2", "5.4", "5.6", "5.9"].map((version) => typescript(version, all)),
  typescript("6.0", ["bundler", "node16", "nodenext"]),
  typescript("7.0", ["bundler", "node16", "nodenext"]),
  {
    name: "publint",
    packages: { publint: "latest" },
    tries: {
      strict: async (project) => {
        await project.run("publint", ["run", "node_modules/chatwire", "--strict"]);
        return OK;
      },
    },
  },
  {
    name: "@arethetypeswrong/cli",
    packages: { "@arethetypeswrong/cli": "latest" },
    tries: {
      tarball: async (project) => {
        // The module itself has no types: tools give it one of their own. And chatwire/js is for tools that know modules.
        const wasm = ["chatwire.wasm", "chatwire.wasm?module", "js"];
        await project.run("attw", [project.tarball, "--exclude-entrypoints", ...wasm]);
        return OK;
      },
    },
  },
];
