// Pixels, frames and hatching on a canvas. A pen is the 2D context that draws on it.

import { make } from "../frame/dom.js";

const QUERY = "#0072B2"; // one colour, one meaning, as in the book's figures

/** The bytes [r, g, b] of a colour as an input of type color has it: "#0072b2". */
export const bytesOf = (hex) =>
  [1, 3, 5].map((from) => Number.parseInt(hex.slice(from, from + 2), 16));

/** A pen for `canvas`, which gets this size; what it enlarges keeps its square
 *  pixels. */
export function penOf(canvas, width, height) {
  const pen = Object.assign(canvas, { width, height }).getContext("2d");
  pen.imageSmoothingEnabled = false;
  return pen;
}

/** Pixels to be written as whole numbers, `ink` (height * width), and put() which gives
 *  the canvas that shows them. */
export function pixelGrid(width, height) {
  const canvas = make("canvas", { width, height });
  const image = new ImageData(width, height);
  const put = () => {
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };
  return { ink: new Uint32Array(image.data.buffer), put };
}

/** The bytes (height, width, 4) of a picture on a canvas of its own size. */
export function pictureOf(bytes, width, height) {
  const canvas = make("canvas", { width, height });
  const pixels = new ImageData(new Uint8ClampedArray(bytes), width, height);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** Where patches of this side lie in a grid of so many columns: place(patch, from 1) is
 *  [x, y, side, side]. */
export const squares = (columns, side) => (patch) =>
  [((patch - 1) % columns) * side, Math.floor((patch - 1) / columns) * side, side, side];

/** A frame inside a rectangle; with a white edge it shows on any colour. */
export function box(pen, [x, y, width, height], line, edge = "transparent") {
  for (const [strokeStyle, lineWidth] of [[edge, 2 * line], [QUERY, line]]) {
    Object.assign(pen, { strokeStyle, lineWidth });
    pen.strokeRect(x + line, y + line, width - 2 * line, height - 2 * line);
  }
}

/** Cover a square with grey and three strokes up to the right. */
export function hatch(pen, [x, y, side]) {
  const lineWidth = Math.max(1, side / 20);
  Object.assign(pen, { fillStyle: "#777", strokeStyle: "white", lineWidth });
  pen.fillRect(x, y, side, side);
  pen.beginPath();
  for (const [from, to] of [[0, 0.5], [0, 1], [0.5, 1]]) {
    pen.moveTo(x + from * side, y + to * side);
    pen.lineTo(x + to * side, y + from * side);
  }
  pen.stroke();
}
