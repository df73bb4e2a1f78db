// What is computed in the browser, on a page as in a notebook: an image without its
// dropped patches, and a picture of the reader's own.

import { latest, startEngine } from "./engine.js";

/** Models that compute in this browser; `weights(epoch)` promises one, {json, buffer}
 *  as `load` of vit.js takes it, the same object whenever it is asked. Returns
 *  view(picture, epoch, dropped), a promise of a view, and stop(). */
export function modelsHere(data, weights) {
  const { layers, heads, patches, quantizationLevels, classToken } = data;
  const sizes = { layers, heads, patches, quantizationLevels, classToken };
  let engine = null; // not before it is asked for

  async function view(picture, epoch, dropped) {
    const model = await weights(epoch);
    engine ??= startEngine();
    const { mean, std } = model.json;
    const options = dropped.length ? { keep: others(dropped, patches) } : {};
    const pixels = normalised(picture, mean, std);
    return engine.ask(model, "view", { pixels, options, sizes });
  }

  return { view, stop: () => engine?.stop() };
}

/** Keeps `data.masked` what belongs to the state: returns changed(state). `view(state)`
 *  promises a view without the dropped patches. `told` has redraw(), and, for what goes
 *  wrong, problem(line) and restore(), which puts all patches back. */
export function computing(data, view, told) {
  let lacking = ""; // which patches of which image at which epoch are dropped
  const without = latest((state) => (state.dropped.length ? view(state) : null));

  return async function changed(state) {
    const { image, epoch, dropped } = state;
    const asked = dropped.length ? `${image}, ${epoch}: ${dropped}` : "";
    if (asked === lacking) return;
    lacking = asked;
    data.masked = asked ? undefined : null;
    try {
      const found = await without({ image, epoch, dropped });
      if (found === undefined) return;
      data.masked = found;
      told.redraw();
    } catch ({ message }) {
      if (asked !== lacking) return; // of what nobody waits for any more
      told.problem(message);
      changed({ ...state, dropped: [] });
      told.restore();
    }
  };
}

/** The patches (from 0) that are not dropped (from 1). */
export const others = (dropped, patches) =>
  [...Array(patches).keys()].filter((patch) => !dropped.includes(1 + patch));

/** Pixels (n, 4) as the model takes them: (C, n), with a mean and a deviation a
 *  channel. */
export function normalised(pixels, mean, std) {
  const places = pixels.length / 4;
  const values = new Float32Array(mean.length * places);
  for (let channel = 0; channel < mean.length; channel++)
    for (let place = 0; place < places; place++) {
      const value = pixels[4 * place + channel] / 255;
      values[channel * places + place] = (value - mean[channel]) / std[channel];
    }
  return values;
}
