/** An example as its user has it: in a folder of its own, with the package installed from its tarball. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { project, root, run } from "../package/packed.ts";

/**
 * Installs an example of `examples/`; gives its folder. The packages that it needs beside chatwire are among the project's own
 * packages, unless `withPackages` installs them too.
 */
export async function installed(name: string, { withPackages = false } = {}): Promise<string> {
  const from = join(root, "examples", name);
  const paths = readdirSync(from, { recursive: true }).map(String);
  const files = paths.filter((path) => path !== "package.json" && statSync(join(from, path)).isFile());
  const texts = files.map((path): [string, string] => [path, readFileSync(join(from, path), "utf8")]);
  const folder = await project(`example-${name.replaceAll("/", "-")}`, Object.fromEntries(texts));
  if (!withPackages) return folder;
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
  const wanted = Object.entries({ ...dependencies, ...devDependencies }).filter(([other]) => other !== "chatwire");
  const packages = wanted.map(([other, version]) => `${other}@${version}`);
  await run(folder, "npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", ...packages]);
  return folder;
}
