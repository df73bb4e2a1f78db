// The attention explorer. `mount(element, data, live)` draws it; `render`, at the end, feeds it in a live notebook
// (anywidget), `mountNext` in explorer_page.js on a page without kernel or server. No library, no request.
//
// data: images, layers, heads, patches, outputs (how many of each), grid [rows, columns], size [Y, X] of an image in
//   pixels, epochs ([null] when there is one model), quantizationLevels (of a weight, see below), classToken (without one, query 0
//   is the mean over queries), classes and labels (null when not given), colours (256 of viridis, each a pixel of four
//   bytes as one number), state (what is shown first), and, as they arrive:
//   pictures  [image]                   Uint8Array (Y, X, 4): red, green, blue, opaque
//   views     [image * epochs + epoch]  what `decode` makes of the bytes of `pack` in views.py
//   masked    such a view of the present image without its dropped patches, or null

const STATE = ["image", "layer", "head", "query", "epoch", "mode", "opacity", "dropped"];
const QUERY = "#0072B2"; // one colour, one meaning, as in the book's figures
const MOST_BARS = 12; // of more classes only the most probable are shown
const PACE = 800; // milliseconds a step when layers or epochs play

const LAYOUT = `
<p class="prediction">prediction: <b></b><span></span></p>
<div class="panes">
  <div><canvas class="overlay" tabindex="0" role="application"></canvas><span>on the image</span></div>
  <div><canvas class="bare" tabindex="0" role="application"></canvas>
    <div class="scale"><span>0</span><canvas class="colours" width="256" height="1" aria-hidden="true"></canvas><span
      class="largest"></span></div>
    <span class="alone">the weights alone</span> <span class="kept" data-colour="token"></span></div>
  <div><canvas class="thumbs" tabindex="0" role="application"></canvas><span>layers down, heads across</span></div>
  <div class="bars" role="list" aria-label="probabilities"></div>
</div>
<div class="controls"></div>
<div class="tools" hidden><label>own picture <input type="file" accept="image/*"></label></div>
<p class="problem" role="alert"></p>
<p class="sentence" role="status"></p>
<p class="tensor">as a tensor: <code></code></p>`;

const number = (weight) => weight.toFixed(weight < 0.01 ? 4 : 3);
const percent = (share) => (share > 0.995 ? "over 99 %" : share < 0.005 ? "under 1 %" : `${Math.round(100 * share)} %`);
const brief = (share) => percent(share).replace("over ", ">").replace("under ", "<"); // for the bars
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);

/** Draw the explorer into `element`. Where a kernel runs, `live` has changed(state) and upload(bytes, name).
 *  Returns show(part of a state), arrived() for more data, problem(line) and stop(). */
export function mount(element, data, live = null) {
  const [rows, columns] = data.grid, [height, width] = data.size, { patches, layers, heads, epochs } = data;
  const state = { ...data.state };
  const zoom = Math.ceil(480 / Math.max(height, width)); // whole, so that patches stay sharp
  const cell = (width / columns) * zoom; // side of a patch on the canvas
  const across = columns + 2, down = rows + 2; // of a thumbnail: a pixel a patch, and around it room for the mark
  const thumbZoom = Math.ceil(360 / Math.max(heads * across, layers * down));
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches; // then a press of "play" is one step
  let preview = null; // the patch under the pointer, as a query
  let dropping = false, cursor = null; // whether clicks drop patches; the patch that the next one drops
  let playing = null, timer = 0; // "layer" or "epoch"
  let missing = false; // what should be shown has not arrived yet

  element.classList.add("vit-explorer", "tex2jax_ignore", "mathjax_ignore"); // a dollar in a class name is no formula
  element.innerHTML = LAYOUT;
  // JupyterLab takes arrow keys and letters for its own commands unless they end here
  element.addEventListener("keydown", (event) => event.stopPropagation());
  const find = (selector) => element.querySelector(selector);
  const brush = (selector, size) => Object.assign(find(selector), size).getContext("2d");
  const overlay = brush(".overlay", { width: width * zoom, height: height * zoom });
  const bare = brush(".bare", { width: width * zoom, height: height * zoom });
  const thumbs = brush(".thumbs", { width: heads * across * thumbZoom, height: layers * down * thumbZoom });
  const map = pixelGrid(columns, rows), atlas = pixelGrid(heads * across, layers * down);
  const colourOf = (level, most) => data.colours[Math.round((255 * level) / most)];
  const shades = Uint32Array.from({ length: data.quantizationLevels + 1 }, (_, step) => colourOf(step, data.quantizationLevels));
  const scale = pixelGrid(256, 1);
  scale.ink.set(data.colours);
  find(".colours").getContext("2d").drawImage(scale.put(), 0, 0);

  // ---- controls

  const inputs = {}, values = {}, buttons = {}; // by name
  const unique = Math.random().toString(36).slice(2); // several explorers can stand on one page
  const last = { layer: layers - 1, head: heads - 1, query: patches, epoch: epochs.length - 1, opacity: 1 };
  const lastOf = (name) => last[name] ?? data.images - 1; // pictures can be added
  const sliderAt = (name) => (name === "epoch" ? epochs.indexOf(state.epoch) : state[name]);
  const stateAt = (name, at) => (name === "epoch" ? epochs[at] : at);

  for (const name of ["image", "layer", "head", "query", "epoch", "opacity"]) {
    const step = name === "opacity" ? 0.05 : 1;
    const input = make("input", { type: "range", min: name === "head" ? -1 : 0, max: lastOf(name), step });
    values[name] = make("span", { ariaHidden: "true" }); // aria-valuetext says the same
    addControl(name, input, values[name]);
    input.addEventListener("input", () => {
      if (name === playing) stop();
      move({ [name]: stateAt(name, Number(input.value)) });
    });
  }
  addControl("mode", make("select"));
  inputs.mode.append(new Option("raw attention of one layer", "raw"));
  inputs.mode.append(new Option("rollout through the layers", "rollout"));
  inputs.mode.addEventListener("input", () => move({ mode: inputs.mode.value }));
  addButton("token", data.classToken ? "class token" : "mean", inputs.query.parentElement, () => move({ query: 0 }));
  buttons.token.ariaLabel = `query: ${data.classToken ? "class token" : "mean over queries"}`;
  for (const name of ["layer", "epoch"]) addButton(name, "play", inputs[name].parentElement, () => play(name));
  find(".tools").hidden = live === null;
  addButton("drop", "drop patches", find(".tools"), () => {
    [dropping, cursor, preview] = [!dropping, dropping ? null : state.query || 1, null];
    show({});
  });
  addButton("back", "put all back", find(".tools"), () => move({ dropped: [] }));
  const file = find("input[type=file]");
  file.addEventListener("change", async () => {
    if (file.files.length) await upload(file.files[0]);
    file.value = ""; // the same file may come again
  });

  function addControl(name, input, ...more) {
    inputs[name] = Object.assign(input, { id: `vit-explorer-${unique}-${name}` });
    const control = make("div");
    control.append(make("label", { textContent: name, htmlFor: input.id }), input, ...more);
    find(".controls").append(control);
  }

  function addButton(name, text, place, pressed) {
    buttons[name] = make("button", { type: "button", textContent: text });
    buttons[name].addEventListener("click", pressed);
    place.append(buttons[name]);
  }

  const problem = (line) => (find(".problem").textContent = line);

  /** Bring a file to the model's size, cut to its middle where the shape differs, and hand its bytes on. */
  async function upload(file) {
    problem("");
    try {
      const picture = await createImageBitmap(file);
      const small = make("canvas", { width, height }).getContext("2d");
      const shrink = Math.max(width / picture.width, height / picture.height);
      const [wide, tall] = [picture.width * shrink, picture.height * shrink];
      Object.assign(small, { imageSmoothingQuality: "high", fillStyle: "white" });
      small.fillRect(0, 0, width, height); // shows where the picture is transparent
      small.drawImage(picture, (width - wide) / 2, (height - tall) / 2, wide, tall);
      const { data: pixels } = small.getImageData(0, 0, width, height);
      live.upload(pixels.filter((_, at) => at % 4 < 3), file.name);
    } catch {
      problem(`${file.name} is no picture that this browser can read`);
    }
  }

  // ---- moves: the reader's are shown here and told to the kernel

  function move(part) {
    if ((part.image ?? state.image) !== state.image) part.dropped = []; // another image is whole again
    if ("query" in part) preview = null;
    show(part);
    live?.changed({ ...state });
  }

  function toggle(patch) {
    const others = state.dropped.filter((dropped) => dropped !== patch);
    const dropped = others.length < state.dropped.length ? others : [...others, patch].sort((a, b) => a - b);
    if (dropped.length < patches) move({ dropped }); // one has to stay
  }

  /** Go on step by step to the last layer or epoch, from the first when it is there already; or stop. */
  function play(name) {
    const was = playing;
    stop();
    if (was === name) return show({});
    const step = () => {
      const at = (sliderAt(name) + 1) % (1 + last[name]);
      if (still || at === last[name] || !element.isConnected) stop();
      move({ [name]: stateAt(name, at) });
    };
    [playing, timer] = [name, setInterval(step, PACE)];
    step();
  }

  function stop() {
    clearInterval(timer);
    playing = null;
  }

  for (const { canvas } of [overlay, bare]) {
    const at = (position, whole, count) => clamp(Math.floor((position / whole) * count), 0, count - 1);
    const under = (event) => 1 + at(event.offsetY, canvas.clientHeight, rows) * columns
      + at(event.offsetX, canvas.clientWidth, columns);
    canvas.addEventListener("click", (event) => (dropping ? toggle(under(event)) : move({ query: under(event) })));
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") point(under(event)); // a finger that passes wants to scroll
    });
    canvas.addEventListener("pointerleave", () => point(null));
    onArrows(canvas, (down, across) => {
      const from = ((dropping ? cursor : state.query) || 1) - 1;
      const row = clamp(Math.floor(from / columns) + down, 0, rows - 1);
      const patch = 1 + row * columns + clamp((from % columns) + across, 0, columns - 1);
      if (dropping) point(patch, false);
      else move({ query: patch });
    });
    canvas.addEventListener("keydown", (event) => {
      if (!dropping || ![" ", "Enter"].includes(event.key)) return;
      toggle(cursor || 1);
      event.preventDefault(); // of scrolling
    });
  }

  /** The patch under the pointer is a query to be looked at, or one that may be dropped. */
  function point(patch, quiet = true) {
    if (patch === (dropping ? cursor : preview)) return;
    if (dropping) cursor = patch;
    else preview = patch;
    redraw(quiet);
  }

  const choose = (layer, head) =>
    move({ layer: clamp(layer, 0, layers - 1), head: clamp(head, 0, heads - 1), mode: "raw" });
  thumbs.canvas.addEventListener("click", ({ offsetX, offsetY }) => {
    const { clientWidth, clientHeight } = thumbs.canvas;
    choose(Math.floor((offsetY / clientHeight) * layers), Math.floor((offsetX / clientWidth) * heads));
  });
  onArrows(thumbs.canvas, (down, across) => choose(state.layer + down, state.head + across));

  // ---- what the data say

  const whole = () => data.views[state.image * epochs.length + epochs.indexOf(state.epoch)];
  const present = () => (state.dropped.length && data.masked) || whole();

  /** The weights on the patches and on the class token for what is chosen now. */
  function read(view, query) {
    const weights = new Float32Array(patches);
    const { mode, layer, head } = state;
    const maps = mode === "rollout" ? [heads] : head < 0 ? [...Array(heads).keys()] : [head];
    let kept = 0;
    for (const map of maps) {
      const row = (layer * (heads + 1) + map) * (1 + patches) + query;
      const unit = view.scales[row] / (data.quantizationLevels * maps.length);
      for (let patch = 0; patch < patches; patch++) weights[patch] += unit * view.weights[row * patches + patch];
      kept += view.kept[row] / maps.length;
    }
    return { weights, kept };
  }

  // ---- drawing

  function show(part) {
    Object.assign(state, part);
    for (const name in inputs) {
      if (name === "mode") continue;
      inputs[name].max = lastOf(name);
      inputs[name].parentElement.hidden = lastOf(name) === 0; // nothing to choose
      state[name] = stateAt(name, clamp(sliderAt(name), Number(inputs[name].min), lastOf(name)));
      inputs[name].value = sliderAt(name);
    }
    inputs.mode.value = state.mode;
    inputs.head.disabled = state.mode === "rollout"; // which is made from the mean over heads
    redraw(playing !== null);
  }

  /** Draw what is chosen. `quiet`: nothing that a screen reader should speak of by itself. */
  function redraw(quiet = false) {
    const view = present();
    missing = !view || !data.pictures[state.image];
    if (missing) return;
    const query = preview ?? state.query;
    const { weights, kept } = read(view, query);
    const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    weights.forEach((weight, patch) => (map.ink[patch] = colourOf(weight, largest || 1)));
    drawMaps(query);
    drawThumbs(view, query);
    drawBars(view);
    describe(view, query, weights, kept, largest, quiet);
    Object.assign(element.dataset, state, { preview: preview ?? "", scale: largest || 1 });
  }

  function drawMaps(query) {
    const all = [0, 0, width * zoom, height * zoom];
    const small = map.put();
    overlay.imageSmoothingEnabled = bare.imageSmoothingEnabled = false;
    overlay.drawImage(picture(state.image), ...all);
    overlay.globalAlpha = state.opacity;
    overlay.drawImage(small, ...all);
    overlay.globalAlpha = 1;
    bare.drawImage(small, ...all);
    const line = clamp(Math.round(cell / 8), 2, 5);
    for (const canvas of [overlay, bare]) {
      for (const patch of state.dropped) hatch(canvas, patch);
      if (query) box(canvas, ...corner(query), cell, cell, line, "white");
      if (cursor) box(canvas, ...corner(cursor), cell, cell, line / 2, "white");
    }
  }

  const corner = (patch) => [((patch - 1) % columns) * cell, Math.floor((patch - 1) / columns) * cell];

  /** A frame inside a rectangle; with a white edge it shows on any colour. */
  function box(canvas, x, y, across, down, line, edge = "transparent") {
    for (const [colour, thick] of [[edge, 2 * line], [QUERY, line]]) {
      Object.assign(canvas, { strokeStyle: colour, lineWidth: thick });
      canvas.strokeRect(x + line, y + line, across - 2 * line, down - 2 * line);
    }
  }

  function hatch(canvas, patch) {
    const [x, y] = corner(patch);
    Object.assign(canvas, { fillStyle: "#777", strokeStyle: "white", lineWidth: Math.max(1, cell / 20) });
    canvas.fillRect(x, y, cell, cell);
    canvas.beginPath();
    for (const [from, to] of [[0, 0.5], [0, 1], [0.5, 1]]) { // three strokes up to the right
      canvas.moveTo(x + from * cell, y + to * cell);
      canvas.lineTo(x + to * cell, y + from * cell);
    }
    canvas.stroke();
  }

  const pictures = []; // canvases of the images' own size

  function picture(image) {
    if (pictures[image]) return pictures[image];
    pictures[image] = make("canvas", { width, height });
    const drawn = new ImageData(new Uint8ClampedArray(data.pictures[image]), width, height);
    pictures[image].getContext("2d").putImageData(drawn, 0, 0);
    return pictures[image];
  }

  const inAtlas = Array.from({ length: patches }, (_, at) => Math.floor(at / columns) * heads * across + (at % columns));
  let drawn = {}; // what the thumbnails show

  /** Every head of every layer, each scaled to its own largest weight; the chosen ones framed. */
  function drawThumbs(view, query) {
    if (drawn.view !== view || drawn.query !== query)
      for (let layer = 0; layer < layers; layer++)
        for (let head = 0; head < heads; head++) {
          const start = (layer * down + 1) * heads * across + head * across + 1;
          const row = ((layer * (heads + 1) + head) * (1 + patches) + query) * patches;
          for (let patch = 0; patch < patches; patch++)
            atlas.ink[start + inAtlas[patch]] = shades[view.weights[row + patch]];
        }
    drawn = { view, query };
    const { width, height } = thumbs.canvas, through = state.mode === "rollout", one = !through && state.head >= 0;
    thumbs.clearRect(0, 0, width, height);
    thumbs.imageSmoothingEnabled = false;
    thumbs.drawImage(atlas.put(), 0, 0, width, height);
    const line = clamp(thumbZoom / 2, 1.5, 4);
    for (let layer = through ? 0 : state.layer; layer <= state.layer; layer++)
      for (let head = one ? state.head : 0; head <= (one ? state.head : heads - 1); head++)
        box(thumbs, head * across * thumbZoom, layer * down * thumbZoom, across * thumbZoom, down * thumbZoom, line);
  }

  const className = (index) => (data.classes ? data.classes[index] : `class ${index}`);
  const guessOf = (view) => view.probabilities.indexOf(Math.max(...view.probabilities));
  let barred = {}; // what the bars show

  /** The prediction, and a bar a class; where patches are dropped, a mark says where it was. */
  function drawBars(view) {
    const before = whole().probabilities, guess = guessOf(view);
    if (barred.view === view && barred.before === before) return;
    barred = { view, before };
    const truth = data.labels?.[state.image] ?? null;
    const verdict = truth === null ? "" : truth === guess ? ", right" : `, wrong: it is ${className(truth)}`;
    find(".prediction b").textContent = className(guess);
    find(".prediction span").textContent = ` ${percent(view.probabilities[guess])}${verdict}`;
    const order = [...view.probabilities.keys()];
    if (order.length > MOST_BARS) order.sort((a, b) => before[b] - before[a]).splice(MOST_BARS);
    find(".bars").replaceChildren(...order.map((index) => {
      const share = view.probabilities[index], was = view === whole() ? null : before[index];
      const bar = make("div", { role: "listitem", className: index === guess ? "guess" : "", title: className(index) });
      const level = make("i");
      level.style.setProperty("--share", `${100 * share}%`);
      if (was !== null) level.style.setProperty("--before", `${100 * was}%`);
      bar.ariaLabel = `${className(index)} ${percent(share)}${was === null ? "" : `, was ${percent(was)}`}`;
      bar.append(make("span", { textContent: className(index) }), level, make("span", { textContent: brief(share) }));
      return bar;
    }));
  }

  // ---- words

  const place = (patch) => `row ${Math.floor((patch - 1) / columns) + 1}, column ${((patch - 1) % columns) + 1}`;

  function describe(view, query, weights, kept, largest, quiet) {
    const { image, layer, head, mode, epoch, dropped } = state;
    const texts = {
      image: `image ${image + 1} of ${data.images}`,
      layer: `layer ${layer + 1} of ${layers}`,
      head: mode === "rollout" || head < 0 ? "mean over heads" : `head ${head}`,
      query: query > 0 ? `patch ${place(query)}` : data.classToken ? "class token" : "mean over queries",
      epoch: `epoch ${epoch} of ${epochs.at(-1)}`,
      opacity: `${Math.round(100 * state.opacity)} %`,
    };
    for (const name in texts) {
      values[name].textContent = texts[name].replace(/^(image|layer|patch|epoch) /, ""); // said by the label already
      inputs[name].setAttribute("aria-valuetext", texts[name]);
    }
    values.query.dataset.colour = query === 0 && data.classToken ? "token" : "query";
    buttons.token.ariaPressed = state.query === 0;
    for (const name of ["layer", "epoch"]) {
      buttons[name].textContent = playing === name ? "pause" : still ? "step" : "play";
      buttons[name].ariaLabel = `${buttons[name].textContent} ${name}s`;
    }
    buttons.drop.ariaPressed = dropping;
    buttons.back.disabled = dropped.length === 0;

    find(".largest").textContent = number(largest);
    find(".kept").textContent = data.classToken ? `class token ${number(kept)}` : "";
    const source = mode === "rollout" ? `rollout through layers 1 to ${layer + 1}` : `${texts.layer}, ${texts.head}`;
    const asked = query > 0 || data.classToken ? `Query: ${texts.query}` : "No class token: mean over queries";
    const peak = largest > 0 ? `most at patch ${place(1 + weights.indexOf(largest))}, with weight ${number(largest)}`
      : "at no patch";
    const guess = guessOf(view), lacking = dropped.length ? ` ${dropped.length} of ${patches} patches dropped.` : "";
    const next = cursor ? ` Under the cursor: patch ${place(cursor)}.` : "";
    const sentence =
      `Image ${image + 1} of ${data.images}, ${epoch === null ? "" : `epoch ${epoch}, `}${source}. ` +
      `${asked}${dropped.includes(query) ? ", which is dropped" : ""}. It looks ${peak}. ` +
      `Prediction: ${className(guess)}, ${percent(view.probabilities[guess])}.${lacking}${next}`;
    find(".sentence").ariaLive = quiet ? "off" : "polite";
    find(".sentence").textContent = sentence;
    const does = dropping ? "arrow keys choose a patch, space drops it or puts it back" : "arrow keys move the query";
    for (const { canvas } of [overlay, bare]) canvas.ariaLabel = `${sentence} Here ${does}.`;
    thumbs.canvas.ariaLabel = `Maps of all heads and layers; ${source} is framed. Here arrow keys choose.`;
    find(".tensor").hidden = dropped.length > 0; // such weights are in no tensor of the whole image
    find("code").textContent = expression(query);
  }

  /** The tensor that is drawn, as one writes it in a notebook. */
  function expression(query) {
    const { image, layer, head, mode } = state;
    const mean = query === 0 && !data.classToken; // over queries
    const index = `${mean ? ":" : data.classToken ? query : query - 1}${data.classToken ? ", 1:" : ""}`; // the patches
    if (mode === "rollout") return `rollout(weights[:${layer + 1}])[${image}, ${index}]${mean ? ".mean(0)" : ""}`;
    const averaged = ["", ".mean(0)", ".mean((0, 1))"][(head < 0) + mean];
    return `weights[${layer}][${image}, ${head < 0 ? ":" : head}, ${index}]${averaged}`;
  }

  if (data.quantizationLevels < 255) find(".alone").textContent += `, in ${data.quantizationLevels} steps`;
  show({});
  return { show, problem, stop, arrived: () => missing && redraw(true) };
}

/** Call go(down, across) when an arrow key is pressed on a canvas. */
function onArrows(canvas, go) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  canvas.addEventListener("keydown", (event) => {
    if (!steps[event.key]) return;
    go(...steps[event.key]);
    event.preventDefault(); // of scrolling
  });
}

/** Pixels to be written as whole numbers, and a canvas that shows them. */
function pixelGrid(width, height) {
  const canvas = make("canvas", { width, height }), image = new ImageData(width, height);
  const put = () => (canvas.getContext("2d").putImageData(image, 0, 0), canvas);
  return { ink: new Uint32Array(image.data.buffer), put };
}

/** The bytes of `pack` in views.py. */
function decode(bytes, { outputs, layers, heads, patches }) {
  const { buffer } = bytes.slice(), rows = layers * (heads + 1) * (1 + patches); // a copy starts where floats may start
  const squares = (start) => Float32Array.from(new Uint16Array(buffer, start, rows), (root) => (root / 65535) ** 2);
  return {
    probabilities: new Float32Array(buffer, 0, outputs),
    scales: squares(4 * outputs),
    kept: squares(4 * outputs + 2 * rows),
    weights: new Uint8Array(buffer, 4 * outputs + 4 * rows),
  };
}

/** In a live notebook: the state is the widget's, and both sides may move it. */
function render({ model, el }) {
  const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength); // of a DataView
  const state = () => Object.fromEntries(STATE.map((name) => [name, model.get(name)]));
  const data = { state: state() };
  const take = {
    metadata: () => Object.assign(data, model.get("metadata")),
    pictures: () => (data.pictures = model.get("pictures").map(bytes)),
    views: () => (data.views = model.get("views").map((view) => decode(bytes(view), data))),
    masked: () => (data.masked = model.get("masked").byteLength ? decode(bytes(model.get("masked")), data) : null),
  };
  for (const name in take) take[name]();
  const mounted = mount(el, data, {
    changed(moved) {
      for (const name of STATE) model.set(name, moved[name]);
      model.save_changes();
    },
    upload: (pixels, name) => model.send({ name }, undefined, [pixels.buffer]),
  });
  const events = { "msg:custom": ({ problem }) => mounted.problem(problem) };
  const follow = (name) => () => {
    take.metadata(); // the events of one message come in any order
    take[name]?.();
    mounted.show(state());
  };
  for (const name of [...Object.keys(take), ...STATE]) events[`change:${name}`] = follow(name);
  for (const name in events) model.on(name, events[name]);
  return () => {
    mounted.stop();
    for (const name in events) model.off(name, events[name]);
  };
}

export default { render };
