// Drawn stacks, as vit_tutorial/data/synthetic.py draws them: two textured tiles, one
// above the other, before a soft background with plain discs.
//
// choice: top, bottom (textures 0 to 3); x, y (the middle of the stack) and half (half
//   the width of a tile) in pixels; tiles, the upper one first, each {period in pixels,
//   phase: [across, down] in periods, colour: [r, g, b], a direction from grey};
//   background (3, 4, 4), shades that are spread over the picture; discs, each {x, y,
//   radius, colour: [r, g, b] from 0 to 1}.

import { clamp } from "../frame/dom.js";

export const SIZE = 96; // pixels a side
export const TEXTURES = ["vertical", "horizontal", "checks", "dots"];
// the classes, in their order: the textures at the top and at the bottom
export const CLASSES = [
  [0, 1], [1, 0], [0, 2], [2, 0], [1, 3], [3, 1], [2, 3], [3, 2], [0, 0], [2, 2],
];
const GAP = 4; // half of the rows between the tiles
export const SIZES = [12, 16]; // half the width of a tile
// of a texture's waves: across, down, their product, and what is added
const TERMS = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, -0.5]];
const DISCS = [1, 0.5]; // how many pictures in one have each
const TRIES = 32; // places for a disc that keeps clear of the stack

const repeat = (length, draw) => Array.from({ length }, draw);

/** The class of two textures, or null where the pair is none. */
export function classOf({ top, bottom }) {
  const label = CLASSES.findIndex((pair) => pair[0] === top && pair[1] === bottom);
  return label < 0 ? null : label;
}

/** The first and the last place, [x, y] each, of the middle of a stack. */
export function reach(half) {
  const tall = 2 * half + GAP;
  return [[half, tall], [SIZE - half, SIZE - tall]];
}

/** The same choice with its stack as near to [x, y] as the picture lets it be. */
export function moved(choice, place) {
  const [first, last] = reach(choice.half);
  const [x, y] = place.map((value, axis) =>
    clamp(Math.round(value), first[axis], last[axis]));
  return { ...choice, x, y };
}

/** Whether a place lies in the stack, the gap between its tiles included. */
export const within = ({ x, y, half }, [across, down]) =>
  Math.abs(across - x) < half && Math.abs(down - y) < 2 * half + GAP;

// ---- what is drawn at random

const between = (random, low, high) => low + (high - low) * random();
const direction = (random) => repeat(3, () => between(random, -1, 1));

/** A choice from the distributions of the data set. */
export function randomChoice(random = Math.random) {
  const [top, bottom] = CLASSES[Math.floor(CLASSES.length * random())];
  const half = Math.floor(between(random, SIZES[0], SIZES[1] + 1));
  const [first, last] = reach(half);
  const [x, y] = first.map((low, axis) =>
    Math.floor(between(random, low, last[axis] + 1)));
  const tile = () => ({
    period: between(random, 6, 8),
    phase: [random(), random()],
    colour: direction(random),
  });
  const tiles = [tile(), tile()];
  const stack = { top, bottom, x, y, half, tiles };
  return { ...stack, ...randomBackground(stack, random) };
}

/** Other colours of both tiles. */
export const randomColours = ({ tiles }, random = Math.random) => ({
  tiles: tiles.map((tile) => ({ ...tile, colour: direction(random) })),
});

/** Another background, whose discs keep clear of the stack. */
export function randomBackground(stack, random = Math.random) {
  const base = between(random, 0.35, 0.65);
  const background = repeat(3, () => {
    const band = base + between(random, -0.15, 0.15);
    return repeat(4, () => repeat(4, () => band + between(random, -0.15, 0.15)));
  });
  const discs = DISCS.filter((share) => random() < share)
    .map(() => clearDisc(stack, random))
    .filter(Boolean);
  return { background, discs };
}

/** A disc that does not touch the stack; null where none was found. */
function clearDisc({ x, y, half }, random) {
  const radius = between(random, 5, 9);
  const draw = () => between(random, radius, SIZE - radius);
  for (let tries = 0; tries < TRIES; tries++) {
    const place = { x: draw(), y: draw(), radius };
    const across = Math.abs(place.x - x) > half + radius + 1;
    const down = Math.abs(place.y - y) > 2 * half + GAP + radius + 1;
    if (!across && !down) continue;
    return { ...place, colour: repeat(3, () => between(random, 0.1, 0.9)) };
  }
  return null;
}

// ---- and how it is painted

/** The picture of a choice: bytes (96, 96, 4), red to blue, opaque. */
export function paintStack(choice) {
  const pixels = new Uint8Array(SIZE * SIZE * 4).fill(255);
  for (const [band, grid] of choice.background.entries())
    spread(grid).forEach((shade, at) => (pixels[4 * at + band] = byte(shade)));
  for (const { x, y, radius, colour } of choice.discs)
    cover(pixels, (across, down) =>
      (across - x) ** 2 + (down - y) ** 2 < radius ** 2 ? colour : null);
  cover(pixels, stackColours(choice));
  return pixels;
}

const byte = (value) => Math.round(255 * value);

/** Give pixels (96, 96, 4) the colour that colourAt(x, y) has for them, if not null. */
function cover(pixels, colourAt) {
  for (let at = 0; at < SIZE * SIZE; at++) {
    const colour = colourAt((at % SIZE) + 0.5, Math.floor(at / SIZE) + 0.5);
    if (colour) pixels.set(colour.map(byte), 4 * at);
  }
}

/** A function of a place: the stack's colour there, from 0 to 1, or null beside it. */
function stackColours(choice) {
  const { x, y, tiles } = choice;
  const [top, bottom] = [choice.top, choice.bottom].map((texture, which) =>
    textured(texture, tiles[which]));
  return (across, down) => {
    if (!within(choice, [across, down]) || Math.abs(down - y) <= GAP) return null;
    return (down > y ? bottom : top)(across - x, down - y);
  };
}

/** A function of a place, measured from the middle of the stack: the colour [r, g, b]
 *  of an endless tile there, from 0 to 1. */
export function textured(texture, { period, phase, colour }) {
  const [a, b, c, d] = TERMS[texture];
  const strongest = Math.max(...colour.map(Math.abs));
  const apart = colour.map((value) => (0.42 * value) / strongest);
  const wave = (at, from) => Math.cos(2 * Math.PI * (at / period + from));
  return (across, down) => {
    const [wx, wy] = [wave(across, phase[0]), wave(down, phase[1])];
    // edges a pixel soft
    const pattern = clamp(2.5 * (a * wx + b * wy + c * wx * wy + d), -1, 1);
    return apart.map((value) => 0.5 + value * pattern);
  };
}

/** A grid (4, 4) between whose middles values run on in straight lines: (96, 96). */
function spread(grid) {
  const wide = grid.length;
  const along = repeat(SIZE, (_, pixel) => {
    const at = clamp(((pixel + 0.5) * wide) / SIZE - 0.5, 0, wide - 1);
    const from = Math.min(Math.floor(at), wide - 2);
    return [from, at - from];
  });
  return along.flatMap(([row, down]) =>
    along.map(([column, right]) => {
      const mix = (line) => line[column] * (1 - right) + line[column + 1] * right;
      return mix(grid[row]) * (1 - down) + mix(grid[row + 1]) * down;
    }));
}
