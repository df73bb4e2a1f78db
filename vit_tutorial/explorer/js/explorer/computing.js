// What a page computes by itself, with the model that it carries: the part of a kernel.

import { inflate } from "../frame/page.js";
import { latest, startEngine } from "./engine.js";

/** Computing for `data` with `model`: {epoch, description (model.json), weights
 *  (model.bin, packed)}. `mounted` has show(part of a state) and problem(line).
 *  Returns changed(state) and upload(bytes), as `mount` calls them. */
export function computing(data, model, mounted) {
  const { layers, heads, patches, quantizationLevels, classToken } = data;
  const sizes = { layers, heads, patches, quantizationLevels, classToken };
  const { mean, std } = model.description;
  let engine = null; // not before it is asked for
  let lacking = ""; // which patches of which image are dropped

  async function unpacked() {
    const { buffer } = await inflate(model.weights);
    return { json: model.description, buffer };
  }

  function view(picture, options) {
    engine ??= startEngine(unpacked());
    return engine(normalised(picture, mean, std), options, sizes);
  }

  const without = latest((image, dropped) =>
    dropped.length
      ? view(data.pictures[image], { keep: others(dropped, patches) })
      : null);

  async function changed({ image, dropped }) {
    const asked = dropped.length ? `${image}: ${dropped}` : "";
    if (asked === lacking) return;
    lacking = asked;
    data.masked = asked ? undefined : null;
    try {
      const found = await without(image, dropped);
      if (found === undefined) return;
      data.masked = found;
      mounted.show({});
    } catch ({ message }) {
      mounted.problem(message);
      move({ dropped: [] });
    }
  }

  async function upload(bytes) {
    try {
      const picture = opaque(bytes);
      const found = await view(picture, {});
      const image = data.images++;
      data.pictures[image] = picture;
      const { epochs } = data;
      data.views[image * epochs.length + epochs.indexOf(model.epoch)] = found;
      data.labels?.push(null);
      move({ image, epoch: model.epoch, dropped: [] });
    } catch ({ message }) {
      mounted.problem(message);
    }
  }

  /** A move of ours; no patch is dropped any more. */
  function move(part) {
    changed(part);
    mounted.show(part);
  }

  return { changed, upload };
}

/** The patches (from 0) that are not dropped (from 1). */
export const others = (dropped, patches) =>
  [...Array(patches).keys()].filter((patch) => !dropped.includes(1 + patch));

/** Pixels (n, 3) as they are drawn: (n, 4). */
export function opaque(bytes) {
  const pixels = new Uint8Array((bytes.length / 3) * 4).fill(255);
  bytes.forEach((value, at) => (pixels[4 * Math.floor(at / 3) + (at % 3)] = value));
  return pixels;
}

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
