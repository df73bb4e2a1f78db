"""Images drawn from a seed, whose answer and whose masks are known: `stacks` and
`pairs`.

Draws and places are float32, colours float64: the last bit of a cosine or an
interpolation depends on the processor and on the number of threads, and in float32 it
decided how a few values in a million were rounded.
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit_tutorial.data.images import ImageSet
from vit_tutorial.machine import refuse_too_large

TEXTURES = ("vertical", "horizontal", "checks", "dots")
# (top, bottom)
STACKS = (
    (0, 1),
    (1, 0),
    (0, 2),
    (2, 0),
    (1, 3),
    (3, 1),
    (2, 3),
    (3, 2),
    (0, 0),
    (2, 2),
)
STACKS_CLASSES = tuple(f"{TEXTURES[top]}/{TEXTURES[bottom]}" for top, bottom in STACKS)
STACKS_SIZE = 96  # pixels a side
# pixels between the tiles: without it a patch that holds an edge tells which tile is
# the upper one
STACKS_GAP = 8
# A texture is a*wx + b*wy + c*wx*wy + d of one wave across (wx) and one down (wy): a
# row of (a, b, c, d) each.
TEXTURE_TERMS = torch.tensor(
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, -0.5]], dtype=torch.float64
)
# Radius, at least, and share of the images of each disc: a second plain one is in every
# other image.
DISCS = {"plain": ((5.0, 1.0), (5.0, 0.5)), "patterned": ((10.0, 1.0),) * 3}
PAIRS_CLASSES = ("different", "same")
# pixels a tile, tiles a side, patterns there are
PAIRS_TILE = 8
PAIRS_GRID = 6
PAIRS_PATTERNS = 8


def stacks(
    count: int, seed: int, decoys: Literal["plain", "patterned"] = "plain"
) -> ImageSet:
    """Draw `count` stacks of two textured tiles, whose class is (texture on top,
    texture below): 96 x 96 pixels.

    Every class is drawn equally often, up to rounding. Beside the stack lie discs: one
    or two small ones of one colour, or three larger ones with slanted stripes, as
    strong as the tiles' patterns. The masks (count, 2, 96, 96) are the stack and the
    discs. Raises ValueError for fewer than 1 image, for more than memory holds, and for
    other decoys.
    """
    expect_count(count, STACKS_SIZE)
    if decoys not in ("plain", "patterned"):
        raise ValueError(f"decoys is {decoys!r}, expected 'plain' or 'patterned'")
    generator = torch.Generator().manual_seed(seed)
    labels = _balanced(count, len(STACKS), generator)
    # few at a time stay in the cache
    parts = [_draw_stacks(part, decoys, generator) for part in labels.split(50)]
    images, masks = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return ImageSet(images, labels, STACKS_CLASSES, masks)


def expect_count(count: int, side: int) -> None:
    """Raise ValueError for fewer than 1 image, and for more of that side, in pixels,
    than memory holds.
    """
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1 image")
    refuse_too_large(3 * count * side**2, f"{count:,} images to draw need")


def _balanced(count: int, classes: int, generator: Generator) -> Tensor:
    """Labels 0 to classes - 1, equally often up to rounding, in random order:
    (count,).
    """
    return (torch.arange(count) % classes)[torch.randperm(count, generator=generator)]


def _uniform(count: int, generator: Generator) -> Callable[..., Tensor]:
    """A function of `low`, `high` and sizes that draws numbers between both: (count,
    *sizes) float32.
    """

    def draw(low: float, high: float, *sizes: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *sizes, generator=generator)

    return draw


def _draw_stacks(
    labels: Tensor, decoys: str, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Images (B, 3, Y, X) uint8 and masks (B, 2, Y, X) bool of the given classes."""
    count = len(labels)
    chosen = choose_stacks(count, generator)
    images, stack = paint_stacks(torch.tensor(STACKS)[labels], chosen)
    discs = torch.zeros_like(stack)
    for radius, share in DISCS[decoys]:
        # they keep clear of the stack: nothing of it is painted over
        disc = disc_mask(*choose_discs(chosen, radius, share, generator))
        filling = (
            _uniform(count, generator)(0.1, 0.9, 3, 1, 1)
            if decoys == "plain"
            else _slanted(count, generator)
        )
        images = torch.where(disc[:, None], _bytes(filling), images)
        discs |= disc
    return images, torch.stack([stack, discs], dim=1)


class ChosenStacks(NamedTuple):
    """What is drawn at random of B stacks and of the background behind them; of two
    tiles the upper one comes first.
    """

    half: Tensor  # half the width of a tile, in pixels: (B, 1)
    across: Tensor  # the middle of the stack, in pixels: (B, 1)
    down: Tensor  # (B, 1)
    period: Tensor  # of a texture, in pixels: (B, 2, 1)
    phase_x: Tensor  # in periods: (B, 2, 1)
    phase_y: Tensor  # (B, 2, 1)
    colour: Tensor  # a direction from grey, of any length: (B, 2, 3)
    soft: Tensor  # shades of the background, spread over the image: (B, 3, 4, 4)

    @property
    def tall(self) -> Tensor:
        """Half the height of the stack, in pixels: (B, 1)."""
        return 2 * self.half + STACKS_GAP // 2


def choose_stacks(count: int, generator: Generator) -> ChosenStacks:
    """Draw where `count` stacks stand and how they look; all float32."""
    size = STACKS_SIZE
    uniform = _uniform(count, generator)
    # in whole pixels
    half = uniform(12, 17, 1).floor()
    across = (half + uniform(0, 1, 1) * (size - 2 * half + 1)).floor()
    tall = 2 * half + STACKS_GAP // 2
    down = (tall + uniform(0, 1, 1) * (size - 2 * tall + 1)).floor()
    return ChosenStacks(
        half,
        across,
        down,
        period=uniform(6, 8, 2, 1),
        phase_x=uniform(0, 1, 2, 1),
        phase_y=uniform(0, 1, 2, 1),
        colour=uniform(-1, 1, 2, 3),
        soft=uniform(0.35, 0.65, 1, 1, 1)
        + uniform(-0.15, 0.15, 3, 1, 1)
        + uniform(-0.15, 0.15, 3, 4, 4),
    )


def paint_stacks(textures: Tensor, chosen: ChosenStacks) -> tuple[Tensor, Tensor]:
    """Images (B, 3, Y, X) uint8 of stacks of these textures (B, 2), without discs, and
    their masks (B, Y, X) bool.
    """
    size = STACKS_SIZE
    gap = STACKS_GAP // 2
    pixels = torch.arange(size) + 0.5
    # (B, X) and (B, Y), measured from the middle
    x = pixels - chosen.across
    y = pixels - chosen.down
    stack = ((y.abs() > gap) & (y.abs() < chosen.tall))[:, :, None] & (
        x.abs() < chosen.half
    )[:, None, :]

    # Each row of pixels belongs to the top or to the bottom tile.
    period = chosen.period.double()
    # (B, 2, X)
    wave_x = (2 * math.pi * (x[:, None] / period + chosen.phase_x)).cos()
    # (B, 2, Y)
    wave_y = (2 * math.pi * (y[:, None] / period + chosen.phase_y)).cos()
    colour = _contrasting(chosen.colour.double())
    terms = TEXTURE_TERMS[textures]  # (B, 2, 4)
    row = (y > 0).long()  # 0 in the top tile, 1 in the bottom one: (B, Y)
    each = torch.arange(len(textures))[:, None]
    a, b, c, d = terms[each, row].unbind(-1)  # (B, Y) each
    wy = wave_y.gather(1, row[:, None])[:, 0]
    pattern = torch.addcmul(
        (b * wy + d)[..., None], (a + c * wy)[..., None], wave_x[each, row]
    )
    pattern = (2.5 * pattern).clamp_(-1, 1)  # edges a pixel soft
    # complementary: a + b = white
    tiles = 0.5 + colour[each, row].permute(0, 2, 1)[..., None] * pattern[:, None]

    # Behind it a soft background. (4, X): bilinear is
    wide = F.interpolate(
        torch.eye(4, dtype=torch.float64)[None], size=size, mode="linear"
    )[0]
    # linear along one axis, then along the other
    soft = _bytes(wide.T @ chosen.soft.double() @ wide)
    return torch.where(stack[:, None], _bytes(tiles), soft), stack


def _slanted(count: int, generator: Generator) -> Tensor:
    """Stripes that run aslant, one way or the other, in colours as far apart as a
    tile's: (count, 3, Y, X) float64.
    """
    uniform = _uniform(count, generator)
    pixels = torch.arange(STACKS_SIZE, dtype=torch.float64)
    # across the stripes a period is 6 to 8 pixels
    period = 2**0.5 * uniform(6, 8, 1).double()
    phase = uniform(0, 1, 2)
    colour = _contrasting(uniform(-1, 1, 3).double())
    lean = 2 * torch.randint(2, (count, 1), generator=generator) - 1
    x = 2 * math.pi * (pixels / period + phase[:, :1])
    y = 2 * math.pi * (pixels / period + phase[:, 1:]) * lean
    # cos(x + y): (B, Y, X)
    pattern = (
        x.cos()[:, None] * y.cos()[..., None] - x.sin()[:, None] * y.sin()[..., None]
    )
    pattern = (2.5 * pattern).clamp_(-1, 1)
    return 0.5 + colour[..., None, None] * pattern[:, None]


def _contrasting(colour: Tensor) -> Tensor:
    """What sets a colour apart from mid-grey, (..., 3), made 0.42 in its strongest
    channel.
    """
    return 0.42 * colour / colour.abs().amax(-1, keepdim=True)


def _bytes(values: Tensor) -> Tensor:
    """Floats in [0, 1] as uint8."""
    return (255 * values).round_().to(torch.uint8)


def choose_discs(
    chosen: ChosenStacks, least: float, share: float, generator: Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Places for discs that do not touch the stacks: across, down and radius in pixels,
    (B, 1) each, and whether there is one, (B, 1) bool, in a `share` of the images.

    A radius is `least` to `least` + 4 pixels. Of 32 places drawn the first clear one is
    taken; an image with none goes without.
    """
    count = len(chosen.half)
    tries = 32
    radius = least + 4 * torch.rand(count, 1, generator=generator)
    x, y = radius + (STACKS_SIZE - 2 * radius) * torch.rand(
        2, count, tries, generator=generator
    )
    clear = ((x - chosen.across).abs() > chosen.half + radius + 1) | (
        (y - chosen.down).abs() > chosen.tall + radius + 1
    )
    first = clear.int().argmax(1, keepdim=True)
    drawn = clear.any(1, keepdim=True) & (
        torch.rand(count, 1, generator=generator) < share
    )
    return x.gather(1, first), y.gather(1, first), radius, drawn


def disc_mask(x: Tensor, y: Tensor, radius: Tensor, drawn: Tensor) -> Tensor:
    """Which pixels lie in a disc, if it is drawn: four (B, 1) to (B, Y, X) bool."""
    pixels = torch.arange(STACKS_SIZE) + 0.5
    squares = ((pixels - y) ** 2)[:, :, None] + ((pixels - x) ** 2)[:, None, :]
    return (squares < radius[..., None] ** 2) & drawn[..., None]


def patterns() -> Tensor:
    """The eight patterns of `pairs`, always the same ones: (8, 3, 8, 8) uint8.

    Each is a mirrored drawing of 4 x 4 dots in a colour and its complement, half of the
    dots each, so that a pattern's mean is grey. The seed is one for which no two are
    alike: no correlation between two exceeds 0.36.
    """
    generator = torch.Generator().manual_seed(2095)
    left = (
        torch.rand(PAIRS_PATTERNS, 8, generator=generator).argsort(1).view(-1, 1, 4, 2)
        < 4
    )
    drawing = (
        torch.cat([left, left.flip(-1)], dim=-1)
        .repeat_interleave(2, -1)
        .repeat_interleave(2, -2)
    )
    hue = torch.arange(PAIRS_PATTERNS)[:, None] / PAIRS_PATTERNS + torch.arange(3) / 3
    colour = 0.5 * (2 * math.pi * hue).cos()[..., None, None]
    return _bytes(0.5 + torch.where(drawing, colour, -colour))


def pairs(count: int, seed: int) -> ImageSet:
    """Draw `count` images of 6 x 6 tiles of 8 pixels: noise, but for two tiles of the
    same or of different patterns.

    Every pattern is as frequent in images of one class as in the other, so that no tile
    alone tells the class. The masks (count, 1, 48, 48) are the two patterned tiles.
    Raises ValueError for fewer than 1 image, and for more than memory holds.
    """
    expect_count(count, PAIRS_GRID * PAIRS_TILE)
    generator = torch.Generator().manual_seed(seed)
    tile = PAIRS_TILE
    grid = PAIRS_GRID
    labels = _balanced(count, 2, generator)
    first = torch.randint(PAIRS_PATTERNS, (count,), generator=generator)
    other = (
        first + torch.randint(1, PAIRS_PATTERNS, (count,), generator=generator)
    ) % PAIRS_PATTERNS
    second = torch.where(labels == 1, first, other)
    places = torch.rand(count, grid * grid, generator=generator).argsort(1)[:, :2]

    # Tiles as a list, (count, 36, 3, 8, 8), then laid out row by row.
    noise = torch.randint(
        119,
        137,
        (count, grid * grid, 1, tile, tile),
        generator=generator,
        dtype=torch.uint8,
    )
    tiles = noise.repeat(1, 1, 3, 1, 1)  # grey
    each = torch.arange(count)[:, None]
    tiles[each, places] = patterns()[torch.stack([first, second], dim=1)]
    images = tiles.view(count, grid, grid, 3, tile, tile).permute(0, 3, 1, 4, 2, 5)
    marked = torch.zeros(count, grid * grid, dtype=torch.bool)
    marked[each, places] = True
    masks = (
        marked.view(count, 1, grid, grid)
        .repeat_interleave(tile, -1)
        .repeat_interleave(tile, -2)
    )
    side = grid * tile
    return ImageSet(images.reshape(count, 3, side, side), labels, PAIRS_CLASSES, masks)
