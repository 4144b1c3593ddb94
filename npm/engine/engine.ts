/**
 * The engine's WebAssembly module in this runtime: loading it, and carrying bytes in and text out.
 *
 * No meaning is given to the bytes here. Loading starts on first use, never when a module is evaluated:
 * edge runtimes forbid I/O in global scope.
 */

import { ChatwireError, reasonOf, toError } from "../errors.ts";
import { BUILD } from "../wasm/chatwire.js";
import { type EngineExports, INPUT_BYTES, type Refusal } from "./boundary.ts";

type CompiledModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } } ? M : never;

/**
 * Where the engine's `.wasm` comes from: a compiled `WebAssembly.Module` or its bytes (ready at once),
 * or an address or `Response` to load it from.
 */
export type WasmSource = CompiledModule | ArrayBuffer | ArrayBufferView | URL | string | Response;

/** Makes an instance without WebAssembly: the engine as a script, which is of the same build as the scripts that import it. */
type Make = () => EngineExports;

let loader: (() => WasmSource | Make) | undefined;
let loadSpare: (() => Promise<{ default: string }>) | undefined;
/** The instance that new parts are made in. */
let engine: Instance | undefined;
/** The instance that was called last, whose output and report are read. */
let called: Instance;
/** The input of the next call. */
let pending: Uint8Array | undefined;

/**
 * Each entry says once how its runtime finds the `.wasm`; the loader is called on first use.
 * @param spare gives the same module as base64 text, for a bundle that was made without the file: asked for where the file is
 * not found or is something else
 */
export function setLoader(load: () => WasmSource | Make, spare?: () => Promise<{ default: string }>): void {
  loader = load;
  loadSpare = spare;
}

/** The class name of a value, also of one of another realm, such as a test runner's sandbox. */
const brandOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

const isModule = (source: unknown): source is CompiledModule => brandOf(source) === "WebAssembly.Module";

type Immediate = CompiledModule | ArrayBuffer | ArrayBufferView | Make;

function isImmediate(source: WasmSource | Make): source is Immediate {
  return (
    typeof source === "function" || isModule(source) || brandOf(source) === "ArrayBuffer" || ArrayBuffer.isView(source)
  );
}

/**
 * Links a module with the scripts of this package, if both are of one build: the calls between the two change from build to
 * build.
 */
function link(source: Immediate): void {
  if (typeof source === "function") {
    engine = new Instance(source as Make);
    return;
  }
  const module = isModule(source) ? source : new WebAssembly.Module(source as ArrayBuffer);
  const [section] = WebAssembly.Module.customSections(module, "chatwire");
  const build = section ? `build ${new TextDecoder().decode(section)}` : "no build that this package knows";
  if (build !== `build ${BUILD}`) {
    throw new OtherBuild(`it is of another version: it is ${build}, and the scripts are build ${BUILD}`);
  }
  engine = new Instance(() => new WebAssembly.Instance(module, {}).exports as unknown as EngineExports);
}

class OtherBuild extends Error {}

function source(): WasmSource | Make {
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
  if (engine) return Promise.resolve();
  loading ??= load(from).catch((error: unknown) => {
    loading = undefined; // a network that failed once may work the next time
    throw error;
  });
  return loading;
}

async function load(from: WasmSource | undefined): Promise<void> {
  let found: WasmSource | Make | undefined;
  try {
    found = from ?? source();
    link(isImmediate(found) ? found : await compiled(found));
  } catch (cause) {
    if (cause instanceof ChatwireError) throw cause;
    // The spare helps with every failure but a file of another version.
    const isCurable = from === undefined && !(cause instanceof OtherBuild);
    const spare = isCurable ? await spareModule().catch((thrown) => reasonOf(thrown)) : undefined;
    if (typeof spare === "object") link(spare);
    else throw await unloadable(cause, found, from !== undefined, spare);
  }
}

/** The module of the spare; `undefined` where the entry has no spare. */
async function spareModule(): Promise<CompiledModule | undefined> {
  const text = (await loadSpare?.())?.default;
  if (!text) return undefined;
  // Spelled with globalThis, here and below: Next refuses a middleware in which a call of WebAssembly.compile stands, made or not.
  return globalThis.WebAssembly.compile(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
}

/** Compiles what has to be fetched; while it comes, where the server names its type. */
async function compiled(source: URL | string | Response): Promise<CompiledModule> {
  const response = brandOf(source) === "Response" ? (source as Response) : await fetch(source as URL | string);
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`);
  if (response.headers.get("content-type") === "application/wasm" && WebAssembly.compileStreaming) {
    return WebAssembly.compileStreaming(response);
  }
  return response.arrayBuffer().then((bytes) => globalThis.WebAssembly.compile(bytes));
}

/** Loads the engine now if this runtime can do so without waiting. Says whether it is loaded. */
export function initNow(): boolean {
  if (engine) return true;
  try {
    const found = loader?.();
    if (found === undefined || !isImmediate(found)) return false;
    link(found);
    return true;
  } catch (cause) {
    if (cause instanceof ChatwireError) throw cause;
    return false; // `init` tells the reason, or has a spare
  }
}

/** Why nothing could be loaded, and what to do: in a part that is loaded where a page needs it. */
async function unloadable(cause: unknown, source: unknown, isGiven: boolean, spare?: string) {
  const why = reasonOf(cause);
  const text = await import("./unloadable.ts").then(
    (part) => part.unloadable(why, source, isGiven, spare),
    // Where import() is forbidden, or that part is missing too.
    () => `${`chatwire.wasm could not be loaded from ${source}: ${why}`.slice(0, 900)}. Use chatwire/static.`,
  );
  return new ChatwireError(text, { cause });
}

/** For what must answer at once: throws where the engine has to be fetched and has not been. */
export function requireNow(what: string): void {
  if (!initNow()) {
    throw new ChatwireError(`${what} works at once, but chatwire has no WebAssembly yet: await init() first.`);
  }
}

/**
 * One instance of the module. One that traps is replaced: its parts go on as far as they can, new ones are made in a fresh
 * instance, and its memory goes with the last of its parts.
 */
class Instance {
  readonly exports: EngineExports;
  readonly #make: Make;
  readonly #input: number;
  #bytes = new Uint8Array(0);
  /** The report of the last call, in the engine's memory: `EngineExports.reportPointer` says what is in it. */
  report = new Uint32Array(0);
  deadlines = new Float64Array(0);
  isBroken = false;
  /** Frees the parts whose owners are gone. */
  readonly forgotten =
    typeof FinalizationRegistry === "undefined"
      ? undefined
      : new FinalizationRegistry<number>((number) => freeIn(this, number));

  constructor(make: Make) {
    this.#make = make;
    this.exports = make();
    this.#input = this.exports.inputPointer(0);
  }

  view(): Uint8Array {
    // Memory that grew has a new buffer, and a view of the old one is empty. To ask the memory itself would take longer.
    if (this.#bytes.length === 0) {
      const { memory, reportPointer } = this.exports;
      const pointer = reportPointer();
      this.#bytes = new Uint8Array(memory.buffer);
      this.report = new Uint32Array(memory.buffer, pointer, 5);
      this.deadlines = new Float64Array(memory.buffer, pointer + 24, 2);
    }
    return this.#bytes;
  }

  /** Lets the module do something with what was put, if anything was. */
  do<T>(work: (exports: EngineExports) => T): T {
    called = this;
    try {
      this.#take();
      return work(this.exports);
    } catch (cause) {
      throw this.broke(cause);
    }
  }

  /** The same for an operation of a part: once a network chunk, and made for it. */
  call(part: number, operation: number, length: number, a: number, b: number, c: number): void {
    called = this;
    try {
      this.#take();
      this.exports.call(part, operation, length, a, b, c);
    } catch (cause) {
      throw this.broke(cause);
    }
  }

  #take(): void {
    const chunk = pending;
    if (!chunk) return;
    pending = undefined;
    const pointer = chunk.length <= INPUT_BYTES ? this.#input : this.exports.inputPointer(chunk.length);
    this.view().set(chunk, pointer);
  }

  /** The error of a trap. The module never throws of its own accord. */
  broke(cause: unknown): ChatwireError {
    this.isBroken = true;
    const why = cause instanceof Error ? cause.message : String(cause);
    let remedy = "A fresh one took its place: other calls go on. Try again, with lower limits if it was out of memory.";
    try {
      if (engine === this) engine = new Instance(this.#make);
    } catch {
      remedy = "There is no memory for a fresh one: restart the process, or reload the page.";
    }
    return new ChatwireError(`The engine failed on this call or its answer (${why}). ${remedy}`, { cause });
  }
}

/** The engine's memory, for measurements; it is loaded. */
export const engineMemory = (): EngineExports["memory"] => (engine as Instance).exports.memory;

/** Whether the last call says yes. */
export function says(): boolean {
  called.view();
  return called.report[2] === 1;
}

/** 0 until a decoder has seen the first token, as its last call left it; 2 where that was a push that brought one, and not the end. */
export function tokens(): number {
  called.view();
  return called.report[3] as number;
}

/** How many bytes at the end of a decoder's last push repeat the event before, as its last call left it. */
export function repeated(): number {
  called.view();
  return called.report[4] as number;
}

/** When a decoder's next tick is due, as its last call left it: after how long a wait, and at what time. Read both at once. */
export function due(): Float64Array {
  called.view();
  return called.deadlines;
}

/** Gives bytes, at most `INPUT_BYTES` of them, to the next engine call. */
export function place(chunk: Uint8Array): void {
  pending = chunk;
}

const encoder = new TextEncoder();
/** Holds what is put, where it is short: a buffer of its own for each would be garbage at once. */
const short = new Uint8Array(4096);

/** Gives text to the next engine call, and says how many bytes it is. */
export function put(text: string): number {
  // A UTF-16 unit is three bytes at the most.
  pending =
    text.length * 3 > short.length ? encoder.encode(text) : short.subarray(0, encoder.encodeInto(text, short).written);
  return pending.length;
}

/**
 * JSON of a caller's settings. A value that JSON cannot say becomes a list, which no setting is, so that the engine names it; a
 * member that is undefined is left out.
 */
export function settingsText(settings: object): string {
  // With a function, it takes the host many times as long.
  if (isSayable(settings, MAX_DEPTH)) return JSON.stringify(settings);
  return JSON.stringify(settings, (_, value) => (typeof value === "object" || isSayable(value, 0) ? value : []));
}

/** How deep settings are looked into: those of a caller may contain themselves. */
const MAX_DEPTH = 8;

/** Whether JSON can say a value, and all that is in it. */
function isSayable(value: unknown, depth: number): boolean {
  const kind = typeof value;
  if (kind !== "object") {
    return kind === "string" || kind === "boolean" || kind === "undefined" || Number.isFinite(value);
  }
  // JSON asks a value that has a `toJSON` for another, which only the function sees.
  if (value !== null && "toJSON" in (value as object)) return false;
  for (const name in value as object) {
    if (depth === 0 || !isSayable((value as Record<string, unknown>)[name], depth - 1)) return false;
  }
  return true;
}

/** The output of the last engine call, read as JSON. */
export function answer<T>(): T {
  return JSON.parse(output()) as T;
}

function freeIn(instance: Instance, number: number): void {
  try {
    instance.exports.free(number);
  } catch (cause) {
    instance.broke(cause); // freeing the other parts does not depend on this one
  }
}

/** One part of the engine, owned: it lives until it is freed, or its owner is garbage. */
export class Part {
  readonly #instance: Instance;
  #number: number;

  constructor(instance: Instance, number: number) {
    this.#instance = instance;
    this.#number = number;
    instance.forgotten?.register(this, number, this);
  }

  /** Its instance has trapped: a new part is the better one. */
  get isBroken(): boolean {
    return this.#instance.isBroken;
  }

  /**
   * Does one of the operations of boundary.ts. The result is in the report. Once freed, a part does nothing.
   * @throws {ChatwireError} the engine failed
   */
  call(operation: number, length = 0, a = 0, b = 0, c = 0): void {
    this.#instance.call(this.#number, operation, length, a, b, c);
  }

  /**
   * Makes a part of this one, as `EngineExports.open` says; nothing where there is none to give.
   * @throws {ChatwireError} the engine failed
   */
  open(texts = ""): Part | undefined {
    const length = put(texts);
    const number = this.#instance.do((exports) => exports.open(this.#number, length));
    return number ? new Part(this.#instance, number) : undefined;
  }

  free(): void {
    this.#instance.forgotten?.unregister(this);
    freeIn(this.#instance, this.#number);
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
  const length = typeof options === "number" ? options : put(options);
  const instance = engine as Instance; // whoever makes parts has waited for it
  const number = instance.do((exports) => exports.make(kind, length));
  return number ? new Part(instance, number) : answer<Refusal>();
}

// A leading U+FEFF in an answer is text, not a mark.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Up to so many bytes a loop over ASCII is faster than `TextDecoder`. */
const SHORT = 12;
/** Up to so many bytes a list of plain strings and numbers is told faster by a look at each than by `JSON.parse`. */
const SHORT_LIST = 256;
const QUOTE = 34;
const COMMA = 44;
const [ZERO, NINE] = [48, 57];
const BACKSLASH = 92;

function textOf(all: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT) {
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

/** The output of the last engine call, as a string. */
export function output(): string {
  const all = called.view();
  const from = called.report[0] as number;
  return textOf(all, from, from + (called.report[1] as number));
}

/**
 * The output of the last engine call, where that is a short list of plain strings and whole numbers alone, as most reads of one event
 * bring it.
 */
export function plainValues(): (string | number)[] | undefined {
  const all = called.view();
  let at = called.report[0] as number;
  const end = at + (called.report[1] as number) - 1;
  if (end > at + SHORT_LIST) return undefined;
  let values: (string | number)[] | undefined;
  while (at < end) {
    const from = ++at;
    let value: string | number = 0;
    if (all[at] === QUOTE) {
      while (all[++at] !== QUOTE) if (all[at] === BACKSLASH) return undefined;
      value = textOf(all, from + 1, at++);
    } else {
      for (; (all[at] as number) >= ZERO && (all[at] as number) <= NINE; at++) {
        value = 10 * value + (all[at] as number) - ZERO;
      }
      // A number that is longer may not be exact so.
      if (at === from || at - from > 15) return undefined;
    }
    if (all[at] !== COMMA && at !== end) return undefined;
    if (values) values.push(value);
    else values = [value];
  }
  return values;
}

/** How many UTF-16 units of a text were heard whole, when so many were spoken. */
export function heardOf(text: string, units: number): number {
  const length = put(text);
  return (engine as Instance).do((exports) => exports.heard(length, units));
}

/** The bytes that a host gave, as a `Uint8Array`; `undefined` when the value is something else, or its buffer was transferred away. */
export function asBytes(value: unknown): Uint8Array | undefined {
  if (typeof value === "string") return encoder.encode(value);
  try {
    if (value instanceof Uint8Array && value.length > 0) return value;
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
  } catch {
    // No view can be made of a buffer that was transferred away.
  }
  return undefined;
}
