// Shapes and costs of a Vision Transformer. `cost(config)` counts, `mount(element)` draws the form and keeps its state
// in the address. No library, no request.
//
// A config: rows, columns (of the image, in pixels), patch, channels, classes, width (D), depth, heads, ratio (of the
// MLP), pool ("cls" or "mean"), positions ("learned" or "sincos"), batch, precision ("float32" or "mixed").

const WHOLE = { // the numbers that must be whole, and the largest that the page counts with
  rows: 16384, columns: 16384, patch: 16384, channels: 1024, classes: 1e6, width: 65536, depth: 1024, heads: 1024,
  batch: 1e6,
};
const NAMES = {
  rows: "image rows, Y", columns: "image columns, X", patch: "patch side, P", channels: "channels, C",
  width: "width, D", depth: "depth (blocks)", heads: "heads, H", ratio: "MLP ratio", classes: "classes",
  pool: "the head reads", positions: "positions", batch: "batch, B", precision: "precision",
};
const CHOICES = {
  pool: { cls: "the class token", mean: "the mean of patches" },
  positions: { learned: "learned", sincos: "sin-cos (fixed)" },
  precision: { float32: "float32", mixed: "mixed (bfloat16)" },
};

const whole = (value) => value.toLocaleString("en");

const base = { rows: 224, columns: 224, channels: 3, classes: 1000, ratio: 4, pool: "cls", positions: "learned" };
const sizes = { Ti: [192, 12, 3], S: [384, 12, 6], B: [768, 12, 12], L: [1024, 24, 16], H: [1280, 32, 16] };
const standard = (size, patch) => {
  const [width, depth, heads] = sizes[size];
  return [`ViT-${size}/${patch}`, { ...base, patch, width, depth, heads }];
};
const small = (side, patch, width, depth, heads, positions) =>
  ({ ...base, rows: side, columns: side, classes: 10, patch, width, depth, heads, positions });
export const PRESETS = {
  ...Object.fromEntries([["Ti", 16], ["S", 32], ["S", 16], ["B", 32], ["B", 16], ["L", 32], ["L", 16], ["H", 14]]
    .map(([size, patch]) => standard(size, patch))),
  stacks: small(96, 16, 96, 4, 4, "sincos"),
  "stl10-seed": small(112, 16, 384, 3, 6, "learned"),
  "stl10-laptop": small(96, 12, 128, 6, 4, "sincos"),
};

/** The first thing wrong with a config, as [field, sentence]; undefined when it can be built. */
export function wrong(c) {
  const said = (name) => `${NAMES[name]}: ${Number.isFinite(c[name]) ? c[name] : "no number"}, expected`;
  for (const [name, most] of Object.entries(WHOLE))
    if (!(Number.isInteger(c[name]) && c[name] >= 1 && c[name] <= most))
      return [name, `${said(name)} a whole number from 1 to ${whole(most)}`];
  if (!(c.ratio > 0 && c.ratio <= 64)) return ["ratio", `${said("ratio")} more than 0, at most 64`];
  if (c.rows % c.patch || c.columns % c.patch)
    return ["patch", `the patch side ${c.patch} does not divide an image of ${c.rows} × ${c.columns} pixels`];
  if (c.width % c.heads) return ["heads", `${c.heads} heads do not divide the width ${c.width}`];
  if (c.positions === "sincos" && c.width % 4)
    return ["width", `the width ${c.width} is not divisible by 4, which sin-cos positions need`];
  if (c.width * c.ratio < 1) return ["ratio", `the MLP ratio ${c.ratio} leaves no hidden unit at width ${c.width}`];
}

function roundHalfToEven(value) { // as Python rounds the hidden units
  const low = Math.floor(value);
  return value - low !== 0.5 ? Math.round(value) : low + (low % 2);
}

/** Tokens, parameters and multiply-adds by part, and bytes of a training step. The config must be one that fits. */
export function cost(c) {
  const { width: D, depth, heads: H, batch } = c;
  const N = (c.rows / c.patch) * (c.columns / c.patch), T = N + (c.pool === "cls" ? 1 : 0);
  const hidden = roundHalfToEven(D * c.ratio), flat = c.patch ** 2 * c.channels;
  const parts = { // [parameters, multiply-adds of one image]
    "patch embedder": [flat * D + D, N * flat * D],
    "class token": [T > N ? D : 0, 0],
    positions: [c.positions === "learned" ? T * D : 0, 0],
    "attention: its four maps": [depth * (4 * D * D + 4 * D), depth * 4 * T * D * D],
    "attention: scores, mix": [0, depth * 2 * T * T * D],
    MLP: [depth * (2 * D * hidden + hidden + D), depth * 2 * T * D * hidden],
    "norms of the blocks": [depth * 4 * D, 0],
    "head, with its norm": [2 * D + D * c.classes + c.classes, D * c.classes],
  };
  const sum = (at) => Object.values(parts).reduce((total, part) => total + part[at], 0);
  const parameters = sum(0), multiplies = sum(1);

  const mixed = c.precision === "mixed", b = mixed ? 2 : 4; // bytes of a number that enters a matrix product
  const matrices = flat * D + depth * (4 * D * D + 2 * D * hidden) + D * c.classes;
  const block = T * (2 * D * 4 + (6 * D + 2 * hidden) * b + (4 + H) * 4); // kept for the backward pass, one image
  const last = (T > N ? T : 1) * D * 4 + 8 + D * b;
  const memory = {
    weights: 4 * parameters,
    gradients: 4 * parameters,
    "AdamW's two averages": 8 * parameters,
    "bfloat16 copies of matrices": mixed ? 2 * matrices : 0,
    "kept for the backward pass": batch * (c.rows * c.columns * c.channels * b + depth * block + last),
  };
  const bytes = Object.values(memory).reduce((total, part) => total + part, 0);
  return { N, T, parts, parameters, multiplies, share: T / (T + 2 * D + hidden), memory, bytes };
}

const STYLE = `
.vit-calculator { line-height: 1.4; }
.vit-calculator * { box-sizing: border-box; }
.vit-calculator fieldset { border: none; margin: 0 0 1rem; padding: 0; display: grid; gap: 0.5rem 0.9rem;
  grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
.vit-calculator label { display: block; margin: 0; font-size: 0.9em; }
.vit-calculator :is(input, select) { display: block; width: 100%; padding: 0.25rem 0.45rem; border-radius: 4px;
  font: inherit; color: inherit; background: transparent;
  border: 1px solid color-mix(in srgb, currentColor 55%, transparent); }
.vit-calculator option { color: black; background: white; }
.vit-calculator [aria-invalid=true] { border-color: #D55E00; box-shadow: 0 0 0 1px #D55E00; }
.vit-calculator :focus-visible { outline: 2px solid #0072B2; outline-offset: 1px; }
.vit-calculator p { margin: 0 0 0.8rem; }
.vit-calculator .wrong { border-left: 4px solid #D55E00; padding: 0.2rem 0.7rem; }
.vit-calculator [hidden] { display: none; }
.vit-calculator .headline { font-size: 1.1em; }
.vit-calculator table { width: 100%; margin: 0 0 1rem; border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: 0.95em; color: inherit; }
.vit-calculator caption { caption-side: top; padding: 0 0 0.3rem; text-align: left; font-weight: bold; color: inherit; }
.vit-calculator :is(th, td) { padding: 0.2rem 0.4rem; text-align: right; font-weight: normal; border: none;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.vit-calculator th:first-child { padding-left: 0; text-align: left; }
.vit-calculator tr:last-child > * { font-weight: bold; border-bottom: none; }
.vit-calculator td { /* a bar of its share in the column */
  background: linear-gradient(to left, color-mix(in srgb, currentColor 14%, transparent) var(--share, 0%), transparent 0); }
.vit-calculator code { color: inherit; background: color-mix(in srgb, currentColor 8%, transparent); border: none;
  padding: 0.1rem 0.4rem; border-radius: 4px; overflow-wrap: anywhere; }
[data-theme=dark] .vit-calculator { color-scheme: dark; }
@media (max-width: 30rem) { .vit-calculator table { font-size: 0.78em; }
  .vit-calculator :is(th, td) { padding: 0.2rem 0 0.2rem 0.3rem; } }`;

const UNITS = [[1e15, "quadrillion"], [1e12, "trillion"], [1e9, "billion"], [1e6, "million"]];

/** A count to three digits, with its unit; below a million in full. */
function words(value) {
  if (value < 1e6) return whole(value);
  const rounded = Number(value.toPrecision(3)); // 999.7 million are 1.00 billion
  const [unit, name] = UNITS.find(([size]) => rounded >= size);
  const count = rounded / unit;
  return `${count < 1000 ? count.toPrecision(3) : whole(count)} ${name}`;
}

function megabytes(bytes) {
  const size = bytes / 1e6;
  return size >= 1000 ? `${(size / 1000).toFixed(2)} GB` : `${size.toFixed(size < 10 ? 2 : 1)} MB`;
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** The config as the package writes it. */
export function python(c) {
  const size = c.rows === c.columns ? c.rows : `(${c.rows}, ${c.columns})`;
  return `ViTConfig(image_size=${size}, patch_size=${c.patch}, channels=${c.channels}, classes=${c.classes}, ` +
    `dim=${c.width}, depth=${c.depth}, heads=${c.heads}, mlp_ratio=${c.ratio}, pool="${c.pool}", ` +
    `positions="${c.positions}")`;
}

/** Draw the form and the tables; what is chosen stays in the address, after its #. */
export function mount(element) {
  element.innerHTML = `<style>${STYLE}</style><form><fieldset></fieldset></form>
    <p class="wrong" role="alert" id="calculator-wrong" hidden></p>
    <div class="results"><p class="headline" role="status" aria-live="polite"></p>
    <table class="parts"></table><p class="steps"></p><table class="memory"></table>
    <p>In the package: <code></code></p></div>`;
  const find = (selector) => element.querySelector(selector);
  const inputs = {};
  const preset = add("preset", "start from", { "": "own sizes" });
  for (const name in PRESETS) preset.append(new Option(name));
  for (const name in NAMES) inputs[name] = add(name, NAMES[name], CHOICES[name]);
  find("form").addEventListener("submit", (event) => event.preventDefault());
  preset.addEventListener("input", () => preset.value && (put(PRESETS[preset.value]), keep()));
  for (const name in inputs) inputs[name].addEventListener("input", () => (show(), keep()));
  addEventListener("hashchange", () => (put(Object.fromEntries(new URLSearchParams(location.hash.slice(1)))), show()));

  function add(name, text, choices) {
    const label = document.createElement("label");
    const input = document.createElement(choices ? "select" : "input");
    for (const value in choices) input.append(new Option(choices[value], value));
    const step = name === "ratio" ? 0.5 : 1;
    if (!choices) Object.assign(input, { type: "number", min: step, step });
    input.name = name;
    label.append(text, input);
    find("fieldset").append(label);
    return input;
  }

  function put(config) {
    for (const name in config) {
      if (!(name in inputs) || (CHOICES[name] && !Object.hasOwn(CHOICES[name], config[name]))) continue;
      inputs[name].value = config[name];
    }
    show();
  }

  const read = () => Object.fromEntries(Object.keys(inputs).map((name) =>
    [name, CHOICES[name] ? inputs[name].value : inputs[name].valueAsNumber]));

  function keep() {
    const entries = Object.keys(inputs).map((name) => [name, inputs[name].value]);
    history.replaceState(null, "", `#${new URLSearchParams(entries)}`);
  }

  function show() {
    const config = read(), said = wrong(config);
    for (const name in inputs) inputs[name].setAttribute("aria-invalid", said?.[0] === name);
    for (const name in inputs) inputs[name].toggleAttribute("aria-describedby", false);
    if (said) inputs[said[0]].setAttribute("aria-describedby", "calculator-wrong");
    find(".wrong").hidden = !said;
    find(".results").hidden = Boolean(said);
    find(".wrong").textContent = said ? `${said[1][0].toUpperCase()}${said[1].slice(1)}.` : "";
    preset.value = Object.keys(PRESETS).find((name) =>
      Object.entries(PRESETS[name]).every(([key, value]) => config[key] === value)) ?? "";
    if (!said) report(config, cost(config));
  }

  function report(config, found) {
    const { N, T, parts, parameters, multiplies, memory, bytes } = found;
    const grid = `${config.rows / config.patch} × ${config.columns / config.patch}`;
    const first = T > N ? " and the class token" : "";
    find(".headline").textContent = `T = ${whole(T)} tokens: ${grid} = ${whole(N)} patches${first}. ` +
      `${words(parameters)} parameters, ${words(multiplies)} multiply-adds for one image.`;
    table("parts", "One image, forward", ["part", "parameters", "multiply-adds"],
      [...Object.entries(parts).map(([name, counts]) => [name, ...counts]), ["total", parameters, multiplies]], whole);
    find(".steps").innerHTML = `That is <b data-name="flops"></b> FLOPs, two for each multiply-add. A training step
      costs about three times the forward pass: <b data-name="step"></b> FLOPs for a batch of
      ${whole(config.batch)}. What grows with the square of the tokens, scores and mix, is <b data-name="share"></b> of
      a block's multiply-adds.`;
    const figures = { flops: [2 * multiplies, words(2 * multiplies)], share: [found.share, percent(found.share)],
      step: [6 * multiplies * config.batch, words(6 * multiplies * config.batch)] };
    for (const name in figures) {
      const shown = find(`[data-name=${name}]`);
      [shown.dataset.value, shown.textContent] = figures[name];
    }
    table("memory", `Memory of a training step, batch ${whole(config.batch)}`, ["what", "estimate"],
      [...Object.entries(memory).filter(([, size]) => size), ["together", bytes]], megabytes);
    find("code").textContent = python(config);
  }

  function table(name, caption, heads, rows, write) {
    const made = find(`table.${name}`);
    made.replaceChildren();
    made.createCaption().textContent = caption;
    const cell = (row, tag, text, attributes = {}) => {
      const one = row.appendChild(document.createElement(tag));
      one.textContent = text;
      for (const key in attributes) one.setAttribute(key, attributes[key]);
      return one;
    };
    const head = made.createTHead().insertRow(), body = made.createTBody(), total = rows.at(-1);
    heads.forEach((text) => cell(head, "th", text, { scope: "col" }));
    for (const [text, ...values] of rows) {
      const row = body.insertRow();
      cell(row, "th", text, { scope: "row" });
      values.forEach((value, at) => {
        const one = cell(row, "td", value ? write(value) : "0", { "data-value": value });
        if (text !== total[0]) one.style.setProperty("--share", `${(100 * value) / total[at + 1]}%`);
      });
    }
  }

  put({ ...PRESETS["ViT-B/16"], batch: 64, precision: "float32" });
  put(Object.fromEntries(new URLSearchParams(location.hash.slice(1))));
}
