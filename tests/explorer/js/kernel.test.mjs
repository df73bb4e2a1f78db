// What a view asks of its kernel, and which answers are its own.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  kernelOf, weightsFrom,
} from "../../../vit_tutorial/explorer/js/explorer/kernel.js";

/** A kernel, and what was sent to it: [message, buffers]. */
function fake() {
  const sent = [];
  const send = (message, _callbacks, buffers) => sent.push([message, buffers]);
  return { sent, kernel: kernelOf({ send }) };
}
const bytesIn = (...values) => [new DataView(Uint8Array.from(values).buffer)];

test("a question is answered by its number, with the bytes beside it", async () => {
  const { sent, kernel } = fake();
  const buffer = new ArrayBuffer(3);
  const picture = kernel.ask("picture", { name: "cat.png" }, [buffer]);
  const view = kernel.ask("view", { image: 1 });
  const [[first, buffers], [second]] = sent;
  assert.deepEqual([first.kind, first.name, buffers], ["picture", "cat.png", [buffer]]);
  assert.deepEqual([second.kind, second.image], ["view", 1]);
  kernel.hear({ number: second.number }, bytesIn(1, 2));
  kernel.hear({ number: first.number, error: "<b> is no picture" });
  assert.deepEqual([...(await view).bytes], [1, 2]);
  await assert.rejects(picture, { message: "<b> is no picture" });
});

test("the answers to another view of the same widget are not one's own", async () => {
  const [one, other] = [fake(), fake()];
  const asked = one.kernel.ask("view", {});
  other.kernel.ask("view", {});
  one.kernel.hear({ number: other.sent[0][0].number, error: "not mine" });
  one.kernel.hear({ number: one.sent[0][0].number, mine: true });
  assert.equal((await asked).mine, true);
});

test("the weights of an epoch are asked for once", async () => {
  const { sent, kernel } = fake();
  const weights = weightsFrom(kernel);
  const asked = [5, 0, 5].map(weights);
  assert.deepEqual(sent.map(([{ kind, epoch }]) => [kind, epoch]),
    [["model", 5], ["model", 0]]);
  sent.forEach(([{ number, epoch }]) =>
    kernel.hear({ number, description: { epoch } }, bytesIn(epoch)));
  const [first, other, again] = await Promise.all(asked);
  assert.deepEqual([first.json, [...first.buffer]], [{ epoch: 5 }, [5]]);
  assert.deepEqual([other.json, [...other.buffer]], [{ epoch: 0 }, [0]]);
  assert.equal(first, again); // it is the object that tells models apart
});
