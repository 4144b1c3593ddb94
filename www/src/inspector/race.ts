/**
 * The tab of the race: time to read a stream that is all there, for each client, size of a read and shape of stream. A paced
 * stream has no winner: all of them wait for the server.
 */
import { timeInWorker } from "../compare/ask-worker.ts";
import { CLIENTS } from "../compare/names.ts";
import { button, create } from "../page/dom.ts";
import { SHAPES, type Shape } from "../worker/shapes.ts";

const READS = [
  { words: "an event per read", readSize: 185 },
  { words: "1 KB per read", readSize: 1024 },
  { words: "16 KB per read", readSize: 16384 },
];

const WORDS: Readonly<Record<Shape, string>> = {
  plain: "plain",
  padded: "random padding",
  uneven: "events of uneven sizes",
};

/** Each shape in each size of reads. */
const LAPS = SHAPES.flatMap((shape) =>
  READS.map(({ words, readSize }) => ({ words: `${WORDS[shape]}, ${words}`, shape, readSize })),
);

export class RaceTab {
  readonly element = create("div", "race");
  readonly #start: HTMLButtonElement;
  readonly #body: HTMLTableSectionElement;

  constructor() {
    const table = create("table", "numbers");
    const head = create("tr");
    head.append(...["2,000 events", ...CLIENTS].map((name) => create("th", "", name)));
    table.createTHead().append(head);
    this.#body = table.createTBody();
    for (const { words } of LAPS) {
      const row = this.#body.insertRow();
      const what = create("th", "", words);
      what.scope = "row";
      row.append(what, ...CLIENTS.map(() => create("td")));
    }
    this.#start = button("Race", "chip strong", () => void this.run());
    this.element.append(
      create(
        "p",
        "intro",
        "Microseconds per event, measured in this browser, each client in a worker of its own: the median of five runs over a stream that has arrived whole. Less is better; the least of each row is bold, whichever client has it.",
      ),
      this.#start,
      table,
    );
  }

  async run(): Promise<void> {
    if (this.#start.disabled) return;
    this.#start.disabled = true;
    for (const [i, { shape, readSize }] of LAPS.entries()) {
      const cells = [...(this.#body.rows[i]?.cells ?? [])].slice(1);
      const times: number[] = [];
      for (const [n, client] of CLIENTS.entries()) {
        const cell = cells[n] as HTMLElement;
        cell.textContent = "…";
        times.push(await timeInWorker({ job: "lap", client, shape, readSize }));
        cell.textContent = times[n]?.toFixed(2) ?? "";
      }
      const least = times.indexOf(Math.min(...times));
      cells[least]?.replaceChildren(create("strong", "", cells[least]?.textContent ?? ""));
    }
    this.#start.disabled = false;
  }
}
