// Deletion and insertion: in what order patches leave, and what the curves come to.
// `faithfulness` of interpret/faithfulness.py, in the browser.

const STEPS = 12;

/** Patches (from 0), the highest score first; equal ones stay in their order. */
export const orderOf = (scores) =>
  [...scores.keys()].sort((one, other) => scores[other] - scores[one]);

/** How many patches are there at each point of a curve: none (or one, where there is no
 *  class token) to all. */
export function countsOf({ patches, classToken }, steps = STEPS) {
  const first = classToken ? 0 : 1;
  const points = Array.from({ length: steps + 1 }, (_, step) =>
    roundHalfToEven(first + ((patches - first) * step) / steps));
  return [...new Set(points)];
}

/** As PyTorch rounds. */
function roundHalfToEven(value) {
  const below = Math.floor(value);
  const half = value - below === 0.5;
  return half ? below + (below % 2) : Math.round(value);
}

/** The mean height of a curve over `counts` (trapezoids). */
export function area(curve, counts) {
  if (counts.length === 1) return curve[0];
  let sum = 0;
  for (let at = 1; at < counts.length; at++)
    sum += ((curve[at - 1] + curve[at]) / 2) * (counts[at] - counts[at - 1]);
  return sum / (counts.at(-1) - counts[0]);
}

/** By how much insertion lies above deletion: 0 for an order that knows nothing, more
 *  the better. */
export const gap = ({ deletion, insertion }, counts) =>
  area(insertion, counts) - area(deletion, counts);

/** The mean of curves. */
export function meanCurve(curves) {
  const mean = (name) => Float32Array.from(curves[0][name], (_, at) =>
    curves.reduce((sum, curve) => sum + curve[name][at] / curves.length, 0));
  return { deletion: mean("deletion"), insertion: mean("insertion") };
}
