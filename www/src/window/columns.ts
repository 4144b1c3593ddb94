/**
 * The first view: one recorded stream with one broken event, read by three clients at the same time, for real.
 *
 * The clients are fetched when the page is idle. Until then the columns show what `npm run compare` has recorded, and say so.
 */

import { type Fetch, init } from "chatwire";
import { readInWorker } from "../compare/ask-worker.ts";
import { CLIENTS, type ClientName, type Reading } from "../compare/names.ts";
import { readWithChatwire } from "../compare/read.ts";
import { at, button, create } from "../page/dom.ts";
import { nextTask, whenIdle } from "../page/idle.ts";
import { Painter } from "../page/paint.ts";
import recorded from "./recorded.json" with { type: "json" };
import { type Recording, replaying } from "./replay.ts";

const { text: WHOLE } = recorded;
const stream = recorded.stream as unknown as Recording;

const TITLES: Readonly<Record<ClientName, string>> = {
  chatwire: "chatwire",
  openai: "openai",
  "by hand": "25 lines by hand",
};

/** Milliseconds between updates of a column: the stream has three words in each. */
const INTERVAL = 200;

class Column {
  readonly element = create("article", "column");
  readonly #words = create("p", "words");
  readonly #verdict = create("p", "verdict");
  readonly #label = create("span", "label");
  readonly #name: ClientName;
  #text = "";
  readonly #painter = new Painter(() => {
    this.#words.textContent = this.#text;
  }, INTERVAL);

  constructor(name: ClientName) {
    this.#name = name;
    const title = create("h3", "", TITLES[name]);
    title.append(" ", this.#label);
    this.element.append(title, this.#words, this.#verdict);
    this.element.classList.add(name.replace(" ", "-"));
  }

  /** Shows a result of before. */
  show(reading: Reading): void {
    this.#label.textContent = "recorded result";
    this.#write(reading.text);
    this.#judge(reading);
  }

  async run(speed: number): Promise<void> {
    this.#label.textContent = "";
    this.element.dataset.state = "running";
    this.#write("");
    this.#verdict.textContent = "reading …";
    const onText = (text: string) => this.#write(text);
    // The first one is read in the page, which has the engine; the others, and a worker for them, are fetched now.
    const reading =
      this.#name === "chatwire"
        ? readWithChatwire({ fetch: replaying(stream, speed), content: "", onText })
        : readInWorker({ job: "column", client: this.#name, speed }, onText);
    this.#judge(await reading);
  }

  #write(text: string): void {
    this.#text = text;
    this.#painter.request();
  }

  #judge({ text, said, isWhole }: Reading): void {
    this.#write(text);
    this.#painter.flush();
    const isAll = text === WHOLE && isWhole;
    this.element.dataset.state = isAll ? "whole" : "lost";
    const kept = create("strong", "", `${text.length} of ${WHOLE.length} characters`);
    this.#verdict.replaceChildren(kept, ` ${said}`);
  }
}

/** In how many troubles words were lost in silence, as `npm run compare` has counted. */
function scoreBoard(compareAll: () => void): HTMLElement {
  const { troubles, silent } = recorded.score;
  const board = create("section", "score");
  board.ariaLabel = "All troubles";
  const list = create("dl");
  for (const name of CLIENTS) {
    const entry = create("div", silent[name] > 0 ? "bad" : "good");
    entry.append(create("dt", "", name), create("dd", "", String(silent[name])));
    list.append(entry);
  }
  const words = create("p", "", `Silent losses in ${troubles} troubles:`);
  words.title = "How many of the troubles make a client lose words, or wait, without saying so.";
  board.append(words, list, button("Compare all, here", "chip", compareAll));
  return board;
}

/** The first view, for the rest of the page. */
export interface FirstView {
  /** Where the lines of the client by hand belong. They are fetched with the rest of the page. */
  readonly lines: HTMLElement;
  /** Gives the stream to one who looks on, now and with each further run. */
  watch(see: (fetch: Fetch) => unknown): void;
}

/** Draws the columns, and runs them once the page is idle. `compareAll` runs the other troubles. */
export function showColumns(compareAll: () => void): FirstView {
  const columns = CLIENTS.map((name) => [name, new Column(name)] as const);
  for (const [name, column] of columns) column.show(recorded.readings[name]);
  at("columns").replaceChildren(...columns.map(([, { element }]) => element));
  const speed = matchMedia("(prefers-reduced-motion: reduce)").matches ? Number.POSITIVE_INFINITY : 1;
  let look = () => {};
  const runAll = () => {
    look();
    for (const [, column] of columns) void column.run(speed);
  };
  const program = create("details", "program");
  const lines = create("pre");
  lines.tabIndex = 0;
  lines.role = "region";
  lines.ariaLabel = "The 25 lines";
  program.append(create("summary", "", "The 25 lines"), lines);
  at("again").append(button("Run it again", "chip", runAll), program, scoreBoard(compareAll));
  whenIdle(async () => {
    await init().catch(() => {});
    for (const [, column] of columns) {
      await nextTask();
      void column.run(speed);
    }
  });
  return {
    lines,
    watch(see) {
      look = () => void see(replaying(stream, speed));
      look();
    },
  };
}
