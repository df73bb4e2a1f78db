// The small maps: every head of every layer, each scaled to its own largest weight.

import { clamp } from "../frame/dom.js";
import { box, penOf, pixelGrid } from "./canvas.js";
import { rowOf } from "./decode.js";

/** Small maps of `data` on a canvas, layers down and heads across; returns draw(state,
 *  view, query), which frames the chosen ones. */
export function smallMaps(canvas, data) {
  const { layers, heads, patches, quantizationLevels } = data;
  const [rows, columns] = data.grid;
  const across = columns + 2; // a pixel a patch, and around it room for the frame
  const down = rows + 2;
  const zoom = Math.ceil(360 / Math.max(heads * across, layers * down));
  const pen = penOf(canvas, heads * across * zoom, layers * down * zoom);
  const atlas = pixelGrid(heads * across, layers * down);
  const shades = Uint32Array.from({ length: quantizationLevels + 1 }, (_, level) =>
    data.colours[Math.round((255 * level) / quantizationLevels)]);
  const inAtlas = Array.from({ length: patches }, (_, patch) =>
    Math.floor(patch / columns) * heads * across + (patch % columns));
  let drawn = {}; // what the atlas shows

  function fill(view, query) {
    for (let layer = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++) {
        const start = (layer * down + 1) * heads * across + head * across + 1;
        const row = rowOf(data, layer, head, query) * patches;
        for (let patch = 0; patch < patches; patch++)
          atlas.ink[start + inAtlas[patch]] = shades[view.weights[row + patch]];
      }
    drawn = { view, query };
  }

  return function draw(state, view, query) {
    if (drawn.view !== view || drawn.query !== query) fill(view, query);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(atlas.put(), 0, 0, canvas.width, canvas.height);
    const line = clamp(zoom / 2, 1.5, 4);
    for (const [layer, head] of chosen(state, heads)) {
      const corner = [head * across * zoom, layer * down * zoom];
      box(pen, [...corner, across * zoom, down * zoom], line);
    }
  };
}

/** The maps that a choice is made of: [layer, head] each. */
export function chosen({ mode, layer, head }, heads) {
  const through = mode === "rollout";
  const layers = through ? [...Array(layer + 1).keys()] : [layer];
  const those = through || head < 0 ? [...Array(heads).keys()] : [head];
  return layers.flatMap((one) => those.map((other) => [one, other]));
}
