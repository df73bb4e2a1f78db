// The answer as it forms: what the head reads off each layer.

import { bytesOf, pixelGrid, penOf } from "../explorer/canvas.js";
import { brief, className } from "../explorer/sentences.js";
import { make } from "../frame/dom.js";

// ten that differ for colour-blind eyes as far as ten can; more classes begin anew
const HUES = [
  "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
  "#D55E00", "#F0E442", "#8C564B", "#7F7F7F", "#332288",
];

/** Rows in `find(".readings")`, one a layer; returns draw(subject, before, after). */
export function lens(find) {
  return function draw(subject, before, after) {
    const classes = subject.outputs;
    const shares = (answer, layer) =>
      answer.lens.subarray(layer * classes, (layer + 1) * classes);
    const final = winner(shares(after, subject.layers));
    const rows = Array.from({ length: subject.layers + 1 }, (_, layer) => {
      const now = shares(after, layer);
      const mark = before === after ? null : shares(before, layer)[final];
      return reading(subject, layer, now, final, mark, after);
    });
    find(".readings").replaceChildren(...rows);
    find(".legend").replaceChildren(...named(subject, after));
  };
}

const winner = (shares) => shares.indexOf(Math.max(...shares));

function reading(subject, layer, shares, final, mark, answer) {
  const row = make("div", { role: "listitem" });
  const when = layer ? `after layer ${layer}` : "before layer 1";
  const best = winner(shares);
  const said = `${brief(shares[best])} ${className(subject, best)}`;
  const level = make("i");
  level.style.setProperty("--share", `${100 * shares[final]}%`);
  if (mark !== null) level.style.setProperty("--before", `${100 * mark}%`);
  const wide = make("span", { textContent: said });
  if (best === final) wide.className = "final";
  row.append(make("span", { textContent: when }), patches(subject, layer, answer),
    wide, level);
  row.ariaLabel = `${when}: ${said}; ${className(subject, final)} ${brief(shares[final])}`;
  return row;
}

/** A square a patch: the hue of its class, the stronger the surer. */
function patches({ grid: [rows, columns], patches: count }, layer, { named, sure }) {
  const ink = pixelGrid(columns, rows);
  for (let patch = 0; patch < count; patch++) {
    const at = layer * count + patch;
    const [red, green, blue] = bytesOf(HUES[named[at] % HUES.length]);
    const alpha = Math.round(255 * sure[at]);
    ink.ink[patch] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  const canvas = make("canvas", { ariaHidden: "true" });
  const zoom = Math.ceil(72 / columns);
  penOf(canvas, columns * zoom, rows * zoom).drawImage(ink.put(), 0, 0,
    columns * zoom, rows * zoom);
  return canvas;
}

/** The classes that patches name after the last layer, each with its hue. */
function named(subject, { named: indices, sure }) {
  const counts = new Map();
  const start = subject.layers * subject.patches;
  for (let at = start; at < start + subject.patches; at++)
    if (sure[at]) counts.set(indices[at], 1 + (counts.get(indices[at]) ?? 0));
  const listed = [...counts].sort(([, one], [, other]) => other - one);
  return ["Patches after the last layer: ", ...listed.map(([index, count]) => {
    const word = make("span", { textContent: `${className(subject, index)} ${count}` });
    word.style.setProperty("--hue", HUES[index % HUES.length]);
    return word;
  })];
}
