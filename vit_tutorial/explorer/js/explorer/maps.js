// The two large maps: the weights on the image, and the weights alone.

import { clamp } from "../frame/dom.js";
import { box, hatch, penOf, pictureOf, pixelGrid, squares } from "./canvas.js";

/** Maps of `data` on two canvases; returns draw(state, shown), where shown has the
 *  weights (patches), the largest, the query and the patch under the cursor (0 or null:
 *  none). */
export function largeMaps(overlayCanvas, bareCanvas, data) {
  const [rows, columns] = data.grid;
  const [height, width] = data.size;
  const zoom = Math.ceil(480 / Math.max(height, width)); // whole: patches stay sharp
  const side = (width / columns) * zoom; // of a patch on the canvas
  const line = clamp(Math.round(side / 8), 2, 5);
  const all = [0, 0, width * zoom, height * zoom];
  const overlay = penOf(overlayCanvas, width * zoom, height * zoom);
  const bare = penOf(bareCanvas, width * zoom, height * zoom);
  const map = pixelGrid(columns, rows);
  const pictures = []; // canvases of the images' own size
  const square = squares(columns, side);

  function mark(pen, { dropped }, { query, cursor }) {
    for (const patch of dropped) hatch(pen, square(patch));
    if (query) box(pen, square(query), line, "white");
    if (cursor) box(pen, square(cursor), line / 2, "white");
  }

  return function draw(state, shown) {
    const most = shown.largest || 1;
    shown.weights.forEach((weight, patch) => {
      map.ink[patch] = data.colours[Math.round((255 * weight) / most)];
    });
    const small = map.put();
    pictures[state.image] ??= pictureOf(data.pictures[state.image], width, height);
    overlay.drawImage(pictures[state.image], ...all);
    overlay.globalAlpha = state.opacity;
    overlay.drawImage(small, ...all);
    overlay.globalAlpha = 1;
    bare.drawImage(small, ...all);
    for (const pen of [overlay, bare]) mark(pen, state, shown);
  };
}

/** The colours from 0 to the largest weight, in a row. */
export function drawColours(canvas, colours) {
  const scale = pixelGrid(colours.length, 1);
  scale.ink.set(colours);
  penOf(canvas, colours.length, 1).drawImage(scale.put(), 0, 0);
}
