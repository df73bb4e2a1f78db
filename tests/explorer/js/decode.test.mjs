// What the bytes of a view say.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decode, guessOf, presentView, rowOf, weightsOf, wholeView,
} from "../../../vit_tutorial/explorer/js/explorer/decode.js";

const sizes = { outputs: 3, layers: 2, heads: 2, patches: 4, quantizationLevels: 255 };
const rows = 2 * 3 * 5;

/** Bytes of a view whose row r has scale ((r + 1) / rows)**2, half of it on the class
 *  token, and levels r, r + 1, r + 2, 255; they start at an odd place. */
function bytes() {
  const size = 4 * 3 + 2 * 2 * rows + rows * 4;
  const all = new DataView(new ArrayBuffer(size + 1), 1);
  [0.2, 0.5, 0.3].forEach((share, at) => all.setFloat32(4 * at, share, true));
  for (let row = 0; row < rows; row++) {
    const root = Math.round((65535 * (row + 1)) / rows);
    all.setUint16(12 + 2 * row, root, true);
    all.setUint16(12 + 2 * (rows + row), Math.round(root * Math.SQRT1_2), true);
    [row, row + 1, row + 2, 255].forEach((level, patch) =>
      all.setUint8(12 + 4 * rows + 4 * row + patch, level));
  }
  return new Uint8Array(all.buffer, 1);
}

const view = decode(bytes(), sizes);
const scale = (row) => ((row + 1) / rows) ** 2;

function near(found, wanted) {
  assert.equal(found.length, wanted.length);
  found.forEach((value, at) => assert.ok(Math.abs(value - wanted[at]) < 1e-4));
}

test("each part is found, wherever the bytes start", () => {
  near(view.probabilities, [0.2, 0.5, 0.3]);
  near(view.scales, Array.from({ length: rows }, (_, row) => scale(row)));
  near(view.kept, Array.from({ length: rows }, (_, row) => scale(row) / 2));
  assert.equal(view.weights.length, rows * 4);
  assert.equal(guessOf(view), 1);
});

test("one head's weights are its levels times its scale", () => {
  const row = rowOf(sizes, 1, 0, 3);
  assert.equal(row, (1 * 3 + 0) * 5 + 3);
  const shown = weightsOf(view, sizes, { mode: "raw", layer: 1, head: 0 }, 3);
  near(shown.weights, [row, row + 1, row + 2, 255].map((n) => (n / 255) * scale(row)));
  near([shown.largest, shown.kept], [scale(row), scale(row) / 2]);
});

test("head -1 is the mean over heads, rollout the map after them", () => {
  const state = { mode: "raw", layer: 0 };
  const of = (head) => weightsOf(view, sizes, { ...state, head }, 2);
  const [one, two, mean] = [0, 1, -1].map(of);
  near(mean.weights, one.weights.map((weight, at) => (weight + two.weights[at]) / 2));
  near([mean.kept], [(one.kept + two.kept) / 2]);
  const through = weightsOf(view, sizes, { mode: "rollout", layer: 0, head: 1 }, 2);
  near([through.largest], [scale(rowOf(sizes, 0, 2, 2))]);
});

test("a view is that of image and epoch, or lacks the dropped patches", () => {
  const data = { views: ["a0", "a5", "b0", "b5"], epochs: [0, 5], masked: null };
  const state = { image: 1, epoch: 5, dropped: [2] };
  assert.equal(wholeView(data, state), "b5");
  assert.equal(presentView(data, state), "b5"); // until it is known
  data.masked = undefined; // it will arrive
  assert.equal(presentView(data, state), undefined);
  data.masked = "masked";
  assert.equal(presentView(data, state), "masked");
  assert.equal(presentView(data, { ...state, dropped: [] }), "b5");
});
