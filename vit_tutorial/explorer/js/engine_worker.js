// What runs in the Web Worker: the engine, asked by messages.
//
// A message is {number, kind, ...} and is answered by {number, result}, or by {number,
// error} of one line. Kinds:
//   load  {json, buffer}: the model for all that follows, as `load` of vit.js takes it
//   view  {pixels, options, sizes}: `forward` of these, as `viewOf` shows it; its arrays
//         are handed over, not copied
//   answer, curve  as workbench/answers.js has them

import { viewOf } from "./explorer/compute.js";
import { forward, load } from "./vit.js";
import { answer as answerOf, curve } from "./workbench/answers.js";

let model = null;

const kinds = {
  load({ json, buffer }) {
    model = load(json, buffer);
    return {};
  },
  view({ pixels, options, sizes }) {
    return viewOf(forward(model, pixels, options), sizes, options.keep);
  },
  answer: (asked) => answerOf(model, asked),
  curve: (asked) => curve(model, asked),
};

/** What a message asks for: what is sent back, and the buffers handed over with it. */
export function answer({ number, kind, ...asked }) {
  try {
    const result = kinds[kind](asked);
    return [{ number, result }, Object.values(result).map(({ buffer }) => buffer)];
  } catch ({ message }) {
    return [{ number, error: message }, []];
  }
}

globalThis.onmessage = ({ data }) => postMessage(...answer(data));
