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

const SVG = "http://www.w3.org/2000/svg";

/** An element of a drawing. */
export function draw<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>> = {},
  text = "",
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  if (text) element.textContent = text;
  return element;
}

/** A line drawing of 24 units, decoration only. */
export function icon(path: string): SVGSVGElement {
  const svg = draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  svg.append(draw("path", { d: path }));
  return svg;
}
