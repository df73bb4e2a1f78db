// The workbench on a page: its pictures are unpacked first, each model when it is asked.

import { inflate, takeNext } from "../frame/page.js";
import { mount } from "./mount.js";

/** Fill the first workbench that waits, if one does. */
export async function mountNext() {
  const waiting = takeNext("vit-workbench");
  if (!waiting) return;
  const { element, data } = waiting;
  if (!window.DecompressionStream) {
    element.append("The workbench needs a browser of 2023 or later.");
    return;
  }
  const { colours } = data;
  const subjects = await Promise.all(data.subjects.map(async (subject) => {
    const pictures = await Promise.all(subject.pictures.map(async (picture) => ({
      ...picture, pixels: await inflate(picture.pixels),
    })));
    const shared = pictures.length;
    const maps = ["raw", "rollout", ...new Set(pictures.flatMap(({ scores }) =>
      Object.keys(scores)))];
    // exact: what is computed here need not be packed, and the order of patches hangs
    // on small differences
    const quantizationLevels = 1;
    return { ...subject, colours, pictures, shared, maps, quantizationLevels };
  }));
  mount(element, subjects);
}
