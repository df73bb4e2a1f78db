// What the engine computed, as the explorer shows it: `run_model` and `pack` of
// encoding.py, in the browser.

const ROOTS = 65535; // as in decode.js: there is no more in what Python sends
const rounded = (share) =>
  (Math.round(ROOTS * Math.sqrt(Math.min(1, share))) / ROOTS) ** 2;

/** The view of one image, as `decode` gives it, of what `forward` returns. `keep`:
 *  which patches (from 0) the model saw, all of them where it is undefined. With 1 as
 *  quantizationLevels weights are exact shares of their row's largest, in no steps, and
 *  that and the weight on the class token are not rounded either. */
export function viewOf({ logits, attention }, sizes, keep) {
  const { layers, heads, patches, quantizationLevels, classToken } = sizes;
  const present = Array.from(keep ?? Array(patches).keys(), (patch) => 1 + patch);
  if (classToken) present.unshift(0);
  const exact = quantizationLevels === 1;
  const packed = exact ? (share) => share : rounded;
  const rows = layers * (heads + 1) * (1 + patches);
  const view = {
    probabilities: softmax(logits),
    scales: new Float32Array(rows),
    kept: new Float32Array(rows),
    weights: new (exact ? Float32Array : Uint8Array)(rows * patches),
  };
  const T = present.length;
  rollouts(attention, heads, T).forEach((joint, layer) => {
    for (let map = 0; map <= heads; map++) {
      const size = T * T;
      const of = attention[layer];
      const weights = map < heads ? of.subarray(map * size, (map + 1) * size) : joint;
      const first = (layer * (heads + 1) + map) * (1 + patches);
      for (let at = 0; at < T; at++)
        write(first + present[at], weights.subarray(at * T, (at + 1) * T));
      if (!classToken) write(first, meanRow(weights, T));
    }
  });

  function write(row, weights) {
    const onPatches = classToken ? weights.subarray(1) : weights;
    let largest = 0;
    for (const weight of onPatches) largest = Math.max(largest, weight);
    view.scales[row] = packed(largest);
    if (classToken) view.kept[row] = packed(weights[0]);
    const steps = quantizationLevels / Math.max(largest, 1e-30);
    present.slice(present.length - onPatches.length).forEach((patch, at) => {
      const level = onPatches[at] * steps;
      view.weights[row * patches + patch - 1] = exact ? level : Math.round(level);
    });
  }

  return view;
}

/** How much each token draws on each through the layers up to each: (T, T) a layer, from
 *  (H, T, T) a layer. `rollout` of interpret/attention.py. */
function rollouts(attention, heads, T) {
  let joint = null;
  return attention.map((weights) => {
    const step = new Float64Array(T * T);
    for (let row = 0; row < T; row++) {
      let sum = 0;
      for (let column = 0; column < T; column++) {
        const at = row * T + column;
        for (let head = 0; head < heads; head++)
          step[at] += weights[head * T * T + at] / heads;
        step[at] += Number(row === column); // what the residual carries
        sum += step[at];
      }
      for (let column = 0; column < T; column++) step[row * T + column] /= sum;
    }
    joint = joint ? product(step, joint, T) : step;
    return joint;
  });
}

/** The matrix product of two (T, T). */
function product(one, other, T) {
  const result = new Float64Array(T * T);
  for (let row = 0; row < T; row++)
    for (let inner = 0; inner < T; inner++) {
      const factor = one[row * T + inner];
      for (let column = 0; column < T; column++)
        result[row * T + column] += factor * other[inner * T + column];
    }
  return result;
}

/** The mean over the queries of weights (T, T). */
function meanRow(weights, T) {
  const mean = new Float64Array(T);
  weights.forEach((weight, at) => (mean[at % T] += weight / T));
  return mean;
}

export function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}
