"""Transforms of single images, a whole batch at a time on its device: one warp and one
change of colour (chapter 07), three-augment and erasing (chapter 10).
"""

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.data.images import middle, resize, sides_of, to_device_of

# share of red, green and blue in the grey of a colour (ITU-R BT.601)
LUMA = (0.299, 0.587, 0.114)
ASPECT = 4 / 3  # a crop is at most this much wider or taller than the image
# what three-augment does to an image; 0: nothing
GREY = 1
SOLARISE = 2
BLUR = 3
# least and largest standard deviation in pixels, as in DeiT III's code
BLUR_WIDTHS = (0.1, 2.0)
# least and largest share of the area, as in timm; the paper goes up to 0.4
ERASED_AREA = (0.02, 1 / 3)
# an erased box is at most this much wider or taller than the image
ERASED_ASPECT = 10 / 3


@dataclass(frozen=True)
class Draws:
    """What was drawn for each of B images, on the CPU; None for what is switched off.
    `draws[a:b]` are those of a part.

    `boxes` (B, 4): middle x, y and half the width and height of the crop, in an image
    from -1 to 1. `flips` (B,): -1 for a mirrored image, 1 otherwise. `angles` (B,):
    degrees, counter-clockwise. `colours` (B, 4): factors of brightness, contrast and
    saturation, and the turn of hue as a share of the circle.
    """

    boxes: Tensor | None = None
    flips: Tensor | None = None
    angles: Tensor | None = None
    colours: Tensor | None = None

    def __getitem__(self, part: slice) -> "Draws":
        values = [getattr(self, field.name) for field in fields(self)]
        return Draws(*(None if value is None else value[part] for value in values))


def draw(config: AugmentConfig, count: int, generator: Generator) -> Draws:
    """Draw for `count` images: make this the global batch, then results do not depend
    on how it is split.

    Each image takes the same random numbers whatever is switched on. The crop's aspect
    is drawn, evenly in its logarithm, from what fits into the image, up to 4/3 either
    way (Szegedy et al. 2015, section 6).
    """
    area, aspect, x, y, flip, angle, *colours = (
        torch.rand(count, 10, generator=generator).mul(2).sub(1).unbind(1)
    )
    least, largest = config.crop
    area = least + (largest - least) * (area + 1) / 2
    aspect = (aspect * area.log().neg().clamp(max=math.log(ASPECT))).exp()
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    boxes = torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)
    strengths = torch.tensor(
        [config.brightness, config.contrast, config.saturation, config.hue]
    )
    return Draws(
        boxes=boxes if least < 1 else None,
        flips=torch.where(flip < 0, -1.0, 1.0) if config.flip else None,
        angles=config.rotation * angle if config.rotation else None,
        colours=(
            torch.tensor([1.0, 1, 1, 0]) + strengths * torch.stack(colours, dim=1)
            if strengths.any()
            else None
        ),
    )


def augment(images: Tensor, draws: Draws, size: int | tuple[int, int]) -> Tensor:
    """Warp and recolour a batch: (B, C, Y, X) uint8 -> (B, C, *size) floats in [0, 1],
    on the images' device.

    Images of another shape than `size` lose what lies beyond their middle first, as in
    `resize`: nothing is squashed. Call it outside autocast: half precision is too
    coarse for places and colours. Raises ValueError for images that are not uint8, when
    `draws` are of another number of images, or colours are to be changed in images that
    are not RGB.
    """
    drawn = [
        value
        for value in (draws.boxes, draws.flips, draws.angles, draws.colours)
        if value is not None
    ]
    if any(len(value) != len(images) for value in drawn):
        raise ValueError(f"{len(images)} images, but draws for {len(drawn[0])}")
    if images.dtype != torch.uint8:
        raise ValueError(f"images are {images.dtype}, expected uint8 from 0 to 255")
    rows, columns = sides_of(size)
    images = middle(images, (rows, columns)).float() / 255
    if draws.boxes is None and draws.flips is None and draws.angles is None:
        images = resize(images, (rows, columns))
    else:
        images = _warp(images, draws, rows, columns)
    return (
        images
        if draws.colours is None
        else _recolour(images, to_device_of(images, draws.colours))
    )


def _warp(images: Tensor, draws: Draws, rows: int, columns: int) -> Tensor:
    """Crop, flip, then rotate about the middle, as one affine map: every pixel is
    interpolated once, bilinearly.

    What lies outside of the image is its mirror image. There is no antialiasing: a crop
    is rarely shrunk by much.
    """
    ones = torch.ones(len(images))
    boxes = (
        torch.tensor([0.0, 0, 1, 1]).expand(len(images), 4)
        if draws.boxes is None
        else draws.boxes
    )
    x, y, width, height = boxes.unbind(1)
    flips = ones if draws.flips is None else draws.flips
    angles = 0 * ones if draws.angles is None else draws.angles.deg2rad()
    cos = angles.cos()
    sin = angles.sin()
    pixels_down = rows / columns  # pixels in a unit down, over those in a unit across
    # From a place in the result back to one in the image, both from -1 to 1: turned
    # back, flipped, put into the box.
    across = torch.stack(
        [width * flips * cos, -width * flips * sin * pixels_down, x], dim=1
    )
    down = torch.stack([height * sin / pixels_down, height * cos, y], dim=1)
    theta = to_device_of(images, torch.stack([across, down], dim=1))  # (B, 2, 3)
    places = F.affine_grid(
        theta, [*images.shape[:2], rows, columns], align_corners=False
    )
    return F.grid_sample(images, places, padding_mode="reflection", align_corners=False)


def _recolour(images: Tensor, colours: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue, in this order: one 3 x 3 matrix
    and one offset an image.

    Brightness multiplies; contrast blends with the image's mean grey; saturation blends
    each pixel with its own grey (Haeberli 1993, "Matrix operations for image
    processing"). Hue turns colours about the grey axis, the cheap linear form of
    turning H in HSV: grey stays as it is, and so does r + g + b. Clipped once, at the
    end.
    """
    if images.shape[1] != 3:
        raise ValueError(
            f"images of {images.shape[1]} channels, expected 3 to change their colours"
        )
    # (B, 1, 1) each
    brightness, contrast, saturation, hue = colours[..., None, None].unbind(1)
    # luma @ rgb: the grey of a pixel, three times
    luma = to_device_of(images, torch.tensor(LUMA)).expand(3, 3)
    unit = torch.eye(3, device=images.device)
    turns = (
        2 * math.pi * (hue + torch.arange(3, device=images.device).view(1, 1, 3) / 3)
    )
    # a rotation about (1, 1, 1) is made of three numbers, each row moved on by one
    first = (1 + 2 * turns.cos()) / 3
    rotation = torch.cat([first.roll(shift, dims=2) for shift in range(3)], dim=1)
    matrix = (
        brightness * contrast * rotation @ (saturation * unit + (1 - saturation) * luma)
    )
    mean = images.mean(dim=(2, 3), keepdim=True)[..., 0]  # (B, 3, 1)
    offset = brightness * (1 - contrast) * (luma @ mean)
    return (
        torch.baddbmm(offset, matrix, images.flatten(2))
        .clamp_(0, 1)
        .unflatten(2, images.shape[2:])
    )


def three_augment(images: Tensor, kinds: Tensor, widths: Tensor) -> Tensor:
    """Turn the images of one kind grey, solarise (invert what is brighter than 0.5) or
    blur those of the others.
    """
    channels = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(
            f"images of {channels} channels, expected 1 or 3 to turn them grey"
        )
    images = images.clone()
    grey, solarised, blurred = (
        to_device_of(images, (kinds == kind).nonzero()[:, 0])
        for kind in (GREY, SOLARISE, BLUR)
    )
    if channels == 3:
        images[grey] = sum(
            share * images[grey, c : c + 1] for c, share in enumerate(LUMA)
        )
    images[solarised] = torch.where(
        images[solarised] > 0.5, 1 - images[solarised], images[solarised]
    )
    images[blurred] = _blur(
        images[blurred], to_device_of(images, widths[kinds == BLUR])
    )
    return images.clamp_(0, 1)  # rounding can lead beyond


def _blur(images: Tensor, widths: Tensor) -> Tensor:
    """Blur with a Gaussian of its own width for each image: one matrix mixes the rows,
    another one the columns.
    """
    return (
        _gaussians(widths, images.shape[2])
        @ images
        @ _gaussians(widths, images.shape[3]).mT
    )


def _gaussians(widths: Tensor, size: int) -> Tensor:
    """For each width (n,) the weights of `size` old pixels in each of the new: (n, 1,
    size, size), rows sum to 1.
    """
    places = torch.arange(size, device=widths.device)
    distances = (places[:, None] - places) / widths[:, None, None, None]
    return (-distances.square() / 2).softmax(dim=-1)


def random_erasing(images: Tensor, boxes: Tensor) -> Tensor:
    """Fill a box (B, 4) of each image with the image's mean colour (Zhong et al. 2020).

    The paper fills it with noise, which would have to be drawn for every pixel.
    """
    mean = images.mean(dim=(2, 3), keepdim=True)
    return torch.where(inside_boxes(boxes, images), mean, images)


def box_to_erase(area: Tensor, aspect: Tensor, left: Tensor, top: Tensor) -> Tensor:
    """A box within each image, from four numbers in [0, 1): (B, 4).

    The aspect, in units of the image's own, is drawn evenly in its logarithm from what
    fits into the image.
    """
    area = ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * area
    aspect = (
        (2 * aspect - 1) * area.log().neg().clamp(max=math.log(ERASED_ASPECT))
    ).exp()
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    left = left * (1 - width)
    top = top * (1 - height)
    return torch.stack([left, top, left + width, top + height], dim=1)


def inside_boxes(boxes: Tensor, images: Tensor) -> Tensor:
    """Whether a pixel's middle lies in its image's box: boxes (B, 4) -> (B, 1, Y,
    X).
    """
    # (B, 1) each
    left, top, right, bottom = to_device_of(images, boxes)[:, :, None].unbind(1)
    rows, columns = (
        (torch.arange(size, device=images.device) + 0.5) / size
        for size in images.shape[2:]
    )
    # (B, Y) and (B, X)
    down = (rows >= top) & (rows < bottom)
    across = (columns >= left) & (columns < right)
    return (down[:, :, None] & across[:, None, :])[:, None]
