// Made by `make bundle` from vit_tutorial/explorer/js: change it there.

// frame/page.js
function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}

// frame/dom.js
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
var page = Math.random().toString(36).slice(2);
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

// frame/markers.js
var PATHS = {
  circle: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z",
  square: "M-5.3-5.3H5.3V5.3H-5.3Z",
  triangle: "M0-7.8L7 4.6H-7Z",
  diamond: "M0-7.5L7.5 0L0 7.5L-7.5 0Z",
  cross: "M-7-4L-4-7L0-3L4-7L7-4L3 0L7 4L4 7L0 3L-4 7L-7 4L-3 0Z"
};
function marker(parent, [fill, shape], [x, y]) {
  const transform = `translate(${x.toFixed(1)} ${y.toFixed(1)})`;
  return node(parent, "path", { d: PATHS[shape], fill, transform, class: "marker" });
}

// scatter/nearest.js
function nearest(points, place, allowed, reach = Infinity) {
  let best = null;
  let least = reach;
  points.forEach((point, at) => {
    const distance = Math.hypot(point[0] - place[0], point[1] - place[1]);
    if (distance > least || best !== null && distance === least) return;
    if (!allowed(at)) return;
    best = at;
    least = distance;
  });
  return best;
}
function towards(points, from, [right, up], allowed) {
  const start = points[from];
  const ahead = (at) => {
    const [x, y] = [points[at][0] - start[0], points[at][1] - start[1]];
    const along = x * right + y * up;
    return along > 0 && along >= Math.abs(x * up) + Math.abs(y * right);
  };
  return nearest(points, start, (at) => allowed(at) && ahead(at));
}

// scatter/plot.js
var SIDE = 560;
var EDGE = 20;
var REACH = 40;
function plot(svg, { places, labels, looks }, hear) {
  const points = places.map(([x, y]) => [x, 1 - y].map((value) => EDGE + (SIDE - 2 * EDGE) * value));
  const markers = points.map((point2, at) => marker(svg, looks[labels[at]], point2));
  const rings = ["halo", "ring"].map((name) => node(svg, "circle", { r: 11, class: name }));
  let chosen = null;
  function choose(at) {
    if (at !== null && at !== chosen) hear.chose(at);
  }
  const start = () => nearest(points, [SIDE / 2, SIDE / 2], hear.isShown);
  function point({ clientX, clientY }) {
    const onScreen = new DOMPoint(clientX, clientY);
    const { x, y } = onScreen.matrixTransform(svg.getScreenCTM().inverse());
    choose(nearest(points, [x, y], hear.isShown, REACH));
  }
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("focus", () => {
    if (chosen === null && svg.matches(":focus-visible")) choose(start());
  });
  onArrows(svg, (down, across) => {
    const step = [across, down];
    choose(chosen === null ? start() : towards(points, chosen, step, hear.isShown));
  });
  return function draw(at) {
    chosen = at;
    markers.forEach((each, index) => each.classList.toggle("off", !hear.isShown(index)));
    for (const ring of rings) {
      ring.classList.toggle("off", at === null);
      if (at === null) continue;
      ring.setAttribute("cx", points[at][0]);
      ring.setAttribute("cy", points[at][1]);
    }
  };
}

// scatter/mount.js
var PICTURE = 96;
var LAYOUT = `
<p class="title"></p>
<div class="parts">
  <svg class="plot" viewBox="0 0 ${SIDE} ${SIDE}" tabindex="0" role="application"
    aria-roledescription="scatter plot"></svg>
  <div class="side">
    <div class="pointed"><canvas aria-hidden="true"></canvas>
      <p role="status" aria-live="polite"></p></div>
    <div class="legend" role="group" aria-label="classes shown"></div>
  </div>
</div>`;
var HINT = "Point at a marker, or walk with the arrow keys.";
function mount(element, data) {
  const { title, labels, classes } = data;
  const hidden = /* @__PURE__ */ new Set();
  let chosen = null;
  const find = frame(element, "vit-scatter", LAYOUT);
  const isShown = (at) => !hidden.has(labels[at]);
  const draw = plot(find(".plot"), data, { isShown, chose: show });
  const paint = pictures(find("canvas"), data.sheet);
  function show(at) {
    chosen = at;
    draw(at);
    paint(at);
    const text = at === null ? HINT : sentence(classes[labels[at]], at, labels.length);
    find("[role=status]").textContent = text;
  }
  function toggle(at, button) {
    if (!hidden.delete(at)) hidden.add(at);
    button.setAttribute("aria-pressed", !hidden.has(at));
    show(chosen !== null && isShown(chosen) ? chosen : null);
  }
  find(".title").textContent = title;
  find(".plot").setAttribute("aria-label", `${title || "points"}: ${HINT}`);
  classes.forEach((name, at) => {
    const button = make("button", { type: "button" });
    button.setAttribute("aria-pressed", true);
    button.innerHTML = '<svg viewBox="-9 -9 18 18" aria-hidden="true"></svg>';
    marker(button.firstChild, data.looks[at], [0, 0]);
    button.append(make("span", { textContent: name }));
    button.addEventListener("click", () => toggle(at, button));
    find(".legend").append(button);
  });
  show(null);
}
var sentence = (name, at, count) => `${name}, point ${at + 1} of ${count}`;
function pictures(canvas, sheet) {
  if (!sheet) {
    canvas.remove();
    return () => {
    };
  }
  const [height, width] = sheet.size;
  const scale = PICTURE / Math.max(height, width);
  Object.assign(canvas, { height, width });
  canvas.style.width = `${scale * width}px`;
  canvas.style.height = `${scale * height}px`;
  const context = canvas.getContext("2d");
  const image = make("img", { src: sheet.address });
  let shown = null;
  function paint(at) {
    shown = at;
    context.clearRect(0, 0, width, height);
    if (at === null) return;
    const left = width * (at % sheet.columns);
    const top = height * Math.floor(at / sheet.columns);
    context.drawImage(image, left, top, width, height, 0, 0, width, height);
  }
  image.addEventListener("load", () => paint(shown));
  return paint;
}

// scatter.js
var waiting = takeNext("vit-scatter");
if (waiting) mount(waiting.element, waiting.data);
