// Made by `make bundle` from vit_tutorial/explorer/js: change it there.

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
var controls = 0;
var page = Math.random().toString(36).slice(2);
function labelled(text, control) {
  control.id = `vit-${page}-${controls++}`;
  return make("label", { textContent: text, htmlFor: control.id });
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

// deck/score.js
var REGISTRY = /* @__PURE__ */ Symbol.for("vit_tutorial.decks");
function enter(deck) {
  const decks = globalThis[REGISTRY] ??= /* @__PURE__ */ new Set();
  for (const other of decks) {
    if (other.name === deck.name && !other.element.isConnected) decks.delete(other);
  }
  return decks.add(deck);
}
function errors({ arms, asked, prediction }, guess) {
  return [guess, prediction].map((value) => Math.abs(value - arms[asked].mean));
}
function reached({ mean, spread }) {
  const around = spread === null ? "" : ` \xB1 ${spread.toFixed(1)}`;
  return `${mean.toFixed(1)}${around} %`;
}
function outcome(card, guess) {
  const [mine, ours] = errors(card, guess).map((error) => error.toFixed(1));
  const { arms, asked, prediction } = card;
  return `It was right on ${arms[asked].mean.toFixed(1)} %; you said ${guess} %, we ${prediction} %: off by ${mine} and ${ours} points.`;
}
function score(own, decks) {
  const [mine, ours] = averages(own.errors());
  const said = `You were off by ${mine} points on average, we by ${ours}.`;
  if (decks.size === 1) return said;
  const all = [...decks].flatMap((deck) => deck.errors());
  const count = [...decks].reduce((sum, deck) => sum + deck.cards, 0);
  const soFar = all.length < count ? " so far" : "";
  const [yours, others] = averages(all);
  return `${said} All decks${soFar}: ${all.length} of ${count} cards, you ${yours}, we ${others}.`;
}
var averages = (pairs) => [0, 1].map((who) => {
  const sum = pairs.reduce((tenths, pair) => tenths + Math.round(10 * pair[who]), 0);
  return (Math.round(sum / pairs.length) / 10).toFixed(1);
});

// deck/chart.js
var TALL = 44;
var MIDDLE = TALL / 2;
var TICKS = [0, 25, 50, 75, 100];
var SHAPES = {
  run: (at) => node(at, "circle", { r: 3.5 }),
  mean: (at) => node(at, "path", { d: "M0-9V9" }),
  you: (at) => marker(at, ["currentColor", "triangle"], [0, 0]),
  we: (at) => marker(at, ["none", "diamond"], [0, 0])
};
function draw(element, { arms, asked, prediction }, guess, revealed) {
  element.textContent = "";
  arms.forEach((arm, at) => {
    const known = revealed || at === 0;
    if (!known && at !== asked) return;
    const scale = row(element, arm.name, known ? reached(arm) : "?");
    for (const tick of TICKS) {
      const x = `${tick}%`;
      node(scale, "line", { x1: x, x2: x, y2: TALL, class: "tick" });
    }
    if (known) {
      mark(scale, "mean", `${arm.mean}%`);
      for (const run of arm.runs) mark(scale, "run", `${run}%`);
    }
    if (at !== asked) return;
    mark(scale, "you", `${guess}%`, MIDDLE + 13);
    if (revealed) mark(scale, "we", `${prediction}%`, MIDDLE - 13);
  });
  const axis = row(element, "", "");
  axis.setAttribute("height", 20);
  for (const tick of TICKS) {
    const text = node(axis, "text", { x: `${tick}%`, y: 14 });
    text.textContent = tick === 100 ? "100 %" : tick;
  }
}
function legend(element, { prediction }, guess, revealed) {
  const words = { run: "a run", mean: "mean", you: `you: ${guess} %` };
  if (revealed) words.we = `we: ${prediction} %`;
  element.textContent = "";
  for (const name in words) {
    const item = make("span");
    item.innerHTML = '<svg height="22" aria-hidden="true"></svg>';
    mark(item.firstChild, name, "50%", 11);
    item.append(words[name]);
    element.append(item);
  }
}
function row(element, name, number) {
  const made = make("div", { className: "row" });
  made.innerHTML = `<span class="name"></span><svg height="${TALL}"
    aria-hidden="true"></svg><span class="number"></span>`;
  const [before, scale, after] = made.children;
  before.textContent = name;
  after.textContent = number;
  element.append(made);
  return scale;
}
function mark(parent, name, x, y = MIDDLE) {
  SHAPES[name](node(parent, "svg", { x, y, class: name, overflow: "visible" }));
}

// deck/mount.js
var START = 50;
var LAYOUT = `
<p class="title"></p>
<p class="count"></p>
<p class="question"></p>
<p class="reference"></p>
<div class="controls"><div class="guess"></div><span class="value" aria-hidden="true">
  </span><button type="button" class="reveal">reveal</button></div>
<div class="chart"></div>
<p class="legend"></p>
<p class="said" role="status" aria-live="polite"></p>
<div class="controls"><button type="button" class="back">back</button>
  <button type="button" class="next">next card</button></div>
<p class="score"></p>
<button type="button" class="again">start again</button>`;
function mount(element, { title, cards }) {
  const find = frame(element, "vit-deck", LAYOUT);
  const slider = make("input", { type: "range", min: 0, max: 100, step: 1 });
  const [reveal, back, next, again] = [".reveal", ".back", ".next", ".again"].map(find);
  let guesses, revealed, shown;
  const own = {
    element,
    name: JSON.stringify([title, cards.map((card) => card.name)]),
    cards: cards.length,
    errors: () => [...revealed].map((at) => errors(cards[at], guesses[at])),
    changed: rate
  };
  function begin() {
    guesses = cards.map(() => START);
    revealed = /* @__PURE__ */ new Set();
    show(0);
  }
  function show(at) {
    shown = at;
    const { question, arms: [first] } = cards[at];
    find(".count").textContent = `card ${at + 1} of ${cards.length}`;
    find(".question").textContent = question;
    find(".reference").textContent = `To compare with: ${first.name}, ${reached(first)}.`;
    slider.value = guesses[at];
    paint();
  }
  function paint() {
    const [card, guess, known] = [cards[shown], guesses[shown], revealed.has(shown)];
    slider.disabled = known;
    slider.setAttribute("aria-valuetext", `${guess} %`);
    find(".value").textContent = `${guess} %`;
    draw(find(".chart"), card, guess, known);
    legend(find(".legend"), card, guess, known);
    find(".said").textContent = known ? outcome(card, guess) : "";
    allow(reveal, !known);
    allow(back, shown > 0);
    allow(next, known && shown < cards.length - 1);
    for (const deck of decks) deck.changed(deck === own);
  }
  function rate(aloud) {
    again.hidden = revealed.size < cards.length;
    const text = again.hidden ? "" : score(own, decks);
    const said = find(".score");
    said.setAttribute("aria-live", aloud ? "polite" : "off");
    if (said.textContent !== text) said.textContent = text;
  }
  function turn(step) {
    show(shown + step);
    if (!revealed.has(shown)) slider.focus();
  }
  element.setAttribute("role", "group");
  element.ariaLabel = title || "predictions";
  find(".title").textContent = title;
  find(".guess").append(labelled("your guess", slider), slider);
  find(".question").id = `${slider.id}-question`;
  find(".reference").id = `${slider.id}-reference`;
  slider.setAttribute(
    "aria-describedby",
    `${find(".question").id} ${find(".reference").id}`
  );
  slider.addEventListener("input", () => {
    guesses[shown] = Number(slider.value);
    paint();
  });
  press(reveal, () => {
    revealed.add(shown);
    paint();
  });
  press(back, () => turn(-1));
  press(next, () => turn(1));
  press(again, () => {
    begin();
    slider.focus();
  });
  const decks = enter(own);
  begin();
}
var allow = (button, may) => button.setAttribute("aria-disabled", !may);
function press(button, act) {
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") !== "true") act();
  });
}

// frame/page.js
function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}

// deck.js
var waiting = takeNext("vit-deck");
if (waiting) mount(waiting.element, waiting.data);
