// Stacks of one's own: what is drawn at random, where a stack may stand, and scribble.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf } from "../../../vit_tutorial/explorer/js/explorer/canvas.js";
import { distance, scribble } from
  "../../../vit_tutorial/explorer/js/workbench/scribble.js";
import * as stack from "../../../vit_tutorial/explorer/js/workbench/stack.js";

/** A source of numbers from 0 to 1 that is the same in every run. */
function random(seed = 1) {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

const source = random();
const many = Array.from({ length: 2000 }, () => stack.randomChoice(source));
const flat = many.flatMap(({ tiles }) => tiles);
const within = (values, low, high) => {
  assert.ok(Math.min(...values) >= low && Math.max(...values) < high);
  // they reach both ends
  const near = 0.1 * (high - low);
  assert.ok(Math.min(...values) < low + near && Math.max(...values) >= high - near);
};

test("what is drawn at random lies where the data set has it", () => {
  within(flat.map(({ period }) => period), 6, 8);
  within(flat.flatMap(({ phase }) => phase), 0, 1);
  within(flat.flatMap(({ colour }) => colour), -1, 1);
  const shades = many.flatMap(({ background }) => background.flat(2));
  assert.ok(shades.every((shade) => shade > 0.05 && shade < 0.95));
  const mean = shades.reduce((sum, value) => sum + value) / shades.length;
  assert.ok(Math.abs(mean - 0.5) < 0.01);
  const discs = many.flatMap((choice) => choice.discs);
  within(discs.map(({ radius }) => radius), 5, 9);
  within(discs.flatMap(({ colour }) => colour), 0.1, 0.9);
});

test("every class is drawn as often, and every size", () => {
  const counted = (values, each) => {
    for (const [value, share] of each) {
      const found = values.filter((one) => one === value).length / values.length;
      assert.ok(Math.abs(found - share) < 0.03, `${value}: ${found}`);
    }
  };
  counted(many.map(stack.classOf), Array.from({ length: 10 }, (_, at) => [at, 0.1]));
  counted(many.map(({ half }) => half), [12, 13, 14, 15, 16].map((at) => [at, 0.2]));
  counted(many.map(({ discs }) => discs.length), [[1, 0.5], [2, 0.5]]);
});

test("a stack lies in the picture, clear of its discs", () => {
  for (const { x, y, half, discs } of many) {
    const tall = 2 * half + 4;
    assert.ok(Number.isInteger(x) && Number.isInteger(y));
    assert.ok(x >= half && x <= 96 - half && y >= tall && y <= 96 - tall);
    for (const disc of discs) {
      const right = Math.max(Math.abs(disc.x - x) - half, 0);
      const down = Math.max(Math.abs(disc.y - y) - tall, 0);
      assert.ok(Math.hypot(right, down) > disc.radius);
    }
  }
  const columns = new Set(many.filter(({ half }) => half === 12).map(({ x }) => x));
  assert.ok(columns.has(12) && columns.has(84));
});

test("six pairs of textures are no class", () => {
  const four = [0, 1, 2, 3];
  const labels = four.flatMap((top) =>
    four.map((bottom) => stack.classOf({ top, bottom })));
  assert.equal(labels.filter((label) => label === null).length, 6);
  assert.equal(stack.classOf({ top: 3, bottom: 1 }), 5);
  assert.equal(stack.classOf({ top: 1, bottom: 1 }), null);
});

test("a stack that is moved stays whole in the picture", () => {
  const choice = { ...many[0], half: 16 };
  const place = (to) => {
    const { x, y } = stack.moved(choice, to);
    return [x, y];
  };
  assert.deepEqual(place([40.4, 50.6]), [40, 51]);
  assert.deepEqual(place([-9, 1]), [16, 36]);
  assert.deepEqual(place([200, 200]), [80, 60]);
});

test("other colours and backgrounds leave the rest as it is", () => {
  const [first] = many;
  const { tiles, ...none } = stack.randomColours(first, source);
  assert.deepEqual(none, {});
  assert.deepEqual(tiles[1].phase, first.tiles[1].phase);
  assert.notDeepEqual(tiles[0].colour, first.tiles[0].colour);
  const other = stack.randomBackground(first, source);
  assert.deepEqual(Object.keys(other), ["background", "discs"]);
  assert.notDeepEqual(other.background, first.background);
});

test("the stack covers a disc, the later disc the earlier one", () => {
  const disc = (colour) => ({ x: 20, y: 20, radius: 30, colour: [colour, 0, 0] });
  const choice = { ...many[0], x: 48, y: 48, half: 16, discs: [disc(0.2), disc(0.4)] };
  const pixels = stack.paintStack(choice);
  const alone = stack.paintStack({ ...choice, discs: [] });
  const at = (column, row) => 4 * (96 * row + column);
  assert.equal(pixels[at(20, 20)], 102);
  const inStack = [at(34, 20), at(35, 20)];
  assert.deepEqual(pixels.slice(...inStack), alone.slice(...inStack));
});

test("a stroke covers what lies near its line, until it is cleared", () => {
  const sheet = scribble(8);
  const picture = new Uint8Array(256).fill(9);
  assert.ok(sheet.isClear());
  sheet.stroke([-3, 1], [3, 1], [1, 2, 3]);
  const drawn = sheet.over(picture);
  assert.deepEqual([...drawn.slice(0, 4)], [1, 2, 3, 9]);
  assert.equal(drawn[4 * (8 * 7)], 9);
  assert.equal(picture[0], 9); // as it was
  assert.ok(!sheet.isClear());
  sheet.clear();
  assert.deepEqual(sheet.over(picture), picture);
});

test("the distance from a line ends at its ends", () => {
  assert.equal(distance([2, 3], [0, 0], [4, 0]), 3);
  assert.equal(distance([7, 4], [0, 0], [4, 0]), 5);
  assert.equal(distance([3, 4], [0, 0], [0, 0]), 5);
});

test("a colour is read as the page writes it", () => {
  assert.deepEqual(bytesOf("#0072b2"), [0, 114, 178]);
});
