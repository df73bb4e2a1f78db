// Which heads and branches are silent: a button for each, layers down.

import { make } from "../frame/dom.js";
import { button } from "./controls.js";
import { toggled } from "./state.js";

/** Buttons in `parent`; returns draw(subject, silent), and tells changed(silent). */
export function silences(parent, changed) {
  let shown = null; // the subject whose buttons stand there
  let buttons = [];
  let present = [];

  function build({ layers, heads }) {
    buttons = [];
    const table = make("table");
    table.append(make("caption", { textContent: "press to silence" }));
    for (let layer = 0; layer < layers; layer++) {
      const row = table.insertRow();
      row.append(make("th", { scope: "row", textContent: `layer ${layer + 1}` }));
      const parts = [
        ...Array.from({ length: heads }, (_, head) => [{ layer, head }, `head ${head}`]),
        [{ layer, part: "attention" }, "all attention"],
        [{ layer, part: "mlp" }, "MLP"],
      ];
      for (const [one, words] of parts) {
        const press = () => changed(toggled(present, one));
        const made = button(row.insertCell(), words, press);
        made.ariaLabel = `silence ${words} of layer ${layer + 1}`;
        buttons.push([made, JSON.stringify(one)]);
      }
    }
    parent.replaceChildren(table);
  }

  return function draw(subject, silent) {
    if (shown !== subject) build(subject);
    shown = subject;
    present = silent;
    const texts = silent.map((one) => JSON.stringify(one));
    for (const [made, text] of buttons) made.ariaPressed = texts.includes(text);
  };
}
