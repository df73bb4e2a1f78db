// The markers of a drawing: a shape a class, or a meaning.

import { node } from "./dom.js";

/** Paths around the origin, of about one area. */
const PATHS = {
  circle: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z",
  square: "M-5.3-5.3H5.3V5.3H-5.3Z",
  triangle: "M0-7.8L7 4.6H-7Z",
  diamond: "M0-7.5L7.5 0L0 7.5L-7.5 0Z",
  cross: "M-7-4L-4-7L0-3L4-7L7-4L3 0L7 4L4 7L0 3L-4 7L-7 4L-3 0Z",
};

/** A marker [colour, shape] at [x, y] of a drawing. */
export function marker(parent, [fill, shape], [x, y]) {
  const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)})`;
  return node(parent, "path", { d: PATHS[shape], fill, transform, class: "marker" });
}
