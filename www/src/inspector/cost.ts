/** The tab of cost: what this page's calls add up to, and how much of a plan they use. */
import { create } from "../page/dom.ts";
import { entries, type Held, PLAN } from "./totals.ts";

export class CostTab {
  readonly element = create("div", "cost");
  readonly #totals = create("dl", "totals");
  readonly #gauge = create("div", "gauge");
  readonly #plan = create("p");
  readonly #queue = create("p");

  constructor() {
    const words =
      "The totals of this visit's answers, as client.usage counts them. The cost is known where the prices are: for Electron.";
    // In a small window it scrolls, and has nothing else that a key could reach.
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "region");
    this.element.ariaLabel = "Cost";
    this.element.append(
      create("p", "intro", words),
      this.#totals,
      create("h3", "", "Electron's standard plan"),
      this.#gauge,
      this.#queue,
      this.#plan,
    );
  }

  /** Shows the totals, how many requests went out in the last minute, and the one that waits. */
  update(totals: readonly [string, string][], recent: number, held: Held | undefined): void {
    this.#totals.replaceChildren(...entries(totals.filter(([name]) => name !== "plan / min" && name !== "tokens")));
    const { requestsPerMinute, concurrent } = PLAN;
    this.#gauge.replaceChildren(
      ...Array.from({ length: requestsPerMinute }, (_, i) => create("span", i < recent ? "full" : "")),
    );
    const why = held?.reason === "limits" ? "the plan has no room before" : "the server has asked to wait until";
    this.#queue.textContent = `Queue: ${held ? `one request waits, ${why} ${new Date(held.until).toLocaleTimeString("en-GB")}` : "no request waits"}.`;
    this.#plan.textContent = `${recent} of ${requestsPerMinute} requests in the last minute, ${concurrent} at the same time. With limits: "standard" the client holds back the requests that the plan would refuse, and sends them in order: “Keep to Electron's standard plan” in Settings turns it on.`;
  }
}
