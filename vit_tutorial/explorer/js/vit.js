// The Vision Transformer's forward pass, as chapters 01 to 05 build it, in plain
// JavaScript: no import, no page, no request, so it runs in a page, in a Web Worker and
// in node alike.
//
//     import { load, forward } from "./vit.js";
//     const model = load(json, buffer);
//     const { logits, attention, states } = forward(model, pixels, options);
//
// load(json, buffer): a model from what `python -m vit_tutorial export --format web`
//   writes: model.json, parsed, and the bytes of model.bin (ArrayBuffer, or a view of
//   one). The model holds plain objects and typed arrays only: {config, classes, mean,
//   std, weights}, where weights.blocks[0].norm1.weight is PyTorch's
//   "blocks.0.norm1.weight". A batch norm is a scale and an offset: trained, it is no
//   more than that.
// forward(model, pixels, options): `encode` of what `embed` gives, with both's options.
// embed(model, pixels, options): tokens (T, D), a Float64Array
//   pixels     one picture as the model takes it, normalised: Float32Array (C, Y, X)
// encode(model, tokens, options): {logits, attention, states}; the tokens stay as they
//   are, so that one embedding serves many calls
//   logits     Float32Array (classes)
//   attention  one Float32Array (H, T, T) a layer, each row (a query) sums to 1
//   states     the residual stream x before the first block and after each:
//              depth + 1 Float32Arrays (T, D)
//   Each array has a buffer of its own, so that a worker can transfer it:
//   postMessage(result, [logits, ...attention, ...states].map(({ buffer }) => buffer)).
// logitLens(model, states), patchLens(model, states): what the head reads off each of
//   these states, depth + 1 Float32Arrays: the logits if the model stopped there
//   (classes), and those of every patch (N, classes).
// options of embed, none needed:
//   positions  false: no token gets a position, the class token neither.
// options of encode, all of them or none:
//   keep     [patch, ...]: only these patches become tokens, in this order, each with
//            the position of its own place; the class token always stays. Then T is
//            keep.length, and one more for a class token.
//   silence  [{layer, head} or {layer, part: "attention" | "mlp"}, ...]: what the head
//            mixed is zero before the output projection; what the whole branch would
//            add to x is left out. `attention` shows the weights all the same.
//   patch    [{layer, token, state}, ...]: row `token` of states[layer] becomes `state`
//            (D values), and what comes after follows; layer runs from 0 (before
//            the first block) to depth (before the head).
// A mistake is an Error of one line.
//
// Letters as in the book: C channels, Y, X rows and columns, P patch side, N patches,
// T tokens, D token width, H heads, K width of one head. Matrices lie row by row in
// Float64Arrays: numbers in JavaScript are doubles, and single precision would be
// converted at every step.

const FORMAT = 1;
const VARIANTS = [
  "vit", "layer-scale", "stochastic-depth", "stochastic-depth-and-layer-scale",
  "no-positions", "uniform-start", "mimetic-start", "convolutional-start",
];
const PROJECTIONS = { manual, convolutional, stem, hybrid };
const SCALES = Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));
const STEM_EPS = 1e-5; // of the stem's group norm: PyTorch's default

export function load(json, buffer) {
  const { format, config, classes, mean, std } = json;
  expect(format === FORMAT, `model.json is of format ${format}, expected ${FORMAT}`);
  const { name, embedder } = config;
  const known = VARIANTS.includes(name) && Object.hasOwn(PROJECTIONS, embedder);
  const given = `the model is ${name} with embedder ${embedder}`;
  expect(known, `${given}, expected a Vision Transformer of this package`);
  if (ArrayBuffer.isView(buffer)) {
    const { byteOffset, byteLength } = buffer; // may begin anywhere, a tensor may not
    buffer = buffer.buffer.slice(byteOffset, byteOffset + byteLength);
  }
  const bytes = buffer.byteLength;
  expect(bytes === json.bytes, `model.bin has ${bytes} bytes, expected ${json.bytes}`);
  const weights = {};
  for (const [path, tensor] of Object.entries(json.tensors)) {
    const parts = path.split(".");
    const last = parts.pop();
    const owner = parts.reduce((inner, part) => (inner[part] ??= {}), weights);
    owner[last] = readTensor(buffer, tensor);
  }
  return { config, classes, mean, std, weights };
}

export function forward(model, pixels, options = {}) {
  return encode(model, embed(model, pixels, options), options);
}

export function encode(model, tokens, { keep, silence = [], patch = [] } = {}) {
  const { config, weights } = model;
  const { depth, heads: H, dim: D, norm_eps: eps } = config;
  const fits = tokens.length % D === 0;
  expect(fits, `tokens are ${tokens.length} values, expected a multiple of ${D}`);
  const x = keep ? select(tokens, keep, config) : new Float64Array(tokens);
  const T = x.length / D;
  checkInterventions(silence, patch, T, config);
  const attention = [];
  const states = [];
  for (let layer = 0; layer <= depth; layer++) {
    if (layer > 0) {
      const block = weights.blocks[layer - 1];
      const silent = silence.filter((one) => one.layer === layer - 1);
      const parts = silent.map(({ part }) => part);
      const heads = silent.map(({ head }) => head);
      const mixed = attend(block.attention, norm(x, block.norm1, eps), T, H, heads);
      attention.push(mixed.weights);
      if (!parts.includes("attention")) add(x, mixed.tokens, block.end1?.factors);
      const thought = mlp(block.mlp, norm(x, block.norm2, eps), T);
      if (!parts.includes("mlp")) add(x, thought, block.end2?.factors);
    }
    for (const { token, state } of patch.filter((one) => one.layer === layer)) {
      x.set(state, token * D);
    }
    states.push(new Float32Array(x));
  }
  return { logits: classify(model, x), attention, states };
}

export function logitLens(model, states) {
  return states.map((state) => classify(model, state));
}

export function patchLens(model, states) {
  const { dim: D, pool } = model.config;
  const first = pool === "cls" ? D : 0;
  const patches = states.map((state) => new Float64Array(state.subarray(first)));
  return patches.map((features) => readHead(model, features));
}

// ---- from pixels to tokens: chapters 01 and 02, and the stems of chapter 10

// Pixels (C, Y, X) -> tokens (T, D), each with its position.
export function embed(model, pixels, { positions = true } = {}) {
  const { config, weights: { embedder } } = model;
  const C = config.channels;
  const [Y, X = Y] = [config.image_size].flat();
  const fits = pixels.length === C * Y * X;
  expect(fits, `pixels are ${pixels.length} values, expected ${C} x ${Y} x ${X}`);
  const picture = { values: channelsLast(pixels, C), Y, X, C };
  const patches = PROJECTIONS[config.embedder](picture, config.patch_size, embedder);
  const tokens = embedder.positions.slice();
  if (!positions) tokens.fill(0);
  const first = config.pool === "cls" ? config.dim : 0;
  if (first) add(tokens.subarray(0, first), embedder.class_token);
  add(tokens.subarray(first), patches);
  return tokens;
}

// (C, Y, X) -> (Y, X, C): the values of one place lie together, as those of a token do.
function channelsLast(pixels, C) {
  const places = pixels.length / C;
  const values = new Float64Array(pixels.length);
  for (let c = 0; c < C; c++) {
    for (let at = 0; at < places; at++) values[at * C + c] = pixels[c * places + at];
  }
  return values;
}

// The four embedders: a picture {values (Y, X, C), Y, X, C} -> patches (N, D).
function manual(picture, P, { projection }) {
  const { patches, N } = patchify(picture, P);
  return linear(patches, N, projection);
}

function convolutional(picture, P, { projection }) {
  return convolve(picture, projection, { kernel: P, stride: P, padding: 0 }).values;
}

function stem(picture, P, embedder) {
  let map = picture;
  primeFactors(P).forEach((stride, level) => {
    map = convolve(map, embedder.stem[3 * level], shrinking(stride));
    standardise(map.values, STEM_EPS); // all places and channels of the picture at once
    scale(map.values, embedder.stem[3 * level + 1]);
    gelu(map.values);
  });
  return linear(map.values, map.Y * map.X, embedder.projection);
}

function hybrid(picture, P, embedder) {
  let map = picture;
  let at = 0; // where the next layer stands in the stem
  primeFactors(P).forEach((stride, level) => {
    map = convolve(map, embedder.stem[at], shrinking(stride));
    relu(scale(map.values, embedder.stem[at + 1]));
    at += 3;
    if (level > 0) map = residual(map, embedder.stem[at++].layers);
  });
  return linear(map.values, map.Y * map.X, embedder.projection);
}

// Two 3 x 3 convolutions whose result is added to the map, which keeps its size.
function residual(map, layers) {
  const same = { kernel: 3, stride: 1, padding: 1 };
  const inner = convolve(map, layers[0], same);
  relu(scale(inner.values, layers[1]));
  const outer = convolve(inner, layers[3], same);
  add(scale(outer.values, layers[4]), map.values);
  relu(outer.values);
  return outer;
}

// (Y, X, C) -> N patches (N, P*P*C), row by row.
function patchify({ values, Y, X, C }, P) {
  const patches = new Float64Array(values.length);
  let at = 0;
  for (let top = 0; top < Y; top += P) {
    for (let left = 0; left < X; left += P) {
      for (let y = top; y < top + P; y++) {
        const start = (y * X + left) * C;
        patches.set(values.subarray(start, start + P * C), at);
        at += P * C;
      }
    }
  }
  return { patches, N: (Y * X) / (P * P) };
}

// How a stem's convolution shrinks a map by `stride`.
function shrinking(stride) {
  return { kernel: Math.max(3, stride), stride, padding: stride === 2 ? 1 : 0 };
}

// A convolution is a linear map of what the kernel sees at each place.
function convolve(map, layer, { kernel, stride, padding }) {
  const Y = Math.floor((map.Y + 2 * padding - kernel) / stride) + 1;
  const X = Math.floor((map.X + 2 * padding - kernel) / stride) + 1;
  const seen = new Float64Array(Y * X * map.C * kernel * kernel); // 0 beyond the edge
  let at = 0;
  for (let y = -padding; y < Y * stride - padding; y += stride) {
    for (let x = -padding; x < X * stride - padding; x += stride) {
      for (let ky = 0; ky < kernel; ky++) {
        for (let kx = 0; kx < kernel; kx++) {
          const inside =
            y + ky >= 0 && y + ky < map.Y && x + kx >= 0 && x + kx < map.X;
          if (!inside) continue;
          const from = ((y + ky) * map.X + x + kx) * map.C;
          const to = at + ky * kernel + kx; // in PyTorch's order: C, kernel, kernel
          for (let c = 0; c < map.C; c++) {
            seen[to + c * kernel * kernel] = map.values[from + c];
          }
        }
      }
      at += map.C * kernel * kernel;
    }
  }
  const values = linear(seen, Y * X, layer);
  return { values, Y, X, C: values.length / (Y * X) };
}

function primeFactors(number) {
  for (let factor = 2; factor <= number; factor++) {
    if (number % factor === 0) return [factor, ...primeFactors(number / factor)];
  }
  return [];
}

// Only the patches `keep`, and the class token: tokens (T, D) -> (1 + n, D).
function select(tokens, keep, { dim: D, pool }) {
  const first = Number(pool === "cls");
  const N = tokens.length / D - first;
  const known = keep.every((one) => Number.isInteger(one) && one >= 0 && one < N);
  expect(known, `keep is [${keep}], expected patches from 0 to ${N - 1}`);
  const once = new Set(keep).size === keep.length;
  expect(once, `keep is [${keep}], expected each patch at most once`);
  expect(first || keep.length > 0, "keep is empty and the model has no class token");
  const rows = [...(first ? [0] : []), ...Array.from(keep, (patch) => first + patch)];
  const kept = new Float64Array(rows.length * D);
  rows.forEach((row, at) => kept.set(tokens.subarray(row * D, (row + 1) * D), at * D));
  return kept;
}

// ---- from tokens to logits: chapters 03 to 05

// How tokens talk: (T, D) -> tokens (T, D) and the weights (H, T, T).
function attend(layer, tokens, T, H, silentHeads) {
  const D = tokens.length / T;
  const K = D / H;
  const qkv = linear(tokens, T, layer.qkv); // (T, 3, H, K)
  const weights = new Float32Array(H * T * T);
  const mixed = new Float64Array(T * D); // (T, H, K)
  for (let head = 0; head < H; head++) {
    // (T, K) each
    const [q, k, v] = [0, D, 2 * D].map((of) => columns(qkv, T, of + head * K, K));
    const scores = multiply(q, k, T, T);
    softmax(scores, T, 1 / Math.sqrt(K));
    weights.set(scores, head * T * T);
    if (silentHeads.includes(head)) continue;
    const heads = multiply(scores, transpose(v, T), T, K);
    for (let t = 0; t < T; t++) {
      mixed.set(heads.subarray(t * K, (t + 1) * K), t * D + head * K);
    }
  }
  return { tokens: linear(mixed, T, layer.out), weights };
}

// Two linear layers with a GELU between, the same for every token.
function mlp(layers, tokens, T) {
  return linear(gelu(linear(tokens, T, layers[0])), T, layers[3]);
}

// The class token, or the mean of all, to logits.
function classify(model, x) {
  const { dim: D, pool } = model.config;
  const T = x.length / D;
  const features = new Float64Array(x.subarray(0, D));
  if (pool === "mean") {
    for (let t = 1; t < T; t++) add(features, x.subarray(t * D, (t + 1) * D));
    features.forEach((sum, d) => (features[d] = sum / T));
  }
  return readHead(model, features);
}

// The head: features (n, D), of any number of tokens, to logits (n, classes).
function readHead({ config, weights: { head } }, features) {
  const n = features.length / config.dim;
  return new Float32Array(linear(norm(features, head[0], config.norm_eps), n, head[1]));
}

// Layer norm: each token on its own, (T, D) -> (T, D).
function norm(x, layer, eps) {
  const D = layer.weight.length;
  const normed = x.slice();
  for (let at = 0; at < x.length; at += D) {
    standardise(normed.subarray(at, at + D), eps);
  }
  return scale(normed, layer);
}

// ---- arithmetic; the first five make new arrays, the others work in place

// inputs (rows, n) -> (rows, m), for PyTorch's weight (m, n) and bias (m), if any.
function linear(inputs, rows, { weight, bias }) {
  const m = (weight.length * rows) / inputs.length;
  const outputs = multiply(inputs, weight, rows, m);
  if (!bias) return outputs; // a batch norm follows, which has one
  for (let at = 0; at < outputs.length; at += m) {
    for (let j = 0; j < m; j++) outputs[at + j] += bias[j];
  }
  return outputs;
}

// a (rows, n) times b (m, n) transposed -> (rows, m): each row of a with each row of b.
// Twelve products side by side, of three rows and four: a number that was fetched is
// used four times, or three. The last tiles move back to end at the edge, where some
// outputs are computed again.
function multiply(a, b, rows, m) {
  const n = a.length / rows;
  const out = new Float64Array(rows * m);
  if (rows < 3 || m < 4) return multiplySmall(a, b, rows, m, out);
  for (let row = 0; row < rows; row += 3) {
    const i = Math.min(row, rows - 3);
    const a0 = i * n, a1 = a0 + n, a2 = a1 + n;
    for (let column = 0; column < m; column += 4) {
      const j = Math.min(column, m - 4);
      const b0 = j * n, b1 = b0 + n, b2 = b1 + n, b3 = b2 + n;
      let c00 = 0, c01 = 0, c02 = 0, c03 = 0;
      let c10 = 0, c11 = 0, c12 = 0, c13 = 0;
      let c20 = 0, c21 = 0, c22 = 0, c23 = 0;
      for (let k = 0; k < n; k++) {
        const x0 = a[a0 + k], x1 = a[a1 + k], x2 = a[a2 + k];
        const y0 = b[b0 + k], y1 = b[b1 + k], y2 = b[b2 + k], y3 = b[b3 + k];
        c00 += x0 * y0; c01 += x0 * y1; c02 += x0 * y2; c03 += x0 * y3;
        c10 += x1 * y0; c11 += x1 * y1; c12 += x1 * y2; c13 += x1 * y3;
        c20 += x2 * y0; c21 += x2 * y1; c22 += x2 * y2; c23 += x2 * y3;
      }
      let at = i * m + j;
      out[at] = c00; out[at + 1] = c01; out[at + 2] = c02; out[at + 3] = c03;
      at += m;
      out[at] = c10; out[at + 1] = c11; out[at + 2] = c12; out[at + 3] = c13;
      at += m;
      out[at] = c20; out[at + 1] = c21; out[at + 2] = c22; out[at + 3] = c23;
    }
  }
  return out;
}

function multiplySmall(a, b, rows, m, out) {
  const n = a.length / rows;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < m; j++) {
      for (let k = 0; k < n; k++) out[i * m + j] += a[i * n + k] * b[j * n + k];
    }
  }
  return out;
}

// Some neighbouring columns of a matrix: (rows, n) -> (rows, count).
function columns(matrix, rows, first, count) {
  const n = matrix.length / rows;
  const part = new Float64Array(rows * count);
  for (let i = 0; i < rows; i++) {
    part.set(matrix.subarray(i * n + first, i * n + first + count), i * count);
  }
  return part;
}

function transpose(matrix, rows) {
  const n = matrix.length / rows;
  const turned = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < n; j++) turned[j * rows + i] = matrix[i * n + j];
  }
  return turned;
}

// x plus a branch, which may have a factor for each of a token's values.
function add(x, branch, factors) {
  const D = factors?.length;
  for (let at = 0; at < x.length; at++) {
    x[at] += factors ? branch[at] * factors[at % D] : branch[at];
  }
  return x;
}

// A weight and a bias for each of the values of a row.
function scale(x, { weight, bias }) {
  const D = weight.length;
  for (let at = 0; at < x.length; at += D) {
    for (let d = 0; d < D; d++) x[at + d] = x[at + d] * weight[d] + bias[d];
  }
  return x;
}

// Mean 0 and variance 1 over all values.
function standardise(x, eps) {
  let mean = 0;
  for (const value of x) mean += value / x.length;
  let variance = 0;
  for (const value of x) variance += (value - mean) ** 2 / x.length;
  const factor = 1 / Math.sqrt(variance + eps);
  for (let at = 0; at < x.length; at++) x[at] = (x[at] - mean) * factor;
  return x;
}

// Each row of n scores times `factor` to weights that sum to 1.
function softmax(scores, n, factor) {
  for (let start = 0; start < scores.length; start += n) {
    const row = scores.subarray(start, start + n);
    let most = -Infinity;
    for (const score of row) most = Math.max(most, score);
    let sum = 0;
    for (let k = 0; k < n; k++) {
      row[k] = Math.exp((row[k] - most) * factor); // at most 1: nothing overflows
      sum += row[k];
    }
    for (let k = 0; k < n; k++) row[k] /= sum;
  }
  return scores;
}

function relu(x) {
  for (let at = 0; at < x.length; at++) x[at] = Math.max(0, x[at]);
  return x;
}

// x times the share of a normal distribution that lies below x. The error function is
// formula 7.1.26 of Abramowitz and Stegun (1964), right to 1.5e-7.
function gelu(x) {
  for (let at = 0; at < x.length; at++) {
    const z = Math.abs(x[at]) * Math.SQRT1_2;
    const t = 1 / (1 + 0.3275911 * z);
    const series =
      t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 +
        t * (-1.453152027 + t * 1.061405429))));
    const beyond = (series * Math.exp(-z * z)) / 2; // the share beyond |x|, one tail
    x[at] *= x[at] < 0 ? beyond : 1 - beyond;
  }
  return x;
}

// ---- weights, and what a caller may have got wrong

function readTensor(buffer, { shape, dtype, offset }) {
  const count = shape.reduce((product, side) => product * side, 1);
  if (dtype === "float32") {
    return new Float64Array(new Float32Array(buffer, offset, count));
  }
  expect(dtype === "float16", `a tensor is of ${dtype}, expected float32 or float16`);
  const halves = new Uint16Array(buffer, offset, count);
  const values = new Float64Array(count);
  for (let at = 0; at < count; at++) values[at] = halfToNumber(halves[at]);
  return values;
}

// IEEE 754's half precision: a sign, five bits of exponent, ten of fraction.
function halfToNumber(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) + (exponent > 0 ? 1024 : 0);
  const size = fraction * SCALES[Math.max(exponent, 1)];
  return bits >> 15 ? -size : size;
}

function checkInterventions(silence, patch, T, { depth, heads, dim: D }) {
  const between = (value, count) =>
    Number.isInteger(value) && value >= 0 && value < count;
  for (const { layer, head, part } of silence) {
    expect(between(layer, depth), `layer is ${layer}, expected 0 to ${depth - 1}`);
    const whole = head === undefined && ["attention", "mlp"].includes(part);
    const one = part === undefined && between(head, heads);
    const given = `head is ${head} and part ${part}`;
    const either = `a head from 0 to ${heads - 1}, or part "attention" or "mlp"`;
    expect(whole || one, `${given}, expected ${either}`);
  }
  for (const { layer, token, state } of patch) {
    expect(between(layer, depth + 1), `layer is ${layer}, expected 0 to ${depth}`);
    expect(between(token, T), `token is ${token}, expected 0 to ${T - 1}`);
    const values = state?.length;
    expect(values === D, `state is ${values} values, expected ${D}`);
  }
}

function expect(fits, message) {
  if (!fits) throw new Error(message);
}
