/**
 * The options of an emulator.
 */
import type { Clock } from "./body.ts";
import type { LedgerRecord } from "./ledger.ts";
import type { CooldownLimits, PlanLimits } from "./limits.ts";
import type { Trouble, TroubleRequest } from "./trouble.ts";

/**
 * Settings of {@link createEmulator}; all may be left out.
 *
 * @example
 * createEmulator({ seed: 7, timeToFirstToken: 180, tokensPerSecond: 60, limits: "standard" });
 */
export interface EmulatorOptions {
  /**
   * Chooses ids, texts and jitter (1). The same requests in the same order get the same answers; `created` is the clock's.
   * @default 1
   */
  seed?: number;
  /**
   * Milliseconds to the first token (0 = at once), give or take a tenth.
   * @default 0
   */
  timeToFirstToken?: number;
  /**
   * Tokens per second on average (Infinity = all at once, as is 0).
   * @default Infinity
   */
  tokensPerSecond?: number;
  /**
   * The keys that are accepted; by default any that is not empty. A key with "no-access" in it gets a 403.
   * @default any that is not empty
   */
  apiKeys?: readonly string[];
  /**
   * The models Electron answers to (`["electron"]`). ElectronHub's paths take any name.
   * @default `["electron"]`
   */
  models?: readonly string[];
  /** Electron's plan limits per key; none by default. */
  limits?: "standard" | "enterprise" | PlanLimits;
  /** ElectronHub's limit per key, with its cooldown and its `X-RateLimit-*` headers; none by default. */
  cooldown?: CooldownLimits;
  /** Trouble for every request, or a function that chooses it, and may watch what is sent. A request's own wish comes first. */
  trouble?: string | Trouble | ((request: TroubleRequest) => string | Trouble | undefined);
  /** Is told of each request when its answer has ended; a log, or a test, may read the record. */
  onEnd?: (record: LedgerRecord) => void;
  /**
   * Time; the host's by default.
   * @default the host's
   */
  clock?: Clock;
}
