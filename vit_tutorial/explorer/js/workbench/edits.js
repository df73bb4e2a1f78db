// What is changed on the workbench, as the engine takes it.

import { others } from "../explorer/computing.js";

/** Which patch (from 0) lies at each place: all in their order, then shuffled, then
 *  swapped pair by pair. */
export function arrangement({ shuffle, swaps }, patches) {
  const order = shuffle ? shuffled(patches, shuffle) : [...Array(patches).keys()];
  for (const [one, other] of swaps) exchange(order, one - 1, other - 1);
  return order;
}

/** The patches in an order that a seed decides (Fisher and Yates). */
export function shuffled(patches, seed) {
  const order = [...Array(patches).keys()];
  const random = randomFrom(seed);
  for (let last = patches - 1; last > 0; last--)
    exchange(order, last, Math.floor(random() * (last + 1)));
  return order;
}

/** The picture (Y, X, 4) whose patches lie in this order. */
export function rearranged(picture, order, { size: [height, width], grid }) {
  const [rows, columns] = grid;
  const [tall, wide] = [height / rows, width / columns];
  const result = new Uint8Array(picture.length);
  const corner = (patch) =>
    Math.floor(patch / columns) * tall * width + (patch % columns) * wide;
  order.forEach((patch, place) => {
    for (let y = 0; y < tall; y++) {
      const from = 4 * (corner(patch) + y * width);
      result.set(picture.subarray(from, from + 4 * wide), 4 * (corner(place) + y * width));
    }
  });
  return result;
}

/** The options of the engine's `forward`. */
export function options({ hidden, positions, silent }, { patches }) {
  const keep = hidden.length ? others(hidden, patches) : undefined;
  return { positions, silence: silent, ...(keep && { keep }) };
}

const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** What is changed, in words: one line each. */
export function changes({ hidden, shuffle, swaps, positions, silent, copy }, subject) {
  const lines = [];
  if (shuffle) lines.push("all patches shuffled");
  if (swaps.length) lines.push(`${counted(swaps.length, "pair")} of patches swapped`);
  if (hidden.length)
    lines.push(`${hidden.length} of ${counted(subject.patches, "patch", "patches")} hidden`);
  if (!positions) lines.push("no positions");
  for (const { layer, head, part } of silent) {
    const what = part === undefined ? `head ${head}` : { attention: "attention", mlp: "MLP" }[part];
    lines.push(`${what} of layer ${layer + 1} silent`);
  }
  if (copy?.tokens.length) {
    const from = subject.pictures[copy.from].title;
    const when = copy.layer ? `after layer ${copy.layer}` : "before the first layer";
    lines.push(`${counted(copy.tokens.length, "state")} copied from ${from} ${when}`);
  }
  return lines;
}

function exchange(all, one, other) {
  [all[one], all[other]] = [all[other], all[one]];
}

/** Numbers from 0 to 1 that a seed decides (mulberry32), so that a link shows everybody
 *  the same order. */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
