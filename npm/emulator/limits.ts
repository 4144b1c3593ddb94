/**
 * Plan limits, as plain data per key: requests in a sliding minute, answers at once, and ElectronHub's cooldown.
 *
 * Time is an argument. A refused request waits for nothing and holds nothing.
 */

/**
 * The limits that a plan sets for one key.
 *
 * @example
 * createEmulator({ limits: { requestsPerMinute: 30, concurrent: 2 } });
 */
export interface PlanLimits {
  /** Requests in any 60 seconds. */
  requestsPerMinute: number;
  /** Answers under way at the same time. */
  concurrent: number;
}

/** Electron's published plans. */
export const PLANS: Record<"standard" | "enterprise", PlanLimits> = {
  standard: { requestsPerMinute: 10, concurrent: 3 },
  enterprise: { requestsPerMinute: 200, concurrent: 20 },
};

/**
 * ElectronHub's limit for one key: once it is passed, everything is refused for a while.
 *
 * Its page says nothing of limits; this is what has been seen elsewhere, `X-RateLimit-Reset` being in seconds since 1970.
 *
 * @example
 * createEmulator({ cooldown: { requestsPerMinute: 5 } });
 */
export interface CooldownLimits {
  /** Calls in any 60 seconds; failed ones count. */
  requestsPerMinute: number;
  /**
   * Milliseconds of refusing once the limit is passed (180,000).
   * @default 180,000
   */
  cooldown?: number;
}

/** A limiter's word on one request. */
export type Verdict =
  | { allowed: true; headers: Record<string, string>; release(): void }
  | { allowed: false; message: string; headers: Record<string, string> };

/** Decides for one request of one key. */
export interface Limiter {
  admit(key: string, now: number): Verdict;
  clear(): void;
}

const WINDOW = 60_000;

const seconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));

/** Electron: a sliding window and a cap on concurrency; refused requests count against neither. */
export function createPlanLimiter({ requestsPerMinute, concurrent }: PlanLimits): Limiter {
  const states = new Map<string, { arrivals: number[]; open: number }>();
  return {
    admit(key, now) {
      const state = states.get(key) ?? { arrivals: [], open: 0 };
      states.set(key, state);
      state.arrivals = state.arrivals.filter((at) => at > now - WINDOW);
      if (state.arrivals.length >= requestsPerMinute) {
        const wait = requestsPerMinute > 0 ? (state.arrivals.at(-requestsPerMinute) ?? now) + WINDOW - now : WINDOW;
        const message = `Rate limit of ${requestsPerMinute} requests per minute hit.`;
        return { allowed: false, message, headers: { "retry-after": seconds(wait) } };
      }
      if (state.open >= concurrent) {
        const message = `Concurrency cap of ${concurrent} requests hit.`;
        return { allowed: false, message, headers: { "retry-after": "1" } };
      }
      state.arrivals.push(now);
      state.open += 1;
      let released = false;
      return {
        allowed: true,
        headers: {},
        release() {
          if (!released) state.open -= 1;
          released = true;
        },
      };
    },
    clear: () => states.clear(),
  };
}

/** ElectronHub: a sliding window in which failed calls count, then a cooldown in which every call is refused. */
export function createCooldownLimiter({ requestsPerMinute, cooldown = 180_000 }: CooldownLimits): Limiter {
  const states = new Map<string, { arrivals: number[]; until: number }>();
  return {
    admit(key, now) {
      const state = states.get(key) ?? { arrivals: [], until: 0 };
      states.set(key, state);
      state.arrivals = state.arrivals.filter((at) => at > now - WINDOW);
      state.arrivals.push(now);
      if (now >= state.until && state.arrivals.length > requestsPerMinute) state.until = now + cooldown;

      const cooling = now < state.until;
      const reset = cooling ? state.until : (state.arrivals[0] ?? now) + WINDOW;
      const headers: Record<string, string> = {
        "x-ratelimit-limit": String(requestsPerMinute),
        "x-ratelimit-remaining": String(cooling ? 0 : requestsPerMinute - state.arrivals.length),
        "x-ratelimit-reset": String(Math.ceil(reset / 1000)),
      };
      if (!cooling) return { allowed: true, headers, release() {} };
      headers["retry-after"] = seconds(state.until - now);
      return {
        allowed: false,
        message: `Rate limit hit; cooling down for ${headers["retry-after"]} seconds.`,
        headers,
      };
    },
    clear: () => states.clear(),
  };
}
