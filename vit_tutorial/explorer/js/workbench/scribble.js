// What a reader draws over a picture: strokes of a round pen.

const PEN = 2.5; // half its width, in pixels

/** A sheet over a picture of size x size pixels, clear at first: stroke(from, to,
 *  colour) draws a line between two places [x, y] in [r, g, b], over(pixels) gives the
 *  picture (size, size, 4) with what is drawn, isClear() whether that is nothing. */
export function scribble(size) {
  let colours = new Map(); // of a pixel, by its place in the row of all

  function stroke(from, to, colour) {
    for (let at = 0; at < size * size; at++) {
      const pixel = [(at % size) + 0.5, Math.floor(at / size) + 0.5];
      if (distance(pixel, from, to) < PEN) colours.set(at, colour);
    }
  }

  function over(pixels) {
    const both = pixels.slice();
    for (const [at, colour] of colours) both.set(colour, 4 * at);
    return both;
  }

  const clear = () => (colours = new Map());
  return { stroke, over, clear, isClear: () => colours.size === 0 };
}

/** How far a point lies from the straight line between two others. */
export function distance([x, y], [fromX, fromY], [toX, toY]) {
  const [right, down] = [toX - fromX, toY - fromY];
  const length = right ** 2 + down ** 2;
  const along = length ? ((x - fromX) * right + (y - fromY) * down) / length : 0;
  const share = Math.max(0, Math.min(1, along));
  return Math.hypot(x - fromX - share * right, y - fromY - share * down);
}
