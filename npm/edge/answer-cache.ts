/**
 * A cache of answers for requests that are equal: word for word, from this isolate's memory, to the same caller unless the
 * operator says otherwise. A stream comes back as a stream.
 */
import { joined } from "./bytes.ts";
import type { ExactJSON } from "./exact-json.ts";
import type { CacheOptions } from "./options.ts";

/** The longest answer that is kept, and all of them together, in bytes. */
const MAX_ANSWER = 1024 * 1024;
const MAX_ALL = 32 * 1024 * 1024;
/** Bytes that an answer counts for beside its own: its key and its place. */
const PLACE_BYTES = 512;

/** An answer that is kept, and what it cost. */
export interface CachedAnswer {
  contentType: string;
  bytes: Uint8Array;
  tokens: number | null;
  cost: number | null;
  expires: number;
}

/** The bytes of an answer, gathered while it passes. */
export interface Gathering {
  add(bytes: Uint8Array): void;
  /** Puts the gathered answer, which is whole, into the cache. */
  keep(contentType: string, used: { tokens: number | null; cost: number | null }): void;
}

/** The parts of a request that its answer depends on. */
interface Cacheable {
  model: string;
  json: Pick<ExactJSON, "print">;
  params: Readonly<Record<string, unknown>>;
  maxTokens: number | undefined;
  hidesUsage: boolean;
}

export class AnswerCache {
  readonly #options: CacheOptions;
  /** The answers by their keys, the least recently used first. */
  readonly #answers = new Map<string, CachedAnswer>();
  #bytes = 0;

  constructor(options: CacheOptions) {
    this.#options = options;
  }

  /** The key of a request; `undefined` where it may not be answered from the cache, by route or because the request says so. */
  async keyOf(request: Cacheable, caller: string, control: string | null): Promise<string | undefined> {
    const { models, shared = false } = this.#options;
    if (models && !models.includes(request.model)) return undefined;
    if (/\bno-store\b/i.test(control ?? "")) return undefined;
    const { model, params, hidesUsage, maxTokens, json } = request;
    const body = json.print(params) ?? JSON.stringify(params);
    const text = JSON.stringify([shared ? null : caller, model, hidesUsage, maxTokens ?? null, body]);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /** The answer for a key, unless the caller wants a new one (`no-cache`) or a younger one (`max-age`). */
  find(key: string, control: string | null): CachedAnswer | undefined {
    const found = this.#answers.get(key);
    if (!found) return undefined;
    const age = Date.now() - (found.expires - this.#options.ttl * 1000);
    // An answer from the future came before the clock was put back: its age is not known.
    const isOld = age < 0 || age >= this.#options.ttl * 1000;
    if (isOld) this.#drop(key);
    if (isOld || /\bno-cache\b/i.test(control ?? "")) return undefined;
    const [, wanted] = /\bmax-age=(\d+)/i.exec(control ?? "") ?? [];
    if (wanted !== undefined && age >= Number(wanted) * 1000) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, found);
    return found;
  }

  /** Gathers an answer that passes. */
  gather(key: string): Gathering {
    const pieces: Uint8Array[] = [];
    let length = 0;
    return {
      add: (bytes) => {
        length += bytes.length;
        if (length <= MAX_ANSWER) pieces.push(bytes.slice());
      },
      keep: (contentType, used) => {
        if (length === 0 || length > MAX_ANSWER) return;
        this.#drop(key);
        const expires = Date.now() + this.#options.ttl * 1000;
        this.#answers.set(key, { contentType, bytes: joined(...pieces).slice(), ...used, expires });
        this.#bytes += length + PLACE_BYTES;
        for (const oldest of this.#answers.keys()) {
          if (this.#bytes <= MAX_ALL) break;
          this.#drop(oldest);
        }
      },
    };
  }

  #drop(key: string): void {
    const known = this.#answers.get(key);
    if (known) this.#bytes -= known.bytes.length + PLACE_BYTES;
    this.#answers.delete(key);
  }
}
