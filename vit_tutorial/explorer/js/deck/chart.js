// The chart: a row an arm, on a scale from 0 to 100 %. Places along it are in per cent
// of its width, so that texts and marks keep their size on a phone.

import { make, node } from "../frame/dom.js";
import { marker } from "../frame/markers.js";
import { reached } from "./score.js";

const TALL = 44; // of a row, in pixels
const MIDDLE = TALL / 2;
const TICKS = [0, 25, 50, 75, 100];
const SHAPES = {
  run: (at) => node(at, "circle", { r: 3.5 }),
  mean: (at) => node(at, "path", { d: "M0-9V9" }),
  you: (at) => marker(at, ["currentColor", "triangle"], [0, 0]),
  we: (at) => marker(at, ["none", "diamond"], [0, 0]),
};

/** Fill `element` with the rows of a card: before it is revealed with the first arm's,
 *  and with the guess in the asked one's. */
export function draw(element, { arms, asked, prediction }, guess, revealed) {
  element.textContent = "";
  arms.forEach((arm, at) => {
    const known = revealed || at === 0;
    if (!known && at !== asked) return;
    const scale = row(element, arm.name, known ? reached(arm) : "?");
    for (const tick of TICKS) {
      const x = `${tick}%`;
      node(scale, "line", { x1: x, x2: x, y2: TALL, class: "tick" });
    }
    if (known) {
      mark(scale, "mean", `${arm.mean}%`);
      for (const run of arm.runs) mark(scale, "run", `${run}%`);
    }
    if (at !== asked) return;
    // above and below the runs, which they would hide
    mark(scale, "you", `${guess}%`, MIDDLE + 13);
    if (revealed) mark(scale, "we", `${prediction}%`, MIDDLE - 13);
  });
  const axis = row(element, "", "");
  axis.setAttribute("height", 20);
  for (const tick of TICKS) {
    const text = node(axis, "text", { x: `${tick}%`, y: 14 });
    text.textContent = tick === 100 ? "100 %" : tick;
  }
}

/** Fill `element` with the marks that `draw` has drawn, in words. */
export function legend(element, { prediction }, guess, revealed) {
  const words = { run: "a run", mean: "mean", you: `you: ${guess} %` };
  if (revealed) words.we = `we: ${prediction} %`;
  element.textContent = "";
  for (const name in words) {
    const item = make("span");
    item.innerHTML = '<svg height="22" aria-hidden="true"></svg>';
    mark(item.firstChild, name, "50%", 11);
    item.append(words[name]);
    element.append(item);
  }
}

/** A new row; returns its drawing, which the texts beside it say in words. */
function row(element, name, number) {
  const made = make("div", { className: "row" });
  made.innerHTML = `<span class="name"></span><svg height="${TALL}"
    aria-hidden="true"></svg><span class="number"></span>`;
  const [before, scale, after] = made.children;
  before.textContent = name;
  after.textContent = number;
  element.append(made);
  return scale;
}

function mark(parent, name, x, y = MIDDLE) {
  SHAPES[name](node(parent, "svg", { x, y, class: name, overflow: "visible" }));
}
