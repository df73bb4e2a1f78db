// What a reader has chosen, and how a choice becomes another.

import { clamp } from "../frame/dom.js";

/** image, layer and head (-1: their mean) count from 0; query 0 is the class token or
 *  the mean over queries, the patches count from 1; epoch is one of data.epochs; mode
 *  "raw" or "rollout"; opacity that of the weights on the image; dropped a list of
 *  patches. */
export const STATE = [
  "image", "layer", "head", "query", "epoch", "mode", "opacity", "dropped",
];
export const SLIDERS = ["image", "layer", "head", "query", "epoch", "opacity"];

export const first = (name) => (name === "head" ? -1 : 0);

/** Where the slider of this name ends. */
export function last(name, { images, layers, heads, patches, epochs }) {
  return {
    image: images - 1, // pictures can be added
    layer: layers - 1,
    head: heads - 1,
    query: patches,
    epoch: epochs.length - 1,
    opacity: 1,
  }[name];
}

/** Where a slider stands for a choice, and the choice of where it stands. */
export const positionOf = (name, choice, { epochs }) =>
  name === "epoch" ? epochs.indexOf(choice) : choice;
export const choiceAt = (name, position, { epochs }) =>
  name === "epoch" ? epochs[position] : position;

/** `state`, each choice brought to where its slider can stand. */
export function within(state, data) {
  const bounded = { ...state };
  for (const name of SLIDERS) {
    const position = positionOf(name, state[name], data);
    const there = clamp(position, first(name), last(name, data));
    bounded[name] = choiceAt(name, there, data);
  }
  return bounded;
}

/** What changes in `state` by a move of the reader: another image is whole again. What
 *  a page computes by itself is of one epoch: there it goes for that. */
export function consequences(state, part, data) {
  const same = (part.image ?? state.image) === state.image;
  const whole = same ? part : { ...part, dropped: [] };
  if (!data.computed) return whole;
  const { epoch } = data.computed;
  if (isOwn({ ...state, ...part }, data) || part.dropped?.length)
    return { ...whole, epoch };
  return (part.epoch ?? epoch) === epoch ? whole : { ...whole, dropped: [] };
}

/** Whether a picture was added on a page, where it has the view of one epoch only. */
export const isOwn = ({ image }, { computed }) => image >= computed?.from;

/** `dropped` with a patch more or less; as it was where none would be left. */
export function toggled(dropped, patch, patches) {
  const others = dropped.filter((other) => other !== patch);
  if (others.length < dropped.length) return others;
  const more = [...dropped, patch].sort((a, b) => a - b);
  return more.length < patches ? more : dropped;
}

/** One step of play: the part of the state that moves, and whether it is the last one.
 *  From the end it goes on at the start. */
export function step(name, state, data) {
  const end = last(name, data);
  const position = (positionOf(name, state[name], data) + 1) % (1 + end);
  return { part: { [name]: choiceAt(name, position, data) }, ends: position === end };
}

/** The patch so many rows down and columns across from another, within the grid; from
 *  the first one where there is none (0 or null). */
export function neighbour(patch, down, across, [rows, columns]) {
  const from = (patch || 1) - 1;
  const row = clamp(Math.floor(from / columns) + down, 0, rows - 1);
  return 1 + row * columns + clamp((from % columns) + across, 0, columns - 1);
}
