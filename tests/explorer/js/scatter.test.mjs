// Which point is meant.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sentence } from "../../../vit_tutorial/explorer/js/scatter/mount.js";
import {
  nearest, towards,
} from "../../../vit_tutorial/explorer/js/scatter/nearest.js";

const points = [[0, 0], [3, 3], [3, 3], [-5, 1], [0, 9]];
const any = () => true;

test("the nearest point is within reach, allowed, and the first of equals", () => {
  assert.equal(nearest(points, [2, 2], any), 1);
  assert.equal(nearest(points, [2, 2], (at) => at !== 1), 2);
  assert.equal(nearest(points, [2, 2], any, 1), null);
  assert.equal(nearest(points, [2, 2], any, 1.5), 1);
  assert.equal(nearest(points, [0, 0], () => false), null);
});

test("a step leads into a quarter of the plane, and never to the same place", () => {
  assert.equal(towards(points, 0, [1, 0], any), 1); // on the diagonal
  assert.equal(towards(points, 0, [0, 1], any), 1);
  assert.equal(towards(points, 0, [0, 1], (at) => at > 2), 4);
  assert.equal(towards(points, 0, [-1, 0], any), 3);
  assert.equal(towards(points, 0, [0, -1], any), null);
  assert.equal(towards(points, 1, [1, 0], any), null); // 2 is where 1 is
});

test("points are counted from 1", () => {
  assert.equal(sentence("cat", 0, 5), "cat, point 1 of 5");
});
