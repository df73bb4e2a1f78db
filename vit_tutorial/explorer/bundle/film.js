// Made by `make bundle` from vit_tutorial/explorer/js: change it there.

// frame/dom.js
var make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
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

// frame/play.js
var PACE = 800;
function player(next, move) {
  let playing = null;
  let timer = 0;
  function stop() {
    clearInterval(timer);
    playing = null;
  }
  function toggle(name) {
    const was = playing;
    stop();
    if (was === name) return;
    const go = () => {
      const { part, ends } = next(name);
      if (ends) stop();
      move(part);
    };
    playing = name;
    timer = setInterval(go, PACE);
    go();
  }
  return { toggle, stop, playing: () => playing };
}

// film/mount.js
var WIDE = 640;
var LAYOUT = `
<p class="title"></p>
<img decoding="sync">
<div class="controls"><button type="button"></button><div class="slide"></div>
  <span class="name" aria-hidden="true"></span></div>`;
function after(at, count) {
  const part = (at + 1) % count;
  return { part, ends: part === count - 1 };
}
function mount(element, { title, names, frames, width }) {
  const find = frame(element, "vit-film", LAYOUT);
  const [image, button, name] = ["img", "button", ".name"].map(find);
  const slider = make("input", { type: "range", min: 0, max: frames.length - 1 });
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let shown = 0;
  const play = player(() => {
    const { part, ends } = after(shown, frames.length);
    return { part, ends: ends || still.matches || !element.isConnected };
  }, show);
  function show(at) {
    shown = at;
    image.src = `data:image/png;base64,${frames[at]}`;
    image.alt = title ? `${title}: ${names[at]}` : names[at];
    slider.value = at;
    slider.setAttribute("aria-valuetext", names[at]);
    name.textContent = names[at];
    nameButton();
  }
  function nameButton() {
    const moves = still.matches ? "next" : "play";
    button.textContent = play.playing() ? "stop" : moves;
  }
  element.setAttribute("role", "group");
  element.ariaLabel = title || "film";
  find(".title").textContent = title;
  find(".slide").append(labelled("frame", slider), slider);
  const scale = Math.max(1, Math.floor(WIDE / width));
  image.width = scale * width;
  image.classList.toggle("enlarged", scale > 1);
  const letters = Math.max(...names.map((each) => each.length));
  name.style.minWidth = `min(100%, ${letters}ch)`;
  slider.disabled = button.disabled = frames.length === 1;
  slider.addEventListener("input", () => {
    play.stop();
    show(Number(slider.value));
  });
  button.addEventListener("click", () => {
    play.toggle("film");
    nameButton();
  });
  show(0);
}

// frame/page.js
function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}

// film.js
var waiting = takeNext("vit-film");
if (waiting) mount(waiting.element, waiting.data);
