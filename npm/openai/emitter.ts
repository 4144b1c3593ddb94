/**
 * Something that happens and says so: listeners, promises of events, and iteration over them.
 */
import { APIUserAbortError, OpenAIError } from "./errors.ts";

/** The events of every emitter. */
export interface BaseEvents {
  connect: () => void;
  error: (error: OpenAIError) => void;
  abort: (error: APIUserAbortError) => void;
  end: () => void;
}

/** The listener of an event. */
export type EventListener<Events, Name extends keyof Events> = Events[Name];

/** The arguments of a listener. */
export type EventParameters<Events, Name extends keyof Events> = Events[Name] extends (...args: infer Args) => unknown
  ? Args
  : never;

/** The same as one value: nothing, the only argument, or all of them. */
// biome-ignore lint/suspicious/noConfusingVoidType: as in openai, whose runners fit ours
export type EventValue<Args extends unknown[]> = Args extends [] ? void : Args extends [infer One] ? One : Args;

/** How many events an iterator holds for a reader who does not come. */
const MAX_HELD = 65_536;

type AnyListener = (...args: unknown[]) => unknown;

interface Listening {
  listener: AnyListener;
  once: boolean;
}

/**
 * Runs in the background from the next turn of the event loop on, so that listeners added at once hear everything.
 *
 * An error without a listener, for `error` or by a promise such as `done()`, is an unhandled rejection.
 */
export class EventStream<Events extends BaseEvents> {
  /** Aborts the request. */
  controller: AbortController = new AbortController();
  readonly #listeners = new Map<keyof Events, Listening[]>();
  readonly #end: Promise<void>;
  #settle: { resolve: () => void; reject: (error: Error) => void } = { resolve: () => {}, reject: () => {} };
  #failure: { name: "error" | "abort"; error: Error } | undefined;
  #isEnded = false;
  #isAwaited = false;
  #unlink: (() => void)[] = [];

  constructor() {
    this.#end = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#end.catch(() => {}); // told apart below
  }

  /** The run is over, well or not. */
  get ended(): boolean {
    return this.#isEnded;
  }

  /** The run failed, or was aborted. */
  get errored(): boolean {
    return this.#failure !== undefined;
  }

  /** The run was aborted. */
  get aborted(): boolean {
    return this.#failure?.name === "abort";
  }

  /** Aborts the request. */
  abort(): void {
    this.controller.abort();
  }

  /** Resolves at the end; rejects with what went wrong. */
  async done(): Promise<void> {
    this.#isAwaited = true;
    await this.#end;
  }

  /** Adds a listener, as often as it is called. */
  on<Name extends keyof Events>(event: Name, listener: EventListener<Events, Name>): this {
    return this.#add(event, listener as AnyListener, false);
  }

  /** Adds a listener for the next time only. */
  once<Name extends keyof Events>(event: Name, listener: EventListener<Events, Name>): this {
    return this.#add(event, listener as AnyListener, true);
  }

  /** Removes a listener once. */
  off<Name extends keyof Events>(event: Name, listener: EventListener<Events, Name>): this {
    const listening = this.#listeners.get(event) ?? [];
    const at = listening.findIndex((one) => one.listener === (listener as AnyListener));
    // A copy: the event may be on its way round.
    if (at >= 0) {
      const rest = listening.filter((_, index) => index !== at);
      this.#listeners.set(event, rest);
    }
    return this;
  }

  /** The next such event as a promise; rejects with an error that comes before it, and when the run ends without it. */
  emitted<Name extends keyof Events>(event: Name): Promise<EventValue<EventParameters<Events, Name>>> {
    this.#isAwaited = true;
    type Value = EventValue<EventParameters<Events, Name>>;
    const emitted = new Promise<Value>((resolve, reject) => {
      const over = () => {
        if (event === "end") return resolve(undefined as Value);
        // An event that does not come is news to those alone who wait for it.
        Promise.resolve().then(() => emitted.catch(() => {}));
        reject(this.#failure?.error ?? new OpenAIError(`The run ended without the event "${String(event)}".`));
      };
      if (this.#isEnded) return over();
      if (event !== "error") this.#add("error", reject as AnyListener, true);
      if (event !== "end") this.#add("end", over, true);
      const heard = (...args: unknown[]) => {
        if (event !== "error") this.off("error", reject as never);
        this.off("end", over as never);
        resolve((args.length > 1 ? args : args[0]) as Value);
      };
      this.#add(event, heard, true);
    });
    return emitted;
  }

  /** Every such event, to be iterated. */
  events<Name extends keyof Events>(event: Name): AsyncIterableIterator<EventParameters<Events, Name>> {
    return this._createIterator<EventParameters<Events, Name>>((push) => {
      const heard = (...args: unknown[]) => push(args as EventParameters<Events, Name>);
      this.#add(event, heard, false);
      return () => this.off(event, heard as never);
    }, event);
  }

  #add(event: keyof Events, listener: AnyListener, once: boolean): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), { listener, once }]);
    return this;
  }

  // ---- For the classes made of it ------------------------------------------------------------------------------------

  /** Does the work in the background, and ends. */
  protected _run(work: () => Promise<unknown>): void {
    setTimeout(async () => {
      try {
        await work();
        this._emitFinal();
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#emit("end", []);
    }, 0);
  }

  /** Says what there is to say at a good end. */
  protected _emitFinal(): void {}

  protected _connected(): void {
    this.#emit("connect", []);
  }

  protected _emit<Name extends keyof Events>(event: Name, ...args: EventParameters<Events, Name>): void {
    this.#emit(event, args);
  }

  /** Aborts with the caller's signal. */
  protected _listenForAbort(signal: AbortSignal | null | undefined): void {
    if (!signal || this.#isEnded) return;
    const leave = () => this.controller.abort(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    this.#unlink.push(() => signal.removeEventListener("abort", leave));
  }

  /** The error of an abort, with its reason. */
  protected _userAbortError(): APIUserAbortError {
    const { reason } = this.controller.signal;
    return Object.defineProperty(new APIUserAbortError(), "cause", { value: reason, configurable: true });
  }

  /**
   * Iterates what a listener pushes, up to the end; rejects with what went wrong.
   * @param attach adds the listener, and gives what removes it
   * @param wanted the event that is iterated: an error that is asked for is an item
   * @param onReturn is called when the loop is left early
   */
  protected _createIterator<Item>(
    attach: (push: (item: Item) => void) => () => void,
    wanted?: keyof Events,
    onReturn: () => void = () => {},
  ): AsyncIterableIterator<Item> {
    const held: Item[] = [];
    let waiting: { resolve: (result: IteratorResult<Item>) => void; reject: (error: Error) => void }[] = [];
    let isOver = false;
    let isTold = false;
    const over: IteratorReturnResult<undefined> = { done: true, value: undefined };
    const failure = () => (this.#failure?.name === wanted ? undefined : this.#failure?.error);
    const detach = attach((item) => {
      const reader = waiting.shift();
      if (reader) reader.resolve({ done: false, value: item });
      else if (held.length < MAX_HELD) held.push(item);
      else {
        this.#fail(
          new OpenAIError(`An iterator holds ${MAX_HELD} events that nobody has read: read them as they come.`),
        );
        this.controller.abort();
      }
    });
    const finish = () => {
      isOver = true;
      detach();
      this.off("end", finish as never);
      const error = failure();
      for (const [at, { resolve, reject }] of waiting.entries()) {
        if (at === 0 && error && !isTold) {
          isTold = true;
          reject(error);
        } else resolve(over);
      }
      waiting = [];
    };
    if (this.#isEnded) isOver = true;
    else this.#add("end", finish, false);
    return {
      next: () => {
        const item = held.shift();
        if (item !== undefined) return Promise.resolve({ done: false, value: item });
        const error = failure();
        if (isOver && error && !isTold) {
          isTold = true;
          return Promise.reject(error);
        }
        if (isOver) return Promise.resolve(over);
        this.#isAwaited = true;
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
      return: () => {
        held.length = 0;
        isTold = true;
        finish();
        this.#isAwaited = true; // what comes of leaving is no news
        onReturn();
        return Promise.resolve(over);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #fail(thrown: unknown): void {
    const isAbort = thrown instanceof APIUserAbortError || (thrown as Error)?.name === "AbortError";
    if (isAbort) {
      const error = thrown instanceof APIUserAbortError ? thrown : this._userAbortError();
      this.#endBadly("abort", error);
    } else if (thrown instanceof OpenAIError) this.#endBadly("error", thrown);
    else {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      this.#endBadly("error", new OpenAIError(message, thrown instanceof Error ? { cause: thrown } : undefined));
    }
  }

  /** Ends badly. */
  #endBadly(name: "error" | "abort", error: Error): void {
    if (this.#isEnded) return;
    this.#failure ??= { name, error };
    const isHeard = (this.#listeners.get(name)?.length ?? 0) > 0;
    try {
      this.#emit(name, [error]);
    } finally {
      if (!this.#isAwaited && !isHeard) Promise.reject(error);
      this.#settle.reject(error);
      this.#emit("end", []);
    }
  }

  #emit(event: keyof Events, args: unknown[]): void {
    if (this.#isEnded) return;
    if (event === "end") {
      this.#isEnded = true;
      for (const unlink of this.#unlink) unlink();
      this.#settle.resolve();
    }
    const listening = this.#listeners.get(event);
    if (!listening) return;
    const lasting = listening.filter(({ once }) => !once);
    if (lasting.length < listening.length) this.#listeners.set(event, lasting);
    for (const { listener } of listening) listener(...args);
  }
}
