/** Keeps the conversation of this tab over a reload. */
import type { UIMessage } from "ai";

const KEY = "conversation";

export function restore(): UIMessage[] {
  return JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
}

/** An answer under way is left out: the gateway has it, from its beginning. */
export function save(messages: readonly UIMessage[], isBusy: boolean): void {
  const whole = isBusy && messages.at(-1)?.role === "assistant" ? messages.slice(0, -1) : messages;
  sessionStorage.setItem(KEY, JSON.stringify(whole));
}
