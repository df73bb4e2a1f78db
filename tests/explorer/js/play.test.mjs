// What moves by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { player } from "../../../vit_tutorial/explorer/js/frame/play.js";

test("play moves step by step and stops at the end", ({ mock }) => {
  mock.timers.enable({ apis: ["setInterval"] });
  const moves = [];
  let at = 0;
  const play = player(
    (name) => ({ part: `${name} ${++at}`, ends: at === 3 }),
    (part) => moves.push([part, play.playing()]),
  );
  play.toggle("layer");
  assert.deepEqual(moves, [["layer 1", "layer"]]);
  mock.timers.tick(799);
  assert.equal(moves.length, 1);
  mock.timers.tick(801);
  mock.timers.tick(8000);
  assert.deepEqual(moves.slice(1), [["layer 2", "layer"], ["layer 3", null]]);
});

test("a second press stops, another name takes over", ({ mock }) => {
  mock.timers.enable({ apis: ["setInterval"] });
  const moves = [];
  const next = (name) => ({ part: name, ends: false });
  const play = player(next, (part) => moves.push(part));
  play.toggle("layer");
  play.toggle("epoch");
  mock.timers.tick(800);
  assert.deepEqual(moves, ["layer", "epoch", "epoch"]);
  play.toggle("epoch");
  mock.timers.tick(8000);
  assert.equal(play.playing(), null);
  assert.equal(moves.length, 3);
});
