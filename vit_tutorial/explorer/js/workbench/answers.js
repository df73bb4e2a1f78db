// What the worker answers to the workbench.

import { softmax, viewOf } from "../explorer/compute.js";
import { embed, encode, forward, logitLens, patchLens } from "../vit.js";

/** All that is shown of a picture under `options`: its view (see decode.js), and what
 *  can be read off the states: lens, the probabilities of the answer before the first
 *  layer and after each, (layers + 1, classes); and of each patch's own class, named
 *  and sure, (layers + 1, patches): its index, and its probability, 0 where a patch is
 *  hidden. `copy`: {pixels, layer, tokens}: whose states are put there. */
export function answer(model, { pixels, options, copy, sizes }) {
  const patch = copy ? copied(model, copy, options.keep, sizes) : [];
  const result = forward(model, pixels, { ...options, patch });
  const { states } = result;
  const lens = logitLens(model, states).flatMap((logits) => [...softmax(logits)]);
  const named = new Uint16Array(states.length * sizes.patches);
  const sure = new Float32Array(named.length);
  const present = options.keep ?? [...Array(sizes.patches).keys()];
  patchLens(model, states).forEach((logits, layer) => {
    const classes = logits.length / present.length;
    present.forEach((place, at) => {
      const shares = softmax(logits.subarray(at * classes, (at + 1) * classes));
      const most = Math.max(...shares);
      named[layer * sizes.patches + place] = shares.indexOf(most);
      sure[layer * sizes.patches + place] = most;
    });
  });
  const view = viewOf(result, sizes, options.keep);
  return { ...view, lens: Float32Array.from(lens), named, sure };
}

/** What `forward` takes as `patch`; a hidden patch has no state to be replaced. */
function copied(model, { pixels, layer, tokens }, keep, { classToken }) {
  const states = forward(model, pixels).states[layer];
  const D = model.config.dim;
  const first = Number(classToken);
  const rowOf = (token) => {
    if (token < first || !keep) return token;
    const at = keep.indexOf(token - first);
    return at < 0 ? -1 : at + first;
  };
  return tokens.filter((token) => rowOf(token) >= 0).map((token) => ({
    layer, token: rowOf(token), state: states.subarray(token * D, (token + 1) * D),
  }));
}

/** The probability of class `label` while so many patches are there: the last of
 *  `order` (deletion: the first have left), and the first (insertion). `faithfulness`
 *  of interpret/faithfulness.py. */
export function curve(model, { pixels, order, counts, label }) {
  const tokens = embed(model, pixels);
  const reversed = [...order].reverse();
  const along = (all) => Float32Array.from(counts, (count) =>
    softmax(encode(model, tokens, { keep: all.slice(0, count) }).logits)[label]);
  return { deletion: along(reversed), insertion: along(order) };
}
