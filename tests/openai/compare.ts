/**
 * Runs a program with both libraries against one server, and compares what it prints and what it asked.
 */
import { inspect } from "node:util";
import type OpenAI from "openai";
import { type Library, libraries } from "./library.ts";
import { type Answer, type Asked, newRun, type Run } from "./server.ts";

/** The arguments of a program. */
export interface Context {
  lib: Library;
  baseURL: string;
  run: Run;
  /** The server's answers, in order; the last one again and again. */
  answers(...answers: (Answer | ((asked: Asked) => Answer))[]): void;
  /** A client of the server. */
  client(options?: ConstructorParameters<typeof OpenAI>[0]): OpenAI;
  print(...values: unknown[]): void;
  /** Prints what went wrong, as a program sees it. */
  printError(error: unknown): void;
  /** Prints what a promise gives, or its error. */
  printResult(promise: PromiseLike<unknown>): Promise<void>;
}

/** A program: does something, and prints what came of it. */
export type Program = (context: Context) => unknown;

/** A program whose output is to differ, and why: a line of docs/from-openai.md. */
export interface Differing {
  program: Program;
  /** The difference by its name in docs/from-openai.md. */
  differs: string;
}

export type Programs = Record<string, Program | Differing>;

const OPTIONS = { depth: 12, breakLength: 120, maxStringLength: 2000, maxArrayLength: 200 };

/** All that a program prints with a library, and all that it asked. */
export async function outputOf(program: Program, lib: Library): Promise<string> {
  const run = await newRun();
  const lines: string[] = [];
  // A cooldown holds a key: each run has its own.
  const key = `sk-${run.baseURL.match(/run-\d+/)?.[0]}`;
  const text = (value: unknown) => (typeof value === "string" ? value : inspect(plain(value), OPTIONS));
  const print = (...values: unknown[]) => {
    lines.push(
      values
        .map(text)
        .join(" ")
        .replaceAll(run.baseURL, "BASE")
        .replaceAll(key, "sk-own")
        .replace(/call_[\da-f-]{36}/g, "call_NEW"),
    );
  };
  const printError = (error: unknown) => print("error", describe(error, lib));
  const context: Context = {
    lib,
    baseURL: run.baseURL,
    run,
    answers: (...answers) => {
      run.answers = answers;
    },
    client: (options = {}) => new lib.main.OpenAI({ apiKey: key, baseURL: run.baseURL, maxRetries: 0, ...options }),
    print,
    printError,
    printResult: (promise) => Promise.resolve(promise).then(print, printError),
  };
  try {
    await program(context);
  } catch (error) {
    print("threw", describe(error, lib));
  }
  for (const { method, url, headers, body } of run.asked) print("asked", method, url, sorted(headers), body);
  return lines.join("\n");
}

/** Headers, whose order says nothing. */
function sorted(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).sort());
}

/** An error as a program can see it, whichever library it is of. */
function describe(error: unknown, lib: Library): unknown {
  const { main } = lib;
  if (!(error instanceof Error)) return error;
  const classes = [
    "OpenAIError",
    "APIError",
    "APIUserAbortError",
    "APIConnectionError",
    "APIConnectionTimeoutError",
    "BadRequestError",
    "AuthenticationError",
    "PermissionDeniedError",
    "NotFoundError",
    "ConflictError",
    "UnprocessableEntityError",
    "RateLimitError",
    "InternalServerError",
  ] as const;
  const { status, code, param, type, requestID, error: body, headers } = error as unknown as Record<string, unknown>;
  const known = error instanceof main.APIError ? { status, code, param, type, requestID, body } : {};
  return {
    message: error.message,
    classes: classes.filter((name) => error instanceof (main.OpenAI[name as "APIError"] as unknown as typeof Error)),
    ...known,
    hasHeaders: headers !== undefined,
  };
}

/** A value without what belongs to a library: classes become objects. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Error) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

/** The same program with both. */
export async function compare(program: Program): Promise<{ openai: string; chatwire: string }> {
  const [theirs, ours] = await libraries;
  const [openai, chatwire] = await Promise.all([outputOf(program, theirs), outputOf(program, ours)]);
  return { openai, chatwire };
}
