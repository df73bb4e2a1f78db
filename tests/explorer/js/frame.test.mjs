// What explorer and tokens share: traits, bytes, limits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { clamp } from "../../../vit_tutorial/explorer/js/frame/dom.js";
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
