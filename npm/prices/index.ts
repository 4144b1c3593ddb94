/**
 * `chatwire/prices`: prices of common models, by the host that serves them. A client of such a host loads this by itself when it
 * has no prices of its own; import it to see the prices, or to change some of them.
 */
import type { ModelPrices, Prices } from "../types/settings.ts";
import { LIST, type ListedPrice } from "./list.ts";

export type { ListedPrice } from "./list.ts";

/**
 * The prices known, with their sources, by host and model: `prices["api.openai.com"]?.["gpt-5"]`.
 * @example
 * ```ts
 * import { prices } from "chatwire/prices";
 *
 * const known = prices["api.openai.com"];
 * const client = new Chatwire({ provider: "openai", prices: { ...known, "my-finetune": { input: 3, output: 12 } } });
 * ```
 */
export const prices: Readonly<Record<string, Readonly<Record<string, ListedPrice>>>> = LIST;

/** A model's name with the date of its version, as `gpt-5-mini-2025-08-07` and `claude-haiku-4-5-20251001` have it. */
const DATED = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$/;

/**
 * The price of a model on a list of one's own; else nothing. A version with its date costs what the model costs, unless the list
 * names it.
 * @example
 * ```ts
 * import { priceOf, prices } from "chatwire/prices";
 *
 * const price = priceOf(prices["api.openai.com"], "gpt-5-mini-2025-08-07");
 * ```
 */
export function priceOf(list: Readonly<ModelPrices> | undefined, model: string): Prices | undefined {
  const named = (name: string) => (list && Object.hasOwn(list, name) ? list[name] : undefined);
  return named(model) ?? named(model.replace(DATED, "")) ?? named("*");
}

/** The price of a model at an address, such as `https://api.openai.com/v1`: of a list of one's own, else of this one. */
export function priceAt(baseURL: string, model: string, own?: Readonly<ModelPrices>): Prices | undefined {
  const [, host = ""] = /^https:\/\/([^/:]+)/.exec(baseURL) ?? [];
  return priceOf(own, model) ?? (Object.hasOwn(LIST, host) ? priceOf(LIST[host], model) : undefined);
}
