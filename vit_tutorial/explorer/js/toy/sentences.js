// All that the three tokens say.

export const near = (value) => Math.round(100 * value) / 100 || 0; // never -0
export const short = (value) =>
  Math.abs(value) < 99.95 ? near(value).toFixed(2) : value.toFixed(1);

const powerOf = (scale) => Math.round(1e6 * Math.log2(scale)) / 1e6;

export function scaleText(scale) {
  const power = powerOf(scale);
  if (power === -0.5) return "1/√K = 0.71";
  return power === 0 ? "1: not scaled" : `${Number(scale.toPrecision(3))}`;
}

/** What the token that asks takes of each, and what becomes of it. */
export function sentence({ query_index: asks, softmax_dim: axis }, { weights, mixed }) {
  const row = weights[asks];
  const shares = row.map((weight, token) => `${short(weight)} of ${token}`).join(", ");
  const sum = row.reduce((total, weight) => total + weight, 0);
  const why = axis === "keys" ? "" : ", for softmax ran over the queries";
  const mix = mixed[asks].map(short).join(", ");
  return `Token ${asks} asks. It takes ${shares}, ${short(sum)} in all${why}. ` +
    `Its mix is (${mix}).`;
}

/** The same as tensors, as one writes them in a notebook. */
export function expression({ scale, softmax_dim: axis }) {
  const dim = axis === "keys" ? -1 : 0;
  return `weights = (tokens @ tokens.T${times(scale)}).softmax(dim=${dim}); ` +
    "mixed = weights @ tokens";
}

function times(scale) {
  const power = powerOf(scale);
  if (power === 0) return "";
  const isRoot = Number.isInteger(2 * power) && !Number.isInteger(power);
  if (!isRoot) return ` * ${scale}`;
  return power < 0 ? ` / 2**${-power}` : ` * 2**${power}`;
}
