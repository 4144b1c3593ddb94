/**
 * The settings that clients, calls and decoders share: timeouts, prices, sentences, the caller's own provider and `fetch`.
 * Types only; the engine checks the values and knows the defaults.
 */

/** USD per 1M tokens. */
export interface Prices {
  /**
   * USD per 1M tokens of input.
   * @range 0 to 1,000,000
   */
  input: number;
  /**
   * Input found in the prefix cache; the input price when left out.
   * @range 0 to 1,000,000
   * @default `input`
   */
  cachedInput?: number;
  /**
   * USD per 1M tokens of output.
   * @range 0 to 1,000,000
   */
  output: number;
  /**
   * Tokens of a prompt up to which these prices hold: the cost of a longer one is null.
   * @range at least 1
   * @default any length
   */
  upTo?: number;
}

/** Prices by the name of the model; `"*"` is for all others. A version with its date costs what the model costs. */
export interface ModelPrices {
  [model: string]: Prices;
}

/** A server of your own. */
export interface CustomProvider {
  /** The URL that `/chat/completions` is appended to. */
  baseURL: string;
  /**
   * How it is called in attempts and hooks; its host when left out.
   * @default the host of `baseURL`
   */
  name?: string;
  /** USD per 1M tokens. */
  prices?: Prices;
  /** Lowest and highest value of numeric parameters, checked before sending. */
  ranges?: { [param: string]: readonly [min: number, max: number] };
  /**
   * Where its models' thinking appears; found out by itself when left out.
   * @default `"detect"`
   */
  reasoning?: ReasoningPlace;
  /**
   * Whether it takes thinking back in an assistant's turn: with `false` it is left out of `outcome.message`. Known for the
   * built-in services.
   * @default true
   */
  takesReasoning?: boolean;
  /**
   * Whether it goes on with an assistant's turn at the end of the messages, instead of answering it; an object is what such a
   * turn needs beside its text, such as `{ prefix: true }`. Only such a server continues an answer (`continueWith`).
   * @default false
   */
  prefill?: boolean | Record<string, unknown>;
}

/**
 * How the text is cut into sentences. `{}` takes the defaults.
 * @example
 * ```ts
 * const stream = await client.chat.completions.create({ messages, stream: true }, { sentences: { eager: true } });
 * for await (const event of stream.events) if (event.type === "sentence") speak(event.text);
 * ```
 */
export interface SentenceOptions {
  /**
   * The text's language as a BCP 47 tag, where it is known: ordinal numbers (`de`: "am 3. Oktober") and the Greek question
   * mark depend on it, nothing else.
   */
  locale?: string;
  /**
   * UTF-16 units a sentence has at least: a shorter one goes with the next.
   * @range at least 1
   * @default 1
   */
  minLength?: number;
  /**
   * UTF-16 units a sentence has at most: a longer one is cut at a clause, a space, or anywhere but within a character and
   * its marks, such as an emoji of several.
   * @range at least 1
   * @default 500
   */
  maxLength?: number;
  /**
   * The first sentence may be cut at a clause ("Well,"), so that speech begins earlier.
   * @default false
   */
  eager?: boolean;
  /**
   * Milliseconds without new text after which a sentence is given out that only the next word could confirm ("It is 3.").
   * `false` waits for the word.
   * @range 0 or more (less counts as 0), or `false`
   * @default 250
   */
  quietMs?: number | false;
  /**
   * Leaves Markdown's marks out of `text`, and blocks of code altogether. `start` and `end` still count the whole text.
   * @default false
   */
  stripMarkdown?: boolean;
}

/** Where reasoning appears: a field beside `content`, `<think>` tags inside it, nowhere, or to be found out. */
export type ReasoningPlace = "reasoning" | "reasoning_content" | "tags" | "none" | "detect";

/**
 * Patience, in milliseconds; `false` waits for ever. The error names the timeout that ran out, and its length.
 * @range more than 0, at most 2147483647
 */
export interface Timeouts {
  /**
   * From sending to the answer's headers, of each attempt; another attempt follows. Also for an `apiKey` function, after which
   * none does.
   * @range more than 0, at most 2,147,483,647, or `false`
   * @default 300,000 (Electron 20,000)
   */
  headers?: number | false;
  /**
   * From the headers to the first token, of each attempt; another attempt follows.
   * @range more than 0, at most 2,147,483,647, or `false`
   * @default 300,000 (Electron 20,000)
   */
  firstToken?: number | false;
  /**
   * Between two pieces of the answer, while nothing at all arrives.
   * @range more than 0, at most 2,147,483,647, or `false`
   * @default 120,000
   */
  idle?: number | false;
  /**
   * The same while keep-alives arrive (comments, empty deltas), before the first token too: a model may think for minutes
   * behind a gateway.
   * @range more than 0, at most 2,147,483,647, or `false`
   * @default five times `firstToken` or `idle`, and never less than they
   */
  keepAlive?: number | false;
  /**
   * The whole call with all its attempts, and those of fallbacks.
   * @range more than 0, at most 2,147,483,647, or `false`
   * @default none
   */
  total?: number | false;
}

/** `fetch`, or what stands in for it: called with a string URL and a string body. */
export type Fetch = (url: string, init: FetchInit) => Promise<Response>;

/** The second argument of `fetch`. */
export interface FetchInit {
  method: string;
  headers: Headers;
  body?: string;
  signal?: AbortSignal;
}
