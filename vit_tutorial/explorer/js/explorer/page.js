// The explorer on a page: its data come packed, and are unpacked one by one.

import { inflate, takeNext } from "../frame/page.js";
import { carried } from "./carried.js";
import { decode } from "./decode.js";
import { mount } from "./mount.js";
import { note } from "./sentences.js";

/** Fill the first explorer that waits, if one does. What is shown first is unpacked and
 *  drawn first: `data-loaded` goes from "none" over "first" to "all". */
export async function mountNext() {
  const waiting = takeNext("vit-explorer");
  if (!waiting) return;
  const { element } = waiting;
  const { metadata, state, pieces, model } = waiting.data;
  element.dataset.loaded = "none";
  if (!window.DecompressionStream) {
    element.append("These sliders need a browser of 2023 or later.");
    return;
  }
  const data = { ...metadata, state, pictures: [], views: [], masked: null };
  if (model) data.computed = { epoch: model.epoch, from: data.images };
  let mounted = null;
  for (const [index, [kind, at, text]] of pieces.entries()) {
    const bytes = await inflate(text);
    data[kind][at] = kind === "views" ? decode(bytes, data) : bytes;
    if (index === 1) { // a picture and its view
      const told = {
        show: (part) => mounted.show(part),
        problem: (line) => mounted.problem(line),
      };
      const own = model && { ...carried(data, model, told), note: note(data) };
      mounted = mount(element, data, own);
      element.dataset.loaded = "first";
    }
    mounted?.arrived();
  }
  element.dataset.loaded = "all";
}
