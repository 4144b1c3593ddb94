/** The tab of troubles: each can be asked for in the conversation, and all are compared on demand. */
import { readInWorker } from "../compare/ask-worker.ts";
import { CLIENTS } from "../compare/names.ts";
import { CUT_BETWEEN, TROUBLES, type Trouble, verdictOf } from "../compare/troubles.ts";
import { button, create } from "../page/dom.ts";

export class TroubleTab {
  readonly element = create("div", "trouble");
  readonly #cards = new Map<string, Card>();
  readonly #all: HTMLButtonElement;

  /** `ask` asks a question in the conversation, with tools or without. */
  constructor(ask: Ask) {
    const words =
      "Three clients read the same stream, which goes wrong in one way: each line says how much of the answer a client kept, and how it says that the stream ended. A cross marks a client that has lost a part, or still waits, and does not say so.";
    this.#all = button("Compare all", "chip strong", () => void this.runAll());
    this.element.append(create("p", "intro", words), this.#all);
    for (const trouble of TROUBLES) {
      const card = new Card(trouble, ask);
      this.#cards.set(trouble.name, card);
      this.element.append(card.element);
    }
  }

  async runAll(): Promise<void> {
    this.#all.disabled = true;
    // Two at a time: most of them wait.
    const cards = [...this.#cards.values()];
    const work = async () => {
      for (let card = cards.shift(); card; card = cards.shift()) await card.run();
    };
    await Promise.all([work(), work()]);
    this.#all.disabled = false;
  }

  /** Runs one, by its name. */
  async run(name: string): Promise<void> {
    const card = this.#cards.get(name);
    card?.element.scrollIntoView({ block: "nearest" });
    await card?.run();
  }
}

type Ask = (text: string, hasTools: boolean) => void;

/** The trouble's question for the conversation, which always asks for a stream; none where it cannot go wrong there. */
function questionFor({ name, form }: Trouble): string | undefined {
  if (name === "" || name === CUT_BETWEEN || form === "document") return undefined;
  const question = form === "calls" ? "What time is it in Kolkata and in Tokyo?" : "Tell me a story";
  return `${question} [emulator: ${name}]`;
}

/** One trouble, and what the clients made of it. */
class Card {
  readonly element = create("section", "card");
  readonly #trouble: Trouble;
  readonly #results = CLIENTS.map(() => create("dd"));

  constructor(trouble: Trouble, ask: Ask) {
    this.#trouble = trouble;
    const head = create("div", "head");
    const title = create("h3", "", trouble.words);
    const act = create("div", "act");
    const named = (control: HTMLButtonElement, words: string) => {
      control.ariaLabel = `${words}: ${trouble.words}`;
      return control;
    };
    act.append(
      named(
        button("compare", "chip small", () => void this.run()),
        "compare",
      ),
    );
    const question = questionFor(trouble);
    if (question) {
      act.append(
        named(
          button("ask", "chip small", () => ask(question, trouble.form === "calls")),
          "ask with it",
        ),
      );
    }
    head.append(title, act);
    const list = create("dl");
    for (const [i, name] of CLIENTS.entries()) list.append(create("dt", "", name), this.#results[i] as HTMLElement);
    this.element.append(head, list);
  }

  async run(): Promise<void> {
    this.element.classList.add("shown");
    await Promise.all(
      CLIENTS.map(async (client, i) => {
        const result = this.#results[i] as HTMLElement;
        result.className = "";
        result.textContent = "reading …";
        const reading = await readInWorker({ job: "trial", client, trouble: this.#trouble });
        const { kept, isAll, isGood } = verdictOf(this.#trouble, reading);
        result.className = isGood ? (isAll ? "good" : "told") : "bad";
        result.replaceChildren(create("strong", "", `${isGood ? "" : "✗ "}${kept}`), ` ${reading.said}`);
      }),
    );
  }
}
