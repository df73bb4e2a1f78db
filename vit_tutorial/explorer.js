// The attention explorer. `mount(element, data)` draws it; the two wrappers at the end feed it, one on a page without
// kernel or server, one in a live notebook (anywidget). No library, no request.
//
// data: images, layers, heads (how many), grid [rows, columns], size [Y, X] of an image in pixels, classToken (without
//   one, the first query is the mean over queries), classes and labels (null when not given), predictions [[class,
//   probability] an image], colours (256 of viridis), state (what is shown first), and four arrays:
//   pixels  Uint8Array    (images, Y, X, 3)
//   weights Uint8Array    (images, layers, heads + 1, 1 + N, N): what a query gives to the N patches, each row scaled
//                         to a maximum of 255; the query that is no patch comes first, the rollout after the heads
//   scales  Float32Array  (images, layers, heads + 1, 1 + N): the largest weight of each row
//   kept    Float32Array  the same shape: the weight that goes to the class token, which is no patch

const NAMES = ["image", "layer", "head", "query", "mode"];
const QUERY = "#0072B2"; // one colour, one meaning, as in the book's figures
const OPACITY = 0.6; // of the weights on the image, as in the book's figures

const LAYOUT = `
<p class="prediction">prediction: <b></b><span></span></p>
<div class="figures">
  <div><canvas class="overlay" role="img"></canvas>on the image</div>
  <div><canvas class="bare" role="img"></canvas>the weights alone</div>
</div>
<p class="scale"><span>0</span><canvas class="colours" width="256" height="1" aria-hidden="true"></canvas><span
  class="largest"></span><span class="kept" data-colour="token"></span></p>
<div class="controls"></div>
<p class="sentence" role="status" aria-live="polite"></p>
<p class="tensor">as a tensor: <code></code></p>`;

// Colours are inherited or mixed from the text's own, so the explorer follows any theme, dark or light.
const STYLE = `
.vit-explorer { max-width: 40rem; margin: 0.5rem 0; font-size: 0.95em; line-height: 1.4; }
.vit-explorer * { box-sizing: border-box; }
.vit-explorer p { margin: 0 0 0.6rem; }
.vit-explorer .figures { display: grid; grid-template-columns: 1fr 1fr; gap: 0.8rem; margin-bottom: 0.5rem;
  font-size: 0.85em; text-align: center; }
.vit-explorer canvas { display: block; width: 100%; image-rendering: pixelated; border-radius: 3px; }
.vit-explorer .figures canvas { margin-bottom: 0.15rem; cursor: crosshair; }
.vit-explorer .scale { display: flex; align-items: center; gap: 0.5rem; font-variant-numeric: tabular-nums; }
.vit-explorer .scale canvas { flex: 1; min-width: 0; height: 0.7rem; }
.vit-explorer .scale span { white-space: nowrap; }
.vit-explorer .kept:empty, .vit-explorer .controls [hidden] { display: none; }
.vit-explorer .controls { display: grid; grid-template-columns: max-content minmax(5rem, 1fr) 9.5rem;
  gap: 0.15rem 0.8rem; align-items: center; margin-bottom: 0.7rem; }
.vit-explorer .controls > * { display: flex; align-items: center; margin: 0; padding: 0; min-height: 1.7rem;
  font: inherit; color: inherit; }
.vit-explorer .controls input { width: 100%; accent-color: ${QUERY}; cursor: pointer; }
.vit-explorer .controls select { grid-column: 2 / 4; width: 100%; padding: 0.15rem 0.4rem; border-radius: 4px;
  border: 1px solid color-mix(in srgb, currentColor 35%, transparent); background: transparent; }
.vit-explorer .controls option { color: black; background: white; }
.vit-explorer .controls :disabled { opacity: 0.45; cursor: default; }
.vit-explorer :focus-visible { outline: 2px solid ${QUERY}; outline-offset: 2px; border-radius: 4px; }
.vit-explorer [data-colour]::before { content: ""; flex: none; display: inline-block; width: 0.7em; height: 0.7em;
  margin-right: 0.4em; border-radius: 2px; background: ${QUERY}; }
.vit-explorer [data-colour=token]::before { background: #E69F00; }
.vit-explorer .tensor { font-size: 0.85em; }
.vit-explorer .tensor code { padding: 0.1rem 0.4rem; border: none; border-radius: 4px; font-size: 1em; color: inherit;
  overflow-wrap: anywhere; background: color-mix(in srgb, currentColor 8%, transparent); }
:is([data-theme=dark], [data-jp-theme-light=false]) .vit-explorer { color-scheme: dark; }
:is([data-theme=dark], [data-jp-theme-light=false]) .vit-explorer .controls input { accent-color: #56B4E9; }
html[data-theme=dark] .text_html:has(.vit-explorer) { /* the theme's light box is made for pictures */
  background: none !important; color: inherit !important; padding: 0 !important; }`;

const number = (weight) => weight.toFixed(weight < 0.01 ? 4 : 3);
const percent = (share) => (share > 0.995 ? "over 99 %" : share < 0.005 ? "under 1 %" : `${Math.round(100 * share)} %`);

/** Draw the explorer into `element`; `changed(state)` hears of the reader's moves. Returns `show(part of a state)`. */
export function mount(element, data, changed = () => {}) {
  const [rows, columns] = data.grid;
  const [height, width] = data.size;
  const patches = rows * columns;
  const zoom = Math.ceil(480 / Math.max(height, width)); // whole, so that patches stay sharp
  const cell = (width / columns) * zoom; // side of a patch on the canvas
  const last = { image: data.images - 1, layer: data.layers - 1, head: data.heads - 1, query: patches };
  const state = { ...data.state };
  const move = (part) => (show(part), changed({ ...state }));

  element.classList.add("vit-explorer");
  element.innerHTML = `<style>${STYLE}</style>${LAYOUT}`;
  // JupyterLab takes arrow keys and letters for its own commands unless they end here
  element.addEventListener("keydown", (event) => event.stopPropagation());
  const find = (selector) => element.querySelector(selector);
  const inputs = {}, values = {}; // of the controls, by name
  const unique = Math.random().toString(36).slice(2); // several explorers can stand on one page
  for (const name of NAMES) addControl(name, name === "mode" ? "select" : "input");
  inputs.mode.append(new Option("raw attention of one layer", "raw"));
  inputs.mode.append(new Option("rollout through the layers", "rollout"));
  const overlay = addCanvas(find(".overlay")), bare = addCanvas(find(".bare"));
  const bar = find(".colours").getContext("2d");
  data.colours.forEach((colour, index) => paint(bar, colour, index, 0, 1));

  function addControl(name, tag) {
    const label = document.createElement("label");
    const input = (inputs[name] = document.createElement(tag));
    const value = (values[name] = document.createElement("span"));
    label.htmlFor = input.id = `vit-explorer-${unique}-${name}`;
    label.textContent = name;
    value.ariaHidden = "true"; // aria-valuetext says the same
    input.addEventListener("input", () => move({ [name]: tag === "input" ? Number(input.value) : input.value }));
    find(".controls").append(label, input);
    if (tag === "select") return;
    find(".controls").append(value);
    Object.assign(input, { type: "range", min: name === "head" ? -1 : 0, max: last[name], step: 1 });
    for (const part of [label, input, value]) part.hidden = last[name] === 0; // nothing to choose
  }

  function addCanvas(canvas) {
    Object.assign(canvas, { width: width * zoom, height: height * zoom });
    const under = (event) => {
      const at = (position, whole, count) => Math.min(count - 1, Math.max(0, Math.floor((position / whole) * count)));
      const row = at(event.offsetY, canvas.clientHeight, rows);
      return row * columns + at(event.offsetX, canvas.clientWidth, columns);
    };
    canvas.addEventListener("click", (event) => move({ query: 1 + under(event) }));
    canvas.addEventListener("pointermove", (event) => {
      canvas.title = `patch ${place(under(event))}: ${number(read().weights[under(event)])}`;
    });
    return canvas.getContext("2d");
  }

  /** The weights on the patches and on the class token for what is chosen now. */
  function read() {
    const { image, layer, head, query, mode } = state;
    const maps = mode === "rollout" ? [data.heads] : head < 0 ? [...Array(data.heads).keys()] : [head];
    const weights = new Array(patches).fill(0);
    let kept = 0;
    for (const map of maps) {
      const row = ((image * data.layers + layer) * (data.heads + 1) + map) * (1 + patches) + query;
      const unit = data.scales[row] / 255 / maps.length;
      for (let patch = 0; patch < patches; patch++) weights[patch] += unit * data.weights[row * patches + patch];
      kept += data.kept[row] / maps.length;
    }
    return { weights, kept };
  }

  function draw(weights, largest) {
    const corner = (patch) => [(patch % columns) * cell, Math.floor(patch / columns) * cell];
    overlay.imageSmoothingEnabled = false;
    overlay.drawImage(picture(state.image), 0, 0, width * zoom, height * zoom);
    weights.forEach((weight, patch) => {
      const colour = data.colours[Math.round((255 * weight) / largest)];
      overlay.globalAlpha = OPACITY;
      for (const canvas of [overlay, bare]) paint(canvas, colour, ...corner(patch), cell);
      overlay.globalAlpha = 1;
    });
    if (state.query === 0) return;
    const line = Math.max(2, Math.min(5, Math.round(cell / 8)));
    const [x, y] = corner(state.query - 1).map((start) => start + line);
    for (const canvas of [overlay, bare])
      for (const [colour, thick] of [["white", 2 * line], [QUERY, line]]) { // white edges show on any colour
        Object.assign(canvas, { strokeStyle: colour, lineWidth: thick });
        canvas.strokeRect(x, y, cell - 2 * line, cell - 2 * line);
      }
  }

  /** An image on a canvas of its own size. */
  function picture(image) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const drawn = new ImageData(width, height);
    const pixels = data.pixels.subarray(3 * image * width * height);
    for (let at = 0; at < drawn.data.length; at++) drawn.data[at] = at % 4 < 3 ? pixels[at - (at >> 2)] : 255;
    canvas.getContext("2d").putImageData(drawn, 0, 0);
    return canvas;
  }

  function place(patch) {
    return `row ${Math.floor(patch / columns) + 1}, column ${(patch % columns) + 1}`;
  }

  function describe(weights, kept, largest) {
    const { image, layer, head, query, mode } = state;
    const rollout = mode === "rollout";
    const texts = {
      image: `image ${image + 1} of ${data.images}`,
      layer: `layer ${layer + 1} of ${data.layers}`,
      head: rollout || head < 0 ? "mean over heads" : `head ${head}`,
      query: query > 0 ? `patch ${place(query - 1)}` : data.classToken ? "class token" : "mean over queries",
    };
    for (const name in texts) {
      values[name].textContent = texts[name].replace(/^(image|layer|patch) /, ""); // said by the label already
      inputs[name].setAttribute("aria-valuetext", texts[name]);
    }
    values.query.dataset.colour = query === 0 && data.classToken ? "token" : "query";
    inputs.head.disabled = rollout; // rollout is made from the mean over heads

    const className = (index) => (data.classes ? data.classes[index] : `class ${index}`);
    const [guess, probability] = data.predictions[image];
    const truth = data.labels?.[image] ?? null;
    const verdict = truth === null ? "" : truth === guess ? ", right" : `, wrong: it is ${className(truth)}`;
    find(".prediction b").textContent = className(guess);
    find(".prediction span").textContent = ` ${percent(probability)}${verdict}`;

    find(".largest").textContent = number(largest);
    find(".kept").textContent = data.classToken ? `class token ${number(kept)}` : "";
    const source = rollout ? `rollout through layers 1 to ${layer + 1}` : `${texts.layer}, ${texts.head}`;
    const peak = `patch ${place(weights.indexOf(Math.max(...weights)))}, with weight ${number(largest)}`;
    const sentence =
      `Image ${image + 1} of ${data.images}, ${source}. Query: ${texts.query}. It looks most at ${peak}.`;
    find(".sentence").textContent = sentence;
    for (const canvas of [overlay, bare]) canvas.canvas.ariaLabel = sentence;
    find("code").textContent = expression();
  }

  /** The tensor that is drawn, as one writes it in a notebook. */
  function expression() {
    const { image, layer, head, query, mode } = state;
    const mean = query === 0 && !data.classToken; // over queries
    const index = `${mean ? ":" : data.classToken ? query : query - 1}${data.classToken ? ", 1:" : ""}`; // the patches
    if (mode === "rollout") return `rollout(weights[:${layer + 1}])[${image}, ${index}]${mean ? ".mean(0)" : ""}`;
    const averaged = ["", ".mean(0)", ".mean((0, 1))"][(head < 0) + mean];
    return `weights[${layer}][${image}, ${head < 0 ? ":" : head}, ${index}]${averaged}`;
  }

  function show(part) {
    Object.assign(state, part);
    for (const name in last) state[name] = Math.max(inputs[name].min, Math.min(last[name], state[name]));
    for (const name of NAMES) inputs[name].value = state[name];
    const { weights, kept } = read();
    const largest = Math.max(...weights) || 1; // all of it may rest on the class token
    draw(weights, largest);
    describe(weights, kept, largest);
    Object.assign(element.dataset, state, { scale: largest });
  }

  show(state);
  return show;
}

function paint(canvas, colour, x, y, side) {
  canvas.fillStyle = colour;
  canvas.fillRect(x, y, side, side);
}

function unpack(facts, bytes) {
  const floats = (name) => new Float32Array(bytes(name).slice().buffer); // the copy starts where floats may start
  const arrays = { pixels: bytes("pixels"), weights: bytes("weights"), scales: floats("scales"), kept: floats("kept") };
  return { ...facts, ...arrays };
}

/** On a page: fill the first explorer that waits. Scripts run in the order of the page, so each finds its own. */
export function mountNext() {
  const element = document.querySelector(".vit-explorer:not([data-image])");
  const packed = JSON.parse(element.querySelector("script").textContent);
  const bytes = (name) => Uint8Array.from(atob(packed[name]), (letter) => letter.charCodeAt(0));
  mount(element, unpack(packed.facts, bytes));
}

/** In a live notebook: the state is the widget's, and both sides may move it. */
function render({ model, el }) {
  const bytes = (name) => {
    const view = model.get(name); // a DataView
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  };
  const state = () => Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
  const show = mount(el, { ...unpack(model.get("facts"), bytes), state: state() }, (moved) => {
    for (const name of NAMES) model.set(name, moved[name]);
    model.save_changes();
  });
  const follow = () => show(state());
  for (const name of NAMES) model.on(`change:${name}`, follow);
  return () => NAMES.forEach((name) => model.off(`change:${name}`, follow));
}

export default { render };
