/**
 * The status line of an answer under way: it always says what is being waited for, how long, and until when.
 *
 * The view is fed by the client's hooks and by the answer's events, and draws itself four times a second.
 */
import type { Hooks } from "chatwire";
import { announce } from "../page/announce.ts";
import { button, create } from "../page/dom.ts";

/** The event that the page waits for. Times are on the clock of `performance.now()`. */
type State =
  | { kind: "connecting"; since: number; attempt: number }
  | { kind: "held"; until: number; reason: "cooldown" | "limits" }
  | { kind: "retrying"; until: number; reason: string }
  | { kind: "thinking"; since: number }
  | { kind: "streaming"; last: number; since: number; pieces: number }
  | { kind: "lost"; until: number; attempt: number }
  | { kind: "resumed"; since: number }
  | { kind: "approval"; name: string }
  | { kind: "speaking" };

/** How long without a new piece counts as silence, in milliseconds. */
const SILENCE = 2500;
/** How long the good news of a resumed answer stays, in milliseconds. */
const GOOD_NEWS = 2500;

/** Until when an answer may keep silent, in milliseconds: the client's own defaults. */
export interface Patience {
  firstToken: number;
  idle: number;
}

/** Names of refusals, in words. */
const REASONS: Readonly<Record<string, string>> = {
  RateLimitError: "refused (429)",
  InternalServerError: "the server had trouble",
  APIConnectionError: "the server was not reached",
  APIConnectionTimeoutError: "the server did not answer in time",
  ConflictError: "the server was busy",
};

export class Progress {
  readonly element = create("p", "progress");
  readonly #words = create("span");
  readonly #now: HTMLButtonElement;
  readonly #patience: Patience;
  #state: State = { kind: "connecting", since: performance.now(), attempt: 1 };
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `askNow` ends a wait before its time. */
  constructor(patience: Patience, askNow: () => void) {
    this.#patience = patience;
    this.#now = button("now", "chip now", askNow);
    this.#now.ariaLabel = "Ask again now";
    this.element.append(this.#words, this.#now);
    this.#timer = setInterval(() => this.#draw(), 250);
    this.#draw();
  }

  /** The hooks for a client of this answer. */
  readonly hooks: Required<Pick<Hooks, "onRequest" | "onResponse" | "onRetry" | "onWait" | "onResume" | "onResumed">> =
    {
      onRequest: ({ attempt }) => this.#enter({ kind: "connecting", since: performance.now(), attempt }),
      onResponse: ({ status }) => {
        if (status < 300 && this.#state.kind === "connecting")
          this.#enter({ kind: "thinking", since: performance.now() });
      },
      onRetry: ({ delay, reason }) => this.#enter({ kind: "retrying", until: performance.now() + delay, reason }),
      onWait: ({ delay, reason }) => this.#enter({ kind: "held", until: performance.now() + delay, reason }),
      onResume: ({ attempt, delay }) => this.#enter({ kind: "lost", until: performance.now() + delay, attempt }),
      onResumed: () => this.#enter({ kind: "resumed", since: performance.now() }),
    };

  /** A piece of the answer has come. */
  piece(): void {
    const now = performance.now();
    if (this.#state.kind === "streaming") {
      this.#state.last = now;
      this.#state.pieces++;
    } else if (this.#state.kind !== "resumed" || now - this.#state.since > GOOD_NEWS) {
      this.#enter({ kind: "streaming", last: now, since: now, pieces: 0 });
    }
  }

  /** A tool waits for the visitor's leave. */
  approval(name: string): void {
    this.#enter({ kind: "approval", name });
  }

  /** All of the answer is there, and is still being read aloud. */
  speaking(): void {
    this.#enter({ kind: "speaking" });
  }

  /** The answer is over. */
  end(): void {
    clearInterval(this.#timer);
    this.element.remove();
  }

  #enter(state: State): void {
    const before = this.#state.kind;
    this.#state = state;
    this.#draw();
    // Those who do not see the page hear what is out of the ordinary, once.
    const isOdd = ["held", "retrying", "lost", "resumed"].includes(state.kind);
    if (isOdd && (state.kind !== before || state.kind === "retrying")) announce(this.#words.textContent ?? "");
  }

  #draw(): void {
    const state = this.#state;
    const text = this.#sentence(state, performance.now());
    if (this.#words.textContent !== text) this.#words.textContent = text;
    this.#now.hidden = state.kind !== "retrying" && state.kind !== "held";
    this.element.dataset.kind = state.kind;
  }

  #sentence(state: State, now: number): string {
    switch (state.kind) {
      case "connecting": {
        const again = state.attempt > 1 ? `, try ${state.attempt}` : "";
        return `Connecting${again}${after(now - state.since)}`;
      }
      case "held": {
        const why = state.reason === "limits" ? "The plan's limits are used up" : "The server has asked to wait";
        return `${why}: asked in ${seconds(state.until - now)} s`;
      }
      case "retrying":
        return `${sentence(REASONS[state.reason] ?? state.reason)}, asked again in ${seconds(state.until - now)} s`;
      case "thinking": {
        const waited = now - state.since;
        const limit = waited > SILENCE ? `, gives up at ${seconds(this.#patience.firstToken)} s` : "";
        return `Connected, waiting for the first word${after(waited)}${limit}`;
      }
      case "streaming": {
        const silent = now - state.last;
        if (silent > SILENCE) return `Silent for ${seconds(silent)} s, gives up at ${seconds(this.#patience.idle)} s`;
        const time = (state.last - state.since) / 1000;
        return time > 0.3 ? `Answering, ≈ ${Math.round(state.pieces / time)} tokens/s` : "Answering";
      }
      case "lost":
        return `Connection lost, try ${state.attempt}${state.until - now > 500 ? ` in ${seconds(state.until - now)} s` : ""}`;
      case "resumed":
        return "Resumed, nothing lost";
      case "approval":
        return `Waiting for your answer: may ${state.name} run?`;
      default:
        return "Speaking";
    }
  }
}

const seconds = (ms: number): number => Math.max(0, Math.ceil(ms / 1000 - 0.2));
const after = (ms: number): string => (ms > 1000 ? ` for ${Math.floor(ms / 1000)} s` : " …");
const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
