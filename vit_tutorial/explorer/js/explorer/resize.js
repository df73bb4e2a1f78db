// A picture at the model's size, as Python's `read_image` brings it there, to the last
// bit: Pillow's bilinear resampling of the largest middle part of the model's shape.
//
// A triangle as wide as two pixels of the result (so a small picture of a large one
// skips no pixel), columns first, then rows, with weights in fixed point and rounding
// after each.

const BITS = 22; // of a weight's fraction
const ONE = 2 ** BITS;
const STRIP = 256; // rows that are read at once: a large picture is never all there

/** Which pixels make each of `count` pixels of a result that shows `from` to `to` of
 *  `length` pixels, and their weights: [{start, weights}]. */
export function taps(length, from, to, count) {
  [from, to] = [Math.fround(from), Math.fround(to)]; // Pillow takes a box in floats
  const scale = Math.fround(to - from) / count;
  const reach = Math.max(scale, 1);
  return Array.from({ length: count }, (_, at) => {
    const centre = from + (at + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(length, Math.trunc(centre + reach + 0.5));
    const shares = Array.from({ length: end - start }, (_, near) => {
      const distance = Math.abs((near + start - centre + 0.5) * (1 / reach));
      return Math.max(0, 1 - distance);
    });
    const sum = shares.reduce((total, share) => total + share, 0);
    const weights = shares.map((share) => Math.trunc(0.5 + (share / sum) * ONE));
    return { start, weights };
  });
}

/** The largest middle part of width x height that has the shape of columns x rows:
 *  [left, top, right, bottom]. */
export function middle(width, height, columns, rows) {
  const [own, wanted] = [width / height, columns / rows];
  const across = own > wanted ? wanted * height : width;
  const down = own < wanted ? width / wanted : height;
  const [left, top] = [(width - across) * 0.5, (height - down) * 0.5];
  return [left, top, left + across, top + down];
}

/** The bytes (rows, columns, 3) of a picture of width x height at another size.
 *  read(left, top, wide, tall) promises the bytes of a part of it, (tall, wide, 4). */
export async function resize(read, width, height, columns, rows) {
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

const endOf = ({ start, weights }) => start + weights.length;

/** The mean of pixels that lie `step` bytes apart, three colours. */
function mix(source, from, step, weights, target, to) {
  for (let colour = 0; colour < 3; colour++) {
    let sum = ONE / 2;
    for (let at = 0; at < weights.length; at++)
      sum += source[from + at * step + colour] * weights[at];
    target[to + colour] = Math.min(255, Math.floor(sum / ONE));
  }
}

/** Pixels (n, 4) as grey ones of the same form, in place: Pillow's shares of red, green
 *  and blue (ITU-R BT.601). */
export function greyed(pixels) {
  for (let at = 0; at < pixels.length; at += 4) {
    const [red, green, blue] = [pixels[at], pixels[at + 1], pixels[at + 2]];
    const grey = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
    pixels.fill(grey, at, at + 3);
  }
  return pixels;
}
