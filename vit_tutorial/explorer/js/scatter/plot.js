// The plot: a marker a point, and a ring around the one that is pointed at.

import { node, onArrows } from "../frame/dom.js";
import { marker } from "../frame/markers.js";
import { nearest, towards } from "./nearest.js";

export const SIDE = 560; // of the drawing; the page shrinks it to its own width
const EDGE = 20;
const REACH = 40; // from the pointer to a point that it still means

/** Draw the points in `svg`. `hear` has chose(index) and is asked isShown(index).
 *  Returns draw(index of the point with the ring, or null). */
export function plot(svg, { places, labels, looks }, hear) {
  const points = places.map(([x, y]) =>
    [x, 1 - y].map((value) => EDGE + (SIDE - 2 * EDGE) * value));
  const markers = points.map((point, at) => marker(svg, looks[labels[at]], point));
  const rings = ["halo", "ring"].map((name) =>
    node(svg, "circle", { r: 11, class: name }));
  let chosen = null;

  function choose(at) {
    if (at !== null && at !== chosen) hear.chose(at);
  }

  const start = () => nearest(points, [SIDE / 2, SIDE / 2], hear.isShown);

  function point({ clientX, clientY }) {
    const onScreen = new DOMPoint(clientX, clientY);
    const { x, y } = onScreen.matrixTransform(svg.getScreenCTM().inverse());
    choose(nearest(points, [x, y], hear.isShown, REACH));
  }

  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("focus", () => {
    if (chosen === null && svg.matches(":focus-visible")) choose(start());
  });
  onArrows(svg, (down, across) => {
    const step = [across, down];
    choose(chosen === null ? start() : towards(points, chosen, step, hear.isShown));
  });

  return function draw(at) {
    chosen = at;
    markers.forEach((each, index) =>
      each.classList.toggle("off", !hear.isShown(index)));
    for (const ring of rings) {
      ring.classList.toggle("off", at === null);
      if (at === null) continue;
      ring.setAttribute("cx", points[at][0]);
      ring.setAttribute("cy", points[at][1]);
    }
  };
}
