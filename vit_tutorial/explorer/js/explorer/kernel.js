// The kernel of a live notebook, asked by messages: `_answer` in widget.py.
//
// A message is {number, kind, ...} with bytes beside it, and is answered by {number,
// ...}, again with bytes, or by {number, error} of one line. Kinds:
//   picture  {name} and its pixels: appended to the images
//   model    {epoch}: {description} (model.json) and the bytes of model.bin
//   view     {image, epoch, dropped}: the bytes of a view, as `decode` takes them

import { bytesOf } from "../frame/widget.js";

/** The kernel behind `model`, anywidget's. Returns ask(kind, content, buffers), a
 *  promise of {bytes (Uint8Array or undefined), ...}, which rejects with one line; and
 *  hear(message, buffers), to be called with all that the kernel sends. */
export function kernelOf(model) {
  const mine = Math.random().toString(36).slice(2); // all views hear all answers
  const waiting = new Map(); // by number of the question
  let asked = 0;

  function ask(kind, content, buffers = []) {
    const number = `${mine}-${asked++}`;
    return new Promise((resolve, reject) => {
      waiting.set(number, { resolve, reject });
      model.send({ number, kind, ...content }, undefined, buffers);
    });
  }

  function hear({ number, error, ...said }, buffers = []) {
    if (!waiting.has(number)) return;
    const { resolve, reject } = waiting.get(number);
    waiting.delete(number);
    if (error !== undefined) reject(new Error(error));
    else resolve({ ...said, bytes: buffers.length ? bytesOf(buffers[0]) : undefined });
  }

  return { ask, hear };
}

/** Weights for `modelsHere`: each epoch's are asked for once, when first needed. */
export function weightsFrom(kernel) {
  const kept = new Map(); // by epoch

  async function fetched(epoch) {
    const { description, bytes } = await kernel.ask("model", { epoch });
    return { json: description, buffer: bytes };
  }

  return function weights(epoch) {
    if (!kept.has(epoch)) kept.set(epoch, fetched(epoch));
    return kept.get(epoch);
  };
}
