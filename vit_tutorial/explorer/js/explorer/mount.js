// The attention explorer, put together: what a reader does, what is shown for it. No
// library, no request.
//
// data: images, layers, heads, patches, outputs (how many of each), grid [rows,
//   columns], size [Y, X] of an image in pixels, channels (1: grey), epochs ([null] when there is one
//   model), quantizationLevels (of a weight, see decode.js), classToken (without one,
//   query 0 is the mean over queries), classes and labels (null when not given),
//   colours (256 of viridis, each a pixel of four bytes as one number), state (what is
//   shown first), and, as they arrive:
//   pictures  [image]                   Uint8Array (Y, X, 4): red, green, blue, opaque
//   views     [image * epochs + epoch]  what `decode` makes of bytes
//   masked    such a view of the present image without its dropped patches; null where
//             it is not known, undefined where it will arrive
// computed: on a page that carries a model, {epoch, from}: that of the model, and the
//   first image that is not the page's but the reader's

import { clamp, frame } from "../frame/dom.js";
import { classBars } from "./bars.js";
import { controls } from "./controls.js";
import { presentView, weightsOf, wholeView } from "./decode.js";
import { drawColours, largeMaps } from "./maps.js";
import { player } from "../frame/play.js";
import { onMaps, onPatches } from "./pointing.js";
import * as say from "./sentences.js";
import {
  choiceAt, consequences, isOwn, neighbour, step, toggled, within,
} from "./state.js";
import { smallMaps } from "./thumbs.js";
import { onFiles, readPicture } from "./upload.js";

const LAYOUT = `
<p class="prediction">prediction: <b></b><span></span></p>
<div class="panes">
  <div><canvas class="overlay" tabindex="0" role="application"></canvas>
    <span>on the image</span></div>
  <div><canvas class="bare" tabindex="0" role="application"></canvas>
    <div class="scale"><span>0</span>
      <canvas class="colours" aria-hidden="true"></canvas>
      <span class="largest"></span></div>
    <span class="alone">the weights alone</span>
    <span class="kept" data-colour="token"></span></div>
  <div><canvas class="thumbs" tabindex="0" role="application"></canvas>
    <span>layers down, heads across</span></div>
  <div class="bars" role="list" aria-label="probabilities"></div>
</div>
<div class="controls"></div>
<div class="tools" hidden>
  <label>own picture <input type="file" accept="image/*"></label>
  <span>or drag it here or paste it</span></div>
<p class="note"></p>
<p class="problem" role="alert"></p>
<p class="sentence" role="status"></p>
<p class="tensor">as a tensor: <code></code></p>`;

/** Draw the explorer into `element`. Where a model can be asked, `live` has
 *  changed(state), upload(bytes, name) and perhaps a note on it. Returns show(part of a
 *  state), arrived() for more data, problem(line), note(line) and stop(). */
export function mount(element, data, live = null) {
  const state = { ...data.state };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let preview = null; // the patch under the pointer, as a query
  let dropping = false; // whether clicks drop patches
  let cursor = null; // the patch that the next one drops
  let missing = false; // what should be shown has not arrived yet

  const find = frame(element, "vit-explorer", LAYOUT);
  const [overlay, bare, thumbs] = ["overlay", "bare", "thumbs"].map((name) =>
    find(`canvas.${name}`));
  const drawLarge = largeMaps(overlay, bare, data);
  const drawSmall = smallMaps(thumbs, data);
  const drawBars = classBars(find, data);
  drawColours(find(".colours"), data.colours);
  if (data.quantizationLevels < 255)
    find(".alone").textContent += `, in ${data.quantizationLevels} steps`;
  find(".tools").hidden = !live;
  note(live?.note ?? "");

  // ---- what the reader does

  const play = player((name) => {
    const { part, ends } = step(name, state, data);
    return { part, ends: ends || still || !element.isConnected };
  }, turn);
  const board = controls(find, data, {
    slid(name, position) {
      if (name === play.playing()) play.stop();
      move({ [name]: choiceAt(name, position, data) });
    },
    mode: (mode) => move({ mode }),
    token: () => move({ query: 0 }),
    play(name) {
      problem("");
      play.toggle(name);
      if (play.playing() === null) show({});
    },
    drop() {
      dropping = !dropping;
      cursor = dropping ? state.query || 1 : null;
      preview = null;
      show({});
    },
    restore: () => move({ dropped: [] }),
    file: upload,
  });
  for (const canvas of [overlay, bare])
    onPatches(canvas, data.grid, {
      chosen: (patch) => (dropping ? toggle(patch) : move({ query: patch })),
      under: (patch) => point(patch, true),
      arrow(down, across) {
        const from = dropping ? cursor : state.query;
        const patch = neighbour(from, down, across, data.grid);
        if (dropping) point(patch, false);
        else move({ query: patch });
      },
      pressed() {
        if (dropping) toggle(cursor || 1);
        return dropping;
      },
    });
  const choose = (layer, head) =>
    move({
      layer: clamp(layer, 0, data.layers - 1),
      head: clamp(head, 0, data.heads - 1),
      mode: "raw",
    });
  if (live) onFiles(element, upload);
  onMaps(thumbs, data, {
    chosen: choose,
    arrow: (down, across) => choose(state.layer + down, state.head + across),
  });

  /** A move of the reader's, who has read what went wrong before. */
  function move(part) {
    problem("");
    turn(part);
  }

  /** A move, the reader's or a step of play: told to whoever computes, and shown. */
  function turn(part) {
    if ("query" in part) preview = null;
    const moved = { ...state, ...consequences(state, part, data) };
    Object.assign(state, within(moved, data));
    live?.changed({ ...state });
    show({});
  }

  function toggle(patch) {
    const dropped = toggled(state.dropped, patch, data.patches);
    if (dropped === state.dropped) return;
    // a page knows what lacks patches at one epoch only
    if (data.computed && play.playing() === "epoch") play.stop();
    move({ dropped });
  }

  /** The patch under the pointer is a query to be looked at, or one that may be
   *  dropped. */
  function point(patch, quiet) {
    if (patch === (dropping ? cursor : preview)) return;
    if (dropping) cursor = patch;
    else preview = patch;
    redraw(quiet);
  }

  async function upload(file) {
    problem("");
    try {
      live.upload(await readPicture(file, data), file.name);
    } catch {
      problem(`${file.name} is no picture that this browser can read`);
    }
  }

  function problem(line) {
    find(".problem").textContent = line;
  }

  function note(line) {
    find(".note").textContent = line;
  }

  // ---- what is shown

  function show(part) {
    Object.assign(state, within({ ...state, ...part }, data));
    if (isOwn(state, data) && play.playing() === "epoch") play.stop();
    board.place(state);
    redraw(play.playing() !== null);
  }

  /** Draw what is chosen. `quiet`: nothing that a screen reader should speak of by
   *  itself. */
  function redraw(quiet) {
    const view = presentView(data, state);
    missing = !view || !data.pictures[state.image];
    if (missing) return;
    const query = preview ?? state.query;
    const shown = { view, query, cursor, ...weightsOf(view, data, state, query) };
    drawLarge(state, shown);
    drawSmall(state, view, query);
    drawBars(state, view, wholeView(data, state));
    describe(shown, quiet);
    const scale = shown.largest || 1;
    Object.assign(element.dataset, state, { preview: preview ?? "", scale });
  }

  function describe(shown, quiet) {
    const { query, kept, largest } = shown;
    const texts = say.sliderTexts(data, state, query);
    const go = still ? "step" : "play";
    const word = (name) => (play.playing() === name ? "pause" : go);
    const words = { layer: word("layer"), epoch: word("epoch") };
    board.say(texts, query === 0 && data.classToken, words, dropping);
    find(".largest").textContent = say.number(largest);
    const token = data.classToken ? `class token ${say.number(kept)}` : "";
    find(".kept").textContent = token;
    const sentence = say.sentence(data, state, shown);
    find(".sentence").ariaLive = quiet ? "off" : "polite";
    find(".sentence").textContent = sentence;
    for (const canvas of [overlay, bare])
      canvas.ariaLabel = `${sentence} Here ${say.keys(dropping)}.`;
    const framed = say.source(data, state);
    thumbs.ariaLabel =
      `Maps of all heads and layers; ${framed} is framed. Here arrow keys choose.`;
    // no tensor of a notebook has such weights, nor a picture that only the page has
    find(".tensor").hidden = state.dropped.length > 0 || isOwn(state, data);
    find("code").textContent = say.expression(data, state, query);
  }

  show({});
  return {
    show,
    problem,
    note,
    stop: play.stop,
    arrived: () => missing && redraw(true),
  };
}
