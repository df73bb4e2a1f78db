// What a page gives to its model, and the size it brings pictures to.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  normalised, opaque, others,
} from "../../../vit_tutorial/explorer/js/explorer/computing.js";
import {
  greyed, middle, taps,
} from "../../../vit_tutorial/explorer/js/explorer/resize.js";

test("patches that are not dropped are kept, from 0", () => {
  assert.deepEqual(others([1, 4], 5), [1, 2, 4]);
  assert.deepEqual(others([], 2), [0, 1]);
});

test("pixels become opaque, and normalised channel by channel", () => {
  const pixels = opaque(Uint8Array.from([255, 0, 51, 0, 255, 102]));
  assert.deepEqual([...pixels], [255, 0, 51, 255, 0, 255, 102, 255]);
  const found = [...normalised(pixels, [0.5, 0.5, 0], [0.25, 0.5, 0.2])];
  [2, -2, -1, 1, 1, 2].forEach((value, at) =>
    assert.ok(Math.abs(found[at] - value) < 1e-6));
  assert.deepEqual([...normalised(pixels, [0], [1])], [1, 0]); // of a grey model
});

test("the middle is as large as it can be", () => {
  assert.deepEqual(middle(200, 100, 50, 50), [50, 0, 150, 100]);
  assert.deepEqual(middle(10, 40, 20, 40), [0, 10, 10, 30]);
  assert.deepEqual(middle(6, 4, 3, 2), [0, 0, 6, 4]);
});

test("a pixel of a small picture is made of all below it", () => {
  const [one, two] = taps(8, 0, 8, 2);
  assert.deepEqual([one.start, one.weights.length], [0, 6]);
  assert.deepEqual([two.start, two.weights.length], [2, 6]);
  assert.deepEqual(two.weights, [...one.weights].reverse());
});

test("grey is weighed as the eye sees it", () => {
  const pixels = Uint8ClampedArray.from([255, 0, 0, 255, 10, 20, 30, 255]);
  assert.deepEqual([...greyed(pixels)], [76, 76, 76, 255, 18, 18, 18, 255]);
});
