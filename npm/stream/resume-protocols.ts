/**
 * How servers other than this package's gateway keep streams: built from their documentation, and tested against stand-ins
 * (Durable Streams also against its reference server). Loaded on demand, before the request that needs it.
 */

import { DurableStream } from "./durable-stream.ts";
import type { KeptStream, ResumeProtocol } from "./resume.ts";

const isPlainId = (id: string) => /^[\w.~-]{1,256}$/.test(id) && !/^\.{1,2}$/.test(id);

/**
 * llama.cpp's server: the request names its stream in `X-Conversation-Id`, and the rest is asked for by the number of bytes that
 * have come. A second request with the same id takes the place of the first.
 */
const LLAMA_SERVER: ResumeProtocol = {
  isId: isPlainId,
  named: (id) => ({ "x-conversation-id": id }),
  needsName: true,
  idIn: (_, chosen) => chosen,
  at(id): KeptStream {
    let bytes = 0;
    const path = `/stream/${id}`;
    return {
      id,
      passed(pieces, events) {
        for (const { length } of pieces) bytes += length;
        return events > 0;
      },
      resumption: () => ({ path, query: { from: String(bytes) } }),
      stop: () => ({ method: "DELETE", path }),
      stateOf: () => "ended",
    };
  },
};

/** Cloudflare AI Gateway: answers have a `cf-aig-run-id`, and the rest is asked for by the number of events that have come. */
const CLOUDFLARE: ResumeProtocol = {
  isId: isPlainId,
  idIn: ({ headers }) => headers.get("cf-aig-run-id") ?? undefined,
  at(id): KeptStream {
    let events = 0;
    return {
      id,
      passed(_, count) {
        events += count;
        return count > 0;
      },
      resumption: () => ({ path: `/run/${id}/resume`, query: { from: String(events) } }),
      stateOf: () => "ended",
    };
  },
};

/**
 * The read protocol of Durable Streams: the id is the stream's path below `baseURL`. An answer whose `Location` is such a path is
 * read from there.
 */
const DURABLE_STREAMS: ResumeProtocol = {
  isId: (id) => id.split("/").every(isPlainId),
  idIn({ headers }, _, baseURL) {
    const location = headers.get("location");
    if (location === null) return undefined;
    const base = `${baseURL().replace(/\/+$/, "")}/`;
    const href = hrefOf(location, base);
    const id = href.startsWith(base) ? href.slice(base.length) : "";
    // Elsewhere it would get this server's key.
    return DURABLE_STREAMS.isId(id) ? id : undefined;
  },
  at: (id) => new DurableStream(id),
};

/** An absolute address; "" where it is none. Browsers of ES2022 and React Native have no `URL.canParse`. */
function hrefOf(address: string, base: string): string {
  try {
    return new URL(address, base).href;
  } catch {
    return "";
  }
}

const PROTOCOLS = {
  "llama-server": LLAMA_SERVER,
  "cloudflare-ai-gateway": CLOUDFLARE,
  "durable-streams": DURABLE_STREAMS,
} as const;

/** The protocol with a name; undefined for the gateway's own. */
export function protocolNamed(name: string | undefined): ResumeProtocol | undefined {
  return Object.hasOwn(PROTOCOLS, name ?? "") ? PROTOCOLS[name as keyof typeof PROTOCOLS] : undefined;
}
