/**
 * Prices of common models: facts, each with its source. Written by `npm run prices`; a model on which sources disagree, or whose
 * price depends on more than its tokens (DeepSeek's on the hour), is left out, since an unknown cost is better than a wrong one.
 */

/** One model: USD per 1M tokens of input, of input from the cache, and of output. */
export interface ListedPrice {
  input: number;
  cachedInput: number;
  output: number;
  /** Tokens of a prompt up to which the price holds; left out where it holds for all. */
  upTo?: number;
  /** The day on which the source was read. */
  read: string;
  /** The page or data that names the price. */
  source: string;
  /** A second source, independent of the first, named the same price of input and output. */
  confirmed: boolean;
}

const price = (
  read: string,
  source: string,
  [input, cachedInput, output]: readonly [number, number, number],
  confirmed: boolean,
  upTo?: number,
): ListedPrice => ({ input, cachedInput, output, ...(upTo !== undefined && { upTo }), read, source, confirmed });

/** The services by the host that they answer at. */
export const LIST: Readonly<Record<string, Readonly<Record<string, ListedPrice>>>> = {
  "api.openai.com": {
    "gpt-4.1": price(
      "2026-11-28",
      "https://github.com/github/docs/blob/main/data/tables/copilot/models-and-pricing.yml",
      [2, 0.5, 8],
      true,
    ),
    "gpt-4.1-mini": price(
      "2026-11-28",
      "https://github.com/Sraleik/undetermini/blob/HEAD/PRICING.md",
      [0.4, 0.1, 1.6],
      false,
    ),
    "gpt-4.1-nano": price(
      "2026-11-28",
      "https://github.com/Sraleik/undetermini/blob/HEAD/PRICING.md",
      [0.1, 0.025, 0.4],
      false,
    ),
    "gpt-4o": price("2026-11-28", "https://docs.rs/crate/openai-models/0.1.1", [2.5, 1.25, 10], false),
    "gpt-4o-2024-05-13": price("2026-11-28", "https://github.com/anomalyco/models.dev", [5, 5, 15], false),
    "gpt-4o-mini": price("2026-11-28", "https://docs.rs/crate/openai-models/0.1.1", [0.15, 0.075, 0.6], true),
    "gpt-5": price("2026-11-28", "https://github.com/anomalyco/models.dev", [1.25, 0.125, 10], true),
    "gpt-5-mini": price("2026-11-28", "https://github.com/anomalyco/models.dev", [0.25, 0.025, 2], true),
    "gpt-5-nano": price("2026-11-28", "https://github.com/anomalyco/models.dev", [0.05, 0.005, 0.4], false),
    "gpt-5.1": price("2026-11-28", "https://github.com/anomalyco/models.dev", [1.25, 0.125, 10], true),
    "gpt-5.2": price("2026-11-28", "https://github.com/anomalyco/models.dev", [1.75, 0.175, 14], true),
    "gpt-5.4": price("2026-11-28", "https://github.com/anomalyco/models.dev", [2.5, 0.25, 15], true, 270_000),
    "gpt-5.4-mini": price("2026-11-28", "https://docs.rs/crate/adk-model/0.6.0", [0.75, 0.075, 4.5], true, 270_000),
    "gpt-5.4-nano": price("2026-11-28", "https://docs.rs/crate/adk-model/0.6.0", [0.2, 0.02, 1.25], true, 270_000),
    "gpt-5.5": price("2026-11-28", "https://github.com/anomalyco/models.dev", [5, 0.5, 30], true, 272_000),
    o3: price("2026-11-28", "https://github.com/anomalyco/models.dev", [2, 0.5, 8], false),
    "o4-mini": price("2026-11-28", "https://github.com/anomalyco/models.dev", [1.1, 0.275, 4.4], false),
  },
  "api.anthropic.com": {
    "claude-haiku-4-5": price("2026-11-28", "https://github.com/anomalyco/models.dev", [1, 0.1, 5], true),
    "claude-opus-4-5": price("2026-11-28", "https://github.com/anomalyco/models.dev", [5, 0.5, 25], true),
    "claude-sonnet-4-5": price("2026-11-28", "https://github.com/anomalyco/models.dev", [3, 0.3, 15], true, 200_000),
  },
  "generativelanguage.googleapis.com": {
    "gemini-2.5-flash": price("2026-11-28", "https://github.com/anomalyco/models.dev", [0.3, 0.03, 2.5], false),
    "gemini-2.5-flash-lite": price("2026-11-28", "https://github.com/anomalyco/models.dev", [0.1, 0.01, 0.4], false),
    "gemini-2.5-pro": price("2026-11-28", "https://github.com/anomalyco/models.dev", [1.25, 0.125, 10], true, 200_000),
  },
  "api.groq.com": {
    "openai/gpt-oss-120b": price("2026-11-28", "https://github.com/anomalyco/models.dev", [0.15, 0.075, 0.6], false),
    "openai/gpt-oss-20b": price("2026-11-28", "https://github.com/anomalyco/models.dev", [0.075, 0.0375, 0.3], false),
  },
  "api.x.ai": {
    "grok-4": price("2026-11-28", "https://github.com/anomalyco/models.dev", [3, 0.75, 15], false, 128_000),
  },
};
