/** An example as its user has it: in a folder of its own, with the package installed from its tarball. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { project, root } from "../package/packed.ts";

/**
 * Installs an example of `examples/`; gives its folder. The packages that it needs beside chatwire are among the project's
 * own packages.
 */
export function installed(name: string): Promise<string> {
  const from = join(root, "examples", name);
  const paths = readdirSync(from, { recursive: true }).map(String);
  const files = paths.filter((path) => path !== "package.json" && statSync(join(from, path)).isFile());
  const texts = files.map((path): [string, string] => [path, readFileSync(join(from, path), "utf8")]);
  return project(`example-${name}`, Object.fromEntries(texts));
}
