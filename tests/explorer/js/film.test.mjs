// Which frame of a film follows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { after } from "../../../vit_tutorial/explorer/js/film/mount.js";

test("frames follow each other, and the first the last", () => {
  const wanted = [[0, 1, false], [1, 2, true], [2, 0, false]];
  for (const [at, part, ends] of wanted) assert.deepEqual(after(at, 3), { part, ends });
});
