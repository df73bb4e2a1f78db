// All that the explorer says: of data, a state, and what is shown for it.
//
// shown: the view, its weights (patches), the largest and the one kept on the class
// token, the query, and the patch under the cursor (null: none).

import { guessOf } from "./decode.js";

export const number = (weight) => weight.toFixed(weight < 0.01 ? 4 : 3);

export function percent(share) {
  if (share > 0.995) return "over 99 %";
  return share < 0.005 ? "under 1 %" : `${Math.round(100 * share)} %`;
}

/** A percentage for the bars. */
export const brief = (share) =>
  percent(share).replace("over ", ">").replace("under ", "<");

export const className = ({ classes }, index) =>
  classes ? classes[index] : `class ${index}`;

/** Whether a guess is right, where the image has a label. */
export function verdict(data, image, guess) {
  const truth = data.labels?.[image] ?? null;
  if (truth === null) return "";
  return truth === guess ? ", right" : `, wrong: it is ${className(data, truth)}`;
}

/** Where a patch lies. */
export function place(patch, { grid: [, columns] }) {
  const row = Math.floor((patch - 1) / columns);
  return `row ${row + 1}, column ${((patch - 1) % columns) + 1}`;
}

function queryText(query, data) {
  if (query > 0) return `patch ${place(query, data)}`;
  return data.classToken ? "class token" : "mean over queries";
}

/** What each slider says, by its name. */
export function sliderTexts(data, state, query) {
  const { image, layer, head, mode, epoch, opacity } = state;
  return {
    image: `image ${image + 1} of ${data.images}`,
    layer: `layer ${layer + 1} of ${data.layers}`,
    head: mode === "rollout" || head < 0 ? "mean over heads" : `head ${head}`,
    query: queryText(query, data),
    epoch: `epoch ${epoch} of ${data.epochs.at(-1)}`,
    opacity: `${Math.round(100 * opacity)} %`,
  };
}

/** Which map is shown. */
export function source(data, state) {
  const { layer, head } = sliderTexts(data, state, 0);
  const through = `rollout through layers 1 to ${state.layer + 1}`;
  return state.mode === "rollout" ? through : `${layer}, ${head}`;
}

/** Where the model looks, and what it says: one line for eyes and screen readers. */
export function sentence(data, state, shown) {
  const { image, epoch, dropped } = state;
  const { view, query, weights, largest, cursor } = shown;
  const asked = query > 0 || data.classToken
    ? `Query: ${queryText(query, data)}`
    : "No class token: mean over queries";
  const peak = largest > 0
    ? `most at patch ${place(1 + weights.indexOf(largest), data)}, with weight ${
      number(largest)}`
    : "at no patch";
  const guess = guessOf(view);
  return [
    `Image ${image + 1} of ${data.images}, `,
    epoch === null ? "" : `epoch ${epoch}, `,
    `${source(data, state)}. `,
    `${asked}${dropped.includes(query) ? ", which is dropped" : ""}. `,
    `It looks ${peak}. `,
    `Prediction: ${className(data, guess)}, ${percent(view.probabilities[guess])}.`,
    dropped.length ? ` ${dropped.length} of ${data.patches} patches dropped.` : "",
    cursor ? ` Under the cursor: patch ${place(cursor, data)}.` : "",
  ].join("");
}

/** Where a page computes, and with what. */
export function note({ computed: { epoch } }) {
  const model = epoch === null ? "" : `, with the model of epoch ${epoch}`;
  return "Dropped patches and own pictures are computed on this page" +
    `${model}: your picture never leaves this browser.`;
}

/** Which of the two computes in a live notebook. */
export const liveNote = (inBrowser) =>
  inBrowser
    ? "Dropped patches are computed in this browser, own pictures by the kernel."
    : "Dropped patches and own pictures are computed by the kernel.";

/** What the keys do on a large map. */
export const keys = (dropping) =>
  dropping
    ? "arrow keys choose a patch, space drops it or puts it back"
    : "arrow keys move the query";

/** The tensor that is drawn, as one writes it in a notebook. */
export function expression({ classToken }, { image, layer, head, mode }, query) {
  const mean = query === 0 && !classToken; // over queries
  const row = mean ? ":" : classToken ? query : query - 1;
  const index = `${row}${classToken ? ", 1:" : ""}`; // the patches
  const through = `rollout(weights[:${layer + 1}])[${image}, ${index}]`;
  if (mode === "rollout") return mean ? `${through}.mean(0)` : through;
  const averaged = ["", ".mean(0)", ".mean((0, 1))"][(head < 0) + mean];
  return `weights[${layer}][${image}, ${head < 0 ? ":" : head}, ${index}]${averaged}`;
}
