/** A component of a recipe in a page of its own, with a client whose provider is the emulator in the page. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";

/**
 * Opens the page.
 * @param folder where the component's packages are installed
 * @param mount a program that mounts it; `client` is at hand, and `emulator`
 */
export async function mounted(
  browser: Browser,
  folder: string,
  mount: string,
  options: Pick<BuildOptions, "plugins" | "conditions"> = {},
): Promise<Page> {
  const contents = `
    import { Chatwire } from "chatwire";
    import { createEmulator } from "chatwire/emulator";
    const emulator = createEmulator();
    const client = new Chatwire({ baseURL: "https://api.smallest.ai/waves/v1", apiKey: "any", dangerouslyAllowBrowser: true, fetch: emulator.fetch });
    Object.assign(window, { emulator });
    ${mount}`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder, loader: "tsx" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
    conditions: ["browser"],
    ...options,
  });
  const script = outputFiles[0]?.text ?? "";
  const engine = await readFile(fileURLToPath(import.meta.resolve("chatwire/chatwire.wasm")));
  const page = await (await browser.newContext()).newPage();
  await page.route("**/*", (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname.endsWith(".wasm")) return route.fulfill({ contentType: "application/wasm", body: engine });
    if (pathname === "/page.js") return route.fulfill({ contentType: "text/javascript", body: script });
    const html = '<div id="root"></div><script type="module" src="/page.js"></script>';
    return route.fulfill({ contentType: "text/html", body: html });
  });
  await page.goto("https://page.test/");
  return page;
}

/** Mounts the components of the recipes with React. */
export const withReact = (file: string, element: string) => `
  import { createRoot } from "react-dom/client";
  import * as recipe from ${JSON.stringify(file)};
  createRoot(document.querySelector("#root")).render(<recipe.${element} client={client} />);`;

/** Asks, and waits for the answer. */
export async function converse(page: Page, question: string): Promise<void> {
  await page.getByLabel("Question").fill(question);
  await page.getByRole("button", { name: "Ask" }).click();
}
