"""A picture of the reader's own is brought to the model's size as `read_image` does it,
to the last bit.
"""

from pathlib import Path

import numpy as np
import pytest
from modules import javascript
from PIL import Image

from vit_tutorial.data.image_files import read_image

IMPORTS = """
import { readFileSync } from "node:fs";
import { greyed, resize } from "./explorer/resize.js";
const reader = (path, width, grey) => {
  const bytes = readFileSync(path);
  return (left, top, wide, tall) => {
    const part = new Uint8ClampedArray(4 * wide * tall);
    for (let at = 0; at < wide * tall; at++) {
      const place = (top + Math.floor(at / wide)) * width + left + (at % wide);
      part.set(bytes.subarray(3 * place, 3 * place + 3), 4 * at);
    }
    return grey ? greyed(part) : part;
  };
};"""


@pytest.mark.parametrize(
    "picture, size, channels",
    [
        ((1, 1), (32, 48), 3),
        ((96, 96), (96, 96), 3),
        ((97, 96), (96, 96), 3),
        ((640, 480), (96, 96), 1),
        ((523, 777), (33, 47), 3),
        ((7, 900), (32, 48), 3),
        ((31, 50), (96, 80), 3),
    ],
)
def test_pixels_are_pillows(picture, size, channels, tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (*picture, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "one.png")
    noise.tofile(tmp_path / "one.bin")
    wanted = read_image(tmp_path / "one.png", size, channels)
    read = f'reader("{tmp_path}/one.bin", {picture[1]}, {str(channels == 1).lower()})'
    call = f"resize({read}, {picture[1]}, {picture[0]}, {size[1]}, {size[0]})"
    found = javascript(IMPORTS, f"[...await {call}]")
    assert found == wanted.expand(3, -1, -1).movedim(0, -1).flatten().tolist()
