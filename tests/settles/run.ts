/**
 * The table: every consumer, on every end, left in every way. Each case settles in time, with an error of chatwire or none, and
 * leaves nothing behind: no place within the limits, no open body, no rejection that nobody handles.
 */
import type * as Package from "chatwire";
import { type Consumer, consumers, type Host, hello, reasons, type Way } from "./consumers.ts";
import { type End, ends, good, type Served } from "./ends.ts";
import { loaded, products } from "./products.ts";
import { onDemand, trapOnDemand, traps } from "./traps.ts";

export { loaded, onDemand, trapOnDemand };

export interface Case {
  consumer: string;
  end: string;
  way: Way;
}

/** Milliseconds. The longest timeout of the clients below is `total`. */
const TIMEOUTS = { headers: 60, firstToken: 60, idle: 60, keepAlive: 90, total: 250 };
/** Of the calls after, which are to come to a good end on a machine that is busy with the table, and may stand still for seconds. */
const PATIENT = { headers: 60_000, firstToken: 60_000, idle: 60_000, total: 60_000 };
const IN_TIME = 4000;
const LET_GO = 2000;

const all = { ...consumers, ...products };

/** @param table all consumers; else those of the package itself, for entries whose classes the products do not know */
export function casesOf(isWanted: (one: Case) => boolean = () => true, table = all): Case[] {
  const cases: Case[] = [];
  for (const [consumer, { ways, isRaw }] of Object.entries(table)) {
    for (const end of Object.keys(ends)) {
      for (const way of ways) {
        // A body that is read past chatwire has no timeouts; headers and refusals have.
        const isLeft = way !== "whole" && way !== "break" && way !== "throw";
        if (isRaw && !isLeft && end.startsWith("open") && !/headers|refusal/.test(end)) continue;
        if (isWanted({ consumer, end, way })) cases.push({ consumer, end, way });
      }
    }
  }
  // Limits begin anew with an engine: those that trap it come last, when few others would not see what was never given back; and
  // after them those whose engine has an allocator of the tests.
  const place = (one: Case) => Number(isTrap(one)) + Number(isMemory(one));
  return cases.sort((one, other) => place(one) - place(other));
}

const isMemory = ({ end }: Case): boolean => end.includes("out of memory");
const isTrap = (one: Case): boolean => one.end.includes("trap") || isMemory(one);

export const nameOf = ({ consumer, end, way }: Case): string => `${consumer} | ${end} | ${way}`;

/** A number for a text and a seed. */
export function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return hash >>> 8;
}

/** When a consumer is left: after so many turns of promises and so many milliseconds; and whether in every way that it has. */
interface Moment {
  turns: number;
  ms: number;
  isTwice: boolean;
}

/** Usually after a few milliseconds; by the seed also at once, after some turns, sooner or later, and twice. */
function momentOf(name: string, seed: number | undefined): Moment {
  const usual = { turns: 0, ms: 8, isTwice: false };
  if (seed === undefined) return usual;
  const hash = hashOf(name, seed ^ 0x5bd1e995);
  const isTwice = hash % 5 === 0;
  const more = hash >>> 4;
  return [
    usual,
    { ...usual, isTwice },
    { turns: more % 24, ms: 0, isTwice },
    { turns: 0, ms: 1 + (more % 40), isTwice },
  ][hash % 4] as Moment;
}

const LATE = Symbol("late");
const TICK = 25;
/** Waits for so many milliseconds as the event loop knows them: on a busy machine, for as many of its turns. */
const within = async <T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> => {
  let isOver = false;
  const late = async (): Promise<typeof LATE> => {
    for (let left = ms; left > 0 && !isOver; left -= TICK) await after(TICK);
    return LATE;
  };
  return Promise.race([promise, late()]).finally(() => {
    isOver = true;
  });
};
const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

let servers = 0;

/**
 * The faults of a case; none where all is well. `answer` is in place of the end that the case names; `settled` is called once the
 * consumer has, before the next call is made.
 */
export async function trouble(
  chatwire: typeof Package,
  one: Case,
  answer = ends[one.end] as End,
  {
    table = all,
    seed,
    settled: hasSettled = () => {},
  }: { table?: Readonly<Record<string, Consumer>>; seed?: number | undefined; settled?(): void } = {},
): Promise<string[]> {
  const { Chatwire, ChatwireError, StreamError } = chatwire;
  const wrong: string[] = [];
  const served: Served[] = [];
  let isAfter = false;
  const baseURL = `https://settles-${++servers}.test/v1`;
  const fetch: Host["fetch"] = (_, init) => {
    const own: Served = { isOver: false };
    served.push(own);
    const end = isAfter ? good : answer;
    return end(own, init?.signal as AbortSignal);
  };
  const controller = new AbortController();
  const hash = hashOf(nameOf(one), (seed ?? 0) ^ 0x2545f491);
  const leaving = () => controller.abort(reasons[hash % reasons.length]);
  const client = new Chatwire({
    baseURL,
    ...(one.way === "hook" && { hooks: { [hash & 64 ? "onRequest" : "onResponse"]: leaving } }),
    maxRetries: 0,
    timeout: TIMEOUTS,
    limits: { concurrent: 1 },
    validate: false,
    fetch,
  });
  const consumer = table[one.consumer] as Consumer;
  const isOwn = consumer.isOwn ?? ((error: unknown) => error instanceof ChatwireError);
  // A revoked proxy cannot even be asked for its class.
  const isWithoutCode = (error: unknown): boolean => {
    try {
      return error instanceof StreamError && !error.code;
    } catch {
      return false;
    }
  };
  const {
    done,
    abort,
    dispose,
    leave,
    throwInto,
    again: askAgain,
  } = consumer.start(client, controller.signal, one.way, {
    baseURL,
    fetch,
    chatwire,
  });
  const settled = done.then(
    () => undefined,
    (error) => ({ error }),
  );
  if (!["whole", "break", "throw"].includes(one.way)) {
    const { turns, ms, isTwice } = momentOf(nameOf(one), seed);
    for (let turn = 0; turn < turns; turn++) await undefined;
    if (ms > 0) await after(ms);
    const isLeft = (way: Way) => one.way === way || isTwice;
    const left: unknown[] = [];
    if (isLeft("return")) left.push(leave?.());
    if (isTwice) left.push(leave?.());
    if (isLeft("throw into")) left.push(throwInto?.());
    if (isLeft("abort") || one.way === "never") abort?.();
    if (isLeft("signal")) leaving();
    if (isLeft("dispose")) left.push(dispose?.());
    if ((await within(Promise.all(left), IN_TIME)) === LATE) wrong.push(`${one.way} does not settle`);
  }
  const result = await within(settled, IN_TIME);
  if (result === LATE) wrong.push("does not settle");
  else if (result && !isOwn(result.error)) wrong.push(`throws ${String(result.error)}`);
  else if (result && isWithoutCode(result.error)) wrong.push(`throws ${result.error} without a code`);
  for (let left = LET_GO; left > 0 && served.some(({ isOver }) => !isOver); left -= TICK) await after(TICK);
  if (served.some(({ isOver }) => !isOver)) wrong.push("the body is not let go of");
  isAfter = true;
  hasSettled();
  const again = await within(client.chat.completions.stream(hello, { timeout: PATIENT }).outcome(), IN_TIME);
  if (again === LATE) wrong.push("a place within the limits is not given back");
  else if (again.text !== "Hello") wrong.push(`the next call gives ${JSON.stringify(again.text)}`);
  if (askAgain) {
    const text = await within(askAgain(), IN_TIME);
    if (text === LATE) wrong.push("its own server does not answer any more");
    else if (!text.includes("Hel")) wrong.push(`its own server gives ${JSON.stringify(text)} next`);
  }
  client[Symbol.dispose]();
  return wrong;
}

/**
 * Runs cases, many at a time; `told` hears which begins. Gives those that went wrong, a line each.
 * @param options `seed` chooses the moments at which consumers are left
 */
export async function run(
  chatwire: typeof Package,
  cases: readonly Case[],
  {
    together = 40,
    told = (_: number) => {},
    ...options
  }: { together?: number; told?(at: number): void } & Parameters<typeof trouble>[3] = {},
): Promise<string[]> {
  const lines: string[] = [];
  let next = 0;
  const trappedBefore = traps.count;
  const worker = async () => {
    while (next < cases.length) {
      const at = next++;
      told(at);
      const one = cases[at] as Case;
      for (const wrong of await trouble(chatwire, one, undefined, options)) lines.push(`${nameOf(one)}: ${wrong}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(together, cases.length) }, worker));
  const [trapped, wanted] = [
    traps.count - trappedBefore,
    cases.filter((one) => isTrap(one) && one.way !== "hook").length,
  ];
  // Some consumers are left before they have read so far, and some read nothing.
  if (wanted >= 100 && trapped < wanted / 4) lines.push(`only ${trapped} traps in ${wanted} cases: none is provoked`);
  return lines;
}
