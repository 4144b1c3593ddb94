/**
 * The licences of all npm packages and crates that the project is made of or made with, without a network: from
 * package-lock.json and from cargo's own metadata, held against the list of deny.toml.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { attempt, root } from "./run.mjs";

/** The licences that anything may have, as SPDX names them. */
export function allowed() {
  const [, list] = readFileSync(join(root, "deny.toml"), "utf8").match(/^allow = \[([^\]]*)\]/m);
  return new Set([...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name));
}

/**
 * Packages that the project is made with, never made of: they run on the machine of a developer, and nothing of them is
 * published. Each with the licence that it may have beside those of the list.
 */
const TOOLS = [
  [/^@img\/sharp-/, "LGPL-3.0-or-later", "libvips, which miniflare resizes images with"],
  [/^lightningcss/, "MPL-2.0", "the CSS minifier of Vite"],
  [/^axe-core$/, "MPL-2.0", "checks the page's accessibility in the tests"],
  [/^@livekit\/av-/, "LGPL-2.1-or-later", "FFmpeg, which LiveKit's agents decode audio with"],
  [/^@livekit\/local-inference$/, "LicenseRef-LiveKit-Model", "a model of LiveKit's agents that no test runs"],
  [/^jsonify$/, "Public Domain", "a part of patch-package, in the gateway that ours is compared with"],
];

/** The name that a package of package-lock.json was published by, of its path there. */
const nameOf = (path) => path.replace(/^.*node_modules\//, "");

/**
 * Whether a licence in SPDX's words is allowed: each side of AND, one side of OR. A slash is an old way to write
 * OR.
 */
export function isAllowed(expression, names) {
  const tokens = expression.replaceAll("/", " OR ").match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const term = () => {
    if (tokens[at] === "(") {
      at++;
      const inner = either();
      at++;
      return inner;
    }
    const words = [];
    while (at < tokens.length && !["AND", "OR", ")"].includes(tokens[at])) words.push(tokens[at++]);
    return names.has(words.join(" "));
  };
  const both = () => {
    let value = term();
    while (tokens[at] === "AND") {
      at++;
      value = term() && value;
    }
    return value;
  };
  const either = () => {
    let value = both();
    while (tokens[at] === "OR") {
      at++;
      value = both() || value;
    }
    return value;
  };
  return either();
}

/** All npm packages of the lock file, with their licences. */
export function npmPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .map(([path, { version, license }]) => ({ name: nameOf(path), version, licence: license ?? installed(path) }));
}

/** The licence in a package's own words, where the lock file does not have it. */
function installed(path) {
  try {
    const { license, licenses } = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
    return license ?? licenses?.map(({ type }) => type).join(" OR ");
  } catch {
    return undefined;
  }
}

/** The manifests of all crates that the project builds. */
export const MANIFESTS = [
  "Cargo.toml",
  "scripts/bindgen/Cargo.toml",
  "examples/Cargo.toml",
  "bench/framing/Cargo.toml",
  "bench/sentences/Cargo.toml",
  "fuzz/Cargo.toml",
];

/**
 * The crates that a manifest depends on, with their licences. A crate that is for other platforms may have to be
 * fetched.
 * @throws {Error} cargo does not know them
 */
export async function crates(manifest) {
  const args = ["metadata", "--format-version", "1", "--locked", "--quiet", "--manifest-path", join(root, manifest)];
  const { code, output } = await attempt("cargo", args, { capture: true });
  if (code !== 0)
    throw new Error(`cargo metadata failed for ${manifest}; is its Cargo.lock up to date? It said: ${output}`);
  const { packages } = JSON.parse(output.slice(output.indexOf("{")));
  return packages
    .filter(({ source }) => source !== null)
    .map(({ name, version, license }) => ({ name, version, licence: license ?? undefined }));
}

/** The faults of the licences of some packages, one line each. */
export function problems(packages) {
  const names = allowed();
  return packages.flatMap(({ name, version, licence }) => {
    if (licence === undefined) return [`${name} ${version} names no licence`];
    const [, also] = TOOLS.find(([pattern]) => pattern.test(name)) ?? [];
    if (isAllowed(licence, also ? new Set([...names, also]) : names)) return [];
    return [`${name} ${version} is licensed as ${licence}, which deny.toml does not allow`];
  });
}
