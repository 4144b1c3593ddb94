/**
 * Numbers, sums and dates in words. Numbers are written here, not by `Intl`, whose first formatter takes forty milliseconds of the
 * first view; dates are read later, and by few.
 */

let dates: Intl.DateTimeFormat | undefined;

const grouped = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ",");

/** @param value a whole number, not negative */
export const number = (value: number): string => grouped(String(value));

/** A sum in US dollars, not negative, with three significant digits. */
export function usd(cost: number): string {
  const rounded = Number(cost.toPrecision(3));
  const decimals = rounded > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(rounded)), 0), 20) : 0;
  const [whole = "", part = ""] = rounded.toFixed(decimals).split(".");
  const cents = part.replace(/0+$/, "");
  return `$${grouped(whole)}${cents && `.${cents}`}`;
}

/** @param time milliseconds since 1970 */
export function date(time: number): string {
  dates ??= new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
  return dates.format(time);
}
