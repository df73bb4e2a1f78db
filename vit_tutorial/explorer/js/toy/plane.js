// The plane that the tokens lie in: a grid, arrows, and a handle to drag each token by.

import { clamp, node, onArrows, setAttributes } from "../frame/dom.js";
import { near, short } from "./sentences.js";

const UNIT = 60; // of the drawing; the page shrinks it to its own width
export const PANEL = 400;
const QUERY = "#0072B2"; // one colour, one meaning, as in the book's figures
const VALUE = "#CC79A7";
const OTHER = "#57606A";
const OTHER_VALUE = "#AFB8C1";
const GRID = "#E6E9ED";
const AXIS = "#AFB8C1";
// of an arrow: its head's length and half width, half its shaft's width
const SOLID = { head: 0.22, wide: 0.1, shaft: 0.025 };
const HOLLOW = { head: 0.3, wide: 0.15, shaft: 0.065 };

/** Where a point [x, y] of the plane lies in the drawing. */
const inDrawing = ([x, y]) => [PANEL / 2 + UNIT * x, PANEL / 2 - UNIT * y];
const corners = (points) =>
  points
    .map((point) => inDrawing(point).map((value) => value.toFixed(2)).join(","))
    .join(" ");

/** The corners [x, y] of an arrow of this form from the origin to `end`. */
export function arrowTo(end, { head, wide, shaft }) {
  const length = Math.hypot(...end);
  const [x, y] = end.map((value) => value / length);
  const neck = length - Math.min(head, length);
  const side = [[0, shaft], [neck, shaft], [neck, wide], [length, 0]]; // along, across
  const other = side.map(([along, across]) => [along, -across]).reverse();
  return [...side, ...other].map(([along, across]) => [
    along * x - across * y,
    along * y + across * x,
  ]);
}

/** The mix as a sum: each value (T, 2), shortened by its weight (T), at the end of the
 *  one before; the corners (T + 1, 2). */
export function sumOf(values, weights) {
  const sum = [[0, 0]];
  for (const [token, value] of values.entries())
    sum.push(sum[token].map((from, axis) => from + weights[token] * value[axis]));
  return sum;
}

/** The plane in `svg`, from -limit to limit, with so many tokens. `hear` has
 *  focused(token), put(token, [x, y]), within the limit, and is asked where(token) it
 *  is. Returns draw(state, numbers). */
export function plane(svg, limit, count, hear) {
  drawGrid(svg, limit);
  const arrows = node(svg, "g", {});
  const handles = Array.from({ length: count }, (_, token) => addHandle(token));

  function put(token, place) {
    hear.put(token, place.map((value) => clamp(near(value), -limit, limit)));
  }

  function addHandle(token) {
    const handle = node(svg, "circle", {
      r: 22,
      class: "handle",
      tabindex: 0,
      role: "slider",
      "aria-roledescription": "point in the plane",
      "aria-label": `token ${token}`,
      "aria-valuemin": -limit,
      "aria-valuemax": limit,
    });
    handle.addEventListener("focus", () => hear.focused(token));
    handle.addEventListener("pointerdown", (event) => {
      handle.focus({ focusVisible: false });
      handle.setPointerCapture(event.pointerId);
      event.preventDefault(); // no selection of text
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) put(token, placeOf(event));
    });
    onArrows(handle, (down, across, { shiftKey }) => {
      const step = shiftKey ? 0.5 : 0.1;
      const [x, y] = hear.where(token);
      put(token, [x + step * across, y - step * down]);
    });
    return handle;
  }

  /** Where in the plane the pointer is. */
  function placeOf({ clientX, clientY }) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const unit = (UNIT * width) / PANEL;
    return [(clientX - left - width / 2) / unit, (top + height / 2 - clientY) / unit];
  }

  function arrow(end, form, look) {
    if (Math.hypot(...end) < 0.02) return;
    const points = corners(arrowTo(end, form));
    node(arrows, "polygon", { points, "stroke-linejoin": "round", ...look });
  }

  function label(token, place, fill) {
    const [x, y] = inDrawing(place);
    const length = Math.hypot(...place);
    const [right, up] = length < 0.1 ? [0, 1] : place.map((value) => value / length);
    const beside = { x: x + 13 * right, y: y - 13 * up + 6 };
    const look = { fill, class: "number", "text-anchor": "middle" };
    node(arrows, "text", { ...beside, ...look }).textContent = token;
    setAttributes(handles[token], {
      cx: x,
      cy: y,
      "aria-valuenow": place[0],
      "aria-valuetext": `x ${short(place[0])}, y ${short(place[1])}`,
    });
  }

  return function draw({ tokens, query_index: asks }, { weights, mixed }) {
    arrows.replaceChildren();
    const all = [...tokens.keys()];
    for (const token of [...all.filter((token) => token !== asks), asks]) { // on top
      const [fill, stroke] = token === asks ? [QUERY, VALUE] : [OTHER, OTHER_VALUE];
      arrow(tokens[token], SOLID, { fill });
      arrow(mixed[token], HOLLOW, { fill: "none", stroke, "stroke-width": 2 });
    }
    const points = corners(sumOf(tokens, weights[asks]));
    const dashed = { fill: "none", stroke: VALUE, "stroke-dasharray": "4 3" };
    node(arrows, "polyline", { points, ...dashed });
    for (const token of all)
      label(token, tokens[token], token === asks ? QUERY : OTHER);
  };
}

function drawGrid(svg, limit) {
  const middle = PANEL / 2;
  const [from, to] = [middle - UNIT * limit, middle + UNIT * limit];
  for (let line = -limit; line <= limit; line++) {
    const at = middle + UNIT * line;
    const stroke = line ? GRID : AXIS;
    node(svg, "path", { d: `M${at} ${from}V${to}M${from} ${at}H${to}`, stroke });
    if (!line) continue;
    const below = { x: at, y: middle + 15, "text-anchor": "middle" };
    const beside = { x: middle - 6, y: at + 4, "text-anchor": "end" };
    node(svg, "text", { fill: OTHER, ...below }).textContent = line;
    node(svg, "text", { fill: OTHER, ...beside }).textContent = -line;
  }
}
