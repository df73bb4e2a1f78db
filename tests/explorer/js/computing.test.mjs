// What is computed in the browser and when, what a model is given, and the size that
// pictures are brought to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { opaque } from "../../../vit_tutorial/explorer/js/explorer/carried.js";
import {
  computing, normalised, others,
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

/** Computing whose answers are given by hand: what was asked, said and is known. */
function byHand() {
  const asked = [];
  const said = [];
  const data = { masked: null };
  const view = (state) =>
    new Promise((resolve, reject) => asked.push({ state, resolve, reject }));
  const told = {
    redraw: () => said.push("redraw"),
    problem: (line) => said.push(line),
    restore: () => said.push("restore"),
  };
  return { asked, said, data, changed: computing(data, view, told) };
}
const settle = () => new Promise(setImmediate);
const whole = { image: 0, epoch: 5, dropped: [] };

test("a view is asked for by image, epoch and patches, not by more", async () => {
  const { asked, said, data, changed } = byHand();
  changed({ ...whole, layer: 1 });
  await settle();
  assert.deepEqual([asked, said, data.masked], [[], [], null]);
  const lacking = { ...whole, dropped: [2] };
  changed({ ...lacking, layer: 1 });
  assert.equal(data.masked, undefined); // it will arrive
  await settle();
  assert.deepEqual(asked[0].state, lacking);
  asked[0].resolve("a view");
  await settle();
  assert.deepEqual([data.masked, said], ["a view", ["redraw"]]);
  changed({ ...lacking, layer: 3 });
  await settle();
  assert.deepEqual([data.masked, asked.length], ["a view", 1]);
  for (const other of [{ image: 1 }, { epoch: 0 }, { dropped: [2, 3] }]) {
    changed({ ...lacking, ...other });
    await settle();
    assert.deepEqual(asked.at(-1).state, { ...lacking, ...other });
    asked.at(-1).resolve(other);
    await settle();
    assert.equal(data.masked, other);
  }
  changed(whole);
  assert.equal(data.masked, null);
});

test("what goes wrong is said, and the patches are put back", async () => {
  const { asked, said, data, changed } = byHand();
  changed({ ...whole, dropped: [1] });
  await settle();
  asked[0].reject(new Error("one line"));
  await settle();
  assert.deepEqual([said.slice(0, 2), data.masked], [["one line", "restore"], null]);
});

test("what goes wrong when nobody waits for it any more is not said", async () => {
  const { asked, said, data, changed } = byHand();
  changed({ ...whole, dropped: [1] });
  await settle();
  changed({ ...whole, dropped: [1, 2] });
  asked[0].reject(new Error("one line"));
  await settle();
  asked[1].resolve("a view");
  await settle();
  assert.deepEqual([said, data.masked], [["redraw"], "a view"]);
});
