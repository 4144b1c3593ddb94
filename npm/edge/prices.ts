/**
 * The cost of a request: prices by model, and the most that a request may cost before its usage is known.
 */
import type { Prices } from "chatwire";
import type { ModelPrices, ProviderOptions } from "./options.ts";

/** Prices are for so many tokens. */
const MILLION = 1_000_000;

/** Electron's prices, for the reservation of a budget; the client has its own copy. USD per 1M tokens. */
const ELECTRON: Prices = { input: 0.4, cachedInput: 0.1, output: 1.6 };

/** The price of a model; `undefined` where it is not known. */
export type PriceOf = (model: string | null) => Prices | undefined;

/** @param route the prices of the route, which come before those of the provider */
export function priceList({ provider, prices }: ProviderOptions, route: Prices | undefined): PriceOf {
  const own = route ?? prices ?? (typeof provider === "object" ? provider.prices : undefined);
  if (own === undefined) return () => (provider === "electron" ? ELECTRON : undefined);
  if (isFlat(own)) return () => own;
  return (model) => (model !== null && Object.hasOwn(own, model) ? own[model] : own["*"]);
}

function isFlat(prices: ModelPrices): prices is Prices {
  return typeof prices.input === "number";
}

/** Whether every model that can be asked of an upstream has a price. */
export function isPriced({ model, priceOf }: { model: string | null; priceOf: PriceOf }): boolean {
  return priceOf(model) !== undefined;
}

/** The most that so many tokens cost; 0 where no price is known. */
export function costOf(prices: Prices | undefined, promptTokens: number, completionTokens: number): number {
  return prices ? (promptTokens * prices.input + completionTokens * prices.output) / MILLION : 0;
}
