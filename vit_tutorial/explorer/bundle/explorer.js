// Made by `make bundle` from vit_tutorial/explorer/js: change it there.

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
var bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);

// explorer/decode.js
var ROOTS = 65535;
function decode(bytes, { outputs, layers, heads, patches }) {
  const { buffer } = bytes.slice();
  const rows = layers * (heads + 1) * (1 + patches);
  const squares = (start) => {
    const roots = new Uint16Array(buffer, start, rows);
    return Float32Array.from(roots, (root) => (root / ROOTS) ** 2);
  };
  return {
    probabilities: new Float32Array(buffer, 0, outputs),
    scales: squares(4 * outputs),
    kept: squares(4 * outputs + 2 * rows),
    weights: new Uint8Array(buffer, 4 * outputs + 4 * rows)
  };
}
var rowOf = ({ heads, patches }, layer, map, query) => (layer * (heads + 1) + map) * (1 + patches) + query;
function weightsOf(view, data, { mode, layer, head }, query) {
  const { heads, patches, quantizationLevels } = data;
  const all = [...Array(heads).keys()];
  const maps = mode === "rollout" ? [heads] : head < 0 ? all : [head];
  const weights = new Float32Array(patches);
  let kept = 0;
  for (const map of maps) {
    const row = rowOf(data, layer, map, query);
    const unit = view.scales[row] / (quantizationLevels * maps.length);
    for (let patch = 0; patch < patches; patch++)
      weights[patch] += unit * view.weights[row * patches + patch];
    kept += view.kept[row] / maps.length;
  }
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return { weights, kept, largest };
}
var wholeView = ({ views, epochs }, { image, epoch }) => views[image * epochs.length + epochs.indexOf(epoch)];
var presentView = (data, state) => state.dropped.length && data.masked || wholeView(data, state);
var guessOf = ({ probabilities }) => probabilities.indexOf(Math.max(...probabilities));

// frame/dom.js
var clamp = (value, low, high) => Math.max(low, Math.min(high, value));
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
var ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0]
};
function onArrows(element, go) {
  element.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    go(...ARROWS[event.key], event);
    event.preventDefault();
  });
}

// explorer/sentences.js
var number = (weight) => weight.toFixed(weight < 0.01 ? 4 : 3);
function percent(share) {
  if (share > 0.995) return "over 99 %";
  return share < 5e-3 ? "under 1 %" : `${Math.round(100 * share)} %`;
}
var brief = (share) => percent(share).replace("over ", ">").replace("under ", "<");
var className = ({ classes }, index) => classes ? classes[index] : `class ${index}`;
function verdict(data, image, guess) {
  const truth = data.labels?.[image] ?? null;
  if (truth === null) return "";
  return truth === guess ? ", right" : `, wrong: it is ${className(data, truth)}`;
}
function place(patch, { grid: [, columns] }) {
  const row = Math.floor((patch - 1) / columns);
  return `row ${row + 1}, column ${(patch - 1) % columns + 1}`;
}
function queryText(query, data) {
  if (query > 0) return `patch ${place(query, data)}`;
  return data.classToken ? "class token" : "mean over queries";
}
function sliderTexts(data, state, query) {
  const { image, layer, head, mode, epoch, opacity } = state;
  return {
    image: `image ${image + 1} of ${data.images}`,
    layer: `layer ${layer + 1} of ${data.layers}`,
    head: mode === "rollout" || head < 0 ? "mean over heads" : `head ${head}`,
    query: queryText(query, data),
    epoch: `epoch ${epoch} of ${data.epochs.at(-1)}`,
    opacity: `${Math.round(100 * opacity)} %`
  };
}
function source(data, state) {
  const { layer, head } = sliderTexts(data, state, 0);
  const through = `rollout through layers 1 to ${state.layer + 1}`;
  return state.mode === "rollout" ? through : `${layer}, ${head}`;
}
function sentence(data, state, shown) {
  const { image, epoch, dropped } = state;
  const { view, query, weights, largest, cursor } = shown;
  const asked = query > 0 || data.classToken ? `Query: ${queryText(query, data)}` : "No class token: mean over queries";
  const peak = largest > 0 ? `most at patch ${place(1 + weights.indexOf(largest), data)}, with weight ${number(largest)}` : "at no patch";
  const guess = guessOf(view);
  return [
    `Image ${image + 1} of ${data.images}, `,
    epoch === null ? "" : `epoch ${epoch}, `,
    `${source(data, state)}. `,
    `${asked}${dropped.includes(query) ? ", which is dropped" : ""}. `,
    `It looks ${peak}. `,
    `Prediction: ${className(data, guess)}, ${percent(view.probabilities[guess])}.`,
    dropped.length ? ` ${dropped.length} of ${data.patches} patches dropped.` : "",
    cursor ? ` Under the cursor: patch ${place(cursor, data)}.` : ""
  ].join("");
}
var keys = (dropping) => dropping ? "arrow keys choose a patch, space drops it or puts it back" : "arrow keys move the query";
function expression({ classToken }, { image, layer, head, mode }, query) {
  const mean = query === 0 && !classToken;
  const row = mean ? ":" : classToken ? query : query - 1;
  const index = `${row}${classToken ? ", 1:" : ""}`;
  const through = `rollout(weights[:${layer + 1}])[${image}, ${index}]`;
  if (mode === "rollout") return mean ? `${through}.mean(0)` : through;
  const averaged = ["", ".mean(0)", ".mean((0, 1))"][(head < 0) + mean];
  return `weights[${layer}][${image}, ${head < 0 ? ":" : head}, ${index}]${averaged}`;
}

// explorer/bars.js
var MOST = 12;
function barred(probabilities, most = MOST) {
  const order = [...probabilities.keys()];
  if (order.length <= most) return order;
  return order.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, most);
}
function classBars(find, data) {
  let drawn = {};
  function bar(index, view, before, guess) {
    const share = view.probabilities[index];
    const name = className(data, index);
    const row = make("div", { role: "listitem", title: name });
    row.className = index === guess ? "guess" : "";
    row.ariaLabel = `${name} ${percent(share)}`;
    const level = make("i");
    level.style.setProperty("--share", `${100 * share}%`);
    if (before) {
      level.style.setProperty("--before", `${100 * before[index]}%`);
      row.ariaLabel += `, was ${percent(before[index])}`;
    }
    const number2 = make("span", { textContent: brief(share) });
    row.append(make("span", { textContent: name }), level, number2);
    return row;
  }
  return function draw({ image }, view, whole) {
    if (drawn.view === view && drawn.whole === whole) return;
    drawn = { view, whole };
    const guess = guessOf(view);
    const before = view === whole ? null : whole.probabilities;
    find(".prediction b").textContent = className(data, guess);
    const share = percent(view.probabilities[guess]);
    find(".prediction span").textContent = ` ${share}${verdict(data, image, guess)}`;
    const bars = barred(whole.probabilities).map((index) => bar(index, view, before, guess));
    find(".bars").replaceChildren(...bars);
  };
}

// explorer/state.js
var STATE = [
  "image",
  "layer",
  "head",
  "query",
  "epoch",
  "mode",
  "opacity",
  "dropped"
];
var SLIDERS = ["image", "layer", "head", "query", "epoch", "opacity"];
var first = (name) => name === "head" ? -1 : 0;
function last(name, { images, layers, heads, patches, epochs }) {
  return {
    image: images - 1,
    // pictures can be added
    layer: layers - 1,
    head: heads - 1,
    query: patches,
    epoch: epochs.length - 1,
    opacity: 1
  }[name];
}
var positionOf = (name, choice, { epochs }) => name === "epoch" ? epochs.indexOf(choice) : choice;
var choiceAt = (name, position, { epochs }) => name === "epoch" ? epochs[position] : position;
function within(state, data) {
  const bounded = { ...state };
  for (const name of SLIDERS) {
    const position = positionOf(name, state[name], data);
    const there = clamp(position, first(name), last(name, data));
    bounded[name] = choiceAt(name, there, data);
  }
  return bounded;
}
var consequences = (state, part) => (part.image ?? state.image) === state.image ? part : { ...part, dropped: [] };
function toggled(dropped, patch, patches) {
  const others = dropped.filter((other) => other !== patch);
  if (others.length < dropped.length) return others;
  const more = [...dropped, patch].sort((a, b) => a - b);
  return more.length < patches ? more : dropped;
}
function step(name, state, data) {
  const end = last(name, data);
  const position = (positionOf(name, state[name], data) + 1) % (1 + end);
  return { part: { [name]: choiceAt(name, position, data) }, ends: position === end };
}
function neighbour(patch, down, across, [rows, columns]) {
  const from = (patch || 1) - 1;
  const row = clamp(Math.floor(from / columns) + down, 0, rows - 1);
  return 1 + row * columns + clamp(from % columns + across, 0, columns - 1);
}

// explorer/controls.js
function controls2(find, data, hear) {
  const inputs = {};
  const values = {};
  const buttons = {};
  for (const name of SLIDERS) addSlider(name);
  addMode();
  addTools();
  const beside = (name) => inputs[name].parentElement;
  const none = data.classToken ? "class token" : "mean over queries";
  addButton("token", data.classToken ? none : "mean", beside("query"), hear.token);
  buttons.token.ariaLabel = `query: ${none}`;
  for (const name of ["layer", "epoch"])
    addButton(name, "play", beside(name), () => hear.play(name));
  function addSlider(name) {
    const min = first(name);
    const step2 = name === "opacity" ? 0.05 : 1;
    const input = make("input", { type: "range", min, max: last(name, data), step: step2 });
    values[name] = make("span", { ariaHidden: "true" });
    addControl(name, input, values[name]);
    input.addEventListener("input", () => hear.slid(name, Number(input.value)));
  }
  function addMode() {
    const input = make("select");
    input.append(new Option("raw attention of one layer", "raw"));
    input.append(new Option("rollout through the layers", "rollout"));
    input.addEventListener("input", () => hear.mode(input.value));
    addControl("mode", input);
  }
  function addTools() {
    addButton("drop", "drop patches", find(".tools"), hear.drop);
    addButton("back", "put all back", find(".tools"), hear.restore);
    const file = find("input[type=file]");
    file.addEventListener("change", async () => {
      if (file.files.length) await hear.file(file.files[0]);
      file.value = "";
    });
  }
  function addControl(name, input, ...more) {
    inputs[name] = input;
    const control = make("div");
    control.append(labelled(name, input), input, ...more);
    find(".controls").append(control);
  }
  function addButton(name, textContent, parent, pressed) {
    buttons[name] = make("button", { type: "button", textContent });
    buttons[name].addEventListener("click", pressed);
    parent.append(buttons[name]);
  }
  function place2(state) {
    for (const name of SLIDERS) {
      const max = last(name, data);
      inputs[name].max = max;
      inputs[name].parentElement.hidden = max === 0;
      inputs[name].value = positionOf(name, state[name], data);
    }
    inputs.mode.value = state.mode;
    inputs.head.disabled = state.mode === "rollout";
    buttons.token.ariaPressed = state.query === 0;
    buttons.back.disabled = state.dropped.length === 0;
  }
  function say(texts, isToken, words, dropping) {
    for (const name in texts) {
      const saidByLabel = /^(image|layer|patch|epoch) /;
      values[name].textContent = texts[name].replace(saidByLabel, "");
      inputs[name].setAttribute("aria-valuetext", texts[name]);
    }
    values.query.dataset.colour = isToken ? "token" : "query";
    for (const name in words) {
      buttons[name].textContent = words[name];
      buttons[name].ariaLabel = `${words[name]} ${name}s`;
    }
    buttons.drop.ariaPressed = dropping;
  }
  return { place: place2, say };
}

// explorer/canvas.js
var QUERY = "#0072B2";
function penOf(canvas, width, height) {
  const pen = Object.assign(canvas, { width, height }).getContext("2d");
  pen.imageSmoothingEnabled = false;
  return pen;
}
function pixelGrid(width, height) {
  const canvas = make("canvas", { width, height });
  const image = new ImageData(width, height);
  const put = () => {
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  };
  return { ink: new Uint32Array(image.data.buffer), put };
}
function pictureOf(bytes, width, height) {
  const canvas = make("canvas", { width, height });
  const pixels = new ImageData(new Uint8ClampedArray(bytes), width, height);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}
function box(pen, [x, y, width, height], line, edge = "transparent") {
  for (const [strokeStyle, lineWidth] of [[edge, 2 * line], [QUERY, line]]) {
    Object.assign(pen, { strokeStyle, lineWidth });
    pen.strokeRect(x + line, y + line, width - 2 * line, height - 2 * line);
  }
}
function hatch(pen, [x, y, side]) {
  const lineWidth = Math.max(1, side / 20);
  Object.assign(pen, { fillStyle: "#777", strokeStyle: "white", lineWidth });
  pen.fillRect(x, y, side, side);
  pen.beginPath();
  for (const [from, to] of [[0, 0.5], [0, 1], [0.5, 1]]) {
    pen.moveTo(x + from * side, y + to * side);
    pen.lineTo(x + to * side, y + from * side);
  }
  pen.stroke();
}

// explorer/maps.js
function largeMaps(overlayCanvas, bareCanvas, data) {
  const [rows, columns] = data.grid;
  const [height, width] = data.size;
  const zoom = Math.ceil(480 / Math.max(height, width));
  const side = width / columns * zoom;
  const line = clamp(Math.round(side / 8), 2, 5);
  const all = [0, 0, width * zoom, height * zoom];
  const overlay = penOf(overlayCanvas, width * zoom, height * zoom);
  const bare = penOf(bareCanvas, width * zoom, height * zoom);
  const map = pixelGrid(columns, rows);
  const pictures = [];
  const square = (patch) => {
    const row = Math.floor((patch - 1) / columns);
    return [(patch - 1) % columns * side, row * side, side, side];
  };
  function mark(pen, { dropped }, { query, cursor }) {
    for (const patch of dropped) hatch(pen, square(patch));
    if (query) box(pen, square(query), line, "white");
    if (cursor) box(pen, square(cursor), line / 2, "white");
  }
  return function draw(state, shown) {
    const most = shown.largest || 1;
    shown.weights.forEach((weight, patch) => {
      map.ink[patch] = data.colours[Math.round(255 * weight / most)];
    });
    const small = map.put();
    pictures[state.image] ??= pictureOf(data.pictures[state.image], width, height);
    overlay.drawImage(pictures[state.image], ...all);
    overlay.globalAlpha = state.opacity;
    overlay.drawImage(small, ...all);
    overlay.globalAlpha = 1;
    bare.drawImage(small, ...all);
    for (const pen of [overlay, bare]) mark(pen, state, shown);
  };
}
function drawColours(canvas, colours) {
  const scale = pixelGrid(colours.length, 1);
  scale.ink.set(colours);
  penOf(canvas, colours.length, 1).drawImage(scale.put(), 0, 0);
}

// explorer/play.js
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

// explorer/pointing.js
function cellUnder({ offsetX, offsetY }, { clientWidth, clientHeight }, rows, columns) {
  const at = (position, whole, count) => clamp(Math.floor(position / whole * count), 0, count - 1);
  return [at(offsetY, clientHeight, rows), at(offsetX, clientWidth, columns)];
}
function onPatches(canvas, [rows, columns], { chosen: chosen2, under, arrow, pressed }) {
  const patchUnder = (event) => {
    const [row, column] = cellUnder(event, canvas, rows, columns);
    return 1 + row * columns + column;
  };
  canvas.addEventListener("click", (event) => chosen2(patchUnder(event)));
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    under(patchUnder(event));
  });
  canvas.addEventListener("pointerleave", () => under(null));
  onArrows(canvas, arrow);
  canvas.addEventListener("keydown", (event) => {
    if (![" ", "Enter"].includes(event.key)) return;
    if (pressed()) event.preventDefault();
  });
}
function onMaps(canvas, { layers, heads }, { chosen: chosen2, arrow }) {
  canvas.addEventListener("click", (event) => chosen2(...cellUnder(event, canvas, layers, heads)));
  onArrows(canvas, arrow);
}

// explorer/thumbs.js
function smallMaps(canvas, data) {
  const { layers, heads, patches, quantizationLevels } = data;
  const [rows, columns] = data.grid;
  const across = columns + 2;
  const down = rows + 2;
  const zoom = Math.ceil(360 / Math.max(heads * across, layers * down));
  const pen = penOf(canvas, heads * across * zoom, layers * down * zoom);
  const atlas = pixelGrid(heads * across, layers * down);
  const shades = Uint32Array.from({ length: quantizationLevels + 1 }, (_, level) => data.colours[Math.round(255 * level / quantizationLevels)]);
  const inAtlas = Array.from({ length: patches }, (_, patch) => Math.floor(patch / columns) * heads * across + patch % columns);
  let drawn = {};
  function fill(view, query) {
    for (let layer = 0; layer < layers; layer++)
      for (let head = 0; head < heads; head++) {
        const start = (layer * down + 1) * heads * across + head * across + 1;
        const row = rowOf(data, layer, head, query) * patches;
        for (let patch = 0; patch < patches; patch++)
          atlas.ink[start + inAtlas[patch]] = shades[view.weights[row + patch]];
      }
    drawn = { view, query };
  }
  return function draw(state, view, query) {
    if (drawn.view !== view || drawn.query !== query) fill(view, query);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(atlas.put(), 0, 0, canvas.width, canvas.height);
    const line = clamp(zoom / 2, 1.5, 4);
    for (const [layer, head] of chosen(state, heads)) {
      const corner = [head * across * zoom, layer * down * zoom];
      box(pen, [...corner, across * zoom, down * zoom], line);
    }
  };
}
function chosen({ mode, layer, head }, heads) {
  const through = mode === "rollout";
  const layers = through ? [...Array(layer + 1).keys()] : [layer];
  const those = through || head < 0 ? [...Array(heads).keys()] : [head];
  return layers.flatMap((one) => those.map((other) => [one, other]));
}

// explorer/upload.js
function cover(picture, width, height) {
  const shrink = Math.max(width / picture.width, height / picture.height);
  const [wide, tall] = [picture.width * shrink, picture.height * shrink];
  return [(width - wide) / 2, (height - tall) / 2, wide, tall];
}
async function readPicture(file, width, height) {
  const picture = await createImageBitmap(file);
  const small = make("canvas", { width, height }).getContext("2d");
  Object.assign(small, { imageSmoothingQuality: "high", fillStyle: "white" });
  small.fillRect(0, 0, width, height);
  small.drawImage(picture, ...cover(picture, width, height));
  const { data } = small.getImageData(0, 0, width, height);
  return data.filter((_, at) => at % 4 < 3);
}

// explorer/mount.js
var LAYOUT = `
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
  <label>own picture <input type="file" accept="image/*"></label></div>
<p class="problem" role="alert"></p>
<p class="sentence" role="status"></p>
<p class="tensor">as a tensor: <code></code></p>`;
function mount(element, data, live = null) {
  const state = { ...data.state };
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let preview = null;
  let dropping = false;
  let cursor = null;
  let missing = false;
  const find = frame(element, "vit-explorer", LAYOUT);
  const [overlay, bare, thumbs] = ["overlay", "bare", "thumbs"].map((name) => find(`canvas.${name}`));
  const drawLarge = largeMaps(overlay, bare, data);
  const drawSmall = smallMaps(thumbs, data);
  const drawBars = classBars(find, data);
  drawColours(find(".colours"), data.colours);
  if (data.quantizationLevels < 255)
    find(".alone").textContent += `, in ${data.quantizationLevels} steps`;
  find(".tools").hidden = live === null;
  const play = player((name) => {
    const { part, ends } = step(name, state, data);
    return { part, ends: ends || still || !element.isConnected };
  }, move);
  const board = controls2(find, data, {
    slid(name, position) {
      if (name === play.playing()) play.stop();
      move({ [name]: choiceAt(name, position, data) });
    },
    mode: (mode) => move({ mode }),
    token: () => move({ query: 0 }),
    play(name) {
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
    file: upload
  });
  for (const canvas of [overlay, bare])
    onPatches(canvas, data.grid, {
      chosen: (patch) => dropping ? toggle(patch) : move({ query: patch }),
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
      }
    });
  const choose = (layer, head) => move({
    layer: clamp(layer, 0, data.layers - 1),
    head: clamp(head, 0, data.heads - 1),
    mode: "raw"
  });
  onMaps(thumbs, data, {
    chosen: choose,
    arrow: (down, across) => choose(state.layer + down, state.head + across)
  });
  function move(part) {
    if ("query" in part) preview = null;
    show(consequences(state, part));
    live?.changed({ ...state });
  }
  function toggle(patch) {
    const dropped = toggled(state.dropped, patch, data.patches);
    if (dropped !== state.dropped) move({ dropped });
  }
  function point(patch, quiet) {
    if (patch === (dropping ? cursor : preview)) return;
    if (dropping) cursor = patch;
    else preview = patch;
    redraw(quiet);
  }
  async function upload(file) {
    problem("");
    try {
      const [height, width] = data.size;
      live.upload(await readPicture(file, width, height), file.name);
    } catch {
      problem(`${file.name} is no picture that this browser can read`);
    }
  }
  function problem(line) {
    find(".problem").textContent = line;
  }
  function show(part) {
    Object.assign(state, within({ ...state, ...part }, data));
    board.place(state);
    redraw(play.playing() !== null);
  }
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
    const texts = sliderTexts(data, state, query);
    const go = still ? "step" : "play";
    const word = (name) => play.playing() === name ? "pause" : go;
    const words = { layer: word("layer"), epoch: word("epoch") };
    board.say(texts, query === 0 && data.classToken, words, dropping);
    find(".largest").textContent = number(largest);
    const token = data.classToken ? `class token ${number(kept)}` : "";
    find(".kept").textContent = token;
    const sentence2 = sentence(data, state, shown);
    find(".sentence").ariaLive = quiet ? "off" : "polite";
    find(".sentence").textContent = sentence2;
    for (const canvas of [overlay, bare])
      canvas.ariaLabel = `${sentence2} Here ${keys(dropping)}.`;
    const framed = source(data, state);
    thumbs.ariaLabel = `Maps of all heads and layers; ${framed} is framed. Here arrow keys choose.`;
    find(".tensor").hidden = state.dropped.length > 0;
    find("code").textContent = expression(data, state, query);
  }
  show({});
  return { show, problem, stop: play.stop, arrived: () => missing && redraw(true) };
}

// explorer/widget.js
function render({ model, el }) {
  const data = { state: read(model, STATE) };
  const view = (bytes) => bytes.byteLength ? decode(bytesOf(bytes), data) : null;
  const take = {
    metadata: () => Object.assign(data, model.get("metadata")),
    pictures: () => data.pictures = model.get("pictures").map(bytesOf),
    views: () => data.views = model.get("views").map(view),
    masked: () => data.masked = view(model.get("masked"))
  };
  for (const name in take) take[name]();
  const mounted = mount(el, data, {
    changed: (moved) => save(model, moved),
    upload: (pixels, name) => model.send({ name }, void 0, [pixels.buffer])
  });
  const events = { "msg:custom": ({ problem }) => mounted.problem(problem) };
  for (const name of [...Object.keys(take), ...STATE])
    events[`change:${name}`] = () => {
      take.metadata();
      take[name]?.();
      mounted.show(read(model, STATE));
    };
  const leave = follow(model, events);
  return () => {
    mounted.stop();
    leave();
  };
}

// frame/page.js
function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const inflater = new DecompressionStream("deflate");
  const stream = new Blob([packed]).stream().pipeThrough(inflater);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// explorer/page.js
async function mountNext() {
  const waiting = takeNext("vit-explorer");
  if (!waiting) return;
  const { element } = waiting;
  const { metadata, state, pieces } = waiting.data;
  element.dataset.loaded = "none";
  if (!window.DecompressionStream) {
    element.append("These sliders need a browser of 2023 or later.");
    return;
  }
  const data = { ...metadata, state, pictures: [], views: [], masked: null };
  let mounted = null;
  for (const [index, [kind, at, text]] of pieces.entries()) {
    const bytes = await inflate(text);
    data[kind][at] = kind === "views" ? decode(bytes, data) : bytes;
    if (index === 1) {
      mounted = mount(element, data);
      element.dataset.loaded = "first";
    }
    mounted?.arrived();
  }
  element.dataset.loaded = "all";
}

// explorer.js
mountNext();
var explorer_default = { render };
export {
  explorer_default as default
};
