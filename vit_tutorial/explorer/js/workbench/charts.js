// Deletion and insertion, drawn.

import { make } from "../frame/dom.js";

const [WIDTH, HEIGHT] = [220, 130];
const SPACE = { left: 30, right: 6, top: 6, bottom: 30 };
const AXES = {
  deletion: "patches that have left",
  insertion: "patches that have come",
};

/** One chart: the curves of a map and of a random order over `counts` of
 *  patches. */
export function chart(name, counts, map, random) {
  const most = counts.at(-1);
  const gone = name === "deletion"; // read from all patches to none
  const x = (count) => SPACE.left +
    ((gone ? most - count : count) / most) * (WIDTH - SPACE.left - SPACE.right);
  const y = (share) =>
    SPACE.top + (1 - share) * (HEIGHT - SPACE.top - SPACE.bottom);
  const path = (curve) =>
    counts.map((count, at) => `${x(count).toFixed(1)},${y(curve[at]).toFixed(1)}`).join(" ");
  const lines = [0, 0.5, 1].map((share) =>
    `<line x1="${SPACE.left}" x2="${WIDTH - SPACE.right}" y1="${y(share)}" y2="${y(share)}"/>
     <text x="${SPACE.left - 4}" y="${y(share) + 3}" text-anchor="end">${100 * share} %</text>`);
  const ends = [["0", SPACE.left], [most, WIDTH - SPACE.right]].map(([word, at]) =>
    `<text x="${at}" y="${HEIGHT - SPACE.bottom + 11}" text-anchor="middle">${word}</text>`);
  const drawn = make("div");
  drawn.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">${lines.join("")}
    ${ends.join("")}<text x="${(SPACE.left + WIDTH) / 2}" y="${HEIGHT - 5}"
    text-anchor="middle">${AXES[name]}</text>
    ${random ? `<polyline class="random" points="${path(random[name])}"/>` : ""}
    ${map ? `<polyline class="map" points="${path(map[name])}"/>` : ""}</svg>`;
  drawn.prepend(make("b", { textContent: name }));
  return drawn;
}
