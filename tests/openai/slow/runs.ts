/**
 * Runs an example with `openai`, and with its imports changed to `chatwire/openai`.
 */
import { spawn } from "node:child_process";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./server.ts";

/** The project's folder. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));

/** A program with its imports changed. */
export const change = (text: string): string =>
  text.replace(/(from |import\()(["'])openai(["'/])/g, "$1$2chatwire/openai$3");

/** Copies a folder of programs, with their imports changed. */
export async function changeAll(from: string, to: string): Promise<void> {
  if (from !== to) await cp(from, to, { recursive: true });
  for (const file of (await readdir(to, { recursive: true })).filter((file) => file.endsWith(".ts"))) {
    const path = join(to, file);
    await writeFile(path, change(await readFile(path, "utf8")));
  }
}

/** All that a program prints and asks for, whatever it is made of. `args` run it. */
export async function outputOf(args: string[], settings: { azure?: boolean } = {}): Promise<string> {
  const { port, asked, close } = await serve();
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    OPENAI_API_KEY: "sk-example",
    OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
    // The variables of the environment that the examples of openai read.
    OPENAI_EXAMPLE_AUTH_TOKEN: "a-secret-of-the-application-for-no-one",
    AZURE_OPENAI_ENDPOINT: `http://127.0.0.1:${port}`,
    AZURE_OPENAI_DEPLOYMENT: "gpt-4o",
    EXAMPLE_AZURE_ENDPOINT: `http://127.0.0.1:${port}`,
    NO_COLOR: "1",
  };
  // The Azure client would take it for its own.
  if (settings.azure) Reflect.deleteProperty(env, "OPENAI_BASE_URL");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], { env, cwd: root });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece));
  const code = await new Promise((resolve) => child.on("close", resolve));
  close();
  const said = `${text}\nexit ${code}\n${asked.join("\n")}`;
  return (
    said
      .replace(/"?created"?: ?\d+/g, "created: 0")
      .replaceAll(`127.0.0.1:${port}`, "SERVER")
      // docs/from-openai.md, "`console.log` of a stream".
      .replace("[AsyncGeneratorFunction: iterator]", "[Function: iterator]")
      .replace(/,\n {2}Symbol\(Symbol\.asyncIterator\): \[AsyncGeneratorFunction: \w+\]/, "")
  );
}

/** The output of the compiler for a folder with a tsconfig.json. */
export async function compilerOn(folder: string): Promise<string> {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const child = spawn(process.execPath, [tsc, "-p", folder, "--noEmit"], { cwd: root });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece) => (text += piece));
  await new Promise((resolve) => child.on("close", resolve));
  return text;
}
