/** The benchmark inside a Node process of its own. */
import { Session } from "node:inspector/promises";
import { type Profile, type Send, startProfile, stopProfile } from "../profiler.ts";
import type { Contender } from "./contenders.ts";
import type { ReadSize } from "./reads.ts";
import { prepare, run } from "./track.ts";

/** The requests to the process, one at a time. */
export type Question =
  | { bytes: Uint8Array<ArrayBuffer>; size: ReadSize }
  | { contender: Contender; times: number }
  | { profile: "start" | "stop" };

/** The answers of the process: the CPU time taken, in microseconds, and a profile where one was stopped. */
export type Reply = { cpu: number; profile?: Profile } | { error: string };

const inspector = new Session();
inspector.connect();

process.on("message", async (question: Question) => {
  process.send?.(await reply(question));
});

async function reply(question: Question): Promise<Reply> {
  try {
    if ("bytes" in question) {
      await prepare(question.bytes, question.size);
      return { cpu: 0 };
    }
    if ("profile" in question) {
      const send = inspector.post.bind(inspector) as Send;
      if (question.profile === "stop") return { cpu: 0, profile: await stopProfile(send) };
      await startProfile(send);
      return { cpu: 0 };
    }
    // Garbage that others left is theirs. A full collection would throw away compiled code with it, which no real
    // process does each turn.
    globalThis.gc?.({ type: "minor" });
    const before = process.cpuUsage();
    await run(question.contender, question.times);
    const { user, system } = process.cpuUsage(before);
    return { cpu: user + system };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
