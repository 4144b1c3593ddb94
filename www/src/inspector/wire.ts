/** The tab that shows the wire: a chart, and the lines as they came. Only the lines in view are elements. */
import { button, create } from "../page/dom.ts";
import { draw } from "../page/draw.ts";
import { Painter } from "../page/paint.ts";
import { drawChart } from "./chart.ts";
import { type Kind, type Line, WireLog } from "./lines.ts";

/** The height of a line, in CSS pixels; the style sheet has the same, of the size of the text. */
const ROW = 1.25 * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
/** Milliseconds between updates: nobody reads lines faster, and the answer beside them is drawn in every other frame. */
const INTERVAL = 250;
/** Lines drawn above and below those in view, for a visitor who scrolls; the newest lines follow by themselves. */
const MARGIN = 4;
/** A letter of a line is at least so wide, in CSS pixels; of a line no more is drawn than fits. All of a chosen one stands below. */
const LETTER = ROW / 4;

export class WireTab {
  readonly element = create("div", "wire");
  readonly log: WireLog;
  readonly #chart = draw("svg", { viewBox: "0 0 420 150", role: "img", "aria-label": "Tokens over time" });
  readonly #box = create("div", "lines");
  readonly #space = create("div", "space");
  readonly #rows = create("div", "rows");
  readonly #detail = create("pre", "detail");
  readonly #empty = create(
    "p",
    "empty",
    "Ask something, or run an experiment: every line of the wire appears here as it comes.",
  );
  readonly #painter: Painter;
  /** The rows that are elements, from the top down: each shows one line after the other. */
  readonly #shown: Row[] = [];
  #selected = -1;
  /** Where the last update left the box. */
  #top = 0;

  /** `download` saves the recording of the last answer, `replay` reads one; `onPaint` is told of each update. */
  constructor(download: () => void, replay: (file: File) => void, onPaint: (log: WireLog) => void) {
    this.#painter = new Painter(() => {
      this.#paint();
      onPaint(this.log);
    }, INTERVAL);
    this.log = new WireLog(() => this.#painter.request());
    this.#box.tabIndex = 0;
    this.#box.setAttribute("role", "region");
    this.#box.ariaLabel = "Lines of the wire; the arrow keys choose one";
    this.#detail.tabIndex = 0;
    this.#detail.hidden = true;
    this.#detail.ariaLive = "polite";
    this.#space.append(this.#rows);
    this.#box.append(this.#space);
    // An update scrolls, too: it has drawn what is in view.
    this.#box.addEventListener("scroll", () => this.#box.scrollTop !== this.#top && this.#paint(), { passive: true });
    this.#box.addEventListener("click", ({ target }) => {
      const row = (target as Element).closest<HTMLElement>("[data-at]");
      if (row) this.#select(Number(row.dataset.at));
    });
    this.#box.addEventListener("keydown", (key) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[key.key];
      if (!step) return;
      key.preventDefault();
      this.#select(Math.min(this.log.lines.length - 1, Math.max(0, this.#selected + step)));
    });
    const file = create("input");
    file.type = "file";
    file.accept = ".chatwire,application/json,text/plain";
    file.hidden = true;
    file.addEventListener("change", () => {
      const [chosen] = file.files ?? [];
      if (chosen) replay(chosen);
      file.value = "";
    });
    const bar = create("div", "bar");
    bar.append(
      button("Save the recording", "chip", download),
      button("Open a recording", "chip", () => file.click()),
      file,
    );
    const head = create("div", "line head");
    head.append(
      create("span", "", "ms"),
      create("span", "", "from the server, as it came"),
      create("span", "", "became"),
    );
    this.element.append(this.#chart, this.#empty, head, this.#box, this.#detail, bar);
    // Nothing is drawn that is not seen: lines may have come meanwhile.
    new ResizeObserver(() => this.#painter.request()).observe(this.#box);
  }

  #select(at: number): void {
    this.#selected = at;
    const line = this.log.lines[at];
    this.#detail.hidden = !line;
    this.#detail.textContent = line ? line.raw || line.became : "";
    const top = at * ROW;
    if (top < this.#box.scrollTop) this.#box.scrollTop = top;
    if (top + ROW > this.#box.scrollTop + this.#box.clientHeight)
      this.#box.scrollTop = top + ROW - this.#box.clientHeight;
    this.#painter.request();
  }

  #paint(): void {
    const { lines } = this.log;
    // Another tab is chosen, or the sheet is down.
    if (this.element.offsetParent === null) return;
    this.#empty.hidden = lines.length > 0;
    drawChart(this.#chart, this.log);
    const box = this.#box;
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 3 * ROW;
    this.#space.style.height = `${lines.length * ROW}px`;
    if (isAtEnd && this.#selected < 0) box.scrollTop = box.scrollHeight;
    this.#top = box.scrollTop;
    const margin = isAtEnd ? 0 : MARGIN;
    const from = Math.max(0, Math.floor(this.#top / ROW) - margin);
    const to = Math.max(from, Math.min(lines.length, Math.ceil((this.#top + box.clientHeight) / ROW) + margin));
    this.#rows.style.transform = `translateY(${from * ROW}px)`;
    this.#draw(from, to, Math.ceil((0.66 * box.clientWidth) / LETTER));
  }

  /** Has rows for these lines and no others, with `most` letters each. */
  #draw(from: number, to: number, most: number): void {
    for (const { element } of this.#shown.splice(to - from)) element.remove();
    while (this.#shown.length < to - from) {
      const row = new Row();
      this.#shown.push(row);
      this.#rows.append(row.element);
    }
    for (const [n, row] of this.#shown.entries())
      row.show(this.log.lines[from + n] as Line, from + n, from + n === this.#selected, most);
  }
}

/** A line as an element. */
class Row {
  readonly element = create("div");
  /** Texts that change: new ones would be laid out from the beginning. */
  readonly #texts = [new Text(), new Text(), new Text()] as const;
  #line: Line | undefined;
  #became = "";
  #kind: Kind | undefined;
  #isSelected = false;
  #most = 0;

  constructor() {
    for (const text of this.#texts) this.element.appendChild(create("span")).append(text);
  }

  show(line: Line, i: number, isSelected: boolean, most: number): void {
    this.element.dataset.at = String(i);
    if (
      line === this.#line &&
      line.became === this.#became &&
      line.kind === this.#kind &&
      isSelected === this.#isSelected &&
      most === this.#most
    )
      return;
    const [time, raw, became] = this.#texts;
    if (line !== this.#line || most !== this.#most) {
      time.data = String(Math.round(line.at));
      raw.data = shortened(line.raw, most);
    }
    if (line.became !== became.data) became.data = line.became;
    this.element.className = `line ${line.kind}${isSelected ? " selected" : ""}`;
    this.#line = line;
    this.#became = line.became;
    this.#kind = line.kind;
    this.#isSelected = isSelected;
    this.#most = most;
  }
}

/** The first letters of a line, without what all chunks begin with. */
function shortened(raw: string, most: number): string {
  return raw
    .slice(0, 600)
    .replace(/^(data: \{)"id":.*?"model":"[^"]*",/, "$1…")
    .replace(/…"choices":\[\{"index":0,"delta":\{/, "…")
    .replace(/\},"finish_reason":null\}\](?:,"usage":null)?\}$/, "}")
    .slice(0, most);
}
