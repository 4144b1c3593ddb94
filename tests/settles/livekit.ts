/**
 * The consumers of `chatwire/livekit`: a language model that an agent speaks by. In Node alone, where `@livekit/agents` runs, with a
 * test of their own (tests/livekit/settles.test.ts).
 */
import { APIError, initializeLogger, llm } from "@livekit/agents";
import { LLM, type LLMOptions } from "chatwire/livekit";
import type { Consumer } from "./consumers.ts";

initializeLogger({ pretty: false, level: "silent" });

const connOptions = { maxRetry: 0, retryIntervalMs: 1, timeoutMs: 60 };

function question(): llm.ChatContext {
  const context = llm.ChatContext.empty();
  context.addMessage({ role: "user", content: "Hello!" });
  return context;
}

/** An answer, which is left as an agent leaves one: by `close`. */
const answered = (options: Partial<LLMOptions>): Consumer => ({
  ways: ["whole", "break", "abort", "never"],
  isOwn: (error) => error instanceof APIError,
  start(client, _, way) {
    const model = new LLM({ client, model: "m", ...options });
    const errors: Error[] = [];
    model.on("error", ({ error }) => errors.push(error));
    const stream = model.chat({ chatCtx: question(), connOptions });
    const read = async () => {
      for (let next = await stream.next(); !next.done; next = await stream.next()) if (way === "break") stream.close();
      for (const error of errors) throw error;
    };
    return { abort: () => stream.close(), done: way === "never" ? Promise.resolve() : read() };
  },
});

export const livekit: Record<string, Consumer> = {
  "livekit, sentences": answered({}),
  "livekit, pieces": answered({ sentences: false }),
  "livekit, collect": {
    ways: ["whole"],
    isOwn: (error) => error instanceof APIError,
    start(client) {
      const model = new LLM({ client, model: "m" });
      model.on("error", () => {});
      return { done: model.chat({ chatCtx: question(), connOptions }).collect() };
    },
  },
  "livekit, prewarm": {
    ways: ["whole"],
    start(client) {
      const model = new LLM({ client, model: "m" });
      model.prewarm();
      // Leaving is waited for until the connection is let go of.
      return { done: new Promise((resolve) => setTimeout(resolve, 5)).then(() => model.aclose()) };
    },
  },
};
