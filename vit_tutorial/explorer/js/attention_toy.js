// Three tokens in the plane, to be dragged. `mount(element, data)` draws them; the two wrappers at the end feed it, one
// on a page without kernel or server, one in a live notebook (anywidget). No library, no request.
//
// data: tokens [[x, y] three times], scale (what the dot products are multiplied by), softmax_dim ("keys" or "queries": what
//   softmax sums to 1), query_index (the token whose query is followed), limit (how far the plane reaches), colours (256 of
//   viridis). Each token is query, key and value at once.

const NAMES = ["tokens", "scale", "softmax_dim", "query_index"];
const THREE = [0, 1, 2];
const UNIT = 60, PANEL = 400; // of the drawing; the page shrinks it to its own width
const QUERY = "#0072B2", VALUE = "#CC79A7", OTHER = "#57606A"; // one colour, one meaning, as in the book's figures

const LAYOUT = `
<div class="parts">
  <div><svg class="plane" viewBox="0 0 ${PANEL} ${PANEL}" role="group" aria-label="three tokens in the plane"></svg>
    <p class="legend"><span data-colour="query">the token that asks</span><span data-colour="value">its mix</span>
      <span>drag a tip, or use the arrow keys</span></p></div>
  <div class="tables"></div>
</div>
<div class="controls"></div>
<p class="sentence" role="status" aria-live="polite"></p>
<p class="tensor">as tensors: <code></code></p>`;

// Colours are inherited or mixed from the text's own; the plane is a light panel, as the book's diagrams are.
const STYLE = `
.vit-tokens { max-width: 44rem; margin: 0.5rem 0; font-size: 0.95em; line-height: 1.4; }
.vit-tokens * { box-sizing: border-box; }
.vit-tokens p { margin: 0 0 0.6rem; }
.vit-tokens .parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(16.5rem, 100%), 1fr));
  gap: 0.6rem 1.4rem; align-items: center; margin-bottom: 0.7rem; }
.vit-tokens .plane { display: block; width: 100%; background: white; border: 1px solid #D0D7DE; border-radius: 10px;
  font: 12px sans-serif; user-select: none; }
.vit-tokens .number { font: bold 17px sans-serif; }
.vit-tokens .handle { cursor: grab; touch-action: none; outline: none; fill: transparent; }
.vit-tokens .handle:active { cursor: grabbing; }
.vit-tokens .handle:focus-visible { stroke: ${QUERY}; stroke-width: 2; }
.vit-tokens .legend { display: flex; flex-wrap: wrap; gap: 0 1.2rem; margin: 0.3rem 0 0; font-size: 0.9em; }
.vit-tokens [data-colour]::before { content: ""; display: inline-block; width: 0.7em; height: 0.7em;
  margin-right: 0.4em; border-radius: 2px; background: ${QUERY}; }
.vit-tokens [data-colour=value]::before { background: none; border: 2px solid ${VALUE}; }
.vit-tokens .tables { display: flex; flex-wrap: wrap; gap: 0.6rem 0.7rem; }
.vit-tokens table { width: auto; margin: 0; border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: 0.9em; line-height: 1.35; color: inherit; }
.vit-tokens caption { caption-side: top; padding: 0; text-align: left; font-weight: bold; color: inherit; }
.vit-tokens :is(tr, th, td) { border: none; background: none; color: inherit; }
.vit-tokens :is(th, td) { padding: 0.15rem 0.25rem; text-align: right; min-width: 2.6em; font-weight: normal; }
.vit-tokens :is(th, td):first-child { min-width: 1.4rem; }
.vit-tokens th { opacity: 0.8; }
.vit-tokens td { background: var(--fill, none); color: var(--ink, inherit); }
.vit-tokens tr[aria-current=true] th { font-weight: bold; opacity: 1; }
.vit-tokens tr[aria-current=true] { outline: 2px solid ${QUERY}; outline-offset: -1px; }
.vit-tokens .controls { display: grid; grid-template-columns: max-content minmax(5rem, 1fr) 7rem;
  gap: 0.15rem 0.8rem; align-items: center; margin-bottom: 0.7rem; }
.vit-tokens .controls > * { margin: 0; padding: 0; min-height: 1.7rem; font: inherit; color: inherit; }
.vit-tokens .controls input { width: 100%; accent-color: ${QUERY}; cursor: pointer; }
.vit-tokens .controls select { grid-column: 2 / 4; width: 100%; padding: 0.15rem 0.4rem; border-radius: 4px;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent); background: transparent; }
.vit-tokens .controls option { color: black; background: white; }
.vit-tokens :is(input, select):focus-visible { outline: 2px solid ${QUERY}; outline-offset: 2px; border-radius: 4px; }
.vit-tokens .tensor { font-size: 0.85em; }
.vit-tokens .tensor code { padding: 0.1rem 0.4rem; border: none; border-radius: 4px; font-size: 1em; color: inherit;
  overflow-wrap: anywhere; background: color-mix(in srgb, currentColor 8%, transparent); }
:is([data-theme=dark], [data-jp-theme-light=false]) .vit-tokens { color-scheme: dark; }
:is([data-theme=dark], [data-jp-theme-light=false]) .vit-tokens .controls input { accent-color: #56B4E9; }
:is([data-theme=dark], [data-jp-theme-light=false]) .vit-tokens tr[aria-current=true] { outline-color: #56B4E9; }
html[data-theme=dark] .text_html:has(.vit-tokens) { /* the theme's light box is made for pictures */
  background: none !important; color: inherit !important; padding: 0 !important; }`;

const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
const transpose = (matrix) => matrix[0].map((_, column) => matrix.map((row) => row[column]));

function softmax(row) {
  const largest = Math.max(...row); // exp of large scores would overflow
  const powers = row.map((score) => Math.exp(score - largest));
  return powers.map((power) => power / powers.reduce((sum, one) => sum + one, 0));
}

/** Attention without weights: `softmaxDim` "keys" makes the rows sum to 1, "queries" the columns. */
export function attend(tokens, scale, softmaxDim) {
  const scores = tokens.map((q) => tokens.map((k) => dot(q, k) * scale));
  const weights = softmaxDim === "keys" ? scores.map(softmax) : transpose(transpose(scores).map(softmax));
  return { scores, weights, mixed: weights.map((row) => transpose(tokens).map((values) => dot(row, values))) };
}

const near = (value) => Math.round(100 * value) / 100 || 0; // never -0
const short = (value) => (Math.abs(value) < 99.95 ? near(value).toFixed(2) : value.toFixed(1));

function node(parent, tag, attributes, text = "") {
  const made = document.createElementNS(parent.namespaceURI, tag);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  made.textContent = text;
  parent.append(made);
  return made;
}

/** Draw into `element`; `changed(state)` hears of the reader's moves. Returns `show(part of a state)`. */
export function mount(element, data, changed = () => {}) {
  const { limit, colours } = data;
  const state = Object.fromEntries(NAMES.map((name) => [name, data[name]]));
  const move = (part) => (show(part), changed({ ...state }));
  const at = ([x, y]) => [PANEL / 2 + UNIT * x, PANEL / 2 - UNIT * y];

  element.classList.add("vit-tokens");
  element.innerHTML = `<style>${STYLE}</style>${LAYOUT}`;
  // JupyterLab takes arrow keys for its own commands unless they end here
  element.addEventListener("keydown", (event) => event.stopPropagation());
  const find = (selector) => element.querySelector(selector);
  const plane = find(".plane");
  for (let line = -limit; line <= limit; line++) {
    const [from, to, colour] = [PANEL / 2 - UNIT * limit, PANEL / 2 + UNIT * limit, line ? "#E6E9ED" : "#AFB8C1"];
    const place = PANEL / 2 + UNIT * line;
    node(plane, "path", { d: `M${place} ${from}V${to}M${from} ${place}H${to}`, stroke: colour });
    if (line) node(plane, "text", { x: place, y: PANEL / 2 + 15, fill: OTHER, "text-anchor": "middle" }, `${line}`);
    if (line) node(plane, "text", { x: PANEL / 2 - 6, y: place + 4, fill: OTHER, "text-anchor": "end" }, `${-line}`);
  }
  const arrows = node(plane, "g", {});
  const handles = THREE.map(addHandle);
  const tables = Object.fromEntries([["scores", 3], ["weights", 3], ["mixed", 2]].map(addTable));
  const scale = addControl("scale", "input"), over = addControl("softmax over", "select");
  const said = Object.assign(document.createElement("span"), { ariaHidden: "true" }); // aria-valuetext says the same
  scale.after(said);
  Object.assign(scale, { type: "range", min: -3, max: 5, step: 0.5 });
  scale.addEventListener("input", () => move({ scale: 2 ** Number(scale.value) }));
  over.append(new Option("keys: each row sums to 1", "keys"));
  over.append(new Option("queries: each column does (wrong)", "queries"));
  over.addEventListener("input", () => move({ softmax_dim: over.value }));

  function addHandle(token) {
    const handle = node(plane, "circle", { r: 22, class: "handle", tabindex: 0, role: "slider" });
    const about = { roledescription: "point in the plane", label: `token ${token}`, valuemin: -limit, valuemax: limit };
    for (const name in about) handle.setAttribute(`aria-${name}`, about[name]);
    const put = (x, y) => {
      const inside = (value) => Math.max(-limit, Math.min(limit, near(value)));
      move({ tokens: state.tokens.map((old, other) => (other === token ? [inside(x), inside(y)] : old)) });
    };
    handle.addEventListener("focus", () => state.query_index === token || move({ query_index: token }));
    handle.addEventListener("pointerdown", (event) => {
      handle.focus({ focusVisible: false });
      handle.setPointerCapture(event.pointerId);
      event.preventDefault(); // no selection of text
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = plane.getBoundingClientRect();
      const zoom = PANEL / box.width / UNIT;
      put((event.clientX - box.left - box.width / 2) * zoom, (box.top + box.height / 2 - event.clientY) * zoom);
    });
    handle.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!steps) return;
      event.preventDefault(); // the page stays where it is
      const [x, y] = state.tokens[token].map((value, axis) => value + steps[axis] * (event.shiftKey ? 0.5 : 0.1));
      put(x, y);
    });
    return handle;
  }

  function addTable([name, columns]) {
    const table = document.createElement("table");
    table.className = name;
    table.createCaption().textContent = name;
    const heads = columns === 3 ? THREE : ["x", "y"];
    const cells = (tag, words) => words.map((word) => `<${tag}>${word}</${tag.slice(0, 2)}>`).join("");
    const rows = THREE.map((row) => `<tr><th scope="row">${row}</th>${cells("td", heads)}</tr>`).join("");
    table.insertAdjacentHTML("beforeend", `<tbody><tr><td>${columns === 3 ? "q\\k" : ""}</td>${cells('th scope="col"', heads)}</tr>${rows}</tbody>`);
    find(".tables").append(table);
    return [name, table];
  }

  function addControl(words, tag) {
    const label = document.createElement("label");
    const control = document.createElement(tag);
    label.append(words);
    label.htmlFor = control.id = `vit-tokens-${Math.random().toString(36).slice(2)}`; // several can stand on one page
    find(".controls").append(label, control);
    return control;
  }

  /** An arrow from the origin to `end`, filled or hollow. */
  function arrow(end, colour, hollow) {
    const length = Math.hypot(...end);
    if (length < 0.02) return;
    const [x, y] = end.map((value) => value / length);
    const head = Math.min(hollow ? 0.3 : 0.22, length), [wide, shaft] = hollow ? [0.15, 0.065] : [0.1, 0.025];
    const side = [[0, shaft], [length - head, shaft], [length - head, wide], [length, 0]]; // along and across
    const outline = [...side, ...side.map(([along, across]) => [along, -across]).reverse()];
    const turned = outline.map(([along, across]) => [along * x - across * y, along * y + across * x]);
    const look = hollow ? { fill: "none", stroke: colour, "stroke-width": 2 } : { fill: colour };
    node(arrows, "polygon", { points: corners(turned), "stroke-linejoin": "round", ...look });
  }

  function corners(points) {
    return points.map((point) => at(point).map((value) => value.toFixed(2))).join(" ");
  }

  function draw({ weights, mixed }) {
    const { tokens, query_index: asks } = state;
    arrows.replaceChildren();
    for (const token of [...THREE.filter((token) => token !== asks), asks]) { // the one that asks lies on top
      arrow(tokens[token], token === asks ? QUERY : OTHER, false);
      arrow(mixed[token], token === asks ? VALUE : "#AFB8C1", true);
    }
    const sum = [[0, 0]]; // the mix as a sum: each value, shortened by its weight, at the end of the one before
    for (const token of THREE)
      sum.push(sum[token].map((from, axis) => from + weights[asks][token] * tokens[token][axis]));
    node(arrows, "polyline", { points: corners(sum), fill: "none", stroke: VALUE, "stroke-dasharray": "4 3" });
    THREE.forEach((token) => {
      const [x, y] = at(tokens[token]), length = Math.hypot(...tokens[token]) || 1;
      const [right, up] = length < 0.1 ? [0, 1] : tokens[token].map((value) => value / length);
      const look = { fill: token === asks ? QUERY : OTHER, class: "number", "text-anchor": "middle" };
      node(arrows, "text", { x: x + 13 * right, y: y - 13 * up + 6, ...look }, `${token}`);
      const valuetext = `x ${short(tokens[token][0])}, y ${short(tokens[token][1])}`;
      const place = { cx: x, cy: y, "aria-valuenow": tokens[token][0], "aria-valuetext": valuetext };
      for (const name in place) handles[token].setAttribute(name, place[name]);
    });
  }

  function fill(name, values) {
    values.forEach((row, token) => {
      const line = tables[name].rows[token + 1];
      line.setAttribute("aria-current", token === state.query_index);
      row.forEach((value, column) => {
        const cell = line.cells[column + 1];
        cell.textContent = short(value);
        cell.dataset.value = value;
        if (name !== "weights") return;
        cell.style.setProperty("--fill", colours[Math.round(255 * value)]);
        cell.style.setProperty("--ink", value > 0.435 ? "black" : "white"); // contrast over 4.5
      });
    });
  }

  function describe({ weights, mixed }) {
    const { query_index: asks, scale: factor, softmax_dim: axis } = state;
    const power = Math.round(1e6 * Math.log2(factor)) / 1e6;
    const half = Number.isInteger(2 * power) && !Number.isInteger(power); // a root
    const name = power === -0.5 ? "1/√K = 0.71" : power === 0 ? "1: not scaled" : `${Number(factor.toPrecision(3))}`;
    said.textContent = name;
    scale.setAttribute("aria-valuetext", name);
    const row = weights[asks], sum = row.reduce((total, weight) => total + weight, 0);
    const shares = THREE.map((token) => `${short(row[token])} of ${token}`).join(", ");
    const why = axis === "keys" ? "" : ", for softmax ran over the queries";
    find(".sentence").textContent = `Token ${asks} asks. It takes ${shares}, ${short(sum)} in all${why}. ` +
      `Its mix is (${mixed[asks].map(short).join(", ")}).`;
    const times = power === 0 ? "" : !half ? ` * ${factor}` : power < 0 ? ` / 2**${-power}` : ` * 2**${power}`;
    find("code").textContent = `weights = (tokens @ tokens.T${times}).softmax(dim=${axis === "keys" ? -1 : 0}); ` +
      "mixed = weights @ tokens";
  }

  function show(part) {
    Object.assign(state, part);
    const all = attend(state.tokens, state.scale, state.softmax_dim);
    scale.value = Math.log2(state.scale);
    over.value = state.softmax_dim;
    draw(all);
    for (const name in tables) fill(name, all[name]);
    describe(all);
    Object.assign(element.dataset, { scale: state.scale, softmax_dim: state.softmax_dim, query_index: state.query_index });
    element.dataset.tokens = JSON.stringify(state.tokens);
  }

  show({});
  return show;
}

/** On a page: fill the first that waits. Scripts run in the order of the page, so each finds its own. */
export function mountNext() {
  const element = document.querySelector(".vit-tokens:not([data-tokens])");
  mount(element, JSON.parse(element.querySelector("script").textContent));
}

/** In a live notebook: the state is the widget's, and both sides may move it. */
function render({ model, el }) {
  const state = () => Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
  const show = mount(el, { ...model.get("metadata"), ...state() }, (moved) => {
    for (const name of NAMES) model.set(name, moved[name]);
    model.save_changes();
  });
  const follow = () => show(state());
  for (const name of NAMES) model.on(`change:${name}`, follow);
  return () => NAMES.forEach((name) => model.off(`change:${name}`, follow));
}

export default { render };
