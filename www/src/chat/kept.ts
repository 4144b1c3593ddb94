/** The item of the browser's storage that says that a conversation is kept: the page then does not wait until it is idle. */
export const KEPT_ITEM = "chatwire-kept";
