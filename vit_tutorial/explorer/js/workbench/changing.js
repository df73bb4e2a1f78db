// What can be changed: patches and their places, heads and branches, states of tokens.

import { button, choice, radios, slider } from "./controls.js";
import { changes } from "./edits.js";
import { silences } from "./silences.js";
import { isChanged, toggled, UNCHANGED } from "./state.js";

const TOOLS = {
  look: "asks it (the query)",
  hide: "hides it",
  swap: "swaps it with the next one",
  copy: "copies its state",
};
const SEEDS = 9999; // of orders: short in an address

/** Controls in the layout; `hear` has move(part of a state) and tool(name). Returns
 *  draw({subject, state, tool}), touched(patch, starts): what the chosen tool does with
 *  a patch, where a stroke of the pointer starts or goes on, and forget(): no patch
 *  waits for another any more. */
export function changing(find, hear) {
  let now = null; // what was drawn
  let first = null; // the patch that waits for the one it is swapped with
  let hiding = true; // whether the stroke hides, or puts back
  const forget = () => (first = null);
  const setTool = radios(find(".tools"), TOOLS, hear.tool);
  const switches = find(".switches");
  button(switches, "shuffle the patches", () =>
    hear.move({ shuffle: 1 + Math.floor(Math.random() * SEEDS) }));
  const places = button(switches, "no positions", () =>
    hear.move({ positions: !now.state.positions }));
  const back = button(switches, "put everything back", () => {
    forget();
    hear.move(UNCHANGED);
    places.focus(); // of the keys: a disabled button has none
  });
  const drawSilences = silences(find(".heads"), (silent) => hear.move({ silent }));
  const copying = find(".copying");
  const setDonor = choice(copying, "copy states from", (value) => {
    const from = Number(value);
    hear.move({ copy: from < 0 ? null : { ...copyNow(), from } });
  });
  const setLayer = slider(copying, "taken", { min: 0, step: 1 }, (layer) =>
    hear.move({ copy: { ...copyNow(), layer } }));
  const classToken = button(copying, "of the class token", () => copy(0));

  /** What is copied, or would be first: from another picture, in the middle. */
  function copyNow() {
    const { subject, state } = now;
    const from = (state.picture + 1) % subject.pictures.length;
    const tokens = subject.classToken ? [0] : [];
    return state.copy ?? { from, layer: Math.ceil(subject.layers / 2), tokens };
  }

  function copy(token) {
    const all = now.state.copy ? copyNow() : { ...copyNow(), tokens: [] };
    hear.move({ copy: { ...all, tokens: toggled(all.tokens, token) } });
  }

  const tools = {
    look: (patch, starts) => starts && hear.move({ query: patch }),
    hide(patch, starts) {
      const { hidden } = now.state;
      if (starts) hiding = !hidden.includes(patch);
      if (hiding === hidden.includes(patch)) return; // as the stroke wants it already
      const list = toggled(hidden, patch);
      if (list.length < now.subject.patches) hear.move({ hidden: list });
    },
    swap(patch, starts) {
      if (!starts) return;
      const other = first;
      first = other === null ? patch : null;
      const { swaps } = now.state;
      hear.move(other === null || other === patch
        ? {} : { swaps: [...swaps, [other, patch]] });
    },
    copy: (patch, starts) => starts && copy(patch - Number(!now.subject.classToken)),
  };

  function draw(context) {
    if (now?.subject !== context.subject || now.tool !== context.tool) forget();
    now = context;
    const { subject, state, tool } = context;
    setTool(tool);
    places.ariaPressed = !state.positions;
    back.disabled = !isChanged(state);
    drawSilences(subject, state.silent);
    const { from, layer, tokens } = state.copy ?? { from: -1, ...copyNow() };
    const donors = subject.pictures.map(({ title }, at) => [at, title]);
    setDonor(state.copy ? from : -1, [[-1, "nowhere"], ...donors]);
    setLayer({
      max: subject.layers, value: layer, hidden: !state.copy,
      text: layer ? `after layer ${layer}` : "before layer 1",
    });
    classToken.hidden = !(subject.classToken && state.copy);
    classToken.ariaPressed = state.copy !== null && tokens.includes(0);
    find(".changes").textContent = changes(state, subject).join("; ");
  }

  return {
    draw,
    forget,
    touched: (patch, starts) => tools[now.tool](patch, starts),
    /** The patches that have a frame besides the query: chosen for a tool. */
    framed({ subject, state, tool }) {
      if (tool === "swap") return first === null ? [] : [first];
      if (tool !== "copy" || !state.copy) return [];
      const shift = Number(!subject.classToken);
      return state.copy.tokens.map((token) => token + shift).filter(Boolean);
    },
  };
}
