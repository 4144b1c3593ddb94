/**
 * What an answer took: time to first token, speed, tokens, cost.
 *
 * While it streams the page counts pieces itself, which is an estimate and marked as one; at the end the numbers are
 * those of the outcome.
 */
import type { Outcome } from "chatwire";

const number = new Intl.NumberFormat("en");
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumSignificantDigits: 3 });

/** Measures one answer, which may take several requests when tools are called. */
export class Meter {
  #sent = 0;
  #firstPiece = 0;
  #pieces = 0;
  #waited: number | null = null;
  #outcomes: Outcome[] = [];

  /** A request goes out. */
  start(): void {
    this.#sent = performance.now();
    this.#firstPiece = 0;
    this.#pieces = 0;
  }

  /** A piece of the answer has arrived. */
  piece(): void {
    this.#pieces++;
    if (this.#firstPiece) return;
    this.#firstPiece = performance.now();
    this.#waited ??= this.#firstPiece - this.#sent;
  }

  /** A request has ended. */
  end(outcome: Outcome): void {
    this.#outcomes.push(outcome);
    if (this.#outcomes.length === 1) this.#waited = outcome.timing.firstToken;
  }

  /** The measurements so far, as short phrases. */
  phrases(isLive: boolean): string[] {
    const phrases: string[] = [];
    if (this.#waited !== null) phrases.push(`${number.format(Math.round(this.#waited))} ms to first token`);
    const speed = isLive ? this.#liveSpeed() : this.#outcomes.at(-1)?.timing.tokensPerSecond;
    if (speed) phrases.push(`${isLive ? "≈ " : ""}${number.format(Math.round(speed))} tokens/s`);
    return isLive ? phrases : [...phrases, ...this.#bill()];
  }

  #liveSpeed(): number | null {
    const seconds = (performance.now() - this.#firstPiece) / 1000;
    return this.#firstPiece && seconds > 0.25 ? (this.#pieces - 1) / seconds : null;
  }

  #bill(): string[] {
    const used = this.#outcomes.flatMap(({ usage }) => usage ?? []);
    if (used.length === 0) return [];
    const sum = (count: (usage: (typeof used)[number]) => number | undefined) =>
      used.reduce((total, usage) => total + (count(usage) ?? 0), 0);
    const prompt = sum((usage) => usage.prompt_tokens);
    const cached = sum((usage) => usage.prompt_tokens_details?.cached_tokens);
    const completion = sum((usage) => usage.completion_tokens);
    const estimate = used.some(({ estimated }) => estimated) ? "≈ " : "";
    const bill = [
      `${estimate}${number.format(prompt)} tokens in${cached ? ` (${number.format(cached)} cached)` : ""}`,
      `${estimate}${number.format(completion)} out`,
    ];
    const costs = this.#outcomes.map(({ cost }) => cost);
    if (costs.every((cost) => cost !== null)) {
      bill.push(`${estimate}${dollars.format(costs.reduce((total, cost) => total + cost, 0))}`);
    }
    return bill;
  }
}
