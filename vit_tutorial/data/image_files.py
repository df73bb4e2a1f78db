"""Reading one picture file, of whatever kind, the same way everywhere."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

WHITE = (255, 255, 255, 255)
DEEP = 2**16 - 1  # white in 16 bits
UPRIGHT = {  # what turns a picture upright, by its EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
FOREIGN = {  # how files begin that people take for pictures: place and marks
    "a HEIC picture": (4, (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1")),
    "a JPEG XL picture": (0, (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")),
    "an AVIF picture": (4, (b"ftypavi",)),
    "an SVG drawing or other XML": (0, (b"<svg", b"<?xml")),
    "a PDF document": (0, (b"%PDF",)),
    "a video": (4, (b"ftyp",)),
    "a zip archive": (0, (b"PK\x03\x04",)),
}


def read_image(path: str | Path, size: tuple[int, int], channels: int = 3) -> Tensor:
    """A picture as the model sees it, in training as later: (channels, *size) uint8.

    It is turned upright (EXIF), resized by its shorter side and cropped to the middle.
    One channel is grey, three are RGB. What is transparent shows white. Of 16 bits a
    pixel the upper 8 are kept, floats are taken from 0 (black) to 1 (white). Of several
    frames or pages the first is read. Raises FileNotFoundError, or ValueError that says
    what is in the way: no file, no picture, a damaged one, too many pixels, values that
    do not say how bright they are, or a number of channels or a size that cannot be.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels is {channels}, expected 1 (grey) or 3 (RGB)")
    if np.shape(size) != (2,) or min(size) < 1:
        raise ValueError(f"size is {size}, expected two sides of at least 1 pixel")
    with _opened(Path(path), size) as file:
        file.load()  # first: a PNG may hold its EXIF data behind the pixels
        image = _shades(_upright(file), channels)
        fitted = ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(fitted))
    return pixels.reshape(*size, channels).permute(2, 0, 1)


def check_image(path: Path, size: tuple[int, int]) -> None:
    """Raise what `read_image` would, as far as it shows before pixels are decoded."""
    with _opened(path, size):
        pass


@contextmanager
def _opened(path: Path, size: tuple[int, int]) -> Iterator[Image.Image]:
    """A picture to be read at a size; what goes wrong meanwhile is a ValueError."""
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd tags and of large pictures
            with Image.open(path) as file:
                yield file
    except Image.DecompressionBombError as error:
        assert Image.MAX_IMAGE_PIXELS is not None  # or nothing were too large
        most = f"expected at most {2 * Image.MAX_IMAGE_PIXELS:,}"
        raise ValueError(
            f"{path} is too large, it has too many pixels: {most}"
        ) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} cannot be read as an image: {_kind(path)}") from error
    except MemoryError as error:
        raise ValueError(
            f"{path}: too little memory to read it at {size} pixels"
        ) from error
    except PermissionError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error
    except _Shades as error:
        raise ValueError(f"{path} {error}") from error
    except Exception as error:
        # Pillow's readers raise what they like at a damaged file
        reason = " ".join(f"{error}".split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read as an image: {reason:.200}") from error


class _Shades(ValueError):
    """Values of pixels that cannot be made shades from 0 to 255."""


def _check_file(path: Path) -> None:
    """Refuse what is no regular file: reading a pipe would wait for ever."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        if path.is_symlink():
            raise ValueError(f"{path} is a link to nothing") from error
        raise
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise ValueError(f"{path} is a folder, expected the file of an image")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is a pipe or a device, expected the file of an image")


def _kind(path: Path) -> str:
    """What a file is that Pillow does not know."""
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "the file is empty"
    for name, (place, marks) in FOREIGN.items():
        if start[place:].startswith(marks):
            return f"it looks like {name}, which Pillow does not read here"
    return "Pillow knows no such format"


def _upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF data say; as it lies where they cannot be read."""
    try:
        turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF is written by anything: broken, it is worth no picture
        turn = None
    return image if turn is None else image.transpose(turn)


def _shades(image: Image.Image, channels: int) -> Image.Image:
    """A picture of any mode as 8 bits of grey or RGB, over white where it is see-
    through.
    """
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(_eight_bits(image))
    elif image.has_transparency_data:
        ground = Image.new("RGBA", image.size, WHITE)
        image = Image.alpha_composite(ground, image.convert("RGBA"))
    return image.convert("L" if channels == 1 else "RGB")


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Grey of 16 or 32 bits as 8 bits, white as the largest value: (Y, X) uint8."""
    values = np.asarray(image).astype(np.float64)
    low = values.min()
    high = values.max()
    found = f"holds values from {low:g} to {high:g}"
    if image.mode == "F":
        if not (low >= 0 and high <= 1):  # refuses nan, too
            raise _Shades(f"{found}, expected floats from 0 (black) to 1 (white)")
        return (255 * values).round().astype(np.uint8)
    if low < 0 or high > DEEP:
        raise _Shades(
            f"{found}, expected whole numbers from 0 (black) to {DEEP} (white)"
        )
    bits = _declared_bits(image)
    if bits == 16 and 0 < high < 2**12:
        raise _Shades(
            f"{found}: as 16 bits, where {DEEP} is white, it would be all but black; "
            f"scale the values to 0 to {DEEP} first"
        )
    clear = image.info.get("transparency")  # of a PNG: the value that is see-through
    if isinstance(clear, int):
        values[values == clear] = 2**bits - 1
    return (values * 255 / (2**bits - 1)).round().astype(np.uint8)


def _declared_bits(image: Image.Image) -> int:
    """How many bits a pixel has, as far as the file says so: 12 or 16."""
    tags = getattr(image, "tag_v2", {})
    declared = tags.get(258, 16)  # BitsPerSample
    declared = declared[0] if isinstance(declared, tuple) else declared
    return 12 if declared == 12 else 16
