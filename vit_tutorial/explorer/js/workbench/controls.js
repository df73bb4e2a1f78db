// The controls of the workbench: what is shown, and what is changed.

import { labelled, make } from "../frame/dom.js";

let groups = 0;

/** Choices of which one is on, as radio buttons in `parent`; returns set(value). */
export function radios(parent, choices, chosen) {
  const name = `vit-workbench-${groups++}`;
  const inputs = Object.entries(choices).map(([value, words]) => {
    const input = make("input", { type: "radio", name, value });
    input.addEventListener("input", () => chosen(value));
    const label = make("label");
    label.append(input, words);
    parent.append(label);
    return input;
  });
  return (value) => inputs.forEach((input) => (input.checked = input.value === value));
}

/** A slider with a word on where it stands; returns set({max, value, text, hidden,
 *  disabled}). */
export function slider(parent, name, range, moved) {
  const input = make("input", { type: "range", ...range });
  const word = make("span", { ariaHidden: "true" }); // aria-valuetext says the same
  const row = make("div");
  row.append(labelled(name, input), input, word);
  parent.append(row);
  input.addEventListener("input", () => moved(Number(input.value)));
  return ({ max, value, text, hidden = false, disabled = false }) => {
    Object.assign(input, { max, disabled });
    input.value = value; // after max, which would bound it
    input.setAttribute("aria-valuetext", text);
    word.textContent = text;
    row.hidden = hidden;
  };
}

/** A drop-down list; returns set(value, options), options [value, words] in order. */
export function choice(parent, name, chosen) {
  const input = make("select");
  const row = make("div");
  row.append(labelled(name, input), input);
  parent.append(row);
  input.addEventListener("input", () => chosen(input.value));
  let listed = "";
  return (value, options) => {
    if (listed !== (listed = JSON.stringify(options)))
      input.replaceChildren(...options.map(([each, words]) => new Option(words, each)));
    input.value = value;
  };
}

/** A button; one that can be on has aria-pressed, set by its caller. */
export function button(parent, textContent, pressed) {
  const made = make("button", { type: "button", textContent });
  made.addEventListener("click", pressed);
  parent.append(made);
  return made;
}
