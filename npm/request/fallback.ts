/**
 * Asking somebody else when a provider cannot answer. Loaded with the first call of a client that names others.
 */
import type { EngineCall } from "../engine/boundary.ts";
import type { ErrorDescriptor } from "../errors.ts";
import type { Fallback } from "../options.ts";
import type { Answer } from "./caller.ts";

/** Sends a request by another client. */
type Send = (client: object, body: string, call: EngineCall) => Promise<Answer>;

/** The first answer, or that of others, asked in turn while the engine says of what went wrong that it may help. */
export async function orOthers(
  first: Promise<Answer>,
  others: readonly Fallback[],
  body: string,
  call: EngineCall,
  send: Send,
): Promise<Answer> {
  let failure: unknown;
  try {
    return await first;
  } catch (thrown) {
    failure = thrown;
  }
  const sent = JSON.parse(body);
  for (const { client, model, params } of others) {
    const { fallback, attempts } = failure as ErrorDescriptor;
    if (!fallback) break;
    try {
      // Headers and query of the call may hold what is for the first server's eyes only.
      const again = { ...call, attempts, headers: undefined, query: undefined };
      return await send(client, JSON.stringify({ ...sent, ...params, model, stream: sent.stream }), again);
    } catch (thrown) {
      failure = thrown;
    }
  }
  throw failure;
}
