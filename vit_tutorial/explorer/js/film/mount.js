// A film, put together. No library, no request.
//
// data: title, names (one a frame), frames (PNGs in base64, of one size), width (of a
//   frame, in its own pixels).

import { frame, labelled, make } from "../frame/dom.js";
import { player } from "../frame/play.js";

const WIDE = 640; // pixels of the page: a small frame is enlarged as often as it fits

const LAYOUT = `
<p class="title"></p>
<img decoding="sync">
<div class="controls"><button type="button"></button><div class="slide"></div>
  <span class="name" aria-hidden="true"></span></div>`;

/** Which frame follows, and whether it is the last: after the last comes the first. */
export function after(at, count) {
  const part = (at + 1) % count;
  return { part, ends: part === count - 1 };
}

/** Draw into `element`, with the first frame shown. */
export function mount(element, { title, names, frames, width }) {
  const find = frame(element, "vit-film", LAYOUT);
  const [image, button, name] = ["img", "button", ".name"].map(find);
  const slider = make("input", { type: "range", min: 0, max: frames.length - 1 });
  const still = matchMedia("(prefers-reduced-motion: reduce)"); // then a press is a step
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
  // the slider keeps its length when the name changes
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
