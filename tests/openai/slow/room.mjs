/**
 * Where an example of `openai` runs: `node room.mjs FILE`. A terminal that is none, stand-ins for the packages that the example
 * uses beside `openai`, and whoever calls it: a page that asks an app of express, Next.js that calls a handler.
 */
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { app } from "./stand-ins.mjs";

const STAND_INS = /^(express|@azure\/identity|dotenv\/config|next\/server)$/;
const PAGE = "http://localhost:3000";
const PROMPT = "Tell me why dogs are better than cats";

registerHooks({
  resolve(specifier, context, next) {
    if (!STAND_INS.test(specifier)) return next(specifier, context);
    return { url: new URL("./stand-ins.mjs", import.meta.url).href, shortCircuit: true };
  },
});

const moves = ["cursorTo", "moveCursor", "clearScreenDown"];
for (const name of moves) process.stdout[name] = (...places) => process.stdout.write(`<${name} ${places}>`);
process.stdout.columns = 80;

const file = pathToFileURL(resolve(process.argv[2])).href;

// The example that is a page asks the one that is its server.
const { fetch } = globalThis;
globalThis.fetch = async (url, init) => {
  if (String(url) !== PAGE) return fetch(url, init);
  await import(new URL("./stream-to-client-express.mjs", file).href);
  return app.ask(init.body);
};

const example = await import(file);
if (app.isListening && !file.includes("browser")) console.log(await textOf(app.ask(PROMPT)));
if (typeof example.default === "function") {
  const authorization = `Bearer ${process.env.OPENAI_EXAMPLE_AUTH_TOKEN}`;
  console.log(
    await textOf(
      await example.default(new Request(PAGE, { method: "POST", body: PROMPT, headers: { authorization } })),
    ),
  );
}

async function textOf(response) {
  return `${response.status} ${response.headers.get("content-type")}\n${await response.text()}`;
}
