/**
 * The engine's WebAssembly module in this runtime: loading it, and carrying bytes in and text out.
 *
 * No meaning is given to the bytes here. Loading starts on first use, never when a module is evaluated:
 * edge runtimes forbid I/O in global scope.
 */

import { ChatwireError, toError } from "../errors.ts";
import { BUILD, call, free, initSync, inputPointer, make as makePart, open, reportPointer } from "../wasm/chatwire.js";
import type { Refusal } from "./boundary.ts";

type CompiledModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } } ? M : never;

/**
 * Where the engine's `.wasm` comes from: a compiled `WebAssembly.Module` or its bytes (ready at once),
 * or an address or `Response` to load it from.
 */
export type WasmSource = CompiledModule | ArrayBuffer | ArrayBufferView | URL | string | Response;

interface Exports {
  memory: { buffer: ArrayBuffer };
}

let loader: (() => WasmSource) | undefined;
let exports: Exports | undefined;
let bytes = new Uint8Array(0);
/** The report of the last call, in the engine's memory: `EngineModule.reportPointer` says what is in it. */
let report = new Uint32Array(0);
let deadlines = new Float64Array(0);
let input = 0;

/** Each entry says once how its runtime finds the `.wasm`; the loader is called on first use. */
export function setLoader(load: () => WasmSource): void {
  loader = load;
}

function isImmediate(source: WasmSource): source is CompiledModule | ArrayBuffer | ArrayBufferView {
  return source instanceof WebAssembly.Module || source instanceof ArrayBuffer || ArrayBuffer.isView(source);
}

/**
 * Links a module with the glue of this package, if both are of one build: what the two say to each other changes.
 * @param address where the module came from, for the message
 */
function link(source: CompiledModule | ArrayBuffer | ArrayBufferView, address = ""): void {
  const module = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source as ArrayBuffer);
  const [section] = WebAssembly.Module.customSections(module, "chatwire");
  const build = section ? `build ${new TextDecoder().decode(section)}` : "no build that this package knows";
  if (build !== `build ${BUILD}`) {
    throw new ChatwireError(
      `The WebAssembly of chatwire${address} is of another version: it is ${build}, and the scripts are build ${BUILD}. Reload the page; if that does not help, deploy the files of one build together.`,
    );
  }
  exports = initSync({ module });
  input = inputPointer(0);
}

function source(): WasmSource {
  if (loader) return loader();
  throw new ChatwireError(
    "chatwire/slim has no WebAssembly yet: await init(source) first, with the URL, bytes or module of chatwire/chatwire.wasm.",
  );
}

let loading: Promise<void> | undefined;

/**
 * Loads the engine. Every asynchronous call does this by itself. Call it to load early, before a synchronous decoder is
 * made in a browser, or, with `chatwire/slim`, to say where the `.wasm` is.
 *
 * @param from where to load from, in place of what the package knows. Ignored once the engine is loaded.
 * @throws {ChatwireError} nothing could be loaded; the next call tries again
 * @example
 * ```ts
 * import { init } from "chatwire/slim";
 * import url from "chatwire/chatwire.wasm?url";
 * await init(url);
 * ```
 */
export function init(from?: WasmSource): Promise<void> {
  if (exports) return Promise.resolve();
  loading ??= load(from).catch((error: unknown) => {
    loading = undefined; // a network that failed once may work the next time
    throw error;
  });
  return loading;
}

async function load(from: WasmSource | undefined): Promise<void> {
  let found: WasmSource | undefined;
  try {
    found = from ?? source();
    link(isImmediate(found) ? found : await compiled(found), addressOf(found));
  } catch (cause) {
    throw unloadable(cause, found);
  }
}

/** Compiles what has to be fetched; while it comes, where the server names its type. */
async function compiled(source: URL | string | Response): Promise<CompiledModule> {
  const response = source instanceof Response ? source : await fetch(source);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const isNamed = response.headers.get("content-type") === "application/wasm";
  return isNamed && typeof WebAssembly.compileStreaming === "function"
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}

/** Loads the engine now if this runtime can do so without waiting. Says whether it is loaded. */
export function initNow(): boolean {
  if (exports) return true;
  try {
    const found = loader?.();
    if (found === undefined || !isImmediate(found)) return false;
    link(found);
    return true;
  } catch (cause) {
    throw unloadable(cause);
  }
}

function addressOf(source?: WasmSource): string {
  return source instanceof URL || typeof source === "string" ? ` from ${source}` : "";
}

function unloadable(cause: unknown, found?: WasmSource): ChatwireError {
  if (cause instanceof ChatwireError) return cause;
  return new ChatwireError(
    `The WebAssembly of chatwire could not be loaded${addressOf(found)}. Check the network, that the file is served (reload a page that is older than its server's files), and that a Content-Security-Policy allows 'wasm-unsafe-eval'.`,
    { cause },
  );
}

/** For what must answer at once: throws where the engine has to be fetched and has not been. */
export function requireNow(what: string): void {
  if (!initNow()) {
    throw new ChatwireError(
      `${what} works at once, but the WebAssembly of chatwire is not loaded yet: await init() first.`,
    );
  }
}

function view(): Uint8Array {
  // Memory that grew has a new buffer, and a view of the old one is empty. To ask the memory itself would take longer.
  if (exports && bytes.length === 0) {
    const { buffer } = exports.memory;
    const pointer = reportPointer();
    bytes = new Uint8Array(buffer);
    report = new Uint32Array(buffer, pointer, 4);
    deadlines = new Float64Array(buffer, pointer + 16, 2);
  }
  return bytes;
}

/** Whether the last call says yes. */
export function says(): boolean {
  view();
  return report[2] === 1;
}

/** Whether a decoder has seen the first token, as its last call left it. */
export function hasToken(): boolean {
  view();
  return report[3] === 1;
}

/** When a decoder's next tick is due, as its last call left it: after how long a wait, and at what time. Read both at once. */
export function due(): Float64Array {
  view();
  return deadlines;
}

/** Puts bytes, at most `INPUT_BYTES` of them, where the next engine call takes them from. */
export function place(chunk: Uint8Array): void {
  view().set(chunk, input);
}

const encoder = new TextEncoder();

/** Puts text where the next engine call takes it from, and says how many bytes it is. */
export function put(text: string): number {
  const chunk = encoder.encode(text);
  const pointer = inputPointer(chunk.length);
  view().set(chunk, pointer);
  return chunk.length;
}

/**
 * JSON of what a caller set. What JSON cannot say becomes a list, which no setting is, so that the engine names it; a
 * member that is undefined becomes null.
 */
export function settingsText(settings: object): string {
  return JSON.stringify(settings, (_, value) =>
    /function|symbol|bigint/.test(typeof value) || (typeof value === "number" && !Number.isFinite(value))
      ? []
      : (value ?? null),
  );
}

/** What the last engine call put out, read as JSON. */
export function answer<T>(): T {
  return JSON.parse(output()) as T;
}

/** Frees the parts whose owners are gone. */
const forgotten = typeof FinalizationRegistry === "undefined" ? undefined : new FinalizationRegistry(free);

/** One part of the engine, owned: it lives until it is freed, or its owner is garbage. */
export class Part {
  #number: number;

  constructor(number: number) {
    this.#number = number;
    forgotten?.register(this, number, this);
  }

  /** Does one of the operations of boundary.ts. What comes of it is in the report. Once freed, it does nothing. */
  call(operation: number, length = 0, a = 0, b = 0, c = 0): void {
    call(this.#number, operation, length, a, b, c);
  }

  /** Of a connection: begins to open a response, by the JSON of an `EngineCall` and of the request's body. */
  open(texts: string): Part {
    return new Part(open(this.#number, put(texts)));
  }

  free(): void {
    forgotten?.unregister(this);
    free(this.#number);
    this.#number = 0;
  }
}

/**
 * Makes a part of the engine, by its options as JSON or a number.
 * @throws {ChatwireError} the options make no sense
 */
export function make(kind: number, options: string | number): Part {
  const made = tryMake(kind, options);
  if (made instanceof Part) return made;
  throw toError(made.error);
}

/** The same; gives the reason where nothing is made. */
export function tryMake(kind: number, options: string | number): Part | Refusal {
  const number = makePart(kind, typeof options === "number" ? options : put(options));
  return number ? new Part(number) : answer<Refusal>();
}

// A leading U+FEFF in an answer is text, not a mark.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Below this many bytes a loop over ASCII is faster than `TextDecoder`. */
const SHORT = 12;

/** What the last engine call put out, as a string. */
export function output(): string {
  const all = view();
  const from = report[0] as number;
  const length = report[1] as number;
  const to = from + length;
  if (length <= SHORT) {
    let text = "";
    let at = from;
    for (; at < to; at++) {
      const byte = all[at] as number;
      if (byte > 127) break;
      text += String.fromCharCode(byte);
    }
    if (at === to) return text;
  }
  return decoder.decode(all.subarray(from, to));
}

/** What a host gave as bytes, as bytes; `undefined` when it is something else. */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (typeof value === "string") return encoder.encode(value);
  return undefined;
}
