// Colours of the stylesheet for canvases, which know no custom properties.

/** The colour of a custom property where `element` stands, as "rgb(...)". */
export function colourOf(element, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** "rgb(1, 2, 3)" -> [1, 2, 3] */
export function channels(colour) {
  return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}
