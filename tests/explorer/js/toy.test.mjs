// The three tokens: their numbers, arrows and words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { attend } from "../../../vit_tutorial/explorer/js/toy/attend.js";
import { arrowTo, sumOf } from "../../../vit_tutorial/explorer/js/toy/plane.js";
import * as say from "../../../vit_tutorial/explorer/js/toy/sentences.js";

const tokens = [[2, 0], [1.5, 1], [0, 2]];
const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-12);
const sum = (row) => row.reduce((total, value) => total + value, 0);

test("softmax runs over the keys, or over the queries", () => {
  const keys = attend(tokens, 0.5, "keys").weights;
  const queries = attend(tokens, 0.5, "queries").weights;
  for (const at of [0, 1, 2]) {
    near(sum(keys[at]), 1);
    near(sum(queries.map((row) => row[at])), 1);
  }
  const { weights } = attend([[300, 0], [-300, 0], [0, 0]], 32, "keys"); // no overflow
  assert.deepEqual(weights[0], [1, 0, 0]);
});

test("equal tokens share alike", () => {
  const { weights, mixed } = attend([[1, 2], [1, 2], [1, 2]], 8, "keys");
  near(weights[1][2], 1 / 3);
  near(mixed[0][1], 2);
});

test("the shortened values end where the mix is", () => {
  const { weights, mixed } = attend(tokens, 2 ** -0.5, "keys");
  const end = sumOf(tokens, weights[1]).at(-1);
  end.forEach((value, axis) => near(value, mixed[1][axis]));
});

test("an arrow's tip is its end, its sides mirror each other", () => {
  const corners = arrowTo([0, 2], { head: 0.5, wide: 0.2, shaft: 0.1 });
  assert.deepEqual(corners[3], [0, 2]);
  assert.deepEqual(corners[2], [-0.2, 1.5]);
  assert.deepEqual(corners[5], [0.2, 1.5]);
  const short = arrowTo([0.1, 0], { head: 0.5, wide: 0.2, shaft: 0.1 });
  assert.deepEqual(short[1], [0, 0.1]);
});

test("scales are named by what they are", () => {
  const texts = { 0.125: "0.125", 1: "1: not scaled", 2: "2", 32: "32" };
  for (const scale in texts) assert.equal(say.scaleText(Number(scale)), texts[scale]);
  assert.equal(say.scaleText(2 ** -0.5), "1/√K = 0.71");
  const factor = (scale) => say.expression({ scale, softmax_dim: "keys" });
  assert.match(factor(2 ** -0.5), /T \/ 2\*\*0\.5\)\.softmax\(dim=-1\)/);
  assert.match(factor(2 ** 1.5), /T \* 2\*\*1\.5\)/);
  assert.match(factor(3), /T \* 3\)/);
  assert.match(factor(1), /T\)\.softmax/);
});

test("the sentence follows the one that asks", () => {
  const state = { query_index: 1, softmax_dim: "queries" };
  const numbers = { weights: [[], [0.5, 0.25, 0.5], []], mixed: [[], [1, -0.001], []] };
  assert.equal(say.sentence(state, numbers),
    "Token 1 asks. It takes 0.50 of 0, 0.25 of 1, 0.50 of 2, 1.25 in all, for " +
    "softmax ran over the queries. Its mix is (1.00, 0.00).");
  assert.equal(say.short(123.456), "123.5");
});
