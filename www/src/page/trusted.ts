/**
 * Workers under Trusted Types: the page's own files, by addresses that the bundler wrote, and no others.
 */

import address from "../worker/page.worker.ts?worker&url";

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** The name of the policy, as the page's CSP allows it. */
const POLICY = "chatwire-worker";

const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
const policy = trustedTypes?.createPolicy(POLICY, {
  createScriptURL(address) {
    const { origin, pathname } = new URL(address, location.href);
    if (origin !== location.origin || !/\.worker-[\w-]+\.js$/.test(pathname))
      throw new TypeError("This is no worker of the page.");
    return address;
  },
});

/** Starts an instance of the page's worker. */
export function startPageWorker(): Worker {
  return new Worker(policy ? policy.createScriptURL(address) : address, { type: "module" });
}
