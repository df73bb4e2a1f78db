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

// explorer/engine.js
function startEngine() {
  const text = new Blob(['(() => {\n  // explorer/compute.js\n  var ROOTS = 65535;\n  var rounded = (share) => (Math.round(ROOTS * Math.sqrt(Math.min(1, share))) / ROOTS) ** 2;\n  function viewOf({ logits, attention }, sizes, keep) {\n    const { layers, heads, patches, quantizationLevels, classToken } = sizes;\n    const present = Array.from(keep ?? Array(patches).keys(), (patch) => 1 + patch);\n    if (classToken) present.unshift(0);\n    const exact = quantizationLevels === 1;\n    const packed = exact ? (share) => share : rounded;\n    const rows = layers * (heads + 1) * (1 + patches);\n    const view = {\n      probabilities: softmax(logits),\n      scales: new Float32Array(rows),\n      kept: new Float32Array(rows),\n      weights: new (exact ? Float32Array : Uint8Array)(rows * patches)\n    };\n    const T = present.length;\n    rollouts(attention, heads, T).forEach((joint, layer) => {\n      for (let map = 0; map <= heads; map++) {\n        const size = T * T;\n        const of = attention[layer];\n        const weights = map < heads ? of.subarray(map * size, (map + 1) * size) : joint;\n        const first = (layer * (heads + 1) + map) * (1 + patches);\n        for (let at = 0; at < T; at++)\n          write(first + present[at], weights.subarray(at * T, (at + 1) * T));\n        if (!classToken) write(first, meanRow(weights, T));\n      }\n    });\n    function write(row, weights) {\n      const onPatches = classToken ? weights.subarray(1) : weights;\n      let largest = 0;\n      for (const weight of onPatches) largest = Math.max(largest, weight);\n      view.scales[row] = packed(largest);\n      if (classToken) view.kept[row] = packed(weights[0]);\n      const steps = quantizationLevels / Math.max(largest, 1e-30);\n      present.slice(present.length - onPatches.length).forEach((patch, at) => {\n        const level = onPatches[at] * steps;\n        view.weights[row * patches + patch - 1] = exact ? level : Math.round(level);\n      });\n    }\n    return view;\n  }\n  function rollouts(attention, heads, T) {\n    let joint = null;\n    return attention.map((weights) => {\n      const step = new Float64Array(T * T);\n      for (let row = 0; row < T; row++) {\n        let sum = 0;\n        for (let column = 0; column < T; column++) {\n          const at = row * T + column;\n          for (let head = 0; head < heads; head++)\n            step[at] += weights[head * T * T + at] / heads;\n          step[at] += Number(row === column);\n          sum += step[at];\n        }\n        for (let column = 0; column < T; column++) step[row * T + column] /= sum;\n      }\n      joint = joint ? product(step, joint, T) : step;\n      return joint;\n    });\n  }\n  function product(one, other, T) {\n    const result = new Float64Array(T * T);\n    for (let row = 0; row < T; row++)\n      for (let inner = 0; inner < T; inner++) {\n        const factor = one[row * T + inner];\n        for (let column = 0; column < T; column++)\n          result[row * T + column] += factor * other[inner * T + column];\n      }\n    return result;\n  }\n  function meanRow(weights, T) {\n    const mean = new Float64Array(T);\n    weights.forEach((weight, at) => mean[at % T] += weight / T);\n    return mean;\n  }\n  function softmax(logits) {\n    const most = Math.max(...logits);\n    const powers = Array.from(logits, (logit) => Math.exp(logit - most));\n    const sum = powers.reduce((total, power) => total + power, 0);\n    return Float32Array.from(powers, (power) => power / sum);\n  }\n\n  // vit.js\n  var FORMAT = 1;\n  var VARIANTS = [\n    "vit",\n    "layer-scale",\n    "stochastic-depth",\n    "stochastic-depth-and-layer-scale",\n    "no-positions",\n    "uniform-start",\n    "mimetic-start",\n    "convolutional-start"\n  ];\n  var PROJECTIONS = { manual, convolutional, stem, hybrid };\n  var SCALES = Array.from({ length: 32 }, (_, exponent) => 2 ** (exponent - 25));\n  var STEM_EPS = 1e-5;\n  function load(json, buffer) {\n    const { format, config, classes, mean, std } = json;\n    expect(format === FORMAT, `model.json is of format ${format}, expected ${FORMAT}`);\n    const { name, embedder } = config;\n    const known = VARIANTS.includes(name) && Object.hasOwn(PROJECTIONS, embedder);\n    const given = `the model is ${name} with embedder ${embedder}`;\n    expect(known, `${given}, expected a Vision Transformer of this package`);\n    if (ArrayBuffer.isView(buffer)) {\n      const { byteOffset, byteLength } = buffer;\n      buffer = buffer.buffer.slice(byteOffset, byteOffset + byteLength);\n    }\n    const bytes = buffer.byteLength;\n    expect(bytes === json.bytes, `model.bin has ${bytes} bytes, expected ${json.bytes}`);\n    const weights = {};\n    for (const [path, tensor] of Object.entries(json.tensors)) {\n      const parts = path.split(".");\n      const last = parts.pop();\n      const owner = parts.reduce((inner, part) => inner[part] ??= {}, weights);\n      owner[last] = readTensor(buffer, tensor);\n    }\n    return { config, classes, mean, std, weights };\n  }\n  function forward(model2, pixels, options = {}) {\n    return encode(model2, embed(model2, pixels, options), options);\n  }\n  function encode(model2, tokens, { keep, silence = [], patch = [] } = {}) {\n    const { config, weights } = model2;\n    const { depth, heads: H, dim: D, norm_eps: eps } = config;\n    const fits = tokens.length % D === 0;\n    expect(fits, `tokens are ${tokens.length} values, expected a multiple of ${D}`);\n    const x = keep ? select(tokens, keep, config) : new Float64Array(tokens);\n    const T = x.length / D;\n    checkInterventions(silence, patch, T, config);\n    const attention = [];\n    const states = [];\n    for (let layer = 0; layer <= depth; layer++) {\n      if (layer > 0) {\n        const block = weights.blocks[layer - 1];\n        const silent = silence.filter((one) => one.layer === layer - 1);\n        const parts = silent.map(({ part }) => part);\n        const heads = silent.map(({ head }) => head);\n        const mixed = attend(block.attention, norm(x, block.norm1, eps), T, H, heads);\n        attention.push(mixed.weights);\n        if (!parts.includes("attention")) add(x, mixed.tokens, block.end1?.factors);\n        const thought = mlp(block.mlp, norm(x, block.norm2, eps), T);\n        if (!parts.includes("mlp")) add(x, thought, block.end2?.factors);\n      }\n      for (const { token, state } of patch.filter((one) => one.layer === layer)) {\n        x.set(state, token * D);\n      }\n      states.push(new Float32Array(x));\n    }\n    return { logits: classify(model2, x), attention, states };\n  }\n  function logitLens(model2, states) {\n    return states.map((state) => classify(model2, state));\n  }\n  function patchLens(model2, states) {\n    const { dim: D, pool } = model2.config;\n    const first = pool === "cls" ? D : 0;\n    const patches = states.map((state) => new Float64Array(state.subarray(first)));\n    return patches.map((features) => readHead(model2, features));\n  }\n  function embed(model2, pixels, { positions = true } = {}) {\n    const { config, weights: { embedder } } = model2;\n    const C = config.channels;\n    const [Y, X = Y] = [config.image_size].flat();\n    const fits = pixels.length === C * Y * X;\n    expect(fits, `pixels are ${pixels.length} values, expected ${C} x ${Y} x ${X}`);\n    const picture = { values: channelsLast(pixels, C), Y, X, C };\n    const patches = PROJECTIONS[config.embedder](picture, config.patch_size, embedder);\n    const tokens = embedder.positions.slice();\n    if (!positions) tokens.fill(0);\n    const first = config.pool === "cls" ? config.dim : 0;\n    if (first) add(tokens.subarray(0, first), embedder.class_token);\n    add(tokens.subarray(first), patches);\n    return tokens;\n  }\n  function channelsLast(pixels, C) {\n    const places = pixels.length / C;\n    const values = new Float64Array(pixels.length);\n    for (let c = 0; c < C; c++) {\n      for (let at = 0; at < places; at++) values[at * C + c] = pixels[c * places + at];\n    }\n    return values;\n  }\n  function manual(picture, P, { projection }) {\n    const { patches, N } = patchify(picture, P);\n    return linear(patches, N, projection);\n  }\n  function convolutional(picture, P, { projection }) {\n    return convolve(picture, projection, { kernel: P, stride: P, padding: 0 }).values;\n  }\n  function stem(picture, P, embedder) {\n    let map = picture;\n    primeFactors(P).forEach((stride, level) => {\n      map = convolve(map, embedder.stem[3 * level], shrinking(stride));\n      standardise(map.values, STEM_EPS);\n      scale(map.values, embedder.stem[3 * level + 1]);\n      gelu(map.values);\n    });\n    return linear(map.values, map.Y * map.X, embedder.projection);\n  }\n  function hybrid(picture, P, embedder) {\n    let map = picture;\n    let at = 0;\n    primeFactors(P).forEach((stride, level) => {\n      map = convolve(map, embedder.stem[at], shrinking(stride));\n      relu(scale(map.values, embedder.stem[at + 1]));\n      at += 3;\n      if (level > 0) map = residual(map, embedder.stem[at++].layers);\n    });\n    return linear(map.values, map.Y * map.X, embedder.projection);\n  }\n  function residual(map, layers) {\n    const same = { kernel: 3, stride: 1, padding: 1 };\n    const inner = convolve(map, layers[0], same);\n    relu(scale(inner.values, layers[1]));\n    const outer = convolve(inner, layers[3], same);\n    add(scale(outer.values, layers[4]), map.values);\n    relu(outer.values);\n    return outer;\n  }\n  function patchify({ values, Y, X, C }, P) {\n    const patches = new Float64Array(values.length);\n    let at = 0;\n    for (let top = 0; top < Y; top += P) {\n      for (let left = 0; left < X; left += P) {\n        for (let y = top; y < top + P; y++) {\n          const start = (y * X + left) * C;\n          patches.set(values.subarray(start, start + P * C), at);\n          at += P * C;\n        }\n      }\n    }\n    return { patches, N: Y * X / (P * P) };\n  }\n  function shrinking(stride) {\n    return { kernel: Math.max(3, stride), stride, padding: stride === 2 ? 1 : 0 };\n  }\n  function convolve(map, layer, { kernel, stride, padding }) {\n    const Y = Math.floor((map.Y + 2 * padding - kernel) / stride) + 1;\n    const X = Math.floor((map.X + 2 * padding - kernel) / stride) + 1;\n    const seen = new Float64Array(Y * X * map.C * kernel * kernel);\n    let at = 0;\n    for (let y = -padding; y < Y * stride - padding; y += stride) {\n      for (let x = -padding; x < X * stride - padding; x += stride) {\n        for (let ky = 0; ky < kernel; ky++) {\n          for (let kx = 0; kx < kernel; kx++) {\n            const inside = y + ky >= 0 && y + ky < map.Y && x + kx >= 0 && x + kx < map.X;\n            if (!inside) continue;\n            const from = ((y + ky) * map.X + x + kx) * map.C;\n            const to = at + ky * kernel + kx;\n            for (let c = 0; c < map.C; c++) {\n              seen[to + c * kernel * kernel] = map.values[from + c];\n            }\n          }\n        }\n        at += map.C * kernel * kernel;\n      }\n    }\n    const values = linear(seen, Y * X, layer);\n    return { values, Y, X, C: values.length / (Y * X) };\n  }\n  function primeFactors(number) {\n    for (let factor = 2; factor <= number; factor++) {\n      if (number % factor === 0) return [factor, ...primeFactors(number / factor)];\n    }\n    return [];\n  }\n  function select(tokens, keep, { dim: D, pool }) {\n    const first = Number(pool === "cls");\n    const N = tokens.length / D - first;\n    const known = keep.every((one) => Number.isInteger(one) && one >= 0 && one < N);\n    expect(known, `keep is [${keep}], expected patches from 0 to ${N - 1}`);\n    const once = new Set(keep).size === keep.length;\n    expect(once, `keep is [${keep}], expected each patch at most once`);\n    expect(first || keep.length > 0, "keep is empty and the model has no class token");\n    const rows = [...first ? [0] : [], ...Array.from(keep, (patch) => first + patch)];\n    const kept = new Float64Array(rows.length * D);\n    rows.forEach((row, at) => kept.set(tokens.subarray(row * D, (row + 1) * D), at * D));\n    return kept;\n  }\n  function attend(layer, tokens, T, H, silentHeads) {\n    const D = tokens.length / T;\n    const K = D / H;\n    const qkv = linear(tokens, T, layer.qkv);\n    const weights = new Float32Array(H * T * T);\n    const mixed = new Float64Array(T * D);\n    for (let head = 0; head < H; head++) {\n      const [q, k, v] = [0, D, 2 * D].map((of) => columns(qkv, T, of + head * K, K));\n      const scores = multiply(q, k, T, T);\n      softmax2(scores, T, 1 / Math.sqrt(K));\n      weights.set(scores, head * T * T);\n      if (silentHeads.includes(head)) continue;\n      const heads = multiply(scores, transpose(v, T), T, K);\n      for (let t = 0; t < T; t++) {\n        mixed.set(heads.subarray(t * K, (t + 1) * K), t * D + head * K);\n      }\n    }\n    return { tokens: linear(mixed, T, layer.out), weights };\n  }\n  function mlp(layers, tokens, T) {\n    return linear(gelu(linear(tokens, T, layers[0])), T, layers[3]);\n  }\n  function classify(model2, x) {\n    const { dim: D, pool } = model2.config;\n    const T = x.length / D;\n    const features = new Float64Array(x.subarray(0, D));\n    if (pool === "mean") {\n      for (let t = 1; t < T; t++) add(features, x.subarray(t * D, (t + 1) * D));\n      features.forEach((sum, d) => features[d] = sum / T);\n    }\n    return readHead(model2, features);\n  }\n  function readHead({ config, weights: { head } }, features) {\n    const n = features.length / config.dim;\n    return new Float32Array(linear(norm(features, head[0], config.norm_eps), n, head[1]));\n  }\n  function norm(x, layer, eps) {\n    const D = layer.weight.length;\n    const normed = x.slice();\n    for (let at = 0; at < x.length; at += D) {\n      standardise(normed.subarray(at, at + D), eps);\n    }\n    return scale(normed, layer);\n  }\n  function linear(inputs, rows, { weight, bias }) {\n    const m = weight.length * rows / inputs.length;\n    const outputs = multiply(inputs, weight, rows, m);\n    if (!bias) return outputs;\n    for (let at = 0; at < outputs.length; at += m) {\n      for (let j = 0; j < m; j++) outputs[at + j] += bias[j];\n    }\n    return outputs;\n  }\n  function multiply(a, b, rows, m) {\n    const n = a.length / rows;\n    const out = new Float64Array(rows * m);\n    if (rows < 3 || m < 4) return multiplySmall(a, b, rows, m, out);\n    for (let row = 0; row < rows; row += 3) {\n      const i = Math.min(row, rows - 3);\n      const a0 = i * n, a1 = a0 + n, a2 = a1 + n;\n      for (let column = 0; column < m; column += 4) {\n        const j = Math.min(column, m - 4);\n        const b0 = j * n, b1 = b0 + n, b2 = b1 + n, b3 = b2 + n;\n        let c00 = 0, c01 = 0, c02 = 0, c03 = 0;\n        let c10 = 0, c11 = 0, c12 = 0, c13 = 0;\n        let c20 = 0, c21 = 0, c22 = 0, c23 = 0;\n        for (let k = 0; k < n; k++) {\n          const x0 = a[a0 + k], x1 = a[a1 + k], x2 = a[a2 + k];\n          const y0 = b[b0 + k], y1 = b[b1 + k], y2 = b[b2 + k], y3 = b[b3 + k];\n          c00 += x0 * y0;\n          c01 += x0 * y1;\n          c02 += x0 * y2;\n          c03 += x0 * y3;\n          c10 += x1 * y0;\n          c11 += x1 * y1;\n          c12 += x1 * y2;\n          c13 += x1 * y3;\n          c20 += x2 * y0;\n          c21 += x2 * y1;\n          c22 += x2 * y2;\n          c23 += x2 * y3;\n        }\n        let at = i * m + j;\n        out[at] = c00;\n        out[at + 1] = c01;\n        out[at + 2] = c02;\n        out[at + 3] = c03;\n        at += m;\n        out[at] = c10;\n        out[at + 1] = c11;\n        out[at + 2] = c12;\n        out[at + 3] = c13;\n        at += m;\n        out[at] = c20;\n        out[at + 1] = c21;\n        out[at + 2] = c22;\n        out[at + 3] = c23;\n      }\n    }\n    return out;\n  }\n  function multiplySmall(a, b, rows, m, out) {\n    const n = a.length / rows;\n    for (let i = 0; i < rows; i++) {\n      for (let j = 0; j < m; j++) {\n        for (let k = 0; k < n; k++) out[i * m + j] += a[i * n + k] * b[j * n + k];\n      }\n    }\n    return out;\n  }\n  function columns(matrix, rows, first, count) {\n    const n = matrix.length / rows;\n    const part = new Float64Array(rows * count);\n    for (let i = 0; i < rows; i++) {\n      part.set(matrix.subarray(i * n + first, i * n + first + count), i * count);\n    }\n    return part;\n  }\n  function transpose(matrix, rows) {\n    const n = matrix.length / rows;\n    const turned = new Float64Array(matrix.length);\n    for (let i = 0; i < rows; i++) {\n      for (let j = 0; j < n; j++) turned[j * rows + i] = matrix[i * n + j];\n    }\n    return turned;\n  }\n  function add(x, branch, factors) {\n    const D = factors?.length;\n    for (let at = 0; at < x.length; at++) {\n      x[at] += factors ? branch[at] * factors[at % D] : branch[at];\n    }\n    return x;\n  }\n  function scale(x, { weight, bias }) {\n    const D = weight.length;\n    for (let at = 0; at < x.length; at += D) {\n      for (let d = 0; d < D; d++) x[at + d] = x[at + d] * weight[d] + bias[d];\n    }\n    return x;\n  }\n  function standardise(x, eps) {\n    let mean = 0;\n    for (const value of x) mean += value / x.length;\n    let variance = 0;\n    for (const value of x) variance += (value - mean) ** 2 / x.length;\n    const factor = 1 / Math.sqrt(variance + eps);\n    for (let at = 0; at < x.length; at++) x[at] = (x[at] - mean) * factor;\n    return x;\n  }\n  function softmax2(scores, n, factor) {\n    for (let start = 0; start < scores.length; start += n) {\n      const row = scores.subarray(start, start + n);\n      let most = -Infinity;\n      for (const score of row) most = Math.max(most, score);\n      let sum = 0;\n      for (let k = 0; k < n; k++) {\n        row[k] = Math.exp((row[k] - most) * factor);\n        sum += row[k];\n      }\n      for (let k = 0; k < n; k++) row[k] /= sum;\n    }\n    return scores;\n  }\n  function relu(x) {\n    for (let at = 0; at < x.length; at++) x[at] = Math.max(0, x[at]);\n    return x;\n  }\n  function gelu(x) {\n    for (let at = 0; at < x.length; at++) {\n      const z = Math.abs(x[at]) * Math.SQRT1_2;\n      const t = 1 / (1 + 0.3275911 * z);\n      const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));\n      const beyond = series * Math.exp(-z * z) / 2;\n      x[at] *= x[at] < 0 ? beyond : 1 - beyond;\n    }\n    return x;\n  }\n  function readTensor(buffer, { shape, dtype, offset }) {\n    const count = shape.reduce((product2, side) => product2 * side, 1);\n    if (dtype === "float32") {\n      return new Float64Array(new Float32Array(buffer, offset, count));\n    }\n    expect(dtype === "float16", `a tensor is of ${dtype}, expected float32 or float16`);\n    const halves = new Uint16Array(buffer, offset, count);\n    const values = new Float64Array(count);\n    for (let at = 0; at < count; at++) values[at] = halfToNumber(halves[at]);\n    return values;\n  }\n  function halfToNumber(bits) {\n    const exponent = bits >> 10 & 31;\n    const fraction = (bits & 1023) + (exponent > 0 ? 1024 : 0);\n    const size = fraction * SCALES[Math.max(exponent, 1)];\n    return bits >> 15 ? -size : size;\n  }\n  function checkInterventions(silence, patch, T, { depth, heads, dim: D }) {\n    const between = (value, count) => Number.isInteger(value) && value >= 0 && value < count;\n    for (const { layer, head, part } of silence) {\n      expect(between(layer, depth), `layer is ${layer}, expected 0 to ${depth - 1}`);\n      const whole = head === void 0 && ["attention", "mlp"].includes(part);\n      const one = part === void 0 && between(head, heads);\n      const given = `head is ${head} and part ${part}`;\n      const either = `a head from 0 to ${heads - 1}, or part "attention" or "mlp"`;\n      expect(whole || one, `${given}, expected ${either}`);\n    }\n    for (const { layer, token, state } of patch) {\n      expect(between(layer, depth + 1), `layer is ${layer}, expected 0 to ${depth}`);\n      expect(between(token, T), `token is ${token}, expected 0 to ${T - 1}`);\n      const values = state?.length;\n      expect(values === D, `state is ${values} values, expected ${D}`);\n    }\n  }\n  function expect(fits, message) {\n    if (!fits) throw new Error(message);\n  }\n\n  // workbench/answers.js\n  function answer(model2, { pixels, options, copy, sizes }) {\n    const patch = copy ? copied(model2, copy, options.keep, sizes) : [];\n    const result = forward(model2, pixels, { ...options, patch });\n    const { states } = result;\n    const lens = logitLens(model2, states).flatMap((logits) => [...softmax(logits)]);\n    const named = new Uint16Array(states.length * sizes.patches);\n    const sure = new Float32Array(named.length);\n    const present = options.keep ?? [...Array(sizes.patches).keys()];\n    patchLens(model2, states).forEach((logits, layer) => {\n      const classes = logits.length / present.length;\n      present.forEach((place, at) => {\n        const shares = softmax(logits.subarray(at * classes, (at + 1) * classes));\n        const most = Math.max(...shares);\n        named[layer * sizes.patches + place] = shares.indexOf(most);\n        sure[layer * sizes.patches + place] = most;\n      });\n    });\n    const view = viewOf(result, sizes, options.keep);\n    return { ...view, lens: Float32Array.from(lens), named, sure };\n  }\n  function copied(model2, { pixels, layer, tokens }, keep, { classToken }) {\n    const states = forward(model2, pixels).states[layer];\n    const D = model2.config.dim;\n    const first = Number(classToken);\n    const rowOf = (token) => {\n      if (token < first || !keep) return token;\n      const at = keep.indexOf(token - first);\n      return at < 0 ? -1 : at + first;\n    };\n    return tokens.filter((token) => rowOf(token) >= 0).map((token) => ({\n      layer,\n      token: rowOf(token),\n      state: states.subarray(token * D, (token + 1) * D)\n    }));\n  }\n  function curve(model2, { pixels, order, counts, label }) {\n    const tokens = embed(model2, pixels);\n    const reversed = [...order].reverse();\n    const along = (all) => Float32Array.from(counts, (count) => softmax(encode(model2, tokens, { keep: all.slice(0, count) }).logits)[label]);\n    return { deletion: along(reversed), insertion: along(order) };\n  }\n\n  // engine_worker.js\n  var model = null;\n  var kinds = {\n    load({ json, buffer }) {\n      model = load(json, buffer);\n      return {};\n    },\n    view({ pixels, options, sizes }) {\n      return viewOf(forward(model, pixels, options), sizes, options.keep);\n    },\n    answer: (asked) => answer(model, asked),\n    curve: (asked) => curve(model, asked)\n  };\n  function answer2({ number, kind, ...asked }) {\n    try {\n      const result = kinds[kind](asked);\n      return [{ number, result }, Object.values(result).map(({ buffer }) => buffer)];\n    } catch ({ message }) {\n      return [{ number, error: message }, []];\n    }\n  }\n  globalThis.onmessage = ({ data }) => postMessage(...answer2(data));\n})();\n'], { type: "text/javascript" });
  const address = URL.createObjectURL(text);
  const worker = new Worker(address);
  const waiting = /* @__PURE__ */ new Map();
  let asked = 0;
  let broken = null;
  let loaded = null;
  let loading = null;
  worker.onmessage = ({ data: { number: number2, result, error } }) => {
    URL.revokeObjectURL(address);
    const { resolve, reject } = waiting.get(number2);
    waiting.delete(number2);
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
    if (model !== loaded) {
      loaded = model;
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

// explorer/computing.js
function modelsHere(data, weights) {
  const { layers, heads, patches, quantizationLevels, classToken } = data;
  const sizes = { layers, heads, patches, quantizationLevels, classToken };
  let engine = null;
  async function view(picture, epoch, dropped) {
    const model = await weights(epoch);
    engine ??= startEngine();
    const { mean, std } = model.json;
    const options = dropped.length ? { keep: others(dropped, patches) } : {};
    const pixels = normalised(picture, mean, std);
    return engine.ask(model, "view", { pixels, options, sizes });
  }
  return { view, stop: () => engine?.stop() };
}
function computing(data, view, told) {
  let lacking = "";
  const without = latest((state) => state.dropped.length ? view(state) : null);
  return async function changed(state) {
    const { image, epoch, dropped } = state;
    const asked = dropped.length ? `${image}, ${epoch}: ${dropped}` : "";
    if (asked === lacking) return;
    lacking = asked;
    data.masked = asked ? void 0 : null;
    try {
      const found = await without({ image, epoch, dropped });
      if (found === void 0) return;
      data.masked = found;
      told.redraw();
    } catch ({ message }) {
      if (asked !== lacking) return;
      told.problem(message);
      changed({ ...state, dropped: [] });
      told.restore();
    }
  };
}
var others = (dropped, patches) => [...Array(patches).keys()].filter((patch) => !dropped.includes(1 + patch));
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

// explorer/decode.js
var ROOTS = 65535;
function decode(bytes, { outputs, layers, heads, patches }) {
  const { buffer } = bytes.slice();
  const rows = layers * (heads + 1) * (1 + patches);
  const squares2 = (start) => {
    const roots = new Uint16Array(buffer, start, rows);
    return Float32Array.from(roots, (root) => (root / ROOTS) ** 2);
  };
  return {
    probabilities: new Float32Array(buffer, 0, outputs),
    scales: squares2(4 * outputs),
    kept: squares2(4 * outputs + 2 * rows),
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
var presentView = (data, state) => state.dropped.length && data.masked !== null ? data.masked : wholeView(data, state);
var guessOf = ({ probabilities }) => probabilities.indexOf(Math.max(...probabilities));

// explorer/kernel.js
function kernelOf(model) {
  const mine = Math.random().toString(36).slice(2);
  const waiting = /* @__PURE__ */ new Map();
  let asked = 0;
  function ask(kind, content, buffers = []) {
    const number2 = `${mine}-${asked++}`;
    return new Promise((resolve, reject) => {
      waiting.set(number2, { resolve, reject });
      model.send({ number: number2, kind, ...content }, void 0, buffers);
    });
  }
  function hear({ number: number2, error, ...said }, buffers = []) {
    if (!waiting.has(number2)) return;
    const { resolve, reject } = waiting.get(number2);
    waiting.delete(number2);
    if (error !== void 0) reject(new Error(error));
    else resolve({ ...said, bytes: buffers.length ? bytesOf(buffers[0]) : void 0 });
  }
  return { ask, hear };
}
function weightsFrom(kernel) {
  const kept = /* @__PURE__ */ new Map();
  async function fetched(epoch) {
    const { description, bytes } = await kernel.ask("model", { epoch });
    return { json: description, buffer: bytes };
  }
  return function weights(epoch) {
    if (!kept.has(epoch)) kept.set(epoch, fetched(epoch));
    return kept.get(epoch);
  };
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
    if (!ARROWS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
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
function note({ computed: { epoch } }) {
  const model = epoch === null ? "" : `, with the model of epoch ${epoch}`;
  return `Dropped patches and own pictures are computed on this page${model}: your picture never leaves this browser.`;
}
var liveNote = (inBrowser) => inBrowser ? "Dropped patches are computed in this browser, own pictures by the kernel." : "Dropped patches and own pictures are computed by the kernel.";
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
function barred(probabilities, guess, most = MOST) {
  const order = [...probabilities.keys()];
  if (order.length <= most) return order;
  order.sort((a, b) => probabilities[b] - probabilities[a]);
  const first2 = order.slice(0, most);
  return first2.includes(guess) ? first2 : [...first2, guess];
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
    const bars = barred(whole.probabilities, guess).map((index) => bar(index, view, before, guess));
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
function consequences(state, part, data) {
  const same = (part.image ?? state.image) === state.image;
  const whole = same ? part : { ...part, dropped: [] };
  if (!data.computed) return whole;
  const { epoch } = data.computed;
  if (isOwn({ ...state, ...part }, data) || part.dropped?.length)
    return { ...whole, epoch };
  return (part.epoch ?? epoch) === epoch ? whole : { ...whole, dropped: [] };
}
var isOwn = ({ image }, { computed }) => image >= computed?.from;
function toggled(dropped, patch, patches) {
  const others2 = dropped.filter((other) => other !== patch);
  if (others2.length < dropped.length) return others2;
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
    addButton("back", "put all back", find(".tools"), () => {
      hear.restore();
      buttons.drop.focus();
    });
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
    inputs.epoch.disabled = isOwn(state, data);
    buttons.epoch.disabled = inputs.epoch.disabled;
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
  const square = squares(columns, side);
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

// explorer/resize.js
var BITS = 22;
var ONE = 2 ** BITS;
var STRIP = 256;
function taps(length, from, to, count) {
  [from, to] = [Math.fround(from), Math.fround(to)];
  const scale = Math.fround(to - from) / count;
  const reach = Math.max(scale, 1);
  return Array.from({ length: count }, (_, at) => {
    const centre = from + (at + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(length, Math.trunc(centre + reach + 0.5));
    const shares = Array.from({ length: end - start }, (_2, near) => {
      const distance = Math.abs((near + start - centre + 0.5) * (1 / reach));
      return Math.max(0, 1 - distance);
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
async function resize(read2, width, height, columns, rows) {
  const [left, top, right, bottom] = middle(width, height, columns, rows);
  const across = taps(width, left, right, columns);
  const down = taps(height, top, bottom, rows);
  const first2 = { x: across[0].start, y: down[0].start };
  const wide = endOf(across.at(-1)) - first2.x;
  const tall = endOf(down.at(-1)) - first2.y;
  const narrow = new Uint8Array(tall * columns * 3);
  for (let y = 0; y < tall; y += STRIP) {
    const some = Math.min(STRIP, tall - y);
    const strip = await read2(first2.x, first2.y + y, wide, some);
    for (let row = 0; row < some; row++)
      across.forEach(({ start, weights }, column) => {
        const from = 4 * (row * wide + start - first2.x);
        const to = 3 * ((y + row) * columns + column);
        mix(strip, from, 4, weights, narrow, to);
      });
  }
  const result = new Uint8Array(rows * columns * 3);
  down.forEach(({ start, weights }, row) => {
    for (let column = 0; column < columns; column++) {
      const from = 3 * ((start - first2.y) * columns + column);
      mix(narrow, from, 3 * columns, weights, result, 3 * (row * columns + column));
    }
  });
  return result;
}
var endOf = ({ start, weights }) => start + weights.length;
function mix(source2, from, step2, weights, target, to) {
  for (let colour = 0; colour < 3; colour++) {
    let sum = ONE / 2;
    for (let at = 0; at < weights.length; at++)
      sum += source2[from + at * step2 + colour] * weights[at];
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
  async function read2(left, top, wide, tall) {
    await new Promise((go) => setTimeout(go));
    Object.assign(canvas, { width: wide, height: tall });
    pen.fillStyle = "white";
    pen.fillRect(0, 0, wide, tall);
    pen.drawImage(picture, -left, -top);
    const { data } = pen.getImageData(0, 0, wide, tall);
    return channels === 1 ? greyed(data) : data;
  }
  try {
    return await resize(read2, picture.width, picture.height, width, height);
  } finally {
    picture.close();
  }
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
  <label>own picture <input type="file" accept="image/*"></label>
  <span>or drag it here or paste it</span></div>
<p class="note"></p>
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
  find(".tools").hidden = !live;
  note2(live?.note ?? "");
  const play = player((name) => {
    const { part, ends } = step(name, state, data);
    return { part, ends: ends || still || !element.isConnected };
  }, turn);
  const board = controls2(find, data, {
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
  if (live) onFiles(element, upload);
  onMaps(thumbs, data, {
    chosen: choose,
    arrow: (down, across) => choose(state.layer + down, state.head + across)
  });
  function move(part) {
    problem("");
    turn(part);
  }
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
    if (data.computed && play.playing() === "epoch") play.stop();
    move({ dropped });
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
      live.upload(await readPicture(file, data), file.name);
    } catch {
      problem(`${file.name} is no picture that this browser can read`);
    }
  }
  function problem(line) {
    find(".problem").textContent = line;
  }
  function note2(line) {
    find(".note").textContent = line;
  }
  function show(part) {
    Object.assign(state, within({ ...state, ...part }, data));
    if (isOwn(state, data) && play.playing() === "epoch") play.stop();
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
    find(".tensor").hidden = state.dropped.length > 0 || isOwn(state, data);
    find("code").textContent = expression(data, state, query);
  }
  show({});
  return {
    show,
    problem,
    note: note2,
    stop: play.stop,
    arrived: () => missing && redraw(true)
  };
}

// explorer/widget.js
function render({ model, el }) {
  const data = { state: read(model, STATE), masked: null };
  const take = {
    metadata: () => Object.assign(data, model.get("metadata")),
    pictures: () => data.pictures = model.get("pictures").map(bytesOf),
    views: () => data.views = model.get("views").map((bytes) => decode(bytesOf(bytes), data))
  };
  for (const name in take) take[name]();
  const kernel = kernelOf(model);
  const here = modelsHere(data, weightsFrom(kernel));
  let inBrowser = model.get("in_browser");
  async function view({ image, epoch, dropped }) {
    try {
      if (inBrowser) return await here.view(data.pictures[image], epoch, dropped);
    } catch {
      inBrowser = false;
      mounted.note(liveNote(inBrowser));
    }
    const { bytes } = await kernel.ask("view", { image, epoch, dropped });
    return decode(bytes, data);
  }
  const changed = computing(data, view, {
    redraw: () => mounted.show({}),
    problem: (line) => mounted.problem(line),
    restore: () => save(model, { dropped: [] })
  });
  changed(data.state);
  const mounted = mount(el, data, {
    changed: (moved) => save(model, moved),
    // and its events do the rest
    upload: (pixels, name) => kernel.ask("picture", { name }, [pixels.buffer]).catch(({ message }) => mounted.problem(message)),
    note: liveNote(inBrowser)
  });
  const events = { "msg:custom": kernel.hear };
  for (const name of [...Object.keys(take), ...STATE])
    events[`change:${name}`] = () => {
      take.metadata();
      take[name]?.();
      const state = read(model, STATE);
      changed(state);
      mounted.show(state);
    };
  const leave = follow(model, events);
  return () => {
    mounted.stop();
    here.stop();
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
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let at = 0; at < packed.length; at++) packed[at] = letters.charCodeAt(at);
  const inflater = new DecompressionStream("deflate");
  const stream = new Blob([packed]).stream().pipeThrough(inflater);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// explorer/carried.js
function carried(data, model, mounted) {
  let unpacked = null;
  async function unpack() {
    const { buffer } = await inflate(model.weights);
    return { json: model.description, buffer };
  }
  const here = modelsHere(data, () => unpacked ??= unpack());
  const view = ({ image, epoch, dropped }) => here.view(data.pictures[image], epoch, dropped);
  const changed = computing(data, view, {
    redraw: () => mounted.show({}),
    problem: mounted.problem,
    restore: () => mounted.show({ dropped: [] })
  });
  async function upload(bytes) {
    try {
      const picture = opaque(bytes);
      const { epoch } = model;
      const found = await here.view(picture, epoch, []);
      const image = data.images++;
      data.pictures[image] = picture;
      data.views[image * data.epochs.length + data.epochs.indexOf(epoch)] = found;
      data.labels?.push(null);
      const part = { image, epoch, dropped: [] };
      changed(part);
      mounted.show(part);
    } catch ({ message }) {
      mounted.problem(message);
    }
  }
  return { changed, upload };
}
function opaque(bytes) {
  const pixels = new Uint8Array(bytes.length / 3 * 4).fill(255);
  bytes.forEach((value, at) => pixels[4 * Math.floor(at / 3) + at % 3] = value);
  return pixels;
}

// explorer/page.js
async function mountNext() {
  const waiting = takeNext("vit-explorer");
  if (!waiting) return;
  const { element } = waiting;
  const { metadata, state, pieces, model } = waiting.data;
  element.dataset.loaded = "none";
  if (!window.DecompressionStream) {
    element.append("These sliders need a browser of 2023 or later.");
    return;
  }
  const data = { ...metadata, state, pictures: [], views: [], masked: null };
  if (model) data.computed = { epoch: model.epoch, from: data.images };
  let mounted = null;
  for (const [index, [kind, at, text]] of pieces.entries()) {
    const bytes = await inflate(text);
    data[kind][at] = kind === "views" ? decode(bytes, data) : bytes;
    if (index === 1) {
      const told = {
        show: (part) => mounted.show(part),
        problem: (line) => mounted.problem(line)
      };
      const own = model && { ...carried(data, model, told), note: note(data) };
      mounted = mount(element, data, own);
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
