// What the workbench says of a state and its answers.

import { guessOf } from "../explorer/decode.js";
import { className, percent, place } from "../explorer/sentences.js";
import { changes } from "./edits.js";

export const MAPS = {
  raw: "raw attention of one layer",
  rollout: "rollout through the layers",
};

/** A guess and its probability. */
export function guess(subject, answer) {
  const index = guessOf(answer);
  return `${className(subject, index)}, ${percent(answer.probabilities[index])}`;
}

export const queryText = (query, subject) => {
  if (query) return `patch ${place(query, subject)}`;
  return subject.classToken ? "class token" : "mean over queries";
};

/** What the head reads the answer from. */
export const readFrom = ({ classToken }) =>
  classToken ? "the class token" : "the mean of the patches";

/** Before and after, in one line for eyes and screen readers. */
export function sentence(subject, state, { before, after }) {
  const picture = subject.pictures[state.picture].title;
  const start = `${picture}: ${guess(subject, before)}.`;
  const lines = changes(state, subject);
  if (!lines.length) return start;
  const same = guessOf(before) === guessOf(after) ? "still " : "now ";
  return `${start} With ${lines.join(", ")}: ${same}${guess(subject, after)}.`;
}
