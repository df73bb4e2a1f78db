// The pictures of a subject: those that came with it, and the reader's own.

import { pictureOf } from "../explorer/canvas.js";
import { opaque } from "../explorer/carried.js";
import { onFiles, readPicture } from "../explorer/upload.js";
import { make } from "../frame/dom.js";
import { camera } from "./camera.js";
import { painter } from "./painter.js";

/** A row of them in the layout; `hear` has chosen(index), added(picture, subject), which
 *  returns its index in the row of that subject, changed(index, picture) and
 *  problem(line). Returns draw({subject, state}). */
export function pictures(element, find, hear) {
  let now = null; // what was drawn
  let shown = []; // the pictures whose buttons stand there
  let painting = null; // the editor, while it is open
  const file = find("input[type=file]");
  file.addEventListener("change", async () => {
    if (file.files.length) await take(file.files[0]);
    file.value = ""; // the same file may come again
  });
  onFiles(element, take);

  camera(find(".camera-place"), take);
  find(".paint").addEventListener("click", paint);

  async function take(chosen, title = chosen.name) {
    const { subject } = now; // another one may be chosen while it is read
    hear.problem("");
    try {
      const pixels = opaque(await readPicture(chosen, subject));
      hear.added({ title, pixels, label: null, scores: {} }, subject);
    } catch {
      hear.problem(`${title} is no picture that this browser can read`);
    }
  }

  /** Open the editor, or close it; what is painted is a picture like others, replaced
   *  as it changes. */
  function paint() {
    if (painting) return close();
    let at = null; // where it stands in the row
    painting = painter(find(".painting"), (pixels, label) => {
      const picture = { title: "painted stack", pixels, label, scores: {} };
      if (at === null) at = hear.added(picture, now.subject);
      else hear.changed(at, picture);
    });
    toggle();
  }

  function close() {
    painting?.stop();
    painting = null;
    toggle();
  }

  function toggle() {
    find(".painting").hidden = !painting;
    find(".paint").ariaExpanded = painting !== null;
  }

  function thumb({ title, pixels }, at) {
    const [height, width] = now.subject.size;
    const made = make("button", { type: "button", title, ariaLabel: title });
    made.append(pictureOf(pixels, width, height));
    made.addEventListener("click", () => hear.chosen(at));
    return made;
  }

  return function draw({ subject, state }) {
    if (painting && subject !== now.subject) close(); // its place is in that row
    now = { subject };
    find(".paint").hidden = !subject.paints;
    const all = subject.pictures;
    const gallery = find(".gallery");
    all.forEach((picture, at) => {
      if (picture === shown[at]) return; // its button may have the focus
      if (at < shown.length) gallery.children[at].replaceWith(thumb(picture, at));
      else gallery.append(thumb(picture, at));
    });
    for (let at = shown.length; at > all.length; at--) gallery.lastChild.remove();
    shown = [...all];
    [...gallery.children].forEach((made, at) => (made.ariaPressed = at === state.picture));
  };
}
