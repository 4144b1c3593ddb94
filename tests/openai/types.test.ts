/**
 * Every type that `openai` exports for chat, at every path and in every namespace, against its namesake of `chatwire/openai`: each
 * fits the other, both ways. The names are read from the declarations of `openai`, so that a new version brings its own.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Names, type TypeName } from "./type-names.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const PATHS = [
  ...["index", "client", "azure", "error", "streaming", "pagination", "api-promise", "uploads"],
  ...["core/error", "core/streaming", "core/pagination", "core/api-promise", "core/uploads"],
  ...["helpers/zod", "helpers/standard-schema", "lib/AbstractChatCompletionRunner", "lib/ChatCompletionRunner"],
  ...["lib/ChatCompletionStream", "lib/ChatCompletionStreamingRunner", "lib/EventStream", "lib/RunnableFunction"],
  ...["lib/parser", "lib/jsonschema", "resources", "resources/chat", "resources/chat/chat"],
  ...["resources/chat/completions", "resources/chat/completions/completions", "resources/chat/completions/messages"],
  ...["resources/models", "resources/shared"],
];
/** The files of `openai` whose declarations are of chat, or of all that it does. */
const CHAT =
  /^(client|azure|core\/|internal\/utils\/log|resources\/(chat|models|shared)|lib\/(Abstract|Chat|Event|Runnable|parser|json))/;
/** Types that are not of chat: pages of other lists, files, the format of the Responses API. */
const ELSEWHERE =
  /^((Conversation|Next)Cursor|Token)Page|^(Uploadable|StreamingFile|StreamingFileInput|ToFileInput|AutoParseableTextFormat)$/;

const last = (name: string) => name.split(".").at(-1) as string;

/** The line of a name, for the compiler. */
function lineOf({ name, arguments: taken, isClass }: TypeName, at: number): string {
  const ours = `O${at}.${name}`;
  const theirs = `T${at}.${name}`;
  const args = taken > 0 ? `<${Array(taken).fill("any").join(", ")}>` : "";
  // Private fields keep one class from being another. Its public members are there.
  if (isClass)
    return `is<Fits<Exclude<keyof ${theirs}${args}, "buildRequest" | "fetchWithTimeout" | \`_${"$"}{string}\`>, keyof ${ours}${args}>>();`;
  if (last(name).endsWith("Page")) return `is<Fits<${ours}${args}, unknown>>();`;
  return `is<Fits<${ours}${args}, ${theirs}${args}>>(), is<Fits<${theirs}${args}, ${ours}${args}>>();`;
}

test("every_type_of_chat_fits_its_namesake_both_ways", async () => {
  const names = new Names(join(root, "node_modules", "openai"));
  const lines = ["type Fits<A, B> = [A] extends [B] ? true : false;", "function is<_T extends true>(): void {}"];
  const names_ = new Map<number, string>();
  for (const [at, path] of PATHS.entries()) {
    const suffix = path === "index" ? "" : `/${path}`;
    lines.push(
      `import type * as T${at} from "openai${suffix}";`,
      `import type * as O${at} from "chatwire/openai${suffix}";`,
    );
    for (const one of names.at(path, ({ file }) => CHAT.test(file))) {
      if (!one.isType || !CHAT.test(one.file) || ELSEWHERE.test(last(one.name))) continue;
      lines.push(lineOf(one, at));
      names_.set(lines.length, `${path} ${one.name}`);
    }
  }
  assert.ok(names_.size > 1500, `only ${names_.size} names`);
  const folder = join(root, ".cache", "openai-types");
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(join(folder, "names.ts"), `${lines.join("\n")}\n`);
    const settings = { extends: "../../tsconfig.json", files: ["names.ts"], include: [] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const tsc = promisify(execFile)("npx", ["tsc", "-p", folder], { cwd: root, maxBuffer: 2 ** 26 });
    const said = await tsc.then(
      () => "",
      (error) => `${error.stdout}`,
    );
    const wrong = new Set([...said.matchAll(/names\.ts\((\d+),/g)].map(([, line]) => names_.get(Number(line)) ?? line));
    assert.deepEqual([...wrong], []);
    assert.equal(said, "");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
