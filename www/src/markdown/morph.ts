/**
 * Makes elements like others without replacing those that are alike, so that focus, selection and the place a reader has
 * scrolled to outlive an update.
 */

/** Makes the children of `target` like those of `wanted`, which is used up. */
export function morph(target: Node, wanted: Node): void {
  let old = target.firstChild;
  for (let fresh = wanted.firstChild; fresh; ) {
    const next: ChildNode | null = fresh.nextSibling;
    if (!old) target.appendChild(fresh);
    else {
      const following: ChildNode | null = old.nextSibling;
      if (isAlike(old, fresh)) liken(old, fresh);
      else target.replaceChild(fresh, old);
      old = following;
    }
    fresh = next;
  }
  while (old) {
    const following: ChildNode | null = old.nextSibling;
    old.remove();
    old = following;
  }
}

function isAlike(a: Node, b: Node): boolean {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName;
}

function liken(old: Node, fresh: Node): void {
  if (old instanceof Text && fresh instanceof Text) {
    // Adding or taking away at the end leaves a selection where it is.
    if (old.data === fresh.data) return;
    if (fresh.data.startsWith(old.data)) old.appendData(fresh.data.slice(old.data.length));
    else if (old.data.startsWith(fresh.data)) old.deleteData(fresh.data.length, old.data.length - fresh.data.length);
    else old.data = fresh.data;
    return;
  }
  if (old instanceof Element && fresh instanceof Element) {
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  morph(old, fresh);
}
