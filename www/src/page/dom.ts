/** Elements, short. */

/** A new element, with its class and text. */
export function create<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = "",
  text = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** A button that does something. */
export function button(label: string, className: string, act: () => void): HTMLButtonElement {
  const element = create("button", className, label);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

/** The element with this id, which is in the page. */
export const at = <Kind extends HTMLElement>(id: string): Kind => document.getElementById(id) as Kind;
