/**
 * Which cases are run: all with SETTLES=all, those whose name contains ONLY, else one in forty, chosen by SEED; which also chooses
 * the moments at which consumers are left.
 */
import type { Consumer } from "./consumers.ts";
import { type Case, casesOf, hashOf, nameOf } from "./run.ts";

const { SETTLES, ONLY, SEED } = process.env;
export const seed = Number(SEED ?? Math.floor(Math.random() * 1e9));

function chance(text: string): boolean {
  return hashOf(text, seed) % 40 === 0;
}

/** The names of the cases for one entry of the package; of all consumers, or of those in `table`. */
export function chosen(entry: string, table?: Record<string, Consumer>): string[] {
  const isWanted = (name: string) => (ONLY ? name.includes(ONLY) : SETTLES === "all" || chance(`${entry} ${name}`));
  return casesOf((one: Case) => isWanted(nameOf(one)), table).map(nameOf);
}
