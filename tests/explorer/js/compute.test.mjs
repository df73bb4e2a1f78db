// What the engine computed, as it is shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { viewOf } from "../../../vit_tutorial/explorer/js/explorer/compute.js";
import { weightsOf } from "../../../vit_tutorial/explorer/js/explorer/decode.js";

const sizes = { layers: 1, heads: 2, patches: 2, classToken: true };
const T = 3;
// small weights: the root of 2e-9 is less than three steps of 1 / 65535
const heads = [[1 - 5e-9, 3e-9, 2e-9], [1 - 3e-9, 2.25e-9, 0.75e-9]];
const rows = heads.flatMap((row) => Array(T).fill(row).flat());
const result = { logits: [0, 0], attention: [Float32Array.from(rows)] };

/** How the weights of the class token's row come back, of a head, or of their mean. */
function shown(quantizationLevels, head) {
  const data = { ...sizes, quantizationLevels };
  const chosen = { mode: "raw", layer: 0, head };
  return weightsOf(viewOf(result, data), data, chosen, 0);
}
const apart = (found, wanted) => Math.abs(found - wanted) / wanted;

test("exact weights are not rounded, neither of a head nor of their mean", () => {
  const mean = [1, 2].map((at) => (heads[0][at] + heads[1][at]) / 2);
  const wanted = [...heads.map((row) => row.slice(1)), mean];
  [0, 1, -1].forEach((head, at) => {
    const { weights, largest, kept } = shown(1, head);
    wanted[at].forEach((weight, patch) =>
      assert.ok(apart(weights[patch], weight) < 1e-6, `${head}, ${patch}`));
    assert.ok(apart(largest, wanted[at][0]) < 1e-6);
    assert.ok(apart(kept, 1) < 1e-6);
  });
});

test("weights in steps have a scale like those that Python packs", () => {
  const root = Math.sqrt(shown(255, 0).largest) * 65535;
  assert.ok(Math.abs(root - Math.round(root)) < 1e-4 && Math.round(root) === 4);
});
