/**
 * The column beside the conversation: tabs, and totals below them. A tab other than the first is fetched when it is
 * opened.
 */
import { at, button, create } from "../page/dom.ts";

const TABS = ["wire", "trouble", "race", "cost", "code"] as const;
export type TabName = (typeof TABS)[number];

const TITLES: Readonly<Record<TabName, string>> = {
  wire: "Wire",
  trouble: "Trouble",
  race: "Race",
  cost: "Cost",
  code: "Code",
};

export class Inspector {
  /** The totals below all tabs. */
  readonly foot = create("dl", "foot");
  readonly #tabs = new Map<TabName, HTMLButtonElement>();
  readonly #panels = new Map<TabName, HTMLElement>();
  readonly #fill: (tab: TabName, panel: HTMLElement) => void;
  readonly #filled = new Set<TabName>();
  #onSeen: () => void = () => {};

  /** `fill` puts a tab's content into its panel, when it is opened first. */
  constructor(fill: (tab: TabName, panel: HTMLElement) => void) {
    this.#fill = fill;
    const bar = create("div", "tabs");
    bar.setAttribute("role", "tablist");
    bar.ariaLabel = "Inspector";
    bar.addEventListener("keydown", (key) => this.#move(key));
    const panels = create("div", "panels");
    for (const name of TABS) {
      const tab = button(TITLES[name], "tab", () => this.open(name));
      tab.id = `tab-${name}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", `panel-${name}`);
      const panel = create("div", "panel");
      panel.id = `panel-${name}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      this.#tabs.set(name, tab);
      this.#panels.set(name, panel);
      bar.append(tab);
      panels.append(panel);
    }
    at("inspector").append(create("h2", "unseen", "Inspector"), bar, panels, this.foot);
    this.#choose("wire");
    // In a wide window it is no sheet, and hides nothing.
    const wide = matchMedia("(min-width: 72rem)");
    wide.addEventListener("change", () => {
      this.#show(false);
      if (wide.matches) this.#seen();
    });
    const sheet = at<HTMLButtonElement>("sheet");
    sheet.addEventListener("click", () => this.#show(!document.body.classList.contains("inspecting")));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !document.body.classList.contains("inspecting")) return;
      // The answer behind the sheet goes on.
      event.stopImmediatePropagation();
      this.#show(false);
    });
  }

  /** Opens a tab, and the inspector where it is a sheet, and goes there. */
  open(name: TabName): void {
    this.#choose(name);
    if (isSheet()) this.#show(true);
    this.#tabs.get(name)?.focus();
  }

  /** Chooses a tab; where the inspector is a sheet, it stays as it is. */
  choose(name: TabName): void {
    this.#choose(name);
  }

  /** Runs it as soon as the visitor sees the inspector: now, or where it is a sheet, once that is up. */
  onceSeen(run: () => void): void {
    if (isSheet()) this.#onSeen = run;
    else run();
  }

  #seen(): void {
    this.#onSeen();
    this.#onSeen = () => {};
  }

  #show(isShown: boolean): void {
    if (isShown) this.#seen();
    const isThere = at("inspector").contains(document.activeElement);
    document.body.classList.toggle("inspecting", isShown);
    at("sheet").ariaExpanded = String(isShown);
    if (isShown) at("sheet-act").replaceChildren("Close", create("span", "unseen", " the Inspector"));
    else at("sheet-act").replaceChildren("Inspect");
    // The conversation is behind the sheet: no key reaches it there. Its landmark stays.
    for (const part of at("talk").querySelectorAll<HTMLElement>(":scope > *")) part.inert = isShown;
    if (isShown) at("inspector").querySelector<HTMLElement>("[aria-selected=true]")?.focus();
    else if (isThere) at("sheet").focus();
  }

  #choose(name: TabName): void {
    for (const [each, tab] of this.#tabs) {
      const isChosen = each === name;
      tab.ariaSelected = String(isChosen);
      tab.tabIndex = isChosen ? 0 : -1;
      const panel = this.#panels.get(each) as HTMLElement;
      panel.hidden = !isChosen;
    }
    if (this.#filled.has(name)) return;
    this.#filled.add(name);
    this.#fill(name, this.#panels.get(name) as HTMLElement);
  }

  #move(key: KeyboardEvent): void {
    const now = TABS.findIndex((name) => this.#tabs.get(name)?.ariaSelected === "true");
    const wanted = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: -1 }[key.key];
    if (wanted === undefined) return;
    key.preventDefault();
    const next = TABS[(wanted + TABS.length) % TABS.length] as TabName;
    this.#choose(next);
    this.#tabs.get(next)?.focus();
  }
}

const isSheet = (): boolean => getComputedStyle(at("sheet")).display !== "none";
