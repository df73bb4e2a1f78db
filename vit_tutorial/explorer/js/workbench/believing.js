// The curves of the chosen map beside those of random orders, computed as they are
// looked at.

import { chart } from "./charts.js";
import { shuffled } from "./edits.js";
import { countsOf, gap, meanCurve, orderOf } from "./faith.js";

const SEEDS = [1, 2, 3]; // of random orders: their mean is the line to beat

/** Charts in parts of the layout; returns draw(subject, compute, picture, map, before):
 *  map the weights (patches) and `before` the answer for the whole picture. */
export function believing(find) {
  const known = new WeakMap(); // by picture: its curves, by the order of the patches
  let wanted = null; // the curve that is awaited now

  return async function draw(subject, compute, picture, map, before) {
    const counts = countsOf(subject);
    const label = before.probabilities.indexOf(Math.max(...before.probabilities));
    if (!known.has(picture)) known.set(picture, new Map());
    const curves = known.get(picture);
    const curve = (order) => {
      const key = `${order}`;
      if (!curves.has(key))
        curves.set(key, compute.curve(picture, order, counts, label));
      return curves.get(key);
    };
    const own = curve(orderOf(map));
    if (wanted === own) return; // it is drawn, or will be
    wanted = own;
    const random = [];
    try {
      for (const seed of [null, ...SEEDS]) {
        if (seed) random.push(await curve(shuffled(subject.patches, seed)));
        const mine = await own;
        if (wanted !== own) return; // another map by now
        show(find, counts, mine, random);
      }
    } catch ({ message }) {
      known.delete(picture); // to be asked again
      find(".verdict").textContent = message;
    }
  };
}

function show(find, counts, own, curves) {
  const random = curves.length ? meanCurve(curves) : null;
  const charts = ["deletion", "insertion"].map((name) => chart(name, counts, own, random));
  find(".charts").replaceChildren(...charts);
  const height = gap(own, counts).toFixed(2);
  const rest = random
    ? `; random orders ${gap(random, counts).toFixed(2)}, the mean of ${curves.length}.`
    : "; random orders are being computed ...";
  find(".verdict").textContent =
    `Gap (area under insertion less area under deletion): this map ${height}${rest}`;
}
