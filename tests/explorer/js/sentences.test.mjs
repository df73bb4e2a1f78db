// What the explorer says, word for word.

import assert from "node:assert/strict";
import { test } from "node:test";
import { barred } from "../../../vit_tutorial/explorer/js/explorer/bars.js";
import * as say from "../../../vit_tutorial/explorer/js/explorer/sentences.js";
import { chosen } from "../../../vit_tutorial/explorer/js/explorer/thumbs.js";

const data = {
  images: 2, layers: 4, heads: 3, patches: 24, grid: [4, 6], epochs: [null],
  classToken: true, classes: ["red", "<b>"], labels: [1, null],
};
const mean = { ...data, classToken: false };
const state = {
  image: 0, layer: 1, head: 2, query: 0, epoch: null,
  mode: "raw", opacity: 0.6, dropped: [],
};
const weights = new Float32Array(24);
weights[8] = 0.25;
const view = { probabilities: [0.1, 0.9] };
const shown = { view, query: 0, cursor: null, weights, largest: 0.25 };

test("numbers keep the digits they need", () => {
  assert.deepEqual([0.25, 0.01, 0.00999, 0].map(say.number),
    ["0.250", "0.010", "0.0100", "0.0000"]);
  assert.deepEqual([0, 0.005, 0.5, 0.995, 0.996].map(say.percent),
    ["under 1 %", "1 %", "50 %", "100 %", "over 99 %"]);
  assert.deepEqual([0, 1].map(say.brief), ["<1 %", ">99 %"]);
});

test("a guess is right, wrong or without a label", () => {
  assert.equal(say.verdict(data, 0, 1), ", right");
  assert.equal(say.verdict(data, 0, 0), ", wrong: it is <b>");
  assert.equal(say.verdict(data, 1, 0), "");
  assert.equal(say.verdict({ ...data, labels: null }, 0, 0), "");
  assert.equal(say.className({ classes: null }, 3), "class 3");
});

test("the sentence names map, query, peak and prediction", () => {
  assert.equal(say.sentence(data, state, shown),
    "Image 1 of 2, layer 2 of 4, head 2. Query: class token. It looks most at patch " +
    "row 2, column 3, with weight 0.250. Prediction: <b>, 90 %.");
  const through = { ...state, mode: "rollout", epoch: 5, dropped: [3, 7] };
  const nowhere = { ...shown, query: 7, cursor: 24, largest: 0 };
  assert.equal(say.sentence(data, through, nowhere),
    "Image 1 of 2, epoch 5, rollout through layers 1 to 2. Query: patch row 2, " +
    "column 1, which is dropped. It looks at no patch. Prediction: <b>, 90 %. " +
    "2 of 24 patches dropped. Under the cursor: patch row 4, column 6.");
  const without = say.sentence(mean, state, shown);
  assert.match(without, /\. No class token: mean over queries\. /);
});

test("each slider says what it stands at", () => {
  const snapshots = { ...data, epochs: [0, 12] };
  assert.deepEqual(say.sliderTexts(snapshots, { ...state, epoch: 0 }, 1), {
    image: "image 1 of 2", layer: "layer 2 of 4", head: "head 2",
    query: "patch row 1, column 1", epoch: "epoch 0 of 12", opacity: "60 %",
  });
  const { head } = say.sliderTexts(data, { ...state, head: -1 }, 0);
  assert.equal(head, "mean over heads");
});

test("the tensor is written as in a notebook", () => {
  const cases = [
    [data, {}, 0, "weights[1][0, 2, 0, 1:]"],
    [data, { head: -1 }, 5, "weights[1][0, :, 5, 1:].mean(0)"],
    [data, { mode: "rollout" }, 5, "rollout(weights[:2])[0, 5, 1:]"],
    [mean, {}, 5, "weights[1][0, 2, 4]"],
    [mean, {}, 0, "weights[1][0, 2, :].mean(0)"],
    [mean, { head: -1 }, 0, "weights[1][0, :, :].mean((0, 1))"],
    [mean, { mode: "rollout" }, 0, "rollout(weights[:2])[0, :].mean(0)"],
  ];
  for (const [of, part, query, wanted] of cases)
    assert.equal(say.expression(of, { ...state, ...part }, query), wanted);
});

test("of many classes the most probable get a bar", () => {
  assert.deepEqual(barred([0.1, 0.2, 0.7], 2), [0, 1, 2]);
  assert.deepEqual(barred([0.1, 0.2, 0.7], 2, 2), [2, 1]);
});

test("the guess without some patches has a bar, however small it was", () => {
  assert.deepEqual(barred([0.1, 0.2, 0.7], 0, 2), [2, 1, 0]);
  assert.deepEqual(barred([0.1, 0.2, 0.7], 1, 2), [2, 1]);
  const many = Array.from({ length: 20 }, (_, at) => at);
  const first = many.slice(-12).reverse();
  assert.deepEqual(barred(many, 3), [...first, 3]);
  assert.deepEqual(barred(many, 8), first);
});

test("the maps that a choice is made of are framed", () => {
  assert.deepEqual(chosen({ mode: "raw", layer: 1, head: 0 }, 2), [[1, 0]]);
  assert.deepEqual(chosen({ mode: "raw", layer: 1, head: -1 }, 2), [[1, 0], [1, 1]]);
  assert.deepEqual(chosen({ mode: "rollout", layer: 1, head: 0 }, 2),
    [[0, 0], [0, 1], [1, 0], [1, 1]]);
});

test("a page says what it computes with", () => {
  const of = (epoch) => say.note({ computed: { epoch } });
  assert.equal(of(24), "Dropped patches and own pictures are computed on this page, " +
    "with the model of epoch 24: your picture never leaves this browser.");
  assert.match(of(null), /on this page: your picture/);
});
