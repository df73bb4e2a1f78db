// The models of the workbench: each in a worker of its own, started when it is needed.

import { normalised } from "../explorer/computing.js";
import { latest, startEngine } from "../explorer/engine.js";
import { make } from "../frame/dom.js";
import { inflate } from "../frame/page.js";
import { arrangement, options, rearranged } from "./edits.js";
import { isChanged, UNCHANGED } from "./state.js";

/** What computes for a subject. answer(state): of its picture as it is changed;
 *  undefined where a later call has overtaken it. curve(picture, order, counts, label)
 *  runs beside it, of one of its pictures. Both reject with one line. stop() ends
 *  both. */
export function computer(subject) {
  const loading = loaded(subject); // once for both engines
  const asWhole = new WeakMap(); // by picture: its answer, with nothing changed
  const { layers, heads, patches, quantizationLevels, classToken } = subject;
  const sizes = { layers, heads, patches, quantizationLevels, classToken };
  let engine = null;
  let beside = null;

  async function ask({ pixels }, state) {
    const model = await loading;
    engine ??= startEngine();
    const input = (picture) => normalised(picture, model.json.mean, model.json.std);
    const { copy } = state;
    return engine.ask(model, "answer", {
      pixels: input(rearranged(pixels, arrangement(state, patches), subject)),
      options: options(state, subject),
      copy: copy && { ...copy, pixels: input(subject.pictures[copy.from].pixels) },
      sizes,
    });
  }

  function whole(picture) {
    if (!asWhole.has(picture)) {
      const answer = ask(picture, UNCHANGED);
      answer.catch(() => asWhole.delete(picture)); // it may be asked for again
      asWhole.set(picture, answer);
    }
    return asWhole.get(picture);
  }

  const answer = latest(async (state) => {
    const picture = subject.pictures[state.picture];
    const before = await whole(picture);
    return { before, after: isChanged(state) ? await ask(picture, state) : before };
  });

  async function curve(picture, order, counts, label) {
    const model = await loading;
    beside ??= startEngine();
    const pixels = normalised(picture.pixels, model.json.mean, model.json.std);
    return beside.ask(model, "curve", { pixels, order, counts, label });
  }

  return { answer, curve, stop: () => [engine, beside].forEach((one) => one?.stop()) };
}

/** The model of a subject, {json, buffer}: from the page, or from a script beside it,
 *  which works from the disk, too, where nothing can be fetched. */
async function loaded({ name, model, address }) {
  const { description, weights } = model ?? (await fromScript(name, address));
  const { buffer } = await inflate(weights);
  return { json: description, buffer };
}

function fromScript(name, src) {
  return new Promise((resolve, reject) => {
    const script = make("script", { src });
    script.onload = () => resolve(globalThis.vitModels[name]);
    script.onerror = () => reject(new Error(`${src} could not be loaded`));
    document.head.append(script);
  });
}
