// What a page computes by itself, with the model that it carries: the part of a kernel.

import { inflate } from "../frame/page.js";
import { computing, modelsHere } from "./computing.js";

/** Computing for `data` with `model`: {epoch, description (model.json), weights
 *  (model.bin, packed)}. `mounted` has show(part of a state) and problem(line).
 *  Returns changed(state) and upload(bytes), as `mount` calls them. */
export function carried(data, model, mounted) {
  let unpacked = null;

  async function unpack() {
    const { buffer } = await inflate(model.weights);
    return { json: model.description, buffer };
  }

  const here = modelsHere(data, () => (unpacked ??= unpack()));
  const view = ({ image, epoch, dropped }) =>
    here.view(data.pictures[image], epoch, dropped);
  const changed = computing(data, view, {
    redraw: () => mounted.show({}),
    problem: mounted.problem,
    restore: () => mounted.show({ dropped: [] }),
  });

  async function upload(bytes) {
    try {
      const picture = opaque(bytes);
      const { epoch } = model;
      const found = await here.view(picture, epoch, []);
      const image = data.images++;
      data.pictures[image] = picture;
      data.views[image * data.epochs.length + data.epochs.indexOf(epoch)] = found;
      data.labels?.push(null);
      const part = { image, epoch, dropped: [] };
      changed(part);
      mounted.show(part);
    } catch ({ message }) {
      mounted.problem(message);
    }
  }

  return { changed, upload };
}

/** Pixels (n, 3) as they are drawn: (n, 4). */
export function opaque(bytes) {
  const pixels = new Uint8Array((bytes.length / 3) * 4).fill(255);
  bytes.forEach((value, at) => (pixels[4 * Math.floor(at / 3) + (at % 3)] = value));
  return pixels;
}
