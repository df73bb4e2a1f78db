// A small editor for stacks of one's own, whose pictures a model can be asked about.

import { bytesOf } from "../explorer/canvas.js";
import { clamp, frame, labelled, make, onArrows } from "../frame/dom.js";
import { dragging } from "./dragging.js";
import { scribble } from "./scribble.js";
import * as stack from "./stack.js";
import { textureButtons } from "./textures.js";

const { SIZE, TEXTURES } = stack;
const TILES = ["top", "bottom"];
const LAYOUT = `
<div class="picture"><canvas width="${SIZE}" height="${SIZE}" tabindex="0"
    role="application"></canvas><i class="pen" hidden></i></div>
<div class="choices">
  <p class="class" role="status"></p>
  <div class="textures"></div>
  <div class="size"></div>
  <div class="others"></div>
  <div class="others"></div>
  <p class="help"></p>
</div>`;
const HELP = {
  stack: "Drag the stack, or use the arrow keys (Shift: by 8).",
  pen: "Draw, or use the arrow keys (Shift lifts the pen).",
};

/** Draw the editor into `element`; changed(pixels, label) hears of every picture, the
 *  first one too, at most once a frame: bytes (96, 96, 4), and the class or null.
 *  Returns show(choice), another stack without scribble, and stop(), which takes the
 *  editor away. */
export function painter(element, changed) {
  const find = frame(element, "painter", LAYOUT);
  const canvas = find("canvas");
  const sheet = scribble(SIZE);
  let choice = stack.randomChoice();
  let scribbling = false;
  let pen = [SIZE / 2, SIZE / 2];
  let due = 0; // the frame that will show what has changed
  let other = true; // whether the picture has, since `changed` heard of it

  const textures = TILES.map((tile) =>
    textureButtons(find(".textures"), tile, (texture) => move({ [tile]: texture })));
  const size = sizeSlider(find(".size"), (half) =>
    change(stack.moved({ ...choice, half }, [choice.x, choice.y])));
  const { clearButton, scribbleButton, colour } = tools();
  let held = [0, 0]; // where the stack would be if the picture had no edge
  dragging(canvas, {
    grabs: (place) => scribbling || stack.within(choice, place),
    start(place) {
      held = [choice.x, choice.y];
      if (scribbling) draw(place, place);
    },
    drag: (from, to) => (scribbling ? draw(from, to) : dragBy(from, to)),
  });
  onArrows(canvas, (down, across, { shiftKey }) => {
    if (scribbling) return movePen([2 * across, 2 * down], !shiftKey);
    const step = shiftKey ? 8 : 1;
    const place = [choice.x + step * across, choice.y + step * down];
    return change(stack.moved(choice, place));
  });

  // ---- what the reader does

  function tools() {
    const [others, scribbles] = element.querySelectorAll(".others");
    const button = (parent, textContent, pressed) => {
      const made = make("button", { type: "button", textContent });
      made.addEventListener("click", pressed);
      parent.append(made);
      return made;
    };
    button(others, "other colours", () => move(stack.randomColours(choice)));
    button(others, "other background", () => move(stack.randomBackground(choice)));
    const swap = button(find(".textures"), "swap", () => {
      const { top, bottom, tiles } = choice;
      move({ top: bottom, bottom: top, tiles: [...tiles].reverse() });
    });
    swap.ariaLabel = "swap top and bottom";
    const scribbleButton = button(scribbles, "scribble", () => {
      scribbling = !scribbling;
      later();
    });
    const colour = make("input", { type: "color", value: "#0072b2" });
    scribbles.append(labelled("colour", colour), colour);
    const clearButton = button(scribbles, "clear scribble", () => {
      sheet.clear();
      scribbleButton.focus(); // a disabled button would lose the keyboard
      change(choice);
    });
    return { clearButton, scribbleButton, colour };
  }

  function draw(from, to) {
    sheet.stroke(from, to, bytesOf(colour.value));
    pen = to.map((value) => clamp(value, 0, SIZE));
    change(choice);
  }

  function movePen(step, down) {
    const from = pen;
    pen = pen.map((value, axis) => clamp(value + step[axis], 0, SIZE));
    if (down) draw(from, pen);
    else later();
  }

  function dragBy(from, to) {
    held = held.map((value, axis) => value + to[axis] - from[axis]);
    change(stack.moved(choice, held));
  }

  // ---- what is shown

  const move = (part) => change({ ...choice, ...part });

  function change(next) {
    choice = next;
    other = true;
    later();
  }

  function later() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      place();
    });
  }

  function place() {
    const pixels = sheet.over(stack.paintStack(choice));
    const image = new ImageData(new Uint8ClampedArray(pixels), SIZE, SIZE);
    canvas.getContext("2d").putImageData(image, 0, 0);
    textures.forEach((put, which) => put(choice[TILES[which]], choice.tiles[which]));
    size(choice.half);
    placePen();
    scribbleButton.ariaPressed = scribbling;
    clearButton.disabled = sheet.isClear();
    canvas.classList.toggle("drawing", scribbling);
    canvas.ariaLabel = spoken();
    find(".help").textContent = scribbling ? HELP.pen : HELP.stack;
    const label = stack.classOf(choice);
    tell(label);
    if (other) changed(pixels, label);
    other = false;
  }

  function placePen() {
    const mark = find(".pen");
    mark.hidden = !scribbling;
    const [left, top] = pen.map((value) => `${(100 * value) / SIZE}%`);
    Object.assign(mark.style, { left, top });
  }

  function spoken() {
    const where = ([x, y]) => `${Math.round(x)} pixels from the left and ` +
      `${Math.round(y)} from the top, of ${SIZE}`;
    const what = scribbling ? "scribble: pen" : "stack: its middle is";
    return `${what} ${where(scribbling ? pen : [choice.x, choice.y])}`;
  }

  function tell(label) {
    const name = TILES.map((tile) => TEXTURES[choice[tile]]).join("/");
    const none = "this pair is none of the ten classes";
    const text = label === null ? none : `class: ${name}`;
    const line = find(".class");
    if (line.textContent !== text) line.textContent = text; // or it is said again
  }

  later();

  function show(next) {
    sheet.clear();
    change(next);
  }

  function stop() {
    cancelAnimationFrame(due);
    due = -1; // nothing more is shown
    element.replaceChildren();
  }

  return { show, stop };
}

/** A slider for the tiles' size in `parent`; choose(half) hears of it. Returns
 *  put(half). */
function sizeSlider(parent, choose) {
  const [min, max] = stack.SIZES;
  const input = make("input", { type: "range", min, max, step: 1 });
  const said = make("span", { ariaHidden: "true" }); // aria-valuetext says the same
  parent.append(labelled("size", input), input, said);
  input.addEventListener("input", () => choose(Number(input.value)));

  return function put(half) {
    input.value = half;
    said.textContent = `${2 * half} pixels`;
    input.setAttribute("aria-valuetext", `tiles of ${2 * half} pixels`);
  };
}
