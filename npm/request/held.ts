/**
 * Responses whose bodies somebody else reads: the gateway, which gives its client a response for the headers' sake, and tells it when
 * the body is over. The symbol is registered, because the gateway is a bundle of its own.
 */
export const HELD = Symbol.for("chatwire.held");

/** A response that may be such a one: the member takes the function to call once its body is over. */
export interface MaybeHeld extends Response {
  [HELD]?: (over: () => void) => void;
}
