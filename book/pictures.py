"""Pictures in fewer bytes, as chapters and pages hold them."""

import io
from pathlib import Path

from PIL import Image

from vit_tutorial.files import write_file

LARGE = 45_000  # bytes of one picture


def shrink(picture: bytes) -> bytes:
    """A large opaque PNG in 256 colours: about a third of the bytes, and hard to tell
    from the original. Others stay as they are.
    """
    image = Image.open(io.BytesIO(picture))
    transparent = image.mode == "RGBA" and image.getextrema()[3][0] < 255
    if len(picture) < LARGE or image.mode == "P" or transparent:
        return picture
    file = io.BytesIO()
    image.convert("RGB").quantize(256).save(file, format="png", optimize=True)
    return file.getvalue()


def write(site: Path) -> None:
    """Shrink what the chapters drew while the site was built."""
    for path in sorted((site / "_images").glob("*.png")):
        picture = path.read_bytes()
        if (smaller := shrink(picture)) != picture:
            write_file(path, smaller)
