/**
 * `npm run prices`: the list of prices of common models (npm/prices/list.ts), and its renewal from a file that you bring.
 *
 *     npm run prices                                   says what is on the list, how old it is, and how it is renewed
 *     npm run prices -- api.json                       renews what is on the list from this file
 *     npm run prices -- api.json api.openai.com/gpt-6  and puts these on it
 *
 * The file is that of https://models.dev/api.json: by service, and there by model, its `cost` in USD per 1M tokens. Nothing is
 * downloaded: look at the file, and at the services' own pages, before the list goes out.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./run.mjs";

/** The services on the list, by host, as the file names them. */
const SERVICES = {
  "api.openai.com": "openai",
  "api.anthropic.com": "anthropic",
  "generativelanguage.googleapis.com": "google",
  "api.groq.com": "groq",
  "api.x.ai": "xai",
};
const SOURCE = "https://models.dev/api.json";
const PATH = join(root, "npm", "prices", "list.ts");
const START = "/** The services by the host that they answer at. */";

/** The list as it stands in the source. */
export async function readList(text = readFileSync(PATH, "utf8")) {
  const { transform } = await import("esbuild");
  const { code } = await transform(text, { loader: "ts", format: "esm" });
  return (await import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`)).LIST;
}

/**
 * The list with the prices of a file. A price that another source has named before is confirmed; one that has changed is not.
 * @returns the list, and a line for each change
 */
export function renewed(list, file, day, added = []) {
  const said = [];
  const next = {};
  const wanted = added.map((name) => name.split(/\/(.*)/s));
  for (const [host, models] of Object.entries(list)) {
    const names = [...Object.keys(models), ...wanted.filter(([to]) => to === host).map(([, model]) => model)];
    next[host] = {};
    for (const name of [...new Set(names)].sort()) {
      const before = models[name];
      const cost = file[SERVICES[host]]?.models?.[name]?.cost;
      if (!(typeof cost?.input === "number" && typeof cost?.output === "number")) {
        if (before) next[host][name] = before;
        said.push(`${host}/${name}: not in the file${before ? `, stays as it was on ${before.read}` : ""}`);
        continue;
      }
      const { input, output, cache_read: cachedInput = input } = cost;
      const upTo = limitOf(cost);
      const isSame = before && before.input === input && before.output === output && before.upTo === upTo;
      const confirmed = Boolean(isSame && (before.confirmed || before.source !== SOURCE));
      next[host][name] = { input, cachedInput, output, ...(upTo && { upTo }), read: day, source: SOURCE, confirmed };
      if (!isSame) said.push(`${host}/${name}: ${before ? priceText(before) : "new"} → ${priceText(next[host][name])}`);
    }
  }
  for (const [host] of wanted)
    if (!list[host]) said.push(`${host}: no such service; known are ${Object.keys(list).join(", ")}`);
  return { list: next, said };
}

/** The tokens of a prompt from which another price counts. */
function limitOf({ tiers, context_over_200k: over }) {
  const sizes = (tiers ?? []).map(({ tier, context }) => tier?.size ?? context?.min).filter((size) => size > 0);
  return sizes.length > 0 ? Math.min(...sizes) : over ? 200_000 : undefined;
}

const priceText = ({ input, cachedInput, output, upTo }) =>
  `${input} / ${cachedInput} / ${output}${upTo ? ` up to ${upTo}` : ""}`;

/** The source of a list: what stands before the list stays. */
export function written(list, text = readFileSync(PATH, "utf8")) {
  const hosts = Object.entries(list).map(([host, models]) => {
    const rows = Object.entries(models).map(([name, { input, cachedInput, output, upTo, read, source, confirmed }]) => {
      const given = [JSON.stringify(read), JSON.stringify(source), `[${input}, ${cachedInput}, ${output}]`, confirmed];
      return `    ${JSON.stringify(name)}: price(${[...given, ...(upTo ? [upTo] : [])].join(", ")}),`;
    });
    return `  ${JSON.stringify(host)}: {\n${rows.join("\n")}\n  },`;
  });
  const [before] = text.split(START);
  const type = "Readonly<Record<string, Readonly<Record<string, ListedPrice>>>>";
  return `${before}${START}\nexport const LIST: ${type} = {\n${hosts.join("\n")}\n};\n`;
}

async function main([file, ...added]) {
  const list = await readList();
  if (file === undefined) {
    for (const [host, models] of Object.entries(list)) {
      console.log(`\n${host} (USD per 1M tokens: input / from the cache / output)`);
      for (const [name, price] of Object.entries(models)) {
        const doubt = price.confirmed ? "" : ", named by one source only";
        console.log(`  ${name.padEnd(24)} ${priceText(price)}  (${price.read}, ${price.source}${doubt})`);
      }
    }
    console.log(`\nTo renew it, save ${SOURCE} and run: npm run prices -- api.json`);
    console.log("Then compare what has changed with the services' own pages.");
    return;
  }
  if (!existsSync(file)) throw new Error(`There is no file ${file}: save ${SOURCE} and name it here.`);
  const found = renewed(list, JSON.parse(readFileSync(file, "utf8")), new Date().toISOString().slice(0, 10), added);
  writeFileSync(PATH, written(found.list));
  const { attempt } = await import("./run.mjs");
  await attempt("biome", ["check", "--write", PATH], { capture: true });
  for (const line of found.said) console.log(line);
  console.log(`\n${PATH} is written: compare what has changed with the services' own pages.`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main(process.argv.slice(2));
