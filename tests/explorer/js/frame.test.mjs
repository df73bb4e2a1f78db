// What explorer and tokens share: traits, bytes, limits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { clamp, onArrows } from "../../../vit_tutorial/explorer/js/frame/dom.js";
import { inflate } from "../../../vit_tutorial/explorer/js/frame/page.js";
import {
  bytesOf, follow, read, save,
} from "../../../vit_tutorial/explorer/js/frame/widget.js";

/** A model as anywidget hands it over, and what was done to it. */
function fake(values) {
  const heard = {};
  let saves = 0;
  return {
    values,
    heard,
    get: (name) => values[name],
    set: (name, value) => (values[name] = value),
    on: (event, hear) => (heard[event] = hear),
    off: (event, hear) => heard[event] === hear && delete heard[event],
    save_changes: () => ++saves,
    saves: () => saves,
  };
}

test("traits are read, and saved in one message", () => {
  const model = fake({ layer: 1, head: 2, other: 3 });
  assert.deepEqual(read(model, ["layer", "head"]), { layer: 1, head: 2 });
  save(model, { layer: 4, head: 5 });
  assert.deepEqual(model.values, { layer: 4, head: 5, other: 3 });
  assert.equal(model.saves(), 1);
});

test("who leaves hears nothing any more", () => {
  const model = fake({});
  const leave = follow(model, { "change:layer": () => 0, "msg:custom": () => 0 });
  assert.deepEqual(Object.keys(model.heard), ["change:layer", "msg:custom"]);
  leave();
  assert.deepEqual(model.heard, {});
});

test("bytes are those of the trait, not of the message it came in", () => {
  const message = new Uint8Array([9, 1, 2, 3, 9]).buffer;
  assert.deepEqual([...bytesOf(new DataView(message, 1, 3))], [1, 2, 3]);
});

test("packed data are unpacked as they were", async () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, at) => (at * at) % 251);
  assert.deepEqual(await inflate(deflateSync(bytes).toString("base64")), bytes);
});

test("a value stays within its limits", () => {
  assert.deepEqual([-4, 2, 4].map((value) => clamp(value, -3, 3)), [-3, 2, 3]);
});

/** What an element with arrow keys hears of a key: its moves, and whether it took it. */
function press(key, modifiers = {}) {
  const element = new EventTarget();
  const moves = [];
  onArrows(element, (down, across) => moves.push([down, across]));
  const event = new Event("keydown", { cancelable: true });
  element.dispatchEvent(Object.assign(event, { key, ...modifiers }));
  return { moves, taken: event.defaultPrevented };
}

test("arrow keys move, and do not scroll", () => {
  const ways = { Left: [0, -1], Right: [0, 1], Up: [-1, 0], Down: [1, 0] };
  for (const [way, move] of Object.entries(ways))
    assert.deepEqual(press(`Arrow${way}`), { moves: [move], taken: true });
  const far = press("ArrowLeft", { shiftKey: true });
  assert.deepEqual(far, { moves: [[0, -1]], taken: true });
  assert.deepEqual(press("a"), { moves: [], taken: false });
});

test("arrow keys with Alt, Ctrl or Meta are the browser's", () => {
  for (const modifier of ["altKey", "ctrlKey", "metaKey"])
    assert.deepEqual(press("ArrowLeft", { [modifier]: true }),
      { moves: [], taken: false }, modifier);
});
