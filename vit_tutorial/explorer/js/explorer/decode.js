// What the explorer gets from Python (`pack` in encoding.py), and what it says.
//
// A view is what is known of one image at one epoch. A row is a query of a map of a
// layer; the maps are the heads and after them the rollout through the layers up to
// this one, the queries the class token (without one, the mean over queries) and the
// patches. So rows = layers * (heads + 1) * (1 + patches).

const ROOTS = 65535; // a number from 0 to 1 is kept as its root in 16 bits

/** The view in `bytes`: {probabilities (outputs), scales (rows): a row's largest weight
 *  on a patch, kept (rows): its weight on the class token, weights (rows * patches):
 *  its weights on the patches, from 0 to quantizationLevels}. */
export function decode(bytes, { outputs, layers, heads, patches }) {
  const { buffer } = bytes.slice(); // a copy starts where floats may start
  const rows = layers * (heads + 1) * (1 + patches);
  const squares = (start) => {
    const roots = new Uint16Array(buffer, start, rows);
    return Float32Array.from(roots, (root) => (root / ROOTS) ** 2);
  };
  return {
    probabilities: new Float32Array(buffer, 0, outputs),
    scales: squares(4 * outputs),
    kept: squares(4 * outputs + 2 * rows),
    weights: new Uint8Array(buffer, 4 * outputs + 4 * rows),
  };
}

/** Which row of a view belongs to a query of a map of a layer. */
export const rowOf = ({ heads, patches }, layer, map, query) =>
  (layer * (heads + 1) + map) * (1 + patches) + query;

/** The weights of what is chosen: {weights (patches), kept: on the class token,
 *  largest}. */
export function weightsOf(view, data, { mode, layer, head }, query) {
  const { heads, patches, quantizationLevels } = data;
  const all = [...Array(heads).keys()];
  const maps = mode === "rollout" ? [heads] : head < 0 ? all : [head];
  const weights = new Float32Array(patches);
  let kept = 0;
  for (const map of maps) {
    const row = rowOf(data, layer, map, query);
    const unit = view.scales[row] / (quantizationLevels * maps.length);
    for (let patch = 0; patch < patches; patch++)
      weights[patch] += unit * view.weights[row * patches + patch];
    kept += view.kept[row] / maps.length;
  }
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return { weights, kept, largest };
}

/** The view of the whole image that is chosen; undefined before it has arrived. */
export const wholeView = ({ views, epochs }, { image, epoch }) =>
  views[image * epochs.length + epochs.indexOf(epoch)];

/** The view that is shown: without the dropped patches; of the whole image as long as
 *  that is null, undefined where it is awaited. */
export const presentView = (data, state) =>
  state.dropped.length && data.masked !== null ? data.masked : wholeView(data, state);

/** The index of the most probable class. */
export const guessOf = ({ probabilities }) =>
  probabilities.indexOf(Math.max(...probabilities));
