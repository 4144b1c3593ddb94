/** One turn of the conversation as the page shows it. Drawing only: nothing here asks, sends or decides. */
import type { ChatEvent, Outcome } from "chatwire";
import { withoutOverrides } from "../markdown/links.ts";
import { Markdown } from "../markdown/markdown.ts";
import { announce } from "../page/announce.ts";
import { copy } from "../page/copy.ts";
import { COPY_ICON } from "../page/copy-button.ts";
import { button, create } from "../page/dom.ts";
import { icon } from "../page/draw.ts";
import { nextTask } from "../page/idle.ts";
import { number } from "../page/numbers.ts";
import { Painter } from "../page/paint.ts";
import type { Advice } from "./advice.ts";
import { type Answer, resultOf, type ShownCall, type Step, unanswered } from "./conversation.ts";
import { factItems, factsOf } from "./facts.ts";

/** How much of a question, of a tool's arguments or of its result is shown, in UTF-16 units, until its reader asks for all of it. */
const MOST_SHOWN = 4000;
/** How much of what a model thought. */
const MOST_THOUGHT = 60_000;

const moreButton = (hidden: number, act: () => void): HTMLButtonElement =>
  button(`Show all (${number(hidden)} more characters)`, "chip more", act);

/** The user's message. */
export function userTurn(text: string): HTMLElement {
  const article = create("article", "turn user");
  article.ariaLabel = "You";
  const words = create("p", "words", withoutOverrides(text.slice(0, MOST_SHOWN)));
  words.dir = "auto";
  article.append(words);
  if (text.length > MOST_SHOWN) {
    const more = moreButton(text.length - MOST_SHOWN, () => {
      words.textContent = withoutOverrides(text);
      more.remove();
    });
    article.append(more);
  }
  return article;
}

/** A remark in the flow of an answer: something was put right, lost or found again. */
function noticeOf(sign: string, text: string, detail: string): HTMLElement {
  const notice = create("div", "notice");
  const line = create("p");
  const mark = create("span", "sign", sign);
  mark.ariaHidden = "true";
  line.append(mark, ` ${text}`);
  notice.append(line);
  if (detail) notice.append(create("p", "detail", detail));
  return notice;
}

/** One request's share of an answer: thinking, words, tool calls. */
class Part {
  readonly element = create("div", "part");
  readonly step: Step = { reasoning: "", text: "", isFiller: false, calls: [] };
  readonly calls = new Map<number | string, ShownCall>();
  /** Calls whose arguments are all there. */
  readonly #done = new Set<ShownCall>();
  /** Calls of which all is shown, however long. */
  readonly #whole = new Set<ShownCall>();
  readonly markdown: Markdown;
  #thinking: { box: HTMLDetailsElement; summary: HTMLElement; words: HTMLElement } | undefined;
  #thought = MOST_THOUGHT;
  #moreThoughts: HTMLButtonElement | undefined;
  #tools: HTMLElement | undefined;

  constructor(onPaint: () => void) {
    this.markdown = new Markdown(onPaint);
    this.element.append(this.markdown.element);
  }

  /** The arguments of a call are all there. */
  done(id: string, call: ShownCall): void {
    this.calls.set(id, call);
    this.#done.add(call);
  }

  paint(isLive: boolean): void {
    const { reasoning, text, isFiller } = this.step;
    if (reasoning) this.#paintThinking(isLive && !text);
    this.markdown.update(text, isLive);
    this.element.classList.toggle("filler", isFiller);
    this.step.calls = [...this.calls.values()];
    if (this.calls.size > 0) this.#paintTools(isLive);
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
    const { summary, words } = this.#thinking;
    summary.textContent = isThinking ? "Thinking …" : "Thoughts";
    const { reasoning } = this.step;
    const text = withoutOverrides(reasoning.slice(0, this.#thought));
    this.#moreThoughts?.remove();
    if (reasoning.length > this.#thought) {
      this.#moreThoughts = moreButton(reasoning.length - this.#thought, () => {
        this.#thought = Number.POSITIVE_INFINITY;
        this.#paintThinking(false);
      });
      words.after(this.#moreThoughts);
    }
    const { firstChild } = words;
    if (firstChild instanceof Text && text.startsWith(firstChild.data))
      firstChild.appendData(text.slice(firstChild.data.length));
    else words.textContent = text;
  }

  #shown(call: ShownCall, text: string): string {
    return withoutOverrides(this.#whole.has(call) ? text : text.slice(0, MOST_SHOWN));
  }

  #paintTools(isLive: boolean): void {
    if (!this.#tools) {
      this.#tools = create("ul", "tools");
      this.#tools.ariaLabel = "Tool calls";
      this.element.append(this.#tools);
    }
    for (const [i, call] of [...this.calls.values()].entries()) {
      const line = this.#tools.children[i] ?? this.#tools.appendChild(create("li"));
      const [name, args] = [
        create("code", "name", call.name),
        create("code", "arguments", this.#shown(call, call.arguments)),
      ];
      const isArriving = call.result === null && isLive && !this.#done.has(call);
      const state = isArriving ? create("span", "state", "arguments arriving") : "";
      line.replaceChildren(name, " ", args, " ", state);
      if (call.result !== null) line.append(create("code", "result", this.#shown(call, call.result)));
      const hidden = [call.arguments, call.result ?? ""].reduce(
        (sum, { length }) => sum + Math.max(0, length - MOST_SHOWN),
        0,
      );
      if (hidden === 0 || this.#whole.has(call)) continue;
      line.append(
        moreButton(hidden, () => {
          this.#whole.add(call);
          this.#paintTools(isLive);
        }),
      );
    }
  }
}

/** The actions for an answer that is over. */
export interface AnswerActions {
  again(): void;
  edit(): void;
  goOn(): void;
  code(): void;
}

/** The model's text, growing. */
export class AnswerView {
  readonly element = create("article", "turn answer");
  readonly #parts = create("div", "parts");
  readonly #below = create("div", "below");
  readonly #facts = create("ul", "facts");
  readonly #painter: Painter;
  readonly #answer: Answer;
  readonly #onPaint: () => void;
  #part: Part | undefined;
  #isLive = true;
  /** The words were cut to those that were heard. */
  #isHeard = false;

  /** Shows `answer`, and keeps it up to date. `onPaint` is told after each update of the page. */
  constructor(answer: Answer, onPaint: () => void) {
    this.#answer = answer;
    this.#onPaint = onPaint;
    this.#painter = new Painter(() => {
      this.#part?.paint(this.#isLive);
      onPaint();
    });
    this.element.ariaLabel = "Answer";
    this.element.ariaBusy = "true";
    this.#facts.ariaLabel = "Facts";
    this.element.append(this.#parts, this.#below, this.#facts);
  }

  /** An answer of before. */
  static of(answer: Answer, actions: AnswerActions): AnswerView {
    const view = new AnswerView(answer, () => {});
    for (const step of answer.steps) {
      const part = new Part(() => {});
      Object.assign(part.step, step);
      for (const [i, call] of step.calls.entries()) part.calls.set(i, call);
      part.paint(false);
      view.#parts.append(part.element);
    }
    if (answer.note) view.#below.append(create("p", "note", answer.note));
    if (answer.problem)
      view.#below.append(
        problemBox(answer.problem.name, answer.problem.title, answer.problem.text, answer.problem.detail),
      );
    view.#offer(actions);
    return view;
  }

  /** Whether anything was said so far. */
  get isEmpty(): boolean {
    return !this.#answer.steps.some(({ text, reasoning, calls }) => text || reasoning || calls.length > 0);
  }

  /** All that was said. */
  get text(): string {
    return this.#answer.steps
      .map(({ text }) => text)
      .filter(Boolean)
      .join("\n\n");
  }

  /** Puts an element below the words, such as the status line. */
  attach(element: HTMLElement): void {
    this.#below.append(element);
  }

  start(): void {
    this.#part?.paint(false);
    this.#part = new Part(this.#onPaint);
    this.#answer.steps.push(this.#part.step);
    this.#parts.append(this.#part.element);
    this.#painter.request();
  }

  event(event: ChatEvent): void {
    const part = this.#part;
    if (!part || event.choice !== 0) return;
    switch (event.type) {
      case "text":
      case "refusal":
        part.step.text += event.text;
        break;
      case "reasoning":
        part.step.reasoning += event.text;
        break;
      case "filler":
        part.step.isFiller = true;
        break;
      case "tool_call.start":
        part.calls.set(event.index, { name: event.name, arguments: "", result: null });
        break;
      case "tool_call.delta": {
        const call = part.calls.get(event.index);
        if (call) call.arguments += event.arguments;
        break;
      }
      case "tool_call.done": {
        const call = part.calls.get(event.index);
        part.calls.delete(event.index);
        part.done(event.id, { name: event.name, arguments: event.arguments, result: call?.result ?? null });
        break;
      }
      default:
        return;
    }
    this.#painter.request();
  }

  /** Puts a notice where the answer has come to. */
  notice(sign: string, text: string, detail = ""): void {
    this.#painter.flush();
    (this.#part?.markdown.element ?? this.#parts).append(noticeOf(sign, text, detail));
    announce(text);
  }

  end(outcome: Outcome): void {
    this.#answer.results.push(resultOf(outcome));
    // The outcome knows better than its events: a part that turned out to be reasoning is reasoning there.
    if (this.#part && !this.#isHeard) {
      this.#part.step.text = outcome.text || this.#part.step.text;
      this.#part.step.reasoning = outcome.reasoning || this.#part.step.reasoning;
    }
    this.#painter.request();
  }

  /** The request under way has no answer. */
  unanswered(status: "error" | "aborted"): void {
    this.#answer.results.push(unanswered(status));
  }

  heard(text: string): void {
    this.#isHeard = true;
    if (this.#part) this.#part.step.text = text;
    this.#painter.request();
  }

  toolResult(id: string, result: string): void {
    const call = this.#part?.calls.get(id);
    if (call) call.result = result;
    this.#painter.request();
  }

  /** Asks whether a tool may run. The answer's end is a no. */
  approve(name: string, args: string, signal: AbortSignal): Promise<boolean> {
    const box = create("div", "approval");
    box.setAttribute("role", "group");
    box.ariaLabel = `The model wants to use ${name}`;
    const words = create(
      "p",
      "",
      `The model wants to use ${name} with ${args.slice(0, MOST_SHOWN)}. The tool would change this page.`,
    );
    this.#painter.flush();
    this.#below.prepend(box);
    announce(words.textContent ?? "");
    return new Promise((resolve) => {
      const settle = (may: boolean) => {
        box.remove();
        resolve(may);
      };
      const allow = button("Allow", "chip strong", () => settle(true));
      box.append(
        words,
        allow,
        button("Do not", "chip", () => settle(false)),
      );
      signal.addEventListener("abort", () => settle(false), { once: true });
      // The buttons come next. A visitor who is writing must not press one of them with the next word.
      box.tabIndex = -1;
      this.#onPaint();
      const { activeElement } = document;
      if (!(activeElement instanceof HTMLTextAreaElement && activeElement.value)) box.focus();
    });
  }

  /** A remark below the answer. */
  note(text: string): void {
    this.#answer.note = text;
    this.#below.append(create("p", "note", text));
  }

  /** Shows what went wrong; `retry` asks again, with the token the user entered when one was wanted. */
  fail(advice: Advice, retry: (token?: string) => void): void {
    const { name, title, text, detail = null } = advice;
    this.#answer.problem = { name, title, text, detail };
    const box = problemBox(name, title, text, detail);
    box.setAttribute("role", "alert");
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
    const again = create("button", "chip strong", "Try again");
    form.append(again);
    form.addEventListener("submit", (submit) => {
      submit.preventDefault();
      retry(token?.value);
    });
    box.append(form);
    if (advice.retryAt) countDown(again, advice.retryAt);
    this.#below.append(box);
  }

  /** The answer is over: draws what is left, the facts, and what can be done now. */
  async finish(actions: AnswerActions): Promise<void> {
    await nextTask();
    this.#isLive = false;
    this.#painter.request();
    this.#painter.flush();
    await this.#part?.markdown.whole();
    this.#offer(actions);
  }

  #offer(actions: AnswerActions): void {
    this.element.ariaBusy = null;
    this.#facts.replaceChildren(...factItems(factsOf(this.#answer.results)));
    const last = this.#answer.results.at(-1);
    const act = (path: string, label: string, run: (control: HTMLElement) => void) => {
      const item = create("li");
      const control = button(label, "chip", () => run(control));
      control.prepend(icon(path));
      item.append(control);
      this.#facts.append(item);
    };
    if (this.text) act(COPY_ICON, "copy", (control) => void copy(this.text, control));
    act("M20 12a8 8 0 1 1-3-6.2M20 3v5h-5", "again", () => actions.again());
    act("M4 20l1-5L16 4l4 4L9 19z", "edit", () => actions.edit());
    const isCut = last && (last.status !== "complete" || last.finishReason === "length");
    if (isCut && this.text) act("M5 5v14l11-7z", "continue", () => actions.goOn());
    act("M8 6l-6 6 6 6M16 6l6 6-6 6", "code", () => actions.code());
  }
}

function problemBox(name: string, title: string, text: string, detail: string | null): HTMLElement {
  const box = create("div", "problem");
  const details = create("p", "detail");
  details.append(create("code", "", name), detail ? ` ${detail}` : "");
  box.append(create("h2", "", title), create("p", "", text), details);
  return box;
}

/** Keeps a button off until the server wants to be asked again. */
function countDown(control: HTMLButtonElement, retryAt: number): void {
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  control.disabled = seconds > 0;
  control.textContent = seconds > 0 ? `Try again in ${seconds} s` : "Try again";
  if (seconds > 0 && control.isConnected !== false) setTimeout(() => countDown(control, retryAt), 250);
}
