// Made by `make bundle` from vit_tutorial/explorer/js: change it there.
var __defProp = Object.defineProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};

// frame/page.js
function takeNext(name) {
  const script = document.querySelector(`.${name} > script[type="application/json"]`);
  if (!script) return null;
  const element = script.parentElement;
  script.remove();
  return { element, data: JSON.parse(script.textContent) };
}
async function inflate(text2) {
  const letters = atob(text2);
  const packed = new Uint8Array(letters.length);
  for (let at = 0; at < packed.length; at++) packed[at] = letters.charCodeAt(at);
  const inflater = new DecompressionStream("deflate");
  const stream = new Blob([packed]).stream().pipeThrough(inflater);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

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
function labelled(text2, control) {
  control.id = `vit-${page}-${controls++}`;
  return make("label", { textContent: text2, htmlFor: control.id });
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

// explorer/decode.js
var rowOf = ({ heads, patches: patches2 }, layer, map, query) => (layer * (heads + 1) + map) * (1 + patches2) + query;
function weightsOf(view, data, { mode, layer, head }, query) {
  const { heads, patches: patches2, quantizationLevels } = data;
  const all = [...Array(heads).keys()];
  const maps = mode === "rollout" ? [heads] : head < 0 ? all : [head];
  const weights = new Float32Array(patches2);
  let kept = 0;
  for (const map of maps) {
    const row = rowOf(data, layer, map, query);
    const unit = view.scales[row] / (quantizationLevels * maps.length);
    for (let patch = 0; patch < patches2; patch++)
      weights[patch] += unit * view.weights[row * patches2 + patch];
    kept += view.kept[row] / maps.length;
  }
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return { weights, kept, largest };
}
var guessOf = ({ probabilities }) => probabilities.indexOf(Math.max(...probabilities));

// explorer/sentences.js
var number = (weight) => weight.toFixed(weight < 0.01 ? 4 : 3);
function percent(share) {
  if (share > 0.995) return "over 99 %";
  return share < 5e-3 ? "under 1 %" : `${Math.round(100 * share)} %`;
}
var brief = (share) => percent(share).replace("over ", ">").replace("under ", "<");
var className = ({ classes }, index) => classes ? classes[index] : `class ${index}`;
function verdict(data, image, guess2) {
  const truth = data.labels?.[image] ?? null;
  if (truth === null) return "";
  return truth === guess2 ? ", right" : `, wrong: it is ${className(data, truth)}`;
}
function place(patch, { grid: [, columns] }) {
  const row = Math.floor((patch - 1) / columns);
  return `row ${row + 1}, column ${(patch - 1) % columns + 1}`;
}

// explorer/bars.js
var MOST = 12;
function barred(probabilities, guess2, most = MOST) {
  const order = [...probabilities.keys()];
  if (order.length <= most) return order;
  order.sort((a, b) => probabilities[b] - probabilities[a]);
  const first = order.slice(0, most);
  return first.includes(guess2) ? first : [...first, guess2];
}
function classBars(find, data) {
  let drawn = {};
  function bar(index, view, before, guess2) {
    const share = view.probabilities[index];
    const name = className(data, index);
    const row = make("div", { role: "listitem", title: name });
    row.className = index === guess2 ? "guess" : "";
    row.ariaLabel = `${name} ${percent(share)}`;
    const level = make("i");
    level.style.setProperty("--share", `${100 * share}%`);
    if (before) {
      level.style.setProperty("--before", `${100 * before[index]}%`);
      row.ariaLabel += `, was ${percent(before[index])}`;
    }
    const number3 = make("span", { textContent: brief(share) });
    row.append(make("span", { textContent: name }), level, number3);
    return row;
  }
  return function draw({ image }, view, whole) {
    if (drawn.view === view && drawn.whole === whole) return;
    drawn = { view, whole };
    const guess2 = guessOf(view);
    const before = view === whole ? null : whole.probabilities;
    find(".prediction b").textContent = className(data, guess2);
    const share = percent(view.probabilities[guess2]);
    find(".prediction span").textContent = ` ${share}${verdict(data, image, guess2)}`;
    const bars = barred(whole.probabilities, guess2).map((index) => bar(index, view, before, guess2));
    find(".bars").replaceChildren(...bars);
  };
}

// explorer/engine.js
function startEngine() {
  const text2 = new Blob(['(() => {\n  // explorer/compute.js\n  var ROOTS = 65535;\n  var rounded = (share) => (Math.round(ROOTS * Math.sqrt(Math.min(1, share))) / ROOTS) ** 2;\n  function viewOf({ logits, attention }, sizes, keep) {\n    const { layers, heads, patches, quantizationLevels, classToken } = sizes;\n    const present = Array.from(keep ?? Array(patches).keys(), (patch) => 1 + patch);\n    if (classToken) present.unshift(0);\n    const exact = quantizationLevels === 1;\n    const packed = exact ? (share) => share : rounded;\n    const rows = layers * (heads + 1) * (1 + patches);\n    const view = {\n      probabilities: softmax(logits),\n      scales: new Float32Array(rows),\n      kept: new Float32Array(rows),\n      weights: new (exact ? Float32Array : Uint8Array)(rows * patches)\n    };\n    const T = present.length;\n    rollouts(attention, heads, T).forEach((joint, layer) => {\n      for (let map = 0; map <= heads; map++) {\n        const size = T * T;\n        const of = attention[layer];\n        const weights = map < heads ? of.subarray(map * size, (map + 1) * size) : joint;\n        const first = (layer * (heads + 1) + map) * (1 + patches);\n        for (let at = 0; at < T; at++)\n          write(first + present[at], weights.subarray(at * T, (at + 1) * T));\n        if (!classToken) write(first, meanRow(weights, T));\n      }\n    });\n    function write(row, weights) {\n      const onPatches = classToken ? weights.subarray(1) : weights;\n      let largest = 0;\n      for (const weight of onPatches) largest = Math.max(largest, weight);\n      view.scales[row] = packed(largest);\n      if (classToken) view.kept[row] = packed(weights[0]);\n      const steps = quantizationLevels / Math.max(largest, 1e-30);\n      present.slice(present.length - onPatches.length).forEach((patch, at) => {\n        const level = onPatches[at] * steps;\n        view.weights[row * patches + patch - 1] = exact ? level : Math.round(level);\n      });\n    }\n    return view;\n  }\n  function rollouts(attention, heads, T) {\n    let joint = null;\n    return attention.map((weights) => {\n      const step = new Float64Array(T * T);\n      for (let row = 0; row < T; row++) {\n        let sum = 0;\n        for (let column = 0; column < T; column++) {\n          const at = row * T + column;\n          for (let head = 0; head < heads; head++)\n            step[at] += weights[head * T * T + at] / heads;\n          step[at] += Number(row === column);\n          sum += step[at];\n        }\n        for (let column = 0; column < T; column++) step[row * T + column] /= sum;\n      }\n      joint = joint ? product(step, joint, T) : step;\n      return joint;\n    });\n  }\n  function product(one, other, T) {\n    const result = new Float64Array(T * T);\n    for (let row = 0; row < T; row++)\n      for (let inner = 0; inner < T; inner++) {\n        const factor = one[row * T + inner];\n        for (let column = 0; column < T; column++)\n          result[row * T + column] += factor * other[inner * T + column];\n      }\n    return result;\n  }\n  function meanRow(weights, T) {\n    const mean = new Float64Array(T);\n    weights.forEach((weight, at) => mean[at % T] += weight / T);\n    return mean;\n  }\n  function softmax(logits) {\n    const most = Math.max(...logits);\n    const powers = Array.from(logits, (logit) => Math.exp(logit - most));\n    const sum = powers.reduce((total, power) => total + power, 0);\n    return Float32Array.from(powers, (power) => power / sum);\n  }\n\n  // vit.js\n  var FORMAT = 1;\n  var VARIANTS = [\n    "vit",\n    "layer-scale",\n    "stochastic-depth",\n    "stochastic-depth-and-layer-scale",\n    "no-positions",\n    "uniform-start",\n    "mimetic-start",\n    "convolutional-start"\n  ];\n  var PROJECTIONS = { manual, convolutional, stem, hybrid };\n  var SCALES = Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));\n  var STEM_EPS = 1e-5;\n  function load(json, buffer) {\n    const { format, config, classes, mean, std } = json;\n    expect(format === FORMAT, `model.json is of format ${format}, expected ${FORMAT}`);\n    const { name, embedder } = config;\n    const known = VARIANTS.includes(name) && Object.hasOwn(PROJECTIONS, embedder);\n    const given = `the model is ${name} with embedder ${embedder}`;\n    expect(known, `${given}, expected a Vision Transformer of this package`);\n    if (ArrayBuffer.isView(buffer)) {\n      const { byteOffset, byteLength } = buffer;\n      buffer = buffer.buffer.slice(byteOffset, byteOffset + byteLength);\n    }\n    const bytes = buffer.byteLength;\n    expect(bytes === json.bytes, `model.bin has ${bytes} bytes, expected ${json.bytes}`);\n    const weights = {};\n    for (const [path, tensor] of Object.entries(json.tensors)) {\n      const parts = path.split(".");\n      const last = parts.pop();\n      const owner = parts.reduce((inner, part) => inner[part] ??= {}, weights);\n      owner[last] = readTensor(buffer, tensor);\n    }\n    return { config, classes, mean, std, weights };\n  }\n  function forward(model2, pixels, options = {}) {\n    return encode(model2, embed(model2, pixels, options), options);\n  }\n  function encode(model2, tokens, { keep, silence = [], patch = [] } = {}) {\n    const { config, weights } = model2;\n    const { depth, heads: H, dim: D, norm_eps: eps } = config;\n    const fits = tokens.length % D === 0;\n    expect(fits, `tokens are ${tokens.length} values, expected a multiple of ${D}`);\n    const x = keep ? select(tokens, keep, config) : new Float64Array(tokens);\n    const T = x.length / D;\n    checkInterventions(silence, patch, T, config);\n    const attention = [];\n    const states = [];\n    for (let layer = 0; layer <= depth; layer++) {\n      if (layer > 0) {\n        const block = weights.blocks[layer - 1];\n        const silent = silence.filter((one) => one.layer === layer - 1);\n        const parts = silent.map(({ part }) => part);\n        const heads = silent.map(({ head }) => head);\n        const mixed = attend(block.attention, norm(x, block.norm1, eps), T, H, heads);\n        attention.push(mixed.weights);\n        if (!parts.includes("attention")) add(x, mixed.tokens, block.end1?.factors);\n        const thought = mlp(block.mlp, norm(x, block.norm2, eps), T);\n        if (!parts.includes("mlp")) add(x, thought, block.end2?.factors);\n      }\n      for (const { token, state } of patch.filter((one) => one.layer === layer)) {\n        x.set(state, token * D);\n      }\n      states.push(new Float32Array(x));\n    }\n    return { logits: classify(model2, x), attention, states };\n  }\n  function logitLens(model2, states) {\n    return states.map((state) => classify(model2, state));\n  }\n  function patchLens(model2, states) {\n    const { dim: D, pool } = model2.config;\n    const first = pool === "cls" ? D : 0;\n    const patches = states.map((state) => new Float64Array(state.subarray(first)));\n    return patches.map((features) => readHead(model2, features));\n  }\n  function embed(model2, pixels, { positions = true } = {}) {\n    const { config, weights: { embedder } } = model2;\n    const C = config.channels;\n    const [Y, X = Y] = [config.image_size].flat();\n    const fits = pixels.length === C * Y * X;\n    expect(fits, `pixels are ${pixels.length} values, expected ${C} x ${Y} x ${X}`);\n    const picture = { values: channelsLast(pixels, C), Y, X, C };\n    const patches = PROJECTIONS[config.embedder](picture, config.patch_size, embedder);\n    const tokens = embedder.positions.slice();\n    if (!positions) tokens.fill(0);\n    const first = config.pool === "cls" ? config.dim : 0;\n    if (first) add(tokens.subarray(0, first), embedder.class_token);\n    add(tokens.subarray(first), patches);\n    return tokens;\n  }\n  function channelsLast(pixels, C) {\n    const places = pixels.length / C;\n    const values = new Float64Array(pixels.length);\n    for (let c = 0; c < C; c++) {\n      for (let at = 0; at < places; at++) values[at * C + c] = pixels[c * places + at];\n    }\n    return values;\n  }\n  function manual(picture, P, { projection }) {\n    const { patches, N } = patchify(picture, P);\n    return linear(patches, N, projection);\n  }\n  function convolutional(picture, P, { projection }) {\n    return convolve(picture, projection, { kernel: P, stride: P, padding: 0 }).values;\n  }\n  function stem(picture, P, embedder) {\n    let map = picture;\n    primeFactors(P).forEach((stride, level) => {\n      map = convolve(map, embedder.stem[3 * level], shrinking(stride));\n      standardise(map.values, STEM_EPS);\n      scale(map.values, embedder.stem[3 * level + 1]);\n      gelu(map.values);\n    });\n    return linear(map.values, map.Y * map.X, embedder.projection);\n  }\n  function hybrid(picture, P, embedder) {\n    let map = picture;\n    let at = 0;\n    primeFactors(P).forEach((stride, level) => {\n      map = convolve(map, embedder.stem[at], shrinking(stride));\n      relu(scale(map.values, embedder.stem[at + 1]));\n      at += 3;\n      if (level > 0) map = residual(map, embedder.stem[at++].layers);\n    });\n    return linear(map.values, map.Y * map.X, embedder.projection);\n  }\n  function residual(map, layers) {\n    const same = { kernel: 3, stride: 1, padding: 1 };\n    const inner = convolve(map, layers[0], same);\n    relu(scale(inner.values, layers[1]));\n    const outer = convolve(inner, layers[3], same);\n    add(scale(outer.values, layers[4]), map.values);\n    relu(outer.values);\n    return outer;\n  }\n  function patchify({ values, Y, X, C }, P) {\n    const patches = new Float64Array(values.length);\n    let at = 0;\n    for (let top = 0; top < Y; top += P) {\n      for (let left = 0; left < X; left += P) {\n        for (let y = top; y < top + P; y++) {\n          const start = (y * X + left) * C;\n          patches.set(values.subarray(start, start + P * C), at);\n          at += P * C;\n        }\n      }\n    }\n    return { patches, N: Y * X / (P * P) };\n  }\n  function shrinking(stride) {\n    return { kernel: Math.max(3, stride), stride, padding: stride === 2 ? 1 : 0 };\n  }\n  function convolve(map, layer, { kernel, stride, padding }) {\n    const Y = Math.floor((map.Y + 2 * padding - kernel) / stride) + 1;\n    const X = Math.floor((map.X + 2 * padding - kernel) / stride) + 1;\n    const seen = new Float64Array(Y * X * map.C * kernel * kernel);\n    let at = 0;\n    for (let y = -padding; y < Y * stride - padding; y += stride) {\n      for (let x = -padding; x < X * stride - padding; x += stride) {\n        for (let ky = 0; ky < kernel; ky++) {\n          for (let kx = 0; kx < kernel; kx++) {\n            const inside = y + ky >= 0 && y + ky < map.Y && x + kx >= 0 && x + kx < map.X;\n            if (!inside) continue;\n            const from = ((y + ky) * map.X + x + kx) * map.C;\n            const to = at + ky * kernel + kx;\n            for (let c = 0; c < map.C; c++) {\n              seen[to + c * kernel * kernel] = map.values[from + c];\n            }\n          }\n        }\n        at += map.C * kernel * kernel;\n      }\n    }\n    const values = linear(seen, Y * X, layer);\n    return { values, Y, X, C: values.length / (Y * X) };\n  }\n  function primeFactors(number) {\n    for (let factor = 2; factor <= number; factor++) {\n      if (number % factor === 0) return [factor, ...primeFactors(number / factor)];\n    }\n    return [];\n  }\n  function select(tokens, keep, { dim: D, pool }) {\n    const first = Number(pool === "cls");\n    const N = tokens.length / D - first;\n    const known = keep.every((one) => Number.isInteger(one) && one >= 0 && one < N);\n    expect(known, `keep is [${keep}], expected patches from 0 to ${N - 1}`);\n    const once = new Set(keep).size === keep.length;\n    expect(once, `keep is [${keep}], expected each patch at most once`);\n    expect(first || keep.length > 0, "keep is empty and the model has no class token");\n    const rows = [...first ? [0] : [], ...Array.from(keep, (patch) => first + patch)];\n    const kept = new Float64Array(rows.length * D);\n    rows.forEach((row, at) => kept.set(tokens.subarray(row * D, (row + 1) * D), at * D));\n    return kept;\n  }\n  function attend(layer, tokens, T, H, silentHeads) {\n    const D = tokens.length / T;\n    const K = D / H;\n    const qkv = linear(tokens, T, layer.qkv);\n    const weights = new Float32Array(H * T * T);\n    const mixed = new Float64Array(T * D);\n    for (let head = 0; head < H; head++) {\n      const [q, k, v] = [0, D, 2 * D].map((of) => columns(qkv, T, of + head * K, K));\n      const scores = multiply(q, k, T, T);\n      softmax2(scores, T, 1 / Math.sqrt(K));\n      weights.set(scores, head * T * T);\n      if (silentHeads.includes(head)) continue;\n      const heads = multiply(scores, transpose(v, T), T, K);\n      for (let t = 0; t < T; t++) {\n        mixed.set(heads.subarray(t * K, (t + 1) * K), t * D + head * K);\n      }\n    }\n    return { tokens: linear(mixed, T, layer.out), weights };\n  }\n  function mlp(layers, tokens, T) {\n    return linear(gelu(linear(tokens, T, layers[0])), T, layers[3]);\n  }\n  function classify(model2, x) {\n    const { dim: D, pool } = model2.config;\n    const T = x.length / D;\n    const features = new Float64Array(x.subarray(0, D));\n    if (pool === "mean") {\n      for (let t = 1; t < T; t++) add(features, x.subarray(t * D, (t + 1) * D));\n      features.forEach((sum, d) => features[d] = sum / T);\n    }\n    return readHead(model2, features);\n  }\n  function readHead({ config, weights: { head } }, features) {\n    const n = features.length / config.dim;\n    return new Float32Array(linear(norm(features, head[0], config.norm_eps), n, head[1]));\n  }\n  function norm(x, layer, eps) {\n    const D = layer.weight.length;\n    const normed = x.slice();\n    for (let at = 0; at < x.length; at += D) {\n      standardise(normed.subarray(at, at + D), eps);\n    }\n    return scale(normed, layer);\n  }\n  function linear(inputs, rows, { weight, bias }) {\n    const m = weight.length * rows / inputs.length;\n    const outputs = multiply(inputs, weight, rows, m);\n    if (!bias) return outputs;\n    for (let at = 0; at < outputs.length; at += m) {\n      for (let j = 0; j < m; j++) outputs[at + j] += bias[j];\n    }\n    return outputs;\n  }\n  function multiply(a, b, rows, m) {\n    const n = a.length / rows;\n    const out = new Float64Array(rows * m);\n    if (rows < 3 || m < 4) return multiplySmall(a, b, rows, m, out);\n    for (let row = 0; row < rows; row += 3) {\n      const i = Math.min(row, rows - 3);\n      const a0 = i * n, a1 = a0 + n, a2 = a1 + n;\n      for (let column = 0; column < m; column += 4) {\n        const j = Math.min(column, m - 4);\n        const b0 = j * n, b1 = b0 + n, b2 = b1 + n, b3 = b2 + n;\n        let c00 = 0, c01 = 0, c02 = 0, c03 = 0;\n        let c10 = 0, c11 = 0, c12 = 0, c13 = 0;\n        let c20 = 0, c21 = 0, c22 = 0, c23 = 0;\n        for (let k = 0; k < n; k++) {\n          const x0 = a[a0 + k], x1 = a[a1 + k], x2 = a[a2 + k];\n          const y0 = b[b0 + k], y1 = b[b1 + k], y2 = b[b2 + k], y3 = b[b3 + k];\n          c00 += x0 * y0;\n          c01 += x0 * y1;\n          c02 += x0 * y2;\n          c03 += x0 * y3;\n          c10 += x1 * y0;\n          c11 += x1 * y1;\n          c12 += x1 * y2;\n          c13 += x1 * y3;\n          c20 += x2 * y0;\n          c21 += x2 * y1;\n          c22 += x2 * y2;\n          c23 += x2 * y3;\n        }\n        let at = i * m + j;\n        out[at] = c00;\n        out[at + 1] = c01;\n        out[at + 2] = c02;\n        out[at + 3] = c03;\n        at += m;\n        out[at] = c10;\n        out[at + 1] = c11;\n        out[at + 2] = c12;\n        out[at + 3] = c13;\n        at += m;\n        out[at] = c20;\n        out[at + 1] = c21;\n        out[at + 2] = c22;\n        out[at + 3] = c23;\n      }\n    }\n    return out;\n  }\n  function multiplySmall(a, b, rows, m, out) {\n    const n = a.length / rows;\n    for (let i = 0; i < rows; i++) {\n      for (let j = 0; j < m; j++) {\n        for (let k = 0; k < n; k++) out[i * m + j] += a[i * n + k] * b[j * n + k];\n      }\n    }\n    return out;\n  }\n  function columns(matrix, rows, first, count) {\n    const n = matrix.length / rows;\n    const part = new Float64Array(rows * count);\n    for (let i = 0; i < rows; i++) {\n      part.set(matrix.subarray(i * n + first, i * n + first + count), i * count);\n    }\n    return part;\n  }\n  function transpose(matrix, rows) {\n    const n = matrix.length / rows;\n    const turned = new Float64Array(matrix.length);\n    for (let i = 0; i < rows; i++) {\n      for (let j = 0; j < n; j++) turned[j * rows + i] = matrix[i * n + j];\n    }\n    return turned;\n  }\n  function add(x, branch, factors) {\n    const D = factors?.length;\n    for (let at = 0; at < x.length; at++) {\n      x[at] += factors ? branch[at] * factors[at % D] : branch[at];\n    }\n    return x;\n  }\n  function scale(x, { weight, bias }) {\n    const D = weight.length;\n    for (let at = 0; at < x.length; at += D) {\n      for (let d = 0; d < D; d++) x[at + d] = x[at + d] * weight[d] + bias[d];\n    }\n    return x;\n  }\n  function standardise(x, eps) {\n    let mean = 0;\n    for (const value of x) mean += value / x.length;\n    let variance = 0;\n    for (const value of x) variance += (value - mean) ** 2 / x.length;\n    const factor = 1 / Math.sqrt(variance + eps);\n    for (let at = 0; at < x.length; at++) x[at] = (x[at] - mean) * factor;\n    return x;\n  }\n  function softmax2(scores, n, factor) {\n    for (let start = 0; start < scores.length; start += n) {\n      const row = scores.subarray(start, start + n);\n      let most = -Infinity;\n      for (const score of row) most = Math.max(most, score);\n      let sum = 0;\n      for (let k = 0; k < n; k++) {\n        row[k] = Math.exp((row[k] - most) * factor);\n        sum += row[k];\n      }\n      for (let k = 0; k < n; k++) row[k] /= sum;\n    }\n    return scores;\n  }\n  function relu(x) {\n    for (let at = 0; at < x.length; at++) x[at] = Math.max(0, x[at]);\n    return x;\n  }\n  function gelu(x) {\n    for (let at = 0; at < x.length; at++) {\n      const z = Math.abs(x[at]) * Math.SQRT1_2;\n      const t = 1 / (1 + 0.3275911 * z);\n      const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));\n      const beyond = series * Math.exp(-z * z) / 2;\n      x[at] *= x[at] < 0 ? beyond : 1 - beyond;\n    }\n    return x;\n  }\n  function readTensor(buffer, { shape, dtype, offset }) {\n    const count = shape.reduce((product2, side) => product2 * side, 1);\n    if (dtype === "float32") {\n      return new Float64Array(new Float32Array(buffer, offset, count));\n    }\n    expect(dtype === "float16", `a tensor is of ${dtype}, expected float32 or float16`);\n    const halves = new Uint16Array(buffer, offset, count);\n    const values = new Float64Array(count);\n    for (let at = 0; at < count; at++) values[at] = halfToNumber(halves[at]);\n    return values;\n  }\n  function halfToNumber(bits) {\n    const exponent = bits >> 10 & 31;\n    const fraction = (bits & 1023) + (exponent > 0 ? 1024 : 0);\n    const size = fraction * SCALES[Math.max(exponent, 1)];\n    return bits >> 15 ? -size : size;\n  }\n  function checkInterventions(silence, patch, T, { depth, heads, dim: D }) {\n    const between = (value, count) => Number.isInteger(value) && value >= 0 && value < count;\n    for (const { layer, head, part } of silence) {\n      expect(between(layer, depth), `layer is ${layer}, expected 0 to ${depth - 1}`);\n      const whole = head === void 0 && ["attention", "mlp"].includes(part);\n      const one = part === void 0 && between(head, heads);\n      const given = `head is ${head} and part ${part}`;\n      const either = `a head from 0 to ${heads - 1}, or part "attention" or "mlp"`;\n      expect(whole || one, `${given}, expected ${either}`);\n    }\n    for (const { layer, token, state } of patch) {\n      expect(between(layer, depth + 1), `layer is ${layer}, expected 0 to ${depth}`);\n      expect(between(token, T), `token is ${token}, expected 0 to ${T - 1}`);\n      const values = state?.length;\n      expect(values === D, `state is ${values} values, expected ${D}`);\n    }\n  }\n  function expect(fits, message) {\n    if (!fits) throw new Error(message);\n  }\n\n  // workbench/answers.js\n  function answer(model2, { pixels, options, copy, sizes }) {\n    const patch = copy ? copied(model2, copy, options.keep, sizes) : [];\n    const result = forward(model2, pixels, { ...options, patch });\n    const { states } = result;\n    const lens = logitLens(model2, states).flatMap((logits) => [...softmax(logits)]);\n    const named = new Uint16Array(states.length * sizes.patches);\n    const sure = new Float32Array(named.length);\n    const present = options.keep ?? [...Array(sizes.patches).keys()];\n    patchLens(model2, states).forEach((logits, layer) => {\n      const classes = logits.length / present.length;\n      present.forEach((place, at) => {\n        const shares = softmax(logits.subarray(at * classes, (at + 1) * classes));\n        const most = Math.max(...shares);\n        named[layer * sizes.patches + place] = shares.indexOf(most);\n        sure[layer * sizes.patches + place] = most;\n      });\n    });\n    const view = viewOf(result, sizes, options.keep);\n    return { ...view, lens: Float32Array.from(lens), named, sure };\n  }\n  function copied(model2, { pixels, layer, tokens }, keep, { classToken }) {\n    const states = forward(model2, pixels).states[layer];\n    const D = model2.config.dim;\n    const first = Number(classToken);\n    const rowOf = (token) => {\n      if (token < first || !keep) return token;\n      const at = keep.indexOf(token - first);\n      return at < 0 ? -1 : at + first;\n    };\n    return tokens.filter((token) => rowOf(token) >= 0).map((token) => ({\n      layer,\n      token: rowOf(token),\n      state: states.subarray(token * D, (token + 1) * D)\n    }));\n  }\n  function curve(model2, { pixels, order, counts, label }) {\n    const tokens = embed(model2, pixels);\n    const reversed = [...order].reverse();\n    const along = (all) => Float32Array.from(counts, (count) => softmax(encode(model2, tokens, { keep: all.slice(0, count) }).logits)[label]);\n    return { deletion: along(reversed), insertion: along(order) };\n  }\n\n  // engine_worker.js\n  var model = null;\n  var kinds = {\n    load({ json, buffer }) {\n      model = load(json, buffer);\n      return {};\n    },\n    view({ pixels, options, sizes }) {\n      return viewOf(forward(model, pixels, options), sizes, options.keep);\n    },\n    answer: (asked) => answer(model, asked),\n    curve: (asked) => curve(model, asked)\n  };\n  function answer2({ number, kind, ...asked }) {\n    try {\n      const result = kinds[kind](asked);\n      return [{ number, result }, Object.values(result).map(({ buffer }) => buffer)];\n    } catch ({ message }) {\n      return [{ number, error: message }, []];\n    }\n  }\n  globalThis.onmessage = ({ data }) => postMessage(...answer2(data));\n})();\n'], { type: "text/javascript" });
  const address = URL.createObjectURL(text2);
  const worker = new Worker(address);
  const waiting = /* @__PURE__ */ new Map();
  let asked = 0;
  let broken = null;
  let loaded2 = null;
  let loading = null;
  worker.onmessage = ({ data: { number: number3, result, error } }) => {
    URL.revokeObjectURL(address);
    const { resolve, reject } = waiting.get(number3);
    waiting.delete(number3);
    if (error === void 0) resolve(result);
    else reject(new Error(error));
  };
  worker.onerror = () => {
    broken = new Error("this browser starts no worker that could compute");
    for (const { reject } of waiting.values()) reject(broken);
    waiting.clear();
  };
  function send(kind, asks, handedOver = []) {
    if (broken) return Promise.reject(broken);
    return new Promise((resolve, reject) => {
      waiting.set(++asked, { resolve, reject });
      worker.postMessage({ number: asked, kind, ...asks }, handedOver);
    });
  }
  async function ask(model, kind, asks) {
    if (model !== loaded2) {
      loaded2 = model;
      loading = send("load", model);
    }
    const answer = send(kind, asks, [asks.pixels.buffer]);
    const [, found] = await Promise.all([loading, answer]);
    return found;
  }
  return { ask, stop: () => worker.terminate() };
}
function latest(ask) {
  let newest = 0;
  let before = Promise.resolve();
  return function asked(...args) {
    const mine = ++newest;
    const turn = before.then(async () => {
      if (mine !== newest) return void 0;
      const found = await ask(...args);
      return mine === newest ? found : void 0;
    });
    before = turn.catch(() => {
    });
    return turn;
  };
}

// workbench/charts.js
var [WIDTH, HEIGHT] = [220, 130];
var SPACE = { left: 30, right: 6, top: 6, bottom: 30 };
var AXES = {
  deletion: "patches that have left",
  insertion: "patches that have come"
};
function chart(name, counts, map, random) {
  const most = counts.at(-1);
  const gone = name === "deletion";
  const x = (count) => SPACE.left + (gone ? most - count : count) / most * (WIDTH - SPACE.left - SPACE.right);
  const y = (share) => SPACE.top + (1 - share) * (HEIGHT - SPACE.top - SPACE.bottom);
  const path = (curve) => counts.map((count, at) => `${x(count).toFixed(1)},${y(curve[at]).toFixed(1)}`).join(" ");
  const lines = [0, 0.5, 1].map((share) => `<line x1="${SPACE.left}" x2="${WIDTH - SPACE.right}" y1="${y(share)}" y2="${y(share)}"/>
     <text x="${SPACE.left - 4}" y="${y(share) + 3}" text-anchor="end">${100 * share} %</text>`);
  const ends = [["0", SPACE.left], [most, WIDTH - SPACE.right]].map(([word, at]) => `<text x="${at}" y="${HEIGHT - SPACE.bottom + 11}" text-anchor="middle">${word}</text>`);
  const drawn = make("div");
  drawn.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">${lines.join("")}
    ${ends.join("")}<text x="${(SPACE.left + WIDTH) / 2}" y="${HEIGHT - 5}"
    text-anchor="middle">${AXES[name]}</text>
    ${random ? `<polyline class="random" points="${path(random[name])}"/>` : ""}
    ${map ? `<polyline class="map" points="${path(map[name])}"/>` : ""}</svg>`;
  drawn.prepend(make("b", { textContent: name }));
  return drawn;
}

// explorer/computing.js
var others = (dropped, patches2) => [...Array(patches2).keys()].filter((patch) => !dropped.includes(1 + patch));
function normalised(pixels, mean, std) {
  const places = pixels.length / 4;
  const values = new Float32Array(mean.length * places);
  for (let channel = 0; channel < mean.length; channel++)
    for (let place2 = 0; place2 < places; place2++) {
      const value = pixels[4 * place2 + channel] / 255;
      values[channel * places + place2] = (value - mean[channel]) / std[channel];
    }
  return values;
}

// workbench/edits.js
function arrangement({ shuffle, swaps }, patches2) {
  const order = shuffle ? shuffled(patches2, shuffle) : [...Array(patches2).keys()];
  for (const [one, other] of swaps) exchange(order, one - 1, other - 1);
  return order;
}
function shuffled(patches2, seed) {
  const order = [...Array(patches2).keys()];
  const random = randomFrom(seed);
  for (let last = patches2 - 1; last > 0; last--)
    exchange(order, last, Math.floor(random() * (last + 1)));
  return order;
}
function rearranged(picture, order, { size: [height, width], grid }) {
  const [rows, columns] = grid;
  const [tall, wide] = [height / rows, width / columns];
  const result = new Uint8Array(picture.length);
  const corner = (patch) => Math.floor(patch / columns) * tall * width + patch % columns * wide;
  order.forEach((patch, place2) => {
    for (let y = 0; y < tall; y++) {
      const from = 4 * (corner(patch) + y * width);
      result.set(picture.subarray(from, from + 4 * wide), 4 * (corner(place2) + y * width));
    }
  });
  return result;
}
function options({ hidden, positions, silent }, { patches: patches2 }) {
  const keep = hidden.length ? others(hidden, patches2) : void 0;
  return { positions, silence: silent, ...keep && { keep } };
}
var counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
function changes({ hidden, shuffle, swaps, positions, silent, copy }, subject) {
  const lines = [];
  if (shuffle) lines.push("all patches shuffled");
  if (swaps.length) lines.push(`${counted(swaps.length, "pair")} of patches swapped`);
  if (hidden.length)
    lines.push(`${hidden.length} of ${counted(subject.patches, "patch", "patches")} hidden`);
  if (!positions) lines.push("no positions");
  for (const { layer, head, part } of silent) {
    const what = part === void 0 ? `head ${head}` : { attention: "attention", mlp: "MLP" }[part];
    lines.push(`${what} of layer ${layer + 1} silent`);
  }
  if (copy?.tokens.length) {
    const from = subject.pictures[copy.from].title;
    const when = copy.layer ? `after layer ${copy.layer}` : "before the first layer";
    lines.push(`${counted(copy.tokens.length, "state")} copied from ${from} ${when}`);
  }
  return lines;
}
function exchange(all, one, other) {
  [all[one], all[other]] = [all[other], all[one]];
}
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = state + 1831565813 >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

// workbench/faith.js
var STEPS = 12;
var orderOf = (scores) => [...scores.keys()].sort((one, other) => scores[other] - scores[one]);
function countsOf({ patches: patches2, classToken }, steps = STEPS) {
  const first = classToken ? 0 : 1;
  const points = Array.from({ length: steps + 1 }, (_, step) => roundHalfToEven(first + (patches2 - first) * step / steps));
  return [...new Set(points)];
}
function roundHalfToEven(value) {
  const below = Math.floor(value);
  const half = value - below === 0.5;
  return half ? below + below % 2 : Math.round(value);
}
function area(curve, counts) {
  if (counts.length === 1) return curve[0];
  let sum = 0;
  for (let at = 1; at < counts.length; at++)
    sum += (curve[at - 1] + curve[at]) / 2 * (counts[at] - counts[at - 1]);
  return sum / (counts.at(-1) - counts[0]);
}
var gap = ({ deletion, insertion }, counts) => area(insertion, counts) - area(deletion, counts);
function meanCurve(curves) {
  const mean = (name) => Float32Array.from(curves[0][name], (_, at) => curves.reduce((sum, curve) => sum + curve[name][at] / curves.length, 0));
  return { deletion: mean("deletion"), insertion: mean("insertion") };
}

// workbench/believing.js
var SEEDS = [1, 2, 3];
function believing(find) {
  const known = /* @__PURE__ */ new WeakMap();
  let wanted = null;
  const work = latest(async (job) => {
    const { subject, compute, picture, order, label } = job;
    const counts = countsOf(subject);
    if (!known.has(picture)) known.set(picture, /* @__PURE__ */ new Map());
    const curves = known.get(picture);
    const curve = async (along) => {
      const key = `${along}`;
      if (!curves.has(key))
        curves.set(key, await compute.curve(picture, along, counts, label));
      return curves.get(key);
    };
    const own = await curve(order);
    const random = [];
    for (const seed of [null, ...SEEDS]) {
      if (seed) random.push(await curve(shuffled(subject.patches, seed)));
      if (wanted !== job) return;
      show(counts, own, random);
    }
  });
  function draw(subject, compute, picture, map, before) {
    const order = orderOf(map);
    if (wanted?.picture === picture && `${wanted.order}` === `${order}`) return;
    const label = before.probabilities.indexOf(Math.max(...before.probabilities));
    const job = wanted = { subject, compute, picture, order, label };
    find(".curves").ariaBusy = "true";
    say("The curves of this map are being computed ...", "off");
    work(job).catch(({ message }) => {
      if (wanted !== job) return;
      forget();
      say(message);
    });
  }
  function forget() {
    wanted = null;
    find(".charts").replaceChildren();
    find(".verdict").textContent = "";
    find(".curves").ariaBusy = "false";
  }
  function show(counts, own, curves) {
    const several = curves.length;
    const random = several ? meanCurve(curves) : null;
    const charts = ["deletion", "insertion"].map((name) => chart(name, counts, own, random));
    find(".charts").replaceChildren(...charts);
    find(".curves").ariaBusy = "false";
    const height = gap(own, counts).toFixed(2);
    const rest = several ? `; random orders ${gap(random, counts).toFixed(2)}, the mean of ${several}.` : "; random orders are being computed ...";
    say(`Gap (area under insertion less area under deletion): this map ${height}${rest}`, several < SEEDS.length ? "off" : "polite");
  }
  function say(textContent, ariaLive = "polite") {
    Object.assign(find(".verdict"), { ariaLive, textContent });
  }
  return { draw, forget };
}

// workbench/controls.js
var groups = 0;
function radios(parent, choices, chosen) {
  const name = `vit-workbench-${groups++}`;
  const inputs = Object.entries(choices).map(([value, words]) => {
    const input = make("input", { type: "radio", name, value });
    input.addEventListener("input", () => chosen(value));
    const label = make("label");
    label.append(input, words);
    parent.append(label);
    return input;
  });
  return (value) => inputs.forEach((input) => input.checked = input.value === value);
}
function slider(parent, name, range, moved2) {
  const input = make("input", { type: "range", ...range });
  const word = make("span", { ariaHidden: "true" });
  const row = make("div");
  row.append(labelled(name, input), input, word);
  parent.append(row);
  input.addEventListener("input", () => moved2(Number(input.value)));
  return ({ max, value, text: text2, hidden = false, disabled = false }) => {
    Object.assign(input, { max, disabled });
    input.value = value;
    input.setAttribute("aria-valuetext", text2);
    word.textContent = text2;
    row.hidden = hidden;
  };
}
function choice(parent, name, chosen) {
  const input = make("select");
  const row = make("div");
  row.append(labelled(name, input), input);
  parent.append(row);
  input.addEventListener("input", () => chosen(input.value));
  let listed = "";
  return (value, options2) => {
    if (listed !== (listed = JSON.stringify(options2)))
      input.replaceChildren(...options2.map(([each, words]) => new Option(words, each)));
    input.value = value;
  };
}
function button(parent, textContent, pressed) {
  const made = make("button", { type: "button", textContent });
  made.addEventListener("click", pressed);
  parent.append(made);
  return made;
}

// workbench/state.js
var UNCHANGED = {
  hidden: [],
  shuffle: 0,
  swaps: [],
  positions: true,
  silent: [],
  copy: null
};
var beginning = ({ name, layers, maps }) => ({
  model: name,
  picture: 0,
  map: maps[0],
  layer: layers - 1,
  head: -1,
  query: 0,
  opacity: 0.6,
  ...UNCHANGED
});
var sameChanges = (one, other) => Object.keys(UNCHANGED).every((name) => written(name, one) === written(name, other));
var isChanged = (state) => !sameChanges(state, UNCHANGED);
function toggled(list2, item) {
  const text2 = JSON.stringify(item);
  const others2 = list2.filter((other) => JSON.stringify(other) !== text2);
  return others2.length < list2.length ? others2 : [...list2, item];
}
var copies = (copy) => Boolean(copy?.tokens.length);
var numbers = (text2) => text2.split(".").filter(Boolean).map(Number);
var number2 = { write: String, read: (word) => word ? Number(word) : NaN };
var text = { write: String, read: String };
var list = { write: (all) => all.join("."), read: numbers };
var FIELDS = {
  model: text,
  picture: number2,
  map: text,
  layer: number2,
  head: number2,
  query: number2,
  opacity: number2,
  hidden: list,
  shuffle: number2,
  swaps: {
    write: (pairs) => pairs.map((pair) => pair.join("-")).join("."),
    read: (words) => words.split(".").filter(Boolean).map((pair) => pair.split("-").map(Number))
  },
  positions: { write: (on) => on ? "on" : "off", read: (word) => word !== "off" },
  silent: {
    write: (all) => all.map(({ layer, head, part }) => `${layer}-${head ?? part}`).join("."),
    read: (words) => words.split(".").filter(Boolean).map((word) => {
      const [layer, what] = word.split("-");
      const part = /^\d+$/.test(what) ? { head: Number(what) } : { part: what };
      return { layer: Number(layer), ...part };
    })
  },
  copy: {
    write: (copy) => copies(copy) ? [copy.from, copy.layer, copy.tokens.join(".")].join("-") : "",
    read: (words) => {
      const [from, layer, tokens] = words.split("-");
      if (tokens === void 0) return null;
      return { from: Number(from), layer: Number(layer), tokens: numbers(tokens) };
    }
  }
};
var written = (name, state) => FIELDS[name].write(state[name]);
var isOwn = ({ picture, copy }, { shared }) => picture >= shared || copies(copy) && copy.from >= shared;
function toAddress(whole, subject) {
  const start = beginning(subject);
  const { shared } = subject;
  const state = {
    ...whole,
    picture: whole.picture < shared ? whole.picture : start.picture,
    copy: whole.copy?.from < shared ? whole.copy : null
  };
  const names = Object.keys(FIELDS).filter((name) => name !== "model" && written(name, state) !== written(name, start));
  const said = [["model", state.model], ...names.map((name) => [name, written(name, state)])];
  return said.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}
function fromAddress(hash, subjects) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const subject = subjects.find(({ name }) => name === said.get("model")) ?? subjects[0];
  const state = beginning(subject);
  if (said.has("model") && said.get("model") !== subject.name) return state;
  for (const name in FIELDS) {
    if (name === "model" || !said.has(name)) continue;
    const value = FIELDS[name].read(said.get(name));
    if (fits(name, value, subject)) state[name] = value;
  }
  return state;
}
function fits(name, value, { layers, heads, patches: patches2, classToken, maps, shared }) {
  const among = (each, first, last) => Number.isInteger(each) && each >= first && each <= last;
  const tokens = patches2 + Number(classToken);
  const different = (all) => new Set(all).size === all.length;
  return {
    picture: () => among(value, 0, shared - 1),
    map: () => maps.includes(value),
    layer: () => among(value, 0, layers - 1),
    head: () => among(value, -1, heads - 1),
    query: () => among(value, 0, patches2),
    opacity: () => value >= 0 && value <= 1,
    hidden: () => different(value) && value.length < patches2 && value.every((patch) => among(patch, 1, patches2)),
    shuffle: () => among(value, 0, 2 ** 31),
    swaps: () => value.every((pair) => pair.length === 2 && different(pair) && pair.every((patch) => among(patch, 1, patches2))),
    positions: () => true,
    silent: () => different(value.map((one) => JSON.stringify(one))) && value.every(({ layer, head, part }) => among(layer, 0, layers - 1) && (part ? ["attention", "mlp"].includes(part) : among(head, 0, heads - 1))),
    copy: () => value === null || among(value.from, 0, shared - 1) && among(value.layer, 0, layers) && value.tokens.length && different(value.tokens) && value.tokens.every((token) => among(token, 0, tokens - 1))
  }[name]();
}

// workbench/silences.js
function silences(parent, changed) {
  let shown2 = null;
  let buttons = [];
  let present = [];
  function build({ layers, heads }) {
    buttons = [];
    const table = make("table");
    table.append(make("caption", { textContent: "press to silence" }));
    for (let layer = 0; layer < layers; layer++) {
      const row = table.insertRow();
      row.append(make("th", { scope: "row", textContent: `layer ${layer + 1}` }));
      const parts = [
        ...Array.from({ length: heads }, (_, head) => [{ layer, head }, `head ${head}`]),
        [{ layer, part: "attention" }, "all attention"],
        [{ layer, part: "mlp" }, "MLP"]
      ];
      for (const [one, words] of parts) {
        const press = () => changed(toggled(present, one));
        const made = button(row.insertCell(), words, press);
        made.ariaLabel = `silence ${words} of layer ${layer + 1}`;
        buttons.push([made, JSON.stringify(one)]);
      }
    }
    parent.replaceChildren(table);
  }
  return function draw(subject, silent) {
    if (shown2 !== subject) build(subject);
    shown2 = subject;
    present = silent;
    const texts = silent.map((one) => JSON.stringify(one));
    for (const [made, text2] of buttons) made.ariaPressed = texts.includes(text2);
  };
}

// workbench/changing.js
var TOOLS = {
  look: "asks it (the query)",
  hide: "hides it",
  swap: "swaps it with the next one",
  copy: "copies its state"
};
var SEEDS2 = 9999;
function changing(find, hear) {
  let now = null;
  let first = null;
  let hiding = true;
  const forget = () => first = null;
  const setTool = radios(find(".tools"), TOOLS, hear.tool);
  const switches = find(".switches");
  button(switches, "shuffle the patches", () => hear.move({ shuffle: 1 + Math.floor(Math.random() * SEEDS2) }));
  const places = button(switches, "no positions", () => hear.move({ positions: !now.state.positions }));
  const back = button(switches, "put everything back", () => {
    forget();
    hear.move(UNCHANGED);
    places.focus();
  });
  const drawSilences = silences(find(".heads"), (silent) => hear.move({ silent }));
  const copying = find(".copying");
  const setDonor = choice(copying, "copy states from", (value) => {
    const from = Number(value);
    hear.move({ copy: from < 0 ? null : { ...copyNow(), from } });
  });
  const setLayer = slider(copying, "taken", { min: 0, step: 1 }, (layer) => hear.move({ copy: { ...copyNow(), layer } }));
  const classToken = button(copying, "of the class token", () => copy(0));
  function copyNow() {
    const { subject, state } = now;
    const from = (state.picture + 1) % subject.pictures.length;
    const tokens = subject.classToken ? [0] : [];
    return state.copy ?? { from, layer: Math.ceil(subject.layers / 2), tokens };
  }
  function copy(token) {
    const all = now.state.copy ? copyNow() : { ...copyNow(), tokens: [] };
    hear.move({ copy: { ...all, tokens: toggled(all.tokens, token) } });
  }
  const tools = {
    look: (patch, starts) => starts && hear.move({ query: patch }),
    hide(patch, starts) {
      const { hidden } = now.state;
      if (starts) hiding = !hidden.includes(patch);
      if (hiding === hidden.includes(patch)) return;
      const list2 = toggled(hidden, patch);
      if (list2.length < now.subject.patches) hear.move({ hidden: list2 });
    },
    swap(patch, starts) {
      if (!starts) return;
      const other = first;
      first = other === null ? patch : null;
      const { swaps } = now.state;
      hear.move(other === null || other === patch ? {} : { swaps: [...swaps, [other, patch]] });
    },
    copy: (patch, starts) => starts && copy(patch - Number(!now.subject.classToken))
  };
  function draw(context) {
    if (now?.subject !== context.subject || now.tool !== context.tool) forget();
    now = context;
    const { subject, state, tool } = context;
    setTool(tool);
    places.ariaPressed = !state.positions;
    back.disabled = !isChanged(state);
    drawSilences(subject, state.silent);
    const { from, layer, tokens } = state.copy ?? { from: -1, ...copyNow() };
    const donors = subject.pictures.map(({ title }, at) => [at, title]);
    setDonor(state.copy ? from : -1, [[-1, "nowhere"], ...donors]);
    setLayer({
      max: subject.layers,
      value: layer,
      hidden: !state.copy,
      text: layer ? `after layer ${layer}` : "before layer 1"
    });
    classToken.hidden = !(subject.classToken && state.copy);
    classToken.ariaPressed = state.copy !== null && tokens.includes(0);
    find(".changes").textContent = changes(state, subject).join("; ");
  }
  return {
    draw,
    forget,
    touched: (patch, starts) => tools[now.tool](patch, starts),
    /** The patches that have a frame besides the query: chosen for a tool. */
    framed({ subject, state, tool }) {
      if (tool === "swap") return first === null ? [] : [first];
      if (tool !== "copy" || !state.copy) return [];
      const shift = Number(!subject.classToken);
      return state.copy.tokens.map((token) => token + shift).filter(Boolean);
    }
  };
}

// workbench/sentences.js
var MAPS = {
  raw: "raw attention of one layer",
  rollout: "rollout through the layers"
};
function guess(subject, answer) {
  const index = guessOf(answer);
  return `${className(subject, index)}, ${percent(answer.probabilities[index])}`;
}
var queryText = (query, subject) => {
  if (query) return `patch ${place(query, subject)}`;
  return subject.classToken ? "class token" : "mean over queries";
};
var readFrom = ({ classToken }) => classToken ? "the class token" : "the mean of the patches";
function sentence(subject, state, { before, after }) {
  const picture = subject.pictures[state.picture].title;
  const start = `${picture}: ${guess(subject, before)}.`;
  const lines = changes(state, subject);
  if (!lines.length) return start;
  const same = guessOf(before) === guessOf(after) ? "still " : "now ";
  return `${start} With ${lines.join(", ")}: ${same}${guess(subject, after)}.`;
}

// workbench/choosing.js
function choosing(find, subjects, hear) {
  const models = subjects.map(({ name, title, address, bytes }) => {
    const size = address ? ` (loads ${(bytes / 1e6).toFixed(1)} MB)` : "";
    return [name, title + size];
  });
  const setSubject = choice(find(".subject"), "model", hear.subject);
  find(".subject").hidden = subjects.length < 2;
  const controls2 = find(".controls");
  const setMap = choice(controls2, "map", (map) => hear.move({ map }));
  const sliders = {};
  for (const name of ["layer", "head", "query"]) {
    const range = { min: name === "head" ? -1 : 0, step: 1 };
    sliders[name] = slider(controls2, name, range, (value) => hear.move({ [name]: value }));
  }
  sliders.opacity = slider(
    controls2,
    "opacity",
    { min: 0, max: 1, step: 0.05 },
    (opacity) => hear.move({ opacity })
  );
  return function draw({ subject, state }) {
    const { layers, heads, patches: patches2 } = subject;
    const { map, layer, head, query, opacity } = state;
    const came = Object.keys(subject.pictures[state.picture].scores);
    const maps = [...Object.entries(MAPS), ...came.map((name) => [name, name])];
    const given = !(map in MAPS);
    setSubject(state.model, models);
    setMap(map, maps);
    sliders.layer({
      max: layers - 1,
      value: layer,
      text: `${layer + 1} of ${layers}`,
      disabled: given
    });
    sliders.head({
      max: heads - 1,
      value: head,
      disabled: map !== "raw",
      text: map === "rollout" || head < 0 ? "mean over heads" : `head ${head}`
    });
    sliders.query({
      max: patches2,
      value: query,
      text: queryText(query, subject),
      disabled: given
    });
    sliders.opacity({ max: 1, value: opacity, text: `${Math.round(100 * opacity)} %` });
  };
}

// workbench/layout.js
var LAYOUT = `
<div class="start"><div class="subject"></div>
  <button type="button" class="guide">guided tour</button>
  <button type="button" class="link">copy a link to this</button>
  <button type="button" class="reset">start afresh</button>
  <span class="said" role="status"></span></div>
<div class="pick">
  <div class="gallery" role="group" aria-label="picture"></div>
  <div class="own"><label>own picture <input type="file" accept="image/*"></label>
    <span>or drag it here or paste it; it never leaves this browser</span>
    <span class="camera-place"></span>
    <button type="button" class="paint" aria-expanded="false">paint a stack</button>
  </div>
  <div class="painting" hidden></div>
</div>
<p class="problem" role="alert"></p>
<p class="busy" role="status"></p>
<div class="panes">
  <div class="before"><canvas tabindex="0" role="application"></canvas>
    <span>as it is: <b></b></span></div>
  <div class="after"><canvas tabindex="0" role="application"></canvas>
    <span>as you changed it: <b></b></span></div>
  <div class="outcome">
    <p class="prediction">prediction: <b></b><span></span></p>
    <div class="bars" role="list" aria-label="probabilities"></div>
    <p class="reminder" hidden>A line marks where the bar was before.</p></div>
</div>
<p class="sentence" role="status"></p>
<div class="controls"></div>
<details class="change" open><summary>Change something</summary>
  <fieldset class="tools"><legend>a click on a patch</legend></fieldset>
  <div class="switches"></div>
  <div class="heads"></div>
  <div class="copying"></div>
  <p class="changes"></p></details>
<details class="lens" open><summary>The answer as it forms</summary>
  <p>The head reads the last layer. Here it reads every layer: first <span></span>, then
    each patch. What can be read off is not yet what the model uses.</p>
  <div class="readings" role="list"></div>
  <p class="legend"></p></details>
<details class="curves"><summary>May the map be believed?</summary>
  <p>Patches leave in the order of the map, the brightest first (deletion), or come in
    that order (insertion). If the map is right, the answer goes early and comes early.
    The line to beat is a random order.</p>
  <div class="charts"></div>
  <p class="verdict" role="status"></p></details>
<div class="tour" hidden></div>`;

// explorer/canvas.js
var QUERY = "#0072B2";
var bytesOf = (hex) => [1, 3, 5].map((from) => Number.parseInt(hex.slice(from, from + 2), 16));
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
var squares = (columns, side) => (patch) => [(patch - 1) % columns * side, Math.floor((patch - 1) / columns) * side, side, side];
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

// workbench/lens.js
var HUES = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#CC79A7",
  "#56B4E9",
  "#D55E00",
  "#F0E442",
  "#8C564B",
  "#7F7F7F",
  "#332288"
];
function lens(find) {
  return function draw(subject, before, after) {
    const classes = subject.outputs;
    const shares = (answer, layer) => answer.lens.subarray(layer * classes, (layer + 1) * classes);
    const final = winner(shares(after, subject.layers));
    const rows = Array.from({ length: subject.layers + 1 }, (_, layer) => {
      const now = shares(after, layer);
      const mark = before === after ? null : shares(before, layer)[final];
      return reading(subject, layer, now, final, mark, after);
    });
    find(".readings").replaceChildren(...rows);
    find(".legend").replaceChildren(...named(subject, after));
  };
}
var winner = (shares) => shares.indexOf(Math.max(...shares));
function reading(subject, layer, shares, final, mark, answer) {
  const row = make("div", { role: "listitem" });
  const when = layer ? `after layer ${layer}` : "before layer 1";
  const best = winner(shares);
  const said = `${brief(shares[best])} ${className(subject, best)}`;
  const level = make("i");
  level.style.setProperty("--share", `${100 * shares[final]}%`);
  if (mark !== null) level.style.setProperty("--before", `${100 * mark}%`);
  const wide = make("span", { textContent: said });
  if (best === final) wide.className = "final";
  row.append(
    make("span", { textContent: when }),
    patches(subject, layer, answer),
    wide,
    level
  );
  row.ariaLabel = `${when}: ${said}; ${className(subject, final)} ${brief(shares[final])}`;
  return row;
}
function patches({ grid: [rows, columns], patches: count }, layer, { named: named2, sure }) {
  const ink = pixelGrid(columns, rows);
  for (let patch = 0; patch < count; patch++) {
    const at = layer * count + patch;
    const [red, green, blue] = bytesOf(HUES[named2[at] % HUES.length]);
    const alpha = Math.round(255 * sure[at]);
    ink.ink[patch] = (alpha << 24 | blue << 16 | green << 8 | red) >>> 0;
  }
  const canvas = make("canvas", { ariaHidden: "true" });
  const zoom = Math.ceil(72 / columns);
  penOf(canvas, columns * zoom, rows * zoom).drawImage(
    ink.put(),
    0,
    0,
    columns * zoom,
    rows * zoom
  );
  return canvas;
}
function named(subject, { named: indices, sure }) {
  const counts = /* @__PURE__ */ new Map();
  const start = subject.layers * subject.patches;
  for (let at = start; at < start + subject.patches; at++)
    if (sure[at]) counts.set(indices[at], 1 + (counts.get(indices[at]) ?? 0));
  const listed = [...counts].sort(([, one], [, other]) => other - one);
  return ["Patches after the last layer: ", ...listed.map(([index, count]) => {
    const word = make("span", { textContent: `${className(subject, index)} ${count}` });
    word.style.setProperty("--hue", HUES[index % HUES.length]);
    return word;
  })];
}

// workbench/models.js
function computer(subject) {
  const loading = loaded(subject);
  const asWhole = /* @__PURE__ */ new WeakMap();
  const { layers, heads, patches: patches2, quantizationLevels, classToken } = subject;
  const sizes = { layers, heads, patches: patches2, quantizationLevels, classToken };
  let engine = null;
  let beside = null;
  async function ask({ pixels }, state) {
    const model = await loading;
    engine ??= startEngine();
    const input = (picture) => normalised(picture, model.json.mean, model.json.std);
    const { copy } = state;
    return engine.ask(model, "answer", {
      pixels: input(rearranged(pixels, arrangement(state, patches2), subject)),
      options: options(state, subject),
      copy: copy && { ...copy, pixels: input(subject.pictures[copy.from].pixels) },
      sizes
    });
  }
  function whole(picture) {
    if (!asWhole.has(picture)) {
      const answer2 = ask(picture, UNCHANGED);
      answer2.catch(() => asWhole.delete(picture));
      asWhole.set(picture, answer2);
    }
    return asWhole.get(picture);
  }
  const answer = latest(async (state) => {
    const picture = subject.pictures[state.picture];
    const before = await whole(picture);
    return { before, after: isChanged(state) ? await ask(picture, state) : before };
  });
  async function curve(picture, order, counts, label) {
    const model = await loading;
    beside ??= startEngine();
    const pixels = normalised(picture.pixels, model.json.mean, model.json.std);
    return beside.ask(model, "curve", { pixels, order, counts, label });
  }
  return { answer, curve, stop: () => [engine, beside].forEach((one) => one?.stop()) };
}
async function loaded({ name, model, address }) {
  const { description, weights } = model ?? await fromScript(name, address);
  const { buffer } = await inflate(weights);
  return { json: description, buffer };
}
function fromScript(name, src) {
  return new Promise((resolve, reject) => {
    const script = make("script", { src });
    script.onload = () => resolve(globalThis.vitModels[name]);
    script.onerror = () => reject(new Error(`${src} could not be loaded`));
    document.head.append(script);
  });
}

// explorer/carried.js
function opaque(bytes) {
  const pixels = new Uint8Array(bytes.length / 3 * 4).fill(255);
  bytes.forEach((value, at) => pixels[4 * Math.floor(at / 3) + at % 3] = value);
  return pixels;
}

// explorer/resize.js
var BITS = 22;
var ONE = 2 ** BITS;
var STRIP = 256;
function taps(length, from, to, count) {
  [from, to] = [Math.fround(from), Math.fround(to)];
  const scale = Math.fround(to - from) / count;
  const reach2 = Math.max(scale, 1);
  return Array.from({ length: count }, (_, at) => {
    const centre = from + (at + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach2 + 0.5));
    const end2 = Math.min(length, Math.trunc(centre + reach2 + 0.5));
    const shares = Array.from({ length: end2 - start }, (_2, near) => {
      const distance2 = Math.abs((near + start - centre + 0.5) * (1 / reach2));
      return Math.max(0, 1 - distance2);
    });
    const sum = shares.reduce((total, share) => total + share, 0);
    const weights = shares.map((share) => Math.trunc(0.5 + share / sum * ONE));
    return { start, weights };
  });
}
function middle(width, height, columns, rows) {
  const [own, wanted] = [width / height, columns / rows];
  const across = own > wanted ? wanted * height : width;
  const down = own < wanted ? width / wanted : height;
  const [left, top] = [(width - across) * 0.5, (height - down) * 0.5];
  return [left, top, left + across, top + down];
}
async function resize(read, width, height, columns, rows) {
  const [left, top, right, bottom] = middle(width, height, columns, rows);
  const across = taps(width, left, right, columns);
  const down = taps(height, top, bottom, rows);
  const first = { x: across[0].start, y: down[0].start };
  const wide = endOf(across.at(-1)) - first.x;
  const tall = endOf(down.at(-1)) - first.y;
  const narrow = new Uint8Array(tall * columns * 3);
  for (let y = 0; y < tall; y += STRIP) {
    const some = Math.min(STRIP, tall - y);
    const strip = await read(first.x, first.y + y, wide, some);
    for (let row = 0; row < some; row++)
      across.forEach(({ start, weights }, column) => {
        const from = 4 * (row * wide + start - first.x);
        const to = 3 * ((y + row) * columns + column);
        mix(strip, from, 4, weights, narrow, to);
      });
  }
  const result = new Uint8Array(rows * columns * 3);
  down.forEach(({ start, weights }, row) => {
    for (let column = 0; column < columns; column++) {
      const from = 3 * ((start - first.y) * columns + column);
      mix(narrow, from, 3 * columns, weights, result, 3 * (row * columns + column));
    }
  });
  return result;
}
var endOf = ({ start, weights }) => start + weights.length;
function mix(source, from, step, weights, target, to) {
  for (let colour = 0; colour < 3; colour++) {
    let sum = ONE / 2;
    for (let at = 0; at < weights.length; at++)
      sum += source[from + at * step + colour] * weights[at];
    target[to + colour] = Math.min(255, Math.floor(sum / ONE));
  }
}
function greyed(pixels) {
  for (let at = 0; at < pixels.length; at += 4) {
    const [red, green, blue] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const grey = 19595 * red + 38470 * green + 7471 * blue + 32768 >> 16;
    pixels.fill(grey, at, at + 3);
  }
  return pixels;
}

// explorer/upload.js
function onFiles(element, take) {
  const carries = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  const over = (event, is) => {
    if (!carries(event)) return false;
    event.preventDefault();
    event.stopPropagation();
    element.classList.toggle("over", is);
    return true;
  };
  element.addEventListener("dragenter", (event) => over(event, true));
  element.addEventListener("dragover", (event) => over(event, true));
  element.addEventListener("dragleave", (event) => over(event, false));
  element.addEventListener("drop", (event) => {
    if (over(event, false)) take(event.dataTransfer.files[0]);
  });
  element.addEventListener("paste", (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    take(file);
  });
}
async function readPicture(file, { size: [height, width], channels }) {
  const picture = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const canvas = make("canvas");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  async function read(left, top, wide, tall) {
    await new Promise((go) => setTimeout(go));
    Object.assign(canvas, { width: wide, height: tall });
    pen.fillStyle = "white";
    pen.fillRect(0, 0, wide, tall);
    pen.drawImage(picture, -left, -top);
    const { data } = pen.getImageData(0, 0, wide, tall);
    return channels === 1 ? greyed(data) : data;
  }
  try {
    return await resize(read, picture.width, picture.height, width, height);
  } finally {
    picture.close();
  }
}

// workbench/camera.js
var LAYOUT2 = `
<button type="button" class="open">camera</button>
<div class="live" hidden><video playsinline muted aria-label="what the camera sees">
    </video>
  <button type="button" class="shot">take picture</button>
  <button type="button" class="close">close</button></div>
<p role="alert"></p>`;
var WANTED = { facingMode: "environment" };
var REASONS = {
  NotAllowedError: "The camera may not be used: permission was denied.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is in use by another program."
};
function camera(element, take) {
  const find = frame(element, "camera", LAYOUT2);
  const [open, shot, live, video] = [".open", ".shot", ".live", "video"].map(find);
  let stream = null;
  let asked = 0;
  const possible = Boolean(navigator.mediaDevices?.getUserMedia);
  open.hidden = !possible;
  async function start() {
    const mine = ++asked;
    find("[role=alert]").textContent = "";
    open.disabled = true;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: WANTED });
      if (mine === asked) watch(opened);
      else end(opened);
    } catch (error) {
      if (mine === asked) refuse(error);
    }
  }
  function watch(opened) {
    stream = opened;
    stream.getVideoTracks()[0].addEventListener("ended", stop);
    live.hidden = false;
    open.hidden = true;
    shot.disabled = true;
    video.srcObject = stream;
    video.play().catch(() => {
    });
    find(".close").focus();
  }
  function refuse({ name, message }) {
    stop();
    const reason = REASONS[name] ?? `The camera does not open: ${message || name}.`;
    find("[role=alert]").textContent = reason;
  }
  function stop() {
    asked++;
    if (stream) end(stream);
    stream = null;
    video.srcObject = null;
    const inside = live.contains(document.activeElement);
    live.hidden = true;
    open.disabled = false;
    open.hidden = !possible;
    if (inside) open.focus();
  }
  async function shoot() {
    const { videoWidth: width, videoHeight: height } = video;
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d").drawImage(video, 0, 0);
    stop();
    const blob = await new Promise((made) => canvas.toBlob(made, "image/png"));
    take(blob, "camera picture");
  }
  open.addEventListener("click", start);
  shot.addEventListener("click", shoot);
  find(".close").addEventListener("click", stop);
  video.addEventListener("loadeddata", () => {
    shot.disabled = false;
    if (live.contains(document.activeElement)) shot.focus();
  });
  addEventListener("pagehide", stop);
}
var end = (stream) => stream.getTracks().forEach((track) => track.stop());

// workbench/dragging.js
function dragging(canvas, { grabs, start, drag }) {
  let last = null;
  function placeOf({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const across = canvas.width * (clientX - left) / width;
    return [across, canvas.height * (clientY - top) / height];
  }
  canvas.addEventListener("touchstart", (event) => {
    if (grabs(placeOf(event.changedTouches[0]))) event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    const place2 = placeOf(event);
    if (event.button !== 0 || !event.isPrimary || !grabs(place2)) return;
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ focusVisible: false });
    last = place2;
    start(place2);
  });
  canvas.addEventListener("pointermove", (event) => {
    const place2 = placeOf(event);
    canvas.classList.toggle("grabs", grabs(place2));
    if (!last || !canvas.hasPointerCapture(event.pointerId)) return;
    drag(last, place2);
    last = place2;
  });
  canvas.addEventListener("lostpointercapture", () => last = null);
}

// workbench/scribble.js
var PEN = 2.5;
function scribble(size) {
  let colours = /* @__PURE__ */ new Map();
  function stroke(from, to, colour) {
    for (let at = 0; at < size * size; at++) {
      const pixel = [at % size + 0.5, Math.floor(at / size) + 0.5];
      if (distance(pixel, from, to) < PEN) colours.set(at, colour);
    }
  }
  function over(pixels) {
    const both = pixels.slice();
    for (const [at, colour] of colours) both.set(colour, 4 * at);
    return both;
  }
  const clear = () => colours = /* @__PURE__ */ new Map();
  return { stroke, over, clear, isClear: () => colours.size === 0 };
}
function distance([x, y], [fromX, fromY], [toX, toY]) {
  const [right, down] = [toX - fromX, toY - fromY];
  const length = right ** 2 + down ** 2;
  const along = length ? ((x - fromX) * right + (y - fromY) * down) / length : 0;
  const share = Math.max(0, Math.min(1, along));
  return Math.hypot(x - fromX - share * right, y - fromY - share * down);
}

// workbench/stack.js
var stack_exports = {};
__export(stack_exports, {
  CLASSES: () => CLASSES,
  SIZE: () => SIZE,
  SIZES: () => SIZES,
  TEXTURES: () => TEXTURES,
  classOf: () => classOf,
  moved: () => moved,
  paintStack: () => paintStack,
  randomBackground: () => randomBackground,
  randomChoice: () => randomChoice,
  randomColours: () => randomColours,
  reach: () => reach,
  textured: () => textured,
  within: () => within
});
var SIZE = 96;
var TEXTURES = ["vertical", "horizontal", "checks", "dots"];
var CLASSES = [
  [0, 1],
  [1, 0],
  [0, 2],
  [2, 0],
  [1, 3],
  [3, 1],
  [2, 3],
  [3, 2],
  [0, 0],
  [2, 2]
];
var GAP = 4;
var SIZES = [12, 16];
var TERMS = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, -0.5]];
var DISCS = [1, 0.5];
var TRIES = 32;
var repeat = (length, draw) => Array.from({ length }, draw);
function classOf({ top, bottom }) {
  const label = CLASSES.findIndex((pair) => pair[0] === top && pair[1] === bottom);
  return label < 0 ? null : label;
}
function reach(half) {
  const tall = 2 * half + GAP;
  return [[half, tall], [SIZE - half, SIZE - tall]];
}
function moved(choice2, place2) {
  const [first, last] = reach(choice2.half);
  const [x, y] = place2.map((value, axis) => clamp(Math.round(value), first[axis], last[axis]));
  return { ...choice2, x, y };
}
var within = ({ x, y, half }, [across, down]) => Math.abs(across - x) < half && Math.abs(down - y) < 2 * half + GAP;
var between = (random, low, high) => low + (high - low) * random();
var direction = (random) => repeat(3, () => between(random, -1, 1));
function randomChoice(random = Math.random) {
  const [top, bottom] = CLASSES[Math.floor(CLASSES.length * random())];
  const half = Math.floor(between(random, SIZES[0], SIZES[1] + 1));
  const [first, last] = reach(half);
  const [x, y] = first.map((low, axis) => Math.floor(between(random, low, last[axis] + 1)));
  const tile = () => ({
    period: between(random, 6, 8),
    phase: [random(), random()],
    colour: direction(random)
  });
  const tiles = [tile(), tile()];
  const stack = { top, bottom, x, y, half, tiles };
  return { ...stack, ...randomBackground(stack, random) };
}
var randomColours = ({ tiles }, random = Math.random) => ({
  tiles: tiles.map((tile) => ({ ...tile, colour: direction(random) }))
});
function randomBackground(stack, random = Math.random) {
  const base = between(random, 0.35, 0.65);
  const background = repeat(3, () => {
    const band = base + between(random, -0.15, 0.15);
    return repeat(4, () => repeat(4, () => band + between(random, -0.15, 0.15)));
  });
  const discs = DISCS.filter((share) => random() < share).map(() => clearDisc(stack, random)).filter(Boolean);
  return { background, discs };
}
function clearDisc({ x, y, half }, random) {
  const radius = between(random, 5, 9);
  const draw = () => between(random, radius, SIZE - radius);
  for (let tries = 0; tries < TRIES; tries++) {
    const place2 = { x: draw(), y: draw(), radius };
    const across = Math.abs(place2.x - x) > half + radius + 1;
    const down = Math.abs(place2.y - y) > 2 * half + GAP + radius + 1;
    if (!across && !down) continue;
    return { ...place2, colour: repeat(3, () => between(random, 0.1, 0.9)) };
  }
  return null;
}
function paintStack(choice2) {
  const pixels = new Uint8Array(SIZE * SIZE * 4).fill(255);
  for (const [band, grid] of choice2.background.entries())
    spread(grid).forEach((shade, at) => pixels[4 * at + band] = byte(shade));
  for (const { x, y, radius, colour } of choice2.discs)
    cover(pixels, (across, down) => (across - x) ** 2 + (down - y) ** 2 < radius ** 2 ? colour : null);
  cover(pixels, stackColours(choice2));
  return pixels;
}
var byte = (value) => Math.round(255 * value);
function cover(pixels, colourAt) {
  for (let at = 0; at < SIZE * SIZE; at++) {
    const colour = colourAt(at % SIZE + 0.5, Math.floor(at / SIZE) + 0.5);
    if (colour) pixels.set(colour.map(byte), 4 * at);
  }
}
function stackColours(choice2) {
  const { x, y, tiles } = choice2;
  const [top, bottom] = [choice2.top, choice2.bottom].map((texture, which) => textured(texture, tiles[which]));
  return (across, down) => {
    if (!within(choice2, [across, down]) || Math.abs(down - y) <= GAP) return null;
    return (down > y ? bottom : top)(across - x, down - y);
  };
}
function textured(texture, { period, phase, colour }) {
  const [a, b, c, d] = TERMS[texture];
  const strongest = Math.max(...colour.map(Math.abs));
  const apart = colour.map((value) => 0.42 * value / strongest);
  const wave = (at, from) => Math.cos(2 * Math.PI * (at / period + from));
  return (across, down) => {
    const [wx, wy] = [wave(across, phase[0]), wave(down, phase[1])];
    const pattern = clamp(2.5 * (a * wx + b * wy + c * wx * wy + d), -1, 1);
    return apart.map((value) => 0.5 + value * pattern);
  };
}
function spread(grid) {
  const wide = grid.length;
  const along = repeat(SIZE, (_, pixel) => {
    const at = clamp((pixel + 0.5) * wide / SIZE - 0.5, 0, wide - 1);
    const from = Math.min(Math.floor(at), wide - 2);
    return [from, at - from];
  });
  return along.flatMap(([row, down]) => along.map(([column, right]) => {
    const mix2 = (line) => line[column] * (1 - right) + line[column + 1] * right;
    return mix2(grid[row]) * (1 - down) + mix2(grid[row + 1]) * down;
  }));
}

// workbench/textures.js
var SAMPLE = 20;
function textureButtons(parent, name, choose) {
  const ariaLabel = `texture at the ${name}`;
  const group = make("div", { role: "radiogroup", ariaLabel });
  const buttons = TEXTURES.map((ariaLabel2, texture) => {
    const button2 = make("button", { type: "button", role: "radio", ariaLabel: ariaLabel2 });
    button2.title = ariaLabel2;
    button2.append(make("canvas", { width: SAMPLE, height: SAMPLE }));
    button2.addEventListener("click", () => choose(texture));
    return button2;
  });
  group.append(make("span", { textContent: name, ariaHidden: "true" }), ...buttons);
  parent.append(group);
  onArrows(group, (down, across) => {
    const now = buttons.findIndex(({ ariaChecked }) => ariaChecked === "true");
    const next = (now + down + across + TEXTURES.length) % TEXTURES.length;
    buttons[next].focus();
    choose(next);
  });
  return function put(texture, tile) {
    for (const [at, button2] of buttons.entries()) {
      button2.ariaChecked = at === texture;
      button2.tabIndex = at === texture ? 0 : -1;
      drawSample(button2.firstChild, textured(at, tile));
    }
  };
}
function drawSample(canvas, colourAt) {
  const image = new ImageData(SAMPLE, SAMPLE);
  for (let at = 0; at < SAMPLE ** 2; at++) {
    const colour = colourAt(at % SAMPLE + 0.5, Math.floor(at / SAMPLE) + 0.5);
    image.data.set([...colour.map((value) => 255 * value), 255], 4 * at);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// workbench/painter.js
var { SIZE: SIZE2, TEXTURES: TEXTURES2 } = stack_exports;
var TILES = ["top", "bottom"];
var LAYOUT3 = `
<div class="picture"><canvas width="${SIZE2}" height="${SIZE2}" tabindex="0"
    role="application"></canvas><i class="pen" hidden></i></div>
<div class="choices">
  <p class="class" role="status"></p>
  <div class="textures"></div>
  <div class="size"></div>
  <div class="others"></div>
  <div class="others"></div>
  <p class="help"></p>
</div>`;
var HELP = {
  stack: "Drag the stack, or use the arrow keys (Shift: by 8).",
  pen: "Draw, or use the arrow keys (Shift lifts the pen)."
};
function painter(element, changed) {
  const find = frame(element, "painter", LAYOUT3);
  const canvas = find("canvas");
  const sheet = scribble(SIZE2);
  let choice2 = randomChoice();
  let scribbling = false;
  let pen = [SIZE2 / 2, SIZE2 / 2];
  let due = 0;
  let other = true;
  const textures = TILES.map((tile) => textureButtons(find(".textures"), tile, (texture) => move({ [tile]: texture })));
  const size = sizeSlider(find(".size"), (half) => change(moved({ ...choice2, half }, [choice2.x, choice2.y])));
  const { clearButton, scribbleButton, colour } = tools();
  let held = [0, 0];
  dragging(canvas, {
    grabs: (place3) => scribbling || within(choice2, place3),
    start(place3) {
      held = [choice2.x, choice2.y];
      if (scribbling) draw(place3, place3);
    },
    drag: (from, to) => scribbling ? draw(from, to) : dragBy(from, to)
  });
  onArrows(canvas, (down, across, { shiftKey }) => {
    if (scribbling) return movePen([2 * across, 2 * down], !shiftKey);
    const step = shiftKey ? 8 : 1;
    const place3 = [choice2.x + step * across, choice2.y + step * down];
    return change(moved(choice2, place3));
  });
  function tools() {
    const [others2, scribbles] = element.querySelectorAll(".others");
    const button2 = (parent, textContent, pressed) => {
      const made = make("button", { type: "button", textContent });
      made.addEventListener("click", pressed);
      parent.append(made);
      return made;
    };
    button2(others2, "other colours", () => move(randomColours(choice2)));
    button2(others2, "other background", () => move(randomBackground(choice2)));
    const swap = button2(find(".textures"), "swap", () => {
      const { top, bottom, tiles } = choice2;
      move({ top: bottom, bottom: top, tiles: [...tiles].reverse() });
    });
    swap.ariaLabel = "swap top and bottom";
    const scribbleButton2 = button2(scribbles, "scribble", () => {
      scribbling = !scribbling;
      later();
    });
    const colour2 = make("input", { type: "color", value: "#0072b2" });
    scribbles.append(labelled("colour", colour2), colour2);
    const clearButton2 = button2(scribbles, "clear scribble", () => {
      sheet.clear();
      scribbleButton2.focus();
      change(choice2);
    });
    return { clearButton: clearButton2, scribbleButton: scribbleButton2, colour: colour2 };
  }
  function draw(from, to) {
    sheet.stroke(from, to, bytesOf(colour.value));
    pen = to.map((value) => clamp(value, 0, SIZE2));
    change(choice2);
  }
  function movePen(step, down) {
    const from = pen;
    pen = pen.map((value, axis) => clamp(value + step[axis], 0, SIZE2));
    if (down) draw(from, pen);
    else later();
  }
  function dragBy(from, to) {
    held = held.map((value, axis) => value + to[axis] - from[axis]);
    change(moved(choice2, held));
  }
  const move = (part) => change({ ...choice2, ...part });
  function change(next) {
    choice2 = next;
    other = true;
    later();
  }
  function later() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      place2();
    });
  }
  function place2() {
    const pixels = sheet.over(paintStack(choice2));
    const image = new ImageData(new Uint8ClampedArray(pixels), SIZE2, SIZE2);
    canvas.getContext("2d").putImageData(image, 0, 0);
    textures.forEach((put, which) => put(choice2[TILES[which]], choice2.tiles[which]));
    size(choice2.half);
    placePen();
    scribbleButton.ariaPressed = scribbling;
    clearButton.disabled = sheet.isClear();
    canvas.classList.toggle("drawing", scribbling);
    canvas.ariaLabel = spoken();
    find(".help").textContent = scribbling ? HELP.pen : HELP.stack;
    const label = classOf(choice2);
    tell(label);
    if (other) changed(pixels, label);
    other = false;
  }
  function placePen() {
    const mark = find(".pen");
    mark.hidden = !scribbling;
    const [left, top] = pen.map((value) => `${100 * value / SIZE2}%`);
    Object.assign(mark.style, { left, top });
  }
  function spoken() {
    const where = ([x, y]) => `${Math.round(x)} pixels from the left and ${Math.round(y)} from the top, of ${SIZE2}`;
    const what = scribbling ? "scribble: pen" : "stack: its middle is";
    return `${what} ${where(scribbling ? pen : [choice2.x, choice2.y])}`;
  }
  function tell(label) {
    const name = TILES.map((tile) => TEXTURES2[choice2[tile]]).join("/");
    const none = "this pair is none of the ten classes";
    const text2 = label === null ? none : `class: ${name}`;
    const line = find(".class");
    if (line.textContent !== text2) line.textContent = text2;
  }
  later();
  function show(next) {
    sheet.clear();
    change(next);
  }
  function stop() {
    cancelAnimationFrame(due);
    due = -1;
    element.replaceChildren();
  }
  return { show, stop };
}
function sizeSlider(parent, choose) {
  const [min, max] = SIZES;
  const input = make("input", { type: "range", min, max, step: 1 });
  const said = make("span", { ariaHidden: "true" });
  parent.append(labelled("size", input), input, said);
  input.addEventListener("input", () => choose(Number(input.value)));
  return function put(half) {
    input.value = half;
    said.textContent = `${2 * half} pixels`;
    input.setAttribute("aria-valuetext", `tiles of ${2 * half} pixels`);
  };
}

// workbench/pictures.js
function pictures(element, find, hear) {
  let now = null;
  let shown2 = [];
  let painting = null;
  const file = find("input[type=file]");
  file.addEventListener("change", async () => {
    if (file.files.length) await take(file.files[0]);
    file.value = "";
  });
  onFiles(element, take);
  camera(find(".camera-place"), take);
  find(".paint").addEventListener("click", paint);
  async function take(chosen, title = chosen.name) {
    const { subject } = now;
    hear.problem("");
    try {
      const pixels = opaque(await readPicture(chosen, subject));
      hear.added({ title, pixels, label: null, scores: {} }, subject);
    } catch {
      hear.problem(`${title} is no picture that this browser can read`);
    }
  }
  function paint() {
    if (painting) return close();
    let at = null;
    painting = painter(find(".painting"), (pixels, label) => {
      const picture = { title: "painted stack", pixels, label, scores: {} };
      if (at === null) at = hear.added(picture, now.subject);
      else hear.changed(at, picture);
    });
    toggle();
  }
  function close() {
    painting?.stop();
    painting = null;
    toggle();
  }
  function toggle() {
    find(".painting").hidden = !painting;
    find(".paint").ariaExpanded = painting !== null;
  }
  function thumb({ title, pixels }, at) {
    const [height, width] = now.subject.size;
    const made = make("button", { type: "button", title, ariaLabel: title });
    made.append(pictureOf(pixels, width, height));
    made.addEventListener("click", () => hear.chosen(at));
    return made;
  }
  return function draw({ subject, state }) {
    if (painting && subject !== now.subject) close();
    now = { subject };
    find(".paint").hidden = !subject.paints;
    const all = subject.pictures;
    const gallery = find(".gallery");
    all.forEach((picture, at) => {
      if (picture === shown2[at]) return;
      if (at < shown2.length) gallery.children[at].replaceWith(thumb(picture, at));
      else gallery.append(thumb(picture, at));
    });
    for (let at = shown2.length; at > all.length; at--) gallery.lastChild.remove();
    shown2 = [...all];
    [...gallery.children].forEach((made, at) => made.ariaPressed = at === state.picture);
  };
}

// explorer/pointing.js
function cellUnder({ offsetX, offsetY }, { clientWidth, clientHeight }, rows, columns) {
  const at = (position, whole, count) => clamp(Math.floor(position / whole * count), 0, count - 1);
  return [at(offsetY, clientHeight, rows), at(offsetX, clientWidth, columns)];
}

// explorer/state.js
function neighbour(patch, down, across, [rows, columns]) {
  const from = (patch || 1) - 1;
  const row = clamp(Math.floor(from / columns) + down, 0, rows - 1);
  return 1 + row * columns + clamp(from % columns + across, 0, columns - 1);
}

// workbench/stage.js
var SIDE = 480;
function drawPane(canvas, picture, { size, grid, colours }, look) {
  const [height, width] = size;
  const [rows, columns] = grid;
  const zoom = Math.ceil(SIDE / Math.max(height, width));
  const pen = penOf(canvas, width * zoom, height * zoom);
  const side = width / columns * zoom;
  const square = squares(columns, side);
  pen.drawImage(pictureOf(picture, width, height), 0, 0, canvas.width, canvas.height);
  if (look.weights) {
    const map = pixelGrid(columns, rows);
    look.weights.forEach((weight, patch) => {
      map.ink[patch] = colours[Math.round(255 * weight / (look.largest || 1))];
    });
    pen.globalAlpha = look.opacity;
    pen.drawImage(map.put(), 0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 1;
  }
  for (const patch of look.hidden) hatch(pen, square(patch));
  const line = clamp(Math.round(side / 8), 2, 5);
  for (const patch of look.framed) box(pen, square(patch), line, "white");
}
function onTouches(canvas, grid, { touched, at, paints }) {
  let last = null;
  let cursor = 0;
  const patchUnder = (event) => {
    const [row, column] = cellUnder(event, canvas, ...grid());
    return 1 + row * grid()[1] + column;
  };
  canvas.addEventListener("click", (event) => {
    if (!paints()) touched(patchUnder(event), true);
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !paints()) return;
    last = patchUnder(event);
    canvas.setPointerCapture(event.pointerId);
    touched(last, true);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) last = null;
    if (last === null || !paints()) return;
    const patch = patchUnder(event);
    if (patch === last) return;
    last = patch;
    touched(patch, false);
  });
  for (const end2 of ["pointerup", "pointercancel"])
    canvas.addEventListener(end2, () => last = null);
  onArrows(canvas, (down, across) => {
    cursor = neighbour(cursor, down, across, grid());
    at(cursor);
  });
  canvas.addEventListener("keydown", (event) => {
    if (![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    cursor = neighbour(cursor, 0, 0, grid());
    at(cursor);
    touched(cursor, true);
  });
  canvas.addEventListener("blur", () => at(null));
}

// workbench/tour.js
var RAW = { map: "raw", head: -1, query: 0 };
function chance({ subject, answers: { before, after } }) {
  const index = guessOf(before);
  const [was, is] = [before, after].map(({ probabilities }) => percent(probabilities[index]));
  const name = className(subject, index);
  return `The answer: ${name} ${was}${before === after ? "" : `, now ${is}`}.`;
}
function shown({ subject, state, answers: { before } }) {
  const { layer, head, query } = state;
  return weightsOf(before, subject, { mode: "raw", layer, head }, query);
}
var STEPS2 = [
  {
    title: "A picture is numbers",
    says({ subject: { size: [height, width], channels } }) {
      const count = (height * width * channels).toLocaleString("en");
      return `${height} rows of ${width} pixels, ${channels} values each: ${count} numbers. The model gets nothing else.`;
    },
    task: "Choose another picture.",
    done: ({ picture }, was) => picture !== was.picture,
    at: ".pick",
    sets: RAW
  },
  {
    title: "Patches become tokens",
    says({ subject: { grid: [rows, columns], patches: patches2, classToken } }) {
      const more = classToken ? `, and a class token joins them: ${patches2 + 1}` : "";
      return `${rows} by ${columns} patches, each a token of its own: ${patches2}${more}. From here on the model knows no pixels.`;
    },
    task: "Touch a patch: the map shows which tokens it draws from.",
    done: ({ query }) => query > 0,
    at: ".panes",
    sets: RAW
  },
  {
    title: "Attention mixes tokens",
    says(context) {
      const { weights, largest, kept } = shown(context);
      const { patches: patches2, classToken } = context.subject;
      const even = number(1 / (patches2 + Number(classToken)));
      const where = place(1 + weights.indexOf(largest), context.subject);
      const own = classToken ? `; ${number(kept)} stays with the class token` : "";
      return `A row of weights sums to 1. Spread evenly each would be ${even}; the brightest patch, ${where}, has ${number(largest)}${own}.`;
    },
    task: "Move the slider of the layer to the first one.",
    done: ({ layer }) => layer === 0,
    at: ".controls",
    sets: ({ layers }) => ({ ...RAW, layer: layers - 1 })
  },
  {
    title: "Each head asks its own question",
    says(context) {
      const { heads } = context.subject;
      const peaks = Array.from({ length: heads }, (_, head) => {
        const state = { ...context.state, head };
        const { weights, largest } = shown({ ...context, state });
        return weights.indexOf(largest);
      });
      const different = new Set(peaks).size;
      return `In this layer the ${heads} heads have their brightest patch at ${different} different ${different === 1 ? "place" : "places"}.`;
    },
    task: "Look at one head after another.",
    done: ({ head }) => head >= 0,
    at: ".controls",
    sets: RAW
  },
  {
    title: "Attention knows no order",
    says: (context) => "To attention the tokens are a bag of patches; only positions tell their order. " + chance(context),
    task: "Press \u201Cno positions\u201D.",
    done: ({ positions }) => !positions,
    at: ".switches",
    sets: RAW
  },
  {
    title: "So places must be told",
    says: (context) => "With positions each patch says where it lies; shuffled, it says another place. " + chance(context),
    task: "Press \u201Cshuffle the patches\u201D, more than once.",
    done: ({ shuffle }) => shuffle > 0,
    at: ".switches",
    sets: RAW
  },
  {
    title: "Hide what is bright",
    says: (context) => `A hidden patch becomes no token at all. A bright patch whose leaving changes nothing was looked at and not needed. ${chance(context)}`,
    task: "Let a click hide patches, and hide the brightest ones.",
    done: ({ hidden }) => hidden.length > 0,
    at: ".tools",
    sets: RAW
  },
  {
    title: "Silence a head",
    says: (context) => `What a silent head would have added is left out. ${chance(context)}`,
    task: "Press heads, all attention of a layer, or an MLP.",
    done: ({ silent }) => silent.length > 0,
    at: ".heads",
    sets: RAW
  },
  {
    title: "The answer forms",
    says({ subject, answers: { after } }) {
      const classes = subject.outputs;
      const best = Array.from({ length: subject.layers + 1 }, (_, layer) => {
        const shares = [...after.lens.subarray(layer * classes, (layer + 1) * classes)];
        return shares.indexOf(Math.max(...shares));
      });
      let first = subject.layers;
      while (first > 0 && best[first - 1] === best.at(-1)) first--;
      const when = first ? `after layer ${first} of ${subject.layers}` : "from the start";
      return `Read with the head, ${readFrom(subject)} says ${className(subject, best.at(-1))} ${when}, and stays with it.`;
    },
    task: "Choose another picture: does it form as early?",
    done: ({ picture }, was) => picture !== was.picture,
    at: ".lens",
    sets: RAW
  },
  {
    title: "May the map be believed?",
    says: () => "A map is a claim: these patches matter. The number under the curves says how well leaving and coming patches bear it out, beside random orders.",
    task: "Choose another map, and compare its gap.",
    done: ({ map, layer, head }, was) => map !== was.map || layer !== was.layer || head !== was.head,
    at: ".curves",
    sets: RAW
  }
];
function tour(find, hear) {
  const panel = find(".tour");
  const title = make("h2", { tabIndex: -1 });
  const [text2, task] = [make("p"), make("p")];
  const buttons = make("p");
  let at = null;
  let was = null;
  let now = null;
  let mine = null;
  const back = button(buttons, "back", () => go(at - 1));
  const next = button(buttons, "next", () => go(at + 1));
  button(buttons, "leave the tour", leave);
  task.setAttribute("role", "status");
  panel.append(title, text2, task, buttons);
  panel.ariaLabel = "guided tour";
  panel.setAttribute("role", "region");
  function go(step) {
    if (step === STEPS2.length) return leave();
    mark(false);
    hear.tool("look");
    at = step;
    const { sets, at: part } = STEPS2[at];
    const place2 = find(part);
    if (place2.tagName === "DETAILS") place2.open = true;
    was = {
      ...now.state,
      ...UNCHANGED,
      ...typeof sets === "function" ? sets(now.subject) : sets
    };
    mark(true);
    hear.move(was);
    title.focus({ preventScroll: true });
    place2.scrollIntoView();
  }
  function leave() {
    mark(false);
    at = null;
    panel.hidden = true;
    hear.tool(mine.tool);
    hear.move(mine.state);
    find(".guide").focus();
  }
  function mark(is) {
    if (at !== null) find(STEPS2[at].at).classList.toggle("here", is);
  }
  function draw(context) {
    if (now?.subject !== context.subject) text2.textContent = "";
    now = context;
    if (at === null) return;
    const step = STEPS2[at];
    const done = step.done(context.state, was);
    panel.hidden = false;
    title.textContent = `${at + 1} of ${STEPS2.length}: ${step.title}`;
    if (context.answers) text2.textContent = step.says(context);
    task.textContent = `${done ? "\u2713 " : ""}${step.task}`;
    back.disabled = at === 0;
    next.textContent = at === STEPS2.length - 1 ? "end" : "next";
  }
  return {
    draw,
    start(context) {
      now = context;
      if (at === null) mine = context;
      go(0);
    }
  };
}

// workbench/mount.js
var KEYS = "Arrow keys move a cursor, space is a click.";
function mount(element, subjects) {
  const find = frame(element, "vit-workbench", LAYOUT);
  element.setAttribute("role", "region");
  Object.assign(element, { ariaLabel: "workbench", tabIndex: -1 });
  const computers = /* @__PURE__ */ new Map();
  let state = fromAddress(location.hash, subjects);
  let tool = "look";
  let cursor = null;
  let known = {};
  let asked = 0;
  const subjectNow = () => subjects.find(({ name }) => name === state.model);
  const computerNow = () => {
    const subject = subjectNow();
    if (!computers.has(subject)) computers.set(subject, computer(subject));
    return computers.get(subject);
  };
  const drawChoices = choosing(find, subjects, {
    move,
    subject: (name) => go(beginning(subjects.find((one) => one.name === name)))
  });
  const board = changing(find, { move, tool: take });
  const drawPictures = pictures(element, find, {
    chosen: (picture) => move({ picture }),
    added(picture, subject) {
      const at = subject.pictures.push(picture) - 1;
      if (subject === subjectNow()) move({ picture: at });
      return at;
    },
    changed(at, picture) {
      subjectNow().pictures[at] = picture;
      move({ picture: at });
    },
    problem
  });
  const panes = ["before", "after"].map((name) => find(`.${name} canvas`));
  for (const canvas of panes)
    onTouches(canvas, () => subjectNow().grid, {
      touched: board.touched,
      at(patch) {
        cursor = patch;
        draw();
      },
      paints: () => tool === "hide"
    });
  const drawLens = lens(find);
  const curves = believing(find);
  find(".curves").addEventListener("toggle", draw);
  const guide = tour(find, { move, tool: take });
  find(".guide").addEventListener("click", () => guide.start(context()));
  find(".reset").addEventListener("click", () => {
    board.forget();
    go(beginning(subjectNow()));
  });
  find(".link").addEventListener("click", copyLink);
  addEventListener("hashchange", open);
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("a[href]")?.href === location.href) open();
  });
  function open() {
    if (location.hash && !location.hash.includes("model=")) return;
    element.scrollIntoView();
    element.focus({ preventScroll: true });
    board.forget();
    go(fromAddress(location.hash, subjects));
  }
  function move(part) {
    go({ ...state, ...part });
  }
  function take(name) {
    tool = name;
    for (const canvas of panes) canvas.style.touchAction = tool === "hide" ? "none" : "";
    draw();
  }
  function problem(line) {
    find(".problem").textContent = line;
  }
  async function copyLink() {
    const said = find(".said");
    const subject = subjectNow();
    try {
      const link = new URL(`#${toAddress(state, subject)}`, location.href);
      await navigator.clipboard.writeText(link.href);
      said.textContent = isOwn(state, subject) ? "copied; your own picture stays here, the link does not have it" : "copied";
    } catch {
      said.textContent = "this browser does not let it be copied: it is in the address";
    }
  }
  async function go(next) {
    if (next.model !== state.model) clear();
    state = next;
    problem("");
    const subject = subjectNow();
    const { scores } = subject.pictures[state.picture];
    if (!(state.map in MAPS || state.map in scores)) state.map = "raw";
    try {
      history.replaceState(null, "", `#${toAddress(state, subject)}`);
    } catch {
    }
    find(".said").textContent = "";
    draw();
    await ask(subject);
  }
  async function ask(subject) {
    const mine = ++asked;
    const of = state;
    const picture = subject.pictures[state.picture];
    const waits = !computers.has(subject) && subject.address;
    element.ariaBusy = "true";
    if (waits) say(`The model is loaded, ${(subject.bytes / 1e6).toFixed(1)} MB ...`);
    try {
      const answers = await computerNow().answer(state);
      if (mine !== asked) return;
      known = { picture, of, answers };
      draw();
    } catch ({ message }) {
      computers.get(subject)?.stop();
      computers.delete(subject);
      if (mine !== asked) return;
      clear();
      problem(message);
    }
    say("");
    element.ariaBusy = "false";
  }
  function clear() {
    for (const part of [".bars", ".readings", ".legend"])
      find(part).replaceChildren();
    for (const part of [
      ".prediction b",
      ".prediction span",
      ".before b",
      ".after b",
      ".sentence"
    ])
      find(part).textContent = "";
    find(".reminder").hidden = true;
    for (const canvas of panes) canvas.ariaLabel = KEYS;
    curves.forget();
  }
  const say = (line) => find(".busy").textContent = line;
  function context() {
    const subject = subjectNow();
    const here = known.picture === subject.pictures[state.picture];
    const answers = here && sameChanges(known.of, state) ? known.answers : null;
    return { subject, state, tool, answers, before: here ? known.answers.before : null };
  }
  function draw() {
    const now = context();
    drawChoices(now);
    drawPictures(now);
    board.draw(now);
    drawPanes(now);
    find(".lens p span").textContent = readFrom(now.subject);
    if (now.answers) drawAnswers(now);
    guide.draw(now);
  }
  function drawPanes({ subject, state: state2, answers, before }) {
    const [left, right] = panes;
    if (!isChanged(state2) && document.activeElement === right) left.focus();
    const { pixels, scores } = subject.pictures[state2.picture];
    const changed = rearranged(pixels, arrangement(state2, subject.patches), subject);
    const { opacity, hidden, query, map } = state2;
    const framed = [.../* @__PURE__ */ new Set([query, cursor, ...board.framed(context())])].filter(Boolean);
    const look = (answer) => {
      if (map in scores) return { weights: scores[map], largest: 255 };
      return answer ? mapOf(answer, subject, state2) : { weights: null };
    };
    find(".after").hidden = !isChanged(state2);
    drawPane(left, pixels, subject, { ...look(before), opacity, hidden: [], framed });
    drawPane(
      right,
      changed,
      subject,
      {
        ...map in scores ? { weights: null } : look(answers?.after),
        opacity,
        hidden,
        framed
      }
    );
  }
  function drawAnswers({ subject, state: state2, answers }) {
    const { before, after } = answers;
    const whole = isChanged(state2) ? before : after;
    find(".before b").textContent = guess(subject, before);
    find(".after b").textContent = guess(subject, after);
    find(".reminder").hidden = before === after;
    const { classes } = subject;
    const { label } = subject.pictures[state2.picture];
    const labels = [isChanged(state2) ? null : label];
    classBars(find, { classes, labels })({ image: 0 }, after, whole);
    const line = sentence(subject, state2, answers);
    find(".sentence").textContent = line;
    const at = cursor ? ` The cursor is on patch ${place(cursor, subject)}.` : "";
    for (const canvas of panes) canvas.ariaLabel = `${line}${at} ${KEYS}`;
    drawLens(subject, before, after);
    if (find(".curves").open) {
      const { weights } = state2.map in MAPS ? mapOf(before, subject, state2) : { weights: subject.pictures[state2.picture].scores[state2.map] };
      const picture = subject.pictures[state2.picture];
      curves.draw(subject, computerNow(), picture, weights, before);
    }
  }
  draw();
  ask(subjectNow());
}
function mapOf(answer, subject, { map, layer, head, query }) {
  return weightsOf(answer, subject, { mode: map, layer, head }, query);
}

// workbench/page.js
async function mountNext() {
  const waiting = takeNext("vit-workbench");
  if (!waiting) return;
  const { element, data } = waiting;
  if (!window.DecompressionStream) {
    element.append("The workbench needs a browser of 2023 or later.");
    return;
  }
  const { colours } = data;
  const subjects = await Promise.all(data.subjects.map(async (subject) => {
    const pictures2 = await Promise.all(subject.pictures.map(async (picture) => ({
      ...picture,
      pixels: await inflate(picture.pixels)
    })));
    const shared = pictures2.length;
    const maps = ["raw", "rollout", ...new Set(pictures2.flatMap(({ scores }) => Object.keys(scores)))];
    const quantizationLevels = 1;
    return { ...subject, colours, pictures: pictures2, shared, maps, quantizationLevels };
  }));
  mount(element, subjects);
}

// workbench.js
mountNext();
