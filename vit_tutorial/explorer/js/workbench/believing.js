// The curves of the chosen map beside those of random orders, computed as they are
// looked at.

import { latest } from "../explorer/engine.js";
import { chart } from "./charts.js";
import { shuffled } from "./edits.js";
import { countsOf, gap, meanCurve, orderOf } from "./faith.js";

const SEEDS = [1, 2, 3]; // of random orders: their mean is the line to beat

/** Charts in parts of the layout; returns draw(subject, compute, picture, map, before):
 *  map the weights (patches) and `before` the answer for the whole picture, and
 *  forget(): nothing is shown, or awaited. */
export function believing(find) {
  const known = new WeakMap(); // by picture: its curves, by the order of the patches
  let wanted = null; // whose curves are shown, or awaited

  const work = latest(async (job) => {
    const { subject, compute, picture, order, label } = job;
    const counts = countsOf(subject);
    if (!known.has(picture)) known.set(picture, new Map());
    const curves = known.get(picture);
    const curve = async (along) => {
      const key = `${along}`;
      if (!curves.has(key))
        curves.set(key, await compute.curve(picture, along, counts, label));
      return curves.get(key);
    };
    const own = await curve(order);
    const random = [];
    for (const seed of [null, ...SEEDS]) {
      if (seed) random.push(await curve(shuffled(subject.patches, seed)));
      if (wanted !== job) return; // another map by now
      show(find, counts, own, random);
    }
  });

  function draw(subject, compute, picture, map, before) {
    const order = orderOf(map);
    if (wanted?.picture === picture && `${wanted.order}` === `${order}`) return;
    const label = before.probabilities.indexOf(Math.max(...before.probabilities));
    const job = (wanted = { subject, compute, picture, order, label });
    find(".curves").ariaBusy = "true";
    find(".verdict").textContent = "The curves of this map are being computed ...";
    work(job).catch(({ message }) => {
      if (wanted !== job) return;
      forget(); // to be asked again
      find(".verdict").textContent = message;
    });
  }

  function forget() {
    wanted = null;
    find(".charts").replaceChildren();
    find(".verdict").textContent = "";
    find(".curves").ariaBusy = "false";
  }

  return { draw, forget };
}

function show(find, counts, own, curves) {
  const random = curves.length ? meanCurve(curves) : null;
  const charts = ["deletion", "insertion"].map((name) => chart(name, counts, own, random));
  find(".charts").replaceChildren(...charts);
  find(".curves").ariaBusy = "false";
  const height = gap(own, counts).toFixed(2);
  const rest = random
    ? `; random orders ${gap(random, counts).toFixed(2)}, the mean of ${curves.length}.`
    : "; random orders are being computed ...";
  find(".verdict").textContent =
    `Gap (area under insertion less area under deletion): this map ${height}${rest}`;
}
