/** A trouble, read by the clients, each from a stream of its own. */
import type { Fetch } from "chatwire";
import { READERS } from "./clients.ts";
import { CLIENTS, type ClientName, type Reading } from "./names.ts";
import { CUT_BETWEEN, questionOf, type Trouble } from "./troubles.ts";

/** The results of all clients for one trouble. */
export interface Trial {
  trouble: Trouble;
  readings: Record<ClientName, Reading>;
}

/** Runs the clients on one trouble, each on a stream of its own. */
export async function compare(
  trouble: Trouble,
  fetch: Fetch,
  clients: readonly ClientName[] = CLIENTS,
): Promise<Trial> {
  const read = async (name: ClientName) => {
    // Each client has counts of its own.
    const wish = trouble.name.includes("times=") ? `${trouble.name}; id=${name}-${++trials}` : trouble.name;
    const isCutHere = wish === CUT_BETWEEN;
    const content = `${questionOf(trouble)} [emulator: tps=0; ${isCutHere ? "" : wish}]`;
    // A client that still waits when it is asked no more leaves nothing running.
    const over = new AbortController();
    const troubled = isCutHere ? cutBetween(fetch) : fetch;
    const reading = await READERS[name]({
      content,
      fetch: leftWith(over.signal, troubled),
      ...(trouble.form && { form: trouble.form }),
    });
    over.abort();
    return [name, reading] as const;
  };
  // At the same time: a client may wait as long as the others together.
  const readings = Object.fromEntries(await Promise.all(clients.map(read))) as Record<ClientName, Reading>;
  return { trouble, readings };
}

let trials = 0;

function leftWith(over: AbortSignal, fetch: Fetch): Fetch {
  return (url, init) => fetch(url, { ...init, signal: init.signal ? AbortSignal.any([init.signal, over]) : over });
}

/** Ends the body after half of its events, where one is over and the next has not begun. */
function cutBetween(fetch: Fetch): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const text = await response.text();
    const events = text.split(/(?<=\n\n)/);
    const { status, headers } = response;
    return new Response(events.slice(0, events.length / 2).join(""), { status, headers });
  };
}
