// Three tokens in the plane, to be dragged, put together. No library, no request.
//
// data: tokens [[x, y] three times], scale (what the dot products are multiplied by),
//   softmax_dim ("keys" or "queries": what softmax sums to 1), query_index (the token
//   whose query is followed), limit (how far the plane reaches), colours (256 of
//   viridis).

import { frame, labelled, make } from "../frame/dom.js";
import { attend } from "./attend.js";
import { PANEL, plane } from "./plane.js";
import { expression, scaleText, sentence } from "./sentences.js";
import { tables } from "./tables.js";

export const NAMES = ["tokens", "scale", "softmax_dim", "query_index"];

const LAYOUT = `
<div class="parts">
  <div><svg class="plane" viewBox="0 0 ${PANEL} ${PANEL}" role="group"
      aria-label="three tokens in the plane"></svg>
    <p class="legend"><span data-colour="query">the token that asks</span>
      <span data-colour="value">its mix</span>
      <span>drag a tip, or use the arrow keys</span></p></div>
  <div class="tables"></div>
</div>
<div class="controls"></div>
<p class="sentence" role="status" aria-live="polite"></p>
<p class="tensor">as tensors: <code></code></p>`;

/** Draw into `element`; `changed(state)` hears of the reader's moves. Returns show(part
 *  of a state). */
export function mount(element, data, changed = () => {}) {
  const state = Object.fromEntries(NAMES.map((name) => [name, data[name]]));
  const find = frame(element, "vit-tokens", LAYOUT);
  const draw = plane(find(".plane"), data.limit, state.tokens.length, {
    where: (token) => state.tokens[token],
    focused(token) {
      if (state.query_index !== token) move({ query_index: token });
    },
    put(token, place) {
      const tokens = [...state.tokens];
      tokens[token] = place;
      move({ tokens });
    },
  });
  const fill = tables(find(".tables"), data.colours);
  const place = controls(find(".controls"), move);

  function move(part) {
    show(part);
    changed({ ...state });
  }

  function show(part) {
    Object.assign(state, part);
    const { tokens, scale, softmax_dim, query_index } = state;
    const numbers = attend(tokens, scale, softmax_dim);
    place(state);
    draw(state, numbers);
    fill(numbers, query_index);
    find(".sentence").textContent = sentence(state, numbers);
    find("code").textContent = expression(state);
    Object.assign(element.dataset, { ...state, tokens: JSON.stringify(tokens) });
  }

  show({});
  return show;
}

/** The scale and what softmax runs over, in `parent`; move(part) hears of them. Returns
 *  place(state). */
function controls(parent, move) {
  const scale = make("input", { type: "range", min: -3, max: 5, step: 0.5 });
  const said = make("span", { ariaHidden: "true" }); // aria-valuetext says the same
  const over = make("select");
  over.append(new Option("keys: each row sums to 1", "keys"));
  over.append(new Option("queries: each column does (wrong)", "queries"));
  parent.append(labelled("scale", scale), scale, said);
  parent.append(labelled("softmax over", over), over);
  scale.addEventListener("input", () => move({ scale: 2 ** Number(scale.value) }));
  over.addEventListener("input", () => move({ softmax_dim: over.value }));

  return function place(state) {
    scale.value = Math.log2(state.scale);
    over.value = state.softmax_dim;
    said.textContent = scaleText(state.scale);
    scale.setAttribute("aria-valuetext", scaleText(state.scale));
  };
}
