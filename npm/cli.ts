#!/usr/bin/env node
/**
 * The command `chatwire`: `chatwire emulator` serves the emulator until it is stopped, `chatwire replay` shows a recording,
 * `chatwire demo` serves the demo page, `chatwire chat` is a conversation in the terminal, `chatwire doctor` looks at a project.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { serveDemo } from "./demo.ts";
import { createEmulator, type LedgerRecord } from "./emulator/index.ts";
import { serve } from "./emulator/serve.ts";
import { KeyCommandError, manageKeys } from "./key-command.ts";
import { loadEnvironment, chat as talk } from "./terminal.ts";

const USAGE = `chatwire emulator [options]

Serves Electron's chat completions, and ElectronHub's, without a network or a key.

  --port N                  port to listen on (4010; 0 takes any)
  --host ADDRESS            address to bind to (127.0.0.1)
  --seed N                  chooses ids and texts (1)
  --time-to-first-token MS  (180)
  --tokens-per-second N     (60; 0 sends everything at once)
  --limits PLAN             standard or enterprise: refuse what the plan does not allow
  --quiet                   no line per request

chatwire replay FILE

Reads a recorded stream again: what \`stream.recording()\` gave. Prints its events, one a line, and its outcome, as JSON.

chatwire demo [options]

Serves the demo page: chatwire beside other clients, in a browser, with an emulator in the page. Asks no other server.

  --port N                  port to listen on (4020; the next free one is taken)
  --connect ORIGIN          lets the page connect to a server of yours, such as http://localhost:11434; may be repeated
  --quiet                   no line per request

chatwire chat [options]

A conversation in the terminal. With a pipe for input, one question and its answer. The key is read from the environment or from an
.env file of this folder: SMALLEST_API_KEY, ELECTRONHUB_API_KEY or OPENAI_API_KEY, and API_KEY with --base-url.

  --provider NAME           electron (default), electronhub or openai
  --base-url URL            any other compatible server
  --model NAME              the model (electron)
  --system TEXT             goes before the conversation
  --emulator                talks to the emulator: no key, no network

chatwire doctor [FOLDER]

Says which tool a project is built with, whether the engine will be found there, and the line to write. The command ends with 1 where something
has to be written.

chatwire keys list | create | limit ID | revoke ID

Manages the keys of a gateway's callers. CHATWIRE_TOKEN is the token of a caller whose grant has managesKeys.

  --gateway URL             the gateway's address (or CHATWIRE_GATEWAY)
  --caller NAME             whom the key stands for
  --models A,B              the models it may use (all)
  --max-tokens N            tokens an answer may have
  --expires-in SECONDS      when it ends (never)
  --grant JSON              anything else that a grant may have, such as {"plan":{"costPerDay":2}}
`;

/** An error the user can mend; shown without a stack. */
class UsageError extends Error {}

async function emulator(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "4010" },
      host: { type: "string", default: "127.0.0.1" },
      seed: { type: "string", default: "1" },
      "time-to-first-token": { type: "string", default: "180" },
      "tokens-per-second": { type: "string", default: "60" },
      limits: { type: "string" },
      quiet: { type: "boolean", default: false },
    },
  });
  const { limits } = values;
  if (limits !== undefined && limits !== "standard" && limits !== "enterprise") {
    throw new UsageError(`--limits is "standard" or "enterprise", not "${limits}"`);
  }

  const emulator = createEmulator({
    seed: number("--seed", values.seed),
    timeToFirstToken: number("--time-to-first-token", values["time-to-first-token"]),
    tokensPerSecond: number("--tokens-per-second", values["tokens-per-second"]),
    ...(limits ? { limits } : {}),
    ...(values.quiet ? {} : { onEnd: (record: LedgerRecord) => console.log(line(record)) }),
  });
  const port = number("--port", values.port, 65_535);
  const server = await serve(emulator, { port, host: values.host }).catch((error: unknown) => {
    throw new UsageError(listenError(error, port, values.host));
  });
  console.log(`The chatwire emulator listens on ${server.url}

  Electron      ${server.url}/waves/v1
  ElectronHub   ${server.url}/v1  /v1legacy  /v1thinking

Any key that is not empty will do. Stop it with Ctrl+C.
`);
  const stop = (): void => void server.close();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

function line({ method, path, status, usage, startedAt, endedAt, aborted, trouble }: LedgerRecord): string {
  const tokens = usage ? `${usage.prompt_tokens} + ${usage.completion_tokens} tokens` : "";
  const time = `${Math.round((endedAt ?? startedAt) - startedAt)} ms`;
  const notes = [tokens, time, aborted ? "caller left" : "", trouble && `[${trouble}]`].filter(Boolean).join("  ");
  return `${status || "---"}  ${method} ${path}  ${notes}`;
}

function number(name: string, text: string, maximum = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= maximum)) {
    const range = maximum < Number.MAX_SAFE_INTEGER ? `from 0 to ${maximum}` : "of 0 or more";
    throw new UsageError(`${name} cannot be "${text}": give a number ${range}`);
  }
  return value;
}

function listenError(error: unknown, port: number, host: string): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return `Port ${port} is taken. Choose another with --port, or --port 0 for any.`;
  if (code === "EACCES") return `Port ${port} may not be used by this user. Choose one above 1023 with --port.`;
  return `Cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`;
}

async function replay(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true });
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new UsageError("replay takes one file");
  const recording = await readFile(file).catch((error: unknown) => {
    throw new UsageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const { ChatStream } = await import("chatwire");
  const stream = ChatStream.fromRecording(recording);
  // A stream that did not end well says so in its outcome.
  const print = async () => {
    for await (const event of stream.events) console.log(JSON.stringify(event));
  };
  await print().catch(() => {});
  const outcome = await stream.outcome();
  if (outcome.error?.name === "ChatwireError") throw new UsageError(`${file}: ${outcome.error.message}`);
  const { error, ...rest } = outcome;
  const told = error && { name: error.name, message: error.message };
  console.log(JSON.stringify({ ...rest, ...(told ? { error: told } : {}) }, null, 2));
}

/** How many ports are tried, from the one that was asked for. */
const PORTS = 20;

async function demo(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string", default: "4020" },
      connect: { type: "string", multiple: true, default: [] },
      quiet: { type: "boolean", default: false },
    },
  });
  const connect = values.connect.map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url && /^https?:$/.test(url.protocol)) return url.origin;
    throw new UsageError(`--connect cannot be "${text}": give an origin such as http://localhost:11434`);
  });
  const options = { connect, ...(values.quiet ? {} : { onRequest: (line: string) => console.log(line) }) };
  const first = number("--port", values.port, 65_535);
  for (let port = first; ; port++) {
    try {
      const server = await serveDemo({ ...options, port });
      console.log(`The demo page is at ${server.url}\n\nStop it with Ctrl+C.\n`);
      const stop = (): void => void server.close();
      process.once("SIGINT", stop);
      process.once("SIGTERM", stop);
      return;
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || port >= Math.min(first + PORTS, 65_535))
        throw new UsageError(listenError(error, port, "127.0.0.1"));
    }
  }
}

const PROVIDERS = ["electron", "electronhub", "openai"] as const;

async function chat(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      provider: { type: "string" },
      "base-url": { type: "string" },
      model: { type: "string" },
      system: { type: "string" },
      emulator: { type: "boolean", default: false },
    },
  });
  const { "base-url": baseURL, system, emulator: isEmulated } = values;
  if (baseURL !== undefined && values.provider !== undefined) {
    throw new UsageError("--provider and --base-url name two different servers: give one of them");
  }
  const provider = PROVIDERS.find((name) => name === (values.provider ?? "electron"));
  if (!provider) throw new UsageError(`--provider is ${PROVIDERS.join(", ")}, not "${values.provider}"`);
  const model = values.model ?? (provider === "electron" && baseURL === undefined ? "electron" : undefined);
  if (!model) throw new UsageError("Give the name of a model with --model");
  loadEnvironment();
  const options = isEmulated
    ? { provider, apiKey: "emulator", fetch: createEmulator({ timeToFirstToken: 180, tokensPerSecond: 60 }).fetch }
    : baseURL !== undefined
      ? { baseURL, apiKey: process.env.API_KEY ?? null }
      : { provider };
  const { stdin: input, stdout: output, stderr: notes } = process;
  try {
    process.exitCode = await talk({ options, model, system }, { input, output, notes });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function keys(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      gateway: { type: "string" },
      caller: { type: "string" },
      models: { type: "string" },
      "max-tokens": { type: "string" },
      "expires-in": { type: "string" },
      grant: { type: "string", default: "{}" },
    },
  });
  const [action, id] = positionals;
  const { caller, models, "max-tokens": maxTokens, "expires-in": expiresIn } = values;
  let more: Record<string, unknown>;
  try {
    more = JSON.parse(values.grant);
  } catch {
    throw new UsageError(`--grant must be JSON such as {"plan":{"costPerDay":2}}`);
  }
  const grant = {
    ...more,
    ...(caller !== undefined && { caller }),
    ...(models !== undefined && { models: models.split(",") }),
    ...(maxTokens !== undefined && { maxTokens: number("--max-tokens", maxTokens) }),
    ...(expiresIn !== undefined && { expiresIn: number("--expires-in", expiresIn) }),
  };
  const gateway = values.gateway ?? process.env.CHATWIRE_GATEWAY;
  const command = { action, id, gateway, token: process.env.CHATWIRE_TOKEN, grant };
  await manageKeys(command, console.log).catch((error: unknown) => {
    if (error instanceof KeyCommandError) throw new UsageError(error.message);
    throw error;
  });
}

async function doctor(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true });
  if (positionals.length > 1) throw new UsageError("doctor takes at most one folder");
  const { diagnose } = await import("./doctor.ts");
  const { lines, isWell } = diagnose(resolve(positionals[0] ?? "."));
  console.log(lines.join("\n"));
  if (!isWell) process.exitCode = 1;
}

const COMMANDS: Record<string, (args: string[]) => Promise<void>> = { emulator, replay, demo, chat, doctor, keys };

const [command = "", ...rest] = process.argv.slice(2);
try {
  const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (run && !rest.includes("--help") && !rest.includes("-h")) await run(rest);
  else {
    const asked = run !== undefined || command === "help" || command === "--help" || command === "-h";
    (asked ? console.log : console.error)(USAGE);
    process.exitCode = asked ? 0 : 2;
  }
} catch (error) {
  const wrongOption = error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  if (!(error instanceof UsageError) && !wrongOption) throw error;
  console.error(`chatwire: ${error.message}`);
  process.exitCode = 2;
}
