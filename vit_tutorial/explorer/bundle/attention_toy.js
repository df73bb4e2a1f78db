// Made by `make bundle` from vit_tutorial/explorer/js: change it there.

// frame/page.js
function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}

// frame/widget.js
var read = (model, names) => Object.fromEntries(names.map((name) => [name, model.get(name)]));
function save(model, state) {
  for (const name in state) model.set(name, state[name]);
  model.save_changes();
}
function follow(model, events) {
  for (const name in events) model.on(name, events[name]);
  return () => {
    for (const name in events) model.off(name, events[name]);
  };
}

// frame/dom.js
var clamp = (value, low, high) => Math.max(low, Math.min(high, value));
var make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
function node(parent, tag, attributes) {
  const made = document.createElementNS(parent.namespaceURI, tag);
  setAttributes(made, attributes);
  parent.append(made);
  return made;
}
function setAttributes(element, attributes) {
  for (const name in attributes) element.setAttribute(name, attributes[name]);
}
function frame(element, name, layout) {
  element.classList.add(name, "tex2jax_ignore", "mathjax_ignore");
  element.innerHTML = layout;
  element.addEventListener("keydown", (event) => event.stopPropagation());
  return (selector) => element.querySelector(selector);
}
var controls = 0;
var page = Math.random().toString(36).slice(2);
function labelled(text, control) {
  control.id = `vit-${page}-${controls++}`;
  return make("label", { textContent: text, htmlFor: control.id });
}
var ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0]
};
function onArrows(element, go) {
  element.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
    go(...ARROWS[event.key], event);
    event.preventDefault();
  });
}

// toy/attend.js
var dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
var transpose = (matrix) => matrix[0].map((_, column) => matrix.map((row) => row[column]));
function softmax(row) {
  const largest = Math.max(...row);
  const powers = row.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
function attend(tokens, scale, softmaxDim) {
  const scores = tokens.map((q) => tokens.map((k) => dot(q, k) * scale));
  const weights = softmaxDim === "keys" ? scores.map(softmax) : transpose(transpose(scores).map(softmax));
  const values = transpose(tokens);
  const mixed = weights.map((row) => values.map((axis) => dot(row, axis)));
  return { scores, weights, mixed };
}

// toy/sentences.js
var near = (value) => Math.round(100 * value) / 100 || 0;
var short = (value) => Math.abs(value) < 99.95 ? near(value).toFixed(2) : value.toFixed(1);
var powerOf = (scale) => Math.round(1e6 * Math.log2(scale)) / 1e6;
function scaleText(scale) {
  const power = powerOf(scale);
  if (power === -0.5) return "1/\u221AK = 0.71";
  return power === 0 ? "1: not scaled" : `${Number(scale.toPrecision(3))}`;
}
function sentence({ query_index: asks, softmax_dim: axis }, { weights, mixed }) {
  const row = weights[asks];
  const shares = row.map((weight, token) => `${short(weight)} of ${token}`).join(", ");
  const sum = row.reduce((total, weight) => total + weight, 0);
  const why = axis === "keys" ? "" : ", for softmax ran over the queries";
  const mix = mixed[asks].map(short).join(", ");
  return `Token ${asks} asks. It takes ${shares}, ${short(sum)} in all${why}. Its mix is (${mix}).`;
}
function expression({ scale, softmax_dim: axis }) {
  const dim = axis === "keys" ? -1 : 0;
  return `weights = (tokens @ tokens.T${times(scale)}).softmax(dim=${dim}); mixed = weights @ tokens`;
}
function times(scale) {
  const power = powerOf(scale);
  if (power === 0) return "";
  const isRoot = Number.isInteger(2 * power) && !Number.isInteger(power);
  if (!isRoot) return ` * ${scale}`;
  return power < 0 ? ` / 2**${-power}` : ` * 2**${power}`;
}

// toy/plane.js
var UNIT = 60;
var PANEL = 400;
var QUERY = "#0072B2";
var VALUE = "#CC79A7";
var OTHER = "#57606A";
var OTHER_VALUE = "#AFB8C1";
var GRID = "#E6E9ED";
var AXIS = "#AFB8C1";
var SOLID = { head: 0.22, wide: 0.1, shaft: 0.025 };
var HOLLOW = { head: 0.3, wide: 0.15, shaft: 0.065 };
var inDrawing = ([x, y]) => [PANEL / 2 + UNIT * x, PANEL / 2 - UNIT * y];
var corners = (points) => points.map((point) => inDrawing(point).map((value) => value.toFixed(2)).join(",")).join(" ");
function arrowTo(end, { head, wide, shaft }) {
  const length = Math.hypot(...end);
  const [x, y] = end.map((value) => value / length);
  const neck = length - Math.min(head, length);
  const side = [[0, shaft], [neck, shaft], [neck, wide], [length, 0]];
  const other = side.map(([along, across]) => [along, -across]).reverse();
  return [...side, ...other].map(([along, across]) => [
    along * x - across * y,
    along * y + across * x
  ]);
}
function sumOf(values, weights) {
  const sum = [[0, 0]];
  for (const [token, value] of values.entries())
    sum.push(sum[token].map((from, axis) => from + weights[token] * value[axis]));
  return sum;
}
function plane(svg, limit, count, hear) {
  drawGrid(svg, limit);
  const arrows = node(svg, "g", {});
  const handles = Array.from({ length: count }, (_, token) => addHandle(token));
  function put(token, place) {
    hear.put(token, place.map((value) => clamp(near(value), -limit, limit)));
  }
  function addHandle(token) {
    const handle = node(svg, "circle", {
      r: 22,
      class: "handle",
      tabindex: 0,
      role: "slider",
      "aria-roledescription": "point in the plane",
      "aria-label": `token ${token}`,
      "aria-valuemin": -limit,
      "aria-valuemax": limit
    });
    handle.addEventListener("focus", () => hear.focused(token));
    handle.addEventListener("pointerdown", (event) => {
      handle.focus({ focusVisible: false });
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) put(token, placeOf(event));
    });
    onArrows(handle, (down, across, { shiftKey }) => {
      const step = shiftKey ? 0.5 : 0.1;
      const [x, y] = hear.where(token);
      put(token, [x + step * across, y - step * down]);
    });
    return handle;
  }
  function placeOf({ clientX, clientY }) {
    const { left, top, width, height } = svg.getBoundingClientRect();
    const unit = UNIT * width / PANEL;
    return [(clientX - left - width / 2) / unit, (top + height / 2 - clientY) / unit];
  }
  function arrow(end, form, look) {
    if (Math.hypot(...end) < 0.02) return;
    const points = corners(arrowTo(end, form));
    node(arrows, "polygon", { points, "stroke-linejoin": "round", ...look });
  }
  function label(token, place, fill) {
    const [x, y] = inDrawing(place);
    const length = Math.hypot(...place);
    const [right, up] = length < 0.1 ? [0, 1] : place.map((value) => value / length);
    const beside = { x: x + 13 * right, y: y - 13 * up + 6 };
    const look = { fill, class: "number", "text-anchor": "middle" };
    node(arrows, "text", { ...beside, ...look }).textContent = token;
    setAttributes(handles[token], {
      cx: x,
      cy: y,
      "aria-valuenow": place[0],
      "aria-valuetext": `x ${short(place[0])}, y ${short(place[1])}`
    });
  }
  return function draw({ tokens, query_index: asks }, { weights, mixed }) {
    arrows.replaceChildren();
    const all = [...tokens.keys()];
    for (const token of [...all.filter((token2) => token2 !== asks), asks]) {
      const [fill, stroke] = token === asks ? [QUERY, VALUE] : [OTHER, OTHER_VALUE];
      arrow(tokens[token], SOLID, { fill });
      arrow(mixed[token], HOLLOW, { fill: "none", stroke, "stroke-width": 2 });
    }
    const points = corners(sumOf(tokens, weights[asks]));
    const dashed = { fill: "none", stroke: VALUE, "stroke-dasharray": "4 3" };
    node(arrows, "polyline", { points, ...dashed });
    for (const token of all)
      label(token, tokens[token], token === asks ? QUERY : OTHER);
  };
}
function drawGrid(svg, limit) {
  const middle = PANEL / 2;
  const [from, to] = [middle - UNIT * limit, middle + UNIT * limit];
  for (let line = -limit; line <= limit; line++) {
    const at = middle + UNIT * line;
    const stroke = line ? GRID : AXIS;
    node(svg, "path", { d: `M${at} ${from}V${to}M${from} ${at}H${to}`, stroke });
    if (!line) continue;
    const below = { x: at, y: middle + 15, "text-anchor": "middle" };
    const beside = { x: middle - 6, y: at + 4, "text-anchor": "end" };
    node(svg, "text", { fill: OTHER, ...below }).textContent = line;
    node(svg, "text", { fill: OTHER, ...beside }).textContent = -line;
  }
}

// toy/tables.js
var THREE = [0, 1, 2];
var COLUMNS = { scores: THREE, weights: THREE, mixed: ["x", "y"] };
function tables(parent, colours) {
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
  const ink = weight > 0.435 ? "black" : "white";
  cell.style.setProperty("--ink", ink);
}

// toy/mount.js
var NAMES = ["tokens", "scale", "softmax_dim", "query_index"];
var LAYOUT = `
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
function mount(element, data, changed = () => {
}) {
  const state = Object.fromEntries(NAMES.map((name) => [name, data[name]]));
  const find = frame(element, "vit-tokens", LAYOUT);
  const draw = plane(find(".plane"), data.limit, state.tokens.length, {
    where: (token) => state.tokens[token],
    focused(token) {
      if (state.query_index !== token) move({ query_index: token });
    },
    put(token, place2) {
      const tokens = [...state.tokens];
      tokens[token] = place2;
      move({ tokens });
    }
  });
  const fill = tables(find(".tables"), data.colours);
  const place = controls2(find(".controls"), move);
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
function controls2(parent, move) {
  const scale = make("input", { type: "range", min: -3, max: 5, step: 0.5 });
  const said = make("span", { ariaHidden: "true" });
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

// attention_toy.js
var waiting = takeNext("vit-tokens");
if (waiting) mount(waiting.element, waiting.data);
function render({ model, el }) {
  const data = { ...model.get("metadata"), ...read(model, NAMES) };
  const show = mount(el, data, (moved) => save(model, moved));
  const hear = () => show(read(model, NAMES));
  const events = NAMES.map((name) => [`change:${name}`, hear]);
  return follow(model, Object.fromEntries(events));
}
var attention_toy_default = { render };
export {
  attention_toy_default as default
};
