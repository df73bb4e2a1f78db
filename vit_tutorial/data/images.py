"""Images in memory: a set with its labels, and what is done to pixels everywhere
alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class ImageSet:
    """Images in memory, or mapped into it, with their labels: images (N, C, Y, X)
    uint8, labels (N,) int64, -1 for one not known, the names of the classes.

    `masks` (N, M, Y, X) bool say where things are in drawn images. `origin` tells the
    pictures of a folder from others: their number and a digest of their names. Raises
    ValueError for images or labels with other axes, and when the numbers of images,
    labels and masks differ.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    masks: Tensor | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        shapes = tuple(self.images.shape), tuple(self.labels.shape)
        if len(shapes[0]) != 4 or len(shapes[1]) != 1:
            raise ValueError(
                f"images are {shapes[0]} and labels {shapes[1]}, expected (N, C, Y, X)"
                " and (N,)"
            )
        for name, others in {"labels": self.labels, "masks": self.masks}.items():
            if others is not None and len(others) != len(self.images):
                raise ValueError(
                    f"{len(self.images)} images but {len(others)} {name}, expected as"
                    " many"
                )

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, rows: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The images (b, C, Y, X) and labels (b,) of each batch, by their rows."""
        return ((self.images[each], self.labels[each]) for each in rows)


EXPECTED = "expected uint8 from 0 to 255 or floats from 0 to 1"
SLACK = 0.01  # by which rounding may leave [0, 1]: resizing and half precision do


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(images - mean) / std by channel: (..., C, Y, X) -> the same shape, float32.

    Images are uint8 or floats in [0, 1]. Raises ValueError for other types and, on the
    CPU (elsewhere we would have to wait for them), for other values.
    """
    if images.ndim < 3 or images.shape[-3] != len(mean) or len(mean) != len(std):
        channels = images.shape[-3] if images.ndim > 2 else "no"
        given = f"{len(mean)} means and {len(std)} deviations"
        raise ValueError(f"images of {channels} channels, but {given}")
    check_shades(images)
    scale = 255 if images.dtype == torch.uint8 else 1
    by_channel = (
        torch.as_tensor(values, dtype=torch.float32)[:, None, None]
        for values in (mean, std)
    )
    offset, divisor = (to_device_of(images, values * scale) for values in by_channel)
    # no copy of the whole batch but the result
    return (images - offset).div_(divisor).float()


@dataclass(frozen=True)
class Normalization:
    """The means and deviations of a model's images, one per channel, of images in [0,
    1].

    Called with images it is `normalise`.
    """

    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)

    def __call__(self, images: Tensor) -> Tensor:
        return normalise(images, self.mean, self.std)


def check_shades(images: Tensor) -> None:
    """Raise ValueError unless images are uint8 or floats, in [0, 1] on the CPU."""
    check_dtype(images)
    if images.is_floating_point() and images.is_cpu and images.numel():
        low, high = (value.item() for value in images.detach().aminmax())
        if not (low >= -SLACK and high <= 1 + SLACK):  # also refuses nan
            raise ValueError(f"images are floats from {low:g} to {high:g}, {EXPECTED}")


def check_dtype(images: Tensor) -> None:
    """Raise ValueError unless images are uint8 or floats."""
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, {EXPECTED}")


def to_device_of(images: Tensor, values: Tensor) -> Tensor:
    """Values from the CPU on the images' device, without waiting for a busy GPU."""
    # MPS may copy too late: PyTorch's issue 139550
    return values.to(images.device, non_blocking=images.is_cuda)


def resize(images: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bring images to a size as `read_image` does: (B, C, Y, X) -> (B, C, *size).

    `size` is one side or (rows, columns). The middle of its shape is kept, bilinear
    with antialiasing, and so is the dtype. Raises ValueError unless it is uint8 or one
    of floats, and for images or a size without pixels.
    """
    check_dtype(images)
    size = sides_of(size)
    if tuple(images.shape[-2:]) == size:
        return images
    images = middle(images, size)
    resized = F.interpolate(images.float(), size=size, mode="bilinear", antialias=True)
    if images.dtype == torch.uint8:
        resized = resized.round().clamp(0, 255)
    return resized.to(images.dtype)


def middle(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The largest middle part of images (B, C, Y, X) that has the shape of `size`.
    Raises ValueError for images or a size without pixels.
    """
    shape = tuple(images.shape)
    if len(shape) != 4 or 0 in shape[1:] or min(size) < 1:
        raise ValueError(
            f"images are {shape} and size is {size}, expected (B, C, Y, X) and sides of"
            " at least 1 pixel"
        )
    rows, columns = shape[-2:]
    scale = min(rows / size[0], columns / size[1])
    down = max(1, round(scale * size[0]))
    across = max(1, round(scale * size[1]))
    top = (rows - down) // 2
    left = (columns - across) // 2
    return images[..., top : top + down, left : left + across]


def sides_of(size: int | tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a size, which may be one side."""
    rows, columns = (size, size) if isinstance(size, int) else size
    return rows, columns
