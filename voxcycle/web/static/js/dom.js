// Elements: built from code, their text only ever text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Build an HTML element with attributes, listeners (`onclick`) and children. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** Build an SVG element. */
export function svg(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** A line icon, hidden from screen readers: the label is the button's. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));
}

export function setIcon(element, name) {
  element.querySelector("use").setAttribute("href", `#icon-${name}`);
}

/** A button with an icon and, where `text` is given, words; `label` is what it is called. */
export function button(iconName, { label, text, kind = "quiet", onclick, ...rest }) {
  const shape = text ? kind : `${kind} icon-button`;
  const name = text && text === label ? null : label;
  return h("button", { type: "button", class: shape, "aria-label": name, title: text ? null : label, onclick, ...rest },
    icon(iconName), text && h("span", {}, text));
}

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

/**
 * Keep the children of `container` equal to `items`: one element per key, made once by
 * `make(item)` and changed by its `update(item)`. What has the focus keeps it.
 */
export function keyed(container, items, make) {
  const kept = (container.parts ??= new Map());
  const wanted = new Set(items.map((item) => item.id));
  for (const [id, part] of kept) {
    if (wanted.has(id)) continue;
    part.remove?.();
    part.element.remove();
    kept.delete(id);
  }
  let after = null;
  for (const item of items) {
    let part = kept.get(item.id);
    if (!part) kept.set(item.id, (part = make(item)));
    part.update(item);
    const place = after ? after.nextSibling : container.firstChild;
    if (place !== part.element) container.insertBefore(part.element, place);
    after = part.element;
  }
}

/** Replace the children only where the shown text differs, so nothing flickers. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
