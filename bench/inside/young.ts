/**
 * A contender's first turn and its next five, in this process, which is a fresh one: `node [flags of V8] young.ts CONTENDER`. Prints the CPU
 * milliseconds of each as JSON.
 */
import { electron } from "../streams.ts";
import type { Contender } from "./contenders.ts";
import { prepare, run } from "./track.ts";

const name = process.argv[2] as Contender;

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

await prepare(electron(200).bytes, "event");
await run("bare read loop", 30);
const before = cpu();
await run(name, 1);
const first = cpu();
await run(name, 5);
console.log(JSON.stringify([first - before, (cpu() - first) / 5]));
process.exit();
