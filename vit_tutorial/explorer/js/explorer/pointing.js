// Pointing at patches, and at small maps, by mouse, finger and keys.

import { clamp, onArrows } from "../frame/dom.js";

/** Which of rows and columns lies under an event on a canvas: [row, column]. */
export function cellUnder({ offsetX, offsetY }, { clientWidth, clientHeight }, rows, columns) {
  const at = (position, whole, count) =>
    clamp(Math.floor((position / whole) * count), 0, count - 1);
  return [at(offsetY, clientHeight, rows), at(offsetX, clientWidth, columns)];
}

/** Hear of patches (from 1) on a canvas: chosen(patch) by a click, under(patch) of the
 *  pointer that passes, null when it leaves, arrow(down, across), and pressed() by
 *  space or enter, which returns whether it took the key. */
export function onPatches(canvas, [rows, columns], { chosen, under, arrow, pressed }) {
  const patchUnder = (event) => {
    const [row, column] = cellUnder(event, canvas, rows, columns);
    return 1 + row * columns + column;
  };
  canvas.addEventListener("click", (event) => chosen(patchUnder(event)));
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return; // a finger that passes wants to scroll
    under(patchUnder(event));
  });
  canvas.addEventListener("pointerleave", () => under(null));
  onArrows(canvas, arrow);
  canvas.addEventListener("keydown", (event) => {
    if (![" ", "Enter"].includes(event.key)) return;
    if (pressed()) event.preventDefault(); // of scrolling
  });
}

/** Hear of small maps: chosen(layer, head) by a click, arrow(down, across). */
export function onMaps(canvas, { layers, heads }, { chosen, arrow }) {
  canvas.addEventListener("click", (event) =>
    chosen(...cellUnder(event, canvas, layers, heads)));
  onArrows(canvas, arrow);
}
