/**
 * Prefix caching as the services report it: how much of a prompt was the beginning of an earlier one with the same key.
 *
 * Prompts are remembered as hashes of whole blocks of tokens, each including all before it: no text is kept.
 */

const BLOCK = 16;
const MAX_BLOCKS = 65_536;

/** Remembers prompts and measures how far a new one repeats them. */
export interface PrefixCache {
  /** How many leading tokens of `prompt` were seen before under `key`: whole blocks of 16, never all of it. */
  lookUp(key: string, prompt: readonly string[]): number;
  /** Remembers a prompt that was answered. */
  remember(key: string, prompt: readonly string[]): void;
  clear(): void;
}

/** An empty cache. The oldest blocks are forgotten first. */
export function createPrefixCache(): PrefixCache {
  const seen = new Set<string>();
  return {
    lookUp(key, prompt) {
      let cached = 0;
      for (const block of blocks(key, prompt)) {
        if (!seen.has(block)) break;
        cached += BLOCK;
      }
      // The last token is always computed: it is what the first new one is predicted from.
      return cached < prompt.length ? cached : cached - BLOCK;
    },
    remember(key, prompt) {
      for (const block of blocks(key, prompt)) {
        seen.delete(block);
        seen.add(block);
      }
      for (const block of seen) {
        if (seen.size <= MAX_BLOCKS) break;
        seen.delete(block);
      }
    },
    clear: () => seen.clear(),
  };
}

function* blocks(key: string, prompt: readonly string[]): Generator<string> {
  let a = 0x811c9dc5;
  let b = 0x1b873593;
  const take = (text: string): void => {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul((b << 13) | (b >>> 19), 5) ^ Math.imul(unit, 0xcc9e2d51);
    }
    a = Math.imul(a ^ 0x1f, 0x01000193);
  };
  take(key);
  for (let start = 0; start + BLOCK <= prompt.length; start += BLOCK) {
    for (let i = start; i < start + BLOCK; i++) take(prompt[i] ?? "");
    yield `${(a >>> 0).toString(36)}.${(b >>> 0).toString(36)}`;
  }
}
