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
      show(counts, own, random);
    }
  });

  function draw(subject, compute, picture, map, before) {
    const order = orderOf(map);
    if (wanted?.picture === picture && `${wanted.order}` === `${order}`) return;
    const label = before.probabilities.indexOf(Math.max(...before.probabilities));
    const job = (wanted = { subject, compute, picture, order, label });
    find(".curves").ariaBusy = "true";
    say("The curves of this map are being computed ...", "off");
    work(job).catch(({ message }) => {
      if (wanted !== job) return;
      forget(); // to be asked again
      say(message);
    });
  }

  function forget() {
    wanted = null;
    find(".charts").replaceChildren();
    find(".verdict").textContent = "";
    find(".curves").ariaBusy = "false";
  }

  function show(counts, own, curves) {
    const several = curves.length;
    const random = several ? meanCurve(curves) : null;
    const charts = ["deletion", "insertion"].map((name) =>
      chart(name, counts, own, random));
    find(".charts").replaceChildren(...charts);
    find(".curves").ariaBusy = "false";
    const height = gap(own, counts).toFixed(2);
    const rest = several
      ? `; random orders ${gap(random, counts).toFixed(2)}, the mean of ${several}.`
      : "; random orders are being computed ...";
    say("Gap (area under insertion less area under deletion): this map " +
      `${height}${rest}`, several < SEEDS.length ? "off" : "polite");
  }

  /** Show a line; a screen reader says it, but for those ("off") that others follow. */
  function say(textContent, ariaLive = "polite") {
    Object.assign(find(".verdict"), { ariaLive, textContent });
  }

  return { draw, forget };
}
