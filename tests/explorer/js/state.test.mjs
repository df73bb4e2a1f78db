// What a reader's choices become.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as state from "../../../vit_tutorial/explorer/js/explorer/state.js";

const data = { images: 2, layers: 4, heads: 3, patches: 24, epochs: [0, 3, 12] };
const start = {
  image: 0, layer: 3, head: -1, query: 0, epoch: 12,
  mode: "raw", opacity: 0.6, dropped: [],
};

test("choices beyond the sliders come back to their ends", () => {
  const far = { image: 9, layer: 4, head: 3, query: 25, epoch: 5, opacity: 2 };
  assert.deepEqual(state.within({ ...start, ...far }, data), {
    ...start, image: 1, layer: 3, head: 2, query: 24, epoch: 0, opacity: 1,
  });
  const low = { image: -1, layer: -2, head: -2, query: -1, epoch: 3, opacity: -1 };
  assert.deepEqual(state.within({ ...start, ...low }, data), {
    ...start, image: 0, layer: 0, head: -1, query: 0, epoch: 3, opacity: 0,
  });
});

test("one model has no epoch to choose", () => {
  const single = { ...data, epochs: [null] };
  assert.equal(state.last("epoch", single), 0);
  assert.equal(state.within({ ...start, epoch: null }, single).epoch, null);
});

test("what a choice is on its slider and back", () => {
  const choices = { epoch: 3, layer: 2, head: -1, opacity: 0.35 };
  for (const name in choices) {
    const position = state.positionOf(name, choices[name], data);
    assert.equal(state.choiceAt(name, position, data), choices[name]);
  }
  assert.equal(state.positionOf("epoch", 12, data), 2);
});

test("another image is whole again, the same one stays as it is", () => {
  const lacking = { ...start, dropped: [4] };
  const other = { image: 1, dropped: [] };
  assert.deepEqual(state.consequences(lacking, { image: 1 }, data), other);
  assert.deepEqual(state.consequences(lacking, { image: 0 }, data), { image: 0 });
  assert.deepEqual(state.consequences(lacking, { layer: 1 }, data), { layer: 1 });
});

test("a page computes for one epoch: dropping and own pictures go there", () => {
  const page = { ...data, images: 3, computed: { epoch: 12, from: 2 } };
  const early = { ...start, epoch: 3 };
  const become = (part, from = early) => state.consequences(from, part, page);
  assert.deepEqual(become({ dropped: [4] }), { dropped: [4], epoch: 12 });
  assert.deepEqual(become({ image: 2 }), { image: 2, dropped: [], epoch: 12 });
  assert.deepEqual(become({ image: 1 }), { image: 1, dropped: [] });
  assert.deepEqual(become({ layer: 1 }), { layer: 1 });
  const lacking = { ...start, dropped: [4] };
  assert.deepEqual(become({ epoch: 0 }, lacking), { epoch: 0, dropped: [] });
  assert.deepEqual(become({ layer: 1 }, lacking), { layer: 1 });
  const own = { ...start, image: 2 };
  assert.deepEqual(become({ epoch: 0 }, own), { epoch: 12 });
  assert.ok(state.isOwn(own, page) && !state.isOwn(start, page));
  assert.ok(!state.isOwn(own, data)); // a kernel computes for all epochs
});

test("patches are dropped in order and put back, and one stays", () => {
  assert.deepEqual(state.toggled([10], 9, 24), [9, 10]);
  assert.deepEqual(state.toggled([9, 10], 9, 24), [10]);
  const most = [1, 2];
  assert.equal(state.toggled(most, 3, 3), most);
});

test("play goes to the end and from there to the start", () => {
  assert.deepEqual(state.step("layer", { layer: 1 }, data),
    { part: { layer: 2 }, ends: false });
  assert.deepEqual(state.step("layer", { layer: 2 }, data),
    { part: { layer: 3 }, ends: true });
  assert.deepEqual(state.step("epoch", { epoch: 12 }, data),
    { part: { epoch: 0 }, ends: false });
});

test("arrows move by one patch and stop at the edge", () => {
  const grid = [4, 6];
  const moves = [
    [1, 0, 1, 2], [1, 1, 0, 7], [1, -1, 0, 1], [1, 0, -1, 1], [6, 0, 1, 6],
    [24, 1, 0, 24], [16, -1, 0, 10], [0, 0, 1, 2], [null, 1, 0, 7],
  ];
  for (const [from, down, across, to] of moves)
    assert.equal(state.neighbour(from, down, across, grid), to);
});
