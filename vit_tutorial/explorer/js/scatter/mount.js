// Points in the plane, put together. No library, no request.
//
// data: title, places ([x, y] from 0 to 1, up and right), labels (a class a point),
//   classes (names), looks ([colour, marker] a class), sheet (null, or the points'
//   images in one: its address, how many columns, the size [Y, X] of each).

import { frame, make } from "../frame/dom.js";
import { marker } from "../frame/markers.js";
import { plot, SIDE } from "./plot.js";

const PICTURE = 96; // pixels of the page: the longer side of a point's image

const LAYOUT = `
<p class="title"></p>
<div class="parts">
  <svg class="plot" viewBox="0 0 ${SIDE} ${SIDE}" tabindex="0" role="application"
    aria-roledescription="scatter plot"></svg>
  <div class="side">
    <div class="pointed"><canvas aria-hidden="true"></canvas>
      <p role="status" aria-live="polite"></p></div>
    <div class="legend" role="group" aria-label="classes shown"></div>
  </div>
</div>`;
const HINT = "Point at a marker, or walk with the arrow keys.";

/** Draw into `element`. */
export function mount(element, data) {
  const { title, labels, classes } = data;
  const hidden = new Set(); // classes
  let chosen = null; // a point
  const find = frame(element, "vit-scatter", LAYOUT);
  const isShown = (at) => !hidden.has(labels[at]);
  const draw = plot(find(".plot"), data, { isShown, chose: show });
  const paint = pictures(find("canvas"), data.sheet);

  function show(at) {
    chosen = at;
    draw(at);
    paint(at);
    const text = at === null ? HINT : sentence(classes[labels[at]], at, labels.length);
    find("[role=status]").textContent = text;
  }

  function toggle(at, button) {
    if (!hidden.delete(at)) hidden.add(at);
    button.setAttribute("aria-pressed", !hidden.has(at));
    show(chosen !== null && isShown(chosen) ? chosen : null);
  }

  find(".title").textContent = title;
  find(".plot").setAttribute("aria-label", `${title || "points"}: ${HINT}`);
  classes.forEach((name, at) => {
    const button = make("button", { type: "button" });
    button.setAttribute("aria-pressed", true);
    button.innerHTML = '<svg viewBox="-9 -9 18 18" aria-hidden="true"></svg>';
    marker(button.firstChild, data.looks[at], [0, 0]);
    button.append(make("span", { textContent: name }));
    button.addEventListener("click", () => toggle(at, button));
    find(".legend").append(button);
  });
  show(null);
}

export const sentence = (name, at, count) => `${name}, point ${at + 1} of ${count}`;

/** The points' images, from one sheet, in `canvas`, which is not there without a sheet.
 *  Returns paint(index of a point, or null). */
function pictures(canvas, sheet) {
  if (!sheet) {
    canvas.remove();
    return () => {};
  }
  const [height, width] = sheet.size;
  const scale = PICTURE / Math.max(height, width);
  Object.assign(canvas, { height, width });
  canvas.style.width = `${scale * width}px`;
  canvas.style.height = `${scale * height}px`;
  const context = canvas.getContext("2d");
  const image = make("img", { src: sheet.address });
  let shown = null;

  function paint(at) {
    shown = at;
    context.clearRect(0, 0, width, height);
    if (at === null) return;
    const left = width * (at % sheet.columns);
    const top = height * Math.floor(at / sheet.columns);
    context.drawImage(image, left, top, width, height, 0, 0, width, height);
  }

  image.addEventListener("load", () => paint(shown)); // who points may be faster
  return paint;
}
