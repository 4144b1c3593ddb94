/**
 * The conversation: what the visitor does becomes questions, what comes of them becomes turns.
 *
 * This file knows the log and the answer under way. Fields, buttons and the inspector are told.
 */
import type { ChatCompletionMessageParam, ChatEvent, ChatStream, Outcome } from "chatwire";
import { announce } from "../page/announce.ts";
import { create } from "../page/dom.ts";
import { nextTask } from "../page/idle.ts";
import { number } from "../page/numbers.ts";
import { sliced } from "../page/slices.ts";
import { Speech } from "../voice/speech.ts";
import type { Advice } from "./advice.ts";
import { type AnswerActions, AnswerView, userTurn } from "./answer-view.ts";
import {
  type Answer,
  type Conversation,
  history,
  isLeftOut,
  newAnswer,
  newConversation,
  type Turn,
} from "./conversation.ts";
import type { Listener, Question } from "./exchange.ts";
import { Progress } from "./progress.ts";
import { nameOfRepair } from "./repairs.ts";
import type * as Store from "./store.ts";

/** The settings that a question is asked with. */
export type QuestionSettings = Omit<Question, "speech" | "signal">;

/** The parts of the page that the conversation needs. */
export interface TalkHost {
  log: HTMLElement;
  /** How to ask now. `progress` hears what the client does; `isFresh` wants an account that nothing is known of. */
  settingsOf(progress: Progress, isFresh: boolean): QuestionSettings;
  isSpoken(): boolean;
  /** An answer is under way, or over. */
  running(isRunning: boolean): void;
  /** The content has changed. Answers keep it: it must hold on to nothing of one question. */
  grown: () => void;
  /** The conversation is another one, or has another first message. */
  changed(conversation: Conversation): void;
  asked(settings: QuestionSettings): void;
  opened(stream: ChatStream): void;
  event(event: ChatEvent): void;
  ended(status: Outcome["status"]): void;
  useToken(token: string): void;
  edit(text: string): void;
  code(): void;
  /** Says something, and offers to take the last change back. */
  undoable(what: string, undo?: () => void): void;
}

/** Where an answer comes from: what it says goes to a listener, and what is kept of it to the messages. */
type Source = (
  messages: ChatCompletionMessageParam[],
  listener: Listener,
  own: { speech: Speech | undefined; signal: AbortSignal; progress: Progress },
) => Promise<void>;

/** Fetched when there is something to keep. */
const store = (): Promise<typeof Store> => import("./store.ts");

/** How many turns of a long conversation are drawn at once. */
const FIRST_DRAWN = 6;

/** Milliseconds from one time to the next that an answer is kept which is still coming. */
const KEEP_INTERVAL = 3000;

const BUSY = "An answer is under way: stop it first.";

/** The reason of an abort that asks again at once. */
const NOW = Symbol("now");

/** The client's own patience with a server, in milliseconds, as its documentation has it. */
const PATIENCE = { firstToken: 300_000, idle: 120_000 };

export class Talk {
  readonly #host: TalkHost;
  #conversation = newConversation();
  /** The deleted conversations, by id: the answer that was under way in one ends later, and must not bring it back. */
  readonly #gone = new Set<string>();
  #running: { controller: AbortController; speech: Speech | undefined; done: Promise<void> } | undefined;

  constructor(host: TalkHost) {
    this.#host = host;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Whether an answer is being read aloud. */
  get isSpeaking(): boolean {
    return this.#running?.speech?.isSpeaking ?? false;
  }

  get conversation(): Conversation {
    return this.#conversation;
  }

  /** Asks a question. Gives whether it was taken. */
  ask(text: string): boolean {
    const question = text.trim();
    if (this.#running || !question) return false;
    const turn: Turn = { question, answers: [] };
    this.#conversation.turns.push(turn);
    this.#draw(this.#conversation.turns.length - 1);
    this.#host.changed(this.#conversation);
    void this.#answer(turn, this.#source(false));
    return true;
  }

  /** Resolves once no answer is under way. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running.done;
  }

  /** Shows a recorded stream as the answer to a question that names it. */
  replay(name: string, open: () => ChatStream): void {
    if (this.isBusy()) return;
    const turn: Turn = { question: `Recording ${name}`, answers: [] };
    this.#conversation.turns.push(turn);
    this.#draw(this.#conversation.turns.length - 1);
    this.#host.changed(this.#conversation);
    void this.#answer(turn, async (messages, listener, { signal }) => {
      listener.start();
      const stream = open();
      try {
        for await (const event of sliced(stream.events)) {
          if (signal.aborted) break;
          listener.event(event);
        }
      } finally {
        const outcome = await stream.outcome();
        if (outcome.message) messages.push(outcome.message);
        listener.end(outcome);
      }
    });
  }

  /** Ends the answer under way. */
  stop(): void {
    this.#running?.controller.abort();
  }

  /** Whether an answer is under way; if so, the visitor is told. */
  isBusy(): boolean {
    if (this.#running) this.#host.undoable(BUSY);
    return this.#running !== undefined;
  }

  /** Reads nothing more aloud; the answer goes on. */
  mute(): void {
    this.#running?.speech?.mute();
  }

  /** Puts another conversation in the place of this one. */
  show(conversation: Conversation = newConversation()): void {
    this.stop();
    this.#running = undefined;
    this.#conversation = conversation;
    this.#drawAll();
    this.#host.running(false);
    this.#host.changed(conversation);
  }

  /** Forgets a conversation, until that is undone. */
  remove(conversation: Conversation): void {
    const isShown = conversation.id === this.#conversation.id;
    const gone = isShown ? this.#conversation : conversation;
    this.#gone.add(gone.id);
    if (isShown) this.show();
    void store()
      .then(({ forget }) => forget(gone.id))
      .catch(() => {});
    this.#host.undoable("Conversation deleted.", () => {
      this.#gone.delete(gone.id);
      this.#keep(gone);
      this.show(gone);
    });
  }

  /** Keeps a conversation as it is now. */
  #keep(conversation: Conversation): void {
    if (this.#gone.has(conversation.id)) return;
    void store()
      .then(({ save }) => save(conversation))
      .catch(() => this.#host.undoable("The browser did not keep this conversation: it may have no room for it."));
  }

  #drawAll(): void {
    const { turns } = this.#conversation;
    const boxes = turns.map(() => create("div", "exchange"));
    this.#host.log.replaceChildren(...boxes);
    // The last ones are seen first. Those above them are drawn a few at a time, so that the page answers meanwhile.
    let next = turns.length - 1;
    const drawSome = (count: number) => {
      for (let n = 0; n < count && next >= 0; n++, next--) this.#fill(boxes[next] as HTMLElement, turns[next] as Turn);
      this.#host.grown();
      const isShown = boxes[0]?.parentElement === this.#host.log;
      if (next >= 0 && isShown) setTimeout(() => drawSome(2));
    };
    drawSome(FIRST_DRAWN);
  }

  /** Draws a turn below what is there. */
  #draw(i: number): HTMLElement {
    const box = create("div", "exchange");
    this.#fill(box, this.#conversation.turns[i] as Turn);
    this.#host.log.append(box);
    return box;
  }

  #fill(box: HTMLElement, turn: Turn): void {
    box.append(userTurn(turn.question));
    for (const [n, answer] of turn.answers.entries()) {
      const { element } = AnswerView.of(answer, this.#actions(turn, answer));
      box.append(n < turn.answers.length - 1 ? earlier(answer, element) : element);
    }
    box.classList.toggle("left-out", isLeftOut(turn));
  }

  #boxOf(turn: Turn): HTMLElement {
    return this.#host.log.children[this.#conversation.turns.indexOf(turn)] as HTMLElement;
  }

  #actions(turn: Turn, answer: Answer): AnswerActions {
    return {
      again: () => this.#again(turn),
      edit: () => this.#edit(turn),
      goOn: () => void (answer === turn.answers.at(-1) && this.ask("Continue exactly where you stopped.")),
      code: () => this.#host.code(),
    };
  }

  /** Takes the turns after one away; `undo` brings them back. */
  #cutAfter(turn: Turn, isIncluded: boolean, what: string): boolean {
    if (this.isBusy()) return false;
    const conversation = this.#conversation;
    const { turns } = conversation;
    const from = turns.indexOf(turn) + (isIncluded ? 0 : 1);
    const gone = turns.splice(from);
    for (const box of [...this.#host.log.children].slice(from)) box.remove();
    if (gone.length === 0) return true;
    this.#host.undoable(what, () => {
      turns.splice(from, turns.length - from, ...gone);
      this.show(conversation);
      this.#keep(conversation);
    });
    return true;
  }

  #again(turn: Turn, isFresh = false): void {
    if (!this.#cutAfter(turn, false, "Later messages were taken away.")) return;
    const box = this.#boxOf(turn);
    const last = turn.answers.at(-1);
    const shown = box.lastElementChild;
    // The try before stays, folded.
    if (last && shown) {
      const words = last.steps.some(({ text, reasoning }) => text || reasoning);
      if (words) box.append(earlier(last, shown as HTMLElement));
      else {
        turn.answers.pop();
        shown.remove();
      }
    }
    void this.#answer(turn, this.#source(isFresh));
  }

  #edit(turn: Turn): void {
    const { question } = turn;
    if (!this.#cutAfter(turn, true, "The message was taken back.")) return;
    this.#host.changed(this.#conversation);
    this.#host.edit(question);
  }

  /** Asks as the page is set now. */
  #source(isFresh: boolean): Source {
    return async (messages, listener, { speech, signal, progress }) => {
      const settings = this.#host.settingsOf(progress, isFresh);
      this.#host.asked(settings);
      const { exchange } = await import("./exchange.ts");
      await nextTask();
      await exchange({ ...settings, speech, signal }, messages, listener);
    };
  }

  async #answer(turn: Turn, source: Source): Promise<void> {
    const host = this.#host;
    const conversation = this.#conversation;
    const controller = new AbortController();
    const { signal } = controller;
    const answer = newAnswer();
    const before = history(conversation, conversation.turns.indexOf(turn));
    turn.answers.push(answer);
    const view = new AnswerView(answer, host.grown);
    const progress = new Progress(PATIENCE, () => controller.abort(NOW));
    view.attach(progress.element);
    const box = this.#boxOf(turn);
    box.classList.remove("left-out");
    box.append(view.element);
    const speech = host.isSpoken() ? new Speech(signal) : undefined;
    let finished = () => {};
    const running = { controller, speech, done: new Promise<void>((resolve) => (finished = resolve)) };
    this.#running = running;
    host.running(true);
    const messages = [...before, { role: "user" as const, content: turn.question }];
    const length = messages.length;
    // A page that is closed meanwhile has the question, and most of the answer.
    this.#keep(conversation);
    const keeping = setInterval(() => this.#keep(conversation), KEEP_INTERVAL);
    try {
      const listener: Listener = {
        start: () => view.start(),
        opened: (stream) => host.opened(stream),
        event: (event) => {
          if (isPiece(event)) progress.piece();
          if (event.type === "repair") view.notice("⚠", ...nameOfRepair(event.code));
          if (event.type === "sentence" && !speech && event.choice === 0) announce(event.text.trim());
          host.event(event);
          view.event(event);
        },
        end: (outcome) => {
          view.end(outcome);
          host.ended(outcome.status);
          if (speech && outcome.toolCalls.length === 0) progress.speaking();
        },
        unanswered: (status) => {
          view.unanswered(status);
          host.ended(status);
        },
        heard: (text) => view.heard(text),
        approve: (_, name, args) => {
          progress.approval(name);
          return view.approve(name, args, signal);
        },
        toolResult: (id, result) => view.toolResult(id, result),
      };
      await source(messages, listener, { speech, signal, progress: watched(progress, view) });
      if (signal.aborted && signal.reason !== NOW) {
        view.note(speech && !speech.isMuted ? "Interrupted. The chat goes on from what you heard." : "Stopped.");
      } else if (view.isEmpty && !signal.aborted) view.note("The answer is empty.");
      announce(signal.aborted ? "Stopped." : "The answer is complete.");
    } catch (error) {
      const { adviceFor } = await import("./advice.ts");
      this.#failed(turn, view, adviceFor(error, view.text !== ""));
    } finally {
      clearInterval(keeping);
      answer.messages = messages.slice(length);
      answer.isOver = true;
      progress.end();
      await view.finish(this.#actions(turn, answer));
      box.classList.toggle("left-out", isLeftOut(turn));
      if (this.#running === running) {
        this.#running = undefined;
        host.running(false);
      }
      this.#keep(conversation);
      host.grown();
      finished();
      if (signal.reason === NOW) this.#again(turn, true);
    }
  }

  #failed(turn: Turn, view: AnswerView, advice: Advice): void {
    view.fail(advice, (token) => {
      if (this.#running) return;
      if (token) this.#host.useToken(token);
      this.#again(turn);
    });
  }
}

/** The progress of an answer, with a notice in the answer where its connection is lost and found. */
function watched(progress: Progress, view: AnswerView): Progress {
  const { onResume, onResumed } = progress.hooks;
  let lost = 0;
  Object.assign(progress.hooks, {
    onResume(resume: Parameters<typeof onResume>[0]) {
      if (resume.attempt === 1) lost = performance.now();
      onResume(resume);
    },
    onResumed(resumed: Parameters<typeof onResumed>[0]) {
      onResumed(resumed);
      const time = ((performance.now() - lost) / 1000).toFixed(1);
      view.notice(
        "↻",
        `The connection was lost. Resumed after ${time} s, nothing lost.`,
        "The gateway kept the answer; the client asked for the rest of it.",
      );
    },
  });
  return progress;
}

function isPiece({ type }: ChatEvent): boolean {
  return type === "text" || type === "reasoning" || type === "refusal" || type === "tool_call.delta";
}

/** A try that was followed by another one. */
function earlier(answer: Answer, element: HTMLElement): HTMLDetailsElement {
  const details = create("details", "earlier");
  const length = answer.steps.reduce((sum, { text }) => sum + text.length, 0);
  const status = answer.results.at(-1)?.status ?? "failed";
  details.append(create("summary", "", `Earlier try: ${status}, ${number(length)} characters`), element);
  return details;
}
