// The sliders, the choice of a mode, and the buttons.

import { labelled, make } from "../frame/dom.js";
import { first, isOwn, last, positionOf, SLIDERS } from "./state.js";

/** Put the controls into the layout. `hear` has a function for each: slid(name,
 *  position), mode(value), token(), play(name), drop(), restore(), file(chosen).
 *  Returns place(state), which moves them, and say(...), which words them. */
export function controls(find, data, hear) {
  const inputs = {};
  const values = {};
  const buttons = {};
  for (const name of SLIDERS) addSlider(name);
  addMode();
  addTools();
  const beside = (name) => inputs[name].parentElement;
  const none = data.classToken ? "class token" : "mean over queries";
  addButton("token", data.classToken ? none : "mean", beside("query"), hear.token);
  buttons.token.ariaLabel = `query: ${none}`;
  for (const name of ["layer", "epoch"])
    addButton(name, "play", beside(name), () => hear.play(name));

  function addSlider(name) {
    const min = first(name);
    const step = name === "opacity" ? 0.05 : 1;
    const input = make("input", { type: "range", min, max: last(name, data), step });
    values[name] = make("span", { ariaHidden: "true" }); // aria-valuetext says the same
    addControl(name, input, values[name]);
    input.addEventListener("input", () => hear.slid(name, Number(input.value)));
  }

  function addMode() {
    const input = make("select");
    input.append(new Option("raw attention of one layer", "raw"));
    input.append(new Option("rollout through the layers", "rollout"));
    input.addEventListener("input", () => hear.mode(input.value));
    addControl("mode", input);
  }

  function addTools() {
    addButton("drop", "drop patches", find(".tools"), hear.drop);
    addButton("back", "put all back", find(".tools"), () => {
      hear.restore();
      buttons.drop.focus(); // of the keys: a disabled button has none
    });
    const file = find("input[type=file]");
    file.addEventListener("change", async () => {
      if (file.files.length) await hear.file(file.files[0]);
      file.value = ""; // the same file may come again
    });
  }

  function addControl(name, input, ...more) {
    inputs[name] = input;
    const control = make("div");
    control.append(labelled(name, input), input, ...more);
    find(".controls").append(control);
  }

  function addButton(name, textContent, parent, pressed) {
    buttons[name] = make("button", { type: "button", textContent });
    buttons[name].addEventListener("click", pressed);
    parent.append(buttons[name]);
  }

  function place(state) {
    for (const name of SLIDERS) {
      const max = last(name, data);
      inputs[name].max = max;
      inputs[name].parentElement.hidden = max === 0; // nothing to choose
      inputs[name].value = positionOf(name, state[name], data);
    }
    inputs.mode.value = state.mode;
    inputs.head.disabled = state.mode === "rollout"; // made from the mean over heads
    inputs.epoch.disabled = isOwn(state, data);
    buttons.epoch.disabled = inputs.epoch.disabled;
    buttons.token.ariaPressed = state.query === 0;
    buttons.back.disabled = state.dropped.length === 0;
  }

  /** `texts` by slider; whether the query shown is the class token; the word on a
   *  button that plays, by name; whether clicks drop patches. */
  function say(texts, isToken, words, dropping) {
    for (const name in texts) {
      const saidByLabel = /^(image|layer|patch|epoch) /;
      values[name].textContent = texts[name].replace(saidByLabel, "");
      inputs[name].setAttribute("aria-valuetext", texts[name]);
    }
    values.query.dataset.colour = isToken ? "token" : "query";
    for (const name in words) {
      buttons[name].textContent = words[name];
      buttons[name].ariaLabel = `${words[name]} ${name}s`;
    }
    buttons.drop.ariaPressed = dropping;
  }

  return { place, say };
}
