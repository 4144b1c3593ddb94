/**
 * The servers that a call asks after one that cannot answer. Loaded with the first call of a client that names others.
 */
import type { EngineCall } from "../engine/boundary.ts";
import type { ErrorDescriptor } from "../errors.ts";
import type { Fallback } from "../options.ts";
import type { Others, Talk } from "./fallback-chain.ts";

/** Begins to ask another client. */
type Ask = (client: object, body: string, call: EngineCall, model: string) => Talk;

/**
 * The fallbacks of a list, each asked once, if its `on` has the engine's word for the failure.
 * @param left loses each as it is asked: the two requests of a hedged call share it
 */
export function othersOf(left: Fallback[], body: string, call: EngineCall, ask: Ask): Others {
  return {
    get hasMore() {
      return left.length > 0;
    },
    next({ fallback: trouble, attempts }: ErrorDescriptor): Talk | undefined {
      while (trouble && left.length > 0) {
        const { client, model, params, on } = left.shift() as Fallback;
        if (on && !(on as readonly string[]).includes(trouble)) continue;
        const sent = JSON.parse(body);
        // Headers and query of the call may hold secrets that are for the first server only.
        const again = { ...call, attempts, headers: undefined, query: undefined };
        return ask(client, JSON.stringify({ ...sent, ...params, model, stream: sent.stream }), again, model);
      }
      return undefined;
    },
  };
}
