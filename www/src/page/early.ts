/**
 * The acts of a visitor who is faster than the page: a press of a button, a message that is sent, the address of an
 * experiment. They are held back until the rest of the page is there, and done then, in their order.
 */
import { at } from "./dom.ts";

/** The part of the page that needs nothing more. */
const READY = "#welcome, header";

/** Holds acts back. `wanted` is told of each sign of a visitor. Gives what lets them go. */
export function holdEarlyActs(wanted: () => void): () => void {
  const held: (() => void)[] = [];
  const over = new AbortController();
  const listen = <Name extends "click" | "keydown" | "submit" | "pointerdown" | "dragenter">(
    name: Name,
    act: (event: DocumentEventMap[Name]) => (() => void) | undefined,
  ) => {
    const options = { capture: true, signal: over.signal };
    document.addEventListener(
      name,
      (event) => {
        wanted();
        const again = act(event);
        if (!again) return;
        event.preventDefault();
        event.stopPropagation();
        held.push(again);
      },
      options,
    );
  };
  const send = () => at<HTMLFormElement>("composer").requestSubmit();
  listen("click", ({ target }) => {
    if (!(target instanceof Element) || target.closest(READY)) return undefined;
    const control = target.closest<HTMLElement>("button");
    return control ? () => control.click() : undefined;
  });
  listen("submit", () => send);
  listen("keydown", ({ key, target, shiftKey, isComposing }) =>
    key === "Enter" && !shiftKey && !isComposing && target === at("message") ? send : undefined,
  );
  listen("pointerdown", () => undefined);
  listen("dragenter", () => undefined);
  return () => {
    over.abort();
    for (const again of held.splice(0)) again();
  };
}
