// What is bundled of the three tokens: a widget in a notebook, or what fills a page.

import { takeNext } from "./frame/page.js";
import { follow, read, save } from "./frame/widget.js";
import { mount, NAMES } from "./toy/mount.js";

const waiting = takeNext("vit-tokens"); // on a page; in a notebook nothing waits
if (waiting) mount(waiting.element, waiting.data);

/** In a live notebook: the state is the widget's, and both sides may move it. */
function render({ model, el }) {
  const data = { ...model.get("metadata"), ...read(model, NAMES) };
  const show = mount(el, data, (moved) => save(model, moved));
  const hear = () => show(read(model, NAMES));
  const events = NAMES.map((name) => [`change:${name}`, hear]);
  return follow(model, Object.fromEntries(events));
}

export default { render };
