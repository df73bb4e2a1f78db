"""What all tests share: one thread, so that tests side by side do not slow each other
down, and numbers repeat.
"""

import os

import pytest
import torch
from PIL import Image

from vit_tutorial.data.config import DataConfig

# for the processes that tests start; what these print is UTF-8, on Windows, too
os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
torch.set_num_threads(1)


@pytest.fixture
def within(record_property):
    """`within(says, value, low, high)`: what training reached lies in its band;
    benchmarks/robustness.py listens.
    """

    def hold(
        says: str, value: float, low: float | None = None, high: float | None = None
    ) -> None:
        record_property(says, (value, low, high))
        assert low is None or value > low, f"{says}: {value}, expected above {low}"
        assert high is None or value < high, f"{says}: {value}, expected below {high}"

    return hold


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder of dark and bright images, 12 px; 34 to train with: four batches of 8
    and two images left over.
    """
    root = tmp_path_factory.mktemp("images")
    generator = torch.Generator().manual_seed(0)
    for label, name in enumerate(("dark", "bright")):
        (root / name).mkdir()
        for number in range(21):
            pixels = torch.randint(
                80 * label,
                160 + 80 * label,
                (12, 12, 3),
                generator=generator,
                dtype=torch.uint8,
            )
            Image.fromarray(pixels.numpy()).save(root / name / f"{number:02}.png")
    return DataConfig(name="folder", root=str(root), image_size=12)
