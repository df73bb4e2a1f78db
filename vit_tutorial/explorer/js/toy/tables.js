// The numbers of the three tokens, as tables.

import { make } from "../frame/dom.js";
import { short } from "./sentences.js";

const THREE = [0, 1, 2];
const COLUMNS = { scores: THREE, weights: THREE, mixed: ["x", "y"] };

/** Tables of scores, weights and mixed values in `parent`; `colours` (256) run from
 *  weight 0 to 1. Returns fill(numbers, asks), where `asks` is the token whose row is
 *  marked. */
export function tables(parent, colours) {
  const all = [];
  for (const name in COLUMNS) {
    const made = table(name, COLUMNS[name]);
    all.push([name, made]);
    parent.append(made);
  }

  return function fill(numbers, asks) {
    for (const [name, made] of all)
      numbers[name].forEach((values, token) => {
        const row = made.rows[token + 1];
        row.setAttribute("aria-current", token === asks);
        values.forEach((value, column) => {
          const cell = row.cells[column + 1];
          cell.textContent = short(value);
          cell.dataset.value = value;
          if (name === "weights") colour(cell, value, colours);
        });
      });
  };
}

function table(name, columns) {
  const made = make("table", { className: name });
  made.createCaption().textContent = name;
  const body = made.createTBody();
  const head = body.insertRow();
  head.insertCell().textContent = columns === THREE ? "q\\k" : "";
  for (const column of columns)
    head.append(make("th", { scope: "col", textContent: column }));
  for (const token of THREE) {
    const row = body.insertRow();
    row.append(make("th", { scope: "row", textContent: token }));
    for (const _ of columns) row.insertCell();
  }
  return made;
}

function colour(cell, weight, colours) {
  cell.style.setProperty("--fill", colours[Math.round(255 * weight)]);
  const ink = weight > 0.435 ? "black" : "white"; // contrast over 4.5
  cell.style.setProperty("--ink", ink);
}
