// Attention without weights: each token is query, key and value at once.

const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
const transpose = (matrix) =>
  matrix[0].map((_, column) => matrix.map((row) => row[column]));

function softmax(row) {
  const largest = Math.max(...row); // exp of large scores would overflow
  const powers = row.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Tokens (T, K): {scores (T, T), weights (T, T), mixed (T, K)}, queries in rows.
 *  `scale` multiplies the dot products; `softmaxDim` "keys" makes the rows of weights
 *  sum to 1, "queries" the columns. */
export function attend(tokens, scale, softmaxDim) {
  const scores = tokens.map((q) => tokens.map((k) => dot(q, k) * scale));
  const weights =
    softmaxDim === "keys"
      ? scores.map(softmax)
      : transpose(transpose(scores).map(softmax));
  const values = transpose(tokens);
  const mixed = weights.map((row) => values.map((axis) => dot(row, axis)));
  return { scores, weights, mixed };
}
