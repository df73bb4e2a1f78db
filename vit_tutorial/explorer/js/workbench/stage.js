// The two pictures, before and after: drawn, and touched by mouse, finger and keys.

import {
  box, hatch, penOf, pictureOf, pixelGrid, squares,
} from "../explorer/canvas.js";
import { cellUnder } from "../explorer/pointing.js";
import { neighbour } from "../explorer/state.js";
import { clamp, onArrows } from "../frame/dom.js";

const SIDE = 480; // pixels of a canvas, at least

/** Draw one picture (Y, X, 4) of a subject with a map on it. `look`: weights (patches)
 *  or null, largest, opacity, hidden and framed: patches from 1. */
export function drawPane(canvas, picture, { size, grid, colours }, look) {
  const [height, width] = size;
  const [rows, columns] = grid;
  const zoom = Math.ceil(SIDE / Math.max(height, width)); // whole: patches stay sharp
  const pen = penOf(canvas, width * zoom, height * zoom);
  const side = (width / columns) * zoom;
  const square = squares(columns, side);
  pen.drawImage(pictureOf(picture, width, height), 0, 0, canvas.width, canvas.height);
  if (look.weights) {
    const map = pixelGrid(columns, rows);
    look.weights.forEach((weight, patch) => {
      map.ink[patch] = colours[Math.round((255 * weight) / (look.largest || 1))];
    });
    pen.globalAlpha = look.opacity;
    pen.drawImage(map.put(), 0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 1;
  }
  for (const patch of look.hidden) hatch(pen, square(patch));
  const line = clamp(Math.round(side / 8), 2, 5);
  for (const patch of look.framed) box(pen, square(patch), line, "white");
}

/** Hear of a canvas: touched(patch, first) by a click or, where paints() says so, where
 *  the pointer goes down and over what it is drawn (first: where it began); arrow keys
 *  move a cursor, told by at(patch), and space or enter touches there. `grid`() is
 *  [rows, columns]. */
export function onTouches(canvas, grid, { touched, at, paints }) {
  let last = null; // the patch under a pointer that is down
  let cursor = 0;
  const patchUnder = (event) => {
    const [row, column] = cellUnder(event, canvas, ...grid());
    return 1 + row * grid()[1] + column;
  };

  // a finger that goes down may want to scroll: it clicks where it does not
  canvas.addEventListener("click", (event) => {
    if (!paints()) touched(patchUnder(event), true);
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !paints()) return;
    last = patchUnder(event);
    canvas.setPointerCapture(event.pointerId);
    touched(last, true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) last = null; // it was let go of elsewhere
    if (last === null || !paints()) return;
    const patch = patchUnder(event);
    if (patch === last) return;
    last = patch;
    touched(patch, false);
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => (last = null));
  onArrows(canvas, (down, across) => {
    cursor = neighbour(cursor, down, across, grid());
    at(cursor);
  });
  canvas.addEventListener("keydown", (event) => {
    if (![" ", "Enter"].includes(event.key)) return;
    event.preventDefault(); // of scrolling
    cursor = neighbour(cursor, 0, 0, grid()); // where the grid was larger, into it
    at(cursor);
    touched(cursor, true);
  });
  canvas.addEventListener("blur", () => at(null));
}
