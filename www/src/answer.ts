/** One turn of the conversation as the page shows it. Drawing only: nothing here asks, sends or decides. */
import type { ChatEvent, Outcome } from "chatwire";
import type { Advice } from "./advice.ts";
import { Markdown } from "./markdown.ts";
import { Meter } from "./meter.ts";
import { Painter } from "./paint.ts";

/** What the user said. */
export function userTurn(text: string): HTMLElement {
  const article = create("article", "turn user");
  article.ariaLabel = "You";
  const words = create("p", "words", text);
  words.dir = "auto";
  article.append(words);
  return article;
}

interface Call {
  name: string;
  arguments: string;
  result: string | null;
}

/** One request's share of an answer: thinking, words, tool calls. */
class Part {
  readonly element = create("div", "part");
  reasoning = "";
  text = "";
  readonly calls = new Map<number | string, Call>();
  readonly #markdown = new Markdown();
  #thinking: { box: HTMLDetailsElement; summary: HTMLElement; words: HTMLElement } | undefined;
  #tools: HTMLElement | undefined;

  constructor() {
    this.element.append(this.#markdown.element);
  }

  paint(isLive: boolean): void {
    if (this.reasoning) this.#paintThinking(isLive && !this.text);
    this.#markdown.update(this.text);
    if (this.calls.size > 0) this.#paintTools();
  }

  #paintThinking(isThinking: boolean): void {
    if (!this.#thinking) {
      const box = create("details", "thinking");
      const summary = create("summary");
      const words = create("p", "words");
      words.dir = "auto";
      box.append(summary, words);
      this.element.prepend(box);
      this.#thinking = { box, summary, words };
    }
    this.#thinking.summary.textContent = isThinking ? "Thinking …" : "Thoughts";
    this.#thinking.words.textContent = this.reasoning;
  }

  #paintTools(): void {
    if (!this.#tools) {
      this.#tools = create("ul", "tools");
      this.#tools.ariaLabel = "Tool calls";
      this.element.append(this.#tools);
    }
    const lines = [...this.calls.values()].map((call) => {
      const line = create("li");
      line.append(create("code", "call", `${call.name}(${call.arguments})`));
      if (call.result !== null) line.append(create("code", "result", call.result));
      return line;
    });
    this.#tools.replaceChildren(...lines);
  }
}

/** What the model says, growing. */
export class AnswerView {
  readonly element = create("article", "turn answer");
  readonly #parts = create("div", "parts");
  readonly #meterLine = create("p", "meter");
  readonly #meter = new Meter();
  readonly #painter: Painter;
  #part: Part | undefined;
  #isLive = true;

  /** `onPaint` is told after each update of the page. */
  constructor(onPaint: () => void) {
    this.#painter = new Painter(() => {
      this.#paint();
      onPaint();
    });
    this.element.ariaLabel = "Answer";
    this.element.ariaBusy = "true";
    this.element.append(this.#parts, this.#meterLine);
  }

  /** Whether anything was said so far. */
  get isEmpty(): boolean {
    return !this.#part?.text && !this.#part?.reasoning && !this.#part?.calls.size && this.#parts.childElementCount < 2;
  }

  start(): void {
    this.#meter.start();
    this.#part?.paint(false);
    this.#part = new Part();
    this.#parts.append(this.#part.element);
    this.#painter.request();
  }

  event(event: ChatEvent): void {
    const part = this.#part;
    if (!part || event.choice !== 0) return;
    switch (event.type) {
      case "text":
      case "refusal":
        part.text += event.text;
        this.#meter.piece();
        break;
      case "reasoning":
        part.reasoning += event.text;
        this.#meter.piece();
        break;
      case "tool_call.start":
        part.calls.set(event.index, { name: event.name, arguments: "", result: null });
        break;
      case "tool_call.delta": {
        const call = part.calls.get(event.index);
        if (call) call.arguments += event.arguments;
        this.#meter.piece();
        break;
      }
      case "tool_call.done": {
        const call = part.calls.get(event.index);
        part.calls.delete(event.index);
        part.calls.set(event.id, { name: event.name, arguments: event.arguments, result: call?.result ?? null });
        break;
      }
      default:
        return;
    }
    this.#painter.request();
  }

  end(outcome: Outcome): void {
    this.#meter.end(outcome);
    if (outcome.status === "complete" && outcome.finishReason === "length") this.note("Cut at the token limit.");
    this.#painter.request();
  }

  heard(text: string): void {
    if (this.#part) this.#part.text = text;
    this.#painter.request();
  }

  toolResult(id: string, result: string): void {
    const call = this.#part?.calls.get(id);
    if (call) call.result = result;
    this.#painter.request();
  }

  /** A remark below the answer. */
  note(text: string): void {
    this.element.insertBefore(create("p", "note", text), this.#meterLine);
  }

  /** Shows what went wrong; `retry` asks again, with the token the user entered when one was wanted. */
  fail(advice: Advice, retry: (token?: string) => void): void {
    const box = create("div", "problem");
    box.setAttribute("role", "alert");
    box.append(create("h3", "", advice.title), create("p", "", advice.text));
    const form = create("form");
    let token: HTMLInputElement | undefined;
    if (advice.wantsToken) {
      token = create("input");
      token.type = "password";
      token.autocomplete = "off";
      token.required = true;
      token.ariaLabel = "Access token";
      form.append(token);
    }
    const button = create("button", "", "Try again");
    form.append(button);
    form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      retry(token?.value);
    });
    const detail = create("p", "detail");
    detail.append(create("code", "", advice.name), advice.detail ? ` ${advice.detail}` : "");
    box.append(detail, form);
    if (advice.retryAt) countDown(button, advice.retryAt);
    this.element.insertBefore(box, this.#meterLine);
  }

  /** The answer is over: draws what is left and the final measurements. */
  finish(): void {
    this.#isLive = false;
    this.element.ariaBusy = null;
    this.#painter.request();
    this.#painter.flush();
  }

  #paint(): void {
    this.#part?.paint(this.#isLive);
    this.#meterLine.replaceChildren(...this.#meter.phrases(this.#isLive).map((phrase) => create("span", "", phrase)));
  }
}

/** Keeps a button off until the server wants to be asked again. */
function countDown(button: HTMLButtonElement, retryAt: number): void {
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  button.disabled = seconds > 0;
  button.textContent = seconds > 0 ? `Try again in ${seconds} s` : "Try again";
  if (seconds > 0) setTimeout(() => countDown(button, retryAt), 250);
}

function create<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  text = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
