// The prediction, and a bar a class.

import { make } from "../frame/dom.js";
import { guessOf } from "./decode.js";
import { brief, className, percent, verdict } from "./sentences.js";

const MOST = 12; // of more classes only the most probable and the guess are shown

/** The classes that get a bar, most probable first where there are too many, and the
 *  guess at the end where it is none of these: their indices. Ordered by the whole
 *  image, so that bars stay where they are. */
export function barred(probabilities, guess, most = MOST) {
  const order = [...probabilities.keys()];
  if (order.length <= most) return order;
  order.sort((a, b) => probabilities[b] - probabilities[a]);
  const first = order.slice(0, most);
  return first.includes(guess) ? first : [...first, guess];
}

/** Bars of `data` in parts of the layout; returns draw(state, view, whole): where
 *  patches are dropped, a mark says where a bar was for the whole image. */
export function classBars(find, data) {
  let drawn = {};

  function bar(index, view, before, guess) {
    const share = view.probabilities[index];
    const name = className(data, index);
    const row = make("div", { role: "listitem", title: name });
    row.className = index === guess ? "guess" : "";
    row.ariaLabel = `${name} ${percent(share)}`;
    const level = make("i");
    level.style.setProperty("--share", `${100 * share}%`);
    if (before) {
      level.style.setProperty("--before", `${100 * before[index]}%`);
      row.ariaLabel += `, was ${percent(before[index])}`;
    }
    const number = make("span", { textContent: brief(share) });
    row.append(make("span", { textContent: name }), level, number);
    return row;
  }

  return function draw({ image }, view, whole) {
    if (drawn.view === view && drawn.whole === whole) return;
    drawn = { view, whole };
    const guess = guessOf(view);
    const before = view === whole ? null : whole.probabilities;
    find(".prediction b").textContent = className(data, guess);
    const share = percent(view.probabilities[guess]);
    find(".prediction span").textContent = ` ${share}${verdict(data, image, guess)}`;
    const bars = barred(whole.probabilities, guess).map((index) =>
      bar(index, view, before, guess));
    find(".bars").replaceChildren(...bars);
  };
}
