// The frame around what a reader moves: an element with a layout, its labelled controls
// and its keys.

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** A new element with these properties. */
export const make = (tag, properties = {}) =>
  Object.assign(document.createElement(tag), properties);

/** An SVG element with these attributes, in `parent`. */
export function node(parent, tag, attributes) {
  const made = document.createElementNS(parent.namespaceURI, tag);
  setAttributes(made, attributes);
  parent.append(made);
  return made;
}

export function setAttributes(element, attributes) {
  for (const name in attributes) element.setAttribute(name, attributes[name]);
}

/** Fill `element` with a layout (HTML of our own), under a class; returns what finds a
 *  part of it by its selector. */
export function frame(element, name, layout) {
  // a dollar in a class name is no formula
  element.classList.add(name, "tex2jax_ignore", "mathjax_ignore");
  element.innerHTML = layout;
  // JupyterLab takes arrow keys and letters for its own commands unless they end here
  element.addEventListener("keydown", (event) => event.stopPropagation());
  return (selector) => element.querySelector(selector);
}

let controls = 0;
const page = Math.random().toString(36).slice(2); // several scripts can run on one page

/** A label for `control`, tied to it by an id that no other element has. */
export function labelled(text, control) {
  control.id = `vit-${page}-${controls++}`;
  return make("label", { textContent: text, htmlFor: control.id });
}

const ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** Call go(down, across, event), of -1, 0 and 1, when an arrow key is pressed there; with
 *  Alt, Ctrl or Meta it is the browser's. */
export function onArrows(element, go) {
  element.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    go(...ARROWS[event.key], event);
    event.preventDefault(); // of scrolling
  });
}
