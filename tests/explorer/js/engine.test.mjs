// The engine's messages, and which questions are answered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../../../vit_tutorial/explorer/js/engine_worker.js";
import { latest, startEngine } from "../../../vit_tutorial/explorer/js/explorer/engine.js";

test("what is wrong comes back as one line, with the question's number", () => {
  const [said, handedOver] = answer({ number: 7, kind: "load", json: { format: 0 } });
  assert.deepEqual(said,
    { number: 7, error: "model.json is of format 0, expected 1" });
  assert.deepEqual(handedOver, []);
});

/** Questions that are answered when `go` is called, in their order. */
function slow() {
  const begun = [];
  const ask = (name) =>
    new Promise((resolve, reject) => begun.push({ name, resolve, reject }));
  return { begun, asked: latest(ask) };
}
const settle = () => new Promise(setImmediate);

test("of many that come quickly only the latest is answered", async () => {
  const { begun, asked } = slow();
  const all = ["a", "b", "c"].map(asked);
  await settle();
  assert.deepEqual(begun.map(({ name }) => name), ["c"]);
  begun[0].resolve("of c");
  assert.deepEqual(await Promise.all(all), [undefined, undefined, "of c"]);
});

test("one that has begun is overtaken, and one after another all are answered",
  async () => {
    const { begun, asked } = slow();
    const first = asked("a");
    await settle();
    const second = asked("b");
    begun[0].resolve("of a");
    assert.equal(await first, undefined);
    await settle();
    begun[1].resolve("of b");
    assert.equal(await second, "of b");
    const third = asked("c");
    await settle();
    begun[2].reject(new Error("broken"));
    await assert.rejects(third, /broken/);
    const fourth = asked("d");
    await settle();
    begun[3].resolve("of d");
    assert.equal(await fourth, "of d");
  });

/** A worker in place of the browser's: it keeps what is posted to it. */
class FakeWorker {
  posted = [];
  ended = false;
  constructor() {
    FakeWorker.last = this;
  }
  postMessage(message) {
    this.posted.push(message);
  }
  terminate() {
    this.ended = true;
  }
}

function start(t) {
  globalThis.Worker = FakeWorker;
  globalThis.ENGINE_WORKER = "";
  t.after(() => {
    delete globalThis.Worker;
    delete globalThis.ENGINE_WORKER;
  });
  return [startEngine(), FakeWorker.last];
}
const modelOf = (format) => ({ json: { format }, buffer: new ArrayBuffer(4) });

test("a model is loaded before it is asked, and only where it is another",
  async (t) => {
    const [engine, worker] = start(t);
    const [first, other] = [modelOf(1), modelOf(1)];
    for (const model of [first, first, other, first])
      engine.ask(model, "view", { pixels: new Float32Array(1) });
    const kinds = worker.posted.map(({ kind }) => kind).join(" ");
    assert.equal(kinds, "load view view load view load view");
    const loads = worker.posted.filter(({ kind }) => kind === "load");
    assert.deepEqual(loads.map(({ buffer }) => buffer),
      [first.buffer, other.buffer, first.buffer]);
    engine.stop();
    assert.ok(worker.ended);
  });

test("answers come by number", async (t) => {
  const [engine, worker] = start(t);
  const model = modelOf(1);
  const [one, two] = [1, 2].map((size) =>
    engine.ask(model, "view", { pixels: new Float32Array(size) }));
  worker.onmessage({ data: { number: 1, result: {} } });
  worker.onmessage({ data: { number: 3, result: "second" } });
  worker.onmessage({ data: { number: 2, error: "one line" } });
  assert.equal(await two, "second");
  await assert.rejects(one, { message: "one line" });
});

test("of a model that is refused nothing is answered, though the last one is there",
  async (t) => {
    const [engine, worker] = start(t);
    const model = modelOf(0);
    const asked = [1, 2].map((size) =>
      engine.ask(model, "view", { pixels: new Float32Array(size) }));
    worker.onmessage({ data: { number: 1, error: "of format 0" } });
    for (const number of [2, 3])
      worker.onmessage({ data: { number, result: "of another model" } });
    for (const each of asked) await assert.rejects(each, { message: "of format 0" });
  });

test("a worker that does not start is said", async (t) => {
  const [engine, worker] = start(t);
  const view = () => engine.ask(modelOf(1), "view", { pixels: new Float32Array(1) });
  const asked = view();
  worker.onerror();
  await assert.rejects(asked, /starts no worker/);
  await assert.rejects(view(), /starts no worker/);
});
