/**
 * Responses whose host has no streams for bodies: read whole, and handed out as a stream of one read.
 */
import type { ClientOptions } from "../options.ts";
import type { Outcome } from "../types.ts";

type Fetch = NonNullable<ClientOptions["fetch"]>;

/** The part of a stream that is used here; React Native has no `ReadableStream`. */
interface WholeBody {
  locked: boolean;
  getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void>; releaseLock(): void };
  cancel(): Promise<void>;
  verdict(outcome: Outcome): Outcome;
}

/**
 * A `fetch` whose responses have a body to read from, whatever the host's have. An answer that came whole, where a stream was asked
 * for, has the repair `body.whole`.
 * @param given the caller's own; else the host's, as it is when a request is sent
 */
export function readsWhole(given: Fetch | undefined): Fetch {
  return async (url, init) => {
    const response = await (given ?? (globalThis.fetch as Fetch))(url, init);
    const isEmpty = response.body === null || [101, 204, 205, 304].includes(response.status);
    if (response.body || (isEmpty && response.body === null && typeof ReadableStream === "function")) return response;
    return Object.defineProperty(response, "body", { value: wholeBody(response), configurable: true });
  };
}

function wholeBody(response: Response): WholeBody {
  let isRead = false;
  const body: WholeBody = {
    locked: false,
    getReader() {
      if (body.locked) throw new TypeError("Another reader holds the body.");
      body.locked = true;
      return {
        async read() {
          if (isRead) return { done: true };
          isRead = true;
          return { done: false, value: new Uint8Array(await response.arrayBuffer()) };
        },
        cancel: body.cancel,
        releaseLock: () => {
          body.locked = false;
        },
      };
    },
    async cancel() {
      isRead = true;
    },
    verdict(outcome) {
      if (!outcome.repairs.some(({ code }) => code === "body.whole")) {
        outcome.repairs.push({ code: "body.whole", at: 0, count: 1 });
      }
      return outcome;
    },
  };
  return body;
}
